"""Docker Compose for real: `make test-compose`, wherever an engine is. No other run of the tests collects this file.

Image, containers, network, volume and ports are of its own, by name, and gone in the end. The base images are what
PYTHON_IMAGE and REDIS_IMAGE say.
"""

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from support.documented_examples import DOCUMENT, ENTITIES, PAGE, PENDING, STATS, TREE, send
from support.liveness import wait_until
from support.serving import ROOT, waiting

from jobtracker import Client, Status
from jobtracker.local.ports import free_port
from jobtracker.schemas.jobs import Job
from jobtracker.server.settings import ApiSettings
from jobtracker.store.keys import Keys

pytestmark = pytest.mark.timeout(1200)

GRACE_S = 10
AGAIN_WITHIN_S = 60
"""So soon runs again what was lost with its worker: LEASE_LOST_S, MAINTENANCE_INTERVAL_S and some more."""
WORKERS = 4
FILES_BYTES = 640_000_000
"""The most that the image may add to its base."""


class Stack:
    """A stack under a name of its own, driven by the Makefile as a user does."""

    def __init__(self) -> None:
        self.name = f"jobtracker-check-{secrets.token_hex(4)}"
        self.user = ("checker", secrets.token_hex(8))
        self.api_port, self.flower_port = free_port(), free_port()
        of_make = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS"}
        kept = {k: v for k, v in os.environ.items() if k not in of_make and k.lower() not in ApiSettings.model_fields}
        self.env = {
            **kept,
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_ENV_FILES": os.devnull,
            "JOBTRACKER_IMAGE": self.name,
            "API_HOST": "127.0.0.1",
            "API_PORT": str(self.api_port),
            "FLOWER_ADDRESS": "127.0.0.1",
            "FLOWER_PORT": str(self.flower_port),
            "FLOWER_BASIC_AUTH": ":".join(self.user),
        }
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.api_port}", timeout=20, trust_env=False)
        self.client = Client(str(self.http.base_url))
        self.began = 0.0

    def make(self, target: str, args: str = "", **env: str) -> str:
        """What a target of the Makefile prints; it must succeed."""
        return self.run("make", "--no-print-directory", target, f"ARGS={args}", **env)

    def compose(self, *args: str, **env: str) -> str:
        """What a command of Compose prints."""
        return self.run(*os.environ.get("COMPOSE", "docker compose").split(), *args, **env)

    def docker(self, *args: str) -> list[str]:
        """The words that a command of Docker prints."""
        return self.run("docker", *args).split()

    def run(self, *argv: str, **env: str) -> str:
        """What a command prints."""
        done = subprocess.run(argv, cwd=ROOT, env={**self.env, **env}, text=True, capture_output=True, check=False)
        assert done.returncode == 0, (
            f"{argv} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        )
        return done.stdout

    def flower(self, path: str, user: tuple[str, str] | None = None) -> httpx.Response:
        """Flower's answer."""
        return httpx.get(f"http://127.0.0.1:{self.flower_port}{path}", auth=user, timeout=20, trust_env=False)

    def started(self) -> list[str]:
        """What has become of the containers since `began`, in its order, e.g. "start redis"."""
        service = '{{index .Actor.Attributes "com.docker.compose.service"}}'
        which = [f"label=com.docker.compose.project={self.name}", "event=start", "event=health_status"]
        filters = [word for each in which for word in ("--filter", each)]
        period = ["--since", f"{self.began:.9f}", "--until", f"{time.time():.9f}"]
        return self.run("docker", "events", *period, *filters, "--format", "{{.Action}} " + service).splitlines()

    def stop(self) -> None:
        """Stop all, which must not take longer than an engine waits for before it kills."""
        began = time.monotonic()
        self.make("stop")
        assert time.monotonic() - began < GRACE_S

    def remove(self) -> None:
        """Leave nothing behind."""
        self.http.close()
        self.client.close()
        self.make("clean")
        mine = f"label=com.docker.compose.project={self.name}"
        if images := self.docker("image", "ls", "--quiet", self.name):
            self.docker("image", "rm", *images)
        for kind, all_of_them in (("container", ["--all"]), ("volume", []), ("network", [])):
            assert self.docker(kind, "ls", "--quiet", *all_of_them, "--filter", mine) == []


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    stack = Stack()
    failed_before, is_up = request.session.testsfailed, False
    try:
        stack.make("build")
        stack.began = time.time()
        stack.make("run")
        is_up = True
        yield stack
    finally:
        if not is_up or request.session.testsfailed > failed_before:
            with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
                print(stack.compose("logs", "--tail", "60"))  # noqa: T201
        stack.remove()


@contextmanager
def slow_client(stack: Stack) -> Iterator[None]:
    """Somebody who sends a request to the API and does not come to its end."""
    with socket.create_connection(("127.0.0.1", stack.api_port)) as connection:
        connection.sendall(b"POST /api/jobs/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        yield


def finished(stack: Stack, job_id: str) -> Job:
    """A job once it has completed."""
    job = stack.client.wait(job_id, timeout_s=120)
    assert job.status is Status.COMPLETED, job
    return job


def created(stack: Stack, command: str) -> str:
    """The id of the job that an example of the documentation makes."""
    response = send(stack.http, command)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def test_nothing_starts_before_redis_is_healthy(stack):
    started = stack.started()  # asked for at once: the engine remembers its latest events only
    redis_is_healthy = started.index("health_status: healthy redis")
    assert all(started.index(f"start {name}") > redis_is_healthy for name in ("api", "worker", "flower"))


def test_redis_is_redis_8_and_writes_down_what_it_is_told(stack):
    redis = stack.http.get("/api/health").json()["components"]["redis"]["facts"]
    assert (redis["version"].partition(".")[0], redis["append_only"]) == ("8", True)


def test_the_documented_document_job_waits_to_be_started_and_completes(stack):
    job_id = created(stack, DOCUMENT)
    assert job_id in {job["id"] for job in send(stack.http, PENDING).json()["jobs"]}
    stack.client.start(job_id)
    result = finished(stack, job_id).result
    assert (result["document_id"], result["language"]["code"]) == ("doc123", "en")


def test_the_documented_tree_runs_to_its_end_and_is_counted(stack):
    root = created(stack, TREE)
    stack.client.start(root)
    findings = finished(stack, root).result["findings"]
    assert findings["entities"]
    assert findings["medications"]
    entities, medications = stack.client.tree(root).sub_jobs
    assert (entities.status, medications.status) == (Status.COMPLETED, Status.COMPLETED)
    assert entities.id in {job["id"] for job in send(stack.http, ENTITIES).json()["jobs"]}
    assert send(stack.http, STATS).json()["by_status"]["completed"] >= 3
    assert send(stack.http, PAGE).json()["page_size"] == 10


def test_the_api_and_flower_agree_on_what_runs_where_without_task_events(stack):
    stack.make("run", f"--scale worker={WORKERS}")
    told = {worker.name: worker for worker in stack.client.workers()}
    assert len(told) == WORKERS

    def shown() -> dict[str, Any]:
        return dict(stack.flower("/api/workers?refresh=1", stack.user).json())

    wait_until(lambda: shown().keys() == told.keys(), timeout_s=30)
    for name, worker in shown().items():
        assert worker["conf"]["worker_send_task_events"] is False
        assert [queue["name"] for queue in worker["active_queues"]] == told[name].queues == ["jobtracker"]
        assert worker["stats"]["pool"]["processes"] == told[name].stats["pool"]["processes"]
        assert worker["stats"]["pool"]["implementation"].startswith("celery.concurrency.prefork:")


def test_flower_opens_with_its_password_only(stack):
    assert [stack.flower(path).status_code for path in ("/", "/workers", "/api/workers")] == [401] * 3
    assert stack.flower("/workers", (stack.user[0], "guess")).status_code == 401
    assert "celery@" in stack.flower("/workers", stack.user).text


def test_without_a_password_nothing_starts_and_compose_says_what_to_do(stack):
    with pytest.raises(AssertionError, match="set it to user:password in the environment"):
        stack.compose("up", "--detach", FLOWER_BASIC_AUTH="")


def test_the_image_holds_what_runs_and_not_more(stack):
    in_it = "id -u; ls /app; cd /opt/jobtracker/lib/python3*/site-packages; ls -d pip uv pytest mypy hatchling; "
    in_it += "command -v cc gcc; ls -A /tmp; touch /app/x /opt/jobtracker/x && echo it can be written to"
    script = f"({in_it}) 2> /dev/null; true"
    assert stack.docker("run", "--rm", "--entrypoint", "sh", stack.name, "-c", script) == ["10001", "api", "workers"]
    base = os.environ.get("PYTHON_IMAGE", "python:3.13-slim-trixie")
    own, of_base = map(int, stack.docker("image", "inspect", "--format", "{{.Size}}", stack.name, base))
    assert own - of_base < FILES_BYTES


def test_what_is_stopped_stops_in_time_gives_its_tasks_back_and_goes_on_later(stack):
    stack.make("run", f"--scale worker={WORKERS}")
    done = created(stack, DOCUMENT)
    stack.client.start(done)
    finished(stack, done)
    payload = waiting(2 * GRACE_S)
    jobs = [stack.client.create("custom", payload, start=True).id for _ in range(WORKERS)]
    wait_until(lambda: all(stack.client.get(job_id).status is Status.RUNNING for job_id in jobs))
    with slow_client(stack):
        stack.stop()

    stack.compose("up", "--detach", "--wait", "api")  # without a worker
    for job_id in jobs:
        job = stack.client.get(job_id)
        assert (job.status, job.deliveries) == (Status.PENDING, 1)
        assert "has shut down; the broker will deliver the message again" in job.reason
    assert stack.client.get(done).status is Status.COMPLETED

    stack.make("run", f"--scale worker={WORKERS}")
    assert [finished(stack, job_id).deliveries for job_id in jobs] == [2] * WORKERS


def started_job(stack: Stack) -> Job:
    """A job that a worker runs, for a while."""
    job_id = stack.client.create("custom", waiting(2 * GRACE_S), start=True).id
    wait_until(lambda: stack.client.get(job_id).status is Status.RUNNING)
    return stack.client.get(job_id)


def expect_one_more_run(stack: Stack, job_id: str) -> None:
    """A job whose worker has just died begins once more within a minute, and completes."""
    wait_until(lambda: stack.client.get(job_id).deliveries == 2, timeout_s=AGAIN_WITHIN_S)
    done = finished(stack, job_id)
    assert (done.run, done.deliveries, done.double_runs) == (1, 2, 0)


def test_what_a_killed_worker_ran_runs_once_more_within_a_minute(stack):
    stack.make("run", "--scale worker=2")
    job = started_job(stack)
    stack.docker("kill", "--signal", "KILL", job.worker.partition("@")[2])
    expect_one_more_run(stack, job.id)


def test_what_ran_when_all_containers_ended_at_once_runs_once_more_within_a_minute(stack):
    stack.make("run")
    job = started_job(stack)
    containers = stack.docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={stack.name}")
    # As an engine that is restarted: SIGTERM to all of them at once, Redis too, and SIGKILL to what is left.
    stack.docker("stop", "--time", str(GRACE_S), *containers)
    stack.docker("start", *containers)
    stack.make("run")  # waits until all is healthy
    expect_one_more_run(stack, job.id)


def test_an_api_of_several_processes_and_a_store_of_several_partitions_do_the_same(stack):
    stack.make("clean")
    stack.make("run", API_WORKERS="2", TRACKING_PARTITIONS="3")
    root = created(stack, TREE)
    stack.client.start(root)
    finished(stack, root)
    key = Keys("jobtracker", 3)("partitions")
    assert stack.compose("exec", "-T", "redis", "redis-cli", "get", key).strip() == "3"
    assert stack.compose("top", "api").count("multiprocessing.spawn") == 2
    with slow_client(stack):
        stack.stop()
