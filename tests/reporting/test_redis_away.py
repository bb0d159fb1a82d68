"""The tracking Redis goes away while real workers run, and comes back: what tasks notice, and what is known then."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from celery import chain, chord
from kombu.exceptions import OperationalError
from support.servers import away
from support.workers_under_test import ROOT, eventually, new_project

from jobtracker import Status
from jobtracker.connection.client import connect
from jobtracker.diagnosis.health import HealthCheck
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port
from jobtracker.schemas.filters import JobFilter
from jobtracker.schemas.jobs import SubJobCounts

pytestmark = [pytest.mark.long, pytest.mark.thorough]

RAN = ["began", "returned"]
TIMEOUT_S = 0.2

BILLIARD_WAITS_S = 30
"""A child that has just run a task may wait so long, when its pool ends, for its last message to be read, with a
tracker or without one (GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT in billiard/pool.py)."""


class Tracking:
    """The tracking Redis of a test, apart from the broker and the results.

    Args:
        server: The server.
    """

    def __init__(self, server):
        self.server = server

    def away(self, how):
        """Have it refuse connections, or not answer."""
        return away(self.server, how)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    with EmbeddedRedis(tmp_path_factory.mktemp("tracking")) as server:
        yield Tracking(server)


@pytest.fixture
def tracked(redis_server, tracking, worker_log_dir):
    """Makes a project that is tracked there; it has a worker when it is asked for one."""

    @contextlib.contextmanager
    def make(**settings):
        own = {"redis_url": tracking.server.url, "tracking_timeout_s": TIMEOUT_S, **settings}
        with new_project(redis_server, worker_log_dir, **own) as project:
            yield project

    return make


def expect_state(project, task_id, state):
    """Wait for what Celery knows, while the tracker does not answer."""
    eventually(lambda: project.state(task_id) == state, lambda: f"{task_id} is {project.state(task_id)}")


def expect_back(project):
    """Wait until this process's own reports go straight through again."""
    eventually(lambda: not project.tracking.reporter.away)


@pytest.mark.parametrize(
    ("pool", "how"),
    [("prefork", "stopped"), ("prefork", "hung"), ("threads", "hung"), ("gevent", "hung"), ("solo", "stopped")],
)
def test_tasks_keep_their_pace_and_all_that_they_did_is_known_afterwards(tracked, tracking, pool, how):
    with (
        tracked(tracking_timeout_s=0.5) as project,
        project.worker(pool=pool, concurrency=1 if pool == "solo" else 2) as worker,
    ):
        for task_id in [project.send("ok", n) for n in range(4)]:
            project.expect(task_id, Status.COMPLETED, "SUCCESS", RAN)
        held = project.send("hold", pool + how)
        if pool != "solo":
            project.expect(held, Status.RUNNING, "STARTED", ["began"])
        with tracking.away(how):
            began = time.monotonic()
            project.diary.open_gate(pool + how)
            many = [project.send("ok", n) for n in range(40)]
            counted, failed, retried = project.send("count", 30), project.send("fail"), project.send("flaky", 1)
            published_s = time.monotonic() - began
            for task_id in (*many, counted, retried, held):
                expect_state(project, task_id, "SUCCESS")
            expect_state(project, failed, "FAILURE")
            took_s = time.monotonic() - began
            back_at = time.time()
        assert published_s < 43 * 0.5 / 3  # each of the messages would have waited
        assert took_s < 43 * 0.5 / 2  # each of the tasks twice, on two processes
        for value, task_id in enumerate(many):
            job = project.expect(task_id, Status.COMPLETED, "SUCCESS", RAN)
            assert (job.result, job.deliveries, job.queue) == (value, 1, project.queue)
            assert job.worker.startswith("worker-")
            assert job.created_at <= job.started_at <= job.finished_at
            assert job.finished_at.timestamp() < back_at
        job = project.expect(counted, Status.COMPLETED, "SUCCESS", RAN)
        assert job.progress.done == 30
        assert [line.message for line in project.queries.log(counted)] == [f"item {n}" for n in range(30)]
        assert project.expect(failed, Status.FAILED, "FAILURE", ["began"]).error.message == "as asked"
        tries = ["began attempt 0", "began attempt 1", "returned"]
        job = project.expect(retried, Status.COMPLETED, "SUCCESS", tries)
        assert job.attempt == 1
        assert job.deliveries in {
            1,
            2,
        }  # the first attempt is stale where its process writes after that of the second
        assert project.expect(held, Status.COMPLETED, "SUCCESS", RAN).deliveries == 1
        expect_back(project)
        after = project.expect(project.send("ok", "after"), Status.COMPLETED, "SUCCESS", RAN)
        assert after.result == "after"
        assert project.queries.dropped() == 0
        assert worker.process.exit_status() is None


