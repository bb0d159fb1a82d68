"""How a worker gets on with what runs it: it says that it consumes, and it ends in time."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps
from celery.signals import celeryd_init, worker_shutting_down
from pydantic import Field

from jobtracker.settings import EnvironmentSettings

LIVENESS_INTERVAL_S = 2.0


class RunSettings(EnvironmentSettings):
    """How a worker runs."""

    worker_stop_s: float | None = Field(
        None, gt=0, description="How long a worker that is told to stop waits for running tasks; default: for all."
    )
    worker_liveness_file: Path | None = Field(
        None, description="A file that is there, and new, while the worker consumes. For health checks."
    )
    worker_hung_s: float = Field(
        120.0, gt=0, description="A worker whose file is older hangs: `python -m workers.watchdog` kills it."
    )


def install(app: Celery, settings: RunSettings) -> None:
    """Let the workers of an app follow the settings; the app has one worker in a process."""
    if settings.worker_stop_s is not None:
        limit_warm_shutdown(settings.worker_stop_s)
    if settings.worker_liveness_file is not None:
        _remove_at_start(settings.worker_liveness_file)
        app.steps["consumer"].add(_LivenessStep.of(settings.worker_liveness_file))


def _remove_at_start(path: Path) -> None:
    """Let no worker that was killed here before vouch for the one that starts."""

    def on_start(**_: Any) -> None:
        path.unlink(missing_ok=True)

    celeryd_init.connect(on_start, weak=False, dispatch_uid="workers.running.remove_at_start")


def limit_warm_shutdown(stop_s: float) -> None:
    """Let this process's worker go on to a cold shutdown `stop_s` seconds after it began a warm one.

    A cold one kills the running tasks, and the messages of those that are acknowledged late go back to their queue.
    A warm one waits as long as they take: what runs containers kills the worker meanwhile, and then they come back
    once its lease is over. Celery's soft shutdown waits the whole time even when they are done
    (celery/worker/worker.py, wait_for_soft_shutdown).
    """

    def on_shutting_down(how: str, **_: Any) -> None:
        if how == "Warm":
            cold = threading.Timer(stop_s, os.kill, (os.getpid(), signal.SIGQUIT))
            cold.daemon = True  # nothing is left to kill if the worker ends before
            cold.start()

    worker_shutting_down.connect(on_shutting_down, weak=False, dispatch_uid="workers.running")


class _LivenessStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Touches a file every few seconds from the worker's own event loop, while it has a connection to the broker.

    Asking the worker (`celery inspect ping`) would start a process that costs more than half a second of a CPU.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)
    path: Path
    _timer: Any = None

    @classmethod
    def of(cls, path: Path) -> "type[_LivenessStep]":
        """The step for a file: Celery makes the instances."""
        return type("LivenessStep", (cls,), {"path": path})

    def start(self, consumer: Any) -> None:
        """The worker consumes, for the first time or again."""
        self.path.touch()
        self._timer = consumer.timer.call_repeatedly(LIVENESS_INTERVAL_S, self.path.touch)

    def stop(self, consumer: Any) -> None:  # noqa: ARG002 (Celery's signature)
        """It has stopped, or has lost the broker."""
        if self._timer is not None:  # a broker that goes away in between stops what has not started
            self._timer.cancel()
        self.path.unlink(missing_ok=True)
