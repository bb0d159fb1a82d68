"""The API's Celery app. It only sends, and gives up quickly when the broker is away."""

from typing import Any

from celery import Celery

from jobtracker.broker.config import configure
from jobtracker.jobs.dispatcher import AT_ONCE
from jobtracker.server.settings import ApiSettings
from jobtracker.server.thread_route import THREADS


class SendingCelery(Celery):  # type: ignore[misc] # Celery has no types
    """A Celery app that does not subscribe to results.

    Celery subscribes to the result of every task that it sends, and never unsubscribes from those in a chord. In a
    process that publishes for weeks they would pile up.
    """

    def _get_backend(self) -> Any:
        backend = super()._get_backend()
        backend.on_task_call = lambda *_: None
        backend.add_pending_result = backend.remove_pending_result = lambda result, **_: result
        return backend


def celery_app(settings: ApiSettings) -> Celery:
    """The app, which knows no tasks."""
    app = SendingCelery("jobtracker-api")
    configure(app, settings)
    limits = _AMQP_LIMITS if settings.broker_is_amqp else _REDIS_LIMITS
    app.conf.update(
        broker_connection_timeout=1.0,
        broker_heartbeat=0,  # nobody would send any
        broker_pool_limit=_MOST_CONNECTIONS,
        broker_transport_options={**app.conf.broker_transport_options, **limits},
        result_backend_transport_options={
            **app.conf.result_backend_transport_options,
            "retry_policy": {"max_retries": 1},
        },
        redis_socket_connect_timeout=1.0,
        redis_socket_timeout=2.0,
        gcs_timeout_s=2.0,
        gcs_retry_s=1.0,
        task_send_sent_event=settings.task_events,
    )
    return app


_MOST_CONNECTIONS = THREADS * AT_ONCE
"""Connections to the broker, which are kept open. Opening one takes longer than everything else at a job's start.

The limit is what all threads could need at once. A nested chord holds one connection for each level while it is sent.
With fewer, two deep trees could hold all of them and wait for each other for ever.
"""
_REDIS_LIMITS = {"socket_connect_timeout": 1.0, "socket_timeout": 2.0, "max_retries": 1, "interval_start": 0}
_AMQP_LIMITS = {
    "read_timeout": 1.5,  # a broker that hangs is waited for twice: on a connection that was kept, and on a new one
    "write_timeout": 1.5,
    "confirm_publish": True,  # a job is started when the broker says that it has it
    "max_retries": 1,
    "interval_start": 0,
}