@pytest.mark.parametrize("how", ["stopped", "hung"])
def test_trees_that_ran_meanwhile_are_what_they_would_have_been(tracked, tracking, how):
    with tracked() as project, project.worker():
        with tracking.away(how):
            happy = project.chord([project.signature("ok", n) for n in range(3)], project.signature("collect"))
            unhappy = project.chord(
                [project.signature("ok", 1), project.signature("fail"), project.signature("ok", 3)],
                project.signature("collect"),
            )
            inner = chord([project.signature("ok", n) for n in range(2)], project.signature("collect"))
            outer = project.chord([inner, project.signature("ok", 2)], project.signature("collect"))
            steps = chain(project.signature("ok", 1), project.signature("add", 1)).apply_async()
            broken = chain(project.signature("fail"), project.signature("ok")).apply_async()
            for task_id in (happy, outer, steps.id):
                expect_state(project, task_id, "SUCCESS")
            expect_state(project, unhappy, "FAILURE")
            expect_state(project, broken.parent.id, "FAILURE")
        assert project.expect(happy, Status.COMPLETED, "SUCCESS", RAN).result == [0, 1, 2]
        project.expect(unhappy, Status.FAILED, "FAILURE", [])
        # It has failed, and is open again, as often as a report that waited tells it of one more sub-job.
        eventually(lambda: (error := project.job(unhappy).error) and "as asked" in error.message)
        assert project.expect(outer, Status.COMPLETED, "SUCCESS", RAN).result == [[0, 1], 2]
        for parent, (completed, failed) in {happy: (3, 0), unhappy: (2, 1), outer: (2, 0)}.items():
            told = SubJobCounts(total=completed + failed, completed=completed, failed=failed, cancelled=0)
            eventually(lambda parent=parent, told=told: project.job(parent).sub_job_counts == told)
            subs = project.queries.tree(parent).sub_jobs
            assert {sub.parent_id for sub in subs} == {parent}
            assert Counter(sub.status for sub in subs) == Counter(completed=completed, failed=failed)
        assert project.expect(steps.id, Status.COMPLETED, "SUCCESS", RAN).result == 2
        assert project.job(steps.parent.id).next_id == steps.id
        project.expect_status(broken.id, Status.CANCELLED)


def test_a_job_that_ran_unrecorded_is_given_its_parent_later(tracked, tracking):
    """The publisher alone can't reach the store: the workers record its jobs first, which know of no tree."""
    with tracked() as project, project.worker():
        project.tracking.reporter.outage.away = True  # it believes so, and nobody looks
        project.tracking.reporter.outage._probe.is_running = True
        parents = [
            project.chord([project.signature("ok", n) for n in range(2)], project.signature("collect")),
            project.chord([project.signature("fail"), project.signature("ok", 1)], project.signature("collect")),
        ]
        broken = chain(project.signature("fail"), project.signature("ok")).apply_async()
        expect_state(project, parents[0], "SUCCESS")
        expect_state(project, parents[1], "FAILURE")
        project.expect_status(broken.parent.id, Status.FAILED)
        assert [sub.status for sub in project.queries.page(JobFilter(status=Status.FAILED)).jobs] == ["failed"] * 2
        project.tracking.reporter.outage._probe.is_running = False
        project.tracking.reporter.outage.probe()
        project.expect(parents[0], Status.COMPLETED, "SUCCESS", RAN)
        project.expect(parents[1], Status.FAILED, "FAILURE", [])
        project.expect_status(broken.id, Status.CANCELLED)
        for parent in parents:
            tree = project.queries.tree(parent)
            assert [sub.parent_id for sub in tree.sub_jobs] == [parent, parent]
            assert tree.sub_job_counts.completed + tree.sub_job_counts.failed == 2


def test_a_call_that_timed_out_counts_once_though_it_was_carried_out(tracked, tracking):
    with tracked() as project, project.worker(concurrency=1):
        project.expect(project.send("ok", 1), Status.COMPLETED, "SUCCESS", RAN)
        held = project.send("hold", "until", countdown=0.5)
        with tracking.away("hung"):
            eventually(lambda: project.did(held) == ["began"])  # its start waits in the server's socket
        project.diary.open_gate("until")
        assert project.expect(held, Status.COMPLETED, "SUCCESS", RAN).deliveries == 1


