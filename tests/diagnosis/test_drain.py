"""Draining real workers: nothing claims "safe" before it is, on no pool, and not on what can't be seen."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from support.sample_jobs import begin, create_in
from support.workers_under_test import ROOT, broker_settings, eventually, new_project

from jobtracker import Status
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.diagnosis.drainer import Drainer
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.health import HealthCheck
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.errors import WorkerNotFoundError
from jobtracker.local.ports import free_port
from jobtracker.schemas.drains import DrainState, IfStopped
from jobtracker.schemas.explanation import Code
from jobtracker.store.drains import Drains

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]
SOON = {"lease_lost_s": 1.5, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2}


def drainer(project):
    """One of another process: it knows what the store knows."""
    return Drainer(project.tracking, Inspector(project.tracking, timeout_s=1.0, cache_s=0))


class ProxyProcess:
    """A way to a server that can be cut, and made again."""

    def __init__(self, port, target):
        self._command = [sys.executable, "-m", "chaos.proxy", *map(str, (port, target, free_port(), 1))]
        self._process = None

    def start(self):
        self._process = subprocess.Popen(self._command, cwd=ROOT / "tests")

    def stop(self):
        self._process.kill()
        self._process.wait()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


def waiting(project):
    """How many messages wait at the broker."""
    return sum(each.messages for each in Inspector(project.tracking, cache_s=0).queue_depths().queues)


@pytest.mark.parametrize(
    ("broker", "pool"),
    [("redis", "prefork"), ("redis", "gevent"), ("rabbitmq-classic", "prefork"),
     ("rabbitmq-quorum", "threads")],
)  # fmt: skip
def test_a_drained_worker_is_safe_when_it_is_done_and_consumes_again_when_that_is_undone(
    redis_server, rabbitmq, worker_log_dir, broker, pool
):
    with (
        new_project(redis_server, worker_log_dir, **SOON, **broker_settings(broker, rabbitmq)) as project,
        project.worker(concurrency=1, pool=pool) as worker,
    ):
        name = worker.lease.name
        assert drainer(project).look(name).state is DrainState.CONSUMING
        running = project.send("hold", project.name)
        project.expect_status(running, Status.RUNNING)
        asked = drainer(project).drain(name)
        assert (asked.state, asked.queues, asked.queues_before) == (DrainState.DRAINING, [], [project.queue])
        later = project.send("ok", 1)
        found = drainer(project).look(name)
        [held] = found.tasks
        assert (held.id, held.where, held.job_type) == (running, "active", "hold")
        assert (held.if_stopped, held.if_killed) == (IfStopped.FINISHES, IfStopped.LOST)
        assert found.summary == "It is not safe to stop yet. It runs 1 task."
        stats = {each.name: each for each in Inspector(project.tracking, cache_s=0).workers()}
        assert stats[name].drain.queues == [project.queue]
        project.diary.open_gate(project.name)
        eventually(lambda: drainer(project).look(name).state is DrainState.SAFE)
        assert project.expect(running, Status.COMPLETED, "SUCCESS", RAN)
        assert project.job(later).status is Status.PENDING
        assert drainer(project).undo(name).state is DrainState.CONSUMING
        project.expect(later, Status.COMPLETED, "SUCCESS", RAN)
        assert drainer(project).undo(name).queues == [project.queue]


def test_a_worker_whose_store_is_on_a_cluster_is_safe_when_all_partitions_agree(
    redis_server, cluster, worker_log_dir
):
    on_cluster = {"redis_url": cluster.url, "tracking_partitions": 5}
    with (
        new_project(redis_server, worker_log_dir, **SOON, **on_cluster) as project,
        project.worker(concurrency=4) as worker,
    ):
        name = worker.lease.name
        running = [project.send("hold", project.name) for _ in range(4)]
        for each in running:
            project.expect_status(each, Status.RUNNING)
        assert len({project.keys.of(each).number for each in running}) > 1
        found = drainer(project).drain(name)
        assert (found.state, found.summary) == (DrainState.DRAINING, "It is not safe to stop yet. It runs 4 tasks.")
        assert {task.id for task in found.tasks} == set(running)
        later = project.send("ok", 1)
        project.diary.open_gate(project.name)
        eventually(lambda: drainer(project).look(name).state is DrainState.SAFE)
        for each in running:  # what is safe is stored, too
            assert project.job(each).status is Status.COMPLETED
        begun = begin(project.tracking.store, worker.lease.incarnation, now_ms(), worker=name)
        assert "1 job is recorded as running there" in drainer(project).look(name).summary
        assert project.tracking.store.apply(Event.COMPLETE, begun).applied
        assert drainer(project).look(name).state is DrainState.SAFE
        assert drainer(project).undo(name).state is DrainState.CONSUMING
        project.expect(later, Status.COMPLETED, "SUCCESS", RAN)


@pytest.mark.parametrize(
    ("broker", "pool"), [("redis", "prefork"), ("redis", "threads"), ("rabbitmq-classic", "prefork")]
)
def test_what_was_fetched_keeps_a_worker_from_being_safe_and_goes_back_when_it_stops(
    redis_server, rabbitmq, worker_log_dir, broker, pool
):
    conf, settings = {"worker_prefetch_multiplier": 3}, {**SOON, **broker_settings(broker, rabbitmq)}
    with new_project(redis_server, worker_log_dir, conf=conf, **settings) as project:
        with project.worker(concurrency=1, pool=pool) as worker:
            name = worker.lease.name
            running = project.send("hold", project.name)
            project.expect_status(running, Status.RUNNING)
            fetched = project.send("ok", 1)
            project.expect_reserved(fetched)
            late = project.send("ok", 2, countdown=60)
            eventually(lambda: {task.where for task in drainer(project).look(name).tasks} >= {"active", "reserved"})
            found = drainer(project).drain(name)
            assert (found.running, found.waiting) == (1, len(found.tasks) - 1)
            assert f"It has fetched {found.waiting} message" in found.summary
            held = {task.id: task for task in found.tasks}
            goes_back = IfStopped.COMES_BACK if pool == "prefork" else IfStopped.MAY_RUN
            assert (held[fetched].if_stopped, held[fetched].if_killed) == (goes_back, IfStopped.COMES_BACK)
            worker.signal(signal.SIGTERM)
            eventually(lambda: "worker: Warm shutdown" in worker.process.log_tail(1000))
            project.diary.open_gate(project.name)
            worker.wait_for_exit()
        assert project.expect(running, Status.COMPLETED, "SUCCESS", RAN)
        assert project.did(fetched) == [] or pool != "prefork"
        eventually(lambda: waiting(project) >= 1 or pool != "prefork")
        with project.worker(concurrency=1, pool=pool):
            project.expect(fetched, Status.COMPLETED, "SUCCESS", RAN)
            assert project.job(late).status is Status.PENDING
            project.jobs.cancel(late)


def test_what_a_kill_would_do_is_said_and_is_what_it_does(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **SOON) as project:
        with project.worker(concurrency=3) as worker:
            name, gate = worker.lease.name, project.name
            lost, again, late = (project.send(task, gate) for task in ("hold", "hold_rerun", "hold_late"))
            for each in (lost, again, late):
                project.expect_status(each, Status.RUNNING)
            found = drainer(project).drain(name)
            fates = {task.id: task.if_killed for task in found.tasks}
            assert fates == {lost: IfStopped.LOST, again: IfStopped.RUNS_AGAIN, late: IfStopped.COMES_BACK}
            worker.kill()
        with project.worker(concurrency=3):
            project.diary.open_gate(gate)
            project.expect_status(lost, Status.FAILED)
            eventually(lambda: project.job(again).status is Status.COMPLETED)
            assert project.job(again).run == 2
            eventually(lambda: project.job(late).status is Status.COMPLETED)
            assert project.job(late).run == 1


def test_a_busy_solo_worker_is_unknown_and_is_drained_when_it_has_time(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **SOON) as project, project.worker(pool="solo") as worker:
        name = worker.lease.name
        running = project.send("hold", project.name)
        project.expect_status(running, Status.RUNNING)
        found = drainer(project).drain(name)
        assert (found.state, found.queues, found.queues_before) == (DrainState.UNKNOWN, None, [project.queue])
        assert "a solo worker does not answer while it runs a task" in found.summary
        project.diary.open_gate(project.name)
        eventually(lambda: drainer(project).look(name).state is DrainState.SAFE)
        later = project.send("ok", 1)
        assert drainer(project).undo(name).queues == [project.queue]
        project.expect(later, Status.COMPLETED, "SUCCESS", RAN)


def test_a_worker_whose_reports_wait_for_the_tracking_redis_is_not_safe(redis_server, worker_log_dir):
    """They are on its machine's disk only: where that goes with the worker, they are lost."""
    port, slow = free_port(), {**SOON, "lease_lost_s": 60}
    way = ProxyProcess(port, redis_server.port)
    with new_project(redis_server, worker_log_dir, **slow) as project, way:
        url = f"redis://127.0.0.1:{port}/0"
        with project.worker(concurrency=1, redis_url=url, tracking_timeout_s=0.3) as worker:
            name = worker.lease.name
            running = project.send("hold", project.name)
            project.expect_status(running, Status.RUNNING)
            assert drainer(project).drain(name).state is DrainState.DRAINING
            way.stop()
            project.diary.open_gate(project.name)
            eventually(lambda: project.did(running) == RAN)
            eventually(lambda: "Reports wait on its machine's disk" in drainer(project).look(name).summary)
            assert drainer(project).look(name).state is DrainState.DRAINING
            way.start()
            eventually(lambda: drainer(project).look(name).state is DrainState.SAFE)
            project.expect(running, Status.COMPLETED, "SUCCESS", RAN)


