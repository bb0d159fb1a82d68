"""API processes for tests, and what tests ask them."""

import contextlib
import os
import signal
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobtracker.connection.client import RedisClient, connect
from jobtracker.local.child_process import ChildProcess
from jobtracker.local.ports import free_port
from jobtracker.server.settings import ApiSettings
from jobtracker.store.keys import Keys
from jobtracker.store.writer import JobStore

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 40
SETTLED = {"completed", "failed", "cancelled"}
SHIPPED_DOCUMENTS = ROOT / "workers" / "sample_documents"

Json = dict[str, Any]


class Api:
    """A running API process, spoken to over HTTP.

    Attributes:
        http: A client of it.
        settings: What it was started with.
        process: The process.
        client: Its tracking Redis.
        keys: The keys that it has there.
    """

    def __init__(self, http: httpx.Client, settings: ApiSettings, process: ChildProcess) -> None:
        self.http = http
        self.settings = settings
        self.process = process
        self.client: RedisClient = connect(settings.tracking_url, timeout_s=5)
        self.keys = Keys(settings.tracking_namespace)

    @property
    def store(self) -> JobStore:
        """The writer of what it reads, for jobs with a past."""
        return JobStore(self.client, self.keys)

    def request(self, method: str, path: str, status: int, **options: Any) -> Any:
        """The JSON of an answer that must have that status; None where it has no body."""
        response = self.http.request(method, path, **options)
        assert response.status_code == status, response.text[:1000]
        return response.json() if response.content else None

    def get(self, path: str, **params: Any) -> Any:
        """GET, as JSON."""
        return self.request("GET", path, 200, params=params)

    def problem(self, method: str, path: str, status: int, **options: Any) -> Json:
        """The problem details of an answer that must be a refusal with that status."""
        return problem_of(self.http.request(method, path, **options), status)

    def create(self, body: Json | None = None, **more: Any) -> Json:
        """Create what the body says, a job or a tree; by default a job that is done at once."""
        body = {**(body or job()), **more}
        created: Json = self.request("POST", path_of(body), 201, json=body)
        return created

    def launch(self, body: Json | None = None, **more: Any) -> str:
        """Create it and start it; returns its id."""
        return str(self.create(body, start=True, **more)["id"])

    def job(self, job_id: str) -> Json:
        """A job."""
        found: Json = self.get(f"/api/jobs/{job_id}")
        return found

    def tree(self, job_id: str) -> Json:
        """A job with all below it."""
        found: Json = self.get(f"/api/jobs/{job_id}/with-subjobs")
        return found

    def post(self, job_id: str, verb: str, **options: Any) -> Json:
        """Start, cancel or retry a job."""
        answer: Json = self.request("POST", f"/api/jobs/{job_id}/{verb}", 200, **options)
        return answer

    def refused(self, job_id: str, verb: str, **options: Any) -> str:
        """Why a job can't be started, cancelled or retried now."""
        return str(self.problem("POST", f"/api/jobs/{job_id}/{verb}", 409, **options)["detail"])

    def expect(self, job_id: str, *statuses: str) -> Json:
        """Wait until a job has one of the statuses; it must not settle in another one."""
        found: Json = {}

        def is_there() -> bool:
            found.update(self.job(job_id))
            done: bool = found["status"] in statuses
            assert done or found["status"] not in SETTLED, f"{found['status']}: {found['reason']}"
            return done

        eventually(is_there, lambda: f"it is {found.get('status')}, not {statuses}")
        return found

    def log_lines(self) -> list[str]:
        """What it has logged so far."""
        return lines_of(self.process.log_path)


def job(job_type: str = "custom", payload: Json | None = None, **fields: Any) -> Json:
    """The body of a request that creates a job; by default of one that is done at once."""
    if payload is None and job_type == "custom":
        payload = waiting(0)
    return {"name": job_type, "job_type": job_type, "payload": payload or {}, **fields}


def parent(*sub_jobs: Json, **fields: Any) -> Json:
    """The body of a request that creates a parent, whose own task takes no time to speak of."""
    payload = {"text": "Ferries leave at noon.", "analysis_type": "summary"}
    return job("document_analysis", payload, **{"name": "parent", "sub_jobs": list(sub_jobs), **fields})


def waiting(seconds: float, steps: int = 1) -> Json:
    """The payload of a custom job that waits, and looks for a cancel after each step."""
    return {"task": "workers.wait", "kwargs": {"seconds": seconds, "steps": steps}}


