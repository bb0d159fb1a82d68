"""Tasks that are run again, rejected or ignored."""

from datetime import datetime, timedelta, timezone
from typing import Any

from celery import Task, shared_task
from celery.backends.base import DisabledBackend
from celery.exceptions import Ignore, Reject

from jobtracker import tracked
from project.diary import SOON_S, diary, did


@shared_task(name="flaky", bind=True, max_retries=5)
def flaky(self: Task, failures: int = 1, countdown: float = SOON_S) -> int:
    """Ask to be retried a number of times, then return how many."""
    did(f"began attempt {self.request.retries}")
    if self.request.retries < failures:
        raise self.retry(exc=ConnectionError("not yet"), countdown=countdown)
    did("returned")
    return failures


@shared_task(name="never", bind=True, max_retries=1)
def never(self: Task) -> None:
    """Ask to be retried once more than is allowed."""
    did(f"began attempt {self.request.retries}")
    raise self.retry(exc=ConnectionError("never"), countdown=SOON_S)


@shared_task(name="asks_again", bind=True)
def asks_again(self: Task) -> None:
    """Ask for another attempt, at a time in a zone of its own, and say no reason."""
    if self.request.retries == 0:
        raise self.retry(eta=datetime.now(timezone(timedelta(hours=5))) + timedelta(hours=1))


@shared_task(name="mended")
def mended(name: str, value: Any = None) -> Any:
    """Raise until the gate of that name is open."""
    did("began")
    diary().pass_gate(name)
    did("returned")
    return value


@shared_task(name="mended_and_kept")
@tracked(store_arguments="full")
def mended_and_kept(name: str, value: Any = None) -> Any:
    """As `mended`; its arguments are stored."""
    did("began")
    diary().pass_gate(name)
    did("returned")
    return value


@shared_task(name="fetch")
@tracked(store_arguments="full")
def fetch(name: str) -> str:
    """Return what stands for a document."""
    did("began")
    did("returned")
    return f"{name}.pdf"


@shared_task(name="resize")
@tracked(store_arguments="full")
def resize(document: str, size: int, gate: str = "") -> str:
    """Return what stands for a smaller one; raise until a gate is open."""
    did("began")
    if gate:
        diary().pass_gate(gate)
    did("returned")
    return f"{document}@{size}"


@shared_task(name="keep")
@tracked(store_arguments="full")
def keep(document: str, folder: str) -> str:
    """Return where a document is kept."""
    did("began")
    did("returned")
    return f"{folder}:{document}"


@shared_task(name="mended_parent")
def mended_parent(results: Any = None, name: str = "") -> Any:
    """Raise until the gate of that name is open, then return the results of the sub-jobs."""
    did("began")
    diary().pass_gate(name)
    did("returned")
    return results


@shared_task(name="rejected", bind=True, acks_late=True)
def rejected(self: Task, requeue: bool) -> None:
    """Reject the message the first time."""
    did("began")
    if len(diary().read(self.request.id)) == 1:
        raise Reject("not here", requeue=requeue)
    did("returned")


@shared_task(name="ignored")
def ignored() -> None:
    """Say that there is no outcome."""
    did("began")
    raise Ignore


class Forgetful(Task):
    """A task whose result nobody keeps."""

    @property
    def backend(self) -> DisabledBackend:
        """Celery's own where none is configured."""
        return DisabledBackend(app=self.app)


@shared_task(name="ignored_without_backend", base=Forgetful)
def ignored_without_backend() -> None:
    """Say that there is no outcome, where none would be kept."""
    did("began")
    raise Ignore


@shared_task(name="ignored_with_outcome", bind=True)
def ignored_with_outcome(self: Task, state: str) -> None:
    """Store the outcome by hand, then raise Ignore."""
    did("began")
    if state == "SUCCESS":
        self.update_state(state=state, meta="by hand")
    else:
        self.backend.mark_as_failure(self.request.id, ValueError("by hand"), request=self.request)
    raise Ignore
