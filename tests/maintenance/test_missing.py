"""Jobs whose message is nowhere: they are sent again or, where that can't be, taken for lost."""

import signal
import time
import uuid
import warnings

import pytest
from celery import Celery
from support.sample_jobs import create_in, new_job
from support.workers_under_test import LONG_AGO_MS, age, broker_settings, eventually, job, new_project

from jobtracker import Status
from jobtracker.broker.headers import SENT_HEADER
from jobtracker.broker.message_search import SCAN_LIMIT, locate_messages
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.jobs.relaunch import MOST_RELAUNCHES
from jobtracker.maintenance.missing_messages import MissingMessages
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.store.keys import LET_GO, NOBODY
from jobtracker.store.schema import JobRecord

pytestmark = [pytest.mark.long, pytest.mark.thorough]

RAN = ["began", "returned"]
SOON = {"lease_lost_s": 1, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2}


@pytest.fixture(scope="module", params=["redis", "rabbitmq-classic"])
def reaped(redis_server, rabbitmq, worker_log_dir, request):
    """A project whose worker looks after lost messages soon."""
    with (
        new_project(redis_server, worker_log_dir, **SOON, **broker_settings(request.param, rabbitmq)) as project,
        project.worker(concurrency=2),
    ):
        yield project


@pytest.fixture
def store(reaped):
    return reaped.tracking.store


def recorded(project, task, *, status=Status.PENDING, data=None, **fields):
    """A job of plain Celery code: its message has gone out as far as its record says."""
    job_id = uuid.uuid4().hex
    at_ms = time.time_ns() // 1_000_000
    new = new_job(job_id, task=task, type=task, queue=project.queue, run=1, queued=at_ms, **fields)
    project.tracking.store.create(new.__class__(id=job_id, fields=new.fields, data=data or {}), at_ms=at_ms)
    if status is Status.RETRYING:
        for event in (Event.START, Event.RETRY):
            project.tracking.store.apply(event, job_id, run=1, attempt=0)
    return job_id


def test_a_job_whose_arguments_are_stored_is_sent_again(reaped):
    job_id = recorded(reaped, "ok", data={"args": "[7]", "payload": "{}"})
    done = reaped.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.run, done.result) == (2, 7)


def test_a_job_without_stored_arguments_is_lost_until_its_message_comes(reaped):
    job_id = recorded(reaped, "ok", data={"arguments_repr": "(7) {}"})
    lost = reaped.expect_status(job_id, Status.FAILED)
    assert lost.error.type == "MessageLost"
    assert "neither in queue" in lost.reason
    assert "store_arguments" in lost.reason
    stranger = Celery("stranger", broker=reaped.settings.broker_url)
    stranger.conf.broker_transport_options = reaped.app.conf.broker_transport_options
    stranger.conf.task_queue_max_priority = reaped.app.conf.task_queue_max_priority
    headers = {SENT_HEADER: int(reaped.queries.field(job_id, JobRecord.queued))}
    stranger.send_task("ok", (7,), task_id=job_id, queue=reaped.queue, headers=headers)
    stranger.close()
    assert reaped.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).run == 1


def test_a_job_of_an_api_client_is_resent_after_its_queue_is_purged(reaped, request):
    queue = f"{reaped.name}-{request.node.name}"
    job_id = reaped.create("ok", {"value": 7})
    reaped.tracking.store.update(job_id, fields={"queue": queue})
    run = reaped.tracking.store.apply(Event.ENQUEUE, job_id).run
    reaped.tracking.dispatcher.publish_alone(job_id, run)
    reaped.tracking.store.confirm(job_id)
    with reaped.app.connection_for_write() as connection:
        connection.default_channel.queue_purge(queue)
    eventually(lambda: reaped.job(job_id).status is Status.PENDING)
    reaped.consume(queue)
    done = reaped.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.run, done.result) == (2, 7)


on_redis = pytest.mark.parametrize("reaped", ["redis"], indirect=True, scope="module")  # RabbitMQ makes no difference


@on_redis
def test_a_job_whose_next_attempt_is_nowhere_is_sent_again(reaped):
    job_id = recorded(reaped, "ok", status=Status.RETRYING, data={"args": "[7]", "payload": "{}"})
    assert reaped.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).run == 2


