"""Every way of calling a task: what the job says of who sent it, with which others, and when it may run."""

import os
import socket
from datetime import UTC, datetime, timedelta

import pytest
from celery import chain, chord, group
from support.workers_under_test import eventually, new_project

from jobtracker import Status
from jobtracker.schemas.filters import JobFilter, Sort

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]
HERE = f"gen{os.getpid()}@{socket.gethostname()}"


@pytest.fixture
def sig(project):
    return project.signature


def sent_by(project, job_id):
    """The ids of what a job has sent, oldest first."""
    page = project.queries.page(JobFilter(sent_by=job_id))
    assert page.next_cursor is None
    return [job.id for job in reversed(page.jobs)]


def lineage(project, job_id):
    """Who sent a job, its parent, its group and what follows it."""
    job = project.job(job_id)
    return {
        name: value
        for name in ("sent_by", "parent_id", "group_id", "next_id")
        if (value := getattr(job, name)) is not None
    }


# -- sent by a process that runs no task --------------------------------------------------------------------------


def test_a_task_that_a_process_sends_names_the_process(project):
    job = project.expect(project.send("ok"), Status.COMPLETED, "SUCCESS", RAN)
    assert (job.origin, job.sent_by, job.sent_from, job.schedule) == ("celery", None, HERE, None)
    assert (job.not_before, job.expires_at) == (None, None)
    assert lineage(project, job.id) == {}


def test_the_parts_of_a_group_bear_its_id_and_are_found_by_it(project, sig):
    result = group([sig("ok", 1), sig("ok", 2)], app=project.app).apply_async()
    ids = [child.id for child in result.children]
    for job_id in ids:
        project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
        assert lineage(project, job_id) == {"group_id": result.id}
    assert {job.id for job in project.queries.page(JobFilter(group=result.id)).jobs} == set(ids)


def test_a_group_of_one_is_a_group(project, sig):
    result = group([sig("ok")], app=project.app).apply_async()
    assert lineage(project, result.children[0].id) == {"group_id": result.id}
    project.expect(result.children[0].id, Status.COMPLETED, "SUCCESS", RAN)


def test_a_group_in_a_group_is_one_group(project, sig):
    inner = group([sig("ok", 2), sig("ok", 3)], app=project.app)
    result = group([sig("ok", 1), inner], app=project.app).apply_async()
    members = {job.id for job in project.queries.page(JobFilter(group=result.id)).jobs}
    assert members == {child.id for child in result.children}
    assert len(members) == 3
    assert project.expect_settled(*members) == [Status.COMPLETED] * 3


def test_a_chain_in_a_group_is_there_by_its_last_task(project, sig):
    result = group([chain(sig("ok", 1), sig("add", 2)), sig("ok", 3)], app=project.app).apply_async()
    last = project.expect(result.children[0].id, Status.COMPLETED, "SUCCESS", RAN)
    assert lineage(project, last.id) == {"group_id": result.id, "sent_by": last.sent_by}
    assert lineage(project, last.sent_by) == {"next_id": last.id}
    assert project.expect_settled(result.children[1].id) == [Status.COMPLETED]


def test_a_chord_in_a_group_is_there_by_its_body(project, sig):
    inner = chord([sig("ok", 1), sig("ok", 2)], sig("collect"), app=project.app)
    result = group([inner, sig("ok", 3)], app=project.app).apply_async()
    body, other = (child.id for child in result.children)
    assert project.expect(body, Status.COMPLETED, "SUCCESS", RAN).result == [1, 2]
    assert lineage(project, body) == lineage(project, other) == {"group_id": result.id}
    assert [lineage(project, sub) for sub in project.subs(body)] == [{"parent_id": body}] * 2
    assert project.expect_settled(other) == [Status.COMPLETED]


def test_each_task_of_a_chain_was_sent_by_the_one_before_it(project, sig):
    last = chain(sig("ok", 1), sig("add", 2), sig("add", 3)).apply_async()
    first, second = last.parent.parent.id, last.parent.id
    assert project.expect(last.id, Status.COMPLETED, "SUCCESS", RAN).result == 6
    assert lineage(project, first) == {"next_id": second}
    assert lineage(project, second) == {"next_id": last.id, "sent_by": first}
    assert lineage(project, last.id) == {"sent_by": second}
    assert project.job(first).sent_from == HERE
    assert project.job(last.id).sent_from is None
    assert sent_by(project, first) == [second]


