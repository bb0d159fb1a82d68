"""Executions that were lost: counted, until the job is not started any more."""

import time
from dataclasses import replace

import pytest
from billiard.exceptions import WorkerLostError
from support.raw_records import stored
from support.recount import recount
from support.sample_jobs import a_worker, begin, create_in, create_parent, kept, new_job

from jobtracker import Status, tracked
from jobtracker.core.lifecycle import Event, OnLost, Outcome
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.schemas.history import Step
from jobtracker.schemas.job_types import JobType
from jobtracker.store.keys import LET_GO, PROCESS_GONE
from jobtracker.store.leases import Leases
from jobtracker.store.schema import JobRecord

pytestmark = pytest.mark.thorough


@pytest.fixture
def long_ago_ms():
    return time.time_ns() // 1_000_000 - 60_000


@pytest.fixture
def store(own_project):
    return own_project.tracking.store


@pytest.fixture
def runner(own_project):
    return MaintenanceRunner(own_project.tracking)


@pytest.fixture
def leases(own_project):
    return Leases(own_project.client, own_project.keys, lost_s=20)


def begin_again(store, job_id, lease, at_ms, **fields):
    fields = {"lease": lease, "worker": f"{lease}@test", "acks_late": "1", **fields}
    return store.apply(Event.START, job_id, run=1, attempt=0, at_ms=at_ms, fields=fields)


def lose_again_and_again(project, runner, at_ms, leases, **fields):
    """A job that a worker after the other begins and is lost with; returns it as it is after each."""
    job_id = create_in(project.tracking.store, Status.PENDING, at_ms=at_ms, **fields)
    for lease in leases:
        begin_again(project.tracking.store, job_id, lease, at_ms)
        runner.rescuer.rescue_lost()
        yield project.job(job_id)


def test_a_job_is_in_quarantine_after_three_lost_workers(own_project, runner, long_ago_ms):
    *waits, job = lose_again_and_again(own_project, runner, long_ago_ms, "abc")
    assert [(each.status, each.losses) for each in waits] == [(Status.PENDING, 1), (Status.PENDING, 2)]
    assert (job.status, job.deliveries, job.error.type) == (Status.FAILED, 3, "JobQuarantinedError")
    assert job.reason == (
        "its worker or process was lost with it 3 times, at last so: c@test was lost. It is not run again by itself; "
        "retry it once what kills its workers is mended"
    )
    steps = [(entry.step, entry.worker) for entry in own_project.queries.history(job.id)]
    assert [worker for step, worker in steps if step == "requeued"] == ["a@test", "b@test"]
    assert recount(own_project.client, own_project.keys) == []


@pytest.mark.parametrize("most", [1, 2])
def test_how_many_losses_are_borne_is_the_types_own(own_project, runner, long_ago_ms, most):
    own_project.tracking.registry.announce(JobType(name="deadly", task="deadly", max_deliveries=most))
    jobs = lose_again_and_again(own_project, runner, long_ago_ms, "ab", type="deadly")
    assert next(job for job in jobs if job.status is Status.FAILED).deliveries == most


def quarantined(project, runner, at_ms):
    *_, job = lose_again_and_again(project, runner, at_ms, "abc")
    assert job.status is Status.FAILED
    return job.id


def test_a_job_in_quarantine_is_not_started(own_project, store, runner, long_ago_ms):
    job_id = quarantined(own_project, runner, long_ago_ms)
    before = stored(own_project.client, own_project.keys, job_id)
    change = begin_again(store, job_id, "d", long_ago_ms)
    assert (change.outcome, change.after, change.losses) == (Outcome.REFUSED, Status.FAILED, 3)
    assert stored(own_project.client, own_project.keys, job_id) == before


@pytest.mark.parametrize("event", [Event.PROGRESS, Event.COMPLETE, Event.FAIL])
def test_a_worker_that_was_only_cut_off_corrects_the_quarantine(own_project, store, runner, long_ago_ms, event):
    job_id = quarantined(own_project, runner, long_ago_ms)
    assert store.apply(event, job_id, run=1, attempt=0).applied
    assert "inferred" not in stored(own_project.client, own_project.keys, job_id)
    assert recount(own_project.client, own_project.keys) == []


def test_a_retry_by_hand_begins_to_count_anew(own_project, store, runner, long_ago_ms):
    job_id = quarantined(own_project, runner, long_ago_ms)
    assert store.apply(Event.RERUN, job_id).losses == 0
    change = store.apply(Event.START, job_id, run=2, attempt=0)
    assert (change.after, change.losses) == (Status.RUNNING, 0)


