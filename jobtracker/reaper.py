"""Looks after what nobody reports: settled jobs whose time is up, and jobs of workers that are gone.

Every worker and API process has one; a lock in Redis lets one of them act at a time. Each step can be repeated.
"""

import json
import logging
import uuid

from jobtracker.lifecycle import SETTLED, Event, Outcome
from jobtracker.store import now_ms
from jobtracker.tracking import Tracking

logger = logging.getLogger(__name__)

_BATCH = 500


class Reaper:
    """Settles lost jobs and removes old ones."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking
        self._me = uuid.uuid4().hex
        self._due: set[str] = set()  # parents whose task was to be called when the last round came by

    def step(self) -> None:
        """One round, if nobody else is at it."""
        if self._lock():
            self.settle_lost()
            self.settle_waiting()
            self.remove_expired()
            self.tracking.launcher.empty_trash()
            self.tracking.leases.forget_lost()

    def settle_lost(self) -> int:
        """Settle running jobs whose worker has let its lease run out; returns how many.

        A job whose message comes back (acks_late) waits for that; any other has failed. Both are presumptions: a
        report that the worker sends after all corrects them.
        """
        live = {worker.incarnation for worker in self.tracking.leases.live()}
        lost = [record for record in self._long_running() if record.get("lease") not in live]
        return sum(self._settle(record, "WorkerLost", "was lost") for record in lost)

    def settle_stopped(self, incarnation: str) -> int:
        """Settle what a worker that has stopped did not finish, likewise; returns how many.

        A cold shutdown says nothing of tasks that are acknowledged late: their messages just go back to the queue
        (celery/worker/consumer/consumer.py, cancel_active_requests).
        """
        running = self.tracking.queries.running_since(now_ms())
        left = [record for record in running if record.get("lease") == incarnation]
        return sum(self._settle(record, "WorkerShutdown", "has shut down") for record in left)

    def _settle(self, record: dict[str, str], kind: str, fate: str) -> bool:
        lease = record.get("lease")
        if not lease or not record.get("executing"):
            return False
        run, worker = int(record["run"]), record.get("worker", "its worker")
        store = self.tracking.store
        if record.get("acks_late"):
            reason = f"{worker} {fate}; the broker will deliver the message again"
            change = store.apply(Event.REQUEUE, record["id"], run=run, lease=lease, fields={"reason": reason})
        else:
            reason = f"{worker} {fate} while it ran the task"
            change = store.apply(
                Event.LOSE,
                record["id"],
                run=run,
                attempt=int(record.get("attempt") or 0),
                lease=lease,
                fields={"reason": reason},
                data={"error": json.dumps({"type": kind, "message": reason})},
            )
        if change.applied:
            logger.warning("Job %s: %s", record["id"], reason)
            self.tracking.settlement.follow(record["id"], change)
        return change.applied

    def settle_waiting(self) -> int:
        """Carry on for parents what a process that died has left undone; returns for how many.

        It may have died before it told a parent of a sub-job, or before it called a parent's own task.
        """
        queries, settlement = self.tracking.queries, self.tracking.settlement
        due: set[str] = set()
        helped = 0
        for record in self._long_running():
            if not record.get("subs") or record.get("executing"):
                continue
            untold = queries.untold(record["id"])
            for sub, run, status in untold:
                settlement.tell(record["id"], sub, run, status)
            helped += bool(untold)
            if record.get("body") == "due":
                due.add(record["id"])
        for parent in due & self._due:  # in two rounds: nobody is just about to
            settlement.call_body(parent)
        helped += len(due & self._due)
        self._due = due - self._due
        return helped

    def _long_running(self) -> list[dict[str, str]]:
        return self.tracking.queries.running_since(now_ms() - int(self.tracking.settings.lease_lost_s * 1000))

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