def test_a_job_that_is_recorded_as_running_there_keeps_a_worker_from_being_safe(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **SOON) as project, project.worker(concurrency=1) as worker:
        name = worker.lease.name
        assert drainer(project).drain(name).state is DrainState.SAFE
        job_id = begin(project.tracking.store, worker.lease.incarnation, now_ms(), worker=name)
        found = drainer(project).look(name)
        assert (found.state, found.running) == (DrainState.DRAINING, 0)
        assert "1 job is recorded as running there" in found.summary
        project.tracking.store.apply(Event.COMPLETE, job_id, at_ms=now_ms())
        assert drainer(project).look(name).state is DrainState.SAFE


def test_what_was_broken_off_half_way_is_undone_and_a_worker_that_is_gone_is_not_known(redis_server, worker_log_dir):
    queues = ["one", "two"]
    with new_project(redis_server, worker_log_dir, **SOON) as project:
        with project.worker(concurrency=1, queues=queues) as worker:
            name = worker.lease.name
            # As a command that was killed when it had told the worker of the first queue.
            Drains(project.client, project.keys).remember(worker.lease.incarnation, queues)
            project.app.control.cancel_consumer("one", destination=[name], reply=True)
            eventually(lambda: drainer(project).look(name).queues == ["two"])
            found = drainer(project).look(name)
            assert (found.state, found.queues_before) == (DrainState.DRAINING, queues)
            assert "It still consumes two." in found.summary
            again = drainer(project).drain(name)
            assert (again.state, again.queues_before) == (DrainState.SAFE, queues)
            assert (drainer(project).undo(name).queues) == queues
            worker.kill()
        eventually(lambda: not project.leases.live())
        with pytest.raises(WorkerNotFoundError, match="no worker"):
            drainer(project).drain(name)


