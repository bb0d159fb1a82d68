"""How the jobs that settled in a window did, by what the store counts."""

from collections.abc import Iterable

from jobtracker.schemas.stats import Durations, Performance
from jobtracker.store.histograms import Histogram, Settled


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
        wait=_durations(wait),
        run=_durations(run),
    )


def _durations(histogram: Histogram) -> Durations:
    return Durations(
        p50_s=_seconds(histogram.quantile(0.50)),
        p95_s=_seconds(histogram.quantile(0.95)),
        p99_s=_seconds(histogram.quantile(0.99)),
        mean_s=_seconds(histogram.mean_ms),
        max_s=_seconds(histogram.max_ms if histogram.count else None),
    )


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else round(ms / 1000, 6)
