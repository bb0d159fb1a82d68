"""Jobs as the API answers them, and lists of jobs."""

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
    """Refuse what only Python's JSON parser accepts: NaN, Infinity, half of a surrogate pair."""
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
        if not level:
            return False
    return True


Portable = Annotated[JsonValue, BeforeValidator(_check_depth), AfterValidator(_check_portable)]
JsonObject = Annotated[dict[str, JsonValue], BeforeValidator(_check_depth), AfterValidator(_check_portable)]


JSON_DEPTH_LIMIT = 100
"""How deep payloads and results may nest. Together with the deepest tree of jobs an answer stays below the 255 levels
at which pydantic's serializer gives up (pydantic-core, src/recursion_guard.rs)."""


class Progress(BaseModel):
    """How far a job is. For a parent: how many of its sub-jobs have settled."""

    done: float = Field(description="Units that are done.")
    total: float = Field(description="Units in all.")
    percent: float = Field(description="done / total, 0 to 100.")
    note: str = Field(default="", description="The task's own message about its progress.")


class SubJobCounts(BaseModel):
    """How many sub-jobs a parent has, by outcome. The others have not settled."""

    total: int
    completed: int
    failed: int
    cancelled: int


class JobError(BaseModel):
    """Why a job failed."""

    type: str = Field(description="The exception's class.")
    message: str
    traceback: str | None = Field(
        default=None, description="As Python prints it. A long traceback loses its middle (`MAX_TRACEBACK_CHARS`)."
    )


class JobSummary(BaseModel):
    """A job as lists show it: without payload, result and traceback."""

    id: str = Field(description="The job's id for life. For a task that plain Celery code sent: the id of that task.")
    name: str
    job_type: str
    status: Status
    priority: Priority
    reason: str | None = Field(default=None, description="Why it has this status, as a sentence.")
    error_type: str | None = Field(
        default=None,
        description="Of a failed job: the exception's type, with its module unless it is a builtin; or another word "
        "for what happened.",
    )
    failure_group: str | None = Field(
        default=None, description="The failure group of a failed job: failures with the same fingerprint."
    )
    progress: Progress | None = None
    sub_job_counts: SubJobCounts | None = Field(default=None, description="Only on a parent.")
    failure_policy: FailurePolicy | None = Field(default=None, description="Only on a parent.")
    parent_id: str | None = None
    sent_by: str | None = Field(
        default=None, description="The job whose task sent this one (Celery's `parent_id`); null if no task did."
    )
    next_id: str | None = Field(default=None, description="The next job in its chain.")
    group_id: str | None = Field(
        default=None, description="Celery's id of the group in which it was sent, if it has no parent."
    )
    tags: list[str] = []
    created_at: datetime
    queued_at: datetime | None = Field(
        default=None, description="When this run was sent to Celery; null if it is not started yet."
    )
    due_at: datetime | None = Field(
        default=None,
        description="From when it has waited for a worker: `queued_at`, or the ETA with which it was sent. How "
        "long it waited counts from then.",
    )
    started_at: datetime | None = Field(
        default=None,
        description="When the execution that counts began its first attempt. For a parent: when its first "
        "sub-job began.",
    )
    finished_at: datetime | None = None
    status_changed_at: datetime
    not_before: datetime | None = Field(default=None, description="The time of its next attempt, or its ETA.")
    expires_at: datetime | None = Field(default=None, description="It is cancelled if it has not begun by then.")
    cancel_requested_at: datetime | None = None
    run: int = Field(description="How often it was dispatched to Celery; 0 if it is not started yet.")
    attempt: int = Field(description="How many Celery retries this run has had.")
    deliveries: int = Field(description="How often the broker delivered its message to a worker that began it.")
    redeliveries: int = Field(
        default=0, description="How many of these deliveries were of a message that had begun before."
    )
    double_runs: int = Field(default=0, description="Executions that ended after the result that counts.")
    losses: int = Field(
        default=0,
        description="How often its worker or process was lost with it, since it was last started or retried by "
        "request.",
    )
    wasted_s: float = Field(
        default=0.0,
        description="Seconds of all executions that do not count: double runs and lost executions, as far as known.",
    )
    task: str | None = Field(default=None, description="The Celery task's name.")
    task_id: str | None = Field(default=None, description="Celery's task id of the current run.")
    queue: str | None = None
    worker: str | None = Field(default=None, description="The Celery worker that runs or ran it.")
    release: str | None = Field(
        default=None, description="The release of its project that this worker runs (`RELEASE_LABEL`)."
    )
    origin: Literal["api", "celery", "beat"] = Field(
        description="Who sent it: `api`, `celery` (plain Celery code) or `beat` (Celery's scheduler)."
    )
    request_id: str | None = Field(
        default=None, description="The `X-Request-ID` of the HTTP request that created it."
    )


