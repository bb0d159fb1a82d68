"""Names and tags that plain Celery calls give their jobs, and which jobs below get the tags."""

import pytest
from celery import chain, chord, group
from support.workers_under_test import new_project

from jobtracker import Status, tagged
from jobtracker.schemas.filters import JobFilter

RAN = ["began", "returned"]


@pytest.fixture
def alone(redis_server, worker_log_dir):
    """A project that only sends: no worker runs."""
    with new_project(redis_server, worker_log_dir) as project:
        yield project


def labels(project, job_id):
    job = project.job(job_id)
    return job.name, job.tags


def test_a_call_in_a_block_gets_its_name_and_tags(alone):
    with tagged("eu", name="Import of Monday"):
        job_id = alone.send("ok")
        other = alone.send("ok", headers={"jobtracker_tags": ["big"], "jobtracker_name": "by header"})
    assert labels(alone, job_id) == ("Import of Monday", ["eu"])
    assert labels(alone, other) == ("by header", ["eu", "big"])
    assert labels(alone, alone.send("ok")) == ("ok", [])
    assert {job.id for job in alone.queries.page(JobFilter(tag="eu")).jobs} == {job_id, other}


def test_each_task_of_a_group_is_named_and_of_a_chord_the_parent(alone):
    sig = alone.signature
    with tagged("eu", name="of the block"):
        members = [each.id for each in group([sig("ok", 1), sig("ok", 2)], app=alone.app).apply_async().children]
        parent = alone.chord([sig("ok", 1), sig("ok", 2).set(headers={"jobtracker_tags": ["big"]})], sig("collect"))
        last = chain(sig("ok", 1), sig("add", 2), app=alone.app).apply_async()
    assert [labels(alone, each) for each in members] == [("of the block", ["eu"])] * 2
    assert labels(alone, parent) == ("of the block", ["eu"])
    assert [labels(alone, each) for each in alone.subs(parent)] == [("ok", ["eu"]), ("ok", ["eu", "big"])]
    assert labels(alone, last.parent.id) == ("of the block", ["eu"])
    assert labels(alone, last.id) == ("add", ["eu"])


def test_of_nested_chords_the_outermost_parent_is_named(alone):
    sig = alone.signature
    inner = chord([sig("ok", 1)], sig("collect"), app=alone.app)
    with tagged(name="all of it"):
        parent = chord([inner, sig("ok", 2)], sig("collect"), app=alone.app).apply_async().id
    (inner_parent, _) = alone.subs(parent)
    assert labels(alone, parent) == ("all of it", [])
    assert labels(alone, inner_parent) == ("collect", [])


@pytest.mark.parametrize("bad", [{"jobtracker_tags": [object()]}, {"jobtracker_name": object()}])
def test_what_can_be_no_label_never_fails_the_send(alone, bad):
    assert labels(alone, alone.send("ok", headers=bad)) == ("ok", [])


def test_jobs_that_a_job_sends_get_its_tags_and_not_its_name(project):
    with tagged("eu", name="the sender"):
        sender = project.send("sends", "chord")
    *subs, parent = project.expect(sender, Status.COMPLETED, "SUCCESS", ["sent"]).result
    project.expect(parent, Status.COMPLETED, "SUCCESS", RAN)
    assert labels(project, sender) == ("the sender", ["eu"])
    assert labels(project, parent) == ("collect", ["eu"])
    assert [labels(project, each) for each in subs] == [("ok", ["eu"])] * 2


def test_a_retry_keeps_name_and_tags_and_hands_the_tags_on(project):
    with tagged("eu", name="again"):
        job_id = project.send("flaky", 2)
    project.expect(job_id, Status.COMPLETED, "SUCCESS", [*(f"began attempt {n}" for n in range(3)), "returned"])
    assert labels(project, job_id) == ("again", ["eu"])


def test_the_tags_of_a_chord_and_a_chain_are_kept_where_workers_send_the_rest(project):
    sig = project.signature
    with tagged("eu", name="tree"):
        parent = project.chord([chain(sig("ok", 1), sig("ok")), sig("ok", 2)], sig("collect"))
        last = chain(sig("ok", 1), sig("add", 2), app=project.app).apply_async().id
    project.expect(parent, Status.COMPLETED, "SUCCESS", RAN)
    project.expect(last, Status.COMPLETED, "SUCCESS", RAN)
    assert labels(project, parent) == ("tree", ["eu"])
    assert labels(project, last) == ("add", ["eu"])
    assert {tuple(project.job(each).tags) for each in project.subs(parent)} == {("eu",)}


def test_a_retry_through_the_api_keeps_them(project):
    name = f"{project.name}-labels"
    with tagged("eu", name="mended"):
        job_id = project.send("mended_and_kept", name)
    project.expect_status(job_id, Status.FAILED)
    stored = project.client.hget(project.keys.of(job_id)("data", job_id), "options")
    assert stored is None  # the record has them: they are not stored twice
    project.diary.open_gate(name)
    project.jobs.retry(job_id)
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert labels(project, job_id) == ("mended", ["eu"])


def test_the_tags_of_an_api_job_are_handed_on(project):
    project.announce()
    sender = project.launch("sends", {"way": "task"}, name="by the API", tags=["us"])
    project.expect(sender, Status.COMPLETED, "SUCCESS", ["sent"])
    (sent,) = project.queries.page(JobFilter(sent_by=sender)).jobs
    assert (sent.name, sent.tags) == ("ok", ["us"])
