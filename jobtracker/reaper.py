"""Looks after what nobody reports: settled jobs whose time is up, and jobs of workers that are gone.

Every worker and API process has one; a lock in Redis lets one of them act at a time. Each step can be repeated.
"""

import json
import logging
import uuid

from jobtracker.leases import Leases
from jobtracker.lifecycle import SETTLED, Event, Outcome, Status
from jobtracker.store import now_ms
from jobtracker.tracking import Tracking

logger = logging.getLogger(__name__)

_BATCH = 500


class Reaper:
    """Settles lost jobs and removes old ones."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self.leases = Leases(tracking.client, tracking.keys, tracking.settings.lease_lost_s)
        self._me = uuid.uuid4().hex

    def step(self) -> None:
        """One round, if nobody else is at it."""
        if self._lock():
            self.settle_lost()
            self.remove_expired()
            self.tracking.launcher.empty_trash()
            self.leases.forget_lost()

    def settle_lost(self) -> int:
        """Settle running jobs whose worker has let its lease run out; returns how many.

        A job whose message comes back (acks_late) waits for that; any other has failed. Both are presumptions: a
        report that the worker sends after all corrects them.
        """
        store, queries = self.tracking.store, self.tracking.queries
        live = {worker.incarnation for worker in self.leases.live()}
        before_ms = now_ms() - int(self.tracking.settings.lease_lost_s * 1000)
        settled = offset = 0
        while ids := queries.entered_before(Status.RUNNING, before_ms, offset, _BATCH):
            offset += len(ids)
            for record, _ in queries.load(ids, missing_ok=True):
                lease = record.get("lease")
                if not lease or lease in live or not record.get("executing"):
                    continue
                worker = record.get("worker", "its worker")
                if record.get("acks_late"):
                    event, reason = Event.REQUEUE, f"{worker} was lost; the broker will deliver the message again"
                    change = store.apply(event, record["id"], run=int(record["run"]), fields={"reason": reason})
                else:
                    event, reason = Event.LOSE, f"{worker} was lost while it ran the task"
                    change = store.apply(
                        event,
                        record["id"],
                        run=int(record["run"]),
                        attempt=int(record.get("attempt") or 0),
                        fields={"reason": reason},
                        data={"error": json.dumps({"type": "WorkerLost", "message": reason})},
                    )
                if change.applied:
                    settled += 1
                    offset -= 1
                    logger.warning("Job %s: %s", record["id"], reason)
                    self.tracking.settlement.follow(record["id"], change)
        return settled

    def remove_expired(self) -> int:
        """Remove settled jobs whose retention time is over, a tree together with its root; returns how many."""
        store, queries = self.tracking.store, self.tracking.queries
        before_ms = now_ms() - self.tracking.settings.retention_ms
        removed = 0
        for status in SETTLED:
            kept = 0
            while ids := queries.entered_before(status, before_ms, kept, _BATCH):
                outcomes = store.delete(*ids, mode="expire", finished_before_ms=before_ms)
                gone = sum(outcome is Outcome.APPLIED for outcome in outcomes)
                kept += len(ids) - gone  # sub-jobs stay until their parent goes
                removed += gone
                self.tracking.launcher.empty_trash()
        return removed

    def _lock(self) -> bool:
        key, ttl_ms = self.tracking.keys("reaper"), int(self.tracking.settings.reap_interval_s * 3000)
        client = self.tracking.client
        if client.set(key, self._me, nx=True, px=ttl_ms):
            return True
        if client.get(key) != self._me:
            return False
        client.pexpire(key, ttl_ms)
        return True
