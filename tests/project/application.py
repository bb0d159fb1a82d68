"""The project's Celery app, made by the workers and by the tests that publish."""

from collections.abc import Mapping
from typing import Any

from celery import Celery

from jobtracker import Settings
from jobtracker.broker.config import configure
from project import tasks  # noqa: F401 (shared tasks: they join every app that is made after them)


def create_app(settings: Settings, conf: Mapping[str, Any]) -> Celery:
    """An app over the broker and result backend that the settings name."""
    app = Celery("project")
    configure(app, settings)
    app.conf.update(
        {
            "accept_content": ["json"],
            "broker_connection_retry_on_startup": True,
            "task_track_started": True,
            "worker_prefetch_multiplier": 1,
            **conf,
        }
    )
    return app