def test_a_queue_that_only_a_drained_worker_consumed_is_not_consumed(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **SOON) as project, project.worker(concurrency=1) as worker:
        drainer(project).drain(worker.lease.name)
        job_id = project.send("ok", 1)
        inspector = Inspector(project.tracking, cache_s=0)
        # The worker may have fetched it before it stopped, and puts it back.
        eventually(lambda: [each.consumers for each in inspector.queue_depths().queues if each.messages] == [[]])
        assert HealthCheck(inspector).workers().facts["unconsumed"] == {project.queue: 1}
        assert Explainer(project.tracking, inspector).explain(job_id).code is Code.NO_CONSUMER
        drainer(project).undo(worker.lease.name)
        project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)


def test_when_a_running_task_is_expected_to_end_follows_from_its_type(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **SOON) as project, project.worker(concurrency=2) as worker:
        ended_ms, store = now_ms() - 60_000, project.tracking.store
        for n in range(20):
            job_id = create_in(store, Status.PENDING, at_ms=ended_ms, type="hold")
            store.apply(Event.START, job_id, run=1, at_ms=ended_ms)
            store.apply(Event.COMPLETE, job_id, run=1, at_ms=ended_ms + 20_000 + n)
        known, unknown = project.send("hold", project.name), project.send("hold_late", project.name)
        for each in (known, unknown):
            project.expect_status(each, Status.RUNNING)
        found = drainer(project).drain(worker.lease.name)
        ends = {task.id: task.finish for task in found.tasks}
        assert (ends[known].based_on, ends[unknown], found.finish_at) == (20, None, None)
        assert ends[known].late_at - found.tasks[0].since == pytest.approx(
            timedelta(seconds=20), abs=timedelta(seconds=2)
        )
        project.diary.open_gate(project.name)
        eventually(lambda: drainer(project).look(worker.lease.name).state is DrainState.SAFE)
