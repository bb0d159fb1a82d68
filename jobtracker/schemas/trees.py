"""The outline of a tree."""

from pydantic import BaseModel, Field

from jobtracker.core.lifecycle import Status

Times = list[int | None]


class TreeOutline(BaseModel):
    """Some rows of a tree, parents before their sub-jobs, in columns: each list has a value for each row.

    Times are milliseconds since the epoch (UTC), for charts of many thousand rows.
    """

    first_row: int = Field(description="The row of the tree with which the lists begin; the root is row 0.")
    rows: int = Field(description="How many rows are here: the length of each list.")
    next_cursor: str | None = Field(description="Where the next rows begin; null: there are none.")
    parent: list[int | None] = Field(description="The row of its parent, counted from the root; null for the root.")
    depth: list[int] = Field(description="0 for the root.")
    id: list[str]
    name: list[str]
    job_type: list[str]
    status: list[Status]
    reason: list[str | None] = Field(description="Why it has this status: of a failed job the line of its error.")
    queue: list[str | None] = Field(description="Null: the queue that Celery's settings say.")
    worker: list[str | None] = Field(description="The worker that runs or ran it.")
    run: list[int]
    attempt: list[int] = Field(description="Celery's retries before, within the run.")
    created_at_ms: list[int]
    queued_at_ms: Times = Field(description="When this run's message was sent.")
    due_at_ms: Times = Field(
        description="From when it has waited for a worker: when it was sent, or the ETA with which it was sent."
    )
    started_at_ms: Times = Field(description="When this run began; of a parent: when its first sub-job did.")
    finished_at_ms: Times = Field(description="When it settled.")
    own_started_at_ms: Times = Field(description="Of a parent: when its own task began. Null for all others.")
    not_before_ms: Times = Field(description="Its ETA, or the time of its next attempt.")
    progress_done: list[float | None] = Field(description="As its task reports it.")
    progress_total: list[float | None]
    sub_jobs: list[int] = Field(description="How many sub-jobs a parent has; 0 for all others.")
    sub_jobs_completed: list[int]
    sub_jobs_failed: list[int]
    sub_jobs_cancelled: list[int]
