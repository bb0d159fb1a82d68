"""Keeps counters from going back where the store has lost its last second, as at a failover to a replica."""

from collections.abc import Hashable


class HighWater:
    """The highest value of each counter that this process has told.

    Prometheus takes a counter that goes back for one that began at zero again, and counts all of it once more. So the
    last value is told until the store has reached it. A store that has lost more than half was emptied: that is told.
    """

    def __init__(self) -> None:
        self._told: dict[Hashable, float] = {}
        self._now: dict[Hashable, float] = {}

    def of(self, key: Hashable, value: float) -> float:
        """The value to tell."""
        told = self._told.get(key, 0)
        if value < told and value * 2 >= told:
            value = told
        self._now[key] = value
        return value

    def end(self) -> None:
        """All have been told: those that were not are forgotten, unless none was."""
        if not self._now:
            return
        self._told, self._now = self._now, {}
