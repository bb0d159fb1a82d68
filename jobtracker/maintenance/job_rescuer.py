"""Rescues jobs whose worker is lost or has stopped: they wait for their message, run again, or have failed."""

import time
from collections.abc import Container, Sequence
from typing import NamedTuple

from jobtracker.core.clock import now_ms
from jobtracker.core.job import and_also
from jobtracker.core.lifecycle import SETTLED, UNDER_WAY, Event, Status
from jobtracker.jobs.lost_executions import UNANSWERED
from jobtracker.jobs.result_backend import Silence
from jobtracker.maintenance.leadership import Leadership
from jobtracker.maintenance.unreported_ends import Ending, UnreportedEnds
from jobtracker.store.keys import RELEASED, Partition
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord

_BATCH = 500
"""Running jobs that are looked at with each call."""

_LOOKED_AT = 2000
"""About so many running jobs a round looks at, if no worker has gone lately."""

_ASKED = 100
"""About how many jobs Celery's result backend is asked again in a round."""


class _Place(NamedTuple):
    """Where to go on among jobs that are sorted by when they came to their status."""

    since_ms: int = 0
    skip: int = 0
    """So many that came to it at that very millisecond are behind."""

    def behind(self, found: Sequence[tuple[str, int]], gone: Container[str] = ()) -> "_Place":
        """The place behind some jobs and when they came to their status (ms); those in `gone` have left it since."""
        reached_ms = found[-1][1]
        skip = sum(at_ms == reached_ms and job not in gone for job, at_ms in found)
        return _Place(reached_ms, skip + (self.skip if reached_ms == self.since_ms else 0))


