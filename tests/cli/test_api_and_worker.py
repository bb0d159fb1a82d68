"""`jobtracker api` and `jobtracker worker`: the applications of the checkout, and a worker of somebody's own app."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from support.commands import lines
from support.liveness import wait_until
from support.serving import Api, environment, job, running, running_api

pytestmark = [pytest.mark.thorough, pytest.mark.long]

OWN_APP = """
from celery import Celery
from jobtracker import Settings, Tracker

settings = Settings.from_env()
app = Celery("shop", broker=settings.broker_url, backend=settings.result_backend)
app.conf.worker_concurrency = 3
tracker = Tracker(app, settings)


@tracker.task("invoice")
def invoice(customer: str) -> str:
    return customer.upper()
"""
DB = 10
"""A database of this module's own: its broker's keys have no namespace."""


@pytest.fixture(scope="module")
def own_api(redis_server, tmp_path_factory) -> Iterator[Api]:
    """An API that the command runs."""
    with running_api(
        tmp_path_factory.mktemp("cli-api"),
        command=("jobtracker.cli", "api"),
        redis_url=redis_server.url,
        redis_db=DB,
        inspect_cache_s=0.1,
    ) as api:
        yield api


def settings_of(api: Api) -> dict[str, object]:
    return api.settings.model_dump(include={"redis_url", "redis_db", "tracking_namespace"})


def test_the_api_is_the_process_itself_so_that_signals_reach_it(own_api):
    command = subprocess.run(
        ["ps", "-o", "args=", "-p", str(own_api.process.pid)], check=True, capture_output=True, text=True
    )
    assert "jobtracker.server" in command.stdout


@pytest.fixture
def solo_worker(own_api, tmp_path) -> Iterator[None]:
    """A worker that the command runs, of a pool that is not the default."""
    command = ["jobtracker.cli", "worker", "-c", "1", "-Q", "jobtracker", "--", "--pool", "solo", "--without-mingle"]
    with running("worker", command, tmp_path / "worker.log", settings_of(own_api)) as process:
        process.wait_until_ready(lambda: "solo" in str(own_api.get("/api/tracking/worker-stats")), timeout_s=30)
        yield


@pytest.mark.usefixtures("solo_worker")
def test_the_shipped_tasks_are_worked_on_in_the_pool_that_is_asked_for(own_api):
    shown = lines(own_api, "jobs", "create", "workers.checksum", "-p", "text=x", "--wait", "--timeout", "20")
    assert "sha256" in shown[-1]


@pytest.mark.usefixtures("solo_worker")
def test_where_the_pool_can_not_kill_a_cancel_by_force_says_so(own_api):
    job_id = own_api.launch(job("workers.wait", {"seconds": 60, "steps": 60}))
    own_api.expect(job_id, "running")
    [line] = lines(own_api, "jobs", "cancel", job_id, "--terminate")
    assert "a solo pool can't kill a task" in line
    assert "told to kill" not in line
    own_api.expect(job_id, "cancelled")


def test_a_worker_of_an_app_in_the_current_folder_has_its_job_types(own_api, tmp_path):
    (tmp_path / "shop.py").write_text(OWN_APP)
    command = [
        sys.executable,
        "-m",
        "jobtracker.cli",
        "worker",
        "-A",
        "shop",
        "--",
        "--pool",
        "threads",
        "--without-mingle",
    ]
    with (tmp_path / "worker.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment(settings_of(own_api)), stdout=log, stderr=log
        )
    try:
        wait_until(lambda: "invoice" in str(own_api.get("/api/tracking/job-types")), timeout_s=30)
        shown = lines(own_api, "jobs", "create", "invoice", "-p", "customer=ada", "--wait", "--timeout", "20")
        assert shown[-1].startswith("invoice  completed")
        assert "ADA" in shown[-1]
        assert [each["lease"]["concurrency"] for each in own_api.get("/api/tracking/worker-stats")] == [3]
    finally:
        process.kill()
        process.wait()
