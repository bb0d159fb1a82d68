"""What a test does with its tracked jobs: send, wait, look, cancel."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest
from celery import Celery, Signature
from celery.result import AsyncResult

from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.errors import IllegalTransitionError
from jobtracker.instrumentation.tracker import Tracker
from jobtracker.schemas.filters import JobFilter
from jobtracker.schemas.jobs import Job, JobTree
from jobtracker.schemas.requests import SubJobCreate
from jobtracker.settings import Settings
from jobtracker.store.schema import JobRecord
from jobtracker.testing import workers
from jobtracker.testing.apps import redirected

_POLL_S = 0.005
_LOG_LINES = 5
_WORKER_LOG_LINES = 30
_IN_THREAD = "solo"


class HasId(Protocol):
    """A job, or what `delay()` returns."""

    @property
    def id(self) -> str | None:
        """The job's id."""


class TrackedJobs:
    """The jobs of one test, on a worker of its own.

    A job is given as its id, as a `Job`, or as what `delay()` returned.

    Args:
        app: The app, pointed at the test's servers.
        tracker: Its tracker.
        log_path: Where the worker logs, if it is a process of its own.

    Attributes:
        timeout_s: How long `run` and `wait` wait where they are not told, in seconds.
    """

    def __init__(self, app: Celery, tracker: Tracker, log_path: Path | None = None) -> None:
        self.app = app
        self.tracker = tracker
        self.timeout_s = 10.0
        self._queries = tracker.tracking.queries
        self._service = tracker.tracking.jobs
        self._log_path = log_path

    def run(
        self,
        what: Signature | str,
        payload: dict[str, Any] | None = None,
        *,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> JobTree:
        """Send a signature, or start a job of a type, and wait until it has settled.

        Args:
            what: `task.s(…)`, a chain or a chord; or the name of a job type.
            payload: Of that type.
            timeout_s: The longest that it may take, in seconds.
            fields: More of the job of that type, as for `start`.

        Returns:
            The settled job; `sub_jobs` of a chord are its header.
        """
        if isinstance(what, Signature):
            if payload is not None or fields:
                raise TypeError(
                    "A signature has its arguments already: payload and fields are for a job type's name."
                )
            return self.wait(self.send(what), timeout_s=timeout_s)
        return self.wait(self.start(what, payload, **fields), timeout_s=timeout_s)

    def send(self, signature: Signature) -> JobTree:
        """Send a signature and don't wait: returns its job, that of a chain's last task or of a chord's body."""
        if not isinstance(signature.clone().freeze(), AsyncResult):
            raise TypeError(
                "A group is many jobs: nothing was sent. Send its signatures one by one, or a chord of it."
            )
        return self.get(signature.apply_async())

    def start(self, job_type: str, payload: dict[str, Any] | None = None, **fields: Any) -> JobTree:
        """Create a job of a type and start it, as the API does: the payload is checked.

        Args:
            job_type: A type of the app's.
            payload: The task's keyword arguments.
            fields: name, priority, tags, sub_jobs, failure_policy; see `jobtracker.SubJobCreate`.

        Raises:
            UnknownJobTypeError: The app has no such type.
            InvalidPayloadError: The payload does not fit the type.
        """
        job = SubJobCreate(name=fields.pop("name", job_type), job_type=job_type, payload=payload or {}, **fields)
        return self.get(self._service.submit(job))

    def wait(self, job: HasId | str, *, until: Status | str | None = None, timeout_s: float | None = None) -> JobTree:
        """Wait until a job has settled, or is in a status; returns it. Fails the test where it takes too long."""
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        job_id, deadline = _id(job), time.monotonic() + timeout_s
        awaited = SETTLED if until is None else {Status(until)}
        while (status := self._queries.field(job_id, JobRecord.status)) not in awaited:
            is_over = status in SETTLED
            if is_over or time.monotonic() > deadline:
                wanted = f"was to be {until}" if until else "was to settle"
                why = f"is {status} now" if is_over else f"did not within {timeout_s:g} s"
                pytest.fail(f"Job {job_id} {wanted} and {why}:\n{self.describe(job_id)}", pytrace=False)
            time.sleep(_POLL_S)
        return self.get(job_id)

    def get(self, job: HasId | str) -> JobTree:
        """A job as it is now, with its sub-jobs.

        Raises:
            JobNotFoundError: It is not tracked.
        """
        return self._queries.tree(_id(job))

    def all(self) -> list[Job]:
        """All jobs of this test in the order of their creation, no matter who sent them; at most a hundred."""
        page = self._queries.page(JobFilter(), size=100)
        return self._queries.get_many([job.id for job in reversed(page.jobs)])

    def log(self, job: HasId | str) -> list[str]:
        """The messages of a job's own log."""
        return [line.message for line in self._queries.log(_id(job))]

    def cancel(self, job: HasId | str, *, reason: str = "cancelled by the test", terminate: bool = False) -> JobTree:
        """Cancel a job, as the API does; returns it as it is then: a running task has to look first."""
        self._service.cancel(_id(job), reason=reason, terminate=terminate)
        return self.get(job)

    def retry(self, job: HasId | str, *, from_failed: bool = False, timeout_s: float | None = None) -> JobTree:
        """Run a failed or cancelled job again, and wait until it has settled.

        Args:
            job: The job, what a call returned, or an id.
            from_failed: Where a job before it in its chain did not complete, run that one again, and so the rest.
            timeout_s: How long to wait.
        """
        self._service.retry(_id(job), from_failed=from_failed)
        return self.wait(job, timeout_s=timeout_s)

    def describe(self, job: HasId | str | None = None) -> str:
        """A job and all below it on paper, or all jobs of the test: where each is and why, and its last log lines."""
        if job is not None:
            trees = [self.get(job)]
        else:
            trees = [self.get(each) for each in self.all() if each.parent_id is None]
        lines = [line for tree in trees for line in self._lines(tree)] or ["No job was tracked."]
        if self._log_path is not None and self._log_path.exists():
            tail = self._log_path.read_text(errors="replace").splitlines()[-_WORKER_LOG_LINES:]
            lines += ["", "The end of the worker's log:", *tail]
        return "\n".join(lines)

    def _lines(self, tree: JobTree, indent: str = "") -> Iterator[str]:
        progress = f", {tree.progress.done:g} of {tree.progress.total:g}" if tree.progress else ""
        note = f" ({tree.progress.note})" if tree.progress and tree.progress.note else ""
        error = f"{tree.error.type}: {tree.error.message}" if tree.error else tree.reason
        why = f": {error}" if error else ""
        yield f"{indent}{tree.status:<9} {tree.name} {tree.id}{progress}{note}{why}"
        for message in self.log(tree)[-_LOG_LINES:]:
            yield f"{indent}          | {message}"
        for sub_job in tree.sub_jobs:
            yield from self._lines(sub_job, indent + "    ")


@contextmanager
def open_jobs(
    app: Celery,
    redis_url: str,
    *,
    app_name: str,
    log_dir: Path,
    pool: str = _IN_THREAD,
    concurrency: int = 1,
) -> Iterator[TrackedJobs]:
    """An app, pointed at a prefix of its own on a server, with a worker for all queues that something is sent to.

    Args:
        app: The app.
        redis_url: The server.
        app_name: Its name, for a worker that is a process.
        log_dir: Where such a worker logs.
        pool: Celery's name of the worker's pool; solo is a thread of this process.
        concurrency: Its processes, threads or greenlets.
    """
    if pool != _IN_THREAD and not app_name:
        pytest.fail(
            f"A worker with the pool {pool} is a process of its own and has to import your app: name it in pytest's "
            'configuration, jobtracker_app = "shop.app:app".',
            pytrace=False,
        )
    own = Tracker.of(app)
    settings = (own.settings if own else Settings()).model_copy(
        update={
            "redis_url": redis_url,
            "redis_db": 0,
            "celery_broker_url": None,
            "celery_result_backend": None,
            "tracking_namespace": f"test-{uuid.uuid4().hex[:12]}",
            "tracking_timeout_s": 5,
            "jobtracker_enabled": True,
            "progress_interval_s": 0,
        }
    )
    hostname = f"{settings.tracking_namespace}@test"
    with redirected(app, settings) as tracker:
        log_path = log_dir / "worker.log"
        jobs = TrackedJobs(app, tracker, None if pool == _IN_THREAD else log_path)
        of_types: set[str] = {job_type.queue for job_type in tracker.job_types() if job_type.queue}
        queues = sorted(of_types | set(app.amqp.queues.consume_from))

        def wait_until_ready(is_alive: Callable[[], bool]) -> None:
            deadline = time.monotonic() + workers.START_TIMEOUT_S
            while not any(worker.name == hostname for worker in tracker.tracking.leases.live()):
                if not is_alive() or time.monotonic() > deadline:
                    pytest.fail(f"The worker did not start.\n{jobs.describe()}", pytrace=False)
                time.sleep(_POLL_S)

        if pool == _IN_THREAD:
            worker = workers.worker_thread(app, hostname, queues, wait_until_ready)
        else:
            arguments = ["-P", pool, "-c", str(concurrency), "-n", hostname, "-Q", ",".join(queues), *_QUIET]
            worker = workers.worker_process(app_name, settings, arguments, log_path, wait_until_ready)
        try:
            with worker, workers.consuming_all(app, hostname, queues):
                try:
                    yield jobs
                finally:
                    _cancel_rest(jobs)
        finally:
            _remove_keys(tracker)


_QUIET = ["--loglevel", "INFO", "--without-mingle", "--without-gossip", "--without-heartbeat"]


def _cancel_rest(jobs: TrackedJobs) -> None:
    for job in jobs.all():
        if job.status not in SETTLED and job.parent_id is None:
            with suppress(IllegalTransitionError):  # it has just settled
                jobs.cancel(job, reason="its test has ended")


def _remove_keys(tracker: Tracker) -> None:
    client = tracker.tracking.client
    pattern = f"{tracker.tracking.settings.tracking_namespace}:*"
    for keys in iter(lambda: list(client.scan_iter(match=pattern, count=1000)), []):
        client.unlink(*keys)


def _id(job: HasId | str) -> str:
    return job if isinstance(job, str) else str(job.id)
