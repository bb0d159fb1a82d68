"""Tracker(app): attaches jobtracker to a Celery app."""

import functools
import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from celery import Celery, Task
from celery.local import Proxy
from pydantic import BaseModel

from jobtracker.core.declarations import tracked
from jobtracker.core.masking import Keep
from jobtracker.instrumentation.beat import Beat
from jobtracker.instrumentation.job_types import job_types_of
from jobtracker.instrumentation.task_signals import TaskSignals
from jobtracker.instrumentation.worker_lifecycle import WorkerLifecycle
from jobtracker.runtime import Tracking
from jobtracker.schemas.job_types import JobType
from jobtracker.settings import Settings

_attached: "weakref.WeakKeyDictionary[Celery, Tracker]" = weakref.WeakKeyDictionary()


class Tracker:
    """Tracks the tasks of a Celery app, in every process that publishes or runs them.

        app = Celery("shop", broker="redis://…")
        tracker = Tracker(app)

    A second tracker for the same app joins the first one. Tasks that run eagerly are not tracked.

    Args:
        app: The app.
        settings: Where and how to track; default: from the environment (`REDIS_URL` and so on).
        track: "all" tasks of the app, or only the "declared" ones (`@tracked`, `@tracker.task`).
    """

    def __init__(
        self, app: Celery, settings: Settings | None = None, *, track: Literal["all", "declared"] = "all"
    ) -> None:
        app = _unwrapped(app)
        self.app = app
        self.track = track
        self.tracking, self.signals, self.worker = self._connect(settings or Settings.from_env())
        self._beat = Beat(app)
        self.attach()

    @staticmethod
    def of(app: Celery) -> "Tracker | None":
        """The tracker that is attached to an app."""
        return _attached.get(_unwrapped(app))

    @contextmanager
    def redirected(self, settings: Settings) -> Iterator[None]:
        """Track into another store meanwhile, for tests. No worker may run in this process."""
        usual = self.tracking, self.signals, self.worker
        self._detach()
        self.tracking, self.signals, self.worker = self._connect(settings)
        self._attach()
        try:
            yield
        finally:
            self._detach()
            self.tracking.client.close()
            self.tracking, self.signals, self.worker = usual
            self._attach()

    def attach(self) -> None:
        """Begin to track. Does nothing where the app is tracked already."""
        if self.app in _attached:
            other = _attached[self.app]
            self.tracking, self.signals, self.worker = other.tracking, other.signals, other.worker
            return
        _attached[self.app] = self
        self._attach()

    def _connect(self, settings: Settings) -> tuple[Tracking, TaskSignals, WorkerLifecycle]:
        tracking = Tracking.connect(settings, self.app)
        task_signals = TaskSignals(tracking, only_declared=self.track == "declared")
        return tracking, task_signals, WorkerLifecycle(tracking, task_signals)

    def _attach(self) -> None:
        self.signals.install()
        self._beat.install()
        self.worker.install()
        self._wrap_send_task()

    def detach(self) -> None:
        """Stop tracking the app, and leave nothing behind in Celery."""
        tracker = _attached.pop(self.app, None)
        if tracker is not None:
            tracker._detach()  # noqa: SLF001 (the one that did attach)

    def _detach(self) -> None:
        self.signals.uninstall()
        self._beat.uninstall()
        del self.app.send_task
        self.worker.uninstall()
        self.tracking.reporter.close()
        self.worker.stop()

    def task(
        self,
        job_type: str | None = None,
        *,
        payload: type[BaseModel] | None = None,
        store_arguments: Keep = "repr",
        mask: Collection[str] = (),
        store_result: bool = True,
        on_lost: Literal["fail", "rerun"] = "fail",
        max_deliveries: int = 3,
        **options: Any,
    ) -> Callable[[Callable[..., Any]], Task]:
        """Make a function a Celery task and declare its job type: `@app.task` and `@tracked` in one.

        Args:
            job_type: The type's name, and the task's unless `options` name it otherwise.
            payload: A pydantic model of its keyword arguments.
            store_arguments: See `Declaration`.
            mask: See `Declaration`.
            store_result: See `Declaration`.
            on_lost: See `Declaration`.
            max_deliveries: See `Declaration`.
            options: Celery's own options of a task.
        """
        if job_type:
            options.setdefault("name", job_type)
        declare = tracked(
            job_type,
            payload=payload,
            store_arguments=store_arguments,
            mask=mask,
            store_result=store_result,
            on_lost=on_lost,
            max_deliveries=max_deliveries,
        )
        return lambda function: self.app.task(**options)(declare(function))

    def job_types(self) -> list[JobType]:
        """The app's tracked tasks as job types."""
        return job_types_of(self.app, self.signals.task_filter)

    # -- publishing -------------------------------------------------------------------------------------------------

    def _wrap_send_task(self) -> None:
        # No signal says that publishing failed (before_task_publish has come by then), so the sender itself is asked.
        send = self.app.send_task

        @functools.wraps(send)
        def send_task(name: str, args: Any = None, kwargs: Any = None, *further: Any, **options: Any) -> Any:
            publishing = self.signals.publishing
            publishing.mask_arguments(name, args, kwargs, options)
            with publishing.sending(options):
                return send(name, args, kwargs, *further, **options)

        self.app.send_task = send_task


def _unwrapped(app: Celery) -> Celery:
    """The app behind a proxy such as `celery.current_app`; signals and tasks name the app itself."""
    return app._get_current_object() if isinstance(app, Proxy) else app  # noqa: SLF001 (as celery/fixups/django.py)
