"""The tasks: each ends in a way of its own, and writes down what it does."""

import os
import signal
import time
from typing import Any

from celery import Task, chain, chord, group, shared_task

from chaos.journal import ASKED_TO_RETRY, BEGAN, KILLS, RAISED, REPLACED, RETURNED, STOPPED, did, executions_of
from jobtracker import current_job, tracked
from jobtracker.core.job import job_and_run_of

RETRY_S = 0.2
_STEP_S = 0.05

# So that each can be retried, whoever has sent it.
kept = tracked(store_arguments="full")
run_again = tracked(store_arguments="full", on_lost="rerun")

RUN_AGAIN = frozenset({"again", "join", "deadly_again", "collect_again"})
"""Those that are declared so."""

LINKS = frozenset({"join", "link", "link_mended"})
"""Those that come behind another one in a chain, and are given what it has returned."""

LIMIT_S = 1.0
"""So much time lies between two of the limited tasks on one worker."""


@shared_task(name="early")
@kept
def early(value: Any, seconds: float = 0.0) -> Any:
    """Take some time, then return the value. Acknowledged when it begins."""
    return _work(value, seconds)


@shared_task(name="late", acks_late=True)
@kept
def late(value: Any, seconds: float = 0.0) -> Any:
    """The same, acknowledged when it is done."""
    return _work(value, seconds)


@shared_task(name="again")
@run_again
def again(value: Any, seconds: float = 0.0) -> Any:
    """The same, acknowledged when it begins, and run again where it is lost."""
    return _work(value, seconds)


@shared_task(name="join")
@run_again
def join(before: Any, value: Any) -> Any:
    """Return what the task before it in its chain has returned, and the value. Run again where it is lost."""
    return _work([before, value], 0, before)


@shared_task(name="link")
@kept
def link(before: Any, value: Any = None) -> Any:
    """The same, sent with its value by position: without the result before it, it would take the value for that."""
    return _work([before, value], 0, before)


@shared_task(name="link_mended", bind=True)
@kept
def link_mended(self: Task, before: Any, value: Any = None) -> Any:
    """The same; it raises in the first run of its job."""
    if job_and_run_of(self.request.id)[1] == 1:
        did(BEGAN, before)
        did(RAISED)
        raise ValueError(f"{value} fails in its first run, as asked")
    return _work([before, value], 0, before)


@shared_task(name="limited", rate_limit=f"{60 / LIMIT_S:g}/m")
@kept
def limited(value: Any) -> Any:
    """Return the value; of these a worker begins no more than one in `LIMIT_S`."""
    return _work(value, 0)


@shared_task(name="small")
@kept
def small(value: Any) -> Any:
    """Return the value: one of the many sub-jobs of a large tree."""
    return _work(value, 0)


@shared_task(name="failing")
@kept
def failing(value: Any) -> None:
    """Raise."""
    did(BEGAN)
    did(RAISED)
    raise ValueError(f"{value} fails, as asked")


@shared_task(name="mended", bind=True)
@kept
def mended(self: Task, value: Any) -> Any:
    """Raise in the first run of its job, return the value in later ones."""
    if job_and_run_of(self.request.id)[1] == 1:
        did(BEGAN)
        did(RAISED)
        raise ValueError(f"{value} fails in its first run, as asked")
    return _work(value, 0)


@shared_task(name="flaky", bind=True, max_retries=10)
@kept
def flaky(self: Task, value: Any, failures: int) -> Any:
    """Ask to be retried a number of times, then return the value."""
    if self.request.retries < failures:
        did(BEGAN)
        did(ASKED_TO_RETRY)
        raise self.retry(exc=ConnectionError("not yet"), countdown=RETRY_S)
    return _work(value, 0)


@shared_task(name="flaky_late", bind=True, max_retries=10, acks_late=True)
@kept
def flaky_late(self: Task, value: Any, failures: int) -> Any:
    """The same, acknowledged when it is done."""
    if self.request.retries < failures:
        did(BEGAN)
        did(ASKED_TO_RETRY)
        raise self.retry(exc=ConnectionError("not yet"), countdown=RETRY_S)
    return _work(value, 0)


@shared_task(name="deadly", bind=True)
@kept
def deadly(self: Task, value: Any, times: int) -> Any:
    """Kill the process that it runs in, the first times that it is executed; then return the value."""
    return _kill_or_work(self.request.id, value, times)


@shared_task(name="deadly_late", bind=True, acks_late=True, reject_on_worker_lost=True)
@kept
def deadly_late(self: Task, value: Any, times: int) -> Any:
    """The same; its message goes back to the queue each time."""
    return _kill_or_work(self.request.id, value, times)


@shared_task(name="deadly_again", bind=True)
@run_again
def deadly_again(self: Task, value: Any, times: int) -> Any:
    """The same, acknowledged when it begins; it is run again each time."""
    return _kill_or_work(job_and_run_of(self.request.id)[0], value, times)


@shared_task(name="replaced", bind=True)
@kept
def replaced(self: Task, value: Any, by: str) -> Any:
    """Put other tasks into its place, which return the value."""
    did(BEGAN)
    did(REPLACED)
    task = self.app.signature
    replacements = {
        "task": lambda: task("early", args=[value]),
        "chain": lambda: chain(task("early", args=[value]), task("early", immutable=True, args=[value])),
        "chord": lambda: chord(group(task("early", args=[value]) for _ in range(2)), task("first"), app=self.app),
    }
    return self.replace(replacements[by]())


@shared_task(name="first")
@kept
def first(results: Any = None) -> Any:
    """Return the first of some results."""
    return _work(results[0], 0)


@shared_task(name="collect")
@kept
def collect(results: Any = None, seconds: float = 0.0) -> Any:
    """Return the results of the sub-jobs. Acknowledged when it begins."""
    return _work(results, seconds)


@shared_task(name="collect_late", acks_late=True)
@kept
def collect_late(results: Any = None, seconds: float = 0.0) -> Any:
    """The same, acknowledged when it is done."""
    return _work(results, seconds)


@shared_task(name="collect_again")
@run_again
def collect_again(results: Any = None, seconds: float = 0.0) -> Any:
    """The same, acknowledged when it begins, and run again where it is lost."""
    return _work(results, seconds)


def _work(value: Any, seconds: float, before: Any = None) -> Any:
    """Take some time, or stop where it is cancelled."""
    did(BEGAN, before)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(_STEP_S)
        if current_job().cancel_requested:
            did(STOPPED)
            current_job().raise_if_cancelled()
    did(RETURNED, value)
    return value


def _kill_or_work(id_begins: str, value: Any, times: int) -> Any:
    if executions_of(id_begins) < times:
        did(BEGAN)
        did(KILLS)
        os.kill(os.getpid(), signal.SIGKILL)
    return _work(value, 0)
