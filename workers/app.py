"""The Celery app behind the documented job types: `celery -A workers.app worker`."""

import logging
from typing import Any

from celery import Celery
from celery import __version__ as celery_version
from celery.signals import (
    after_setup_logger,
    after_setup_task_logger,
    celeryd_after_setup,
    celeryd_init,
    worker_process_shutdown,
    worker_shutdown,
    worker_shutting_down,
)

from jobtracker import Settings, Tracker
from jobtracker.broker.config import check_results, configure
from jobtracker.errors import JobTrackerError
from jobtracker.logging import capture_output, json_handler, write_line
from jobtracker.objects.opening import check_object_store
from jobtracker.tracing.export import flush_at_end, start_export
from workers import running
from workers.buckets import Buckets
from workers.confined.budget import Budget
from workers.confined.caller import close_idle
from workers.limits import DocumentSettings
from workers.tables.settings import TableSettings

settings = Settings.of_process()

app = Celery(
    "workers",
    include=[
        "workers.tasks.custom",
        "workers.tasks.data_processing",
        "workers.tasks.document_analysis",
        "workers.tasks.entity_extraction",
        "workers.tasks.medication_extraction",
    ],
)
configure(app, settings)
app.conf.update(
    accept_content=["json"],
    broker_connection_retry_on_startup=True,
    # The results of sub-jobs are needed when their parent is retried, as long as the jobs are kept.
    result_expires=settings.retention_ms // 1000,
    # A worker that hoards messages can't be overtaken by a more urgent one.
    worker_prefetch_multiplier=1,
    # Document work is slow enough for a job to be worth doing again when its worker dies.
    task_acks_late=True,
    worker_send_task_events=settings.task_events,
    task_send_sent_event=settings.task_events,
)

tracker = Tracker(app, settings, track="declared")


def log_json(logger: logging.Logger, **_: Any) -> None:
    """Write the worker's log as JSON lines, each with its job and request."""
    for handler in logger.handlers:
        json_handler(handler, "workers")


running.install(app, running.RunSettings.of_process())
for each in (Budget, DocumentSettings, TableSettings):
    each.of_process()  # a bad value is told now, not by each job


def check_google_cloud(**_: Any) -> None:
    """Of a worker that starts; other commands of Celery's need neither objects nor results."""
    try:
        check_object_store(settings)
        Buckets.from_env().open()
        check_results(settings)
    except JobTrackerError as error:
        raise SystemExit(str(error)) from error


celeryd_init.connect(check_google_cloud)


def log_all(instance: Any, **_: Any) -> None:
    """Of a worker that starts: all that it writes is JSON from now on, and what its banner says is one line."""
    capture_output("workers")
    instance.quiet = True


celeryd_init.connect(log_all)


def log_start(instance: Any, **_: Any) -> None:
    """Say what Celery's banner says."""
    pool = instance.pool_cls if isinstance(instance.pool_cls, str) else instance.pool_cls.__module__
    about = {
        "hostname": instance.hostname,
        "celery": celery_version,
        "broker": instance.app.connection_for_read().as_uri(),
        "results": instance.app.backend.as_uri(),
        "concurrency": instance.concurrency,
        "pool": pool.rpartition(".")[2],
        "queues": sorted(instance.app.amqp.queues.consume_from),
    }
    logging.getLogger("workers").info("the worker starts", extra=about)


celeryd_after_setup.connect(log_start)


def log_stop(how: str, sig: str, **_: Any) -> None:
    """Say what Celery would write to the terminal; in a handler of a signal."""
    write_line("workers", "the worker shuts down", how=how.lower(), signal=sig)


worker_shutting_down.connect(log_stop)


def export_traces(**_: Any) -> None:
    """Of a worker that starts: before its pool forks, each process of which exports by itself."""
    start_export("workers")


celeryd_init.connect(export_traces)


def end_traces(**_: Any) -> None:
    """Of the main process, when a worker has shut down."""
    flush_at_end()


worker_shutdown.connect(end_traces)


def end_confined_processes(**_: Any) -> None:
    """Of a process of the prefork pool, which ends without what Python does at the end."""
    close_idle()


worker_process_shutdown.connect(end_confined_processes)

after_setup_logger.connect(log_json)
after_setup_task_logger.connect(log_json)
