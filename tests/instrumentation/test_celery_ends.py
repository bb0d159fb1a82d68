"""The ways a task can end while its worker lives: the tracker, Celery's result and the task itself must agree."""

import pytest
from support.workers_under_test import (
    BROKERS,
    every_broker,
    every_pool_and_broker,
    every_pool_and_broker_but_quorum,
)

from jobtracker import Status
from jobtracker.core.lifecycle import Event
from jobtracker.store.schema import JobRecord

pytestmark = pytest.mark.long


@every_pool_and_broker
def test_a_task_that_returns_is_completed_with_its_result(pooled):
    job_id = pooled.send("ok", {"pages": 3})
    job = pooled.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    assert job.result == {"pages": 3}
    assert (job.run, job.attempt, job.deliveries, job.error) == (1, 0, 1, None)
    assert job.created_at <= job.started_at <= job.finished_at


@every_pool_and_broker
def test_a_task_that_raises_is_failed_with_type_message_and_traceback(pooled):
    job = pooled.expect(pooled.send("fail", "no ink"), Status.FAILED, "FAILURE", ["began"])
    assert (job.error.type, job.error.message, job.reason) == ("ValueError", "no ink", "ValueError: no ink")
    assert "outcomes.py" in job.error.traceback


def test_an_error_whose_own_text_can_not_be_told_is_a_failure(project):
    job = project.expect(project.send("fail_untold"), Status.FAILED, "FAILURE", ["began"])
    assert job.reason == "UntoldError: its text can't be told: RuntimeError"


@every_broker
def test_a_soft_time_limit_is_a_failure(project):
    job_id = project.send("hold", "never opened", soft_time_limit=0.3)
    assert project.expect(job_id, Status.FAILED, "FAILURE", ["began"]).error.type == "SoftTimeLimitExceeded"


@every_pool_and_broker
def test_wrong_arguments_are_a_failure_of_a_task_that_never_began(pooled):
    job_id = pooled.app.send_task("ok", args=[1, 2, 3])
    assert pooled.expect(job_id.id, Status.FAILED, "FAILURE", []).error.type == "TypeError"


@every_pool_and_broker
def test_a_result_that_can_not_be_serialised_fails_its_task(pooled):
    job = pooled.expect(pooled.send("unserialisable"), Status.FAILED, "FAILURE", ["began", "returned"])
    assert job.error.type == "EncodeError"


@every_broker
def test_a_task_completes_though_celery_can_not_store_its_result(project):
    job = project.expect(project.send("unstorable"), Status.COMPLETED, "FAILURE", ["began", "returned"])
    assert job.result == "lost"
    told = "its result could not be stored in Celery's result backend: OSError: the result can't be stored"
    assert (job.reason, job.error) == (told, None)


def test_a_task_has_completed_where_celery_can_store_no_end_of_it(project):
    job_id = project.send("untellable")
    project.expect(job_id, Status.COMPLETED, "STARTED", ["began", "returned"])


@pytest.mark.parametrize("task", ["broken_behind", "away_behind"])
def test_a_task_whose_success_was_stored_is_completed_though_celery_failed(project, task):
    job = project.expect(project.send(task), Status.COMPLETED, "SUCCESS", ["began", "returned"])
    assert job.result == 7


def test_a_result_that_the_task_keeps_to_itself_is_not_stored(project):
    job = project.expect(project.send("secret", "xyzzy"), Status.COMPLETED, "SUCCESS", ["began", "returned"])
    assert job.result is None
    assert "xyzzy" not in job.model_dump_json(exclude={"arguments_repr"})


@every_pool_and_broker_but_quorum
def test_a_retry_shows_its_reason_and_its_next_time_and_ends_in_success(pooled):
    job_id = pooled.send("flaky", 1, 0.7)
    waiting = pooled.expect(job_id, Status.RETRYING, "RETRY", ["began attempt 0"])
    assert waiting.reason == "ConnectionError: not yet"
    assert 0.4 < (waiting.not_before - waiting.status_changed_at).total_seconds() < 0.8
    job = pooled.expect(job_id, Status.COMPLETED, "SUCCESS", ["began attempt 0", "began attempt 1", "returned"])
    assert (job.attempt, job.deliveries, job.reason, job.not_before) == (1, 2, None, None)


@every_pool_and_broker_but_quorum
def test_retries_that_are_exhausted_are_a_failure(pooled):
    job = pooled.expect(pooled.send("never"), Status.FAILED, "FAILURE", ["began attempt 0", "began attempt 1"])
    assert (job.attempt, job.error.type, job.error.message) == (1, "ConnectionError", "never")


@every_pool_and_broker
def test_ignore_is_an_end_without_an_outcome(pooled):
    job = pooled.expect(pooled.send("ignored"), Status.CANCELLED, "STARTED", ["began"])
    assert job.reason == "the task raised Ignore"


def test_ignore_is_an_end_where_no_backend_keeps_results_too(project):
    job = project.expect(project.send("ignored_without_backend"), Status.CANCELLED, "PENDING", ["began"])
    assert job.reason == "the task raised Ignore"


@pytest.mark.parametrize(("state", "status"), [("SUCCESS", Status.COMPLETED), ("FAILURE", Status.FAILED)])
def test_ignore_after_a_task_stored_its_own_outcome_is_that_outcome(pooled, state, status):
    job = pooled.expect(pooled.send("ignored_with_outcome", state), status, state, ["began"])
    assert "by hand" in (job.result if state == "SUCCESS" else job.error.message)


