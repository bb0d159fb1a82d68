"""What the store counts of each queue in five minutes, and what follows from it for any number of them.

`lua/lib/queue_series.lua` counts messages that are sent, and jobs that end: one number each. Of what workers take it
has one string of counters of 32 bits, the highest byte first: how many messages there were, and behind that the
buckets of a histogram of how long they had waited, as those of `histograms.py`.
"""

import struct
from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from jobtracker.store.histograms import Histogram, sum_of_buckets

SLOT_MS = 300_000
"""What a string tells of."""
KEEP_S = 6 * 3600
"""So long they stay: 500 busy queues (`keys.MOST_QUEUES`) have 72 of each, together about 0.9 KB: 33 MB."""
SERIES = ("sent_to", "ended_at", "at_queue")
"""Their names in `keys.PREFIXES`."""
_HEAD = 1
"""Counters in front of the buckets."""
AT_QUEUE = {"started": 0, "waits": 32 * _HEAD}
"""Where the first counter stands, and the first bucket, in bits."""


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
    def of(
        cls, sent: Iterable[bytes | None], ended: Iterable[bytes | None], taken: Iterable[bytes | None]
    ) -> "AtQueue":
        """The sum of some numbers and strings; None stands for one that is not there."""
        counters = [*sum_of_buckets([each for each in taken if each])]
        waits = Histogram(counters[_HEAD:], 0, _NO_LIMIT)
        return cls(int(sum_of_numbers(sent)), sum(counters[:_HEAD]), int(sum_of_numbers(ended)), waits)


_NO_LIMIT = 1 << 53
"""The longest wait is not counted: the buckets say it, to 2 %."""


def sum_of_numbers(numbers: Iterable[bytes | None]) -> bytes:
    """Some numbers of the store as one."""
    return b"%d" % sum(int(each) for each in numbers if each)


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
