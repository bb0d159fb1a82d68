"""New runs of jobs that have not settled: their message, or the worker that ran them, is gone."""

from datetime import UTC, datetime, timedelta

import pytest
from support.sample_jobs import create_parent, new_job
from support.workers_under_test import eventually, job

from jobtracker import IllegalTransitionError, Status
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.jobs.resend_policy import resending_of
from jobtracker.schemas.sending import Sending

RAN = ["began", "returned"]
GONE = "its message is gone"


@pytest.fixture
def relauncher(project):
    return project.tracking.relauncher


def without_message(project, *job_ids):
    """Jobs that are recorded as sent, and were not."""
    project.tracking.store.apply_many(Event.ENQUEUE, {each: {"queue": project.queue} for each in job_ids})


def test_a_job_without_a_message_runs_once_it_is_relaunched(project, relauncher):
    job_id = project.create("ok", {"value": 7})
    without_message(project, job_id)
    assert relauncher.relaunch(job_id, run=1, reason=GONE).applied
    done = project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.run, done.result, done.reason) == (2, 7, None)
    found = project.queries.history(job_id)
    assert [str(each.step) for each in found] == [
        *["created", "queued", "relaunched", "queued", "started", "completed"]
    ]
    assert (found[2].run, found[2].reason, found[3].run) == (1, GONE, 2)


def test_the_message_of_the_run_before_is_refused_when_it_turns_up(single):
    blocker = single.send("hold", "relaunch")
    single.expect(blocker, Status.RUNNING, "STARTED", RAN[:1])
    job_id = single.launch("ok")
    single.tracking.relauncher.relaunch(job_id, run=1, reason=GONE)
    single.diary.open_gate("relaunch")
    single.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert single.did(job_id, run=1) == []
    steps = [(each.step, each.run) for each in single.queries.history(job_id)]
    assert ("refused", 1) in steps


def test_a_job_is_relaunched_once(project, relauncher, other_queue):
    job_id = project.create("ok")
    project.tracking.store.apply(Event.ENQUEUE, job_id)
    project.tracking.store.update(job_id, fields={"queue": other_queue})
    assert relauncher.relaunch(job_id, run=1, reason=GONE).applied
    assert relauncher.relaunch(job_id, run=1, reason=GONE).outcome is Outcome.STALE
    assert project.job(job_id).run == 2


def test_a_job_that_another_worker_has_taken_on_is_not_relaunched(project, relauncher):
    job_id = project.create("ok")
    without_message(project, job_id)
    project.tracking.store.apply(Event.START, job_id, run=1, attempt=0, fields={"lease": "second"})
    assert relauncher.relaunch(job_id, run=1, reason=GONE, lease="first").outcome is Outcome.STALE
    assert relauncher.relaunch(job_id, run=1, reason=GONE, lease="second").applied
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)


def test_a_job_whose_cancel_was_asked_for_is_cancelled_instead(project, relauncher):
    root = project.create("collect", sub_jobs=[job("ok")])
    (sub,) = project.subs(root)
    without_message(project, root, sub)
    project.tracking.store.apply(Event.START, sub, run=1, attempt=0, fields={"lease": "dead"})
    project.tracking.store.apply(Event.CANCEL, sub, fields={"reason": "changed my mind"})
    assert relauncher.relaunch(sub, run=1, reason=GONE).after is Status.CANCELLED
    assert (project.job(sub).run, project.job(sub).reason) == (1, "changed my mind")
    assert project.job(root).status is Status.FAILED


def test_a_parent_gets_all_results_after_a_sub_job_is_relaunched(project, relauncher):
    inner = job("collect", sub_jobs=[job("ok", {"value": 1}), job("ok", {"value": 2})])
    root = project.create("collect", sub_jobs=[inner, job("ok", {"value": 3})])
    without_message(project, *project.queries.families(root))
    for each, subs in project.queries.families(root).items():
        if not subs:
            relauncher.relaunch(each, run=1, reason=GONE)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [[1, 2], 3]


