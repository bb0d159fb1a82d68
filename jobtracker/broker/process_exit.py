"""Reads from Celery's errors how a task's process ended."""

from billiard.einfo import ExceptionWithTraceback
from billiard.exceptions import WorkerLostError


def end_of_process(error: BaseException | None) -> str | None:
    """What ended a task's process, e.g. "signal 9 (SIGKILL)", by its error in Celery; None where it goes on."""
    error = error_of_task(error)
    if isinstance(error, WorkerLostError):  # billiard/pool.py, mark_as_worker_lost
        return str(error).removeprefix("Worker exited prematurely: ").partition(" Job:")[0].rstrip(".")
    if isinstance(error, SystemExit | KeyboardInterrupt):
        return repr(error)
    return None


def error_of_task(error: BaseException | None) -> BaseException | None:
    """The error itself, where the pool has wrapped it together with its traceback."""
    return error.exc if isinstance(error, ExceptionWithTraceback) else error
