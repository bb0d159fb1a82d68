"""What a task says about its own job while it runs, and what it does when the tracker is not there."""

import os
import signal
import socket
import threading
from contextlib import closing
from dataclasses import replace

import pytest
from billiard.pool import soft_timeout_sighandler
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from support.workers_under_test import Project, eventually, new_project

from jobtracker import CurrentJob, JobCancelledError, Settings, Status, current_job
from jobtracker.local.ports import free_port
from jobtracker.runtime import Tracking
from jobtracker.schemas.requests import JobUpdate

RAN = ["began", "returned"]


def test_progress_shows_while_the_task_runs(project, request):
    gate = f"{project.name}-{request.node.name}"
    job_id = project.send("halfway", gate)
    eventually(lambda: project.job(job_id).progress is not None)
    progress = project.job(job_id).progress
    assert (progress.done, progress.total, progress.percent, progress.note) == (1, 2, 50, "half")
    project.diary.open_gate(gate)
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)


def test_an_iterator_reports_progress_and_the_log_keeps_its_lines(project):
    job = project.expect(project.send("count", 5), Status.COMPLETED, "SUCCESS", RAN)
    assert (job.progress.done, job.progress.total, job.progress.note) == (5, 5, "counting")
    assert [(line.level, line.message) for line in project.queries.log(job.id)] == [
        ("debug", f"item {number}") for number in range(5)
    ]


def test_progress_is_written_at_most_every_so_often_and_at_the_end(own_project):
    """Redis itself counts the commands of the connection that writes it."""
    own_project.announce()
    job_id = own_project.create("ok")
    own_project.jobs.update(job_id, JobUpdate(status=Status.RUNNING))
    seldom = own_project.settings.model_copy(update={"progress_interval_s": 3600})
    job = CurrentJob(replace(own_project.tracking, settings=seldom), None, job_id, run=0, attempt=0)
    job.progress(1, 1)
    start = commands(own_project)
    job.progress(2, 2)
    one_write = commands(own_project) - start
    start = commands(own_project)
    for done in range(1, 1001):
        job.progress(done, 1000)
    assert commands(own_project) - start == one_write
    assert own_project.job(job_id).progress.done == 1000


def commands(project):
    return int(project.client.client_info()["tot-cmds"])


def test_outside_of_a_task_there_is_an_inert_job():
    job = current_job()
    job.progress(1, 2, "nobody listens")
    job.log("nobody reads")
    job.raise_if_cancelled()
    assert list(job.track(range(3))) == [0, 1, 2]
    assert (job.id, job.cancel_requested, job.sub_jobs()) == ("", False, [])
    with pytest.raises(JobCancelledError):
        job.stop("asked")


def test_an_unreachable_tracker_neither_fails_nor_hangs_a_task(redis_server, worker_log_dir):
    with (
        new_project(redis_server, worker_log_dir) as project,
        project.worker(blind=True, redis_url=f"redis://127.0.0.1:{free_port()}", tracking_timeout_s=0.2) as worker,
    ):
        ok, count, fail = project.send("ok", 1), project.send("count", 3), project.send("fail")
        look, retried = project.send("hold_and_look", "opened"), project.send("flaky", 1)
        project.diary.open_gate("opened")
        chord = project.chord([project.signature("ok", n) for n in range(3)], project.signature("collect"))
        for task_id in (ok, count, look, chord):
            eventually(lambda task_id=task_id: (project.state(task_id), project.did(task_id)) == ("SUCCESS", RAN))
        eventually(lambda: project.state(fail) == "FAILURE")
        eventually(lambda: project.state(retried) == "SUCCESS")
        assert project.app.AsyncResult(chord).result == [0, 1, 2]
        assert project.job(ok).status is Status.PENDING  # nobody could say more
        assert "the tracking Redis is away, reports wait" in worker.process.log_tail(200)


def test_a_tracker_that_does_not_answer_delays_a_task_by_its_timeout_only(redis_server, worker_log_dir):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        with (
            new_project(redis_server, worker_log_dir) as project,
            project.worker(blind=True, redis_url=url, tracking_timeout_s=0.1, concurrency=1),
        ):
            for task, args in {"ok": [1], "count": [2], "flaky": [1]}.items():
                task_id = project.send(task, *args)
                eventually(lambda task_id=task_id: project.state(task_id) == "SUCCESS")
                assert project.did(task_id)[-1] == "returned"


@pytest.mark.parametrize(
    "ask", [lambda job: job.progress(1, 2), CurrentJob.raise_if_cancelled, lambda job: job.log("")]
)
def test_a_soft_time_limit_reaches_a_task_that_waits_for_the_tracker(ask):
    usual = signal.signal(signal.SIGUSR1, soft_timeout_sighandler)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        tracking = Tracking.connect(Settings(redis_url=url, tracking_timeout_s=10), Celery())
        limit = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
        limit.start()
        try:
            with pytest.raises(SoftTimeLimitExceeded):
                ask(CurrentJob(tracking, None, "any", run=1, attempt=0))
        finally:
            limit.join()
            signal.signal(signal.SIGUSR1, usual)
            tracking.client.close()


def test_a_publisher_that_can_not_reach_the_tracker_publishes(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir) as project, project.worker():
        url = f"redis://127.0.0.1:{free_port()}"
        with closing(
            Project(redis_server, worker_log_dir, like=project, redis_url=url, tracking_timeout_s=0.2)
        ) as blind:
            job_id = blind.send("ok", 7)
        job = project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
        assert (job.result, job.queue) == (7, project.queue)