@every_pool_and_broker
def test_a_message_that_its_task_rejects_is_a_failure(pooled):
    job = pooled.expect(pooled.send("rejected", False), Status.FAILED, "FAILURE", ["began"])
    assert job.error.type == "Reject"
    # The broker may die before it gets to know that: it would deliver the message again.
    assert pooled.queries.field(job.id, JobRecord.inferred) == Event.FAIL


@every_pool_and_broker
def test_a_message_that_its_task_gives_back_is_delivered_again(pooled):
    job = pooled.expect(pooled.send("rejected", True), Status.COMPLETED, "SUCCESS", ["began", "began", "returned"])
    assert (job.attempt, job.deliveries, job.reason) == (0, 2, None)


@every_pool_and_broker
def test_a_task_that_no_worker_knows_is_a_failure(pooled):
    job_id = pooled.app.send_task("unheard_of", queue=pooled.queue).id
    job = pooled.expect(job_id, Status.FAILED, "FAILURE", [])
    assert (job.error.type, job.job_type) == ("NotRegistered", "unheard_of")


@every_pool_and_broker
def test_a_message_whose_content_type_is_not_accepted_is_a_failure(pooled):
    job = pooled.expect(pooled.send("ok", serializer="pickle"), Status.FAILED, "PENDING", [])
    assert "pickle" in job.error.message or "content" in job.error.message


@every_pool_and_broker_but_quorum
def test_a_task_that_expires_before_it_starts_is_cancelled(pooled):
    job = pooled.expect(pooled.send("ok", countdown=0.5, expires=0.1), Status.CANCELLED, "REVOKED", [])
    assert job.reason == "it expired before it was started"


@every_broker
def test_a_task_that_is_revoked_before_a_worker_gets_it_is_cancelled(project, other_queue):
    job_id = project.send("ok", queue=other_queue)
    project.expect(job_id, Status.PENDING, "PENDING", [])
    project.revoke(job_id)
    project.consume(other_queue)
    assert project.expect(job_id, Status.CANCELLED, "REVOKED", []).reason == "revoked"


@every_pool_and_broker_but_quorum
def test_a_task_that_is_revoked_before_its_eta_is_cancelled_at_its_eta(pooled):
    job_id = pooled.send("ok", countdown=0.8)
    assert pooled.expect(job_id, Status.PENDING, "PENDING", []).not_before is not None
    pooled.revoke(job_id)
    pooled.expect(job_id, Status.CANCELLED, "REVOKED", [])


@pytest.mark.parametrize("single", BROKERS[:2], indirect=True)
def test_a_revoked_prefetched_task_is_cancelled_when_a_process_is_free(single):
    blocker = single.send("hold", f"{single.name}-blocker")
    waiting = single.send("ok")
    single.expect(blocker, Status.RUNNING, "STARTED", ["began"])
    single.expect_reserved(waiting)
    single.revoke(waiting)
    single.expect(waiting, Status.PENDING, "REVOKED", [])
    single.diary.open_gate(f"{single.name}-blocker")
    single.expect(waiting, Status.CANCELLED, "REVOKED", [])
    single.expect(blocker, Status.COMPLETED, "SUCCESS", ["began", "returned"])


@every_broker
@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL"])
def test_a_running_task_that_is_terminated_is_cancelled(project, signal):
    job_id = project.send("hold", "never opened")
    project.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    project.revoke(job_id, terminate=True, signal=signal)
    project.expect(job_id, Status.CANCELLED, "REVOKED", ["began"])


@every_broker
def test_a_running_task_that_is_revoked_without_terminate_completes(project):
    job_id = project.send("hold", "revoked while running")
    project.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    project.revoke(job_id)
    assert project.job(job_id).status is Status.RUNNING
    project.diary.open_gate("revoked while running")
    project.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", "returned"])


@every_pool_and_broker
@pytest.mark.parametrize(
    ("by", "result", "did"),
    [
        ("task", "in its place", ["began", "returned"]),
        ("group", [0, 1], []),
        ("chord", [0, 1], ["began", "returned"]),
        ("chain", 3, ["began", "returned"]),
    ],
)
def test_a_task_that_is_replaced_goes_on_as_the_same_job(pooled, by, result, did):
    job_id = pooled.send("replaced", by)
    job = pooled.expect(job_id, Status.COMPLETED, "SUCCESS", [f"replaced by {by}", *did])
    assert (job.result, job.run, job.attempt) == (result, 1, 0)
    if by in {"group", "chord"}:
        for value, sub in enumerate(pooled.subs(job_id)):
            assert pooled.expect(sub, Status.COMPLETED, "SUCCESS", ["began", "returned"]).result == value


@every_pool_and_broker
def test_a_task_that_is_replaced_by_tasks_one_of_which_fails_is_failed(pooled):
    job_id = pooled.send("replaced", "failing group")
    job = pooled.expect(job_id, Status.FAILED, "FAILURE", ["replaced by failing group"])
    assert (job.sub_job_counts.completed, job.sub_job_counts.failed) == (2, 1)


def test_a_revoke_that_no_worker_heard_is_lost_but_a_cancel_is_not(own_project):
    own_project.announce()
    revoked = own_project.send("ok")
    own_project.app.control.revoke(revoked)
    cancelled = own_project.launch("ok")
    own_project.jobs.cancel(cancelled)
    own_project.expect(cancelled, Status.CANCELLED, "PENDING", [])
    with own_project.worker():
        own_project.expect(revoked, Status.COMPLETED, "SUCCESS", ["began", "returned"])
        own_project.expect(cancelled, Status.CANCELLED, "REVOKED", [])
