"""How a list is answered: the index that covers most of its filter, and its cursor."""

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, TypeVar

from pydantic import Field

from jobtracker.core.lifecycle import SETTLED, Priority, Status
from jobtracker.schemas.filters import JobFilter, Sort, TimeRange, UnsupportedSortError
from jobtracker.store.cursors import Cursor
from jobtracker.store.list_checks import Check, checks_of

SKEW_MS = 60_000
"""How far the clocks of two machines may be apart."""

T = TypeVar("T", bound=str)


@dataclass(frozen=True, kw_only=True)
class Index:
    """Some of the sorted sets in `keys.PREFIXES`; none of them has a job of another. `lib/merged_index.lua` reads it.

    Attributes:
        name: "subs"; "failed_by"; "type", one set for each type; "entered", one for each status, priority and type.
        id: Whose sub-jobs; by which group of failures.
        statuses: Those of the sets.
        priorities: Those of the sets.
        types: Those of the sets; None: all that there are, but for those `without`.
        without: Types.
        whole: Statuses in whose sets the lowest score does not count.
    """

    name: str
    id: str = ""
    statuses: tuple[str, ...] = tuple(Status)
    priorities: tuple[str, ...] = tuple(Priority)
    types: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()

    @cached_property
    def json(self) -> str:
        """It as Lua reads it."""
        return json.dumps({each.name: getattr(self, each.name) for each in fields(self)}, separators=(",", ":"))


@dataclass(frozen=True)
class Plan:
    """How a filter is answered: an index, a score range on it, and what is left to check record by record."""

    index: Index
    order: str
    low: str
    high: str
    checks: list[Check]

    @property
    def signature(self) -> list[str]:
        """Identifies its list in cursors. A digest keeps the cursors of long filters short."""
        return [hashlib.sha1(self.index.json.encode(), usedforsecurity=False).hexdigest(), self.order]

    def created_between(self, low_ms: int, high_ms: int | None) -> "Plan":
        """The same, where all matches are known to have been created between these times (inclusive)."""
        if self.index.name == "subs":
            return self
        highs = [high_ms] if high_ms is not None and self.index.name == "type" else []
        low, high = _narrowed(self.low, self.high, [low_ms], highs)
        return replace(self, low=low, high=high)


class ListCursor(Cursor):
    """Where a list goes on: behind the entry of that score and id, which need not be there any more."""

    signature: list[str]
    score: int = Field(ge=0, le=2**53)
    id: str
    skip: int = Field(ge=0, le=2**53, description="Matches that a numbered page has still to step over.")


def plan(wanted: JobFilter) -> Plan:
    """Choose the index that covers most of a filter.

    Raises:
        UnsupportedSortError: By change of status, and nothing asks for one.
    """
    by_change = wanted.sort in {Sort.STATUS_CHANGED, Sort.STATUS_CHANGED_DESC}
    names_statuses = bool(wanted.status) or any(other.status for other in wanted.excluded)
    names_failures = bool(wanted.failure_group or wanted.error_type)
    asks_for_change = (
        names_statuses or names_failures or bool(wanted.started.since or wanted.finished or wanted.running_at)
    )
    if by_change and not asks_for_change:
        raise UnsupportedSortError(
            "Sorting by status_changed_at needs a status to filter by, or the time of a start or an end."
        )
    if wanted.sort is None and len(wanted.parent) == 1:
        [parent] = wanted.parent
        return Plan(Index(name="subs", id=parent), "asc", "-inf", "+inf", checks_of(wanted, {"parent"}))
    if asks_for_change and (by_change or wanted.sort is None):
        return _by_failure(wanted) if len(wanted.failure_group) == 1 else _by_change(wanted)
    low, high = _narrowed(
        *_bounds(wanted.created), [], [_later(wanted.started.high_ms), _later(wanted.finished.high_ms)]
    )
    order = "asc" if wanted.sort is Sort.CREATED else "desc"
    checks = checks_of(wanted, {"job_type", "created"}, {"job_type"})
    return Plan(Index(name="type", **_types(wanted)), order, low, high, checks)


def _by_failure(wanted: JobFilter) -> Plan:
    """Along the times at which the jobs of a group of failures have failed."""
    [group] = wanted.failure_group
    lows = [_earlier(wanted.created.low_ms), _earlier(wanted.started.low_ms)]
    low, high = _narrowed(*_bounds(wanted.finished), lows, [])
    covered = {"failure_group", "finished", *(["status"] if Status.FAILED in wanted.status else [])}
    order = "asc" if wanted.sort is Sort.STATUS_CHANGED else "desc"
    return Plan(Index(name="failed_by", id=group), order, low, high, checks_of(wanted, covered))


def _by_change(wanted: JobFilter) -> Plan:
    """Along the times at which jobs came to their statuses."""
    excluded = [status for other in wanted.excluded for status in other.status]
    statuses = _left(wanted.status or Status, excluded)
    at = TimeRange(until=wanted.running_at).high_ms
    sets = {"status", "priority", "job_type"}
    whole: tuple[str, ...] = ()
    low, high = "-inf", "+inf"
    if wanted.finished:  # a settled job came to its status when it finished
        statuses = tuple(status for status in statuses if status in SETTLED)
        low, high = _bounds(wanted.finished)
    if wanted.failure_group or wanted.error_type:
        statuses = tuple(status for status in statuses if status is Status.FAILED)
    # A job changes its status last after all else that happens to it, but by the clock of another machine.
    lows = [_earlier(wanted.created.low_ms), _earlier(wanted.started.low_ms)]
    if at is not None:  # what runs came to it before or after, everything else after
        whole = (Status.RUNNING,)
        lows.append(at)
    low, high = _narrowed(low, high, lows, [])
    excluded_priorities = [priority for other in wanted.excluded for priority in other.priority]
    index = Index(
        name="entered",
        statuses=statuses,
        priorities=_left(wanted.priority or Priority, excluded_priorities),
        whole=whole,
        **_types(wanted),
    )
    is_ascending = wanted.sort is Sort.STATUS_CHANGED or (wanted.sort is None and at is not None)
    return Plan(index, "asc" if is_ascending else "desc", low, high, checks_of(wanted, {*sets, "finished"}, sets))


def _types(wanted: JobFilter) -> dict[str, Any]:
    """The types of an index."""
    excluded = [name for other in wanted.excluded for name in other.job_type]
    if wanted.job_type:
        return {"types": _left(wanted.job_type, excluded)}
    return {"without": tuple(dict.fromkeys(excluded))}


def _left(values: Iterable[T], excluded: Collection[str]) -> tuple[T, ...]:
    return tuple(value for value in values if value not in excluded)


def _bounds(times: TimeRange) -> tuple[str, str]:
    low, high = times.low_ms, times.high_ms
    return "-inf" if low is None else str(low), "+inf" if high is None else str(high)


def _earlier(at_ms: int | None) -> int | None:
    return None if at_ms is None else at_ms - SKEW_MS


def _later(at_ms: int | None) -> int | None:
    return None if at_ms is None else at_ms + SKEW_MS


def _narrowed(low: str, high: str, lows: Iterable[int | None], highs: Iterable[int | None]) -> tuple[str, str]:
    """A score range within further bounds."""
    all_lows = [each for each in lows if each is not None] + ([] if low == "-inf" else [int(low)])
    all_highs = [each for each in highs if each is not None] + ([] if high == "+inf" else [int(high)])
    return str(max(all_lows)) if all_lows else "-inf", str(min(all_highs)) if all_highs else "+inf"
