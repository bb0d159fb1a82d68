"""Log-scale histograms of durations: mergeable, with a relative error of at most 2 %.

Bucket `b` holds durations in (GAMMA^(b-1), GAMMA^b] milliseconds; `lua/record.lua` files them.
The scheme is that of DDSketch (Masson, Rim, Lee: VLDB 2019).
"""

import math
from collections import Counter
from collections.abc import Mapping

ERROR = 0.02
GAMMA = (1 + ERROR) / (1 - ERROR)


class Histogram:
    """Durations in milliseconds, as counted by the store under one name (`wait` or `run`)."""

    def __init__(self) -> None:
        self.buckets: Counter[int | None] = Counter()
        self.sum_ms = 0
        self._highest_ms = 0

    def add(self, what: str, series: Mapping[str, str]) -> None:
        """Merge one hash of the store (`keys.PREFIXES["times"]`): its fields that begin with `what`."""
        for name, value in series.items():
            kind, _, bucket = name.partition(":")
            if kind == what:
                self.buckets[None if bucket == "zero" else int(bucket)] += int(value)
        self.sum_ms += int(series.get(f"{what}_sum", 0))
        self._highest_ms = max(self._highest_ms, int(series.get(f"{what}_max", 0)))

    @property
    def count(self) -> int:
        """How many durations."""
        return sum(self.buckets.values())

    def quantile(self, q: float) -> float | None:
        """The q-quantile (0 ≤ q ≤ 1) in milliseconds, or None where there is nothing."""
        if not self.count:
            return None
        rank = max(math.ceil(q * self.count), 1)
        seen = 0
        for bucket in sorted(self.buckets, key=lambda b: -math.inf if b is None else b):
            seen += self.buckets[bucket]
            if seen >= rank:
                return 0.0 if bucket is None else min(2 * GAMMA**bucket / (GAMMA + 1), self.max_ms)
        return float(self.max_ms)

    @property
    def max_ms(self) -> int:
        """The longest: exact, or at most 5 % too long where an even longer one was taken back."""
        filled = [bucket for bucket, n in self.buckets.items() if n and bucket is not None]
        return min(self._highest_ms, math.ceil(GAMMA ** max(filled))) if filled else 0

    @property
    def mean_ms(self) -> float | None:
        """The exact mean in milliseconds, or None where there is nothing."""
        return self.sum_ms / self.count if self.count else None
