"""How many lines a task may write into its job's log."""

import time

LINES_A_SECOND = 50
BURST = 100
"""So many lines may come at once. Each takes a round trip to Redis, in the task's own time …"""
SHARE = 0.1
"""… of which writing them takes no more than this share, …"""
BURST_S = 1.0
"""… but for so long at once: a slow Redis must not make a slow task."""
_WHY = f"more than {LINES_A_SECOND} in a second, or {SHARE:.0%} of the task's time"


class LineBudget:
    """How many lines one execution of a job may still write.

    Args:
        most: All of them together.
    """

    def __init__(self, most: int) -> None:
        self._left = most
        self._lines = float(BURST)
        self._seconds = BURST_S
        self._at = time.monotonic()
        self._left_out = 0

    def lines(self, text: str) -> list[str]:
        """What to write for one more line: it, after how many were left out before; or nothing."""
        if self._left <= 0:
            return []
        now = time.monotonic()
        self._lines = min(BURST, self._lines + (now - self._at) * LINES_A_SECOND)
        self._seconds = min(BURST_S, self._seconds + (now - self._at) * SHARE)
        self._at = now
        found = [f"[{self._left_out} lines left out: {_WHY}]", text] if self._left_out else [text]
        if self._lines < len(found) or self._seconds <= 0:
            self._left_out += 1
            return []
        self._lines -= len(found)
        self._left -= len(found)
        self._left_out = 0
        return found if self._left > 0 else [*found, "[further lines are left out: MAX_LOG_LINES]"]

    def took(self, seconds: float) -> None:
        """Writing what `lines` said took so long."""
        self._seconds -= seconds
