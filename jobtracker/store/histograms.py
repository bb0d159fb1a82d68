"""What the store counts of settled jobs, by hour and type, and what follows from it for any number of them.

It is one string of counters, as Redis's BITFIELD has them, the highest byte first. At the beginning stand `TOTALS`,
of 64 bits each; behind them the buckets of two histograms, of 32 bits each, those of `wait` and of `run` by turns. So
its length does not depend on how many jobs it tells of, and sums of strings are sums of large numbers.

The histograms are log-scale and mergeable, with a relative error of at most 2 %: those of DDSketch (Masson, Rim, Lee:
VLDB 2019). Bucket 0 holds durations of no millisecond, bucket `b` those in (GAMMA^(b-2), GAMMA^(b-1)] milliseconds;
`lua/lib/metrics.lua` files them.
"""

import math
import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, zip_longest
from typing import NamedTuple

ERROR = 0.02
GAMMA = (1 + ERROR) / (1 - ERROR)

_SUMS = (
    "completed", "failed", "cancelled",
    "deliveries", "redeliveries", "double_runs", "wasted_ms",  # beyond one delivery of each job
    "wait_sum", "run_sum",  # ms
)  # fmt: skip
_MAXIMA = (
    "wait_max", "run_max",  # ms
    "folded",  # 1: the totals of `totals.py` have it
)  # fmt: skip
TOTALS = (*_SUMS, *_MAXIMA)

_HEAD = struct.Struct(f">{len(TOTALS)}q")
BUCKETS = {"wait": _HEAD.size // 4, "run": _HEAD.size // 4 + 1}
"""Where the first bucket of each histogram stands, counted in 32 bits. The next one is two further."""
SUMMED = len(_SUMS)
"""So many counters at the beginning are sums."""


class Histogram:
    """Durations in milliseconds.

    Args:
        buckets: How many there are in each bucket.
        sum_ms: All of them together.
        highest_ms: The longest there has been.
    """

    def __init__(self, buckets: Sequence[int] = (), sum_ms: int = 0, highest_ms: int = 0) -> None:
        self.buckets = buckets
        self.sum_ms = sum_ms
        self.count = sum(buckets)
        """How many durations."""
        self._highest_ms = highest_ms

    def quantile(self, q: float) -> float | None:
        """The q-quantile (0 ≤ q ≤ 1) in milliseconds, or None where there is nothing."""
        if not self.count:
            return None
        rank = max(math.ceil(q * self.count), 1)
        bucket = next(bucket for bucket, seen in enumerate(accumulate(self.buckets)) if seen >= rank)
        return min(2 * GAMMA ** (bucket - 1) / (GAMMA + 1), self.max_ms) if bucket else 0.0

    @property
    def max_ms(self) -> int:
        """The longest: exact, or at most 5 % too long where an even longer one was taken back."""
        longest = max((bucket for bucket, n in enumerate(self.buckets) if n), default=0)
        return min(self._highest_ms, math.ceil(GAMMA ** (longest - 1))) if longest else 0

    @property
    def mean_ms(self) -> float | None:
        """The exact mean in milliseconds, or None where there is nothing."""
        return self.sum_ms / self.count if self.count else None


class Settled(NamedTuple):
    """Some strings of the store (`keys.PREFIXES["settled"]`) together: their totals, and both histograms."""

    totals: dict[str, int]
    wait: Histogram
    run: Histogram

    @classmethod
    def of(cls, strings: Iterable[bytes | None]) -> "Settled":
        """The sum of some strings; None stands for one that is not there."""
        there = [each.ljust(_HEAD.size, b"\0") for each in strings if each]
        heads = list(zip(*map(_HEAD.unpack_from, there), strict=True)) or [(0,)] * len(TOTALS)
        totals = {name: (max if name in _MAXIMA else sum)(each) for name, each in zip(TOTALS, heads, strict=True)}
        buckets = sum_of_buckets([each[_HEAD.size :] for each in there])
        return cls(
            totals,
            Histogram(buckets[::2], totals["wait_sum"], totals["wait_max"]),
            Histogram(buckets[1::2], totals["run_sum"], totals["run_max"]),
        )


def merged(strings: Iterable[bytes | None]) -> bytes:
    """Some strings of the store as one, that tells the same."""
    totals, wait, run = Settled.of(strings)
    buckets = [count for pair in zip_longest(wait.buckets, run.buckets, fillvalue=0) for count in pair]
    return _HEAD.pack(*(totals[name] for name in TOTALS)) + struct.pack(f">{len(buckets)}I", *buckets)


def sum_of_buckets(strings: Sequence[bytes]) -> Sequence[int]:
    """The sums of counters of 32 bits: as one large number each, of which no digit reaches the next one."""
    size = max(map(len, strings), default=0)
    size += -size % 4
    total = sum(int.from_bytes(each.ljust(size, b"\0"), "big") for each in strings)
    buckets = array("I", total.to_bytes(size, "big"))
    if sys.byteorder == "little":
        buckets.byteswap()
    return buckets
