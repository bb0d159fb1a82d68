"""Tasks whose process or whose worker is lost: who reports them, and when."""

import functools
import signal
from datetime import timedelta

import pytest
from celery import chain, chord
from support.workers_under_test import (
    BROKERS,
    broker_settings,
    eventually,
    every_broker,
    every_broker_but_quorum,
    new_project,
)

from jobtracker import Status
from jobtracker.core.lifecycle import Event
from jobtracker.instrumentation.current_job import JobQuarantinedError
from jobtracker.schemas.history import Step
from jobtracker.store.keys import PROCESS_GONE
from jobtracker.store.schema import JobRecord

pytestmark = [pytest.mark.long, pytest.mark.thorough]


@every_broker
def test_a_task_that_passes_its_hard_time_limit_is_a_failure(project):
    job_id = project.send("hold", "never opened", time_limit=0.3)
    assert project.expect(job_id, Status.FAILED, "FAILURE", ["began"]).error.type == "TimeLimitExceeded"


@every_broker
def test_a_task_is_delivered_again_where_its_hard_time_limit_requeues_it(project):
    job = project.expect(project.send("late_once"), Status.COMPLETED, "SUCCESS", ["began", "began", "returned"])
    assert (job.attempt, job.deliveries, job.error) == (0, 2, None)


@every_broker
@pytest.mark.parametrize("how", ["SIGKILL", "_exit", "sys.exit"])
def test_a_task_whose_process_ends_is_a_failure(project, how):
    job = project.expect(project.send("lost", how), Status.FAILED, "FAILURE", ["began"])
    assert job.error.type == "WorkerLostError"
    assert not project.queries.history(job.id)[-1].inferred
    # Its message was acknowledged, but a broker that dies just then may not know: it would run again.
    assert project.queries.field(job.id, JobRecord.inferred) == Event.FAIL


def test_a_task_is_released_where_celery_can_not_store_its_lost_process(project):
    job_id = project.send("lost_untold")
    eventually(lambda: project.queries.field(job_id, JobRecord.lease) == PROCESS_GONE)
    assert "the result can't be stored" in project.expect(job_id, Status.RUNNING, "STARTED", ["began"]).reason


@every_broker
def test_a_task_with_reject_on_worker_lost_is_delivered_again(project):
    job_id = project.send("lost_once_rejected")
    job = project.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", "began", "returned"])
    assert (job.attempt, job.deliveries, job.result) == (0, 2, "second delivery")
    first, second = (e.at for e in project.queries.history(job_id) if e.step is Step.STARTED)
    assert first < second
    assert abs(job.started_at - second) < timedelta(milliseconds=100)


@every_broker
@pytest.mark.parametrize("how", ["SIGKILL", "sys.exit"])
def test_a_task_that_always_loses_its_process_is_not_delivered_for_ever(project, how):
    job_id = project.send("deadly", how)
    job = project.expect(job_id, Status.FAILED, "FAILURE", ["began", "began"])
    assert (job.deliveries, job.error.type) == (2, "JobQuarantinedError")
    assert job.reason.startswith("its worker or process was lost with it 2 times, at last so: its process was lost: ")
    assert "retry it once what kills its workers is mended" in job.reason
    with pytest.raises(JobQuarantinedError, match="lost with it 2 times"):
        project.app.AsyncResult(job_id).get(timeout=10)


def test_a_chord_learns_that_a_task_of_its_header_is_not_started_any_more(project):
    root = project.chord([project.signature("ok", 1), project.signature("deadly")], project.signature("collect"))
    job = project.expect(root, Status.FAILED, "FAILURE", [])
    assert "lost with it 2 times" in job.error.message


@every_broker
@pytest.mark.parametrize("how", ["SIGKILL", "sys.exit"])
def test_a_job_whose_type_says_rerun_runs_again_when_its_process_is_lost(project, how):
    job_id = project.send("lost_once_rerun", how)
    job = project.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    assert (job.run, job.deliveries, job.result) == (2, 2, "second run")
    assert (project.did(job_id), project.state(job_id)) == (["began"], "FAILURE")
    [entry] = [entry for entry in project.queries.history(job_id) if entry.step == "relaunched"]
    assert entry.reason.startswith("its process was lost: ")
    assert entry.reason.endswith(" while it ran the task; it runs again")


def test_a_job_runs_again_at_most_max_deliveries_times(project):
    job = project.expect(project.send("deadly_rerun"), Status.FAILED, "FAILURE", ["began"])
    assert (job.run, job.deliveries, job.error.type) == (2, 2, "JobQuarantinedError")


