"""The filter and the order of a list."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
)

from jobtracker.core.lifecycle import Priority, Status
from jobtracker.errors import JobTrackerError


class Sort(StrEnum):
    """The orders of a list; a minus is newest first."""

    CREATED = "created_at"
    CREATED_DESC = "-created_at"
    STATUS_CHANGED = "status_changed_at"
    STATUS_CHANGED_DESC = "-status_changed_at"


_EPOCH, _MS = datetime.fromtimestamp(0, UTC), timedelta(milliseconds=1)


class TimeRange(BaseModel):
    """From (inclusive) to (inclusive); either may be open."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None

    def __bool__(self) -> bool:
        return self.since is not None or self.until is not None

    @property
    def low_ms(self) -> int | None:
        """The first whole millisecond of it."""
        return None if self.since is None else -((_EPOCH - self.since) // _MS)

    @property
    def high_ms(self) -> int | None:
        """The last whole millisecond of it."""
        return None if self.until is None else (self.until - _EPOCH) // _MS


class JobFilter(BaseModel):
    """Which jobs a list shows, and in which order. A field that is None does not filter."""

    model_config = ConfigDict(frozen=True)

    status: Status | None = None
    job_type: str | None = None
    priority: Priority | None = None
    parent: str | None = None
    sent_by: str | None = None
    group: str | None = None
    tag: str | None = None
    name: str | None = Field(default=None, description="Part of the name; upper and lower case count as the same.")
    created: TimeRange = TimeRange()
    finished: TimeRange = TimeRange()
    sort: Sort | None = Field(
        default=None,
        description="Default: by creation, newest first; with a status, by the time of that status, newest first.",
    )


class UnsupportedSortError(JobTrackerError):
    """The order needs a filter that was not given."""
