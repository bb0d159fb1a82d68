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
    """Times in seconds: p50, p95, p99 within 2 %, mean exact, max as well unless a verdict was corrected (5 %).

    Null where nothing settled.
    """

    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    mean_s: float | None
    max_s: float | None


class Performance(BaseModel):
    """How the jobs that settled in a window did."""

    count: int = Field(description="Jobs that completed, failed or were cancelled.")
    completed: int
    failed: int
    cancelled: int
    success_rate: float | None = Field(description="completed / (completed + failed); null where neither.")
    deliveries: int = Field(description="How often workers began them.")
    redeliveries: int = Field(description="How many of these were once more what had begun before.")
    double_runs: int = Field(description="Executions that came to an end of their own which did not count.")
    wasted_s: float = Field(description="Time in vain: of double runs and of what was lost, as far as known.")
    wait: Durations = Field(description="From being sent to the first start.")
    run: Durations = Field(
        description="From the start of the execution that counts to the end, retries and their pauses included; "
        "without jobs that were taken for lost.",
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
    """All jobs in figures; exact."""

    total: int
    by_status: dict[Status, int]
    by_type: dict[str, int]
    by_priority: dict[Priority, int]


class PerformanceReport(BaseModel):
    """How the jobs did that settled in a window."""

    since: datetime = Field(description="The window begins with this hour.")
    until: datetime
    overall: Performance
    by_type: dict[str, Performance]


class Throughput(BaseModel):
    """What happened, bucket by bucket, the empty ones too."""

    bucket_minutes: int
    points: list[FlowPoint]


class ActiveJobs(BaseModel):
    """Jobs that run or wait for their next attempt, the longest first."""

    total: int
    jobs: list[JobSummary]