def test_a_chord_ends_well_where_a_task_of_its_header_runs_again(project):
    header = [project.signature("lost_once_rerun", "SIGKILL"), project.signature("ok", 1)]
    root = project.chord(header, project.signature("collect"))
    job = project.expect(root, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    assert job.result == ["second run", 1]


def test_what_follows_a_chord_goes_on_where_its_body_is_called_by_us(project):
    header = [project.signature("lost_once_rerun", "SIGKILL"), project.signature("ok", 1)]
    body = chord(header, project.signature("collect"), app=project.app)
    result = chain(body, project.signature("collect", "a"), project.signature("ok")).apply_async()
    job = project.expect(result.id, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    assert (job.result, job.run) == ({"label": "a", "results": ["second run", 1]}, 1)


def test_a_chain_behind_a_body_that_we_call_is_cancelled_where_not_stored(project):
    header = [project.signature("lost_once_rerun", "SIGKILL"), project.signature("ok", 1)]
    body = chord(header, project.signature("collect"), app=project.app)
    result = chain(body, project.signature("add", 1), project.signature("ok")).apply_async()
    following, root = result.parent.id, result.parent.parent.id
    project.expect(root, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    for each, before in ((following, root), (result.id, following)):
        job = project.expect_status(each, Status.CANCELLED)
        assert f"the job before it in its chain, {before}, " in job.reason
        assert project.did(each) == []


@every_broker_but_quorum
def test_a_task_with_retry_on_worker_lost_gets_another_attempt(project):
    job_id = project.send("lost_once_retried")
    did = ["began attempt 0", "began attempt 1", "returned"]
    job = project.expect(job_id, Status.COMPLETED, "SUCCESS", did)
    assert (job.attempt, job.deliveries, job.result) == (1, 2, "second attempt")


# -- whole workers --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=BROKERS)
def survivor(redis_server, rabbitmq, worker_log_dir, request):
    """A project where one worker lives all the time, and consumes what it is told to."""
    visibility = {
        "visibility_timeout": 2,
        "unacked_restore_interval": 0.2,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 1,  # a worker that is killed may hold it
    }
    with (
        new_project(
            redis_server,
            worker_log_dir,
            conf={"broker_transport_options": visibility},
            lease_lost_s=1,
            lease_renew_s=0.2,
            maintenance_interval_s=0.2,
            **broker_settings(request.param, rabbitmq),
        ) as project,
        project.worker("survivor"),
    ):
        yield project


@pytest.fixture
def victim(survivor, request):
    """Another worker, on a queue of the test's own."""
    queue = f"{survivor.name}-{request.node.name}"
    with survivor.worker("victim", queues=[queue]) as worker:
        yield worker


def running(project, task, queue):
    """A task that runs, and the name of the gate that it waits at."""
    gate = f"{task}-{queue}"
    job_id = project.send(task, gate, queue=queue)
    project.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    return job_id, gate


def test_a_warm_shutdown_waits_for_what_runs_and_gives_the_lease_back(survivor, victim):
    job_id, gate = running(survivor, "hold", *victim.lease.queues)
    victim.signal(signal.SIGTERM)
    eventually(lambda: "Warm shutdown" in victim.process.log_tail())
    survivor.diary.open_gate(gate)
    victim.wait_for_exit()
    survivor.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", "returned"])
    assert victim.lease.name not in [lease.name for lease in survivor.leases.live()]


def test_a_cold_shutdown_fails_acknowledged_tasks_and_requeues_the_others(survivor, victim):
    (queue,) = victim.lease.queues
    early, early_gate = running(survivor, "hold", queue)
    late, gate = running(survivor, "hold_late", queue)
    victim.signal(signal.SIGQUIT)
    victim.wait_for_exit()
    # Celery says for ever that it will retry, though it has published nothing.
    job = survivor.expect(early, Status.FAILED, "RETRY", ["began"])
    assert (job.error.type, job.reason) == (
        "WorkerShutdown",
        "WorkerShutdown: its worker shut down while the task ran, and its message was acknowledged before",
    )
    assert "will" in survivor.expect(late, Status.PENDING, "STARTED", ["began"]).reason
    survivor.diary.open_gate(gate)
    survivor.consume(queue)
    job = survivor.expect(late, Status.COMPLETED, "SUCCESS", ["began", "began", "returned"])
    assert (job.deliveries, job.reason) == (2, None)
    # The task may have asked for a retry, and have sent itself again, just before its process was killed.
    survivor.diary.open_gate(early_gate)
    again = survivor.signature("hold", early_gate, 0).set(task_id=early, retries=1)
    again.apply_async()
    survivor.expect(early, Status.COMPLETED, "SUCCESS", ["began", "began", "returned"])


@pytest.mark.parametrize("signals", [[signal.SIGQUIT], [signal.SIGTERM, signal.SIGQUIT]])
def test_a_worker_that_can_not_wait_says_what_it_gives_back_before_it_ends(survivor, victim, signals):
    (queue,) = victim.lease.queues
    late, _ = running(survivor, "hold_late", queue)
    for number in signals:
        victim.signal(number)
    victim.wait_for_exit()
    account = survivor.job(late)
    reason = f"{victim.lease.name} has shut down; the broker will deliver the message again"
    assert (account.status, account.reason) == (Status.PENDING, reason)
    assert victim.lease.incarnation not in [lease.incarnation for lease in survivor.leases.live()]


def test_a_killed_worker_fails_acknowledged_tasks_and_the_rest_comes_back(survivor, victim):
    (queue,) = victim.lease.queues
    header = [survivor.signature("hold", "never opened", queue=queue), survivor.signature("ok")]
    parent = survivor.chord(header, survivor.signature("collect"))
    early = survivor.subs(parent)[0]
    survivor.expect(early, Status.RUNNING, "STARTED", ["began"])
    late, gate = running(survivor, "hold_late", queue)
    victim.kill()
    job = survivor.expect(early, Status.FAILED, "STARTED", ["began"])
    assert (job.error.type, job.reason) == ("WorkerLost", f"{victim.lease.name} was lost while it ran the task")
    survivor.expect(parent, Status.FAILED, "PENDING", [])  # Celery waits for its sub-job for ever
    job = survivor.expect(late, Status.PENDING, "STARTED", ["began"])
    assert job.reason == f"{victim.lease.name} was lost; the broker will deliver the message again"
    survivor.diary.open_gate(gate)
    survivor.consume(queue)
    job = survivor.expect(late, Status.COMPLETED, "SUCCESS", ["began", "began", "returned"])
    assert (job.deliveries, job.reason) == (2, None)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGQUIT])
def test_a_job_of_a_type_that_is_to_run_again_does_when_its_worker_is_gone(survivor, victim, end):
    (queue,) = victim.lease.queues
    job_id, gate = running(survivor, "hold_rerun", queue)
    victim.kill() if end is signal.SIGKILL else victim.signal(end)
    again = survivor.expect(job_id, Status.PENDING, "PENDING", [])
    assert (again.run, again.reason) == (2, f"{victim.lease.name} was lost while it ran the task; it runs again")
    survivor.diary.open_gate(gate)
    survivor.consume(queue)
    assert survivor.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", "returned"]).result == gate


def test_a_task_that_kills_its_workers_is_not_delivered_for_ever(survivor, request):
    queue = f"{survivor.name}-{request.node.name}"
    job_id = survivor.send("deadly_late", queue=queue)
    for expected in (
        (Status.PENDING, "STARTED", ["began"]),
        (Status.FAILED, "STARTED", ["began", "began"]),
    ):
        with survivor.worker("victim", queues=[queue]) as victim:
            victim.wait_for_exit()
            eventually(functools.partial(lambda wanted: survivor.account(job_id) == wanted, expected))
    assert survivor.job(job_id).error.type == "JobQuarantinedError"
    survivor.consume(queue)  # the message comes back all the same
    job = survivor.expect(job_id, Status.FAILED, "FAILURE", ["began", "began"])
    assert job.deliveries == 2
    assert f"2 times, at last so: {victim.lease.name} was lost." in job.reason


@pytest.mark.parametrize("survivor", ["redis"], indirect=True, scope="module")  # RabbitMQ waits for the connection
def test_a_task_that_is_delivered_again_while_it_runs_is_completed_once(survivor, request):
    queue = f"{survivor.name}-{request.node.name}"
    survivor.consume(queue)
    job_id, gate = running(survivor, "hold_late", queue)
    survivor.expect(job_id, Status.RUNNING, "STARTED", ["began", "began"])
    survivor.diary.open_gate(gate)
    job = survivor.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", "began", "returned", "returned"])
    assert (job.attempt, job.deliveries) == (0, 2)
