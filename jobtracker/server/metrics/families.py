"""The metrics with their values."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.core.version import package_version
from jobtracker.schemas.failures import FailureState
from jobtracker.server.metrics.catalog import METRICS, MOST_QUEUES, OTHER, PREFIX
from jobtracker.server.metrics.exemplars import Exemplars
from jobtracker.server.metrics.facts import Facts
from jobtracker.server.metrics.high_water import HighWater
from jobtracker.server.metrics.text import Family, Histogram
from jobtracker.store.totals import OTHERS, Totals

Values = Iterable[tuple[tuple[str, ...], float | Histogram]]
"""Values of labels, and the value."""


def families(facts: Facts, high: HighWater) -> Iterator[Family]:
    """All that is known."""
    yield from _of_jobs(facts)
    if facts.totals is not None:
        yield from _of_totals(shown(facts), facts.exemplars, high)
    yield from _of_queues(facts)
    yield from _of_workers(facts)
    yield from _of_trouble(facts)
    yield family("store_partition_up", (((str(n),), float(up)) for n, up in facts.up.items()))
    yield family("scrape_duration_seconds", [((), facts.took_s)])
    yield family("live_viewers", [((), facts.viewers)])
    yield family("build", [((package_version(),), 1)])


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


def family(name: str, values: Values) -> Family:
    """A metric of the catalog."""
    metric = METRICS[name]
    return Family(PREFIX + name, metric.kind, metric.help, metric.labels, [*values])


def _of_jobs(facts: Facts) -> Iterator[Family]:
    if facts.jobs is None:
        return
    counts: Counter[tuple[str, str]] = Counter()
    for label in {*facts.named, *(label for _, label in facts.jobs)}:
        for status in Status:
            counts[status, label or OTHER] += facts.jobs[status, label]
    yield family("jobs", counts.items())


def _of_totals(
    totals: dict[str, Totals], exemplars: Mapping[tuple[str, str], Exemplars], high: HighWater
) -> Iterator[Family]:
    def counter(name: str, values: Iterable[tuple[tuple[str, ...], float]]) -> Family:
        return family(name, ((labels, high.of((name, *labels), value)) for labels, value in values))

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
        histograms = []
        for label, of in totals.items():
            found = histogram_of(getattr(of, what), of[f"{what}_sum"], (name, label), high)
            histograms.append(((label,), found._replace(exemplars=exemplars.get((label, what), {}))))
        yield family(name, histograms)


def histogram_of(counts: Sequence[int], sum_ms: int, key: tuple[str, ...], high: HighWater) -> Histogram:
    """A histogram of what lies between the bounds, and of the sum."""
    return Histogram(high.of_each(key, [*accumulate(counts)]), high.of((*key, "sum"), sum_ms / 1000))


def _of_queues(facts: Facts) -> Iterator[Family]:
    if all(facts.up.values()):
        yield family("broker_up", [((), float(facts.queues is not None))])
    if facts.queues is None:
        return
    queues = sorted(facts.queues, key=lambda each: (-each.messages, each.queue))[:MOST_QUEUES]
    yield family("queue_messages", (((each.queue,), each.messages) for each in queues))
    yield family("queue_workers", (((each.queue,), each.workers) for each in queues))
    yield family(
        "queue_oldest_message_age_seconds",
        (
            ((each.queue,), max(facts.at_ms - each.since_ms, 0) / 1000 if each.since_ms else 0.0)
            for each in queues
            if each.since_ms is not None or not each.messages
        ),
    )


def _of_workers(facts: Facts) -> Iterator[Family]:
    if facts.workers is None:
        return
    workers = facts.workers
    yield family("worker_up", (((each.name,), float(each.is_up)) for each in workers))
    running = ((each.name, each.running) for each in workers)
    yield family("worker_jobs_running", (((name,), jobs) for name, jobs in running if jobs is not None))
    yield family("worker_slots", (((each.name,), each.slots) for each in workers))
    yield family("worker_heartbeat_timestamp_seconds", (((each.name,), each.heard_ms / 1000) for each in workers))


def _of_trouble(facts: Facts) -> Iterator[Family]:
    if facts.attention is not None:
        blocked: Counter[str] = Counter()
        for group in facts.attention.blocked:
            blocked[group.code] += group.count
        yield family("jobs_blocked", (((reason,), count) for reason, count in sorted(blocked.items())))
        states = Counter(each.state for each in facts.attention.failures)
        yield family(
            "failure_groups", (((state,), states[state]) for state in (FailureState.NEW, FailureState.REGRESSED))
        )
    if facts.outbox is not None:
        oldest_ms = facts.outbox.oldest_ms
        age_s = max(facts.at_ms - oldest_ms, 0) / 1000 if oldest_ms is not None else 0.0
        yield family("outbox_pending", [((), facts.outbox.pending)])
        yield family("outbox_oldest_age_seconds", [((), age_s)])
        yield family("maintenance_last_run_timestamp_seconds", [((), (facts.maintained_ms or 0) / 1000)])
    if facts.dropped is not None:
        yield family("reports_dropped", [((), facts.dropped)])