class JobRescuer:
    """Rescues the jobs of workers that are gone.

    Args:
        leadership: Tells the store.
        ends: What Celery's result backend says of jobs.
    """

    def __init__(self, leadership: Leadership, ends: UnreportedEnds) -> None:
        self._leadership = leadership
        self._ends = ends
        self._held: set[str] | None = None  # leases, in the round before
        self._lost_some_at = float("-inf")
        self._looked_up_to: dict[Status, _Place] = {}

    def rescue_lost(self, parts: Sequence[Partition] | None = None) -> int:
        """Settle running jobs whose worker has let its lease run out; returns how many.

        What Celery's result backend says of such a job counts. If it says nothing, a job whose message comes back
        (acks_late) waits for that, and any other has failed. These outcomes are inferred: a report that the worker
        sends after all corrects them. If the backend does not answer, a job that does not come back stays as it is
        and is asked about again, for `RESULT_BACKEND_WAIT_S`.

        Args:
            parts: The partitions in which a worker without a lease is a lost one; default: all.
        """
        tracking = self._leadership.tracking
        queries = tracking.queries if parts is None else tracking.queries.within(parts)
        if not queries.parts:
            return 0
        if has_lost_some := self._has_lost_some():
            self._looked_up_to.clear()
        before_ms = queries.server_ms() - int(tracking.settings.lease_lost_s * 1000)
        return sum(self._rescue(queries, status, before_ms, is_whole=has_lost_some) for status in UNDER_WAY)

    def _rescue(self, queries: JobQueries, status: Status, before_ms: int, *, is_whole: bool) -> int:
        settled = looked_at = 0
        while is_whole or looked_at < _LOOKED_AT:
            place = self._looked_up_to.get(status, _Place())
            found = queries.entered_between(status, place.since_ms, before_ms, place.skip, _BATCH)
            if not found:
                self._looked_up_to.pop(status, None)
                break
            lost = self._lost([job for job, _ in found])
            gone = {record.id for record in lost if self._settle(record, "WorkerLost", _what_happened(record))}
            self._looked_up_to[status] = place.behind(found, gone)
            settled, looked_at = settled + len(gone), looked_at + len(found)
        return settled

    def rescue_stopped(self, incarnation: str) -> int:
        """Settle what a worker that has stopped did not finish, as `rescue_lost` does; returns how many.

        A cold shutdown says nothing of tasks that are acknowledged late: their messages just go back to the queue
        (celery/worker/consumer/consumer.py, cancel_active_requests). A job that is to run again is left to another
        process, for which that worker is lost then: this one has no time left to send anything.
        """
        tracking = self._leadership.tracking
        queries, before_ms, own = tracking.queries, now_ms(), []
        for status in UNDER_WAY:
            place = _Place()
            while found := queries.entered_between(status, place.since_ms, before_ms, place.skip, _BATCH):
                ids = [job for job, _ in found]
                leases = zip(ids, queries.fields(ids, JobRecord.lease), strict=True)
                own += [job for job, lease in leases if lease == incarnation]
                place = place.behind(found)
        left = [
            record
            for record in queries.records(own)
            if record.status in UNDER_WAY
            and record.lease == incarnation
            and (record.acks_late or not tracking.lost_executions.runs_again(record))
        ]
        return sum(self._settle(record, "WorkerShutdown", "has shut down") for record in left)

    def correct_unanswered(self) -> int:
        """Ask again about jobs that were settled while the backend did not answer; returns how many it corrects.

        Its answer corrects the inferred outcome, and parents are notified.
        """
        tracking, corrected, done = self._leadership.tracking, 0, []
        unanswered = tracking.queries.unanswered(_ASKED)
        for record, _ in tracking.queries.load(unanswered, missing_ok=True):
            if record.inferred and record.status in SETTLED:
                ending = self._ends.ending_of(record)
                if ending is Silence.NO_ANSWER:
                    break
                if isinstance(ending, Ending) and ending.lost_by is None:
                    corrected += self._ends.settle(record, ending)
            done.append(record.id)
        tracking.store.answered(*done)
        return corrected

    def _has_lost_some(self) -> bool:
        """Whether a worker has gone lately: then a round looks at all running jobs, for as long as it may have any.

        Otherwise a round looks at some, and the next one at the next ones: each worker runs what it says it runs.
        """
        tracking = self._leadership.tracking
        held, now = tracking.leases.all_held(), time.monotonic()
        if self._held is None or self._held - held:
            self._lost_some_at = now
        self._held = held
        return now < self._lost_some_at + 2 * tracking.settings.lease_lost_s

    def _lost(self, job_ids: Sequence[str]) -> list[JobRecord]:
        """The records of those running jobs whose lease nobody holds."""
        tracking = self._leadership.tracking
        leases = dict(zip(job_ids, tracking.queries.fields(job_ids, JobRecord.lease), strict=True))
        live = tracking.leases.held({lease for lease in leases.values() if lease})
        records = tracking.queries.records([job for job, lease in leases.items() if lease and lease not in live])
        running = [record for record in records if record.status in UNDER_WAY and record.lease]
        live = tracking.leases.held(
            {record.lease for record in running if record.lease}
        )  # another worker may have it by now
        return [record for record in running if record.lease not in live]

    def _settle(self, record: JobRecord, kind: str, what_happened: str) -> bool:
        if not record.lease or not record.executing:
            return False
        ending = self._ends.ending_of(record)
        if isinstance(ending, Ending):
            return self._ends.settle(record, ending)
        happened = f"{record.worker or 'its worker'} {what_happened}"
        lost_executions = self._leadership.tracking.lost_executions
        comes_back = lost_executions.comes_back(record)
        is_unanswered = ending is Silence.NO_ANSWER
        if is_unanswered and not comes_back and not self._ends.is_given_up:
            self._await_answer(record, happened)
            return False
        change = lost_executions.settle(
            record,
            happened,
            kind,
            comes_back=comes_back,
            is_counted=kind == "WorkerLost",
            is_unanswered=is_unanswered,
        )
        return change is not None and change.applied

    def _await_answer(self, record: JobRecord, happened: str) -> None:
        """Record, once, what a lost job waits for."""
        if UNANSWERED in (record.reason or ""):
            return
        why = record.reason or "" if record.lease in RELEASED else happened
        self._leadership.tracking.store.apply(
            Event.PROGRESS,
            record.id,
            run=record.run,
            lease=record.lease,
            fields={"reason": and_also(why, UNANSWERED)},
        )


def _what_happened(record: JobRecord) -> str:
    """What became of the worker that had a job, a verb."""
    if record.lease not in RELEASED:
        return "was lost"
    return f"let it go ({(record.reason or '').removesuffix(f'; {UNANSWERED}')})"