def test_the_next_of_a_chain_has_its_queue_and_its_times_once_it_is_sent(project, sig):
    gate = f"{project.name}-chain-times"
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    later = sig("add", 2).set(countdown=0.3, expires=tomorrow, queue=project.queue)
    result = chain(sig("hold", gate, 1), later).apply_async()
    ahead = project.job(result.id)
    assert (ahead.queued_at, ahead.not_before, ahead.expires_at) == (None, None, None)
    project.diary.open_gate(gate)
    eventually(lambda: project.job(result.id).not_before)
    sent = project.job(result.id)
    first = project.expect(result.parent.id, Status.COMPLETED, "SUCCESS", RAN)
    assert first.started_at < sent.queued_at < sent.not_before
    assert abs(sent.expires_at - tomorrow) < timedelta(milliseconds=1)
    assert sent.queue == project.queue
    project.expect(result.id, Status.COMPLETED, "SUCCESS", RAN)


def test_a_chord_is_sent_as_a_whole(project, sig):
    parent = project.chord([sig("ok", 1), chain(sig("ok", 2), sig("add", 3))], sig("collect"))
    body = project.expect(parent, Status.COMPLETED, "SUCCESS", RAN)
    assert (body.sent_by, body.sent_from, body.queue) == (None, HERE, project.queue)
    assert body.queued_at <= body.started_at
    one, last = project.subs(parent)
    assert lineage(project, one) == {"parent_id": parent}
    first = project.job(last).sent_by
    assert lineage(project, last) == {"parent_id": parent, "sent_by": first}
    assert lineage(project, first) == {"next_id": last}


@pytest.mark.parametrize("members", [1, 2])
def test_a_group_with_a_task_behind_it_is_a_chord(project, sig, members):
    parts = [sig("ok", n) for n in range(members)]
    result = (group(parts, app=project.app) | sig("collect")).apply_async()
    assert project.expect(result.id, Status.COMPLETED, "SUCCESS", RAN).result == list(range(members))
    assert lineage(project, result.id) == {}
    assert [lineage(project, sub) for sub in project.subs(result.id)] == [{"parent_id": result.id}] * members


def test_a_chain_in_a_group_in_a_chord_in_a_chain(project, sig):
    header = group([chain(sig("add", 1), sig("add", 2)), sig("add", 3)], app=project.app)
    result = chain(sig("ok", 1), header, sig("collect"), sig("collect", "label")).apply_async()
    job = project.expect(result.id, Status.COMPLETED, "SUCCESS", RAN)
    assert job.result == {"label": "label", "results": [4, 4]}
    body = job.sent_by
    first = project.job(body).sent_by
    assert lineage(project, first) == {"next_id": body}
    assert lineage(project, body) == {"sent_by": first, "next_id": job.id}
    assert lineage(project, job.id) == {"sent_by": body}
    last, other = project.subs(body)
    step = project.job(last).sent_by
    assert lineage(project, last) == {"parent_id": body, "sent_by": step}
    assert lineage(project, step) == {"sent_by": first, "next_id": last}
    assert lineage(project, other) == {"parent_id": body, "sent_by": first}


def test_a_chord_with_a_chain_for_its_body(project, sig):
    result = chord([sig("ok", 1)], chain(sig("collect"), sig("collect", "label")), app=project.app).apply_async()
    job = project.expect(result.id, Status.COMPLETED, "SUCCESS", RAN)
    body = job.sent_by
    assert lineage(project, job.id) == {"sent_by": body}
    assert lineage(project, body) == {"next_id": job.id}
    assert project.job(body).sent_from == HERE


def test_a_group_behind_a_chain_was_sent_by_its_last_task(project, sig):
    result = chain(sig("ok", 1), group([sig("add", 2), sig("add", 3)], app=project.app)).apply_async()
    first = project.expect(result.parent.id, Status.COMPLETED, "SUCCESS", RAN)
    eventually(lambda: len(sent_by(project, first.id)) == 2)
    parts = [child.id for child in result.children]
    assert set(sent_by(project, first.id)) == set(parts)
    for part in parts:
        project.expect(part, Status.COMPLETED, "SUCCESS", RAN)
        assert lineage(project, part) == {"group_id": result.id, "sent_by": first.id}


