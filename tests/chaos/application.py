"""The Celery project of a run: its app in the workers (`celery -A chaos.application`) and in the senders."""

import os

from celery import Celery

from chaos import tasks  # noqa: F401 (shared tasks: they join every app that is made after them)
from jobtracker import Settings, Tracker
from jobtracker.broker.config import configure

QUEUE = "chaos"
DEADLY_QUEUE = "deadly"
"""Of tasks that kill the process they run in: those of a threads pool would kill it with all its tasks."""

LIMITED_QUEUE = "limited"
"""Of tasks with a rate limit: one worker consumes it, and fetches more than it may begin at once."""

CALLED_QUEUE = "called"
"""No task is routed to it: senders name it at the call. One worker consumes it."""

NOBODYS_QUEUE = "nobodys"
"""The same, and nobody consumes it."""

PREFETCH_VARIABLE = "CHAOS_PREFETCH"
"""The environment variable with a worker's prefetch multiplier."""

VISIBILITY_TIMEOUT_S = 10.0
"""After so long a message that nobody acknowledged is delivered again; no task here takes longer by itself."""


def create_app(settings: Settings, kind: type[Celery] = Celery) -> Celery:
    """An app over the broker and the result backend that the settings name."""
    app = kind("chaos")
    configure(app, settings)
    app.conf.update(
        task_default_queue=QUEUE,
        task_routes={
            **{name: {"queue": DEADLY_QUEUE} for name in ("deadly", "deadly_late", "deadly_again")},
            "limited": {"queue": LIMITED_QUEUE},
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_prefetch_multiplier=int(os.environ.get(PREFETCH_VARIABLE, "2")),
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # By default a task whose result can't be stored would wait for twenty seconds, and its slot with it.
        result_backend_transport_options={
            "retry_policy": {"max_retries": 4, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}
        },
        # What kombu itself waits for before it delivers a message again, so short that a run sees it: by default a
        # restorer that is killed keeps all others from it for five minutes.
        broker_transport_options=app.conf.broker_transport_options
        if settings.broker_is_amqp
        else {
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "unacked_mutex_expire": 2,
            "socket_timeout": 5.0,
            "socket_connect_timeout": 2.0,
        },
    )
    return app


def worker_app() -> Celery:
    """The workers' app, tracked."""
    settings = Settings.from_env()
    made = create_app(settings)
    Tracker(made, settings)
    return made


def __getattr__(name: str) -> Celery:
    """Make the workers' app where Celery looks for it, and nowhere else."""
    if name != "app":
        raise AttributeError(name)
    made = globals()["app"] = worker_app()
    return made