@on_redis
@pytest.mark.parametrize("how", ["link", "link_error"])
def test_a_job_that_others_are_linked_to_is_not_sent_again_without_them(reaped, how):
    queue = f"{reaped.name}-{how}"
    task = reaped.app.tasks["mended_and_kept"]
    job_id = task.apply_async(("gate", 7), queue=queue, **{how: reaped.signature("ok")}).id
    with reaped.app.connection_for_write() as connection:
        connection.default_channel.queue_purge(queue)
    reaped.consume(queue)
    assert "what was to follow it" in reaped.expect_status(job_id, Status.FAILED).reason


@on_redis
def test_a_chord_whose_task_celery_never_calls_is_called_where_it_is_ours(reaped, store):
    root = reaped.create("collect", sub_jobs=[job("ok", {"value": 1}), job("ok", {"value": 2})])
    for each in reaped.queries.families(root):
        store.apply(Event.ENQUEUE, each)
        store.confirm(each)
    for n, sub in enumerate(reaped.subs(root)):
        change = store.apply(Event.COMPLETE, sub, run=1, data={"result": str(n)})
        reaped.tracking.propagation.propagate(sub, change)
    done = reaped.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.run, done.result) == (2, [0, 1])


@on_redis
def test_a_chord_of_celery_code_whose_task_is_never_called_is_lost(reaped):
    gate = uuid.uuid4().hex
    body = reaped.signature("collect")
    parent = reaped.chord([reaped.signature("hold", gate), reaped.signature("ok")], body)
    reaped.expect_status(reaped.subs(parent)[0], Status.RUNNING)
    backend = reaped.app.backend
    group = next(iter(backend.client.scan_iter(match=f"*{reaped.name}:*.s")), None)
    assert group is not None
    backend.client.delete(group)  # the number of tasks that Celery's chord waits for
    reaped.diary.open_gate(gate)
    lost = reaped.expect_status(parent, Status.FAILED)
    assert "Celery has not called its task" in lost.reason
    assert {reaped.job(sub).status for sub in reaped.subs(parent)} == {Status.COMPLETED}


