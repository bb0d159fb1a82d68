"""Groups of failures: what failed, by error."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from jobtracker.schemas.jobs import JobSummary


class FailureState(StrEnum):
    """What is known of a group."""

    NEW = "new"
    """It was first seen within a day, and nobody has said anything of it."""
    KNOWN = "known"
    """It has been there for longer, or somebody has reopened it."""
    RESOLVED = "resolved"
    """Somebody has marked it as resolved, and no job has failed with this error since."""
    REGRESSED = "regressed"
    """It has failed again after it was marked as resolved."""
    IGNORED = "ignored"
    """Somebody has marked it as ignored."""


class FailureAction(StrEnum):
    """What people say of a group."""

    RESOLVE = "resolve"
    """It is fixed: it is regressed if it fails again."""
    IGNORE = "ignore"
    """It is no concern."""
    REOPEN = "reopen"
    """Neither: it is known."""


class FailureSort(StrEnum):
    """The order of a list of groups."""

    LAST_SEEN = "-last_seen"
    """Seen last first."""
    COUNT = "-count"
    """The most failures first."""


class FailureGroupSummary(BaseModel):
    """Failures of one kind: the same error at the same place."""

    id: str
    state: FailureState
    error_type: str = Field(description="The exception's type, with its module; or another word for what happened.")
    message: str = Field(description="Its message; placeholders such as <n> stand for varying text.")
    frames: list[str] = Field(description="The deepest frames of the project's code: file and function.")
    count: int = Field(description="How many failures there were: a job that fails again after a retry counts twice.")
    jobs: int = Field(description="How many jobs are failed now with this error: those that a list shows.")
    jobs_of_hour: int = Field(description="How many of these jobs have failed in the last hour.")
    jobs_of_day: int = Field(description="How many of them have in the last 24 hours.")
    jobs_of_week: int = Field(description="How many of them have in the last 7 days.")
    first_seen: datetime
    first_seen_in: str | None = Field(description="The release of the first failure, if that is known.")
    last_seen: datetime
    types: dict[str, int] = Field(description='How many by type, 20 at most; "" are the others.')
    releases: dict[str, int] = Field(description='How many by release, 20 at most; "" are the others.')
    hours: list[int] = Field(description="How many in each of the last 24 hours, the present one last.")
    marked_at: datetime | None = Field(description="When somebody has marked it last.")
    regressed_at: datetime | None = Field(description="When it first failed again after it was resolved.")
    regressed_in: str | None = Field(description="The release in which it did, if that is known.")


class FailureGroupDetails(FailureGroupSummary):
    """All that is known of a group."""

    queues: dict[str, int] = Field(description='How many by queue, 20 at most; "" are the others.')
    workers: dict[str, int] = Field(description='How many by worker, 20 at most; "" are the others.')
    hours_of_week: list[int] = Field(description="How many in each of the last 168 hours, the present one last.")
    samples: list[JobSummary] = Field(description="The jobs that failed last, the latest first: 20 at most.")


class FailureGroupPage(BaseModel):
    """A page of groups."""

    groups: list[FailureGroupSummary]
    known_groups: int = Field(
        description="How many groups the store knows, without the filter; at most 10,000. A store with several "
        "partitions gives the highest number that one of them knows."
    )
    next_cursor: str | None = Field(description="For the next page; null at the end.")


@dataclass(frozen=True)
class FailureFilter:
    """Which groups to list; None, or no state: any."""

    states: tuple[FailureState, ...] = ()
    error_type: str | None = None
    job_type: str | None = None
    queue: str | None = None
    release: str | None = None
    since: datetime | None = None
    """Seen at this time or later."""
    sort: FailureSort = FailureSort.LAST_SEEN


class FailureMark(BaseModel):
    """What somebody says of a group."""

    model_config = ConfigDict(extra="forbid")

    action: FailureAction