def test_a_shutdown_is_not_the_jobs_fault(own_project, store, runner, long_ago_ms):
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms)
    for lease in "abcd":
        begin_again(store, job_id, lease, long_ago_ms)
        assert runner.rescuer.rescue_stopped(lease) == 1
        assert own_project.job(job_id).status is Status.PENDING


def lost_with_a_mark(project, runner, at_ms):
    """A job whose message comes back, whose cancel was asked for, and whose worker was lost."""
    store = project.tracking.store
    job_id = create_in(store, Status.PENDING, at_ms=at_ms)
    begin_again(store, job_id, "a", at_ms)
    store.apply(Event.CANCEL, job_id, fields={"reason": "not needed"})
    assert project.job(job_id).status is Status.RUNNING
    assert runner.rescuer.rescue_lost() == 1
    return job_id


def test_a_marked_job_of_a_lost_worker_is_cancelled_at_once(own_project, runner, long_ago_ms):
    job = own_project.job(lost_with_a_mark(own_project, runner, long_ago_ms))
    assert (job.status, job.reason) == (Status.CANCELLED, "not needed")
    last = own_project.queries.history(job.id)[-1]
    assert (last.step, last.inferred) == (Step.CANCELLED, True)
    assert recount(own_project.client, own_project.keys) == []


def test_a_lost_worker_that_lives_corrects_the_cancel(own_project, store, runner, long_ago_ms):
    job_id = lost_with_a_mark(own_project, runner, long_ago_ms)
    assert store.apply(Event.COMPLETE, job_id, run=1, attempt=0, data={"result": "7"}).applied
    assert (own_project.job(job_id).status, own_project.job(job_id).result) == (Status.COMPLETED, 7)
    assert recount(own_project.client, own_project.keys) == []


def test_the_message_of_a_marked_job_is_refused_when_it_is_back(own_project, store, runner, long_ago_ms):
    job_id = lost_with_a_mark(own_project, runner, long_ago_ms)
    change = begin_again(store, job_id, "b", long_ago_ms + 1)
    assert (change.after, own_project.job(job_id).status) == (Status.CANCELLED, Status.CANCELLED)
    steps = {entry.step: entry for entry in own_project.queries.history(job_id)}
    assert (steps[Step.REFUSED].worker, steps[Step.CANCELLED].inferred) == ("b@test", False)
    assert recount(own_project.client, own_project.keys) == []


def test_a_parent_is_notified_of_the_cancel_of_a_lost_sub_job(own_project, store, runner, long_ago_ms):
    root, (sub,) = create_parent(store, 1)
    begin_again(store, sub, "a", long_ago_ms)
    store.apply(Event.CANCEL, sub)
    runner.rescuer.rescue_lost()
    assert [own_project.job(each).status for each in (sub, root)] == [Status.CANCELLED, Status.FAILED]


def test_workers_that_run_a_job_at_the_same_time_are_not_lost(own_project, store, runner, leases, long_ago_ms):
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms)
    for lease in "abcda":
        leases.renew(a_worker(lease))
        assert begin_again(store, job_id, lease, long_ago_ms).losses == 0
    runner.rescuer.rescue_lost()
    assert own_project.job(job_id).status is Status.RUNNING
    assert store.apply(Event.COMPLETE, job_id, run=1, attempt=0).applied
    assert "displaced" not in stored(own_project.client, own_project.keys, job_id)


def test_a_lease_that_runs_out_during_the_next_delivery_counts_once(own_project, store, runner, leases, long_ago_ms):
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms)
    for lease in "abc":
        leases.renew(a_worker(lease))
    assert [begin_again(store, job_id, lease, long_ago_ms).losses for lease in "abc"] == [0, 0, 0]
    leases.release("a")
    assert begin_again(store, job_id, "c", long_ago_ms).losses == 1  # b may still be at it
    assert begin_again(store, job_id, "c", long_ago_ms).losses == 1
    leases.release("b")
    leases.release("c")
    runner.rescuer.rescue_lost()
    assert own_project.job(job_id).reason.startswith("its worker or process was lost with it 3 times")


def test_a_job_that_its_worker_has_let_go_of_is_lost_once_it_is_settled(
    own_project, store, runner, leases, long_ago_ms
):
    leases.renew(a_worker("a"))
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms)
    for _ in range(4):
        assert begin_again(store, job_id, "a", long_ago_ms).losses == 0
        store.apply(Event.PROGRESS, job_id, run=1, lease="a", fields={"lease": LET_GO})
    runner.rescuer.rescue_lost()
    assert own_project.job(job_id).status is Status.FAILED
    assert own_project.queries.field(job_id, JobRecord.losses) == 1


