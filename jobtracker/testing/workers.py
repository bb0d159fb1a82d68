"""Workers for tests: in a thread of this process, or a process of their own."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps, signals
from celery.result import _set_task_join_will_block
from celery.worker import WorkController

from jobtracker.errors import JobTrackerError
from jobtracker.local.child_process import ChildProcess
from jobtracker.settings import Settings

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
APP_VARIABLE = "JOBTRACKER_TEST_APP"


class WorkerError(JobTrackerError):
    """A worker did not start or did not stop."""


class _EmbeddedWorker(WorkController):  # type: ignore[misc] # Celery has no types
    """A worker that leaves the logging and the signals of its process alone."""

    def on_consumer_ready(self, consumer: Any) -> None:
        """As Celery's own worker does it (celery/apps/worker.py)."""
        signals.worker_ready.send(sender=consumer)

    def run(self) -> None:
        """Work until `request_stop`."""
        self.app.set_current()  # of this thread
        self.start()
        self.stop()

    def request_stop(self) -> None:
        """Let `run` end, after the task that is under way."""
        self.consumer.blueprint.state = bootsteps.CLOSE
        # The loop waits for a message, so it gets one.
        self.app.control.ping(destination=[self.hostname], timeout=0.001)


@contextmanager
def worker_thread(
    app: Celery, hostname: str, queues: Sequence[str], wait_until_ready: Callable[[Callable[[], bool]], None]
) -> Iterator[None]:
    """A solo worker in a thread.

    Raises:
        WorkerError: A task still ran when the context ended, and went on for `STOP_TIMEOUT_S` seconds.
    """
    worker = _EmbeddedWorker(
        app=app,
        hostname=hostname,
        pool="solo",
        concurrency=1,
        queues=list(queues),
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
    )
    thread = threading.Thread(target=worker.run, name=hostname, daemon=True)
    thread.start()
    wait_until_ready(thread.is_alive)
    _set_task_join_will_block(
        False
    )  # as it was: results may be waited for in this process, which is no worker's child
    try:
        yield
    finally:
        worker.request_stop()
        thread.join(STOP_TIMEOUT_S)
        if thread.is_alive():
            raise WorkerError(
                f"A task still runs {STOP_TIMEOUT_S} s after its test has ended, and a thread can't be killed. Let "
                "the task look at current_job().raise_if_cancelled(), or give the test a process: "
                '@pytest.mark.jobtracker(pool="prefork").'
            )


@contextmanager
def consuming_all(app: Celery, hostname: str, queues: Sequence[str]) -> Iterator[None]:
    """Let a worker also consume each queue that this process sends to meanwhile, also one that only a call names.

    Args:
        app: The app whose worker it is.
        hostname: The worker's name.
        queues: What it consumes already.
    """
    known = set(queues)

    def consume(declare: Sequence[Any] | None = None, **_: Any) -> None:
        for queue in declare or ():
            if queue.name not in known:
                known.add(queue.name)
                app.control.add_consumer(queue.name, destination=[hostname])

    signals.before_task_publish.connect(consume, weak=False, dispatch_uid=f"jobtracker:consume:{hostname}")
    try:
        yield
    finally:
        signals.before_task_publish.disconnect(dispatch_uid=f"jobtracker:consume:{hostname}")


@contextmanager
def worker_process(
    app_name: str,
    settings: Settings,
    arguments: Sequence[str],
    log_path: Path,
    wait_until_ready: Callable[[Callable[[], bool]], None],
) -> Iterator[None]:
    """A worker process with its pool; it is killed when the context ends."""
    wanted = {name.upper(): str(value) for name, value in settings.model_dump(exclude_none=True).items()}
    others = {name: value for name, value in os.environ.items() if name.lower() not in type(settings).model_fields}
    process = ChildProcess(
        "worker",
        [sys.executable, "-m", "jobtracker.testing.worker_main", *arguments],
        log_path=log_path,
        env={**others, **wanted, APP_VARIABLE: app_name, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stop_steps=[],
    )
    process.start()
    try:
        wait_until_ready(lambda: process.exit_status() is None)
        yield
    finally:
        process.stop()
