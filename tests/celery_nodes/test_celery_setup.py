"""Tracking in a setup of pytest-celery's: the same suite on local processes and on containers."""

import pytest
from celery import chord
from support.workers_under_test import eventually

from jobtracker import JobNotFoundError, Status

pytestmark = pytest.mark.thorough


def expect(tracker, job_id, status):
    """Wait until a job has a status; returns the job."""

    def job():
        try:
            return tracker.tracking.queries.get(job_id)
        except JobNotFoundError:
            return None

    eventually(lambda: (found := job()) and found.status == status, lambda: f"it is {job()!r}, not {status}")
    return job()


def send(setup, task, *args):
    return setup.app.send_task(task, args, queue=setup.worker.worker_queue).id


def test_ends_retries_and_trees_are_recorded(celery_setup, tracker):
    assert celery_setup.ready(control=True)
    done, failed, flaky = (send(celery_setup, *call) for call in [("succeed", 7), ("fail",), ("flaky",)])
    assert expect(tracker, done, Status.COMPLETED).result == 7
    assert expect(tracker, done, Status.COMPLETED).progress.percent == 100
    assert expect(tracker, failed, Status.FAILED).error.message == "as asked"
    assert expect(tracker, flaky, Status.COMPLETED).attempt == 1
    header = [celery_setup.app.signature("succeed", [n]) for n in range(3)]
    tree = chord(header, celery_setup.app.signature("collect"), app=celery_setup.app).apply_async()
    assert expect(tracker, tree.id, Status.COMPLETED).result == [0, 1, 2]
    assert len(tracker.tracking.queries.sub_ids(tree.id)) == 3


def test_a_worker_that_is_killed_loses_its_task_and_runs_the_next_when_it_is_back(celery_setup, tracker):
    lost = send(celery_setup, "sleep", 60)
    expect(tracker, lost, Status.RUNNING)
    celery_setup.worker.kill()
    waiting = send(celery_setup, "succeed", "later")
    celery_setup.worker.restart()
    assert expect(tracker, lost, Status.FAILED).error.type == "WorkerLost"
    assert expect(tracker, waiting, Status.COMPLETED).result == "later"


def test_a_broker_that_is_restarted_is_found_again(celery_setup, tracker):
    expect(tracker, send(celery_setup, "succeed", "before"), Status.COMPLETED)
    celery_setup.broker.restart()
    assert expect(tracker, send(celery_setup, "succeed", "after"), Status.COMPLETED).result == "after"
