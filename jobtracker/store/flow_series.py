"""What the store counts of jobs in each minute, for any number of partitions.

It is one string for each hour, of counters of 32 bits with a sign, the highest byte first: those of `FLOW` for its
first minute, then for its second one. `lua/lib/metrics.lua` writes it when a job is created, and when one settles.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import zip_longest

FLOW = {"created": 0, "completed": 1, "failed": 2, "cancelled": 3}
"""Where each counter of a minute stands."""


def counts_of(string: bytes) -> Iterator[tuple[int, str, int]]:
    """Minute, what happened, and how often; without what happened never."""
    for n, count in enumerate(_counters(string)):
        if count:
            yield n // len(FLOW), _NAMES[n % len(FLOW)], count


def sum_of(strings: Iterable[bytes | None]) -> bytes:
    """Some strings of the store as one, that tells the same."""
    sums = list(map(sum, zip_longest(*(_counters(each) for each in strings if each), fillvalue=0)))
    return struct.pack(f">{len(sums)}i", *sums)


_NAMES = list(FLOW)


def _counters(string: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(string) // 4}i", string)
