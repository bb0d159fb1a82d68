"""Sample jobs within their budgets, in real workers: cancelled at any moment, gone with their worker."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.confined_work import LONG_TEXT, confined_processes
from support.liveness import is_alive, wait_until
from support.serving import SHIPPED_DOCUMENTS, Api, eventually, job, running_api, running_worker

from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.thorough

CONFINED_DB = 14
LONG_JOB = job("entity_extraction", {"text": LONG_TEXT})


@pytest.fixture(scope="module")
def confined_api(redis_server: EmbeddedRedis, api_log_dir: Path) -> Iterator[Api]:
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=CONFINED_DB, inspect_cache_s=0.5) as api:
        yield api


@pytest.fixture(params=["prefork", "threads"])
def worker_of_one(request: pytest.FixtureRequest, confined_api: Api) -> Iterator[ChildProcess]:
    """A worker that does one job at a time, in a pool."""
    options = ["--concurrency", "1", "--pool", request.param]
    with running_worker(confined_api, SHIPPED_DOCUMENTS, *options, lease_renew_s=1, lease_lost_s=4) as worker:
        yield worker


def launched(api: Api, worker: ChildProcess) -> tuple[str, int]:
    """A long job that is being worked on, and the process that does."""
    job_id = api.launch(LONG_JOB)
    found: set[int] = set()

    def is_at_work() -> bool:
        found.update(confined_processes(worker.pid))
        return bool(found)

    eventually(is_at_work)
    return job_id, found.pop()


@pytest.mark.parametrize("after_s", [0, 1, 3])
def test_a_cancelled_job_has_stopped(confined_api, worker_of_one, after_s):
    job_id, process = launched(confined_api, worker_of_one)
    time.sleep(after_s)
    confined_api.post(job_id, "cancel")
    confined_api.expect(job_id, "cancelled")
    assert not is_alive(process)
    assert confined_api.expect(confined_api.launch(job("document_analysis", {"text": "Noon."})), "completed")


@pytest.mark.parametrize("worker_of_one", ["prefork"], indirect=True)
def test_a_job_that_is_cancelled_by_force_has_stopped(confined_api, worker_of_one):
    job_id, process = launched(confined_api, worker_of_one)
    confined_api.expect(job_id, "running")
    confined_api.post(job_id, "cancel", json={"terminate": True})
    confined_api.expect(job_id, "cancelled")
    wait_until(lambda: not is_alive(process), timeout_s=2)  # it gets its SIGKILL when the process above it has ended


def test_progress_and_log_of_the_work_are_the_jobs(confined_api, worker_of_one):
    job_id, _ = launched(confined_api, worker_of_one)
    eventually(lambda: confined_api.job(job_id)["progress"])
    lines = [line["message"] for line in confined_api.get(f"/api/jobs/{job_id}/logs")]
    assert lines == [f"read the text itself: text/plain, {len(LONG_TEXT):,} characters"]
    confined_api.post(job_id, "cancel")
    confined_api.expect(job_id, "cancelled")


def test_a_job_that_uses_too_much_says_so(confined_api):
    with running_worker(confined_api, SHIPPED_DOCUMENTS, "--concurrency", "1", job_cpu_s=1):
        job_id = confined_api.launch(LONG_JOB)
        reason = confined_api.expect(job_id, "failed")["reason"]
    assert "used more than 1 s of CPU time" in reason


def test_the_work_ends_with_its_worker(confined_api, worker_of_one):
    job_id, process = launched(confined_api, worker_of_one)
    assert worker_of_one.pid is not None
    os.kill(worker_of_one.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(process))
    confined_api.post(job_id, "cancel", json={"terminate": True})
