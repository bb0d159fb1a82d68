"""Tasks that return, fail, or wait for a gate."""

from typing import Any

from celery import Task, shared_task

from jobtracker import current_job, tracked
from project.diary import diary, did


@shared_task(name="ok")
def ok(value: Any = None) -> Any:
    """Return the value."""
    did("began")
    did("returned")
    return value


@shared_task(name="kept")
@tracked(store_arguments="full")
def kept(value: Any = None) -> Any:
    """As `ok`; its arguments are stored."""
    did("began")
    did("returned")
    return value


@shared_task(name="add")
def add(one: int, other: int) -> int:
    """Add two numbers."""
    did("began")
    did("returned")
    return one + other


@shared_task(name="limited", rate_limit="30/m")
@tracked(store_arguments="full")
def limited(value: Any = None) -> Any:
    """Return the value; a worker begins one every two seconds."""
    did("began")
    did("returned")
    return value


@shared_task(name="fail")
def fail(message: Any = "as asked") -> None:
    """Raise."""
    did("began")
    raise ValueError(message)


class UntoldError(Exception):
    """An error with a defect of its own."""

    def __str__(self) -> str:
        raise RuntimeError("in its own text")


@shared_task(name="fail_untold")
def fail_untold() -> None:
    """Raise what can't be told."""
    did("began")
    raise UntoldError


@shared_task(name="hold")
def hold(gate: str, value: Any = None) -> Any:
    """Wait at a gate, then return the value."""
    did("began")
    for _ in diary().until_open(gate):
        pass
    did("returned")
    return value


@shared_task(name="hold_late", acks_late=True)
def hold_late(gate: str) -> None:
    """Wait at a gate; acknowledged when it is done."""
    did("began")
    for _ in diary().until_open(gate):
        pass
    did("returned")


@shared_task(name="hold_late_rerun", acks_late=True)
@tracked(on_lost="rerun")
def hold_late_rerun(gate: str) -> None:
    """Wait at a gate; acknowledged when it is done, and to run again where it is lost."""
    did("began")
    for _ in diary().until_open(gate):
        pass
    did("returned")


@shared_task(name="hold_and_look")
def hold_and_look(gate: str) -> None:
    """Wait at a gate, or until the job is cancelled."""
    did("began")
    look_until_open(gate)
    did("returned")


@shared_task(name="hold_and_look_as_parent")
def hold_and_look_as_parent(results: Any = None, gate: str = "") -> Any:
    """Wait at a gate, or until the job is cancelled, with the results of sub-jobs."""
    did("began")
    look_until_open(gate)
    did("returned")
    return results


def look_until_open(gate: str) -> None:
    """Wait at a gate; stop the task where its job is cancelled."""
    for _ in diary().until_open(gate):
        if current_job().cancel_requested:
            did("stopped")
            current_job().raise_if_cancelled()


@shared_task(name="hold_and_fail")
def hold_and_fail(gate: str) -> None:
    """Wait at a gate, then raise."""
    did("began")
    for _ in diary().until_open(gate):
        pass
    raise ValueError("as asked")


@shared_task(name="begun_aloud", track_started=True)
def begun_aloud() -> None:
    """Return; Celery stores that it has begun."""
    did("began")
    did("returned")


@shared_task(name="hold_and_retry", bind=True)
def hold_and_retry(self: Task, gate: str) -> None:
    """Wait at a gate and ask to be retried, then return."""
    did(f"began attempt {self.request.retries}")
    for _ in diary().until_open(gate):
        pass
    if not self.request.retries:
        raise self.retry(exc=ConnectionError("not yet"), countdown=1)
    did("returned")


@shared_task(name="unserialisable")
def unserialisable() -> Any:
    """Return what JSON can't carry."""
    did("began")
    did("returned")
    return object()


@shared_task(name="note")
def note(task_id: str) -> str:
    """Return the id of the task that this is the errback of."""
    did("began")
    did("returned")
    return task_id


@shared_task(name="note_exception")
def note_exception(request: Any, error: BaseException, traceback: Any) -> None:
    """Write down the error of the task that this is the errback of."""
    diary().write(f"errback of {request.id}", type(error).__name__)
