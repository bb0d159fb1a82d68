"""Reading which worker ran which job when.

What ran in a span of time has ended since its begin and began before its end. Indexes have jobs by when they ended:
those that ended in the span are all wanted. Those that ended later are looked for up to where the longest run time of
their type reaches: the histograms say it.
"""

import time
from bisect import bisect_left
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

from pydantic import Field
from redis.client import NEVER_DECODE

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.timeline import Timeline, TimelineFilter
from jobtracker.store.cursors import Cursor, need_same
from jobtracker.store.histograms import TOTALS
from jobtracker.store.job_json import to_json
from jobtracker.store.job_reader import JobReader
from jobtracker.store.list_checks import Check
from jobtracker.store.list_plan import Index, Plan
from jobtracker.store.merge import Place
from jobtracker.store.metrics import HOUR_MS
from jobtracker.store.schema import JobRecord

_AT_ONCE = 1000
"""Rows of one call: about two milliseconds of the server's time."""
_LONG_ENOUGH_S = 0.4
"""A page that took so long is given as it is."""
_LATER_MS = 24 * HOUR_MS
"""So long after a span it is looked for ends, at most."""
_MOST_TYPE_HOURS = 2400
"""So many hours of so many types have their longest run times read."""
_RUN_MAX = 8 * TOTALS.index("run_max")

_RUNNING, _IN_SPAN, _LATER = "running", "in_span", "later:"


class EmptySpanError(JobTrackerError):
    """A span of time ends before it begins."""


class _Cursor(Cursor):
    """Where a timeline goes on: in which part of it, and behind which entry."""

    signature: list[str | int | None]
    at: int = Field(ge=0, le=2**53)
    """When (ms) the first page was asked for."""
    step: str
    score: int | None = Field(ge=0, le=2**53)
    """None: at the part's begin."""
    id: str


class _Step(NamedTuple):
    """A part of a timeline."""

    name: str
    plan: Plan


