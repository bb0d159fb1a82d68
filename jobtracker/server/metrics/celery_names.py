"""The same by the names of celery-exporter, for dashboards and alerts that were made for it.

The store counts by type, not by worker or queue. So `hostname` is "generic", as that exporter has it with
`--generic-hostname-task-sent-metric`, and `queue_name` is the queue that the task's workers have announced.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from jobtracker.schemas.job_types import JobType
from jobtracker.server.metrics.facts import Facts
from jobtracker.server.metrics.families import histogram_of, shown
from jobtracker.server.metrics.high_water import HighWater
from jobtracker.server.metrics.text import Family
from jobtracker.store.totals import Totals

HOSTNAME = "generic"
_LABELS = ("name", "hostname", "queue_name")

_COUNTERS = {
    "sent": "Messages of tasks that were published.",
    "received": "Messages of tasks that workers were given; counted when the job settles.",
    "started": "The same: a worker that is given a message begins the task.",
    "succeeded": "Tasks that completed.",
    "rejected": "Not counted: a rejected message is a delivery of a job that has not settled.",
    "revoked": "Jobs that were cancelled.",
    "retried": "Retries that tasks asked for.",
}


def celery_families(
    facts: Facts, types: Mapping[str, JobType], default_queue: str, high: HighWater
) -> Iterator[Family]:
    """All that celery-exporter has and the store knows."""
    if facts.totals is not None:
        yield from _of_tasks(shown(facts), types, default_queue, high)
    if facts.workers is not None:
        up = [((each.name,), float(each.is_up)) for each in facts.workers]
        active = [((each.name,), each.running) for each in facts.workers if each.running is not None]
        yield Family("celery_worker_up", "gauge", "1: the worker lives.", ("hostname",), up)
        yield Family("celery_worker_tasks_active", "gauge", "Tasks that it runs.", ("hostname",), active)
    if facts.queues is not None:
        lengths = [((each.queue,), each.messages) for each in facts.queues]
        workers = [((each.queue,), each.workers) for each in facts.queues]
        label = ("queue_name",)
        yield Family("celery_queue_length", "gauge", "Messages that wait.", label, lengths)
        yield Family("celery_active_worker_count", "gauge", "Workers that consume the queue.", label, workers)


def _of_tasks(
    totals: Mapping[str, Totals], types: Mapping[str, JobType], default_queue: str, high: HighWater
) -> Iterator[Family]:
    by_task: dict[tuple[str, str, str], Totals] = {}
    for label, of in totals.items():
        job_type = types.get(label)
        key = (job_type.task if job_type else label, HOSTNAME, (job_type and job_type.queue) or default_queue)
        if key in by_task:  # several types of one task
            by_task[key].add(of)
        else:
            by_task[key] = of.copy()
    for what, text in _COUNTERS.items():
        counts = [(key, high.of((f"celery_{what}", *key), _count(of, what))) for key, of in by_task.items()]
        yield Family(f"celery_task_{what}", "counter", text, _LABELS, counts)
    failed = []
    for (name, hostname, queue), of in by_task.items():
        by_exception: Counter[str] = Counter()  # errors of two modules may have one name
        for error, count in (of.failures or {"": 0}).items():
            by_exception[error.rpartition(".")[2]] += count
        for exception, count in sorted(by_exception.items()):
            labels = (name, hostname, exception, queue)
            failed.append((labels, high.of(("celery_failed", *labels), count)))
    names = ("name", "hostname", "exception", "queue_name")
    yield Family("celery_task_failed", "counter", "Tasks that failed.", names, failed)
    for name, what, text in (
        ("runtime", "run", "How long tasks ran, in seconds."),
        ("queue_wait_time", "wait", "How long they waited, in seconds."),
    ):
        histograms = [
            (key, histogram_of(getattr(of, what), of[f"{what}_sum"], (f"celery_{what}", *key), high))
            for key, of in by_task.items()
        ]
        yield Family(f"celery_task_{name}", "histogram", text, _LABELS, histograms)


def _count(of: Totals, what: str) -> int:
    match what:
        case "sent":
            return of.created + of.retried
        case "received" | "started":
            return of.deliveries
        case "succeeded":
            return of["completed"]
        case "revoked":
            return of["cancelled"]
        case "retried":
            return of.retried
    return 0
