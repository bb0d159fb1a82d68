"""How a list is answered: the index that covers most of its filter, and its cursor."""

import base64
from dataclasses import dataclass, replace
from typing import Any

from pydantic import (
    BaseModel,
    Field,
)

from jobtracker.core.lifecycle import SETTLED
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.filters import JobFilter, Sort, TimeRange, UnsupportedSortError


class BadCursorError(JobTrackerError):
    """The cursor is none, or of another list."""


@dataclass(frozen=True)
class Plan:
    """How a filter is answered: an index, a score range on it, and what is left to check record by record.

    The index is a name in `keys.PREFIXES` and its parts, "" for any.
    """

    index: tuple[str, ...]
    order: str
    low: str
    high: str
    checks: list[list[Any]]

    @property
    def signature(self) -> list[str]:
        """What tells its list from others: a cursor of one is none of another."""
        return [*self.index, self.order]

    def created_between(self, low_ms: int, high_ms: int | None) -> "Plan":
        """The same, where all matches are known to have been created between these times (inclusive)."""
        if self.index[0] != "type":
            return self
        low = low_ms if self.low == "-inf" else max(low_ms, int(self.low))
        highs = [int(self.high)] if self.high != "+inf" else []
        highs += [high_ms] if high_ms is not None else []
        return replace(self, low=str(low), high=str(min(highs, default="+inf")))


class Cursor(BaseModel):
    """Where a list goes on: behind the entry of that score and id, which need not be there any more."""

    signature: list[str]
    score: int = Field(ge=0, le=2**53)
    id: str
    skip: int = Field(ge=0, le=2**53, description="Matches that a numbered page has still to step over.")

    def write(self) -> str:
        """The cursor as people get it."""
        return base64.urlsafe_b64encode(self.model_dump_json().encode()).decode()

    @classmethod
    def read(cls, text: str, way: Plan) -> "Cursor":
        """The cursor that `write` wrote.

        Raises:
            BadCursorError: It is none, or of another list.
        """
        try:
            cursor = cls.model_validate_json(base64.urlsafe_b64decode(text.encode()))
        except ValueError as error:
            raise BadCursorError("The cursor can't be read. Take it from next_cursor as it is.") from error
        if cursor.signature != way.signature:
            raise BadCursorError("The cursor belongs to a list with other filters. Start again without it.")
        return cursor


def plan(wanted: JobFilter) -> Plan:
    """Choose the index that covers most of a filter.

    Raises:
        UnsupportedSortError: By change of status, without a status.
    """
    checks: list[list[Any]] = []
    scored: TimeRange = TimeRange()
    by_status = wanted.sort in {Sort.STATUS_CHANGED, Sort.STATUS_CHANGED_DESC}
    if by_status and wanted.status is None:
        raise UnsupportedSortError("Sorting by status_changed_at needs a status to filter by.")
    ascending = wanted.sort in {Sort.CREATED, Sort.STATUS_CHANGED}
    created, finished, job_type, status, priority, parent = (
        wanted.created, wanted.finished, wanted.job_type, wanted.status, wanted.priority, wanted.parent,
    )  # fmt: skip
    if parent is not None and wanted.sort is None:
        index: tuple[str, ...] = ("subs", parent)
        parent, ascending = None, True
    elif status is not None and (by_status or wanted.sort is None):
        index = ("entered", status, priority or "", job_type or "")
        if status in SETTLED and finished:  # a settled job entered its status when it finished
            scored, finished = finished, TimeRange()
        status = priority = job_type = None
    else:
        index = ("type", job_type or "")
        scored, created, job_type = created, TimeRange(), None
    equal = {
        "type": job_type, "status": status, "priority": priority, "parent": parent,
        "sent_by": wanted.sent_by, "group": wanted.group,
    }  # fmt: skip
    for field, value in equal.items():
        if value is not None:
            checks.append(["eq", field, str(value)])
    for field, times in (("created", created), ("finished", finished)):
        if times:
            low = times.low_ms if times.low_ms is not None else 0
            high = times.high_ms if times.high_ms is not None else 2**53
            checks.append(["between", field, [low, high]])
    if wanted.tag is not None:
        checks.append(["tag", "tags", wanted.tag])
    if wanted.name is not None:
        checks.append(["contains", "name", wanted.name])
    return Plan(
        index,
        "asc" if ascending else "desc",
        "-inf" if scored.low_ms is None else str(scored.low_ms),
        "+inf" if scored.high_ms is None else str(scored.high_ms),
        checks,
    )
