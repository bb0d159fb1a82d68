"""What the tests' workers run: `celery -A project.worker worker`."""

import json
import logging
import os
from typing import Any

from celery.signals import after_setup_logger, after_setup_task_logger

from jobtracker import Settings, Tracker
from jobtracker.logging import json_handler
from project.application import create_app

settings = Settings.from_env()
app = create_app(settings, json.loads(os.environ["PROJECT_CONF"]))
tracker = Tracker(app, settings, track=os.environ["PROJECT_TRACK"])  # type: ignore[arg-type]


def log_json(logger: logging.Logger, **_: Any) -> None:
    """As the shipped workers do."""
    for handler in logger.handlers:
        json_handler(handler, "project")


if app.conf.get("json_log"):
    after_setup_logger.connect(log_json)
    after_setup_task_logger.connect(log_json)
if "PROJECT_TRACES" in os.environ:
    from project import traces  # noqa: F401 (it listens)
