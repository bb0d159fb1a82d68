"""What the store counts of each queue in five minutes, and what follows from it for any number of them.

It is one string of counters of 32 bits, the highest byte first: at the beginning those of `AT_QUEUE`, behind them the
buckets of a histogram of waits, as those of `histograms.py`. `lua/lib/queue_series.lua` writes it when a message is
sent, taken by a worker, and when its job has ended.
"""

import struct
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from jobtracker.store.histograms import Histogram, sum_of_buckets

SLOT_MS = 300_000
"""What a string tells of."""
KEEP_S = 6 * 3600
"""So long it stays: 500 busy queues (`keys.MOST_QUEUES`) have 72 strings of about 0.7 KB each, 25 MB."""
AT_QUEUE = {"sent": 0, "started": 1, "ended": 2, "waits": 3}
"""Where each counter stands, counted in 32 bits, and where the first bucket does."""


class AtQueue(NamedTuple):
    """What happened at a queue in some time."""

    sent: int
    """Messages that were sent there, Celery's retries included."""
    started: int
    """Of them, those with which a worker began a task."""
    ended: int
    """Jobs that ended after a worker had begun them."""
    waits: Histogram
    """How long these had waited, from when they might run."""

    @classmethod
    def of(cls, strings: Iterable[bytes | None]) -> "AtQueue":
        """The sum of some strings; None stands for one that is not there."""
        counters = [*sum_of_buckets([each for each in strings if each])]
        head, buckets = counters[: AT_QUEUE["waits"]], counters[AT_QUEUE["waits"] :]
        sent, started, ended = head + [0] * (AT_QUEUE["waits"] - len(head))
        return cls(sent, started, ended, Histogram(buckets, 0, _NO_LIMIT))


_NO_LIMIT = 1 << 53
"""The longest wait is not counted: the buckets say it, to 2 %."""


def sum_of(strings: Iterable[bytes | None]) -> bytes:
    """Some strings of the store as one, that tells the same."""
    counters = sum_of_buckets([each for each in strings if each])
    return struct.pack(f">{len(counters)}I", *counters)


def total_of(points: Iterable[AtQueue]) -> AtQueue:
    """What happened in several slots."""
    points = list(points)
    size = max((len(each.waits.buckets) for each in points), default=0)
    padded = [chain(each.waits.buckets, [0] * (size - len(each.waits.buckets))) for each in points]
    buckets = [sum(column) for column in zip(*padded, strict=True)]
    return AtQueue(
        sum(each.sent for each in points),
        sum(each.started for each in points),
        sum(each.ended for each in points),
        Histogram(buckets, 0, _NO_LIMIT),
    )