def test_a_task_that_beat_sends_names_the_entry_of_its_schedule(redis_server, worker_log_dir, tmp_path):
    entry = {"task": "ok", "schedule": 0.2, "args": [1], "options": {"expires": 60}}
    conf = {"beat_schedule": {"every fifth of a second": entry}, "beat_max_loop_interval": 0.1}
    with (
        new_project(redis_server, worker_log_dir, conf=conf) as project,
        project.beat(tmp_path / "schedule") as beat,
        project.worker(concurrency=1),
    ):
        eventually(lambda: len(project.queries.page(JobFilter(status=Status.COMPLETED)).jobs) >= 2)
        found = project.queries.page(JobFilter(sort=Sort.CREATED), size=2).jobs
        for job in [project.expect(each.id, Status.COMPLETED, "SUCCESS", RAN) for each in found]:
            assert (job.origin, job.schedule) == ("beat", "every fifth of a second")
            assert job.sent_from == f"gen{beat.pid}@{socket.gethostname()}"
            assert job.expires_at > job.created_at


# -- when it may run ----------------------------------------------------------------------------------------------


def test_a_countdown_is_a_time_before_which_it_does_not_begin(project):
    job_id = project.send("ok", countdown=0.5)
    waiting = project.job(job_id)
    assert abs(waiting.not_before - waiting.created_at - timedelta(seconds=0.5)) < timedelta(seconds=0.1)
    done = project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert done.started_at >= waiting.not_before
    assert done.not_before is None


@pytest.mark.parametrize("zone", [UTC, None])
def test_an_eta_is_the_time_that_was_asked_for_in_utc_where_no_zone_is_set(project, zone):
    soon = datetime.now(UTC) + timedelta(seconds=0.4)
    job_id = project.send("ok", eta=soon.replace(tzinfo=zone))
    assert abs(project.job(job_id).not_before - soon) < timedelta(milliseconds=1)
    assert project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).started_at >= soon


def test_an_expiry_time_is_recorded_and_the_job_is_cancelled_after_it(project, other_queue):
    job_id = project.send("ok", expires=0.2, queue=other_queue)
    waiting = project.job(job_id)
    assert abs(waiting.expires_at - waiting.created_at - timedelta(seconds=0.2)) < timedelta(seconds=0.1)
    eventually(lambda: datetime.now(UTC) > waiting.expires_at)
    project.consume(other_queue)
    cancelled = project.expect(job_id, Status.CANCELLED, "REVOKED", [])
    assert cancelled.reason == "it expired before it was started"
    assert cancelled.expires_at == waiting.expires_at


# -- links --------------------------------------------------------------------------------------------------------


def test_a_link_was_sent_by_the_task_that_it_is_linked_to(project, sig):
    job_id = sig("ok", 1).set(link=[sig("add", 2), sig("add", 3)]).apply_async().id
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    eventually(lambda: len(sent_by(project, job_id)) == 2)
    linked = sent_by(project, job_id)
    assert project.expect_settled(*linked) == [Status.COMPLETED] * 2
    assert sorted(project.job(each).result for each in linked) == [3, 4]


def test_a_link_of_a_task_that_fails_is_no_job(project, sig):
    job_id = sig("fail").set(link=[sig("add", 2)]).apply_async().id
    project.expect(job_id, Status.FAILED, "FAILURE", ["began"])
    assert sent_by(project, job_id) == []


def test_an_errback_that_takes_the_id_of_the_task_was_sent_by_it(project, sig):
    job_id = sig("fail").set(link_error=[sig("note")]).apply_async().id
    project.expect(job_id, Status.FAILED, "FAILURE", ["began"])
    eventually(lambda: sent_by(project, job_id))
    (errback,) = sent_by(project, job_id)
    assert project.expect(errback, Status.COMPLETED, "SUCCESS", RAN).result == job_id


def test_an_errback_of_a_chord_was_sent_by_its_body_where_a_sub_job_fails(project, sig):
    body = sig("collect").set(link_error=[sig("note")])
    parent = project.chord([sig("fail"), sig("ok")], body)
    project.expect(parent, Status.FAILED, "FAILURE", [])
    eventually(lambda: sent_by(project, parent))
    (errback,) = sent_by(project, parent)
    assert project.expect(errback, Status.COMPLETED, "SUCCESS", RAN).result == parent


def test_an_errback_that_the_worker_calls_itself_is_no_job(project, sig):
    job_id = sig("fail").set(link_error=[sig("note_exception")]).apply_async().id
    project.expect(job_id, Status.FAILED, "FAILURE", ["began"])
    eventually(lambda: project.diary.read(f"errback of {job_id}") == ["ValueError"])
    assert sent_by(project, job_id) == []


