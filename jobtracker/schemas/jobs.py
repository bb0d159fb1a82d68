"""What goes in and out at the edge: jobs as people and programs see them."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    JsonValue,
)

from jobtracker.core.lifecycle import FailurePolicy, Priority, Status


def _check_portable(value: JsonValue) -> JsonValue:
    """Refuse what Python reads and no other JSON parser does: NaN, Infinity, half a surrogate pair."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except ValueError as error:
        raise ValueError(
            "it has a number or a text that JSON can't carry (NaN, Infinity, half a character)"
        ) from error
    return value


def _check_depth(value: Any) -> Any:
    if nests_too_deep(value):
        raise ValueError(f"it nests deeper than {JSON_DEPTH_LIMIT} levels")
    return value


def nests_too_deep(value: Any) -> bool:
    """Whether a value nests deeper than `JSON_DEPTH_LIMIT` levels."""
    level: list[Any] = [[value]]
    for _ in range(JSON_DEPTH_LIMIT + 1):
        inside = (each for outer in level for each in (outer.values() if isinstance(outer, dict) else outer))
        level = [each for each in inside if isinstance(each, dict | list)]
    return bool(level)


Portable = Annotated[JsonValue, BeforeValidator(_check_depth), AfterValidator(_check_portable)]
JsonObject = Annotated[dict[str, JsonValue], BeforeValidator(_check_depth), AfterValidator(_check_portable)]


JSON_DEPTH_LIMIT = 100
"""How deep payloads and results may nest. Together with the deepest tree of jobs an answer stays below the 255 levels
at which pydantic's serializer gives up (pydantic-core, src/recursion_guard.rs)."""


class Progress(BaseModel):
    """How far a job is. A parent's counts its settled sub-jobs."""

    done: float = Field(description="Units that are done.")
    total: float = Field(description="Units in all.")
    percent: float = Field(description="done / total, 0 to 100.")
    note: str = Field(default="", description="What the task says about where it is.")


class SubJobCounts(BaseModel):
    """A parent's sub-jobs in figures; what is left has not settled."""

    total: int
    completed: int
    failed: int
    cancelled: int


class JobError(BaseModel):
    """Why a job failed."""

    type: str = Field(description="The exception's class.")
    message: str
    traceback: str | None = Field(default=None, description="As Python prints it; a long one has lost its middle.")


class JobSummary(BaseModel):
    """A job as lists show it: all but its payload, result and traceback."""

    id: str = Field(description="For life. For a task that plain Celery code sent it is that task's id.")
    name: str
    job_type: str
    status: Status
    priority: Priority
    reason: str | None = Field(default=None, description="Why it is where it is, a sentence.")
    progress: Progress | None = None
    sub_job_counts: SubJobCounts | None = Field(default=None, description="Only on a parent.")
    failure_policy: FailurePolicy | None = Field(default=None, description="Only on a parent.")
    parent_id: str | None = None
    sent_by: str | None = Field(
        default=None, description="The task that sent it (Celery's parent_id); null: none did."
    )
    next_id: str | None = Field(default=None, description="The next job of its chain.")
    group_id: str | None = Field(
        default=None, description="Celery's id of the group it was sent in, if it has no parent."
    )
    tags: list[str] = []
    created_at: datetime
    queued_at: datetime | None = Field(
        default=None, description="When this run was sent to Celery; null: not started yet."
    )
    started_at: datetime | None = Field(
        default=None,
        description="When this run's first attempt began, or what took its place when that was lost; a parent's: its "
        "first sub-job.",
    )
    finished_at: datetime | None = None
    status_changed_at: datetime
    not_before: datetime | None = Field(default=None, description="When the next attempt is due, or its ETA.")
    expires_at: datetime | None = Field(default=None, description="Cancelled where it has not begun by then.")
    cancel_requested_at: datetime | None = None
    run: int = Field(description="Dispatches to Celery so far; 0: not started yet.")
    attempt: int = Field(description="Celery's retries within this run.")
    deliveries: int = Field(description="How often a worker began it.")
    redeliveries: int = Field(default=0, description="How many of them were once more what had begun before.")
    double_runs: int = Field(
        default=0, description="Executions that came to an end of their own which did not count."
    )
    losses: int = Field(
        default=0, description="How often its worker or process was lost with it, since a start by hand."
    )
    wasted_s: float = Field(
        default=0.0, description="Time in vain: of double runs and of what was lost, as far as known."
    )
    task: str | None = Field(default=None, description="The Celery task's name.")
    task_id: str | None = Field(default=None, description="Celery's id of the current run.")
    queue: str | None = None
    worker: str | None = Field(default=None, description="The Celery worker that runs or ran it.")
    origin: Literal["api", "celery", "beat"] = Field(
        description="api; celery: sent by plain Celery code; beat: by Celery's scheduler."
    )
    request_id: str | None = Field(default=None, description="Of the HTTP request that made it.")


class Job(JobSummary):
    """A job with all that is known of it."""

    payload: JsonValue = Field(
        default=None, description='The task\'s keyword arguments; "***" stands for what is masked.'
    )
    args: list[JsonValue] | None = Field(
        default=None, description="The task's positional arguments, where they are stored."
    )
    arguments_repr: str | None = Field(
        default=None, description="Both as text, shortened, where they are not stored."
    )
    result: JsonValue = Field(default=None, description="What the task returned.")
    result_omitted_bytes: int | None = Field(
        default=None,
        description="The result's size, where it is too large to be stored here: Celery's backend has it.",
    )
    error: JobError | None = None
    schedule: str | None = Field(default=None, description="Name of the entry in beat's schedule.")
    sent_from: str | None = Field(
        default=None,
        description="The process that sent it, as Celery names it: gen<pid>@<host>; null: another job did.",
    )


class JobTree(Job):
    """A job with its sub-jobs, to any depth."""

    sub_jobs: list["JobTree"] = []


class FailedJob(JobSummary):
    """A job as the list of failed ones shows it."""

    error: JobError | None = Field(default=None, description="Without its traceback, which the job itself has.")


class JobPage(BaseModel):
    """One page of a list."""

    jobs: list[JobSummary]
    total: int | None = Field(description="How many jobs match; null where no index counts them.")
    page: int | None = Field(description="The page's number; null on pages reached by a cursor.")
    page_size: int
    next_cursor: str | None = Field(description="Goes on after this page; null: that was all.")


class FailedJobPage(JobPage):
    """One page of the list of failed jobs."""

    jobs: list[FailedJob]  # type: ignore[assignment] # a page is only read, and these say more


class LogLine(BaseModel):
    """A line of a job's own log."""

    id: str = Field(description="Later lines have greater ones; `after` goes on from it.")
    at: datetime
    level: str
    message: str


def custom_payload(task: str, args: list[Any] | None, kwargs: JsonValue) -> dict[str, Any]:
    """The payload of a custom job, of what is stored of it.

    Args:
        task: What it calls its task.
        args: The task's positional arguments.
        kwargs: Its keyword arguments.
    """
    return {"task": task} | ({"args": args} if args else {}) | ({"kwargs": kwargs} if kwargs is not None else {})
