"""Relays the outbox: sends runs that are recorded as sent, but were not sent, because their sender has died.

The record of a run and its entry in the outbox (`unconfirmed`) are written in one step. The entry is removed when the
message is with the broker. If an entry stays for some time, its run is sent here, as another run. So the first
message, if it was sent after all, is refused.

Large trees are sent by workers: their runs are noted as `unsent`. A worker (`signatures.SEND`) claims
them before it sends them. From then on they are `unconfirmed`. Runs that no worker has claimed
after a while are sent here too.
"""

import logging
import time
from collections.abc import Collection, Sequence

from jobtracker.broker.connection import BROKER_TIMEOUT_S, connected
from jobtracker.core.job import as_reason, job_and_run_of
from jobtracker.core.lifecycle import SETTLED, Event, Status
from jobtracker.errors import (
    ArgumentsUnavailableError,
    BrokerUnavailableError,
    InvalidJobError,
    ResultUnavailableError,
)
from jobtracker.jobs.dispatcher import HANDED_OVER
from jobtracker.jobs.tree_sender import changed_places
from jobtracker.maintenance.pacing import pause_after
from jobtracker.runtime import Tracking
from jobtracker.store.functions import batched
from jobtracker.store.keys import NOBODY
from jobtracker.store.schema import JobRecord

logger = logging.getLogger(__name__)

_BATCH = 200
"""Unconfirmed runs that are looked at in a round."""
_ROUNDS = 10
"""Batches of unclaimed runs that are sent in a round, each with as many jobs as one message: some seconds."""
_DRAFTS = 500
"""Drafts that are recorded in a round, at most."""
_REASON = "its sender has died: it was sent again"


