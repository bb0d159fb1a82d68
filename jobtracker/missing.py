"""Finds jobs whose message is nowhere: recorded and never sent, purged, or gone with who held it.

And jobs that nobody runs, though their worker lives: the process that did has ended, and its last report with it.

A job is judged after two looks only, and where all who could know have answered: its queue was looked at as a whole,
or is empty; a worker consumes it at this very broker; and every worker that lives says that it has not got it. Where
that can't be had, nothing is done. A verdict can be wrong all the same, and does no harm: what can be sent again is,
as another run, so that the message is refused when it turns up; anything else is taken for lost by presumption, which
its start would correct.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kombu.utils.json import dumps

from jobtracker.backend import Ending
from jobtracker.dispatch import withheld
from jobtracker.enquiry import Enquiry
from jobtracker.explanations import Code
from jobtracker.findings import Findings, Job
from jobtracker.inspection import Inspection
from jobtracker.keys import LET_GO, NOBODY
from jobtracker.lifecycle import SETTLED, Event
from jobtracker.reasons import as_reason
from jobtracker.store import now_ms
from jobtracker.tracking import Tracking
from jobtracker.verdicts import verdict_of

logger = logging.getLogger(__name__)

MOST_RELAUNCHES = 3
"""A job whose message is gone each time is not sent for ever: something takes its messages that does not report."""

_HELD_FOR = 3
"""After so many times as long as a lease a worker is asked again whether it still runs a job."""

_OPEN = {Code.MESSAGE_MISSING, Code.UNKNOWN}
"""What the broker alone leaves open."""


@dataclass(frozen=True)
class _Suspect:
    """A job whose message was not found.

    Attributes:
        since: When it was looked for first (time.monotonic).
        consumers: The incarnations of the workers that consumed its queue then.
    """

    since: float
    consumers: frozenset[str]


class MissingMessages:
    """Looks for the messages of jobs that have not been heard of for long.

    Args:
        tracking: Whose.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._enquiry = Enquiry(tracking, Inspection(tracking))
        self._app = tracking.app
        self._registry = tracking.registry
        self._lost_ms = int(tracking.settings.lease_lost_s * 1000)
        self._suspects: dict[str, _Suspect] = {}  # by task id
        self._held_until: dict[str, float] = {}  # whose workers have said that they run it, by task id

    @property
    def suspects(self) -> list[str]:
        """Task ids of the jobs that are to be looked at again in the next round."""
        return list(self._suspects)

    def look(self, records: Iterable[Mapping[str, str]]) -> list[Job]:
        """Look for the messages of jobs; returns those whose message is nowhere, as a look before this one found too.

        Likewise those that run as far as their records say, and that their workers do not run.

        Args:
            records: The records of the jobs, with their ids; the suspects among them.
        """
        known, self._suspects = self._suspects, {}
        jobs = [job for record in records if self._is_overdue(job := self._job(record))]
        if not jobs:
            return []
        found = self._enquiry.look_at_broker(jobs, whole_only=True)
        if not found.leases:
            return []
        jobs = [job for job in jobs if job.is_executing or (found.broker and verdict_of(job, found).code in _OPEN)]
        if not jobs:
            return []
        self._enquiry.ask_workers(found, fresh=True)
        return [job for job in jobs if self._is_missing(job, found, known.get(job.task_id))]

    def _is_missing(self, job: Job, found: Findings, before: _Suspect | None) -> bool:
        if job.is_executing:
            if not self._runs_nowhere(job, found):
                return False
        elif not _is_nowhere(job, found):
            return False
        consumers = frozenset(_consumers(job, found))
        now = time.monotonic()
        if before is None or not consumers <= before.consumers:  # who has come meanwhile may have got it
            before = _Suspect(now, consumers)
        self._suspects[job.task_id] = before
        # Of a parent nobody knows since when its task is due.
        wait_s = self._lost_ms / 1000 if job.record.get("subs") else 0.0
        return before.since < now and now - before.since >= wait_s

    def _runs_nowhere(self, job: Job, found: Findings) -> bool:
        lease = found.leases.get(job.record.get("lease", ""))
        if lease is None or not any(worker.online and worker.lease == lease for worker in found.workers or []):
            return False
        if sum(other.name == lease.name for other in found.leases.values()) > 1:
            return False  # who of them has answered?
        if found.holder_of(job.task_id) is None:
            return True
        self._held_until[job.task_id] = time.monotonic() + _HELD_FOR * self._lost_ms / 1000
        return False

    def _job(self, record: Mapping[str, str]) -> Job:
        return Job(record, self._registry.queue_of(record, self._app.conf.task_default_queue))

    def _is_overdue(self, job: Job) -> bool:
        now = time.monotonic()
        self._held_until = {task_id: until for task_id, until in self._held_until.items() if until > now}
        last_ms = max(job.ms(name) or 0 for name in ("queued", "entered", "eta"))
        matters = job.has_message or (job.is_executing and job.run > 0 and job.task_id not in self._held_until)
        return matters and last_ms < now_ms() - self._lost_ms


