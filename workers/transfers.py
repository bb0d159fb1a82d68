"""How a task waits for a bucket: a cancel ends that, and so does too long a silence."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from jobtracker import current_job
from workers.confined.budget import Budget
from workers.errors import BucketUnusableError, OverBudgetError

T = TypeVar("T")

_TICK_S = 0.2
"""How often it is looked whether the job was cancelled; that asks Redis once a second at most."""

_SILENT_S = 120.0
"""Nothing may take longer: a request is repeated for less than a minute, and for one object there may be two."""


class StoppedError(Exception):
    """Nobody waits for the transfer any more."""


class Transfer:
    """What is under way, as the thread sees it that does it.

    Attributes:
        note: What it is doing, for people.
        moved_at: When it has last got on, by `time.monotonic`.
    """

    def __init__(self) -> None:
        self.note = ""
        self.moved_at = time.monotonic()
        self._stopped = threading.Event()

    def moves(self, note: str | None = None) -> None:
        """Tell that it gets on; to be called between any two requests.

        Raises:
            StoppedError: It need not.
        """
        if self._stopped.is_set():
            raise StoppedError
        self.moved_at = time.monotonic()
        if note is not None:
            self.note = note

    def stop(self) -> None:
        """Let it end as soon as the request that is under way has."""
        self._stopped.set()


def run_transfer(work: Callable[[Transfer], T], *, progress: float = 0, silent_s: float = _SILENT_S) -> T:
    """Do something with buckets, as the running job.

    It runs in a thread, which is left behind by a cancel, by a time limit of Celery's, and where a bucket hangs. What
    the thread waits for is bounded (`ObjectStore`), and then it ends.

    Args:
        work: What to do; it tells its transfer that it gets on.
        progress: How far the job is meanwhile, of 1.
        silent_s: For so long it may not get on, in seconds.

    Returns:
        What it gives.

    Raises:
        Exception: What it has raised.
        BucketUnusableError: It did not get on.
        OverBudgetError: It took longer than JOB_WALL_S.
        JobCancelledError: The job was cancelled.
    """
    job, transfer, outcome = current_job(), Transfer(), Future[T]()
    wall_s = Budget.from_env().job_wall_s
    until = time.monotonic() + wall_s

    def run() -> None:
        try:
            result = work(transfer)
        except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
            outcome.set_exception(error)
        else:
            outcome.set_result(result)

    threading.Thread(target=run, name="jobtracker-bucket", daemon=True).start()
    try:
        while not wait([outcome], _TICK_S).done:
            job.raise_if_cancelled()
            now = time.monotonic()
            if now - transfer.moved_at > silent_s:
                raise BucketUnusableError(
                    f"the bucket has not answered for {silent_s:g} s ({transfer.note}). Retry the job once it does"
                )
            if now > until:
                raise OverBudgetError(f"took longer than {wall_s:g} s (JOB_WALL_S) for: {transfer.note}")
            if progress < 1:  # the end of a job is not written twice
                job.progress(progress, 1, transfer.note)
        return outcome.result()
    finally:
        transfer.stop()
