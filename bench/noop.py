"""The Celery app that is measured: a task that does nothing, plain, tracked, traced or with task events.

BENCH_VARIANT says which.
"""

import os

from celery import Celery

from jobtracker import Settings, Tracker
from jobtracker.tracing.export import start_export

app = Celery("noop", broker=os.environ["BENCH_CELERY_URL"], backend=os.environ["BENCH_CELERY_URL"])
app.conf.update(worker_enable_remote_control=False, broker_connection_retry_on_startup=True)

match os.environ["BENCH_VARIANT"]:
    case "tracked":
        Tracker(app, Settings.from_env())
    case "api":  # OpenTelemetry's API is there, and no SDK
        Tracker(app, Settings.from_env())
    case "traced" | "unsampled":
        start_export("noop")
        Tracker(app, Settings.from_env())
    case "events":  # as TASK_EVENTS=true has it; the worker's part is what -E does
        app.conf.update(worker_send_task_events=True, task_send_sent_event=True)


@app.task(name="bench.noop")
def noop() -> None:
    """Do nothing."""


@app.task(name="bench.collect")
def collect(results: list[None]) -> int:
    """Say how many there are."""
    return len(results)
