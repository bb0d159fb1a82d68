"""The project: it is told all by its environment, the tracker as well."""

import json
import os
import time

from celery import Celery, Task

from jobtracker import Settings, Tracker, tracked

VARIABLE = "PARITY_SIDE"
"""The environment variable with a side's addresses and files, as JSON."""

PREFETCH_VARIABLE = "PARITY_PREFETCH"
"""The one with a worker's prefetch multiplier."""

side = json.loads(os.environ[VARIABLE])

LIMIT = "1/s"

app = Celery("parity", broker=side["broker"], backend=side["backend"])
app.conf.update(
    task_default_queue="one",
    task_queue_max_priority=9,
    task_default_priority=5,
    task_track_started=True,
    worker_prefetch_multiplier=int(os.environ.get(PREFETCH_VARIABLE, "1")),
    broker_connection_retry_on_startup=True,
)

kept = tracked(store_arguments="full")
"""So that the tracker could send each of them again, if it thought it had to."""


def _note(key: str) -> None:
    journal = os.open(side["journal"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(journal, f"{key}\n".encode())
    os.close(journal)


def _work(key: str, seconds: float) -> str:
    _note(key)
    time.sleep(seconds)
    return key


@app.task
@kept
def early(key: str, seconds: float = 0.0) -> str:
    """Acknowledged when it begins."""
    return _work(key, seconds)


@app.task(acks_late=True)
@kept
def late(key: str, seconds: float = 0.0) -> str:
    """Acknowledged when it has ended."""
    return _work(key, seconds)


@app.task(rate_limit=LIMIT)
@kept
def limited(key: str) -> str:
    """So many of them begin in a second on each worker."""
    return _work(key, 0)


@app.task(rate_limit=LIMIT, acks_late=True)
@kept
def limited_late(key: str) -> str:
    """The same, acknowledged when it has ended."""
    return _work(key, 0)


@app.task(bind=True, max_retries=5)
@kept
def retried(self: Task, key: str, failures: int) -> str:
    """Asks to be retried that often."""
    if self.request.retries < failures:
        _note(key)
        raise self.retry(countdown=0.2)
    return _work(key, 0)


@app.task
@kept
def failing(key: str) -> None:
    """Raises."""
    _note(key)
    raise ValueError(key)


@app.task
@kept
def link(before: str, key: str) -> str:
    """Comes behind another one in a chain."""
    return _work(key, 0) and f"{before}>{key}"


@app.task
@kept
def collect(results: list[str], key: str) -> str:
    """Comes behind a group."""
    return _work(key, 0) and "+".join(results)


if side["tracking"]:
    Tracker(app, Settings.model_validate(side["tracking"]))
