"""Tasks that say something of themselves: progress, log lines, types."""

import logging
import time
from typing import Literal

from celery import Task, shared_task
from celery.utils.log import get_task_logger

from jobtracker import current_job, tracked
from project.diary import diary, did


@shared_task(name="count")
def count(total: int) -> int:
    """Report progress over a number of items, and log a line for each."""
    did("began")
    job = current_job()
    for number in job.track(range(total), note="counting"):
        job.log(f"item {number}", "debug")
    did("returned")
    return total


@shared_task(name="halfway")
def halfway(gate: str) -> None:
    """Report that half is done, then wait at a gate."""
    did("began")
    current_job().progress(1, 2, "half")
    for _ in diary().until_open(gate):
        pass
    did("returned")


@shared_task(name="hold_and_report")
def hold_and_report(gate: str, what: Literal["progress", "log"]) -> None:
    """Report progress, or log lines, all the time that it waits at a gate."""
    did("began")
    job = current_job()
    for number, _ in enumerate(diary().until_open(gate), start=1):
        job.progress(number, 1_000_000) if what == "progress" else job.log(f"line {number}")
    did("returned")


class Declared(Task):
    """A class-based task with a declaration."""

    name = "declared_class"

    def run(self, value: int) -> int:
        """Return the value."""
        did("began")
        did("returned")
        return value


@shared_task(name="declared")
@tracked("declared_type", store_arguments="full")
def declared(value: int) -> int:
    """Return the value."""
    did("began")
    did("returned")
    return value


@shared_task(name="secret")
@tracked(store_result=False)
def secret(password: str) -> str:
    """Return what must not be stored."""
    did("began")
    did("returned")
    return password


@shared_task(name="compute")
def compute(seconds: float) -> None:
    """Compute all that time, without a pause for anybody else."""
    did("began")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    did("returned")


@shared_task(name="apply_another", bind=True)
def apply_another(self: Task) -> list[str]:
    """Look at the current job before, within and after a task that is applied in place."""
    ids = [current_job().id]
    ids.append(self.app.tasks["current_id"].apply().get(disable_sync_subtasks=False))
    ids.append(self.app.tasks["current_id"]())
    ids.append(current_job().id)
    return ids


@shared_task(name="current_id")
def current_id() -> str:
    """Return the id of the current job."""
    return current_job().id


@shared_task(name="logs")
@tracked(mask={"password"})
def logs(lines: int = 0, password: str = "") -> None:
    """Log in several ways; then a number of lines as fast as it can."""
    did("began")
    of_task, plain = get_task_logger(__name__), logging.getLogger("shop.orders")
    of_task.info("as %s logger", "Celery's")
    plain.warning("as any other, with %s", password)
    logging.getLogger("kombu.connection").warning("of a library")
    plain.debug("too low")
    try:
        int("x" * 5000)
    except ValueError:
        of_task.exception("it failed %s", "x" * 3000)
    for number in range(lines):
        plain.error("line %d", number)
    did("returned")