def test_a_lost_process_counts_in_either_order_of_delivery_and_verdict(
    own_project, store, runner, leases, long_ago_ms
):
    leases.renew(a_worker("a"))
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms)
    for losses in range(3):
        assert begin_again(store, job_id, "a", long_ago_ms).losses == losses
        store.apply(Event.PROGRESS, job_id, run=1, lease="a", fields={"lease": PROCESS_GONE, "reason": "no backend"})
        if losses == 1:
            runner.rescuer.rescue_lost()
            reason = own_project.job(job_id).reason
            assert reason == "a@test let it go (no backend) while it ran the task"  # Celery has acknowledged it
    runner.rescuer.rescue_lost()
    assert own_project.job(job_id).status is Status.FAILED
    assert begin_again(store, job_id, "a", long_ago_ms).losses == 3  # at which its worker does not begin it


def test_a_parent_that_runs_by_its_sub_jobs_has_no_worker_to_be_lost(own_project, store, runner, long_ago_ms):
    parent, _ = create_parent(store, 1)
    store.apply(Event.SUB_START, parent, at_ms=long_ago_ms)
    assert runner.rescuer.rescue_lost() == 0
    assert own_project.job(parent).status is Status.RUNNING


def test_a_chain_goes_on_if_the_worker_before_was_only_cut_off(own_project, store, runner, long_ago_ms):
    following = create_in(store, Status.PENDING, at_ms=long_ago_ms)
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms, next=following)
    begin_again(store, job_id, "a", long_ago_ms, acks_late="")
    runner.rescuer.rescue_lost()
    assert own_project.job(following).status is Status.CANCELLED
    assert store.apply(Event.COMPLETE, job_id, run=1, attempt=0).applied  # and then Celery sends the next one
    assert store.apply(Event.START, following, run=1, attempt=0).after is Status.RUNNING
    assert recount(own_project.client, own_project.keys) == []


def test_the_next_of_a_chain_does_not_begin_after_a_failure(own_project, store):
    following = create_in(store, Status.PENDING)
    job_id = create_in(store, Status.RUNNING, next=following)
    own_project.tracking.propagation.propagate(job_id, store.apply(Event.FAIL, job_id))
    assert store.apply(Event.START, following, run=1, attempt=0).after is Status.CANCELLED


def test_an_attempt_that_celery_retries_is_not_lost(own_project, store, long_ago_ms):
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms)
    begin_again(store, job_id, "a", long_ago_ms)
    change = store.apply(Event.START, job_id, run=1, attempt=1, fields={"lease": "b"})  # overtakes the report of it
    assert (change.after, change.losses) == (Status.RUNNING, 0)


def test_what_is_lost_without_coming_back_is_not_in_quarantine(own_project, store, runner, long_ago_ms):
    job_id = begin(store, "a", long_ago_ms)
    runner.rescuer.rescue_lost()
    assert own_project.job(job_id).error.type == "WorkerLost"
    assert begin_again(store, job_id, "b", long_ago_ms).after is Status.RUNNING


@pytest.mark.parametrize("wrong", [{"max_deliveries": 0}, {"on_lost": "ignore"}])
def test_what_makes_no_sense_is_refused_when_it_is_declared(wrong):
    with pytest.raises(ValueError, match=r"max_deliveries is 1 or more|'ignore' is not a valid OnLost"):
        tracked(**wrong)


def test_workers_announce_what_their_types_bear(own_project):
    own_project.announce()
    types = own_project.tracking.registry.all(fresh=True)
    assert (types["deadly"].on_lost, types["deadly"].max_deliveries) == ("fail", 2)
    assert (types["ok"].on_lost, types["ok"].max_deliveries) == ("fail", 3)


# -- what is to run again -------------------------------------------------------------------------------------------


@pytest.fixture
def rerun_type(own_project):
    own_project.tracking.registry.announce(
        JobType(name="fragile", task="ok", on_lost=OnLost.RERUN, max_deliveries=2, queue=own_project.queue)
    )
    return {"type": "fragile", "task": "ok"}


