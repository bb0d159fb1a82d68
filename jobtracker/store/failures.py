"""Reads groups of failures, and marks them."""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice, takewhile
from typing import Any, NamedTuple

from pydantic import Field
from redis.client import NEVER_DECODE

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.errors import FailureGroupNotFoundError
from jobtracker.schemas.failures import (
    FailureAction,
    FailureFilter,
    FailureGroupDetails,
    FailureGroupPage,
    FailureGroupSummary,
    FailureSort,
    FailureState,
)
from jobtracker.schemas.filters import TimeRange
from jobtracker.store.cursors import Cursor, need_same
from jobtracker.store.decode import summary_of
from jobtracker.store.failure_groups import IGNORED, KNOWN, RESOLVED, Packed, together, unpack
from jobtracker.store.job_reader import JobReader
from jobtracker.store.job_writer import JobWriter
from jobtracker.store.records import fetch

_NEW_MS = 86_400_000
"""So long after it was first seen a group is new."""
_HOUR_MS = 3_600_000
_DAY_H, _WEEK_H = 24, 168
_AT_ONCE = 100
_LOOKED_AT = 2000
"""Groups that one page looks at, if a filter leaves most of them out."""
_READ = 200
"""Entries of an index that one round trip reads."""
_SAMPLES = 20
_AGES_MS = {"jobs_of_hour": _HOUR_MS, "jobs_of_day": _DAY_H * _HOUR_MS, "jobs_of_week": _WEEK_H * _HOUR_MS}
"""Fields that count jobs up to an age."""
_MARKS = {FailureAction.RESOLVE: RESOLVED, FailureAction.IGNORE: IGNORED, FailureAction.REOPEN: KNOWN}


class _Cursor(Cursor):
    """Behind which group a list goes on."""

    sort: FailureSort
    score: int = Field(ge=-(2**53), le=2**53)
    id: str = Field(max_length=40)


class _Place(NamedTuple):
    """Where a group stands in an order: its negative score, then its id."""

    score: int
    id: str


class FailureReader(JobReader):
    """Reads groups of failures."""

    def failure_groups(self, wanted: FailureFilter, *, size: int = 50, cursor: str | None = None) -> FailureGroupPage:
        """One page of the groups, those of all partitions together.

        With a filter a page looks at `_LOOKED_AT` groups at most, and may come back short, with a cursor to go on.

        Raises:
            BadCursorError: The cursor is none, or of a list in another order.
        """
        start = _Cursor.read(cursor) if cursor else None
        if start:
            need_same(start.sort, wanted.sort, "a list in another order")
        since_ms = TimeRange(since=wanted.since).low_ms
        places = self._places(wanted.sort, _Place(-start.score, start.id) if start else None)
        if since_ms is not None and wanted.sort is FailureSort.LAST_SEEN:  # behind it all were seen earlier
            places = takewhile(lambda place: -place.score >= since_ms, places)
        now, looked_at = now_ms(), 0
        found: list[tuple[str, Packed]] = []
        last: _Place | None = None
        is_left = True
        while len(found) < size and looked_at < _LOOKED_AT and is_left:
            some = list(islice(places, _AT_ONCE))
            is_left = len(some) == _AT_ONCE
            for place, group in zip(some, self._read([place.id for place in some]), strict=True):
                if len(found) == size:
                    is_left = True
                    break
                last, looked_at = place, looked_at + 1
                if group and _stands_at(group, place, wanted.sort) and _matches(group, wanted, since_ms, now):
                    found.append((place.id, group))
        following = _Cursor(sort=wanted.sort, score=-last.score, id=last.id).write() if is_left and last else None
        jobs = self._listed([id_ for id_, _ in found], now)
        groups = [FailureGroupSummary(**_values(id_, group, jobs[id_], now)) for id_, group in found]
        return FailureGroupPage(groups=groups, known_groups=self._known(), next_cursor=following)

    def failure_group(self, group_id: str) -> FailureGroupDetails:
        """A group, with the jobs that failed last.

        Raises:
            FailureGroupNotFoundError: There is none with that id.
        """
        [group] = self._read([group_id])
        if group is None or group["count"] <= 0:
            raise FailureGroupNotFoundError(group_id)
        now = now_ms()
        return FailureGroupDetails(
            **_values(group_id, group, self._listed([group_id], now)[group_id], now),
            queues=_counts(group, "queues"),
            workers=_counts(group, "workers"),
            hours_of_week=_hours(group, now, _WEEK_H),
            samples=[
                summary_of(record)
                for record in fetch(self.client, self.keys, self._samples(group_id))
                if record.failure_group == group_id
            ],
        )

    def new_in_releases(self) -> Mapping[str, int] | None:
        """By release, how many of the groups were seen in it first; None: there are too many groups to look at."""
        if self._known() > _LOOKED_AT:
            return None
        ids = sorted({place.id for place in self._places(FailureSort.LAST_SEEN, None)})
        found: Counter[str] = Counter()
        for at in range(0, len(ids), _AT_ONCE):
            groups = self._read(ids[at : at + _AT_ONCE])
            found.update(
                group["first_in"] for group in groups if group and group["count"] > 0 and "first_in" in group
            )
        return found

    def _places(self, sort: FailureSort, start: "_Place | None") -> Iterator["_Place"]:
        """Where groups stand, in order, behind a place.

        By time a group of several partitions comes once for each of them: `_stands_at` knows which one counts. Its
        counts are to be added up first, so by count all are read.
        """
        if sort is FailureSort.LAST_SEEN:
            merged = heapq.merge(*(self._entries(part("failures"), start) for part in self.parts))
            return (place for place, _ in groupby(merged))
        if len(self.parts) == 1:
            return self._entries(self.parts[0]("failure_counts"), start)
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.zrange(part("failure_counts"), 0, -1, withscores=True)
        counts: Counter[str] = Counter()
        for entries in pipe.execute():
            counts.update({id_: int(count) for id_, count in entries})
        places = sorted(_Place(-count, id_) for id_, count in counts.items())
        return (place for place in places if start is None or place > start)

    def _entries(self, key: str, start: "_Place | None") -> Iterator["_Place"]:
        """The entries of an index behind a place, the highest scores first; of equal ones by their ids."""
        high: str | int = "+inf" if start is None else -start.score
        while True:
            found = self._below(key, high, _READ)
            is_last = len(found) < _READ
            lowest = found[-1][1] if found else 0
            if not is_last and lowest == found[0][1]:  # so many equal ones that they fill it
                found = self.client.zrange(key, lowest, lowest, byscore=True, withscores=True)
            elif not is_last:  # of the lowest score there may be more
                found = [entry for entry in found if entry[1] != lowest]
            places = sorted(_Place(-int(score), id_) for id_, score in found)
            yield from (place for place in places if start is None or place > start)
            if is_last:
                return
            high = f"({-places[-1].score}"

    def _below(self, key: str, high: str | int, most: int) -> list[tuple[str, float]]:
        found: list[tuple[str, float]] = self.client.zrange(
            key, high, "-inf", byscore=True, desc=True, offset=0, num=most, withscores=True
        )
        return found

    def _known(self) -> int:
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.zcard(part("failures"))
        return int(max(pipe.execute()))

    def _read(self, ids: Sequence[str]) -> list[Packed | None]:
        """What is known of groups."""
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts if ids else ():
            pipe.execute_command("MGET", *(part("failure", id_) for id_ in ids), **{NEVER_DECODE: True})
        return [together(map(unpack, each)) for each in zip(*pipe.execute(), strict=True)]

    def _listed(self, ids: Sequence[str], now: int) -> dict[str, dict[str, int]]:
        """How many jobs are listed by groups: all, and those up to an age."""
        lows: dict[str, str | int] = {"jobs": "-inf", **{name: now - age_ms for name, age_ms in _AGES_MS.items()}}
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            for id_ in ids:
                for low in lows.values():
                    pipe.zcount(part("failed_by", id_), low, "+inf")
        counts = pipe.execute()
        rows = len(ids) * len(lows)
        sums = [sum(counts[n::rows]) for n in range(rows)]
        return {id_: dict(zip(lows, sums[n * len(lows) :], strict=False)) for n, id_ in enumerate(ids)}

    def _samples(self, group_id: str) -> list[str]:
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.zrange(part("failed_by", group_id), 0, _SAMPLES - 1, desc=True, withscores=True)
        latest = sorted((entry for entries in pipe.execute() for entry in entries), key=lambda e: -e[1])
        return [job_id for job_id, _ in latest[:_SAMPLES]]


