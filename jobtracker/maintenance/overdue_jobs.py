"""Settles overdue jobs: they have ended or expired without a report, or their message is gone."""

from jobtracker.core.job import job_and_run_of
from jobtracker.core.lifecycle import SETTLED, UNDER_WAY, Event, Status
from jobtracker.jobs.result_backend import Silence
from jobtracker.maintenance.leadership import Leadership
from jobtracker.maintenance.missing_messages import MissingMessages, StrandedJob, settle_stranded
from jobtracker.maintenance.unreported_ends import Ending, UnreportedEnds
from jobtracker.store.keys import NOBODY
from jobtracker.store.schema import JobRecord

_BATCH = 500
"""Jobs that have expired, in one round."""

_ASKED = 100
"""About how many unsettled jobs of each status Celery's result backend is asked in a round."""

_EXPIRED_FOR_MS = 3000
"""For so long the report of a start may be on its way, or a clock be wrong."""


class OverdueJobs:
    """Settles jobs that are overdue.

    Args:
        leadership: Tells the store.
        ends: What Celery's result backend says of jobs.
    """

    def __init__(self, leadership: Leadership, ends: UnreportedEnds) -> None:
        self._leadership = leadership
        self._ends = ends
        self._missing = MissingMessages(leadership.tracking)
        self._asked: dict[Status, int] = {}  # how many of a status were asked about, before it is begun anew
        self._left: list[JobRecord] = []  # of those that were asked about, what has not ended

    def settle_finished(self) -> int:
        """Settle jobs whose end was never reported, by what Celery's result backend says of them; returns how many.

        Some of their reports were lost: the buffer of a process was full, or it ended, while the store was away. A
        round asks about some of those that have been where they are for long, the next round about the next ones.
        """
        overdue = self._overdue()
        self._left = [record for record in overdue if not self._settle_if_finished(record)]
        return len(overdue) - len(self._left)

    def rescue_missing(self) -> int:
        """Resend, or take for lost, what was asked about last and whose message is nowhere; returns how many."""
        return sum(map(self._settle_stranded, self._missing.look(self._left)))

    def cancel_expired(self) -> int:
        """Cancel jobs that have not begun by when they expire; returns how many.

        No worker begins them any more: it discards what has expired when it gets it and when it would give it to its
        pool (celery/worker/request.py, maybe_expire), and RabbitMQ drops it. What a pool had got before may begin
        after all, or has begun and reports it late: the outcome is inferred, and a start corrects it.
        """
        tracking = self._leadership.tracking
        now = tracking.queries.server_ms()
        ids = tracking.queries.expiring(now - _EXPIRED_FOR_MS, _BATCH)
        if not ids:
            return 0
        later, settled = [], 0
        for record in tracking.queries.records(ids):
            if not record.exists or record.status in SETTLED or not record.expires:
                continue  # another run has no such time
            if _waits_for_more(record):
                later.append(record.id)
                continue
            fields: dict[str, str | int] = {"reason": "it expired before it was started", "inferred": Event.LOSE}
            run = record.run
            change = tracking.store.apply(Event.CANCELLED, record.id, run=run, lease=NOBODY, fields=fields)
            settled += change.applied
            tracking.propagation.propagate(record.id, change)
        never = sorted(set(ids) - set(later))
        tracking.store.look_at_expiry(later, never, at_ms=now + int(tracking.settings.lease_lost_s * 1000))
        return settled

    def _overdue(self) -> list[JobRecord]:
        tracking = self._leadership.tracking
        before_ms = tracking.queries.server_ms() - int(tracking.settings.lease_lost_s * 1000)
        found: list[str] = []
        for status in (*UNDER_WAY, Status.RETRYING, Status.PENDING):
            begin = self._asked.get(status, 0)
            ids = tracking.queries.entered_before(status, before_ms, begin, _ASKED)
            self._asked[status] = begin + len(ids) if len(ids) == _ASKED else 0
            found += ids
        found += [job_and_run_of(task_id)[0] for task_id in self._missing.suspects]
        records = [record for record, _ in tracking.queries.load(list(dict.fromkeys(found)), missing_ok=True)]
        return [record for record in records if record.run]

    def _settle_if_finished(self, record: JobRecord) -> bool:
        ending = self._ends.ending_of(record)
        # Celery calls a running task revoked though it goes on, and a chord's body failed though we may call it.
        if isinstance(ending, Silence) or ending.event is Event.CANCELLED:
            return False
        if ending.event is Event.FAIL and self._is_of_job_before(record):
            return False
        is_parent_idle = record.subs and not record.executing
        if ending.event is Event.FAIL and is_parent_idle and not self._ends.runs_again(record, ending):
            return False
        return self._ends.settle(record, ending)

    def _is_of_job_before(self, record: JobRecord) -> bool:
        """Whether a failure is that of the job before it in its chain.

        Celery stores it for the rest of the chain too, which nobody sends then and we call cancelled
        (celery/backends/base.py, _fail_chain).
        """
        if record.queued or record.executing:
            return False
        before = self._leadership.tracking.queries.field(record.sent_by or "", JobRecord.status)
        return before not in {None, Status.COMPLETED}

    def _settle_stranded(self, stranded: StrandedJob) -> bool:
        """If the backend does not answer, the job may have ended: it stays as it is, while others are asked."""
        ending = self._ends.ending_of(stranded.job.record)
        if ending is Silence.NO_ANSWER and not stranded.job.is_executing and not self._ends.is_given_up:
            return False
        return settle_stranded(self._leadership.tracking, stranded, ending if isinstance(ending, Ending) else None)


def _waits_for_more(record: JobRecord) -> bool:
    """Whether a job that has expired runs, waits for others, or was replaced by a task with a time of its own."""
    ended = record.subs_settled
    is_open = record.subs > ended
    return bool(record.executing or record.replaced or not record.queued or is_open)
