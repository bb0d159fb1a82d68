"""Keeps counters from going back where the store has lost its last second, as at a failover to a replica."""

from collections.abc import Hashable, Sequence
from operator import lt


class HighWater:
    """The highest value of each counter that this process has told.

    Prometheus takes a counter that goes back for one that began at zero again, and counts all of it once more. So the
    last value is told until the store has reached it. A store that has lost more than half was emptied: that is told.
    """

    def __init__(self) -> None:
        self._told: dict[Hashable, Sequence[float]] = {}
        self._now: dict[Hashable, Sequence[float]] = {}

    def of(self, key: Hashable, value: float) -> float:
        """The value to tell."""
        return self.of_each(key, (value,))[0]

    def of_each(self, key: Hashable, values: Sequence[float]) -> Sequence[float]:
        """The values to tell, of counters that have one key together."""
        told = self._told.get(key, ())
        if any(map(lt, values, told)):
            values = [high if low < high <= low * 2 else low for low, high in zip(values, told, strict=True)]
        self._now[key] = values
        return values

    def end(self) -> None:
        """All have been told: those that were not are forgotten, unless none was."""
        if not self._now:
            return
        self._told, self._now = self._now, {}
