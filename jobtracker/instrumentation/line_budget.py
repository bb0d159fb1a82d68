"""How many lines a task may write into its job's log."""

import time

LINES_A_SECOND = 50
BURST = 100
"""So many lines may come at once. Each takes a round trip to Redis, in the task's own time."""


class LineBudget:
    """How many lines one execution of a job may still write.

    Args:
        most: All of them together.
    """

    def __init__(self, most: int) -> None:
        self._left = most
        self._tokens = float(BURST)
        self._at = time.monotonic()
        self._left_out = 0

    def lines(self, text: str) -> list[str]:
        """What to write for one more line: it, after how many were left out before; or nothing."""
        if self._left <= 0:
            return []
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._at) * LINES_A_SECOND)
        self._at = now
        if self._tokens < 1:
            self._left_out += 1
            return []
        self._tokens -= 1
        self._left -= 1
        before, self._left_out = self._left_out, 0
        found = [f"[{before} lines left out: more than {LINES_A_SECOND} in a second]"] if before else []
        if self._left == 0:
            return [*found, text, "[further lines are left out: MAX_LOG_LINES]"]
        return [*found, text]
