"""Tracker(app): attaches jobtracker to a Celery app."""

import weakref
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from celery import Celery, Task
from celery.local import Proxy
from pydantic import BaseModel

from jobtracker.core.declarations import tracked
from jobtracker.core.masking import Keep
from jobtracker.instrumentation.attachment import Attachment
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
        settings: Where and how to track; default: from the environment (`REDIS_URL` and so on). Where it names no
            Redis, the app's broker is used, if that is one. `JOBTRACKER_ENABLED=false`: nothing is tracked, tasks run
            as by Celery alone.
        track: "all" tasks of the app, or only the "declared" ones (`@tracked`, `@tracker.task`).
        store_arguments: What is stored of a plain Celery call's arguments where its task does not declare that:
            "repr", "full" or "none", as in `@tracked`; default: as STORE_ARGUMENTS says.

    Raises:
        ValueError: There is no such `store_arguments`.
    """

    def __init__(
        self,
        app: Celery,
        settings: Settings | None = None,
        *,
        track: Literal["all", "declared"] = "all",
        store_arguments: Keep | None = None,
    ) -> None:
        app = _unwrapped(app)
        self.app = app
        self.track = track
        settings = settings or Settings.from_env()
        if store_arguments is not None:
            given = settings.model_dump(exclude_unset=True)
            settings = type(settings).model_validate({**given, "store_arguments": store_arguments})
        self._attachment = self._new_attachment(settings)
        self.attach()

    @staticmethod
    def of(app: Celery) -> "Tracker | None":
        """The tracker that is attached to an app."""
        return _attached.get(_unwrapped(app))

    @property
    def settings(self) -> Settings:
        """Where and how it tracks."""
        return self._attachment.settings

    @property
    def tracking(self) -> Tracking:
        """What it tracks with.

        Raises:
            TrackingDisabledError: It does not track: it is disabled, or knows no Redis.
        """
        return self._attachment.parts.tracking

    @property
    def signals(self) -> TaskSignals:
        """The handlers of Celery's task signals; raises what `tracking` does."""
        return self._attachment.parts.signals

    @property
    def worker(self) -> WorkerLifecycle:
        """Its part in a worker; raises what `tracking` does."""
        return self._attachment.parts.worker

    @contextmanager
    def redirected(self, settings: Settings) -> Iterator[None]:
        """Track into another store meanwhile, for tests. No worker may run in this process."""
        usual = self._attachment
        usual.detach()
        self._attachment = other = self._new_attachment(settings)
        other.attach()
        try:
            yield
        finally:
            other.detach()
            other.parts.tracking.client.close()
            self._attachment = usual
            usual.attach()

    def attach(self) -> None:
        """Begin to track. Does nothing where the app is tracked already."""
        if self.app in _attached:
            self._attachment = _attached[self.app]._attachment  # noqa: SLF001 (of the same class)
            return
        _attached[self.app] = self
        self._attachment.attach()

    def detach(self) -> None:
        """Stop tracking the app, and leave nothing behind in Celery."""
        if _attached.pop(self.app, None) is not None:
            self._attachment.detach()

    def _new_attachment(self, settings: Settings) -> Attachment:
        return Attachment(self.app, settings, only_declared=self.track == "declared")

    def task(
        self,
        job_type: str | None = None,
        *,
        payload: type[BaseModel] | None = None,
        store_arguments: Keep | None = None,
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
        """The app's tracked tasks as job types; raises what `tracking` does."""
        return job_types_of(self.app, self.signals.task_filter)


def _unwrapped(app: Celery) -> Celery:
    """The app behind a proxy such as `celery.current_app`; signals and tasks name the app itself."""
    return app._get_current_object() if isinstance(app, Proxy) else app  # noqa: SLF001 (as celery/fixups/django.py)
