"""Which worker ran which job when."""

from dataclasses import dataclass

from pydantic import BaseModel, Field

from jobtracker.core.lifecycle import Status
from jobtracker.schemas.trees import Times


@dataclass(frozen=True, kw_only=True)
class TimelineFilter:
    """Which executions a timeline has: those that ran at some time in a span, from its begin up to before its end.

    Attributes:
        from_ms: Its begin, in milliseconds since the epoch.
        to_ms: Its end.
        worker: Of this worker only, by Celery's name for it.
        job_type: Of jobs of this type only.
        queue: Of jobs that were sent to this queue only.
    """

    from_ms: int
    to_ms: int
    worker: str | None = None
    job_type: str | None = None
    queue: str | None = None


class Timeline(BaseModel):
    """Executions that ran in a span, in columns: each list has a value for each of them.

    Those that run now come first, then those that ended in the span, by their ends, then those that ended later. Of
    each job this is the execution that counts; `executions_left_out` says how many others these jobs had. Times are
    milliseconds since the epoch (UTC).
    """

    from_ms: int = Field(description="When the span begins.")
    to_ms: int = Field(description="When it ends.")
    at_ms: int = Field(description="When the first page was asked for: later ends are not here.")
    looked_until_ms: int = Field(
        description="Up to when ends are looked at: until the longest run time of any type that is read after the "
        "span, a day at most. A cancelled or lost job that began in the span and ended later is not here."
    )
    executions_left_out: int = Field(
        description="Earlier executions of the jobs on this page, which their histories have: attempts, "
        "redeliveries, lost ones."
    )
    rows: int = Field(description="How many executions are here: the length of each list.")
    next_cursor: str | None = Field(
        description="Where the next page begins; null: there is none. A page may be short, or empty: a request "
        "takes a limited time."
    )
    job_id: list[str]
    name: list[str]
    job_type: list[str]
    status: list[Status] = Field(description="Of the job now.")
    worker: list[str]
    queue: list[str | None] = Field(description="Null: the queue that Celery's settings say.")
    run: list[int]
    attempt: list[int] = Field(description="Celery's retries before, within the run.")
    started_at_ms: list[int] = Field(description="When the execution began.")
    finished_at_ms: Times = Field(description="When it ended; null: it has not.")
    inferred: list[bool] = Field(
        description="Its end was inferred, from the loss of its worker for example: it may have ended earlier."
    )