class OutboxRelay:
    """Sends the runs in the outbox: recorded as sent, and not yet confirmed.

    Args:
        tracking: Whose.
    """

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking

    def send(self) -> int:
        """Send runs that have waited for so long that nobody will send them any more; returns how many jobs.

        With JOBTRACKER_RESEND=never nothing is sent: `explain` says of each such job what helps.
        """
        if not self.tracking.relauncher.resends:
            return 0
        queries = self.tracking.queries
        before_ms = queries.server_ms() - int(self.tracking.settings.lease_lost_s * 1000)
        task_ids, unsent = queries.unconfirmed(before_ms, _BATCH), queries.unsent(before_ms, _ROUNDS * HANDED_OVER)
        if not task_ids and not unsent:
            return 0
        try:
            with connected(self.tracking.app, BROKER_TIMEOUT_S):
                pass
        except BrokerUnavailableError as error:
            logger.debug("The outbox is sent later: %s", error)
            return 0
        return sum(map(self._send, task_ids)) + sum(map(self.send_claimed, batched(unsent, HANDED_OVER)))

    def record_drafts(self) -> int:
        """Record the rest of drafts that are committed, whose process may have died; returns how many drafts."""
        drafts = self.tracking.queries.drafts(_DRAFTS)
        ends_at = time.monotonic() + self.tracking.settings.maintenance_interval_s
        for name in drafts:
            began = time.monotonic()
            while self.tracking.store.bulk_create_next(name) and began < ends_at:
                pause_after(began)
                began = time.monotonic()
        return len(drafts)

    def send_claimed(self, task_ids: Sequence[str]) -> int:
        """Send runs that were handed over, unless somebody else has claimed them; returns how many jobs.

        Jobs that were cancelled, taken back or deleted meanwhile are not sent.
        """
        store, queries = self.tracking.store, self.tracking.queries
        claimed = store.claim(task_ids)
        runs = dict(map(job_and_run_of, claimed))
        loaded = queries.load(list(runs), missing_ok=True)
        records = {record.id: record for record, _ in loaded}
        waiting = {each: run for each, run in runs.items() if _is_waiting(records[each], run)}
        parents = {each: record.parent for each, record in records.items() if record.parent}
        above = self._above(set(parents.values()))
        whole = {each for each in waiting if each not in parents or parents[each] in above}
        off = {each for each in whole if above.get(parents.get(each, "")) == Status.CANCELLED}
        for each in off:  # the process that cancelled its parent has died before it came to this one
            self.tracking.propagation.cancellation.cancel_trees(
                [each], reason=f"its parent {parents[each]} was cancelled"
            )
        # The others have lost a parent since: it was deleted, and they go with it.
        runs = {each: run for each, run in waiting.items() if each in whole - off}
        store.confirm(*(each for each in claimed if job_and_run_of(each)[0] not in runs))
        self.tracking.propagation.send(runs, [each for each in loaded if each[0].id in runs])
        return len(runs)

    def _send(self, task_id: str) -> bool:
        job_id, run = job_and_run_of(task_id)
        [(record, _)] = self.tracking.queries.load([job_id], missing_ok=True)
        if _is_waiting(record, run):
            subs = self.tracking.queries.sub_ids(job_id)
            if self._is_called_off(record):
                reason = f"its parent {record.parent} was cancelled"
                self.tracking.propagation.cancellation.cancel_trees([job_id], reason=reason)
            elif self.tracking.relauncher.why_not(record):
                pass  # `missing_messages` finds out whether its message is out
            elif subs and record.callback_mode == "called" and not self._can_call(subs):
                return False
            elif not subs or record.callback_mode == "called":
                change = self.tracking.relauncher.relaunch(job_id, run=run, lease=NOBODY, reason=_REASON)
                if change.applied:
                    logger.warning("Job %s: %s", job_id, _REASON)
                return change.applied
            else:
                self._record_rest(job_id, subs)
        elif record.next and record.status in SETTLED:
            self.tracking.propagation.catch_up(job_id)  # what follows it may have got a new run after it ended
        self.tracking.store.confirm(task_id)
        return False

    def _can_call(self, subs: Sequence[str]) -> bool:
        """Whether a parent's task can be called now: not while a result is only in a backend that does not answer."""
        try:
            self.tracking.dispatcher.signatures.results.of(subs)
        except BrokerUnavailableError as error:
            logger.debug("A parent's task is called later: %s", error)
            return False
        except ResultUnavailableError:
            pass  # its parent has to fail, and says so
        return True

    def _above(self, parents: Collection[str]) -> dict[str, Status | None]:
        """The statuses of those parents that are recorded, and whose own parents are."""
        records = {record.id: record for record in self.tracking.queries.records(sorted(parents))}
        there = {each: record for each, record in records.items() if record.exists}
        further = {record.parent for record in there.values() if record.parent}
        above = self._above(further) if further else {}
        return {each: record.status for each, record in there.items() if not record.parent or record.parent in above}

    def _record_rest(self, parent_id: str, subs: list[str]) -> None:
        """Record the runs of sub-jobs, if a process died after it had recorded that of their parent.

        They are unconfirmed then, and sent in a later round.
        """
        queries, store = self.tracking.queries, self.tracking.store
        runs = dict(zip(subs, queries.fields(subs, JobRecord.run), strict=True))
        rest = [sub for sub, run in runs.items() if run == 0]
        try:
            places = changed_places(queries, self.tracking.registry, self.tracking.large_values, rest)
            store.apply_many(Event.ENQUEUE, places)
        except (InvalidJobError, ArgumentsUnavailableError) as error:
            self.tracking.propagation.cancellation.cancel_trees(
                [parent_id], reason=as_reason(f"it could not be sent whole: {error}")
            )
        else:
            self.tracking.propagation.recheck_parent(parent_id, subs)

    def _is_called_off(self, record: JobRecord) -> bool:
        """Whether the process that cancelled its parent has died before it came to this job."""
        parent = record.parent
        return parent is not None and self.tracking.queries.field(parent, JobRecord.status) == Status.CANCELLED


def _is_waiting(record: JobRecord, run: int) -> bool:
    """Whether this run of a job waits: it has not settled, and no execution of it is recorded."""
    if not record.exists or record.run != run or record.status in SETTLED:
        return False
    if record.executing or record.execution:  # or did: it waits for its next attempt
        return False
    return not record.started or bool(record.subs)