def settle_missing(tracking: Tracking, job: Job, ending: Ending | None) -> bool:
    """Send a job whose message is nowhere again or, where it can't be, take it for lost; returns whether it was done.

    Of one that nobody runs its worker has let go. A job that has been heard of since it was looked at is left alone.

    Args:
        tracking: Where it is.
        job: The job.
        ending: How it has ended, as Celery's result backend says. Of a parent that is the end of Celery's chord: it
            counts where we can't call its task either.
    """
    [(record, data)] = tracking.queries.load([job.id], missing_ok=True)
    if "status" not in record or record["status"] in SETTLED:
        return False
    if job.is_executing:
        reason = "it does not run it any more, and has not said how it ended"
        change = tracking.store.apply(
            Event.PROGRESS,
            job.id,
            run=job.run,
            attempt=int(job.record.get("attempt") or 0),
            lease=job.record["lease"],
            fields={"lease": LET_GO, "reason": reason},
        )
        return change.applied
    what = f"its message is neither in queue {job.queue!r} nor with a worker"
    why_not = _why_not_again(tracking, record, data)
    if ending is not None and (why_not or not record.get("subs")):
        reason = f"{what}; it has ended, as Celery's result backend says"
        change = tracking.store.apply(
            ending.event, job.id, run=job.run, lease=NOBODY, fields=ending.fields, data=ending.data
        )
        tracking.settlement.follow(job.id, change)
    elif why_not is None:
        reason = f"{what}: it was sent again"
        change = tracking.settlement.relaunch(job.id, run=job.run, lease=NOBODY, reason=reason)
    else:
        reason = f"{what}, and it can't be sent again: {why_not}"
        if record.get("subs"):
            reason = f"all its sub-jobs have ended, and Celery has not called its task; {reason}"
        change = tracking.store.apply(
            Event.LOSE,
            job.id,
            run=job.run,
            attempt=int(record.get("attempt") or 0),
            lease=NOBODY,
            fields={"reason": as_reason(reason)},
            data={"error": dumps({"type": "MessageLost", "message": reason})},
        )
        tracking.settlement.follow(job.id, change)
    if change.applied:
        logger.warning("Job %s: %s", job.id, reason)
    return change.applied


def _is_nowhere(job: Job, found: Findings) -> bool:
    if not found.workers_answered or verdict_of(job, found).code is not Code.MESSAGE_MISSING:
        return False
    consumers = _consumers(job, found)
    queue = found.broker.queues.get(job.queue) if found.broker else None
    others = queue is not None and (queue.consumers or 0) > len(consumers)
    return bool(consumers) and not others


def _consumers(job: Job, found: Findings) -> list[str]:
    """The incarnations of the workers that say, at this broker, that they consume a job's queue."""
    return [w.lease.incarnation for w in found.workers or [] if w.online and w.lease and job.queue in w.queues]


def _why_not_again(tracking: Tracking, record: Mapping[str, str], data: Mapping[str, str]) -> str | None:
    """Why a job can't be sent again with all that its message had; None where it can."""
    if int(record.get("relaunched") or 0) >= MOST_RELAUNCHES:
        return f"it was {MOST_RELAUNCHES} times. See who else takes messages from the queue, then retry it"
    if why := withheld(record, data):
        return f"{why}. Send it anew"
    if record.get("next") or record.get("linked") or record.get("expires"):
        return "what was to follow it, or when it was to expire, is not stored. Retry it, or send it anew"
    if record.get("origin") != "api" and record.get("subs"):
        return "Celery code has built the chord. Retry it"
    parent = record.get("parent")
    while parent:
        [(above, _)] = tracking.queries.load([parent], missing_ok=True)
        if above.get("status") and above.get("origin") != "api":
            return f"Celery's chord of {parent} would not count it. Retry that"
        parent = above.get("parent")
    return None
