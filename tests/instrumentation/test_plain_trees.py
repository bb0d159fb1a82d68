"""Chords and chains that plain Celery code builds: the same trees, without any help from their authors."""

import itertools
import re
import uuid
from collections import Counter

import pytest
from celery import chain, chord, group
from support.workers_under_test import eventually, every_broker

from jobtracker import Status

RAN = ["began", "returned"]


@pytest.fixture
def sig(project):
    return project.signature


def expect_tree(project, parent, wanted):
    """Wait for a tree: a task's name and status, of a parent paired with the same of its sub-jobs in order.

    The last sub-job may be reported a moment after its parent's task has begun, even ended.
    """

    def outline(node):
        head = f"{node.task} {node.status}"
        return (head, [outline(sub) for sub in node.sub_jobs]) if node.sub_jobs else head

    def found():
        return outline(project.queries.tree(parent))

    eventually(lambda: found() == wanted, lambda: f"{found()} instead of {wanted}")


@every_broker
def test_a_chord_is_a_parent_with_its_sub_jobs_in_order(project, sig):
    parent = project.chord([sig("ok", n) for n in range(4)], sig("collect"))
    assert project.expect(parent, Status.COMPLETED, "SUCCESS", RAN).result == [0, 1, 2, 3]
    for value, sub in enumerate(project.subs(parent)):
        found = project.expect(sub, Status.COMPLETED, "SUCCESS", RAN)
        assert (found.result, found.parent_id) == (value, parent)
    eventually(lambda: project.job(parent).progress.percent == 100)
    counts = project.job(parent).sub_job_counts
    assert (counts.total, counts.completed, counts.failed, counts.cancelled) == (4, 4, 0, 0)


def test_the_end_of_a_sub_job_and_its_parents_change_are_one_call(project, sig):
    with project.client.monitor() as monitor:
        parent = project.chord([sig("ok"), sig("fail"), sig("ok")], sig("collect"))
        project.expect(parent, Status.FAILED, "FAILURE", [])
        subs = project.subs(parent)
        project.expect_settled(*subs)
        project.client.echo(project.name)
        sent = list(itertools.takewhile(lambda text: text != f"ECHO {project.name}", _commands(monitor)))
    calls_of = {sub: [] for sub in subs}
    for text in (each for each in sent if each.startswith("FCALL ")):
        function, _, key, *args = text.split(" ")[1:]
        job = key.rpartition(":")[2]
        if function.endswith("_notify_parent"):
            calls_of[args[2]].append(function)
        elif job in calls_of and not function.endswith("_create"):
            name = "report" if function.endswith("_transition_and_notify") else function
            what = re.search(r"(start|complete|fail)", " ".join(args))
            calls_of[job].append(f"{name} {what[0] if what else '?'}")
    ends = ("complete", "fail", "complete")
    assert list(calls_of.values()) == [["report start", f"report {end}"] for end in ends]


def _commands(monitor):
    return (each["command"] for each in monitor.listen() if each["client_type"] != "lua")


def test_a_parent_runs_from_its_first_sub_job_on_and_counts_settled_ones(project, sig):
    gate = f"{project.name}-running-parent"
    parent = project.chord([sig("ok"), sig("hold", gate)], sig("collect"))
    project.expect(parent, Status.RUNNING, "PENDING", [])
    eventually(lambda: project.job(parent).progress.done == 1)
    assert project.job(parent).progress.total == 2
    project.diary.open_gate(gate)
    project.expect(parent, Status.COMPLETED, "SUCCESS", RAN)


def test_a_sub_job_that_fails_fails_the_parent_with_a_reason_that_names_it(project, sig):
    parent = project.chord([sig("ok"), sig("fail", "no ink"), sig("ok")], sig("collect"))
    project.expect(parent, Status.FAILED, "FAILURE", [])
    bad = project.subs(parent)[1]
    said = f"1 of 3 sub-jobs did not complete: fail ({bad}) failed: ValueError: no ink"
    eventually(lambda: project.job(parent).error.message == said, lambda: project.job(parent).error.message)
    project.expect(bad, Status.FAILED, "FAILURE", ["began"])


@every_broker
@pytest.mark.parametrize("task", ["ignored", "unheard_of", "unreadable"])
def test_a_parent_settles_though_celery_never_completes_its_chord(project, sig, task):
    lost = sig("ok").set(serializer="pickle") if task == "unreadable" else project.app.signature(task)
    parent = project.chord([sig("ok"), lost], sig("collect"))
    project.expect(parent, Status.FAILED, "PENDING", [])