# -- maps and chunks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("way", "items", "result"), [("map", [1, 2], [1, 2]), ("starmap", [(1, 2), (3, 4)], [3, 7])])
def test_a_map_is_one_job_of_a_type_of_its_own(project, way, items, result):
    task = "ok" if way == "map" else "add"
    job_id = getattr(project.app.tasks[task], way)(items).apply_async().id
    eventually(lambda: project.job(job_id).status is Status.COMPLETED)
    job = project.job(job_id)
    assert (job.result, job.task) == (result, f"celery.{way}")
    assert (job.name, job.job_type) == (f"{task}.{way}",) * 2
    assert task in job.arguments_repr
    assert project.did(job_id) == []  # the task itself was called without a message of its own


def test_a_map_in_a_chain_has_its_place(project, sig):
    result = chain(sig("ok", 1), project.app.tasks["ok"].map([1, 2]), sig("collect")).apply_async()
    job = project.expect(result.id, Status.COMPLETED, "SUCCESS", RAN)
    assert job.result == [1, 2]
    mapped = project.job(job.sent_by)
    assert (mapped.name, mapped.next_id) == ("ok.map", job.id)
    assert project.job(mapped.sent_by).next_id == mapped.id


def test_chunks_are_a_group_of_maps(project):
    result = project.app.tasks["add"].chunks([(n, n) for n in range(5)], 2).apply_async()
    ids = [child.id for child in result.children]
    assert project.expect_settled(*ids) == [Status.COMPLETED] * 3
    assert [project.job(each).result for each in ids] == [[0, 2], [4, 6], [8]]
    assert {project.job(each).name for each in ids} == {"add.starmap"}
    assert [lineage(project, each) for each in ids] == [{"group_id": result.id}] * 3


def test_a_map_that_fails_says_so(project):
    job_id = project.app.tasks["fail"].map(["no ink"]).apply_async().id
    eventually(lambda: project.job(job_id).status is Status.FAILED)
    assert project.job(job_id).reason == "ValueError: no ink"


# -- sent by a task -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["task", "group", "chain", "chord"])
def test_what_a_task_sends_names_its_job(project, way):
    sender = project.send("sends", way)
    sent = project.expect(sender, Status.COMPLETED, "SUCCESS", ["sent"]).result
    assert project.expect_settled(*sent) == [Status.COMPLETED] * len(sent)
    names = {each: project.job(each).sent_by for each in sent}
    if way == "chain":
        assert names == dict(zip(sent, [sender, *sent], strict=False))
    else:
        assert set(names.values()) == {sender}
        assert set(sent_by(project, sender)) == set(sent)
    assert {project.job(each).sent_from for each in sent} == {None}


@pytest.mark.parametrize("by", ["task", "group", "chord", "chain"])
def test_a_task_that_is_replaced_keeps_its_lineage(project, sig, by):
    result = chain(sig("ok", by), sig("replaced"), sig("collect", "label")).apply_async()
    first, replaced = result.parent.parent.id, result.parent.id
    project.expect(result.id, Status.COMPLETED, "SUCCESS", RAN)
    assert lineage(project, replaced) == {"sent_by": first, "next_id": result.id}
    assert lineage(project, result.id) == {"sent_by": replaced}
    in_its_place = {"group": 2, "chord": 2, "chain": 1, "task": 0}[by]
    subs = project.subs(replaced)
    assert [lineage(project, sub) for sub in subs] == [{"parent_id": replaced, "sent_by": replaced}] * len(subs)
    assert len({*sent_by(project, replaced)} - {result.id}) == in_its_place


def test_a_task_that_is_retried_keeps_its_lineage(project, sig):
    result = chain(sig("ok", 1), sig("flaky")).apply_async()
    did = ["began attempt 0", "began attempt 1", "returned"]
    project.expect(result.id, Status.COMPLETED, "SUCCESS", did)
    assert lineage(project, result.id) == {"sent_by": result.parent.id}


def test_a_job_in_a_new_run_keeps_its_sender_and_sends_as_itself(project, sig):
    gate = f"{project.name}-runs-again"
    result = chain(sig("ok", gate), project.app.signature("sends_then_fails")).apply_async()
    project.expect(result.id, Status.FAILED, "FAILURE", [])
    project.diary.open_gate(gate)
    project.jobs.retry(result.id)
    job = project.expect(result.id, Status.COMPLETED, "SUCCESS", [])
    assert (job.run, job.sent_by) == (2, result.parent.id)
    assert len(sent_by(project, result.id)) == 2
    assert job.result in sent_by(project, result.id)
