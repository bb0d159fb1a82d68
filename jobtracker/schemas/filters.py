"""The filter and the order of a list."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

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

    model_config = ConfigDict(frozen=True)

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


class NumberRange(BaseModel):
    """From one whole number to another, both inclusive; either may be open."""

    model_config = ConfigDict(frozen=True)

    low: int | None = None
    high: int | None = None

    def __bool__(self) -> bool:
        return self.low is not None or self.high is not None


class Origin(StrEnum):
    """Who sent a job."""

    API = "api"
    """The API created it."""
    BEAT = "beat"
    """Celery's scheduler."""
    TASK = "task"
    """The task of another job."""
    PLAIN = "plain"
    """Any other Celery code."""


MOST_VALUES = 50
"""So many values a filter has at most, and so many terms a query."""


def _several(value: Any) -> Any:
    """One value is a tuple of one, None one of none; each value counts once."""
    if value is None:
        return ()
    return tuple(dict.fromkeys(value)) if isinstance(value, list | tuple | set | frozenset) else (value,)


T = TypeVar("T")
Several = Annotated[tuple[T, ...], BeforeValidator(_several), Field(max_length=MOST_VALUES)]
"""Values of which a job has to match one."""


class JobFilter(BaseModel):
    """Which jobs a list shows, and in which order. A field that is not given does not filter.

    A job matches if it matches each field that is given. Of a field with several values it matches if it has one of
    them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Several[Status] = ()
    job_type: Several[str] = ()
    priority: Several[Priority] = ()
    parent: Several[str] = ()
    sent_by: Several[str] = ()
    group: Several[str] = ()
    tag: Several[str] = ()
    queue: Several[str] = ()
    worker: Several[str] = ()
    release: Several[str] = ()
    error_type: Several[str] = ()
    failure_group: Several[str] = ()
    origin: Several[Origin] = ()
    schedule: Several[str] = Field(default=(), description="Entries in beat's schedule.")
    name: Several[str] = Field(default=(), description="Parts of the name; upper and lower case count as the same.")
    text: Several[str] = Field(
        default=(),
        description="Each stands in the name, the type or the reason, which of a failure is its error.",
    )
    created: TimeRange = TimeRange()
    started: TimeRange = TimeRange()
    finished: TimeRange = TimeRange()
    running_at: AwareDatetime | None = Field(default=None, description="It was running at that time.")
    run_ms: NumberRange = Field(default=NumberRange(), description="How long it has run, up to now if it runs.")
    wait_ms: NumberRange = Field(default=NumberRange(), description="How long it has waited, up to now if it waits.")
    retries: NumberRange = NumberRange()
    losses: NumberRange = NumberRange()
    has_log: bool | None = None
    limited_to_tag: Several[str] = Field(
        default=(), description="One of these tags too: the caller may see no other jobs. Nobody asks for it."
    )
    excluded: tuple["JobFilter", ...] = Field(
        default=(), max_length=MOST_VALUES, description="Filters of one field each, none of which it may match."
    )
    sort: Sort | None = Field(
        default=None,
        description="Default: by creation, newest first. With a status, or a time at which jobs started or finished: "
        "by the time of the status, newest first. With `running_at` the same, oldest first.",
    )

    @model_validator(mode="after")
    def _check_excluded(self) -> "JobFilter":
        if any(len(other.given()) != 1 or other.excluded for other in self.excluded):
            raise ValueError("each filter in `excluded` has one field, and excludes nothing itself")
        return self

    def with_default_queue(self, name: str) -> "JobFilter":
        """The same, and with that queue the jobs that were sent and name none: "" stands for them."""
        excluded = tuple(other.with_default_queue(name) for other in self.excluded)
        queue = (*self.queue, "") if name in self.queue else self.queue
        return self.model_copy(update={"queue": queue, "excluded": excluded})

    def given(self) -> dict[str, Any]:
        """The filters that are given, by name: what filters only."""
        values = {name: getattr(self, name) for name in JobFilter.model_fields if name not in {"excluded", "sort"}}
        return {name: value for name, value in values.items() if value or value is False}


class UnsupportedSortError(JobTrackerError):
    """The order needs a filter that was not given."""
