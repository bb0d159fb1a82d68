"""Figures of many jobs, by group and by time."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, Field

from jobtracker.core.lifecycle import Priority, Status
from jobtracker.schemas.jobs import JobSummary


@dataclass(slots=True)
class JobCount:
    """How many jobs have this status, priority and type."""

    status: Status
    priority: Priority
    job_type: str
    count: int


class Durations(BaseModel):
    """Times in seconds.

    p50, p95 and p99 are within 2 %. The mean is exact. The max is exact too, or within 5 % if an inferred outcome was
    corrected. Null if nothing settled.
    """

    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    mean_s: float | None
    max_s: float | None


class Performance(BaseModel):
    """Figures of the jobs that settled in a window."""

    count: int = Field(description="Jobs that completed, failed or were cancelled.")
    completed: int
    failed: int
    cancelled: int
    success_rate: float | None = Field(
        description="completed / (completed + failed); null if no job completed or failed."
    )
    deliveries: int = Field(description="How often the broker delivered their messages to workers that began them.")
    redeliveries: int = Field(description="How many of these deliveries were of a message that had begun before.")
    double_runs: int = Field(description="Executions that ended after the result that counts.")
    wasted_s: float = Field(
        description="Seconds of all executions that do not count: double runs and lost executions, as far as known."
    )
    wait: Durations = Field(
        description="From the sending of the message to the first start; from its ETA, if it was sent with one."
    )
    run: Durations = Field(
        description="From the start of the execution that counts to its end, with Celery's retries and their pauses; "
        "without jobs that were declared lost.",
    )


class FlowPoint(BaseModel):
    """What happened in one bucket of time."""

    at: datetime = Field(description="When the bucket begins.")
    created: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class Group(BaseModel):
    """The jobs of one type or priority."""

    total: int
    by_status: dict[Status, int]


class Stats(BaseModel):
    """Exact counts of all jobs."""

    total: int
    by_status: dict[Status, int]
    by_type: dict[str, int]
    by_priority: dict[Priority, int]


class PerformanceReport(BaseModel):
    """Figures of the jobs that settled in a window, in total and per type."""

    since: datetime = Field(description="The hour with which the window begins.")
    until: datetime
    overall: Performance
    by_type: dict[str, Performance]


class PerformanceColumns(BaseModel):
    """Figures of one type: a value for each bucket. A time, or a rate, of which there is none is null."""

    count: list[int] = Field(description="Jobs that completed, failed or were cancelled.")
    completed: list[int]
    failed: list[int]
    cancelled: list[int]
    success_rate: list[float | None] = Field(description="completed / (completed + failed).")
    wait_p50_s: list[float | None] = Field(description="Seconds of waiting, as in `Performance`.")
    wait_p95_s: list[float | None]
    wait_p99_s: list[float | None]
    run_p50_s: list[float | None] = Field(description="Seconds of the execution that counts, as in `Performance`.")
    run_p95_s: list[float | None]
    run_p99_s: list[float | None]


class PerformanceSeries(BaseModel):
    """Figures of the jobs that settled in each bucket of a window, per type; percentiles are within 2 %."""

    since: datetime = Field(description="When the first bucket begins.")
    until: datetime
    bucket_hours: int
    at: list[datetime] = Field(description="When each bucket begins. The last one is not over.")
    by_type: dict[str, PerformanceColumns]
    types_left_out: int = Field(
        description="Types that were not read: a long window has room for those only of which most jobs are stored. "
        "Ask for one by its name."
    )


class Throughput(BaseModel):
    """What happened in each bucket of time, empty ones included."""

    bucket_minutes: int
    points: list[FlowPoint]


class ActiveJobs(BaseModel):
    """Jobs that run or wait for their next attempt, the longest first."""

    total: int
    jobs: list[JobSummary]
