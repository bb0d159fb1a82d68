"""The query parameters of lists of jobs, and the filter that they say."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, StringConstraints

from jobtracker.core.lifecycle import Priority, Status
from jobtracker.schemas.filters import MOST_VALUES, JobFilter, NumberRange, Origin, Sort, TimeRange
from jobtracker.schemas.query_language import MOST_CHARS, with_query
from jobtracker.schemas.requests import Tag
from jobtracker.schemas.sending import Moment

_Text = Annotated[str, StringConstraints(max_length=255)]
_Name = Annotated[str, StringConstraints(max_length=200)]
_Seconds = Annotated[float, Field(ge=0, le=10**9)]
_Count = Annotated[int, Field(ge=0, le=10**9)]


def _several(text: str = "") -> Any:
    """A parameter that may be given several times: a job must match one of the values."""
    return Field((), max_length=MOST_VALUES, description=text or None)  # () is not copied for each request, [] is


class QueryParameters(BaseModel):
    """A query in the query language, and the zone of its times."""

    q: str | None = Field(
        None,
        max_length=MOST_CHARS,
        description="A query, e.g. `status:failed type:invoice since:2h`, besides the other parameters.",
        examples=["status:failed since:2h"],
    )
    tz: str = Field("UTC", max_length=100, description="The time zone of times in `q` that name none: Europe/Berlin.")


class PageParameters(BaseModel):
    """Which page of a list."""

    page: int = Field(1, ge=1, le=1_000_000_000)  # times the largest page: exact in Lua, below 2**53
    page_size: int = Field(50, ge=1, le=500)
    cursor: str | None = Field(
        None, max_length=2000, description="The `next_cursor` of the page before, instead of `page`."
    )


class ListParameters(PageParameters, QueryParameters):
    """What `GET /api/jobs/` takes."""

    status: list[Status] = _several()
    job_type: list[_Name] = _several()
    priority: list[Priority] = _several()
    parent: list[_Text] = _several("Sub-jobs of this job, in their order.")
    sent_by: list[_Text] = _several("Jobs that this job's task has sent.")
    group: list[_Text] = _several("Celery's id of a group.")
    tag: list[Tag] = _several()
    queue: list[_Text] = _several("Where they are sent to.")
    worker: list[_Text] = _several("The Celery worker that runs or ran them.")
    release: list[_Text] = _several("The release that this worker ran.")
    error_type: list[_Text] = _several("The type of their error.")
    failure_group: list[_Text] = _several("The id of the group of failures that they belong to.")
    origin: list[Origin] = _several("Who sent them: the API, beat, another job's task, or any other Celery code.")
    schedule: list[_Text] = _several("An entry in beat's schedule.")
    name: list[_Name] = _several("Part of the name.")
    text: list[_Name] = _several("Part of the name, the type or the reason; several: each of them.")
    created_from: Moment | None = None
    created_to: Moment | None = None
    started_from: Moment | None = None
    started_to: Moment | None = None
    finished_from: Moment | None = None
    finished_to: Moment | None = None
    running_at: Moment | None = Field(None, description="Jobs that were running at that time.")
    min_run_s: _Seconds | None = Field(None, description="How long they have run at least, up to now if they run.")
    max_run_s: _Seconds | None = None
    min_wait_s: _Seconds | None = Field(None, description="How long they have waited at least, up to now.")
    max_wait_s: _Seconds | None = None
    min_retries: _Count | None = Field(None, description="Celery's retries of the run.")
    max_retries: _Count | None = None
    min_losses: _Count | None = Field(None, description="How often their worker was lost.")
    max_losses: _Count | None = None
    has_log: bool | None = Field(None, description="Whether they have written into their own logs.")
    sort: Sort | None = Field(
        None, description="`status_changed_at` needs a status, or a time at which jobs started or finished."
    )

    def wanted(self) -> JobFilter:
        """The filter.

        Raises:
            InvalidQueryError: The query can't be read, or names what another parameter names.
            UnknownZoneError: There is no such time zone.
        """
        given = {name: getattr(self, name) for name in _BY_NAME} | {
            "created": _times(self.created_from, self.created_to),
            "started": _times(self.started_from, self.started_to),
            "finished": _times(self.finished_from, self.finished_to),
            "run_ms": _numbers(self.min_run_s, self.max_run_s, unit=1000),
            "wait_ms": _numbers(self.min_wait_s, self.max_wait_s, unit=1000),
            "retries": _numbers(self.min_retries, self.max_retries),
            "losses": _numbers(self.min_losses, self.max_losses),
        }
        # Most are not given, and to validate them takes longer than all else that becomes of a list's parameters.
        return with_query(JobFilter(**{n: v for n, v in given.items() if v or v is False}), self.q, self.tz)


_BY_NAME = tuple(name for name in JobFilter.model_fields if name in ListParameters.model_fields)
"""Parameters that have the name of the field that they filter by."""


class FailedParameters(PageParameters, QueryParameters):
    """What `GET /api/tracking/failed-jobs` takes."""

    job_type: list[_Name] = _several()

    def wanted(self) -> JobFilter:
        """The filter, of failed jobs.

        Raises:
            InvalidQueryError, UnknownZoneError: As `ListParameters.wanted`.
        """
        return with_query(JobFilter(status=(Status.FAILED,), job_type=tuple(self.job_type)), self.q, self.tz)


class ActiveParameters(QueryParameters):
    """What `GET /api/tracking/active-jobs` takes."""

    limit: int = Field(100, ge=1, le=500)

    def wanted(self) -> JobFilter:
        """The filter, of jobs that run or are between attempts.

        Raises:
            InvalidQueryError, UnknownZoneError: As `ListParameters.wanted`.
        """
        statuses = (Status.RUNNING, Status.RETRYING)
        return with_query(JobFilter(status=statuses, sort=Sort.STATUS_CHANGED), self.q, self.tz)


def _times(since: datetime | None, until: datetime | None) -> TimeRange | None:
    return TimeRange(since=since, until=until) if since or until else None


def _numbers(low: float | None, high: float | None, *, unit: int = 1) -> NumberRange | None:
    if low is None and high is None:
        return None
    low, high = (None if each is None else round(each * unit) for each in (low, high))
    return NumberRange(low=low, high=high)
