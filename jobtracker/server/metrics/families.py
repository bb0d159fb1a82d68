"""The metrics as the Prometheus client has them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.core.version import package_version
from jobtracker.schemas.failures import FailureState
from jobtracker.server.metrics.catalog import BOUNDS_S, METRICS, MOST_QUEUES, OTHER, PREFIX
from jobtracker.server.metrics.facts import Facts
from jobtracker.server.metrics.high_water import HighWater
from jobtracker.store.totals import OTHERS, Totals

_FAMILIES = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
    "histogram": HistogramMetricFamily,
    "info": InfoMetricFamily,
}
_LE = [*map(str, BOUNDS_S), "+Inf"]

Values = Iterable[tuple[tuple[str, ...], float]]
"""Values of labels, and the value."""


def families(facts: Facts, high: HighWater) -> Iterator[Metric]:
    """All that is known."""
    yield from _of_jobs(facts)
    if facts.totals is not None:
        yield from _of_totals(shown(facts), high)
    yield from _of_queues(facts)
    yield from _of_workers(facts)
    yield from _of_trouble(facts)
    yield simple("store_partition_up", (((str(n),), float(up)) for n, up in facts.up.items()))
    yield simple("scrape_duration_seconds", [((), facts.took_s)])
    yield simple("live_viewers", [((), facts.viewers)])
    build = family("build")
    build.add_metric([], {"version": package_version()})
    yield build


def shown(facts: Facts) -> dict[str, Totals]:
    """The totals by what the label shows. Types that have lost their names are not shown."""
    found: dict[str, Totals] = {}
    for label, totals in (facts.totals or {}).items():
        if label in facts.named or (label == OTHERS and totals.is_used):
            name = label or OTHER
            if name in found:  # a type of that name
                found[name].add(totals)
            else:
                found[name] = totals.copy()
    return found


def family(name: str) -> Any:
    """An empty family."""
    metric = METRICS[name]
    if metric.kind == "info":
        return InfoMetricFamily(PREFIX + name, metric.help)
    return _FAMILIES[metric.kind](PREFIX + name, metric.help, labels=metric.labels)


def simple(name: str, values: Values) -> Metric:
    """A family of gauges or counters."""
    found: Metric = family(name)
    for labels, value in values:
        found.add_metric(labels, value)  # type: ignore[attr-defined] # of all three
    return found


def _of_jobs(facts: Facts) -> Iterator[Metric]:
    if facts.jobs is None:
        return
    counts: Counter[tuple[str, str]] = Counter()
    for label in {*facts.named, *(label for _, label in facts.jobs)}:
        for status in Status:
            counts[status, label or OTHER] += facts.jobs[status, label]
    yield simple("jobs", counts.items())


def _of_totals(totals: dict[str, Totals], high: HighWater) -> Iterator[Metric]:
    def counter(name: str, values: Values) -> Metric:
        return simple(name, ((labels, high.of((name, *labels), value)) for labels, value in values))

    yield counter("jobs_created", (((label,), of.created) for label, of in totals.items()))
    yield counter("jobs_settled", (((label, s), of[s]) for label, of in totals.items() for s in sorted(SETTLED)))
    yield counter(
        "job_failures",
        (((label, error), count) for label, of in totals.items() for error, count in sorted(of.failures.items())),
    )
    yield counter("job_retries", (((label,), of.retried) for label, of in totals.items()))
    yield counter("deliveries", (((label,), of.deliveries) for label, of in totals.items()))
    for name in ("redeliveries", "double_runs"):
        yield counter(name, (((label,), of[name]) for label, of in totals.items()))
    yield counter("wasted_seconds", (((label,), of["wasted_ms"] / 1000) for label, of in totals.items()))
    for name, what in (("job_wait_seconds", "wait"), ("job_run_seconds", "run")):
        histogram = family(name)
        for label, of in totals.items():
            buckets, sum_s = histogram_of(getattr(of, what), of[f"{what}_sum"], (name, label), high)
            histogram.add_metric([label], buckets, sum_s)
        yield histogram


def histogram_of(
    counts: Sequence[int], sum_ms: int, key: tuple[str, ...], high: HighWater
) -> tuple[list[tuple[str, float]], float]:
    """The cumulative buckets, and the sum in seconds."""
    buckets, so_far = [], 0
    for le, count in zip(_LE, counts, strict=True):
        so_far += count
        buckets.append((le, high.of((*key, le), so_far)))
    return buckets, high.of((*key, "sum"), sum_ms / 1000)


def _of_queues(facts: Facts) -> Iterator[Metric]:
    if all(facts.up.values()):
        yield simple("broker_up", [((), float(facts.queues is not None))])
    if facts.queues is None:
        return
    queues = sorted(facts.queues, key=lambda each: (-each.messages, each.queue))[:MOST_QUEUES]
    yield simple("queue_messages", (((each.queue,), each.messages) for each in queues))
    yield simple("queue_workers", (((each.queue,), each.workers) for each in queues))
    yield simple(
        "queue_oldest_message_age_seconds",
        (
            ((each.queue,), max(facts.at_ms - each.since_ms, 0) / 1000 if each.since_ms else 0.0)
            for each in queues
            if each.since_ms is not None or not each.messages
        ),
    )


def _of_workers(facts: Facts) -> Iterator[Metric]:
    if facts.workers is None:
        return
    workers = facts.workers
    yield simple("worker_up", (((each.name,), float(each.is_up)) for each in workers))
    running = ((each.name, each.running) for each in workers)
    yield simple("worker_jobs_running", (((name,), jobs) for name, jobs in running if jobs is not None))
    yield simple("worker_slots", (((each.name,), each.slots) for each in workers))
    yield simple("worker_heartbeat_timestamp_seconds", (((each.name,), each.heard_ms / 1000) for each in workers))


def _of_trouble(facts: Facts) -> Iterator[Metric]:
    if facts.attention is not None:
        blocked: Counter[str] = Counter()
        for group in facts.attention.blocked:
            blocked[group.code] += group.count
        yield simple("jobs_blocked", (((reason,), count) for reason, count in sorted(blocked.items())))
        states = Counter(each.state for each in facts.attention.failures)
        yield simple(
            "failure_groups", (((state,), states[state]) for state in (FailureState.NEW, FailureState.REGRESSED))
        )
    if facts.outbox is not None:
        oldest_ms = facts.outbox.oldest_ms
        age_s = max(facts.at_ms - oldest_ms, 0) / 1000 if oldest_ms is not None else 0.0
        yield simple("outbox_pending", [((), facts.outbox.pending)])
        yield simple("outbox_oldest_age_seconds", [((), age_s)])
        yield simple("maintenance_last_run_timestamp_seconds", [((), (facts.maintained_ms or 0) / 1000)])
    if facts.dropped is not None:
        yield simple("reports_dropped", [((), facts.dropped)])