def test_a_sub_job_that_retries_keeps_its_place(project, sig):
    parent = project.chord([sig("flaky", 1), sig("ok", "second")], sig("collect"))
    assert project.expect(parent, Status.COMPLETED, "SUCCESS", RAN).result == [1, "second"]
    project.expect(
        project.subs(parent)[0], Status.COMPLETED, "SUCCESS", ["began attempt 0", "began attempt 1", "returned"]
    )


@every_broker
def test_a_chord_in_a_chord(project, sig):
    inner = chord([sig("ok", 1), sig("ok", 2)], sig("collect"), app=project.app)
    parent = project.chord([inner, sig("ok", 3)], sig("collect"))
    assert project.expect(parent, Status.COMPLETED, "SUCCESS", RAN).result == [[1, 2], 3]
    done = ("collect completed", ["ok completed", "ok completed"])
    expect_tree(project, parent, ("collect completed", [done, "ok completed"]))


@every_broker
def test_a_failure_in_an_inner_chord_fails_both_chords(project, sig):
    inner = chord([sig("fail"), sig("ok", 2)], sig("collect"), app=project.app)
    parent = project.chord([inner, sig("ok", 3)], sig("collect"))
    project.expect(parent, Status.FAILED, "PENDING", [])
    project.expect(project.subs(parent)[0], Status.FAILED, "FAILURE", [])
    inner_failed = ("collect failed", ["fail failed", "ok completed"])
    expect_tree(project, parent, ("collect failed", [inner_failed, "ok completed"]))


def test_a_chain_as_a_sub_job_is_known_by_its_last_task(project, sig):
    parent = project.chord([chain(sig("ok", 1), sig("add", 2)), sig("ok", 3)], sig("collect"))
    assert project.expect(parent, Status.COMPLETED, "SUCCESS", RAN).result == [3, 3]
    expect_tree(project, parent, ("collect completed", ["add completed", "ok completed"]))


@every_broker
def test_a_failed_first_task_cancels_its_chain_and_fails_the_parent(project, sig):
    parent = project.chord([chain(sig("fail"), sig("add", 2), sig("add", 3)), sig("ok", 3)], sig("collect"))
    project.expect(parent, Status.FAILED, "FAILURE", [])
    last = project.subs(parent)[0]
    assert "did not complete" in project.expect(last, Status.CANCELLED, "FAILURE", []).reason


def test_a_chain_shows_all_its_tasks_from_the_start(project, sig):
    gate = f"{project.name}-chain"
    result = chain(sig("hold", gate, 1), sig("add", 2), sig("add", 3)).apply_async()
    project.expect(result.parent.parent.id, Status.RUNNING, "STARTED", ["began"])
    project.expect(result.parent.id, Status.PENDING, "PENDING", [])
    project.expect(result.id, Status.PENDING, "PENDING", [])
    project.diary.open_gate(gate)
    assert project.expect(result.id, Status.COMPLETED, "SUCCESS", RAN).result == 6


@every_broker
def test_a_chord_in_a_chain(project, sig):
    middle = chord([sig("add", 2), sig("add", 3)], sig("collect"), app=project.app)
    result = chain(sig("ok", 1), middle, sig("collect")).apply_async()
    assert project.expect(result.id, Status.COMPLETED, "SUCCESS", RAN).result == [3, 4]
    expect_tree(project, result.parent.id, ("collect completed", ["add completed", "add completed"]))


def test_a_chord_is_cancelled_with_its_chain_whose_first_task_fails(project, sig):
    middle = chord([sig("add", 2), sig("add", 3)], sig("collect"), app=project.app)
    result = chain(sig("fail"), middle, sig("collect")).apply_async()
    project.expect_settled(result.id)
    assert project.job(result.id).status is Status.CANCELLED
    assert project.job(result.parent.id).status is Status.CANCELLED
    assert (project.did(result.id), project.did(result.parent.id)) == ([], [])


def test_a_chord_in_a_chain_that_fails_cancels_what_follows(project, sig):
    middle = chord([sig("add", 2), sig("fail")], sig("collect"), app=project.app)
    result = chain(sig("ok", 1), middle, sig("collect")).apply_async()
    project.expect_settled(result.id, result.parent.id)
    assert project.job(result.parent.id).status is Status.FAILED
    assert project.job(result.id).status is Status.CANCELLED


