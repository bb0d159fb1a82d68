"""Batches reports whose answer is not needed: they are sent with the next report, or alone a moment later."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from jobtracker.reporting.report import Report

_FLUSHED_AFTER_S, _IDLE_S = 0.01, 1.0
"""A report is flushed after this time, where no other one is sent before.

The thread that does it ends when no report was enqueued for the second time.
"""


class Batch:
    """The enqueued reports of one process, and the thread that flushes them, which is there only when needed.

    Args:
        flush: Sends what `take` returns; called in the thread.
    """

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self.reset()

    def reset(self) -> None:
        """Begin with no report, lock or thread: in a process that was forked these are its parent's."""
        self._reports: deque[tuple[float, Report]] = deque()
        self._has_thread = False
        # Handlers of signals may interrupt each other.
        self._lock = threading.RLock()
        self._flushing = threading.RLock()

    def enqueue(self, report: Report) -> None:
        """Keep a report until the next one is sent, or its time is up."""
        self._reports.append((time.monotonic(), report))
        if not self._has_thread:
            self._start_thread()

    def take(self) -> list[Report]:
        """Take the enqueued reports out, in order."""
        taken: list[Report] = []
        while self._reports:
            try:
                taken.append(self._reports.popleft()[1])
            except IndexError:  # another thread was faster
                break
        return taken

    def count(self) -> int:
        """How many reports are enqueued."""
        return len(self._reports)

    def wait_for_thread(self, timeout_s: float) -> None:
        """Wait while the thread flushes: it may be about to learn that its reports must wait for Redis."""
        if self._flushing.acquire(timeout=timeout_s):
            self._flushing.release()

    def _start_thread(self) -> None:
        with self._lock:
            if self._has_thread:
                return
            self._has_thread = True
        try:
            threading.Thread(target=self._run, name="jobtracker-batch", daemon=True).start()
        except BaseException as error:  # a task's time limit may come here
            self._has_thread = False
            if not isinstance(error, RuntimeError):  # the interpreter is about to end: they are flushed then
                raise

    def _run(self) -> None:
        last_at = time.monotonic()
        while self._reports or time.monotonic() - last_at < _IDLE_S:
            time.sleep(_FLUSHED_AFTER_S)
            with suppress(IndexError):  # it was sent with another one
                last_at = self._reports[0][0]
                if time.monotonic() - last_at >= _FLUSHED_AFTER_S:
                    with self._flushing:
                        self._flush()
        self._has_thread = False
        if self._reports:  # enqueued since it looked
            self._start_thread()
