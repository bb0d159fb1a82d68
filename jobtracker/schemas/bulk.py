"""Bulk runs: one change of many jobs, named by their ids or found by a query."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from jobtracker.core.labels import MOST_TAGS
from jobtracker.core.lifecycle import SETTLED, Priority, Status
from jobtracker.schemas.jobs import JobSummary
from jobtracker.schemas.requests import Tag

MOST_IDS = 10_000
"""How many jobs a bulk run may be given by their ids."""

_Id = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class BulkAction(StrEnum):
    """What a bulk run does to each job."""

    CANCEL = "cancel"
    TERMINATE = "terminate"
    RETRY = "retry"
    DELETE = "delete"
    TAG = "tag"
    UNTAG = "untag"
    REPRIORITISE = "reprioritise"

    @property
    def statuses(self) -> frozenset[Status]:
        """The statuses of the jobs to which it can be done."""
        return _STATUSES.get(self, frozenset(Status))

    @property
    def needs_unsent(self) -> bool:
        """It can be done to a pending job only before that is started."""
        return self in {BulkAction.DELETE, BulkAction.REPRIORITISE}

    @property
    def goes_down(self) -> bool:
        """What happens to a parent happens to its sub-jobs."""
        return self in _STATUSES and self is not BulkAction.REPRIORITISE

    @property
    def condition(self) -> str:
        """What a job must be, in words."""
        return _CONDITIONS.get(self, "there")


_OPEN = frozenset(Status) - SETTLED
_STATUSES: dict[BulkAction, frozenset[Status]] = {
    BulkAction.CANCEL: _OPEN,
    BulkAction.TERMINATE: _OPEN,
    BulkAction.RETRY: frozenset({Status.FAILED, Status.CANCELLED}),
    BulkAction.DELETE: SETTLED | {Status.PENDING},
    BulkAction.REPRIORITISE: frozenset({Status.PENDING}),
}
_CONDITIONS = {
    BulkAction.CANCEL: "one that has not ended",
    BulkAction.TERMINATE: "one that has not ended",
    BulkAction.RETRY: "failed or cancelled",
    BulkAction.DELETE: "one that has ended or is not started",
    BulkAction.REPRIORITISE: "one that is not started",
}
_OPTIONS: dict[str, frozenset[BulkAction]] = {
    "tags": frozenset({BulkAction.TAG, BulkAction.UNTAG}),
    "priority": frozenset({BulkAction.REPRIORITISE}),
    "reason": frozenset({BulkAction.CANCEL, BulkAction.TERMINATE}),
    "from_failed": frozenset({BulkAction.RETRY}),
}
_NEEDED = ("tags", "priority")


class BulkRequest(BaseModel):
    """One change of many jobs: those of `ids`, those that `filter` finds, or `all`."""

    model_config = ConfigDict(extra="forbid")

    action: BulkAction
    filter: str = Field(
        "", max_length=2000, description="A query, e.g. `status:failed type:invoice since:2h`, as `q` of lists."
    )
    tz: str = Field("UTC", max_length=100, description="The time zone of times in `filter` that name none.")
    ids: list[_Id] | None = Field(None, min_length=1, max_length=MOST_IDS, description="Instead of a filter.")
    all: bool = Field(False, strict=True, description="All jobs that there are. An empty filter alone is refused.")
    tags: list[Tag] | None = Field(None, min_length=1, max_length=MOST_TAGS, description="Of tag and untag.")
    priority: Priority | None = Field(None, description="Of reprioritise.")
    reason: str | None = Field(
        None, min_length=1, max_length=300, description="Of cancel and terminate: why; shown in the jobs."
    )
    from_failed: bool | None = Field(
        None, strict=True, description="Of retry: begin with the job of the chain that did not complete."
    )
    dry_run: bool = Field(False, strict=True, description="Say how many jobs these are, and change none.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        given = [bool(self.filter.strip()), self.ids is not None, self.all]
        if not any(given):
            raise ValueError("an empty filter means all jobs: say so by `all: true`, or give a filter or ids")
        if sum(given) > 1:
            raise ValueError("give one of filter, ids and all")
        for name, actions in _OPTIONS.items():
            value: Any = getattr(self, name)
            if value is not None and self.action not in actions:
                raise ValueError(f"{name} is for {' and '.join(sorted(actions))}")
            if value is None and name in _NEEDED and self.action in actions:
                raise ValueError(f"{self.action} needs {name}")
        return self


class BulkKind(BaseModel):
    """How many jobs of a status and type."""

    status: Status
    job_type: str
    count: int


class BulkPreview(BaseModel):
    """What a bulk run would change."""

    action: BulkAction
    count: int = Field(description="How many jobs match, and are in a state in which this can be done to them.")
    is_exact: bool = Field(description="False: at least so many; not all were looked at.")
    looked_at: int = Field(description="How many jobs were looked at.")
    looked_to: datetime | None = Field(
        description="The time up to which jobs were looked at, of their creation or status; null: all were."
    )
    below: int | None = Field(
        description="Sub-jobs among these whose parents match too: what happens to these happens to them. Null: not "
        "all were looked at."
    )
    left_alone: int | None = Field(
        description="How many jobs match to which this can't be done. Null: not all were looked at."
    )
    kinds: list[BulkKind] = Field(description="Those that were looked at, by status and type, without `below`.")
    unannounced: list[str] = Field(
        [],
        description="Of retry: the types of these, of custom jobs the tasks, that no worker has announced; at most "
        "20. Such a job waits in its queue, or fails at once where a worker consumes that.",
    )
    sample: list[JobSummary] = Field(description="The first of them, oldest first.")


class BulkRun(BaseModel):
    """A bulk run. It is a job of the type `jobtracker.bulk`, and can be cancelled as one."""

    id: str
    action: BulkAction
    filter: str | None
    ids: int | None = Field(description="How many ids it was given.")
    asked_by: str | None = Field(description="Who asked for it.")
    status: Status
    reason: str | None
    created_at: datetime
    finished_at: datetime | None
    total: int = Field(description="How many jobs, or entries of the index that has them, there are to look at.")
    looked_at: int = Field(description="How many of these it has looked at.")
    done: int = Field(description="How many jobs it has changed.")
    below: int = Field(description="Sub-jobs that were left to what happens to their parents.")
    left_alone: int = Field(description="Jobs to which this could not be done by then, e.g. that had ended.")
    refused: int = Field(description="Jobs that could not be changed, each for a reason.")


class BulkRefusal(BaseModel):
    """A job that a bulk run could not change."""

    id: str
    reason: str


class BulkRefusals(BaseModel):
    """Some of the jobs that a bulk run could not change."""

    refused: list[BulkRefusal]
    next_cursor: int | None = Field(description="Send it as `cursor` for those behind them; null: there are none.")
    total: int = Field(description="How many there are. The first 10,000 are kept.")
