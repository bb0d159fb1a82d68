"""Workers and what runs them: they say that they live, and end in time."""

import os
import signal
import time

import pytest
from support.liveness import processes_below
from support.serving import SHIPPED_DOCUMENTS, Api, eventually, job, running_api, running_worker, waiting

from jobtracker.local.child_process import ChildProcess

pytestmark = pytest.mark.thorough

REDIS_DB = 10


@pytest.fixture(scope="module")
def api(redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=REDIS_DB) as api:
        yield api


def stop(worker: ChildProcess) -> float:
    """Tell it to; returns how long it took, in seconds."""
    assert worker.pid is not None
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    eventually(lambda: worker.exit_status() is not None)
    return time.monotonic() - began


def launch(api: Api, seconds: float) -> str:
    job_id = api.launch(job(payload=waiting(seconds, steps=1)))
    api.expect(job_id, "running")
    return job_id


def test_a_task_that_takes_too_long_goes_back_to_its_queue(api):
    with running_worker(api, SHIPPED_DOCUMENTS, worker_stop_s=0.5) as worker:
        job_id = launch(api, 20)
        assert stop(worker) < 10
    found = api.job(job_id)
    assert found["status"] == "pending"
    assert "has shut down; the broker will deliver the message again" in found["reason"]
    depths = api.get("/api/tracking/queue-depth")
    assert ([queue["messages"] for queue in depths["queues"]], depths["unacknowledged"]) == ([1], 0)
    api.post(job_id, "cancel")


def test_a_task_that_is_done_in_time_completes_and_the_worker_does_not_wait_any_longer(api):
    with running_worker(api, SHIPPED_DOCUMENTS, worker_stop_s=30) as worker:
        job_id = launch(api, 1)
        assert stop(worker) < 15
    assert api.job(job_id)["status"] == "completed"


def test_a_file_is_renewed_while_a_worker_consumes_and_gone_when_it_stops(api, tmp_path):
    path = tmp_path / "alive"
    with running_worker(api, SHIPPED_DOCUMENTS, worker_liveness_file=path) as worker:
        first = path.stat().st_mtime_ns
        eventually(lambda: path.stat().st_mtime_ns > first)
        stop(worker)
    assert not path.exists()


def test_a_worker_that_hangs_is_killed_and_what_runs_it_is_told(api, tmp_path):
    settings = {"worker_liveness_file": tmp_path / "alive", "worker_hung_s": 4, "module": "workers.watchdog"}
    with running_worker(api, SHIPPED_DOCUMENTS, **settings) as worker:
        for process in processes_below(worker.pid):
            os.kill(process, signal.SIGSTOP)
        eventually(lambda: worker.exit_status() is not None)
        assert worker.exit_status() == 70
        assert "does not answer for 4 s" in worker.log_tail()


def test_a_watchdog_passes_on_what_it_is_told(api, tmp_path):
    settings = {"worker_liveness_file": tmp_path / "alive", "module": "workers.watchdog", "worker_stop_s": 30}
    with running_worker(api, SHIPPED_DOCUMENTS, **settings) as worker:
        job_id = launch(api, 1)
        assert stop(worker) < 15
        assert worker.exit_status() == 0
    assert api.job(job_id)["status"] == "completed"
