"""How queues move: what waits in them, since when, and how fast it is taken."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jobtracker.broker.connection import ask_broker
from jobtracker.broker.queues import NextMessage, next_messages
from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.job import job_and_run_of
from jobtracker.core.lifecycle import Status
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.schemas.workers import (
    QueueColumns,
    QueueDepth,
    QueueFigures,
    QueueReport,
    QueueSeries,
    QueueWindow,
)
from jobtracker.store.queue_series import SLOT_MS, AtQueue, total_of
from jobtracker.store.schema import JobRecord

_HOUR = 3_600_000 // SLOT_MS
_MOST_PENDING = 500
"""Pending jobs among which the one is looked for that waits longest."""
_STEP_MS = 5000
_MOST_STRINGS = 3600
"""So many strings of the store a series reads, of one partition: 50 queues of six hours."""

_Oldest = tuple[int, str]
"""Since when (ms) a message waits, and its job."""


class QueueBacklog(NamedTuple):
    """What waits in a queue.

    Attributes:
        workers: How many workers consume it, as far as that is known.
        since_ms: Since when the oldest message waits; None: it is not known, or none does.
    """

    queue: str
    messages: int
    workers: int
    since_ms: int | None


class QueueDesk:
    """Finds out how queues move.

    Args:
        inspector: Asks the broker.
    """

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._tracking = inspector.tracking

    def report(self) -> QueueReport:
        """What waits, since when, and how fast it is taken.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        depths = self._inspector.queue_depths(every=True)
        queries = self._tracking.queries
        pending = sum(count.count for count in queries.counts() if count.status is Status.PENDING)
        names = [each.queue for each in depths.queues]
        now = now_ms()
        slots = range(now // SLOT_MS - _HOUR, now // SLOT_MS + 1)
        moved = queries.at_queues(names, slots)
        listed = self._inspector.expected_queues()
        listed |= {each.queue for each in depths.queues if _matters(each, moved[each.queue])}
        oldest = self._oldest([each.queue for each in depths.queues if each.messages])
        concurrency = {worker.name: worker.concurrency for worker in self._inspector.leases.live()}
        return QueueReport(
            **depths.model_dump(exclude={"queues"}),
            queues=[
                _figures(each, moved[each.queue], slots, now, oldest.get(each.queue), concurrency)
                for each in depths.queues
                if each.queue in listed
            ],
            pending=pending,
        )

    def backlogs(self) -> list[QueueBacklog]:
        """What waits in each queue that is known, without asking the workers.

        Raises:
            BrokerUnavailableError: The broker does not answer.
        """
        depths = self._inspector.queue_depths(every=True)
        oldest = self._oldest([each.queue for each in depths.queues if each.messages])
        return [
            QueueBacklog(
                each.queue,
                each.messages,
                max(len(each.consumers), each.consumer_count or 0),
                oldest[each.queue][0] if each.queue in oldest else None,
            )
            for each in depths.queues
        ]

    def series(self, hours: int, queue: str | None) -> QueueSeries:
        """What happened at queues over time.

        Args:
            hours: How far back.
            queue: Of this queue only; None: of those to which jobs were sent.
        """
        queries, now = self._tracking.queries, now_ms()
        slots = range(now // SLOT_MS - hours * _HOUR + 1, now // SLOT_MS + 1)
        names = [queue] if queue is not None else queries.queues().names
        read = names[: max(_MOST_STRINGS // len(slots), 1)]
        found = queries.at_queues(read, slots)
        return QueueSeries(
            at=[from_ms(slot * SLOT_MS) for slot in slots],
            step_s=SLOT_MS // 1000,
            by_queue={name: _columns(points) for name, points in found.items()},
            queues_left_out=len(names) - len(read),
        )

    def _oldest(self, queues: Sequence[str]) -> dict[str, _Oldest]:
        """Of each queue in which something waits what has waited longest, as far as that is known."""
        if not queues:
            return {}
        messages = ask_broker(self._tracking.app, lambda connection: next_messages(connection, queues))
        if messages is None:
            return self._oldest_pending(set(queues))
        return self._oldest_of(messages)

    def _oldest_of(self, messages: dict[str, list[NextMessage]]) -> dict[str, _Oldest]:
        silent = {each.task_id for some in messages.values() for each in some if each.sent_ms is None}
        jobs = {task_id: job_and_run_of(task_id)[0] for task_id in silent}
        records = dict(zip(jobs, self._tracking.queries.records(jobs.values()), strict=True))
        found: dict[str, _Oldest] = {}
        for queue, some in messages.items():
            for each in some:
                since = each.sent_ms or _waits_since(records[each.task_id])
                if since is None:  # it may be older than the others
                    found.pop(queue, None)
                    break
                if queue not in found or since < found[queue][0]:
                    found[queue] = since, job_and_run_of(each.task_id)[0]
        return found

    def _oldest_pending(self, queues: set[str]) -> dict[str, _Oldest]:
        records, _ = self._tracking.queries.open_records(Status.PENDING, _MOST_PENDING, only_sent=True)
        found: dict[str, _Oldest] = {}
        now = now_ms()
        for record in records:
            queue = self._tracking.registry.queue_of(record, self._tracking.app.conf.task_default_queue)
            queue = record.actual_queue or record.queue or queue
            since = _waits_since(record)
            waits = since is not None and since <= now and record.subs == record.subs_settled and record.run
            if waits and since is not None and queue in queues and since < found.get(queue, (since + 1, ""))[0]:
                found[queue] = since, record.id
        return found


def _matters(depth: QueueDepth, points: Sequence[AtQueue]) -> bool:
    """Whether a queue that only a call named is listed."""
    is_used = depth.messages or depth.consumers or depth.consumer_count or not depth.exists
    return bool(is_used) or any(point.sent or point.started for point in points)


def _waits_since(record: JobRecord) -> int | None:
    """Since when the message of a job waits (ms)."""
    if not record.exists or record.is_settled:
        return None
    if record.started:  # the next attempt, or it was given back
        return max(record.status_changed_at, record.eta or 0)
    return record.waits_from


def _figures(
    depth: QueueDepth,
    points: Sequence[AtQueue],
    slots: range,
    now: int,
    oldest: _Oldest | None,
    concurrency: dict[str, int],
) -> QueueFigures:
    recent = _window(points[-2:], slots[-2], now)
    per_second = recent.started_per_minute / 60
    return QueueFigures(
        **dict(depth),
        slots=sum(concurrency.get(name, 0) for name in depth.consumers),
        oldest_at=from_ms(oldest[0]) if oldest else None,
        oldest_job_id=oldest[1] if oldest else None,
        oldest_is_known=oldest is not None or not depth.messages,
        last_5_min=recent,
        last_hour=_window(points, slots[0], now),
        drained_in_s=0.0 if not depth.messages else round(depth.messages / per_second, 1) if per_second else None,
    )


def _window(points: Iterable[AtQueue], first_slot: int, now: int) -> QueueWindow:
    total, begin = total_of(points), first_slot * SLOT_MS
    # By whole five seconds: an answer in which nothing else has changed stays the same.
    minutes = max((now // _STEP_MS) * _STEP_MS - begin, _STEP_MS) / 60_000
    return QueueWindow(
        since=from_ms(begin),
        sent=total.sent,
        started=total.started,
        ended=total.ended,
        sent_per_minute=round(total.sent / minutes, 3),
        started_per_minute=round(total.started / minutes, 3),
        ended_per_minute=round(total.ended / minutes, 3),
        wait_p50_s=_wait_s(total, 0.5),
        wait_p95_s=_wait_s(total, 0.95),
    )


def _columns(points: Sequence[AtQueue]) -> QueueColumns:
    return QueueColumns(
        sent=[point.sent for point in points],
        started=[point.started for point in points],
        ended=[point.ended for point in points],
        wait_p50_s=[_wait_s(point, 0.5) for point in points],
        wait_p95_s=[_wait_s(point, 0.95) for point in points],
    )


def _wait_s(point: AtQueue, q: float) -> float | None:
    ms = point.waits.quantile(q)
    return None if ms is None else round(ms / 1000, 6)
