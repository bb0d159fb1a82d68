"""The Celery app that is measured: a task that does nothing, plain, tracked, traced or with task events.

BENCH_VARIANT says which.
"""

import os
from typing import Any

from celery import Celery, signals

from jobtracker import Settings, Tracker
from jobtracker.connection.client import connect
from jobtracker.tracing.export import start_export

app = Celery("noop", broker=os.environ["BENCH_CELERY_URL"], backend=os.environ["BENCH_CELERY_URL"])
app.conf.update(worker_enable_remote_control=False, broker_connection_retry_on_startup=True)


def ask_for_nothing() -> None:
    """Send Redis a PING with each message and as each task begins, and wait: the least that an answer costs."""
    pool = connect(os.environ["REDIS_URL"], timeout_s=5).connection_pool
    under_way: list[Any] = []

    def send(**_: Any) -> None:
        connection = pool.get_connection()
        connection.send_packed_command([b"*1\r\n$4\r\nPING\r\n"])
        under_way.append(connection)

    def read(**_: Any) -> None:
        connection = under_way.pop()
        connection.read_response()
        pool.keep(connection)

    signals.before_task_publish.connect(send, weak=False)
    signals.after_task_publish.connect(read, weak=False)
    signals.task_prerun.connect(send, weak=False)
    signals.task_prerun.connect(read, weak=False)


match os.environ["BENCH_VARIANT"]:
    case "round_trip":
        ask_for_nothing()
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
