"""Beat: keeps the schedule's entry for which a task is being sent. The message itself only says that beat sent it."""

import functools
from contextvars import ContextVar
from typing import Any

from celery import Celery, signals

due_entry: ContextVar[str | None] = ContextVar("jobtracker_due_entry", default=None)
"""Name of the entry for which beat sends a task right now."""


class Beat:
    """Keeps `due_entry` in the process that runs an app's beat.

    Args:
        app: The app.
    """

    def __init__(self, app: Celery) -> None:
        self.app = app
        self._scheduler: Any = None

    def install(self) -> None:
        """Wait for beat to start in this process."""
        signals.beat_init.connect(self._on_beat_init, weak=False, dispatch_uid=self._uid)

    def uninstall(self) -> None:
        """Leave beat as it was."""
        signals.beat_init.disconnect(dispatch_uid=self._uid)
        if self._scheduler is not None:
            del self._scheduler.apply_async
            self._scheduler = None

    def _on_beat_init(self, sender: Any, **_: Any) -> None:
        if sender.app is not self.app or self._scheduler is not None:
            return
        self._scheduler = sender.scheduler
        # All schedulers send by this method (celery/beat.py, Scheduler.apply_entry), those of other packages too.
        apply_async = self._scheduler.apply_async

        @functools.wraps(apply_async)
        def named(entry: Any, *args: Any, **kwargs: Any) -> Any:
            token = due_entry.set(str(entry.name))
            try:
                return apply_async(entry, *args, **kwargs)
            finally:
                due_entry.reset(token)

        self._scheduler.apply_async = named

    @property
    def _uid(self) -> str:
        return f"jobtracker:{id(self)}:beat_init"
