"""Reads groups of failures, and marks them."""

import base64
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field
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
from jobtracker.store.decode import summary_of
from jobtracker.store.failure_groups import IGNORED, KNOWN, RESOLVED, Packed, together, unpack
from jobtracker.store.functions import batched
from jobtracker.store.job_reader import JobReader
from jobtracker.store.job_writer import JobWriter
from jobtracker.store.list_plan import BadCursorError
from jobtracker.store.records import fetch

_NEW_MS = 86_400_000
"""So long after it was first seen a group is new."""
_HOUR_MS = 3_600_000
_DAY_H, _WEEK_H = 24, 168
_AT_ONCE = 100
_LOOKED_AT = 2000
"""Groups that one page looks at, if a filter leaves most of them out."""
_SAMPLES = 20
_MARKS = {FailureAction.RESOLVE: RESOLVED, FailureAction.IGNORE: IGNORED, FailureAction.REOPEN: KNOWN}


class _Cursor(BaseModel):
    """Behind which group a list goes on."""

    sort: FailureSort
    score: int = Field(ge=-(2**53), le=2**53)
    id: str = Field(max_length=40)

    def write(self) -> str:
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).decode()

    @classmethod
    def read(cls, text: str, sort: FailureSort) -> "_Cursor":
        try:
            cursor = cls.model_validate_json(base64.urlsafe_b64decode(text.encode()))
        except ValueError as error:
            raise BadCursorError("The cursor can't be read. Take it from next_cursor as it is.") from error
        if cursor.sort != sort:
            raise BadCursorError("The cursor belongs to a list in another order. Start again without it.")
        return cursor


class FailureReader(JobReader):
    """Reads groups of failures."""

    def failure_groups(self, wanted: FailureFilter, *, size: int = 50, cursor: str | None = None) -> FailureGroupPage:
        """One page of the groups, those of all partitions together.

        With a filter a page looks at `_LOOKED_AT` groups at most, and may come back short, with a cursor to go on.

        Raises:
            BadCursorError: The cursor is none, or of a list in another order.
        """
        places = self._places(wanted.sort)
        start = _Cursor.read(cursor, wanted.sort) if cursor else None
        left = [place for place in places if start is None or place > (-start.score, start.id)]
        now, since_ms = now_ms(), TimeRange(since=wanted.since).low_ms
        groups: list[FailureGroupSummary] = []
        last, is_left = None, False
        for some in batched(left[:_LOOKED_AT], _AT_ONCE):
            found = self._read([id_ for _, id_ in some])
            for (score, id_), (group, jobs) in zip(some, found, strict=True):
                if len(groups) == size:
                    is_left = True
                    break
                last = (score, id_)
                if group and _matches(group, wanted, since_ms, now):
                    groups.append(FailureGroupSummary(**_values(id_, group, jobs, now)))
            if is_left:
                break
        is_left = is_left or len(left) > _LOOKED_AT
        following = _Cursor(sort=wanted.sort, score=-last[0], id=last[1]).write() if is_left and last else None
        return FailureGroupPage(groups=groups, known_groups=len(places), next_cursor=following)

    def failure_group(self, group_id: str) -> FailureGroupDetails:
        """A group, with jobs that failed so.

        Raises:
            FailureGroupNotFoundError: There is none with that id.
        """
        [(group, jobs)] = self._read([group_id])
        if group is None or not group["count"]:
            raise FailureGroupNotFoundError(group_id)
        now = now_ms()
        return FailureGroupDetails(
            **_values(group_id, group, jobs, now),
            queues=_counts(group, "queues"),
            workers=_counts(group, "workers"),
            hours_of_week=_hours(group, now, _WEEK_H),
            samples=[
                summary_of(record)
                for record in fetch(self.client, self.keys, self._samples(group_id))
                if record.failure_group == group_id
            ],
        )

    def _places(self, sort: FailureSort) -> list[tuple[int, str]]:
        """All groups in order: each one's negative score, and its id."""
        pipe = self.client.pipeline(transaction=False)
        by_count = sort is FailureSort.COUNT
        for part in self.parts:
            pipe.zrange(part("failure_counts" if by_count else "failures"), 0, -1, withscores=True)
        scores: dict[str, int] = {}
        for entries in pipe.execute():
            for id_, score in entries:
                known = scores.get(id_, 0)
                scores[id_] = known + int(score) if by_count else max(known, int(score))
        return sorted((-score, id_) for id_, score in scores.items())

    def _read(self, ids: Sequence[str]) -> list[tuple[Packed | None, int]]:
        """What is known of groups, and how many jobs each lists."""
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.execute_command("MGET", *(part("failure", id_) for id_ in ids), **{NEVER_DECODE: True})
            for id_ in ids:
                pipe.zcard(part("failed_by", id_))
        answers = pipe.execute()
        each_part = [answers[n : n + 1 + len(ids)] for n in range(0, len(answers), 1 + len(ids))]
        return [
            (together(unpack(own[0][n]) for own in each_part), sum(own[1 + n] for own in each_part))
            for n in range(len(ids))
        ]

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


def _matches(group: Packed, wanted: FailureFilter, since_ms: int | None, now: int) -> bool:
    if group["count"] <= 0 or (since_ms is not None and group["last"] < since_ms):
        return False
    if wanted.state is not None and _state(group, now) is not wanted.state:
        return False
    if wanted.error_type is not None and group.get("type") != wanted.error_type:
        return False
    named = {"types": wanted.job_type, "queues": wanted.queue, "releases": wanted.release}
    return all(name is None or name in group[what] for what, name in named.items())


def _values(id_: str, group: Packed, jobs: int, now: int) -> dict[str, Any]:
    """The fields of a `FailureGroupSummary`."""
    return {
        "id": id_,
        "state": _state(group, now),
        "error_type": group.get("type", ""),
        "message": group.get("message", ""),
        "frames": list(group.get("frames") or ()),
        "count": group["count"],
        "jobs": jobs,
        "first_seen": from_ms(group["first"]),
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
