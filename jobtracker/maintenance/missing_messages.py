"""Finds jobs that no worker will run soon.

* Their message is missing: it was never sent, was purged, or is gone with the worker that held it.
* No worker has begun them, and a lost worker holds their message. Redis would deliver it again after an hour.
* Their worker lives and does not run them: their process has ended, and its last report is lost.

A message counts as missing only after two checks, and only if all who could have it have answered:

* every message of its queue was checked, or the queue is empty;
* a worker consumes it at this very broker;
* every live worker says that it does not have the message.

Otherwise nothing is done. A wrong conclusion does no harm. A job that can be sent again gets a new run, so its old
message is refused if it turns up. Any other job waits for its message, or is settled as lost. That outcome is
inferred, and a start corrects it.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from kombu.utils.json import dumps

from jobtracker.core.job import as_reason
from jobtracker.core.lifecycle import SETTLED, Event
from jobtracker.diagnosis.collector import Collector
from jobtracker.diagnosis.held_messages import HeldMessages
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.observations import Job, Observations
from jobtracker.diagnosis.rules import conclude
from jobtracker.errors import BrokerUnavailableError
from jobtracker.jobs.resend_policy import resending_of
from jobtracker.maintenance.unreported_ends import Ending
from jobtracker.runtime import Tracking
from jobtracker.schemas.explanation import Code
from jobtracker.store.changes import Change
from jobtracker.store.keys import LET_GO, NOBODY
from jobtracker.store.schema import JobRecord

logger = logging.getLogger(__name__)

_HELD_FOR = 3
"""A worker is asked again after so many lease times whether it still has a job."""

_OPEN = {Code.MESSAGE_MISSING, Code.UNKNOWN}
"""Conclusions that the broker alone leaves open."""


@dataclass(frozen=True)
class _Suspect:
    """A job whose message was not found.

    Attributes:
        since: When it was looked for first (time.monotonic).
        consumers: The incarnations of the workers that consumed its queue then.
    """

    since: float
    consumers: frozenset[str]


@dataclass(frozen=True)
class _Hold:
    """A worker has said that it has a job.

    Attributes:
        until: Until then it need not be asked again (time.monotonic), ...
        lease: ... as long as this lease lasts; None: the worker has none.
    """

    until: float
    lease: str | None


class StrandedJob(NamedTuple):
    """A job that no worker runs or will run soon."""

    job: Job
    comes_back: bool
    """Its message is with a worker that is gone, and nobody has begun it: the broker will deliver it again."""
    ended_by: str | None = None
    """The worker that has acknowledged its message, does not run it any more, and has not said how it ended."""


class MissingMessages:
    """Looks for the messages of jobs without a recent report.

    Args:
        tracking: Whose.
    """

    def __init__(self, tracking: Tracking) -> None:
        inspector = Inspector(tracking)
        self._held = HeldMessages(inspector)
        self._collector = Collector(tracking, inspector)
        self._app = tracking.app
        self._registry = tracking.registry
        self._queries = tracking.queries
        self._relauncher = tracking.relauncher
        self._lost_ms = int(tracking.settings.lease_lost_s * 1000)
        self._suspects: dict[str, _Suspect] = {}  # by task id
        self._holds: dict[str, _Hold] = {}  # by task id

    @property
    def suspects(self) -> list[str]:
        """Task ids of the jobs to look at again in the next round."""
        return list(self._suspects)

    def look(self, records: Iterable[JobRecord]) -> list[StrandedJob]:
        """Look for the messages of jobs; returns stranded jobs.

        * jobs whose message is nowhere, as an earlier look found too;
        * jobs whose message is with a worker that is gone, if they can be sent again;
        * jobs that run by their records, and that their workers do not run.

        Args:
            records: The records of the jobs, with their ids; the suspects among them.
        """
        known, self._suspects = self._suspects, {}
        now_ms = self._queries.server_ms()
        jobs = [job for record in records if self._is_overdue(job := self._job(record), now_ms)]
        if not jobs:
            return []
        found = self._collector.look_at_broker(jobs, whole_only=True)
        if not found.leases:
            return []
        now = time.monotonic()
        self._holds = {
            task_id: hold
            for task_id, hold in self._holds.items()
            if hold.until > now and (hold.lease is None or hold.lease in found.leases)
        }
        jobs = [job for job in jobs if job.task_id not in self._holds and self._is_open(job, found)]
        if not jobs:
            return []
        self._collector.ask_workers(found, jobs, fresh=True)
        missing = [
            StrandedJob(
                job,
                comes_back=not job.is_executing and _was_taken(job, found),
                ended_by=None if job.is_executing else found.ended_by(job),
            )
            for job in jobs
            if self._is_missing(job, found, known.get(job.task_id))
        ]
        return self._unless_held(missing, found)

    def _is_open(self, job: Job, found: Observations) -> bool:
        """Whether only the workers can tell what a job waits for, and something can be done about it."""
        if job.is_executing:
            return True
        if not found.broker:
            return False
        code = conclude(job, found).code
        if code is Code.PREFETCHED and _was_taken(job, found) and not job.has_begun:
            [(record, data)] = self._queries.load([job.id], missing_ok=True)
            return resending_of(self._relauncher, record, data).why_not is None
        return code in _OPEN

    def _is_missing(self, job: Job, found: Observations, before: _Suspect | None) -> bool:
        if holder := found.holder_of(job.task_id):
            leases = [lease.incarnation for lease in found.leases.values() if lease.name == holder.worker]
            self._hold(job.task_id, leases[0] if len(leases) == 1 else None)
            return False
        ended = not job.is_executing and found.ended_by(job) is not None
        if not ended and not (_runs_nowhere(job, found) if job.is_executing else _is_nowhere(job, found)):
            return False
        consumers = frozenset(_consumers(job, found))
        now = time.monotonic()
        if before is None or not consumers <= before.consumers:  # a worker that has come meanwhile may have got it
            before = _Suspect(now, consumers)
        self._suspects[job.task_id] = before
        # It is not known since when the task of a parent is due; and a report may still be on its way.
        wait_s = self._lost_ms / 1000 if ended or job.record.subs else 0.0
        return before.since < now and now - before.since >= wait_s

    def _unless_held(self, missing: list[StrandedJob], found: Observations) -> list[StrandedJob]:
        """Without jobs whose messages may be with a worker without a lease: it is not tracked, or was cut off."""
        queues = {
            each.job.task_id: each.job.queue for each in missing if not each.job.is_executing and not each.ended_by
        }
        if not queues:
            return missing
        try:
            held = self._held.perhaps_held_untracked(queues, found.leases.values())
        except BrokerUnavailableError as error:
            logger.debug("Workers without a lease could not be asked for messages: %s", error)
            held = set(queues)
        else:
            for task_id in held:
                self._hold(task_id, None)
        return [each for each in missing if each.job.task_id not in held]

    def _hold(self, task_id: str, lease: str | None) -> None:
        self._holds[task_id] = _Hold(time.monotonic() + _HELD_FOR * self._lost_ms / 1000, lease)

    def _job(self, record: JobRecord) -> Job:
        return Job(record, self._registry.queue_of(record, self._app.conf.task_default_queue))

    def _is_overdue(self, job: Job, now_ms: int) -> bool:
        last_ms = max(job.record.queued or 0, job.record.status_changed_at, job.record.eta or 0)
        if not job.is_executing and (job.record.expires or now_ms) < now_ms:
            return False  # nobody begins it: it is cancelled as expired
        return (job.has_message or (job.is_executing and job.run > 0)) and last_ms < now_ms - self._lost_ms


def settle_stranded(tracking: Tracking, stranded: StrandedJob, ending: Ending | None) -> bool:
    """Relaunch a stranded job or, if that can't be, take it for lost; returns whether it was done.

    If its message comes back, it is relaunched or left alone. If it runs by its record, its worker has let it go. If
    a report has come since it was looked at, it is left alone.

    Args:
        tracking: Where it is.
        stranded: The job.
        ending: How it has ended, as Celery's result backend says. For a parent that is the end of Celery's chord,
            which counts if we can't call its task either.
    """
    job = stranded.job
    [(record, data)] = tracking.queries.load([job.id], missing_ok=True)
    if not record.exists or record.status in SETTLED:
        return False
    if job.is_executing:
        return _let_go(tracking, job)
    what = f"its message is neither in queue {job.queue!r} nor with a worker"
    if stranded.comes_back:
        what = "the worker that had fetched its message is gone"
    if stranded.ended_by:
        what = f"{stranded.ended_by} took its message, does not run it any more, and has not said how it ended"
    resending = resending_of(tracking.relauncher, record, data)
    why_not = "it may have run" if stranded.ended_by else resending.why_not
    if ending is not None and (why_not or not record.subs):
        reason = f"{what}; it has ended, as Celery's result backend says"
        change = tracking.store.apply(
            ending.event, job.id, run=job.run, lease=NOBODY, fields=ending.fields, data=ending.data
        )
        tracking.propagation.propagate(job.id, change)
    elif why_not is None:
        reason = f"{what}: it was sent again"
        change = tracking.relauncher.relaunch(job.id, run=job.run, lease=NOBODY, reason=reason)
    elif stranded.comes_back:
        return False
    else:
        reason = f"{what}, and it can't be sent again: {why_not}. {resending.when_lost}"
        if record.subs:
            reason = f"all its sub-jobs have ended, and Celery has not called its task; {reason}"
        change = _lose(tracking, job, record, reason)
    if change.applied:
        logger.warning("Job %s: %s", job.id, reason)
    return change.applied


def _let_go(tracking: Tracking, job: Job) -> bool:
    """Record that its worker does not run a job any more; returns whether it was done."""
    reason = "it does not run it any more, and has not said how it ended"
    change = tracking.store.apply(
        Event.PROGRESS,
        job.id,
        run=job.run,
        attempt=job.record.attempt,
        lease=job.record.lease,
        fields={"lease": LET_GO, "reason": reason},
    )
    return change.applied


def _lose(tracking: Tracking, job: Job, record: JobRecord, reason: str) -> Change:
    change = tracking.store.apply(
        Event.LOSE,
        job.id,
        run=job.run,
        attempt=record.attempt,
        lease=NOBODY,
        fields={"reason": as_reason(reason), "error_type": "MessageLost"},
        data={"error": dumps({"type": "MessageLost", "message": reason})},
    )
    return tracking.propagation.propagate(job.id, change)


def _runs_nowhere(job: Job, found: Observations) -> bool:
    lease = found.leases.get(job.record.lease or "")
    if lease is None or sum(other.name == lease.name for other in found.leases.values()) > 1:
        return False  # who of them has answered?
    if lease.incarnation not in found.holdings or found.is_opaque(job):
        return False
    return any(worker.online and worker.lease == lease for worker in found.workers or [])


def _was_taken(job: Job, found: Observations) -> bool:
    return found.broker is not None and job.task_id in found.broker.taken_ms


def _is_nowhere(job: Job, found: Observations) -> bool:
    """Whether a job's message is neither in its queue nor with a live worker."""
    if not found.workers_answered:
        return False
    code = conclude(job, found).code
    if code is not Code.MESSAGE_MISSING and (code is not Code.WAITING_FOR_REDELIVERY or job.has_begun):
        return False
    consumers = _consumers(job, found)
    queue = found.broker.queues.get(job.queue) if found.broker else None
    others = queue is not None and (queue.consumers or 0) > len(consumers)
    return bool(consumers) and not others


def _consumers(job: Job, found: Observations) -> list[str]:
    """The incarnations of the workers that say, at this broker, that they consume a job's queue."""
    return [w.lease.incarnation for w in found.workers or [] if w.online and w.lease and job.queue in w.queues]