def test_a_relaunched_parent_of_completed_sub_jobs_is_called(project, relauncher):
    root = project.create("collect", sub_jobs=[job("ok", {"value": 1})])
    (sub,) = project.subs(root)
    without_message(project, root, sub)
    store = project.tracking.store
    project.tracking.propagation.propagate(sub, store.apply(Event.COMPLETE, sub, run=1, data={"result": "7"}))
    store.apply(Event.START, root, run=1, attempt=0, fields={"lease": "dead"})
    relauncher.relaunch(root, run=1, reason=GONE, lease="dead")
    done = project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.result, done.run) == ([7], 2)


@pytest.mark.parametrize(("data", "gone"), [({"result": "1"}, "Arguments are not stored"), ({}, "The result of job")])
def test_a_body_that_we_cannot_call_has_failed_until_celery_calls_it(own_project, data, gone):
    tracking = own_project.tracking
    parent, [sub] = create_parent(tracking.store, 1, name=f"{own_project.name}-parent", replaced="1")
    tracking.store.update(parent, fields={"callback_mode": "own"})
    change = tracking.store.apply(Event.COMPLETE, sub, run=1, data=data)
    tracking.propagation.propagate(sub, change)
    failed = own_project.job(parent)
    assert (failed.status, own_project.queries.history(parent)[-1].inferred) == (Status.FAILED, True)
    assert gone in failed.reason
    execution = f"{now_ms()}-worker-a"
    assert tracking.store.apply(Event.START, parent, run=1, attempt=0, execution=execution).applied
    assert (own_project.job(parent).status, own_project.job(parent).reason) == (Status.RUNNING, None)


@pytest.mark.parametrize(
    ("outer", "inner", "why_not"),
    [
        (None, None, "Celery code has built the chord"),
        (None, "called", "would not count it"),
        ("own", "called", None),
    ],
)
def test_a_body_that_we_called_is_resent_though_celery_built_its_chord(own_project, outer, inner, why_not):
    tracking, name = own_project.tracking, own_project.name
    create_parent(
        tracking.store, 1, name=f"{name}-inner", parent=f"{name}-outer", **({"callback_mode": inner} if inner else {})
    )
    whole = new_job(f"{name}-outer", subs=[f"{name}-inner"], **({"callback_mode": outer} if outer else {}))
    tracking.store.create(whole)
    [loaded] = tracking.queries.load([f"{name}-inner"])
    found = resending_of(tracking.relauncher, *loaded).why_not
    assert (why_not in found) if why_not else found is None


def test_a_job_that_is_relaunched_before_it_has_begun_keeps_its_times_and_its_queue(own_project):
    own_project.announce()
    ahead = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    later = job("ok", eta=ahead, expires=ahead + timedelta(hours=1), queue="mail")
    job_id = own_project.jobs.submit(later)
    assert own_project.tracking.relauncher.relaunch(job_id, run=1, reason=GONE).applied
    again = own_project.job(job_id)
    assert (again.run, again.queue, again.not_before) == (2, "mail", ahead)
    assert again.expires_at == again.not_before + timedelta(hours=1)
    own_project.jobs.cancel(job_id)
    own_project.jobs.retry(job_id)  # somebody asks for it: it runs now
    again = own_project.job(job_id)
    assert (again.run, again.queue, again.not_before, again.expires_at) == (3, "mail", None, None)


def test_a_job_that_has_expired_before_it_was_started_is_not_started(own_project):
    own_project.announce()
    job_id = own_project.create("ok", expires=datetime.now(UTC) + timedelta(seconds=0.3))
    eventually(lambda: datetime.now(UTC) > own_project.job(job_id).expires_at)
    with pytest.raises(IllegalTransitionError, match="it expired at"):
        own_project.jobs.start(job_id)
    own_project.jobs.start(job_id, Sending(expires=60))
    assert own_project.job(job_id).run == 1
