"""Figures of many jobs: how many there are, how long they take, how they flow."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, Field

from jobtracker.histograms import Histogram, Settled
from jobtracker.lifecycle import Priority, Status


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

    @classmethod
    def of(cls, histogram: Histogram) -> "Durations":
        """The figures of a histogram."""
        if not histogram.count:
            return cls(p50_s=None, p95_s=None, p99_s=None, mean_s=None, max_s=None)
        return cls(
            p50_s=_seconds(histogram.quantile(0.50)),
            p95_s=_seconds(histogram.quantile(0.95)),
            p99_s=_seconds(histogram.quantile(0.99)),
            mean_s=_seconds(histogram.mean_ms),
            max_s=_seconds(histogram.max_ms),
        )


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


def performance_of(strings: Iterable[bytes | None]) -> Performance:
    """The figures of some strings of the store (`keys.PREFIXES["settled"]`) together; None: one is not there."""
    totals, wait, run = Settled.of(strings)
    tried = totals["completed"] + totals["failed"]
    count = tried + totals["cancelled"]
    return Performance(
        count=count,
        completed=totals["completed"],
        failed=totals["failed"],
        cancelled=totals["cancelled"],
        deliveries=count + totals["deliveries"],  # the store keeps those beyond one of each job
        redeliveries=totals["redeliveries"],
        double_runs=totals["double_runs"],
        wasted_s=totals["wasted_ms"] / 1000,
        success_rate=totals["completed"] / tried if tried else None,
        wait=Durations.of(wait),
        run=Durations.of(run),
    )


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else round(ms / 1000, 6)