def test_dropped_reports_are_counted_and_the_result_backend_fills_the_gap(tracked, tracking):
    soon = {"lease_lost_s": 1, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2}
    with tracked(**soon) as project, project.worker(concurrency=1, report_buffer_size=6):
        project.expect(project.send("ok", 1), Status.COMPLETED, "SUCCESS", RAN)
        with tracking.away("stopped"):
            sent = [project.send("ok", n) for n in range(12)]
            failed = project.send("fail")
            for task_id in sent:
                expect_state(project, task_id, "SUCCESS")
            expect_state(project, failed, "FAILURE")
        for value, task_id in enumerate(sent):
            assert project.expect(task_id, Status.COMPLETED, "SUCCESS", RAN).result == value
        assert project.expect(failed, Status.FAILED, "FAILURE", ["began"]).error.message == "as asked"
        eventually(lambda: project.queries.dropped() == 26 - 6)
        assert HealthCheck(Inspector(project.tracking)).redis().facts["dropped_reports"] == 20


def executions(project):
    """How often the task of each job was executed, as the tasks have written down."""
    return Counter(each for each, what in project.diary.read_all() if what == "sent" or what.startswith("began"))


def expect_all_known(project):
    """Each execution is a delivery of a job, and has ended as Celery's result backend says."""
    for task_id, count in executions(project).items():
        status = Status.COMPLETED if project.state(task_id) == "SUCCESS" else Status.FAILED
        assert project.expect_status(task_id, status).deliveries == count
    assert project.queries.page(JobFilter()).total == len(executions(project))
    assert project.queries.dropped() == 0


def test_nothing_is_lost_with_children_that_end_or_are_killed(tracked, tracking):
    with (
        tracked(conf={"worker_max_tasks_per_child": 2}, maintenance_interval_s=3600) as project,
        project.worker(concurrency=2) as worker,
    ):
        project.expect(project.send("ok", 1), Status.COMPLETED, "SUCCESS", RAN)
        with tracking.away("hung"):
            sent = [project.send("ok", n) for n in range(8)]
            sent += [project.send("fail"), project.send("flaky", 1)]
            sent += [project.send("sends", way) for way in ("task", "group", "chord", "chain")]
            sent.append(project.chord([project.signature("ok", n) for n in range(3)], project.signature("collect")))
            jobs = len(sent) + 4 + 1 + 2 + 3 + 2
            eventually(lambda: len(executions(project)) == jobs)
            for task_id in executions(project):
                eventually(lambda task_id=task_id: project.state(task_id) in {"SUCCESS", "FAILURE"})
            inspect = project.app.control.inspect(destination=[worker.lease.name], timeout=20)
            for process in inspect.stats()[worker.lease.name]["pool"]["processes"]:
                with contextlib.suppress(ProcessLookupError):  # it has had its two tasks
                    os.kill(process, signal.SIGKILL)
        expect_all_known(project)
        assert len(executions(project)) == jobs


def test_the_next_worker_writes_what_a_worker_and_a_publisher_left(tracked, tracking):
    with tracked(maintenance_interval_s=3600) as project:
        with project.worker(concurrency=2) as worker:
            project.expect(project.send("ok", 1), Status.COMPLETED, "SUCCESS", RAN)
            with tracking.away("stopped"):
                sent = project.send("ok", 2)
                expect_state(project, sent, "SUCCESS")
                worker.signal(signal.SIGTERM)
                worker.wait_for_exit()
                code = "from project.worker import app; print(app.tasks['ok'].apply_async([3]).id)"
                script = subprocess.run(
                    [sys.executable, "-c", code],
                    cwd=ROOT,
                    env=project._environment({}),
                    check=True,
                    capture_output=True,
                    text=True,
                    timeout=120,
                )
        expect_back(project)
        published = script.stdout.strip()
        with project.worker(concurrency=1):
            project.expect(published, Status.COMPLETED, "SUCCESS", RAN)
        assert project.job(published).sent_from != project.job(sent).sent_from  # its publisher recorded it
        expect_all_known(project)


def test_a_store_that_comes_back_empty_is_told_of_what_runs(tracked, tracking):
    with tracked() as project, project.worker():
        held = project.send("hold", "until")
        project.expect(held, Status.RUNNING, "STARTED", ["began"])
        with tracking.away("stopped"):
            for path in tracking.server.data_dir.glob("appendonlydir/*"):
                path.unlink()
            during = project.send("ok", 1)
            expect_state(project, during, "SUCCESS")
        project.expect(during, Status.COMPLETED, "SUCCESS", RAN)
        project.diary.open_gate("until")
        assert project.expect(held, Status.COMPLETED, "SUCCESS", RAN).job_type == "hold"


