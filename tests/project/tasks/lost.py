"""Tasks whose processes are lost, and whose ends Celery can't store."""

import os
import signal
import sys
from typing import Any

from billiard import current_process
from celery import Task, shared_task
from celery.backends.redis import RedisBackend

from jobtracker import tracked
from project.diary import SOON_S, diary, did


@shared_task(name="lost")
def lost(how: str) -> None:
    """End the process that runs the task."""
    did("began")
    lose_process(how)


@shared_task(name="lost_late", acks_late=True)
def lost_late() -> None:
    """End the process, or what Celery has in its place; acknowledged when it is done."""
    did("began")
    lose_process("sys.exit")


@shared_task(name="late_once", bind=True, acks_late=True, acks_on_failure_or_timeout=False, time_limit=1)
def late_once(self: Task) -> str:
    """Pass the hard time limit the first time; the message goes back to the queue."""
    did("began")
    if len(diary().read(self.request.id)) == 1:
        for _ in diary().until_open("never opened"):
            pass
    did("returned")
    return "second delivery"


@shared_task(name="lost_once_rejected", bind=True, acks_late=True, reject_on_worker_lost=True)
def lost_once_rejected(self: Task) -> str:
    """End the process the first time; the message goes back to the queue."""
    did("began")
    if len(diary().read(self.request.id)) == 1:
        lose_process("SIGKILL")
    did("returned")
    return "second delivery"


@shared_task(name="deadly", acks_late=True, reject_on_worker_lost=True)
@tracked(max_deliveries=2)
def deadly(how: str = "SIGKILL") -> None:
    """End the process every time; the message goes back to the queue."""
    did("began")
    lose_process(how)


@shared_task(name="deadly_late", acks_late=True)
@tracked(max_deliveries=2)
def deadly_late() -> None:
    """End the whole worker every time; the message goes back to the queue."""
    did("began")
    os.killpg(os.getpgrp(), signal.SIGKILL)


@shared_task(name="lost_once_rerun", bind=True)
@tracked(on_lost="rerun", store_arguments="full")
def lost_once_rerun(self: Task, how: str) -> str:
    """End the process in the first run."""
    did("began")
    if "~" not in self.request.id:
        lose_process(how)
    did("returned")
    return "second run"


@shared_task(name="deadly_rerun")
@tracked(on_lost="rerun", store_arguments="full", max_deliveries=2)
def deadly_rerun() -> None:
    """End the process in every run."""
    did("began")
    lose_process("SIGKILL")


@shared_task(name="hold_rerun")
@tracked(on_lost="rerun", store_arguments="full")
def hold_rerun(gate: str) -> str:
    """Wait at a gate; run again where the worker is lost."""
    did("began")
    for _ in diary().until_open(gate):
        pass
    did("returned")
    return gate


@shared_task(name="lost_once_retried", bind=True, retry_on_worker_lost=True, default_retry_delay=SOON_S)
def lost_once_retried(self: Task) -> str:
    """End the process the first time; the worker sends a retry."""
    did(f"began attempt {self.request.retries}")
    if self.request.retries == 0:
        lose_process("SIGKILL")
    did("returned")
    return "second attempt"


def lose_process(how: str) -> None:
    """End this process in one of the ways it can."""
    if how == "SIGKILL":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "_exit":
        os._exit(3)
    else:
        sys.exit(3)


class PickyBackend(RedisBackend):
    """A result backend that does not take some states."""

    refused = frozenset({"SUCCESS"})

    def _store_result(self, task_id: str, result: Any, state: str, *args: Any, **kwargs: Any) -> Any:
        if state in self.refused:
            raise OSError("the result can't be stored")
        return super()._store_result(task_id, result, state, *args, **kwargs)


class UnstorableTask(Task):
    """A task whose result can't be stored."""

    @property
    def backend(self) -> PickyBackend:
        """The app's own backend, but for successes."""
        return PickyBackend(app=self.app, url=self.app.backend_cls)


class BrokenBehindBackend(RedisBackend):
    """A result backend that fails when it has stored a success, as one that is killed just then."""

    def mark_as_done(self, *args: Any, **kwargs: Any) -> None:
        super().mark_as_done(*args, **kwargs)
        raise OSError("the chord can't be told")


class BrokenBehindTask(Task):
    """A task whose success is stored, and then Celery fails."""

    @property
    def backend(self) -> BrokenBehindBackend:
        """The app's own backend, but for what follows a success."""
        return BrokenBehindBackend(app=self.app, url=self.app.backend_cls)


@shared_task(name="broken_behind", base=BrokenBehindTask)
def broken_behind() -> int:
    """Return seven."""
    did("began")
    did("returned")
    return 7


class AwayBehindBackend(BrokenBehindBackend):
    """A result backend that is away when it has stored a success, until the main process asks."""

    def _store_result(self, task_id: str, result: Any, state: str, *args: Any, **kwargs: Any) -> Any:
        if state == "FAILURE" and current_process().name != "MainProcess":
            raise OSError("the failure can't be stored")
        return super()._store_result(task_id, result, state, *args, **kwargs)


class AwayBehindTask(Task):
    """A task whose success is stored, and then Celery fails twice."""

    @property
    def backend(self) -> AwayBehindBackend:
        """The app's own backend, but for chords and failures."""
        return AwayBehindBackend(app=self.app, url=self.app.backend_cls)


@shared_task(name="away_behind", base=AwayBehindTask)
def away_behind() -> int:
    """Return seven."""
    did("began")
    did("returned")
    return 7


class SilentBackend(PickyBackend):
    """A result backend that takes no end."""

    refused = frozenset({"SUCCESS", "FAILURE"})


class UntellableTask(Task):
    """A task whose end Celery can't store."""

    @property
    def backend(self) -> SilentBackend:
        """The app's own backend, but for all ends."""
        return SilentBackend(app=self.app, url=self.app.backend_cls)


@shared_task(name="untellable", base=UntellableTask)
def untellable() -> None:
    """Return, and nobody gets to know."""
    did("began")
    did("returned")


@shared_task(name="lost_untold", base=UntellableTask)
def lost_untold() -> None:
    """End the process, and nobody gets to know."""
    did("began")
    lose_process("SIGKILL")


@shared_task(name="unstorable", base=UnstorableTask)
def unstorable() -> str:
    """Return what the backend does not take."""
    did("began")
    did("returned")
    return "lost"
