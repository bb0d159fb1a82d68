"""Does something again and again, in a thread of its own."""

import _thread
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

logger = logging.getLogger(__name__)


class Repeater:
    """Does something every few seconds in a thread of its own, until it is stopped.

    A thread, not a timer of Celery's: the main process of a solo worker is blocked while a task runs.

    Args:
        name: What messages call it.
        interval_s: From the beginning of one step to that of the next, in seconds.
        step: What to do; its failures are logged.
        system_thread: Under gevent, which makes greenlets of threads, a real one all the same: a task that computes
            without a pause holds up every greenlet. Such a step shares no connection with anybody else.
    """

    def __init__(
        self, name: str, interval_s: float, step: Callable[[], object], *, system_thread: bool = False
    ) -> None:
        threads = _thread_functions(before_gevent=system_thread)
        self._start_thread = threads.start_new_thread
        self._stop, self._stepped, self._ended = (threads.allocate_lock() for _ in range(3))
        for until in (self._stop, self._stepped, self._ended):
            until.acquire()
        self._name = f"jobtracker-{name}"
        self._interval_s = interval_s
        self._step = step

    def start(self, wait_s: float = 0.0) -> None:
        """Begin, with the first step at once; waits for that, at most `wait_s` seconds."""
        self._start_thread(self._run, ())
        self._stepped.acquire(timeout=wait_s)

    def stop(self, timeout_s: float = 2.0) -> None:
        """End; waits for a step that is under way, at most `timeout_s` seconds. May be called again."""
        if self._stop.locked():
            self._stop.release()
        if self._ended.acquire(timeout=timeout_s):
            self._ended.release()

    def _run(self) -> None:
        threading.current_thread().name = self._name
        failing = stepped = False
        wait_s = 0.0
        while not self._stop.acquire(timeout=wait_s):
            began = time.monotonic()
            try:
                self._step()
                failing = False
            except Exception as error:
                if not failing:  # once per trouble, not every few seconds
                    logger.warning("%s: %s", self._name, error, exc_info=True)
                failing = True
            if not stepped:
                self._stepped.release()
                stepped = True
            wait_s = max(0.0, self._interval_s - (time.monotonic() - began))
        self._ended.release()


class _ThreadFunctions(NamedTuple):
    """The functions of `_thread` that a repeater needs."""

    start_new_thread: Any
    allocate_lock: Any


def _thread_functions(*, before_gevent: bool) -> _ThreadFunctions:
    monkey = sys.modules.get("gevent.monkey") if before_gevent else None
    if monkey is not None:
        return _ThreadFunctions(*(monkey.get_original("_thread", name) for name in _ThreadFunctions._fields))
    return _ThreadFunctions(_thread.start_new_thread, _thread.allocate_lock)
