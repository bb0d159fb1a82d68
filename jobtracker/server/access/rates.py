"""How often somebody may ask: a bucket of tokens for each, in each API process."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from jobtracker.errors import TooManyRequestsError

BURST_S = 5.0
"""So many seconds' requests may come at once."""

_MOST_KNOWN = 10_000
"""Who has not asked for the longest time is forgotten: their bucket is full by then."""


class Rates:
    """Refuses a caller that asks too often.

    Args:
        per_s: How many requests a second each may send; 0: any number.
        clock: Seconds that only grow.
    """

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._most = max(per_s * BURST_S, 1.0)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By account: tokens, and when there were so many."""

    def take(self, account: str, name: str = "") -> None:
        """Count a request of somebody.

        Args:
            account: Stands for them, and nobody else.
            name: What they are called; default: as their account.

        Raises:
            TooManyRequestsError: They have sent too many; it says when to come again.
        """
        if not self._per_s:
            return
        now = self._clock()
        tokens, at = self._buckets.pop(account, (self._most, now))
        tokens = min(tokens + (now - at) * self._per_s, self._most)
        if tokens < 1:
            self._buckets[account] = tokens, now
            raise TooManyRequestsError(
                f"{name or account} sends more than {self._per_s:g} requests a second to this API process "
                "(API_RATE_PER_S).",
                (1 - tokens) / self._per_s,
            )
        self._buckets[account] = tokens - 1, now
        if len(self._buckets) > _MOST_KNOWN:
            self._buckets.popitem(last=False)


class Streams:
    """Counts the live streams of each; refuses who has too many in this process.

    Args:
        most: How many each may have; 0: any number.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    def check(self, account: str | None, name: str = "") -> None:
        """Do nothing where somebody may have one more.

        Args:
            account: Stands for them, and nobody else; None: nobody counts them.
            name: What they are called; default: as their account.

        Raises:
            TooManyRequestsError: They have as many as they may.
        """
        if account is not None and self._most and self._open[account] >= self._most:
            raise TooManyRequestsError(
                f"{name or account} has {self._most} live streams of this API process already (API_STREAMS_EACH). "
                "Close some, or ask from time to time.",
                _STREAM_RETRY_S,
            )

    def joined(self, account: str | None) -> None:
        """One more is open."""
        if account is not None:
            self._open[account] += 1

    def left(self, account: str | None) -> None:
        """One has ended."""
        if account is not None:
            self._open[account] -= 1
            if not self._open[account]:
                del self._open[account]


_STREAM_RETRY_S = 5.0