class FailureWriter(JobWriter):
    """Marks groups of failures."""

    def mark_failure(self, group_id: str, action: FailureAction, at_ms: int | None = None) -> None:
        """Note in all partitions what somebody says of a group. May be repeated."""
        at = now_ms() if at_ms is None else at_ms
        calls: list[tuple[str, list[str | int | float]]] = [
            (part("failure", group_id), [part.prefix, group_id, _MARKS[action], at]) for part in self.keys.parts
        ]
        self._functions.begin(self.client, "mark_failure", calls).answers()


def _state(group: Packed, now: int) -> FailureState:
    if "regressed_at" in group:
        return FailureState.REGRESSED
    if "mark" in group:
        return FailureState(group["mark"])
    return FailureState.NEW if group["first"] > now - _NEW_MS else FailureState.KNOWN


def _stands_at(group: Packed, place: _Place, sort: FailureSort) -> bool:
    """Whether this is its place, and not that of what one of several partitions knows of it."""
    return sort is FailureSort.COUNT or group["last"] == -place.score


def _matches(group: Packed, wanted: FailureFilter, since_ms: int | None, now: int) -> bool:
    if group["count"] <= 0 or (since_ms is not None and group["last"] < since_ms):
        return False
    if wanted.states and _state(group, now) not in wanted.states:
        return False
    if wanted.error_type is not None and group.get("type") != wanted.error_type:
        return False
    named = {"types": wanted.job_type, "queues": wanted.queue, "releases": wanted.release}
    return all(name is None or name in group[what] for what, name in named.items())


def _values(id_: str, group: Packed, jobs: dict[str, int], now: int) -> dict[str, Any]:
    """The fields of a `FailureGroupSummary`."""
    return {
        "id": id_,
        "state": _state(group, now),
        "error_type": group.get("type", ""),
        "message": group.get("message", ""),
        "frames": list(group.get("frames") or ()),
        "count": group["count"],
        **jobs,
        "first_seen": from_ms(group["first"]),
        "first_seen_in": group.get("first_in"),
        "last_seen": from_ms(group["last"]),
        "types": _counts(group, "types"),
        "releases": _counts(group, "releases"),
        "hours": _hours(group, now, _DAY_H),
        "marked_at": from_ms(group.get("marked_at")),
        "regressed_at": from_ms(group.get("regressed_at")),
        "regressed_in": group.get("regressed_in"),
    }


def _counts(group: Packed, what: str) -> dict[str, int]:
    """How many by each name, the most first."""
    return dict(sorted(group[what].items(), key=lambda item: (-item[1], item[0])))


def _hours(group: Packed, now: int, most: int) -> list[int]:
    last = now // _HOUR_MS
    return [group["hours"].get(hour, 0) for hour in range(last - most + 1, last + 1)]
