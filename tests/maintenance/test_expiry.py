"""A job that is not started by its time is cancelled then, whoever has its message; a start corrects that."""

import time

import pytest
from support.workers_under_test import broker_settings, new_project

from jobtracker import Status
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.maintenance.runner import MaintenanceRunner

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]
SOON = {"lease_lost_s": 1, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2}
EXPIRED = "it expired before it was started"


@pytest.mark.parametrize("broker", ["redis", "rabbitmq-classic"])
def test_what_expires_on_a_busy_queue_is_cancelled_at_its_time(redis_server, rabbitmq, worker_log_dir, broker):
    settings = {**SOON, **broker_settings(broker, rabbitmq)}
    with new_project(redis_server, worker_log_dir, **settings) as project, project.worker(concurrency=1):
        gate = project.name
        running, fetched = project.send("hold", gate, expires=1), project.send("hold", gate)
        project.expect_status(running, Status.RUNNING)
        project.expect_reserved(fetched)
        expiring = [project.send("kept", n, expires=1) for n in range(2)]
        waiting, late = project.send("kept", 3), project.send("kept", 4, countdown=20, expires=1)
        began = time.monotonic()
        for each in (*expiring, late):
            cancelled = project.expect_status(each, Status.CANCELLED)
            assert cancelled.reason == EXPIRED
        assert time.monotonic() - began < 15
        assert {project.job(each).status for each in (fetched, waiting)} == {Status.PENDING}
        project.diary.open_gate(gate)
        for each in (running, fetched, waiting):
            project.expect(each, Status.COMPLETED, "SUCCESS", RAN)
        for each in expiring:  # the worker's own report, where it has got the message, says the same
            assert (project.job(each).status, project.did(each)) == (Status.CANCELLED, [])


def test_a_start_that_is_reported_late_takes_the_verdict_back(own_project):
    store = own_project.tracking.store
    job_id = own_project.send("kept", 7, expires=0.01)
    own_project.client.zadd(own_project.keys("expiring"), {job_id: 1})
    runner = MaintenanceRunner(own_project.tracking)
    assert [runner.overdue.cancel_expired(), runner.overdue.cancel_expired()] == [1, 0]
    assert own_project.job(job_id).status is Status.CANCELLED
    assert store.apply(Event.CANCELLED, job_id, run=1).outcome is Outcome.DUPLICATE
    other = own_project.send("kept", 7, expires=0.01)
    own_project.client.zadd(own_project.keys("expiring"), {other: 1})
    assert runner.overdue.cancel_expired() == 1
    store.apply(Event.START, other, run=1, attempt=0, fields={"worker": "w@h", "lease": "w"})
    assert own_project.job(other).status is Status.RUNNING
    store.apply(Event.COMPLETE, other, run=1, attempt=0)
    assert own_project.job(other).status is Status.COMPLETED


def test_another_run_of_what_has_expired_has_no_such_time(own_project):
    job_id = own_project.send("kept", 7, expires=0.01)
    own_project.client.zadd(own_project.keys("expiring"), {job_id: 1})
    runner = MaintenanceRunner(own_project.tracking)
    assert runner.overdue.cancel_expired() == 1
    own_project.jobs.retry(job_id)
    assert own_project.job(job_id).expires_at is None
    own_project.client.zadd(own_project.keys("expiring"), {job_id: 1})
    assert runner.overdue.cancel_expired() == 0
    assert own_project.job(job_id).status is Status.PENDING
