"""How workers do, beside each other."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field


class WorkerStateName(StrEnum):
    """Whether a worker is there."""

    ONLINE = "online"
    """It renews its lease, and answers."""
    SILENT = "silent"
    """It renews its lease, and did not answer in time. A solo worker does not answer while it runs a task."""
    LOST = "lost"
    """Its lease ran out, and it did not give it back: it was killed, or is cut off."""
    STOPPED = "stopped"
    """It gave its lease back."""
    NOT_TRACKED = "not_tracked"
    """It answers, and has no lease: it does not run jobtracker."""


class RunTimes(BaseModel):
    """Run times of completed jobs: of the execution that counts, in seconds."""

    count: int
    p50_s: float
    p95_s: float


class WorkerRunTimes(BaseModel):
    """Run times of one type on one worker, beside those on all other workers."""

    here: RunTimes
    elsewhere: RunTimes | None = Field(description="Of the other workers; null: none ran such jobs.")
    is_slow: bool = Field(
        description="Its jobs of this type take longer: the p-value is below the report's `level`, and its p50 is at "
        "least 1.2 times that of the others."
    )
    p_value: float | None = Field(
        description="One-sided Mann-Whitney test of its run times against those on the other workers, corrected "
        "by Holm for all workers and types that were tested. Null: fewer than 20 jobs on one of the sides."
    )


class RunningJob(BaseModel):
    """A job that a worker runs."""

    job_id: str
    name: str
    job_type: str
    started_at: datetime = Field(description="When this execution began.")


class WorkerFigures(BaseModel):
    """A worker: whether it is there, what it uses, how its last jobs did, and what it runs."""

    name: str
    state: WorkerStateName
    is_drained: bool = Field(description="It was told to consume nothing.")
    incarnation: str | None = Field(description="Of its last start. Null if it is not tracked, as what follows.")
    host: str | None
    pid: int | None
    pool: str | None
    concurrency: int | None
    queues: list[str]
    release: str | None
    started_at: datetime | None
    heard_at: datetime | None = Field(description="When it last renewed its lease, or gave it back.")
    ended_at: datetime | None = Field(description="When its lease ran out, or it gave it back; null: it lives.")
    memory_bytes: int | None = Field(description="As in `Worker`, when it was last heard of.")
    processes: int | None
    cpu_cores: float | None
    restarts: int = Field(description="How often it was started within a day before its last start.")
    times_lost: int = Field(description="How often it was lost within a day, its last start included.")
    jobs: int = Field(description="Jobs that settled on it, among those that were looked at.")
    jobs_per_minute: float
    failed: int = Field(description="Of these jobs, those that failed; lost ones included.")
    lost: int = Field(description="Of these jobs, those that were declared lost with it.")
    by_type: dict[str, WorkerRunTimes]
    slow_types: list[str] = Field(description="The types whose jobs take longer here.")
    running: list[RunningJob] = Field(description="What it runs, the longest first; 100 at most.")
    running_total: int = Field(description="How many jobs it runs, among the running jobs that were looked at.")
    prefetched: int | None = Field(
        description="Messages that it has fetched and not begun, those that wait for their ETA included; null: it "
        "did not answer."
    )


class WorkerReport(BaseModel):
    """The workers that live or went within a day, beside each other.

    The figures are of the jobs that settled last: of one hour, and of no more than 5,000 jobs.
    """

    at: datetime
    since: datetime = Field(description="When the window begins that was looked at.")
    looked_at: int = Field(description="Jobs that settled in it.")
    settled: int = Field(description="Jobs that settled within the hour. If these are more, the window is shorter.")
    running_looked_at: int
    running_complete: bool = Field(description="Whether these are all running jobs; else those that run longest.")
    level: float = Field(description="How likely it is that any worker of all is called slow by chance.")
    tested: int = Field(description="How many workers and types were compared.")
    fleet: dict[str, RunTimes] = Field(description="Run times by type, on all workers together.")
    workers: list[WorkerFigures] = Field(description="By name.")
    unavailable: list[str] = Field(description="What could not be found out, and why.")
