"""What a worker says of all that it has: tasks that are not finished, and reports that are not in the store.

It is asked before the worker is stopped, so it counts what it can't name too.
"""

from typing import Any

from celery.worker.request import Request

from jobtracker.instrumentation.held_messages import HeldMessages, opaque_tasks
from jobtracker.reporting.reporter import Reporter
from jobtracker.schemas.drains import MOST_TOLD, Unfinished, UnfinishedTask


def unfinished_of(lease: str, consumer: Any, held: HeldMessages, reporter: Reporter) -> Unfinished:
    """The answer of the worker with this lease.

    Args:
        lease: Its incarnation.
        consumer: Celery's consumer.
        held: The requests that it has received.
        reporter: Sends its reports.
    """
    tasks = [_told(request, where) for request, where in held.unfinished(consumer)]
    tasks.sort(key=lambda each: (each.where != "active", each.began_ms or 0, each.id))
    task_consumer, spool = consumer.task_consumer, reporter.buffer.spool
    return Unfinished(
        lease=lease,
        queues=sorted(queue.name for queue in task_consumer.queues) if task_consumer else [],
        tasks=tasks[:MOST_TOLD],
        count=len(tasks),
        in_pool=_count_in_pool(consumer.pool),
        unwritten=reporter.count_waiting(),
        unwritten_on_disk=reporter.buffer.has_journals(),
        keeps_on_disk=spool is not None and spool.is_usable(),
        opaque=opaque_tasks(consumer),
    )


def _told(request: Request, where: str) -> UnfinishedTask:
    return UnfinishedTask(
        id=request.id,
        task=request.name,
        where=where,
        is_acknowledged=bool(request.acknowledged),
        began_ms=int(request.time_start * 1000) if request.time_start else None,
        eta_ms=int(request.eta.timestamp() * 1000) if request.eta else None,
    )


def _count_in_pool(pool: Any) -> int | None:
    """How many tasks a pool has that have not ended, by its own count; None: it has none.

    Prefork has a result for each of them, gevent a greenlet (celery/concurrency/). Where a pool begins a task only
    when it has a slot, what waits for one is not among them.
    """
    own = getattr(pool, "_pool", None)
    cache = getattr(own, "_cache", None)
    if isinstance(cache, dict):
        return len(cache)
    greenlets = getattr(own, "greenlets", None)
    return len(greenlets) if greenlets is not None else None