@on_redis
def test_a_job_without_a_recorded_queue_is_looked_for_in_its_types(reaped, monkeypatch):
    monkeypatch.setitem(reaped.app.conf, "task_default_queue", "that of an API")
    long_ago_ms = str(time.time_ns() // 1_000_000 - 60_000)
    about = {"name": "body", "type": "ok", "task": "ok", "priority": "normal"}
    missing = MissingMessages(reaped.tracking)
    found = []
    where = {"status": "pending", "run": "1", "queued": long_ago_ms, "status_changed_at": long_ago_ms}
    record = JobRecord.of(uuid.uuid4().hex, about | where)
    eventually(lambda: found.extend(missing.look([record])) or found)
    assert found[0].job.queue == reaped.queue


@on_redis
def test_a_lost_message_of_a_header_fails_the_parent(reaped, store):
    root, sub, at_ms = uuid.uuid4().hex, uuid.uuid4().hex, time.time_ns() // 1_000_000
    sent = {"queue": reaped.queue, "run": 1, "queued": at_ms}  # the runner looks on: sent from the beginning
    store.create(new_job(sub, parent=root, **sent), new_job(root, subs=[sub], **sent), at_ms=at_ms)
    reaped.expect_status(root, Status.FAILED)
    eventually(lambda: "neither in queue" in reaped.job(root).error.message, lambda: str(reaped.job(root)))
    assert f"Celery's chord of {root}" in reaped.job(sub).reason


@on_redis
def test_a_job_whose_message_is_gone_each_time_is_not_sent_for_ever(reaped, store):
    job_id = recorded(reaped, "ok", data={"args": "[7]", "payload": "{}"})
    for run in range(1, MOST_RELAUNCHES + 1):
        store.apply(Event.RELAUNCH, job_id, run=run)
        store.confirm(f"{job_id}~{run + 1}")
    assert "See who else takes messages" in reaped.expect_status(job_id, Status.FAILED).reason


@on_redis
def test_a_job_that_was_revoked_while_nobody_told_is_cancelled(reaped):
    job_id = recorded(reaped, "ok", data={"args": "[7]", "payload": "{}"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of redis-py, about a command that Celery uses
        reaped.app.backend.store_result(job_id, None, "REVOKED")
    reaped.expect_status(job_id, Status.CANCELLED)


# -- what is not touched --------------------------------------------------------------------------------------------


@pytest.fixture
def look(own_project):
    """Rounds of a runner, as if what is recorded had been there for long."""
    runner = MaintenanceRunner(own_project.tracking)

    def look(rounds):
        done = 0
        for _ in range(rounds):
            runner.overdue.settle_finished()
            done += runner.overdue.rescue_missing()
        return done

    return look


def old_job(project, **fields):
    job_id = create_in(project.tracking.store, Status.PENDING, at_ms=LONG_AGO_MS, queue=project.queue, **fields)
    project.tracking.store.confirm(job_id)
    return job_id


def test_a_message_that_waits_where_nobody_comes_for_it_waits(project, other_queue):
    job_id = project.send("ok", queue=other_queue)
    age(project, job_id)
    runner = MaintenanceRunner(project.tracking)
    for _ in range(3):
        runner.overdue.settle_finished()
        assert runner.overdue.rescue_missing() == 0
    assert project.job(job_id).status is Status.PENDING


def test_nothing_is_known_of_a_queue_that_no_worker_consumes(own_project, look):
    job_id = old_job(own_project)
    assert look(3) == 0
    assert own_project.job(job_id).status is Status.PENDING


def test_a_message_is_missing_after_two_looks_with_all_its_workers(own_project, look):
    old = old_job(own_project, task="ok")
    soon_ms = time.time_ns() // 1_000_000 + 60_000
    young = create_in(own_project.tracking.store, Status.PENDING, queue=own_project.queue, at_ms=soon_ms)
    with own_project.worker("first", maintenance_interval_s=3600):
        assert look(1) == 0
        with own_project.worker("second", maintenance_interval_s=3600) as second:
            assert look(1) == 0
            second.signal(signal.SIGSTOP)
            assert look(2) == 0
            second.signal(signal.SIGCONT)
            assert [look(1), look(1)] == [0, 1]
            assert own_project.job(young).status is Status.PENDING
            assert own_project.expect(old, Status.COMPLETED, "SUCCESS", RAN).run == 2


def test_a_job_that_its_worker_does_not_run_any_more_is_let_go(own_project, look, request):
    store, gate = own_project.tracking.store, request.node.name
    with own_project.worker(maintenance_interval_s=3600) as worker:
        lease = worker.lease.incarnation
        held, left = own_project.send("hold", gate), old_job(own_project)
        own_project.expect_status(held, Status.RUNNING)
        age(own_project, held)
        store.apply(Event.START, left, run=1, attempt=0, at_ms=LONG_AGO_MS, fields={"lease": lease, "worker": "w@h"})
        worker.signal(signal.SIGSTOP)
        assert look(2) == 0
        worker.signal(signal.SIGCONT)
        namesake = worker.lease.model_copy(update={"incarnation": "another"})
        own_project.leases.renew(namesake)
        assert look(2) == 0
        own_project.leases.release("another")
        assert [look(1), look(1), look(1)] == [0, 1, 0]
        assert [own_project.queries.field(each, JobRecord.lease) for each in (held, left)] == [lease, LET_GO]
        MaintenanceRunner(own_project.tracking).rescuer.rescue_lost()
        reason = "w@h let it go (it does not run it any more, and has not said how it ended) while it ran the task"
        assert (own_project.job(left).status, own_project.job(left).reason) == (Status.FAILED, reason)
        own_project.diary.open_gate(gate)
        own_project.expect(held, Status.COMPLETED, "SUCCESS", RAN)


def test_a_job_that_a_worker_has_begun_since_is_not_lost(own_project):
    store = own_project.tracking.store
    job_id = old_job(own_project)
    store.apply(Event.START, job_id, run=1, attempt=0, fields={"lease": "a worker"})
    for event in (Event.LOSE, Event.RELAUNCH):
        assert store.apply(event, job_id, run=1, attempt=0, lease=NOBODY).outcome is Outcome.STALE


def test_a_queue_that_is_too_long_to_read_whole_is_not_read(own_project):
    with own_project.app.connection_for_read() as connection:
        connection.default_channel.client.lpush(own_project.queue, *["{}"] * (SCAN_LIMIT + 1))
        found = locate_messages(connection, {own_project.queue: {"a"}}, 1.0, whole_only=True).queues[
            own_project.queue
        ]
    assert (found.messages, found.looked_at, found.is_whole) == (SCAN_LIMIT + 1, 0, False)
