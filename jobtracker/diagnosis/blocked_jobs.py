"""Open jobs that can't proceed: a bounded look at the oldest ones, all explained with one look at the broker."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.diagnosis.conclusions import Conclusion, moment, span
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.observations import Job, Observations
from jobtracker.diagnosis.taken_slots import WAITS_FOR_A_SLOT, TakenSlots, taken_slots, waits_since_ms
from jobtracker.schemas.attention import BlockedJobs
from jobtracker.schemas.explanation import Code
from jobtracker.store.schema import JobRecord

MOST_RECORDS = 2000
"""Open jobs of each status whose records are read."""
MOST_EXPLAINED = 400
"""Of these, jobs of each status that may be blocked: their messages are looked for."""
MOST_OF_A_QUEUE = 200
"""Of these, jobs of one queue: a long backlog must not hide the jobs of other queues."""
_SECOND_LOOK_S = 0.2
"""After so long it is looked again for messages that were on their way from one place to another, perhaps."""
_HANGS_MS = 60_000
"""A task that was told to stop may take so long."""
_MOST_FATES = 10
"""Jobs of lost workers of which it is found out what becomes of them; the result backend may be asked for it."""
MOST_GROUPS = 30
NAMED = 5


class Place(NamedTuple):
    """What a group is about."""

    code: Code
    queue: str | None
    worker: str | None


@dataclass
class OpenJobs:
    """What a look at the open jobs found.

    Attributes:
        looked_at: How many were looked at, those included that are on their way.
        complete: These are all.
        groups: Those that can't proceed, the oldest first in each group.
        of_lease: Jobs that a worker runs, by its incarnation, live or not.
        unavailable: What could not be found out, and why.
    """

    looked_at: int = 0
    complete: bool = True
    groups: list[BlockedJobs] = field(default_factory=list)
    left_out: int = 0
    of_lease: dict[str, list[str]] = field(default_factory=dict)
    unavailable: list[str] = field(default_factory=list)


Explained = tuple[Job, Conclusion]


class _Obstacles(NamedTuple):
    """What keeps jobs of queues from running.

    Attributes:
        now_ms: When it was looked.
        vacant: Queues that nobody consumes.
        taken: Queues whose workers have no free slot, and had none for a while.
    """

    now_ms: int
    vacant: set[str]
    taken: dict[str, TakenSlots]


class BlockedJobsFinder:
    """Finds the open jobs that can't proceed. One at a time.

    Args:
        explainer: Explains jobs.
        consumed_among: Those of some queues that a worker consumes which is not tracked.
    """

    def __init__(self, explainer: Explainer, consumed_among: Callable[[set[str]], set[str]]) -> None:
        self._explainer = explainer
        self._tracking = explainer.tracking
        self._consumed_among = consumed_among
        self._missing: set[str] = set()  # task ids whose message was not found in the look before

    def look(self) -> OpenJobs:
        """Look at the oldest jobs of each status.

        Raises:
            redis.exceptions.RedisError: The tracking Redis does not answer.
        """
        found = OpenJobs()
        jobs = [job for status in set(Status) - SETTLED for job in self._candidates(status, found)]
        for job in jobs:
            if job.is_executing and job.record.lease:
                found.of_lease.setdefault(job.record.lease, []).append(job.id)
        explained, seen = self._explain(jobs, fresh=False)
        explained = self._without_those_on_their_way(explained)
        found.unavailable += seen.unavailable
        vacant = {job.queue for job, conclusion in explained if conclusion.code is Code.NO_CONSUMER}
        vacant -= self._consumed_among(vacant)
        waiting = [job for job, conclusion in explained if conclusion.code in WAITS_FOR_A_SLOT]
        taken = taken_slots(waiting, [job for job in jobs if job.is_executing], seen)
        cant = _Obstacles(seen.now_ms, vacant, taken)
        self._group([each for each in explained if _is_blocked(*each, cant)], found, cant)
        return found

    def _candidates(self, status: Status, found: OpenJobs) -> list[Job]:
        """The oldest jobs of a status that may be blocked."""
        queries = self._tracking.queries
        ids = queries.entered_before(status, 2**53, 0, MOST_RECORDS + 1)
        found.complete &= len(ids) <= MOST_RECORDS
        jobs: list[Job] = []
        of_queue: Counter[str] = Counter()
        for record in queries.records(ids[:MOST_RECORDS]):
            job = self._explainer.job(record)
            if record.status == status and _may_be_blocked(job):
                if len(jobs) == MOST_EXPLAINED or of_queue[job.queue] == MOST_OF_A_QUEUE:
                    found.complete = False
                    continue
                of_queue[job.queue] += 1
                jobs.append(job)
            found.looked_at += 1
        return jobs

    def _explain(self, jobs: Sequence[Job], *, fresh: bool) -> tuple[list[Explained], Observations]:
        seen = self._explainer.collector.collect(jobs, fresh=fresh, most_fates=_MOST_FATES)
        return [(job, self._explainer.conclusion(job, seen, advised=False)) for job in jobs], seen

    def _without_those_on_their_way(self, explained: Iterable[Explained]) -> list[Explained]:
        """Look again for messages that were not found, unless they were not found in the look before either."""
        explained = list(explained)
        missing = {job.task_id for job, conclusion in explained if conclusion.code is Code.MESSAGE_MISSING}
        new, self._missing = missing - self._missing, missing
        if not new:
            return explained
        time.sleep(_SECOND_LOOK_S)
        ids = [job.id for job, _ in explained if job.task_id in new]
        again, _ = self._explain([self._explainer.job(each) for each in self._records(ids)], fresh=True)
        self._missing -= new - {job.task_id for job, each in again if each.code is Code.MESSAGE_MISSING}
        return [each for each in explained if each[0].task_id not in new] + again

    def _records(self, ids: Iterable[str]) -> list[JobRecord]:
        return [record for record in self._tracking.queries.records(ids) if record.exists]

    def _group(self, blocked: Iterable[Explained], found: OpenJobs, cant: _Obstacles) -> None:
        groups: dict[Place, list[Explained]] = {}
        for job, conclusion in sorted(blocked, key=lambda each: each[0].record.status_changed_at):
            groups.setdefault(_place_of(job, conclusion), []).append((job, conclusion))
        largest = sorted(groups.items(), key=lambda group: (-len(group[1]), group[1][0][0].record.status_changed_at))
        found.left_out = sum(len(jobs) for _, jobs in largest[MOST_GROUPS:])
        found.groups = [self._told(place, jobs, found, cant) for place, jobs in largest[:MOST_GROUPS]]

    def _told(self, place: Place, explained: Sequence[Explained], found: OpenJobs, cant: _Obstacles) -> BlockedJobs:
        oldest, conclusion = explained[0]
        taken = cant.taken.get(place.queue or "") if place.code in WAITS_FOR_A_SLOT else None
        self._explainer.advise(oldest, conclusion)
        return BlockedJobs(
            code=conclusion.code if taken else place.code,
            summary=_sentence(place, len(explained), taken, cant.now_ms, complete=found.complete),
            count=len(explained),
            is_exact=found.complete,
            queue=place.queue,
            worker=place.worker,
            job_types=sorted({job.record.type for job, _ in explained})[:NAMED],
            oldest_since=moment(waits_since_ms(oldest) if taken else oldest.record.status_changed_at),
            oldest_summary=conclusion.summary,
            job_ids=[job.id for job, _ in islice(explained, NAMED)],
            slots_taken_since=moment(taken.since_ms) if taken else None,
            slot_job_ids=[job.id for job in taken.holders[:NAMED]] if taken else [],
        )


def _may_be_blocked(job: Job) -> bool:
    """It does not just wait for other jobs, or for somebody to start it."""
    return job.has_message or (job.is_executing and job.run > 0) or bool(job.record.cancel)


def _is_blocked(job: Job, conclusion: Conclusion, cant: _Obstacles) -> bool:
    match conclusion.code:
        case Code.NO_CONSUMER:
            return job.queue in cant.vacant
        case Code.QUEUED | Code.PREFETCHED:
            return job.queue in cant.taken
        case Code.CANCEL_REQUESTED:
            return cant.now_ms - (job.record.cancel or cant.now_ms) >= _HANGS_MS
        case Code.MESSAGE_MISSING | Code.WORKER_LOST | Code.WAITING_FOR_REDELIVERY | Code.UNKNOWN:
            return True
    return False


def _place_of(job: Job, conclusion: Conclusion) -> Place:
    if conclusion.code in WAITS_FOR_A_SLOT:  # the queue is what waits, wherever the messages are
        return Place(Code.QUEUED, job.queue, None)
    worker = conclusion.worker.name if conclusion.worker else None
    return Place(conclusion.code, None if worker else job.queue, worker)


def _sentence(place: Place, count: int, taken: TakenSlots | None, now_ms: int, *, complete: bool) -> str:
    jobs = ("" if complete else "At least ") + ("1 job" if count == 1 else f"{count:,} jobs")
    one = count == 1
    where = f"of queue {place.queue!r}" if place.queue else f"on {place.worker}"
    match place.code:
        case Code.NO_CONSUMER:
            return (
                f"{jobs} {'waits' if one else 'wait'} in queue {place.queue!r}, which nobody consumes: "
                f"start a worker with --queues {place.queue}."
            )
        case Code.QUEUED if taken:
            slots = len(taken.holders)
            which = "the only slot of its worker" if slots == 1 else f"each of the {slots} slots of its workers"
            return (
                f"{jobs} {'waits' if one else 'wait'} for a slot in queue {place.queue!r}: a long job has {which}, "
                f"and none became free for {span(now_ms - taken.since_ms)}."
            )
        case Code.MESSAGE_MISSING:
            return f"{jobs} {where} {'has' if one else 'have'} lost {'its' if one else 'their'} message."
        case Code.WORKER_LOST:
            return f"{jobs} {'was' if one else 'were'} lost with {'its' if one else 'their'} worker, {place.worker}."
        case Code.WAITING_FOR_REDELIVERY:
            return f"{jobs} {where} {'waits' if one else 'wait'} to be delivered again: the worker is gone."
        case Code.CANCEL_REQUESTED:
            return f"{jobs} {where} {'was' if one else 'were'} told to stop over a minute ago, and did not."
        case _:
            return f"Why {jobs[:1].lower() + jobs[1:]} {where} {'does' if one else 'do'} not proceed is not known."
