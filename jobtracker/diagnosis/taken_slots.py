"""Queues whose jobs wait because long jobs have all slots of the workers that consume them."""

from collections.abc import Iterable
from dataclasses import dataclass

from jobtracker.diagnosis.observations import Job, Observations
from jobtracker.schemas.explanation import Code

LONG_MS = 120_000
"""A queue is stuck if no slot became free for so long, and its oldest job waits as long."""
WAITS_FOR_A_SLOT = frozenset({Code.QUEUED, Code.PREFETCHED})


@dataclass(frozen=True)
class TakenSlots:
    """The slots of all workers that consume a queue, each taken.

    Attributes:
        since_ms: Since when none of them became free.
        holders: The jobs that have them, the one that runs longest first.
    """

    since_ms: int
    holders: list[Job]


def taken_slots(waiting: Iterable[Job], running: Iterable[Job], found: Observations) -> dict[str, TakenSlots]:
    """The queues that are stuck, by name.

    A queue is left out where it is not certain: a worker that is not tracked consumes it, or not all slots were seen
    to be taken.

    Args:
        waiting: Jobs whose message waits in a queue that is consumed, or with a worker.
        running: Jobs that a worker runs.
        found: What was observed.
    """
    running = list(running)
    since: dict[str, int] = {}
    for job in waiting:
        since[job.queue] = min(waits_since_ms(job), since.get(job.queue, found.now_ms))
    stuck = {}
    for queue, oldest_ms in since.items():
        if found.now_ms - oldest_ms < LONG_MS or (holders := holders_of(queue, running, found)) is None:
            continue
        since_ms = _began_ms(holders[-1]) if holders else found.now_ms
        if found.now_ms - since_ms >= LONG_MS:
            stuck[queue] = TakenSlots(since_ms, holders)
    return stuck


def holders_of(
    queue: str, running: Iterable[Job], found: Observations, *, worker: str | None = None
) -> list[Job] | None:
    """The jobs that have all slots of the workers that consume a queue, the one that runs longest first.

    None where it is not certain: a worker that is not tracked consumes it, or not all slots were seen to be taken.

    Args:
        queue: Its name.
        running: Jobs that a worker runs.
        found: What was observed.
        worker: The slots of this worker only.
    """
    names = {worker} if worker else set(found.consumers_of(queue))
    leases = {incarnation: lease for incarnation, lease in found.leases.items() if lease.name in names}
    at_broker = found.broker.queues.get(queue) if found.broker and not worker else None
    if not leases or names - {lease.name for lease in leases.values()}:
        return None
    if at_broker is not None and (at_broker.consumers or 0) > len(leases):
        return None
    of_lease: dict[str, list[Job]] = {}
    for job in running:
        if job.record.lease in leases and job.attempt_began_ms is not None:
            of_lease.setdefault(job.record.lease, []).append(job)
    if any(len(of_lease.get(incarnation, [])) < lease.concurrency for incarnation, lease in leases.items()):
        return None
    return sorted((job for jobs in of_lease.values() for job in jobs), key=_began_ms)


def waits_since_ms(job: Job) -> int:
    """Since when a job waits that was started."""
    return max(job.record.queued or 0, job.record.status_changed_at)


def _began_ms(job: Job) -> int:
    return job.attempt_began_ms or 0