class LargeValue(BaseModel):
    """A value that is in the object store."""

    object: str = Field(description="The name of its object.")
    bytes: int = Field(description="The size of its JSON.")
    sha256: str = Field(description="The digest of its JSON, hexadecimal.")
    is_json: bool = Field(
        default=True, description="False: it has NaN or Infinity. Python reads them; JSON does not have them."
    )


class Job(JobSummary):
    """A job with all of its fields."""

    payload: JsonValue = Field(
        default=None, description='The task\'s keyword arguments; "***" replaces masked values.'
    )
    args: list[JsonValue] | None = Field(
        default=None, description="The task's positional arguments, if they are stored."
    )
    arguments_repr: str | None = Field(
        default=None, description="Both kinds of arguments as shortened text, if they are not stored as JSON."
    )
    result: JsonValue = Field(default=None, description="What the task returned.")
    large_values: dict[Literal["payload", "args", "result"], LargeValue] = Field(
        default={},
        description="The values that are larger than `MAX_RESULT_BYTES`, and so null here. The routes `payload`, "
        "`args` and `result` of the job have them.",
    )
    result_omitted_bytes: int | None = Field(
        default=None,
        description="The size of a result that is too large to be stored here, and that no object store has. "
        "Celery's result backend has it.",
    )
    result_omitted_reason: str | None = Field(
        default=None, description="Why the object store does not have it, as a sentence."
    )
    error: JobError | None = None
    schedule: str | None = Field(default=None, description="The name of the entry in beat's schedule.")
    sent_from: str | None = Field(
        default=None,
        description="The process that sent it, as Celery names it: `gen<pid>@<host>`. Null if another job sent it.",
    )
    traceparent: str | None = Field(
        default=None,
        description="W3C's name of its span, and so of its trace: the span of its last execution or, before the "
        "first one, the span that sent or created it. Null if there are no traces.",
    )
    trace_url: str | None = Field(
        default=None, description="The URL of that trace (`TRACE_URL_TEMPLATE`). Null also if it is not sampled."
    )


class JobTree(Job):
    """A job with its sub-jobs, to any depth."""

    sub_jobs: list["JobTree"] = []


class FailedJob(JobSummary):
    """A job in the list of failed jobs."""

    error: JobError | None = Field(
        default=None, description="Its error without the traceback; the job itself has that."
    )


class JobPage(BaseModel):
    """One page of a list."""

    jobs: list[JobSummary]
    total: int | None = Field(description="How many jobs match; null if no index counts them.")
    page: int | None = Field(description="The page's number; null on pages reached by a cursor.")
    page_size: int
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page; null if there is none.")
    looked_at: int | None = Field(
        default=None, description="How many jobs were looked at for this page; null if an index gives the page."
    )
    looked_to: datetime | None = Field(
        default=None,
        description="The time up to which jobs were looked at, if there are more; of their creation or of their "
        "status, as the list is sorted. `next_cursor` goes on from there.",
    )


class FailedJobPage(JobPage):
    """One page of the list of failed jobs."""

    jobs: list[FailedJob]  # type: ignore[assignment] # a page is only read, and these say more


class LogLine(BaseModel):
    """A line of a job's own log."""

    id: str = Field(description="Later lines have greater ids. Send it as `after` to get the lines after this one.")
    at: datetime
    level: str
    message: str


def custom_payload(task: str, args: list[Any] | None, kwargs: JsonValue) -> dict[str, Any]:
    """Rebuild the payload of a custom job from what is stored.

    Args:
        task: The name of the task.
        args: The task's positional arguments.
        kwargs: Its keyword arguments.
    """
    return {"task": task} | ({"args": args} if args else {}) | ({"kwargs": kwargs} if kwargs is not None else {})