@every_broker
def test_what_follows_a_chord_is_not_taken_for_its_parent(project, sig):
    result = (
        group([sig("ok", 1), sig("ok", 2)], app=project.app) | sig("collect") | sig("collect", "label")
    ).apply_async()
    job = project.expect(result.id, Status.COMPLETED, "SUCCESS", RAN)
    assert (job.result, job.sub_job_counts) == ({"label": "label", "results": [1, 2]}, None)
    first = project.job(result.parent.children[0].id).parent_id
    expect_tree(project, first, ("collect completed", ["ok completed", "ok completed"]))


def test_a_chord_with_a_chain_for_its_body_in_a_chord(project, sig):
    inner = chord([sig("ok", 1)], chain(sig("collect"), sig("collect")), app=project.app)
    parent = project.chord([inner, sig("ok", 2)], sig("collect"))
    assert project.expect(parent, Status.COMPLETED, "SUCCESS", RAN).result == [[1], 2]
    expect_tree(project, parent, ("collect completed", ["collect completed", "ok completed"]))


def test_a_sub_job_that_a_group_replaces_keeps_its_place(project, sig):
    parent = project.chord([sig("replaced", "group"), sig("ok", 2)], sig("collect"))
    assert project.expect(parent, Status.COMPLETED, "SUCCESS", RAN).result == [[0, 1], 2]
    done = ("replaced completed", ["ok completed", "ok completed"])
    expect_tree(project, parent, ("collect completed", [done, "ok completed"]))


def test_a_group_alone_is_so_many_jobs(project, sig):
    result = group([sig("ok", 1), sig("fail")], app=project.app).apply_async()
    statuses = project.expect_settled(*(child.id for child in result.children))
    assert statuses == [Status.COMPLETED, Status.FAILED]


def test_a_chord_without_header_is_a_job(project, sig):
    parent = project.chord([], sig("collect"))
    job = project.expect(parent, Status.COMPLETED, "SUCCESS", RAN)
    assert (job.result, job.sub_job_counts) == ([], None)


@every_broker
def test_a_link_is_a_job_of_its_own(project, sig):
    job_id = sig("ok", 1).set(link=[sig("add", 2).set(task_id=f"{project.name}-linked")]).apply_async().id
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert project.expect(f"{project.name}-linked", Status.COMPLETED, "SUCCESS", RAN).result == 3


def _chain_of(project, *links):
    """Send a chain of immutable links; returns the ids of its jobs, in order."""
    ids = [f"{project.name}-{uuid.uuid4().hex[:8]}-{n}" for n in range(len(links))]
    named = [link.clone().set(task_id=each, immutable=True) for link, each in zip(links, ids, strict=True)]
    chain(*named, app=project.app).apply_async()
    return ids


def test_a_chain_of_any_length_is_recorded_when_its_first_task_is_sent(own_project):
    ids = _chain_of(own_project, *[own_project.signature("ok")] * 1200)
    records = own_project.queries.records(ids)
    assert [record.next for record in records] == [*ids[1:], None]
    assert {record.status for record in records} == {Status.PENDING}


def test_a_task_of_a_chain_tells_of_the_next_one_and_not_of_all_the_rest(project, sig):
    with project.client.monitor() as monitor:
        ids = _chain_of(project, *[sig("ok")] * 12)
        project.expect(ids[-1], Status.COMPLETED, "SUCCESS", RAN)
        project.client.echo(project.name)
        sent = list(itertools.takewhile(lambda text: text != f"ECHO {project.name}", _commands(monitor)))
    created = Counter(text.split(" ")[3] for text in sent if re.match(r"FCALL \S+_create ", text))
    assert [created[project.keys("job", each)] for each in ids] == [1, 2, *[3] * 10]
    project.expect_settled(*ids)


def test_the_rest_of_a_chain_is_recorded_by_its_first_task_if_who_sent_it_told_nobody(own_project):
    project, gate, sig = own_project, f"{own_project.name}-rest", own_project.signature
    project.tracker.detach()
    ids = _chain_of(project, sig("ok"), sig("hold", gate), sig("ok"), sig("ok"))
    project.tracker.attach()
    assert not any(record.exists for record in project.queries.records(ids))
    with project.worker():
        project.expect_status(ids[1], Status.RUNNING)
        assert [record.next for record in project.queries.records(ids)] == [*ids[1:], None]
        project.diary.open_gate(gate)
        project.expect_settled(*ids)