def path_of(body: Json) -> str:
    """Where a body is posted to."""
    return "/api/jobs/with-subjobs" if "sub_jobs" in body else "/api/jobs/"


def problem_of(response: httpx.Response, status: int) -> Json:
    """The problem details of a response that must have that status."""
    assert response.status_code == status, response.text[:1000]
    assert response.headers["content-type"] == "application/problem+json"
    problem: Json = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


def lines_of(log_path: Path) -> list[str]:
    """The lines that have been written to their end."""
    return log_path.read_text().split("\n")[:-1]


def fields_of(problem: Json) -> list[str]:
    """The fields that are to blame."""
    return [error["field"] for error in problem.get("errors", [])]


def eventually(
    condition: Any, explain: Any = lambda: "it did not come true in time", patience_s: float = PATIENCE_S
) -> None:
    """Fail unless a condition comes true in time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(explain())
        time.sleep(0.02)


def environment(settings: dict[str, Any]) -> dict[str, str]:
    """The environment of a process that is to have these settings, and no others of ours."""
    known = set(ApiSettings.model_fields)
    others = {name: value for name, value in os.environ.items() if name.lower() not in known}
    return {**others, **{name.upper(): str(value) for name, value in settings.items()}, "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def running(name: str, command: Sequence[str], log_path: Path, settings: dict[str, Any]) -> Iterator[ChildProcess]:
    """A Python process of the repository; it ends with all its children when the context does."""
    process = ChildProcess(
        name,
        [sys.executable, "-m", *command],
        log_path=log_path,
        cwd=ROOT,
        env=environment(settings),
        stop_steps=[(signal.SIGTERM, 5), (signal.SIGQUIT, 2)],
    )
    process.start()
    try:
        yield process
    except BaseException:
        print(process.log_tail(40))  # noqa: T201 (pytest shows it with the failure)
        raise
    finally:
        process.stop()


@contextlib.contextmanager
def running_api(log_dir: Path, *, command: Sequence[str] = ("api.main",), **settings: Any) -> Iterator[Api]:
    """An API that answers; by default with a namespace that no other has.

    Args:
        log_dir: Where its log goes.
        command: The Python module that serves it, with its arguments; uvicorn gets host and port as well.
        settings: Settings beside host, port and namespace.
    """
    settings = {
        "api_host": "127.0.0.1",
        "api_port": free_port(),
        "tracking_namespace": f"api-{uuid.uuid4().hex[:12]}",
        **settings,
    }
    log_path = log_dir / f"api-{settings['api_port']}.log"
    listening = ["--host", settings["api_host"], "--port", str(settings["api_port"])] if len(command) > 1 else []
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{settings['api_port']}", timeout=20) as http,
        running("API", [*command, *listening], log_path, settings) as process,
    ):
        process.wait_until_ready(lambda: _answers(http), timeout_s=PATIENCE_S)
        api = Api(http, ApiSettings.model_validate(settings), process)
        with api.client:
            yield api


@contextlib.contextmanager
def running_worker(
    api: Api, documents: Path, *options: str, module: str = "workers", **settings: Any
) -> Iterator[ChildProcess]:
    """A worker of the shipped tasks for an API, which looks for documents in that folder; it consumes.

    Args:
        api: Whose.
        documents: The folder.
        options: Further options of Celery's.
        module: What runs the worker.
        settings: Settings of the worker's own.
    """
    log_path = api.process.log_path.with_name(f"worker-{api.settings.api_port}.log")
    command = [module, "--loglevel", "INFO", "--concurrency", "2"]
    shared = api.settings.model_dump(include=_SHARED, exclude_none=True)
    settings = {**shared, "documents_dir": documents, **settings}
    with running(
        "worker", [*command, "--without-mingle", "--without-gossip", *options], log_path, settings
    ) as process:
        process.wait_until_ready(lambda: _has_workers(api.http), timeout_s=PATIENCE_S)
        yield process


_SHARED = {
    "redis_url",
    "redis_db",
    "tracking_namespace",
    "celery_broker_url",
    "celery_queue_type",
    "celery_result_backend",
}


def _has_workers(http: httpx.Client) -> bool:
    """Whether workers consume, and each has its lease: then its job types are known too."""
    if http.get("/api/tracking/health").status_code != 200:
        return False
    return all(worker["lease"] for worker in http.get("/api/tracking/worker-stats").json())


def _answers(http: httpx.Client) -> bool:
    try:
        http.get("/")
    except httpx.TransportError:
        return False
    return True
