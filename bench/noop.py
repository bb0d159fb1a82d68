"""The Celery app that is measured: a task that does nothing, tracked or not (BENCH_VARIANT)."""

import os

from celery import Celery

from jobtracker import Settings, Tracker

app = Celery("noop", broker=os.environ["BENCH_CELERY_URL"], backend=os.environ["BENCH_CELERY_URL"])
app.conf.update(worker_enable_remote_control=False, broker_connection_retry_on_startup=True)

if os.environ["BENCH_VARIANT"] == "tracked":
    Tracker(app, Settings.from_env())


@app.task(name="bench.noop")
def noop() -> None:
    """Do nothing."""
