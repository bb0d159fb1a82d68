"""What a worker holds out of sight of Celery's inspect is not missing: nothing is sent again, each task runs once."""

import time

import pytest
from support.sample_jobs import a_worker
from support.workers_under_test import broker_settings, eventually, new_project

from jobtracker import Status
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.observations import Job, Observations
from jobtracker.schemas.explanation import Code
from jobtracker.schemas.workers import Holding
from jobtracker.store.schema import JobRecord

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]
SOON = {"lease_lost_s": 1, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2}


def explain(project, job_id):
    return Explainer(project.tracking, Inspector(project.tracking, cache_s=0)).explain(job_id)


@pytest.mark.parametrize("broker", ["redis", "rabbitmq-classic"])
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_what_waits_for_its_rate_limit_is_not_missing_and_runs_once(
    redis_server, rabbitmq, worker_log_dir, broker, pool
):
    settings = {**SOON, **broker_settings(broker, rabbitmq)}
    conf = {"worker_prefetch_multiplier": 4}
    with (
        new_project(redis_server, worker_log_dir, conf=conf, **settings) as project,
        project.worker(concurrency=2, pool=pool) as worker,
    ):
        jobs = [project.send("limited", n) for n in range(3)]
        late = project.send("limited", 3, countdown=1)
        name = worker.lease.name
        eventually(lambda: explain(project, jobs[2]).code is Code.RATE_LIMITED)
        found = explain(project, jobs[2])
        assert (
            found.summary == f"{name} has fetched its message, and holds it until its task's rate limit lets it go."
        )
        assert found.worker.name == name
        eventually(lambda: explain(project, late).code is Code.RATE_LIMITED)
        for each in (*jobs, late):
            assert project.expect(each, Status.COMPLETED, "SUCCESS", RAN).run == 1
        assert not [each for each in (*jobs, late) if project.did(each, run=2)]


def test_a_paused_consumer_and_a_long_eta_leave_messages_where_they_are(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **SOON) as project, project.worker(concurrency=1) as worker:
        gate = project.name
        running = project.send("hold", gate)
        project.expect_status(running, Status.RUNNING)
        fetched, waiting, late = (
            project.send("kept", 1),
            project.send("kept", 2),
            project.send("kept", 3, countdown=4),
        )
        project.expect_reserved(fetched)
        project.app.control.cancel_consumer(project.queue, destination=[worker.lease.name], reply=True)
        inspect = project.app.control.inspect([worker.lease.name])
        eventually(lambda: inspect.active_queues() == {worker.lease.name: []})
        until = time.monotonic() + 4 * SOON["lease_lost_s"]
        eventually(lambda: time.monotonic() > until)
        assert explain(project, fetched).code is Code.PREFETCHED
        project.diary.open_gate(gate)
        project.consume(project.queue)
        for each in (fetched, waiting, late):
            assert project.expect(each, Status.COMPLETED, "SUCCESS", RAN).run == 1


@pytest.mark.parametrize(("fields", "name"), [({}, "w@test"), ({"reused": 1}, None), ({"also_sent": "5"}, None)])
def test_an_ended_message_tells_nothing_of_another_one_with_its_id(fields, name):
    worker = a_worker()
    found = Observations(1, {"i": worker}, holdings={"i": Holding(lease="i", ended={"x": 0})})
    values = {"run": 1, "status": "pending", "type": "t", **fields}
    record = JobRecord("x", {getattr(JobRecord, field).place: value for field, value in values.items()})
    assert found.ended_by(Job(record, "q")) == name
