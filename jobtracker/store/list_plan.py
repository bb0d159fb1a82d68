"""How a list is answered: the index that covers most of its filter, and its cursor."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import (
    BaseModel,
    Field,
)

from jobtracker.core.lifecycle import SETTLED
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.filters import JobFilter, Sort, TimeRange, UnsupportedSortError
from jobtracker.store.fields import Field as JobField
from jobtracker.store.schema import FIELDS


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
    by_status = wanted.sort in {Sort.STATUS_CHANGED, Sort.STATUS_CHANGED_DESC}
    if by_status and wanted.status is None:
        raise UnsupportedSortError("Sorting by status_changed_at needs a status to filter by.")
    ascending = wanted.sort in {Sort.CREATED, Sort.STATUS_CHANGED}
    scored: TimeRange = TimeRange()
    if wanted.parent is not None and wanted.sort is None:
        index: tuple[str, ...] = ("subs", wanted.parent)
        covered, ascending = {"parent"}, True
    elif wanted.status is not None and (by_status or wanted.sort is None):
        index = ("entered", wanted.status, wanted.priority or "", wanted.job_type or "")
        covered = {"status", "priority", "type"}
        if wanted.status in SETTLED and wanted.finished:  # a settled job entered its status when it finished
            scored, covered = wanted.finished, covered | {"finished"}
    else:
        index = ("type", wanted.job_type or "")
        scored, covered = wanted.created, {"type", "created"}
    return Plan(
        index,
        "asc" if ascending else "desc",
        "-inf" if scored.low_ms is None else str(scored.low_ms),
        "+inf" if scored.high_ms is None else str(scored.high_ms),
        [check for field in FIELDS if field.name not in covered for check in _checks(field, wanted)],
    )


_NAMES_IN_FILTER = {"type": "job_type", "tags": "tag"}
"""Those of fields that have another name there."""


def _checks(field: JobField[Any], wanted: JobFilter) -> Iterator[list[Any]]:
    """What is left to check of a field: an operator, its name, a value."""
    operator = field.traits.get("filter")
    value = getattr(wanted, _NAMES_IN_FILTER.get(field.name, field.name)) if operator else None
    if isinstance(value, TimeRange):
        if value:
            low, high = value.low_ms, value.high_ms
            yield [operator, field.name, [0 if low is None else low, 2**53 if high is None else high]]
    elif value is not None:
        yield [operator, field.name, str(value)]
