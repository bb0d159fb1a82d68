"""Attaches jobtracker to one Celery app as soon as the tracking Redis is known, unless tracking is disabled."""

import functools
import logging
import os
from dataclasses import dataclass
from typing import Any

from celery import Celery

from jobtracker.broker.tracking_redis import redis_of_broker
from jobtracker.connection.urls import without_passwords
from jobtracker.errors import TrackingDisabledError
from jobtracker.instrumentation.beat import Beat
from jobtracker.instrumentation.publish_signals import Publication
from jobtracker.instrumentation.task_signals import TaskSignals
from jobtracker.instrumentation.worker_lifecycle import WorkerLifecycle
from jobtracker.jobs.sending import being_sent
from jobtracker.runtime import Tracking
from jobtracker.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """The signal handlers of one app, and the store that they write to."""

    tracking: Tracking
    signals: TaskSignals
    worker: WorkerLifecycle
    beat: Beat

    @classmethod
    def connect(cls, settings: Settings, app: Celery, *, only_declared: bool) -> "Parts":
        """Put the parts together. Nothing is sent to Redis yet."""
        tracking = Tracking.connect(settings, app)
        signals = TaskSignals(tracking, only_declared=only_declared)
        return cls(tracking, signals, WorkerLifecycle(tracking, signals), Beat(app))

    def install(self) -> None:
        """Listen."""
        self.signals.install()
        self.beat.install()
        self.worker.install()

    def uninstall(self) -> None:
        """Leave Celery as it was, and write what is left."""
        self.signals.uninstall()
        self.beat.uninstall()
        self.worker.uninstall()
        self.tracking.reporter.close()
        self.worker.stop()


class Attachment:
    """Attaches and detaches the tracker of one app.

    If the settings name no Redis, the app's broker is used. It is in the app's configuration, which may be set after
    the tracker was created. So the tracker attaches when Celery loads that configuration, before it publishes or runs
    anything. If the tracker loaded it earlier, handlers of `on_after_configure` would not be called.

    Args:
        app: The app.
        settings: Where and how to track.
        only_declared: Track declared tasks only.

    Attributes:
        settings: The settings, with the Redis that was found, as soon as it is known.
        why_not: Why nothing is tracked; None if tracking is on, or if that is not yet known.
    """

    def __init__(self, app: Celery, settings: Settings, *, only_declared: bool) -> None:
        self.app = app
        self.settings = settings
        self.why_not = None if _is_enabled(settings) else "JOBTRACKER_ENABLED is false"
        self._only_declared = only_declared
        self._parts: Parts | None = None
        self._is_attached = self._is_waiting = False

    @property
    def parts(self) -> Parts:
        """What listens to the app. Loads the app's configuration where that has to tell which Redis is used.

        Raises:
            TrackingDisabledError: Nothing is tracked.
        """
        if self._is_waiting:
            self.app.conf.broker_url  # noqa: B018 (loads the configuration)
        if self._parts is None:
            raise TrackingDisabledError(f"Nothing is tracked here: {self.why_not or 'the tracker is detached'}.")
        return self._parts

    def attach(self) -> None:
        """Listen to the app, now or when it is configured; does nothing where tracking is disabled."""
        if self.why_not is not None:
            return
        self._is_attached = True
        self._wrap_send_task()
        if self._parts is not None or self.settings.names_redis or self.app.configured:
            self._listen()
        else:
            self._is_waiting = True
            self.app.on_after_configure.connect(self._on_configured, weak=False, dispatch_uid=self._uid)

    def detach(self) -> None:
        """Leave nothing behind in Celery."""
        self._stop_waiting()
        if self._is_attached:
            self._is_attached = False
            del self.app.send_task
            if self._parts is not None:
                self._parts.uninstall()

    def _on_configured(self, **_: Any) -> None:
        self._stop_waiting()
        self._listen()

    def _stop_waiting(self) -> None:
        if self._is_waiting:
            self._is_waiting = False
            self.app.on_after_configure.disconnect(dispatch_uid=self._uid)

    def _listen(self) -> None:
        if self._parts is None:
            if not self.settings.names_redis and not self._take_broker():
                self.detach()
                return
            self._parts = Parts.connect(self.settings, self.app, only_declared=self._only_declared)
        self._parts.install()

    def _take_broker(self) -> bool:
        """Track in the app's broker, if that is a Redis; else say what to set."""
        url = redis_of_broker(self.app)
        if url is None:
            self.why_not = "REDIS_URL is not set, and the Celery app's broker is no Redis"
            logger.warning("jobtracker: %s. Set REDIS_URL to the Redis that is to keep the jobs.", self.why_not)
            return False
        logger.info("jobtracker: REDIS_URL is not set, jobs are kept in the broker: %s", without_passwords(url))
        self.settings = self.settings.model_copy(update={"redis_url": url})
        return True

    def _wrap_send_task(self) -> None:
        # No signal says that publishing failed (before_task_publish has come by then), so the sender itself is asked.
        send = self.app.send_task

        @functools.wraps(send)
        def send_task(name: str, args: Any = None, kwargs: Any = None, *further: Any, **options: Any) -> Any:
            if self._is_waiting:
                self.app.conf.broker_url  # noqa: B018 (loads the configuration)
            if self._parts is None:
                return send(name, args, kwargs, *further, **options)
            publishing = self._parts.signals.publishing
            publishing.mask_arguments(name, args, kwargs, options)
            publication = Publication(publishing, options)
            if being_sent.get() is None:
                publishing.add_labels(publication)
                publication.claim = claim = publishing.unique_calls.claim(name, args, kwargs, options)
                if claim is not None:
                    if claim.holder is not None:
                        return publishing.unique_calls.joined(claim)
                    options["task_id"] = claim.task_id
            with publication:
                return send(name, args, kwargs, *further, **options)

        self.app.send_task = send_task

    @property
    def _uid(self) -> str:
        return f"jobtracker:{id(self)}"


def _is_enabled(settings: Settings) -> bool:
    """Whether to track at all: as the settings say or, where they do not, the environment."""
    if "jobtracker_enabled" in settings.model_fields_set:
        return settings.jobtracker_enabled
    value = os.environ.get("JOBTRACKER_ENABLED", "")
    return Settings.from_env({"JOBTRACKER_ENABLED": value}).jobtracker_enabled
