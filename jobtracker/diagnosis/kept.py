"""Answers that cost much, found once for all who ask at about the same time."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """An answer, and how it is found.

    Args:
        look: Finds it.
        kept_s: An answer that is younger than that does, in seconds.
    """

    def __init__(self, look: Callable[[], T], kept_s: float) -> None:
        self._look = look
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._last: T | None = None
        self._looked_at = float("-inf")

    def get(self) -> T:
        """It, at most some seconds old.

        While one request finds it out, others get what was known before: a slow server must not take all threads.
        """
        last = self._last
        if last is None:
            self._lock.acquire()
        elif not self._lock.acquire(blocking=False):
            return last
        try:
            last = self._last
            if last is None or time.monotonic() - self._looked_at >= self._kept_s:
                last = self._last = self._look()
                self._looked_at = time.monotonic()
            return last
        finally:
            self._lock.release()
