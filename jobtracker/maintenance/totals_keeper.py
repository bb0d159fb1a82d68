"""Keeps the totals of all time: enters what hours have counted, and gives names to the types with most jobs."""

import time
from collections import Counter
from collections.abc import Mapping

from jobtracker.maintenance.leadership import Leadership
from jobtracker.maintenance.pacing import pause_after
from jobtracker.store.keys import MOST_NAMED

_ANEW_S = 3600.0
"""So often it is looked which types have most jobs."""
_RATIO = 2
"""A type without a name takes that of another one if it has so many times its jobs: names should seldom change."""
_MOST_MOVED = 20
"""Names that change hands at once."""


class TotalsKeeper:
    """Keeps the totals.

    Args:
        leadership: Tells the store.
    """

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership
        self._named_at = float("-inf")

    def fold(self) -> int:
        """Enter the series of hours that are over into the totals; returns how many. The next round goes on."""
        tracking, folded = self._leadership.tracking, 0
        ends_at = time.monotonic() + tracking.settings.maintenance_interval_s
        for part in tracking.queries.parts:
            left = 1
            while left and time.monotonic() < ends_at:
                began = time.monotonic()
                done, left = tracking.store.fold_totals(part)
                folded += done
                pause_after(began)
        return folded

    def name_types(self) -> int:
        """Count the types with most jobs by name, once an hour; returns how many names have changed."""
        now, tracking = time.monotonic(), self._leadership.tracking
        if now < self._named_at + _ANEW_S:
            return 0
        jobs: Counter[str] = Counter()
        for count in tracking.queries.counts():
            jobs[count.job_type] += count.count
        of_part = {part: tracking.queries.named(part) for part in tracking.queries.parts}
        wanted = names(jobs, set().union(*of_part.values()))
        changed = sum(
            tracking.store.name_types(part, sorted(wanted - own), sorted(own - wanted))
            for part, own in of_part.items()
            if own != wanted
        )
        self._named_at = now
        return changed

    def note(self) -> None:
        """Note that a round has ended."""
        tracking = self._leadership.tracking
        tracking.store.note_maintained(tracking.queries.parts, at_ms=tracking.queries.server_ms())


def names(jobs: Mapping[str, int], named: set[str], most: int = MOST_NAMED) -> set[str]:
    """Which types are to have a name.

    Args:
        jobs: How many jobs of each type there are.
        named: The types that have one, of any partition.
        most: So many may have one.
    """
    ranked = sorted({*jobs, *named} - {""}, key=lambda each: (-jobs.get(each, 0), each))
    kept = [each for each in ranked if each in named][:most]
    waiting = [each for each in ranked if each not in kept]
    room = most - len(kept)
    pairs = zip(waiting[room : room + _MOST_MOVED], reversed(kept), strict=False)
    swapped = [(a, b) for a, b in pairs if jobs.get(a, 0) > _RATIO * jobs.get(b, 0)]
    return {*kept, *waiting[:room], *(a for a, _ in swapped)} - {b for _, b in swapped}
