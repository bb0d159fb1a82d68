"""Somebody's Celery app, found by its name and pointed at servers of a test's own for a while."""

import importlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from celery.backends.redis import RedisBackend

from jobtracker.errors import JobTrackerError
from jobtracker.instrumentation.tracker import Tracker
from jobtracker.settings import Settings

_VARIABLES = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND")
"""They stand above an app's configuration (celery/app/utils.py)."""

_CACHED = ("amqp", "control", "events")
"""Properties of an app that it computes once, with the connections that it has then (celery/app/base.py)."""


class AppError(JobTrackerError):
    """An app can't be found by its name."""


def find_app(name: str) -> Celery:
    """Import the app that "package.module:name" stands for.

    Raises:
        AppError: There is none; the message says what is wrong.
    """
    module_name, _, attribute = name.partition(":")
    try:
        app = getattr(importlib.import_module(module_name), attribute or "app")
    except (ImportError, AttributeError) as error:
        raise AppError(f'{error}. An app is named as "package.module:name".') from error
    if not isinstance(app, Celery):
        raise AppError(f"that is {type(app).__name__}, not a Celery app.")
    return app


@contextmanager
def redirected(app: Celery, settings: Settings) -> Iterator[Tracker]:
    """Let an app, and its tracker, use other servers meanwhile; an app that has no tracker gets one.

    Broker and result backend keep their keys under the tracking namespace too, so all that a test leaves behind has
    one prefix, and queues keep their names. Nothing runs eagerly.
    """
    app.loader.import_default_modules()
    prefix = {"global_keyprefix": f"{settings.tracking_namespace}:"}
    conf = app.conf.copy()
    conf.maps.insert(
        0,
        {
            "broker_url": settings.broker_url,
            "broker_read_url": None,
            "broker_write_url": None,
            # A worker waits so long for a message at a time, and in the end once more (kombu/transport/redis.py).
            "broker_transport_options": {**prefix, "polling_interval": 0.1},
            "broker_use_ssl": None,
            "broker_connection_retry_on_startup": True,
            "result_backend": settings.result_backend,
            "result_backend_transport_options": prefix,
            "redis_backend_use_ssl": None,
            "task_always_eager": False,
        },
    )
    environ = {name: os.environ.pop(name) for name in _VARIABLES if name in os.environ}
    # What Celery keeps of the servers that it knows: configuration, connections, queues, and a backend per thread.
    kept = {name: app.__dict__.pop(name) for name in _CACHED if name in app.__dict__}
    kept |= {name: getattr(app, name) for name in ("_conf", "_pool", "_local", "_backend_cache")}
    vars(app).update(_conf=conf, _pool=None, _local=threading.local(), _backend_cache=None)
    tracker = Tracker.of(app)
    try:
        if tracker is not None:
            with tracker.redirected(settings):
                yield tracker
            return
        tracker = Tracker(app, settings)
        try:
            yield tracker
        finally:
            tracker.detach()
    finally:
        disconnect(app)
        for name in _CACHED:
            vars(app).pop(name, None)
        vars(app).update(kept)
        os.environ.update(environ)


def disconnect(app: Celery) -> None:
    """Close what an app has open to its broker, and to the Redis where its results are, if they are in one."""
    if isinstance(app.backend, RedisBackend):
        consumer = app.backend.result_consumer
        consumer.stop()
        consumer.subscribed_to.clear()  # or results that outlive the test would connect again, to unsubscribe
        app.backend.client.connection_pool.disconnect()
    app.amqp.producer_pool.force_close_all()
    app.pool.force_close_all()
