"""Prunes the store: settled jobs whose retention time is over, the trash, and queues that nobody uses any more."""

import itertools
import logging
import time
from collections.abc import Sequence

from redis.exceptions import ResponseError

from jobtracker.broker.connection import BROKER_TIMEOUT_S, connected
from jobtracker.broker.queues import backlogs
from jobtracker.core.lifecycle import SETTLED, Outcome, Status
from jobtracker.errors import BrokerUnavailableError
from jobtracker.maintenance.leadership import Leadership
from jobtracker.maintenance.pacing import pause_after
from jobtracker.store.changes import SettledIndex
from jobtracker.store.functions import batched
from jobtracker.store.keys import Partition
from jobtracker.store.writer import REMOVED_AT_ONCE

logger = logging.getLogger(__name__)

_TRASHED = 100
"""So many jobs of the trash are looked up together."""

_INDEXES = 50
"""Indexes of settled jobs that one call looks through for expired ones; an index with many gets a call alone."""

_ANEW_S = 3600.0
"""So often retention begins with the oldest job again: what had to stay before may go by now."""


class Pruner:
    """Removes what has expired.

    Args:
        leadership: Tells the store.
    """

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership
        self._reached: dict[Partition, dict[tuple[Status, str], SettledIndex]] = {}
        self._unfinished: dict[Partition, list[SettledIndex]] = {}  # there was no time for more
        self._begun_anew_at = float("-inf")
        self._forgotten_at = float("-inf")  # queues

    def prune(self) -> int:
        """Remove settled jobs whose retention time is over, a tree together with its root; returns how many.

        A sub-job that stays with its parent goes with it, by way of the trash, and needs no second look: the next
        round goes on behind it. If a round has no time for all, the next one goes on.
        """
        now, tracking = time.monotonic(), self._leadership.tracking
        if now > self._begun_anew_at + _ANEW_S:
            self._begun_anew_at, self._reached, self._unfinished = now, {}, {}
        ends_at = now + tracking.settings.maintenance_interval_s
        before_ms = tracking.queries.server_ms() - tracking.settings.retention_ms
        self._empty_trash(ends_at)
        return sum(self._prune(part, before_ms, ends_at) for part in tracking.queries.parts)

    def _prune(self, part: Partition, before_ms: int, ends_at: float) -> int:
        tracking, removed = self._leadership.tracking, 0
        kinds = itertools.product(sorted(SETTLED), sorted(tracking.queries.kinds(part)))
        reached = self._reached.setdefault(part, {})
        left = self._unfinished.pop(part, None) or [reached.get(kind) or SettledIndex(*kind) for kind in kinds]
        at_once = _INDEXES
        while left:
            began = time.monotonic()
            done = tracking.store.prune(part, left[:at_once], finished_before_ms=before_ms)
            pause_after(began)
            removed += done.removed + self._remove(done.apart, "expire", before_ms).count(Outcome.APPLIED)
            if done.has_trash or done.apart:
                self._empty_trash(ends_at)
            reached |= {(index.status, index.kind): index for index in done.through if index.job_id}
            left, at_once = done.left + left[at_once:], 1 if done.left else _INDEXES
            if time.monotonic() > ends_at:
                self._unfinished[part] = left
                break
        return removed

    def _empty_trash(self, ends_at: float) -> None:
        while time.monotonic() < ends_at and (ids := self._leadership.tracking.queries.trash(_TRASHED)):
            self._remove(ids, "trash")

    def _remove(self, job_ids: Sequence[str], mode: str, before_ms: int = 0) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for some in batched(job_ids, REMOVED_AT_ONCE):
            began = time.monotonic()
            outcomes += self._leadership.tracking.store.delete(*some, mode=mode, finished_before_ms=before_ms)
            pause_after(began)
        return outcomes

    def forget_queues(self) -> int:
        """Forget queues that are empty and got no message for the retention time of jobs; returns how many.

        The broker is asked about them once an hour.
        """
        now, tracking = time.monotonic(), self._leadership.tracking
        if now < self._forgotten_at + _ANEW_S:
            return 0
        queries = tracking.queries
        before_ms = queries.server_ms() - tracking.settings.retention_ms
        old = {part: names for part in queries.parts if (names := queries.queues_before(part, before_ms))}
        forgotten = 0
        if old:
            asked = sorted({name for names in old.values() for name in names} - {""})
            try:
                with connected(tracking.app, BROKER_TIMEOUT_S, read_timeout_s=BROKER_TIMEOUT_S) as connection:
                    found = backlogs(connection, asked)
            except (BrokerUnavailableError, ResponseError) as error:
                logger.debug("The broker could not be asked which queues are empty: %s", error)
                return 0
            empty = {"", *(name for name, waiting in found.items() if waiting is None or not waiting.messages)}
            for part, names in old.items():
                if gone := [name for name in names if name in empty]:
                    forgotten += tracking.store.forget_queues(part, gone, before_ms=before_ms)
        self._forgotten_at = now
        return forgotten