@pytest.mark.parametrize("pool", ["prefork", "gevent", "solo"])
def test_a_rejected_end_is_reported_again_though_no_further_task_comes(tracked, tracking, pool):
    conf = {"task_ignore_result": True}  # else Celery's result backend would know it too
    with (
        tracked(conf=conf, maintenance_interval_s=3600) as project,
        project.worker(pool=pool, concurrency=1),
        connect(tracking.server.url, 5) as client,
    ):

        def refused():
            return client.info("commandstats")["cmdstat_fcall"]["rejected_calls"]

        full = project.send("hold", "full", 7)
        began = project.expect_status(full, Status.RUNNING)
        before = refused()
        client.config_set("maxmemory", 1)
        try:
            project.diary.open_gate("full")
            eventually(lambda: refused() > before)
            full_until = time.time()
        finally:
            client.config_set("maxmemory", 0)
        job = project.expect_status(full, Status.COMPLETED)
        assert (job.result, job.started_at, job.deliveries) == (7, began.started_at, 1)
        assert job.finished_at.timestamp() < full_until

        emptied = project.send("hold", "emptied", 8)
        began = project.expect_status(emptied, Status.RUNNING)
        client.flushdb()
        project.diary.open_gate("emptied")
        job = project.expect_status(emptied, Status.COMPLETED)
        assert (job.result, job.started_at, job.worker) == (8, began.started_at, began.worker)
        assert project.queries.dropped() == 0


def test_an_emptied_store_records_a_running_task_by_any_of_its_reports(tracked, tracking):
    kinds = {
        "progress": lambda job: job.progress is not None,
        "log": lambda job: project.queries.log(job.id),
    }
    with (
        tracked(progress_interval_s=0.1) as project,
        project.worker(),
        connect(tracking.server.url, 5) as client,
    ):
        began = {}
        for kind, is_there in kinds.items():
            job_id = project.send("hold_and_report", "until", kind)
            project.expect_status(job_id, Status.RUNNING)
            eventually(lambda is_there=is_there, job_id=job_id: is_there(project.job(job_id)))
            began[kind] = project.job(job_id)
        client.flushdb()
        for kind, was in began.items():
            job = project.expect_status(was.id, Status.RUNNING)
            assert (job.started_at, job.worker, job.deliveries) == (was.started_at, was.worker, 1)
            eventually(lambda kind=kind, job=job: kinds[kind](project.job(job.id)))
        project.diary.open_gate("until")
        for was in began.values():
            project.expect(was.id, Status.COMPLETED, "SUCCESS", RAN)


def test_of_a_task_that_neither_broker_nor_store_took_nothing_is_left(tracked, tracking):
    url = f"redis://127.0.0.1:{free_port()}/1"
    with tracked(celery_broker_url=url) as project:
        with tracking.away("stopped"), pytest.raises(OperationalError):
            project.send("ok", retry_policy={"max_retries": 0})
        expect_back(project)
        assert project.queries.page(JobFilter()).total == 0


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGQUIT]])
def test_a_worker_ends_in_time_while_the_store_is_away(tracked, tracking, signals):
    with tracked() as project, project.worker() as worker:
        project.expect(project.send("ok", 1), Status.COMPLETED, "SUCCESS", RAN)
        with tracking.away("hung"):
            sent = project.send("ok", 1)
            expect_state(project, sent, "SUCCESS")
            began = time.monotonic()
            for number in signals:
                worker.signal(number)
            worker.wait_for_exit()
            took_s = time.monotonic() - began
            assert took_s - (BILLIARD_WAITS_S if took_s > BILLIARD_WAITS_S else 0) < 8


def test_a_job_settles_whose_process_died_with_its_last_report(tracking, tracked):
    soon = {"lease_lost_s": 1, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2}
    soon["report_spool_dir"] = os.devnull  # where nothing can be kept
    with tracked(conf={"task_ignore_result": True}, **soon) as project, project.worker(concurrency=1) as worker:
        inspect = project.app.control.inspect(destination=[worker.lease.name])
        [process] = inspect.stats()[worker.lease.name]["pool"]["processes"]
        job_id = project.send("hold", "away")
        project.expect_status(job_id, Status.RUNNING)
        with tracking.away("stopped"):
            project.diary.open_gate("away")
            eventually(lambda: project.did(job_id) == RAN and not inspect.active()[worker.lease.name])
            os.kill(process, signal.SIGKILL)
        assert "does not run it any more" in project.expect_status(job_id, Status.FAILED).reason