def test_a_lost_job_runs_again_and_late_reports_do_not_count(own_project, store, runner, rerun_type, long_ago_ms):
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms, **rerun_type)
    begin_again(store, job_id, "a", long_ago_ms, acks_late="")
    assert runner.rescuer.rescue_lost() == 1
    job = own_project.job(job_id)
    assert (job.status, job.run) == (Status.PENDING, 2)
    assert job.reason == "a@test was lost while it ran the task; it runs again"
    assert store.apply(Event.COMPLETE, job_id, run=1, attempt=0).outcome is Outcome.STALE
    with own_project.worker():
        own_project.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    steps = [entry.step for entry in own_project.queries.history(job_id)]
    assert steps == ["created", "queued", "started", "relaunched", "queued", "started", "completed"]


def test_a_job_runs_again_as_often_as_its_type_bears(own_project, store, runner, rerun_type, long_ago_ms):
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms, **rerun_type)
    for run in (1, 2):
        store.apply(Event.START, job_id, run=run, attempt=0, at_ms=long_ago_ms, fields={"lease": f"w{run}"})
        runner.rescuer.rescue_lost()
    job = own_project.job(job_id)
    assert (job.status, job.run, job.error.type) == (Status.FAILED, 2, "JobQuarantinedError")


def test_a_job_whose_arguments_are_not_stored_can_not_run_again(own_project, store, runner, rerun_type, long_ago_ms):
    job = new_job(type="fragile", task="ok", run=1, queued=long_ago_ms)
    store.create(replace(job, data={"arguments_repr": "(1,) {}"}), at_ms=long_ago_ms)
    begin_again(store, job.id, "a", long_ago_ms, acks_late="")
    runner.rescuer.rescue_lost()
    lost = own_project.job(job.id)
    assert (lost.status, lost.error.type) == (Status.FAILED, "WorkerLost")
    assert lost.reason.endswith(
        'it can\'t run again: declare its task ok with @tracked(store_arguments="full"), or set STORE_ARGUMENTS=full'
    )


def test_a_lost_job_with_a_next_in_its_chain_does_not_run_alone(own_project, store, runner, rerun_type, long_ago_ms):
    following = create_in(store, Status.PENDING, at_ms=long_ago_ms)
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms, next=following, **rerun_type)
    begin_again(store, job_id, "a", long_ago_ms, acks_late="")
    runner.rescuer.rescue_lost()
    assert [own_project.job(each).status for each in (job_id, following)] == [Status.FAILED, Status.CANCELLED]
    assert f"it can't run again: in its chain {following} waits for it" in own_project.job(job_id).reason


@pytest.mark.parametrize("lease", [None, "dead", "alive"])
def test_a_job_runs_again_if_only_celery_knows_of_its_lost_process(
    own_project, store, runner, leases, rerun_type, long_ago_ms, lease
):
    leases.renew(a_worker("alive"))
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms, **rerun_type)
    if lease:  # else nobody could report that it began
        begin_again(store, job_id, lease, long_ago_ms, acks_late="1")
    error = WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL) Job: 7.")
    kept(own_project, job_id, error, "FAILURE")
    assert runner.rescuer.rescue_lost() + runner.overdue.settle_finished() == 1
    job = own_project.job(job_id)
    reason = "its process was lost: signal 9 (SIGKILL) while it ran the task; it runs again"
    assert (job.status, job.run, job.deliveries, job.reason) == (Status.PENDING, 2, 1, reason)
    assert own_project.queries.field(job_id, JobRecord.losses) == 1
    assert recount(own_project.client, own_project.keys) == []


@pytest.mark.parametrize("is_done", [False, True])
def test_the_failure_of_a_job_is_not_that_of_the_next_of_its_chain(
    own_project, store, runner, rerun_type, long_ago_ms, is_done
):
    before = create_in(store, Status.COMPLETED if is_done else Status.RUNNING, at_ms=long_ago_ms)
    job = new_job(**rerun_type, run=1, sent_by=before)  # announced, and not sent as far as is known
    store.create(job, at_ms=long_ago_ms)
    kept(own_project, job.id, ValueError("no ink"), "FAILURE")
    runner.overdue.settle_finished()
    assert own_project.job(job.id).status is (Status.FAILED if is_done else Status.PENDING)


def test_a_worker_that_stops_leaves_it_to_others_to_run_a_job_again(
    own_project, store, runner, rerun_type, long_ago_ms
):
    job_id = create_in(store, Status.PENDING, at_ms=long_ago_ms, **rerun_type)
    begin_again(store, job_id, "a", long_ago_ms, acks_late="")
    assert runner.rescuer.rescue_stopped("a") == 0
    assert own_project.job(job_id).status is Status.RUNNING
