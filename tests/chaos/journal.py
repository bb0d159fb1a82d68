"""What tasks write down about themselves, in a file that nothing of what the run kills can take along.

A line that was written is there whatever becomes of its writer: it is with the kernel (O_APPEND, one write a line).
"""

import functools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from celery import current_task

VARIABLE = "CHAOS_JOURNAL"
"""The environment variable that tells the workers where the journal is."""

EPOCH_VARIABLE = "CHAOS_EPOCH"
"""The one with the time, in seconds since the epoch, at which the machine's monotonic clock said zero: a worker's own
clock may be wrong, that one is the same for all processes."""


def epoch_s() -> float:
    """That time, by the clock of this process."""
    return time.time() - time.monotonic()


BEGAN = "began"
RETURNED = "returned"
RAISED = "raised"
ASKED_TO_RETRY = "asked to retry"
STOPPED = "stopped"
"""It saw that it is cancelled."""
KILLS = "kills"
"""It is about to kill the process that it runs in."""
REPLACED = "replaced"
"""It is about to put other tasks into its place."""


class Line(NamedTuple):
    """Something that a task did."""

    at_s: float
    """Seconds since the epoch."""
    task_id: str
    attempt: int
    """Celery's retries count."""
    pid: int
    what: str
    detail: Any
    """What it returned; of the link of a chain that has begun: what it was given from the one before it."""
    worker: str
    """The worker that it ran in."""


def did(what: str, detail: Any = None) -> None:
    """Write down what the running task does."""
    request = current_task.request
    at_s = round(time.monotonic() + float(os.environ[EPOCH_VARIABLE]), 4)
    worker = (request.hostname or "").partition("@")[0]
    line = Line(at_s, request.id, request.retries or 0, os.getpid(), what, detail, worker)
    os.write(_open(os.environ[VARIABLE]), f"{json.dumps(line)}\n".encode())


def executions_of(id_begins: str) -> int:
    """How often a task has begun by now: a task id names a run of a job, a job's id all of them."""
    with Path(os.environ[VARIABLE]).open() as lines:
        return sum(Line(*json.loads(text)).what == BEGAN for text in lines if id_begins in text)


def read(path: Path) -> Iterator[Line]:
    """All that was written down, in order."""
    if path.exists():
        with path.open() as lines:
            yield from (Line(*json.loads(text)) for text in lines)


@functools.lru_cache
def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