class TimelineReader(JobReader):
    """Reads timelines."""

    def timeline_json(self, wanted: TimelineFilter, limit: int, cursor: str | None = None) -> bytes:
        """The JSON of a page of a `Timeline`.

        Its cost depends neither on the number of jobs nor on how deep the page is.

        Raises:
            BadCursorError: The cursor is none, or of another timeline.
            EmptySpanError: The span ends before it begins.
        """
        began = time.monotonic()
        if wanted.from_ms >= wanted.to_ms:
            raise EmptySpanError("The span ends before it begins: `to` must be later than `from`.")
        signature = [wanted.from_ms, wanted.to_ms, wanted.worker, wanted.job_type, wanted.queue]
        start = _Cursor.read(cursor) if cursor else None
        if start:
            need_same(start.signature, signature, "a timeline with other filters")
        at = start.at if start else now_ms()
        until = self._longest_ends(wanted, at)
        steps = _steps(wanted, until, at)
        place = Place(start.score, start.id) if start and start.score is not None else None
        number = _index_of(steps, start.step) if start else 0
        if start and (number == len(steps) or steps[number].name != start.step):
            place = None  # there are no jobs of that type any more
        found: list[JobRecord] = []
        while number < len(steps) and len(found) < limit and time.monotonic() - began < _LONG_ENOUGH_S:
            size = min(limit - len(found), _AT_ONCE)
            rows, _, place, *_ = self._pages.find(self.parts, steps[number].plan, size, place, 0)
            found += [record for row in rows if _is_of(record := row.record, wanted)]
            number += place is None
        following = None
        if number < len(steps):
            score, last_id = (int(place.score), place.id) if place else (None, "")
            name = steps[number].name
            following = _Cursor(signature=signature, at=at, step=name, score=score, id=last_id).write()
        about = {
            "from_ms": wanted.from_ms,
            "to_ms": wanted.to_ms,
            "at_ms": at,
            "looked_until_ms": max([min(at, wanted.to_ms), *until.values()]),
            "executions_left_out": sum(max(record.deliveries - 1, 0) for record in found),
            "rows": len(found),
            "next_cursor": following,
        }
        columns = zip(*map(_values, found), strict=True) if found else [()] * len(COLUMNS)
        return to_json(about | dict(zip(COLUMNS, columns, strict=True)))

    def _longest_ends(self, wanted: TimelineFilter, at: int) -> dict[str, int]:
        """By type, until when (ms) a job that began in the span may have ended, if that is after the span."""
        last = min(at, wanted.to_ms + _LATER_MS)
        if last <= wanted.to_ms:
            return {}
        types = [wanted.job_type] if wanted.job_type is not None else self._types()
        hours = range(wanted.to_ms // HOUR_MS, last // HOUR_MS + 1)
        hours = hours[: max(_MOST_TYPE_HOURS // max(len(types), 1), 1)]
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            for job_type in types:
                for hour in hours:
                    name = part("settled", hour, job_type)
                    pipe.execute_command("GETRANGE", name, _RUN_MAX, _RUN_MAX + 7, **{NEVER_DECODE: True})
        answers = iter(pipe.execute() if types else ())
        ends: dict[str, int] = {}
        for _ in self.parts:
            for job_type in types:
                for hour in hours:
                    longest = int.from_bytes(next(answers), "big")
                    begin, end = max(hour * HOUR_MS, wanted.to_ms), min((hour + 1) * HOUR_MS, last)
                    if wanted.to_ms + longest > begin:
                        ends[job_type] = max(min(wanted.to_ms + longest, end), ends.get(job_type, 0))
        return ends

    def _types(self) -> list[str]:
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.smembers(part("kinds"))
        return sorted({kind.partition(":")[2] for kind in chain.from_iterable(pipe.execute())})

    def settled_since(self, since_ms: int, most: int) -> tuple[list[JobRecord], int]:
        """The jobs that settled last, since a time and so many at most; and how many there are since then."""
        plan = Plan(_index(_SETTLED), "desc", str(since_ms), "+inf", [])
        found: list[JobRecord] = []
        place, total = None, None
        while len(found) < most:
            rows, count, place, *_ = self._pages.find(self.parts, plan, min(most - len(found), _AT_ONCE), place, 0)
            total = count if total is None else total
            found += [row.record for row in rows]
            if place is None:
                break
        return found, total or 0

    def open_records(self, status: Status, most: int, *, only_sent: bool = False) -> tuple[list[JobRecord], bool]:
        """The jobs that came to a status first, so many at most; and whether these are all.

        Args:
            status: Theirs.
            most: How many.
            only_sent: Those only whose message was sent; of the others up to `SCAN_BUDGET` are stepped over.
        """
        checks = [Check("between", "queued", [1, 2**53], is_negated=False)] if only_sent else []
        rows, _, place, *_ = self._pages.find(
            self.parts, Plan(_index((status,)), "asc", "-inf", "+inf", checks), most, None, 0
        )
        return [row.record for row in rows], place is None


_SETTLED = tuple(status for status in Status if status in SETTLED)


def _index(statuses: tuple[Status, ...], job_type: str | None = None) -> Index:
    """Jobs by when they came to one of these statuses, of one type or of all."""
    return Index(name="entered", statuses=statuses, types=None if job_type is None else (job_type,))


def _steps(wanted: TimelineFilter, until: dict[str, int], at: int) -> list[_Step]:
    checks = [
        Check("eq", name, [value], is_negated=False)
        for name in ("worker", "queue")
        if (value := getattr(wanted, name)) is not None
    ]
    last = wanted.to_ms - 1
    began_before = Check("between", "started", [0, last], is_negated=False)
    # What ended since the first page was asked for was running then.
    running = Plan(_index((Status.RUNNING,), wanted.job_type), "asc", "-inf", str(last), checks)
    in_span = Plan(_index(_SETTLED, wanted.job_type), "asc", str(wanted.from_ms), str(min(last, at)), checks)
    later = [
        _Step(
            f"{_LATER}{name}",
            Plan(_index(_SETTLED, name), "asc", str(wanted.to_ms), str(end), [began_before, *checks]),
        )
        for name, end in sorted(until.items())
    ]
    return [_Step(_RUNNING, running), _Step(_IN_SPAN, in_span), *later]


def _index_of(steps: list[_Step], name: str) -> int:
    """Where a part stands, or would stand."""
    if name in {_RUNNING, _IN_SPAN}:
        return int(name == _IN_SPAN)
    return bisect_left(steps, name, lo=2, key=lambda step: step.name)


def _is_of(record: JobRecord, wanted: TimelineFilter) -> bool:
    """Whether a worker has run its task, from before the span's end on."""
    is_there = record.worker and record.execution and (record.is_settled or record.executing)
    return bool(is_there) and (record.attempt_began or 0) < wanted.to_ms


COLUMNS = tuple(Timeline.model_fields)[list(Timeline.model_fields).index("job_id") :]
"""The names of the columns, in the order of `_values`."""


def _values(record: JobRecord) -> Iterable[Any]:
    return (
        record.id,
        record.title,
        record.type,
        record.nearest_status,
        record.worker,
        record.actual_queue or record.queue,
        record.run,
        record.attempt,
        record.attempt_began,
        record.finished,
        record.inferred is not None,
    )
