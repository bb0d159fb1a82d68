"""Probes a Redis that is away, in one thread that exists only during the outage."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from jobtracker.connection.client import RedisClient

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
"""Between two attempts; the pause doubles up to the second value."""


class RedisProbe:
    """Tries something until it works.

    Args:
        attempt: Called again and again in the thread; True: it worked. An error says that Redis is away.
        prepare: Called in the thread before the first attempt; does not raise.

    Attributes:
        is_running: Whether a thread tries it, or is about to. Who has done what it tries may set this to False: the
            thread then ends at its next attempt.
    """

    def __init__(self, attempt: Callable[[], bool], prepare: Callable[[], None]) -> None:
        self._attempt = attempt
        self._prepare = prepare
        self.reset()

    def reset(self) -> None:
        """Begin without a thread: in a process that was forked it is its parent's."""
        self.is_running = False
        self._lock = threading.RLock()  # handlers of signals may interrupt each other
        self._stop = threading.Event()

    def start(self) -> None:
        """See to it that the thread runs."""
        if self.is_running:
            return
        with self._lock:
            if self.is_running:
                return
            self.is_running = True
            self._stop.clear()
        try:
            threading.Thread(target=self._run, name="jobtracker-probe", daemon=True).start()
        except BaseException as error:  # a task's time limit may come here; a second one does no harm
            self.is_running = False
            if not isinstance(error, RuntimeError):  # the interpreter is about to end: a last attempt is made then
                raise

    def stop(self) -> None:
        """Let the thread end after its attempt."""
        self._stop.set()

    def _run(self) -> None:
        pause_s, is_logged = _FIRST_PAUSE_S, False
        began = time.monotonic()
        self._prepare()
        while True:
            try:
                if self._attempt():
                    break
            except Exception as error:  # noqa: BLE001 (any error may pass)
                if not is_logged:
                    logger.warning("jobtracker: the tracking Redis is away, reports wait: %s", error)
                is_logged = True
            if self._stop.wait(pause_s):
                self.is_running = False
                return
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        if is_logged:
            logger.warning("jobtracker: the tracking Redis was away for %.1f s", time.monotonic() - began)


def answers_within(client: RedisClient, seconds: float) -> bool:
    """Whether Redis answers a ping within a time that may be shorter than the client's own timeout."""
    done, answered = threading.Event(), threading.Event()

    def ping() -> None:
        with suppress(Exception):
            client.ping()
            answered.set()
        done.set()

    with suppress(RuntimeError):  # the interpreter is about to end
        threading.Thread(target=ping, name="jobtracker-ping", daemon=True).start()
        done.wait(seconds)
    return answered.is_set()
