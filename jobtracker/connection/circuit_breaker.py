"""Circuit breaker: when a server does not answer, only one caller waits for it, not each in turn."""

import threading
import time

_PATIENCE_S = 10
"""Seconds after which another thread may try, if the thread that tries has not come back."""


class Circuit:
    """Opens after a failure. Then one thread at a time may try the server, and the other threads are refused at once.

    Args:
        pause_s: Seconds after a failure in which no thread tries.
    """

    def __init__(self, pause_s: float = 0.25) -> None:
        self.pause_s = pause_s
        self._is_open = False
        self._trying: int | None = None
        self._next_at = 0.0
        self._lock = threading.Lock()
        self._of_servers: dict[object, Circuit] = {}

    def of(self, server: object) -> "Circuit":
        """That of one of several servers: the others answer while it does not."""
        return self._of_servers.setdefault(server, Circuit(self.pause_s))

    def admits(self) -> bool:
        """Whether this thread may ask now."""
        if not self._is_open:
            return True
        me, now = threading.get_ident(), time.monotonic()
        with self._lock:
            if self._trying != me and now >= self._next_at:
                self._trying, self._next_at = me, now + _PATIENCE_S
            return not self._is_open or self._trying == me

    def failed(self) -> None:
        """The server did not answer."""
        with self._lock:
            self._is_open, self._trying, self._next_at = True, None, time.monotonic() + self.pause_s

    def answered(self) -> None:
        """It did."""
        if self._is_open:
            with self._lock:
                self._is_open, self._trying = False, None
