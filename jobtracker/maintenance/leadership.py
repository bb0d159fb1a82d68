"""Elects the leader of maintenance: one process at a time acts, and only its writes are accepted.

Each partition has a lock in Redis. It lasts for a term, and each step renews it. The leader's writes carry the fence
of its term. They are rejected as soon as another process leads, because a process may be paused for minutes between a
check and its write.
"""

import time
import uuid

from jobtracker.runtime import Tracking
from jobtracker.store.functions import FencedError
from jobtracker.store.keys import Partition

_SHORTEST_TERM_S = 2.0
"""A term lasts for two rounds or, if they follow each other faster, so long: a round should not outlast it."""


class Leadership:
    """This process's part in the leadership of maintenance.

    Attributes:
        tracking: What maintenance works on; during a term its writes bear the fences of that.
    """

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self._unfenced = tracking
        self._me = uuid.uuid4().hex
        self._fences: dict[Partition, str] = {}
        self._was_away_at = float("-inf")

    def renew(self) -> list[Partition]:
        """Take the locks, or keep them; returns the partitions in which a worker without a lease is a lost one.

        A worker without a lease may be one that could not renew it, unless the store has been there for long enough:
        each process leaves a mark that lasts for a little less than a lease, and there is none if the store was away.

        Each partition has a lock of its own, so that the writes in it bear what it holds. The first process takes
        them all.

        Raises:
            FencedError: Another process leads.
        """
        settings = self._unfenced.settings
        mark_s = max(settings.lease_lost_s - 2 * settings.lease_renew_s, 2 * settings.maintenance_interval_s)
        lock_s = max(2 * settings.maintenance_interval_s, _SHORTEST_TERM_S)
        turns = self._unfenced.store.acquire_leadership(
            self._me, lock_ms=int(lock_s * 1000), mark_ms=int(mark_s * 1000)
        )
        fences = {part: turn.fence for part, turn in turns.items() if turn.fence is not None}
        if not fences:
            raise FencedError("Another process leads maintenance.")
        if fences != self._fences:
            self._fences, self.tracking = fences, self._unfenced.fenced(fences)
        if time.monotonic() - self._was_away_at <= settings.lease_lost_s:
            return []
        return [part for part in fences if turns[part].watched_ms >= settings.lease_lost_s * 1000]

    def note_outage(self) -> None:
        """The store was found away: for as long as a lease no worker is taken for lost."""
        self._was_away_at = time.monotonic()
