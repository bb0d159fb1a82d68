"""The metrics: names, types, labels, and what each says. The documentation has the same table; a test says so."""

from typing import NamedTuple

PREFIX = "jobtracker_"

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds of the buckets of histograms, in seconds."""


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: Its name, without `PREFIX`, and without the `_total` of a counter.
        kind: gauge, counter or histogram.
        labels: Names of its labels.
        help: What it says.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


_TYPE = ("type",)

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("jobs", "gauge", ("status", "type"), "Jobs that are stored, by status and type."),
        Metric("jobs_created", "counter", _TYPE, "Jobs that were created."),
        Metric(
            "jobs_settled",
            "counter",
            ("type", "status"),
            "Verdicts: how often jobs completed, failed or were cancelled. One that is corrected counts, and so does "
            "the new one.",
        ),
        Metric("job_failures", "counter", ("type", "error"), "How often jobs failed, by the type of their error."),
        Metric("job_retries", "counter", _TYPE, "Retries by Celery: the task asked for its next attempt."),
        Metric("job_wait_seconds", "histogram", _TYPE, "How long jobs waited, from when they might run."),
        Metric("job_run_seconds", "histogram", _TYPE, "How long jobs ran."),
        Metric(
            "deliveries", "counter", _TYPE, "Times that workers were given the messages of jobs, once these settled."
        ),
        Metric("redeliveries", "counter", _TYPE, "Of these, those that followed another one of the same attempt."),
        Metric("double_runs", "counter", _TYPE, "Executions that ended beside the one that counts."),
        Metric("wasted_seconds", "counter", _TYPE, "Time that executions took that do not count."),
        Metric("queue_messages", "gauge", ("queue",), "Messages that wait at the broker."),
        Metric(
            "queue_oldest_message_age_seconds",
            "gauge",
            ("queue",),
            "How long the oldest of them has waited, as far as it is known; 0: none waits.",
        ),
        Metric("queue_workers", "gauge", ("queue",), "Workers that consume the queue."),
        Metric("broker_up", "gauge", (), "1: the broker answers."),
        Metric(
            "worker_up",
            "gauge",
            ("worker",),
            "1: its lease is alive; 0: it was lost within a day, and no worker of its name lives.",
        ),
        Metric("worker_jobs_running", "gauge", ("worker",), "Jobs that it runs."),
        Metric("worker_slots", "gauge", ("worker",), "Jobs that it can run at once."),
        Metric("worker_heartbeat_timestamp_seconds", "gauge", ("worker",), "When it last renewed its lease."),
        Metric(
            "jobs_blocked",
            "gauge",
            ("reason",),
            "Open jobs that can't proceed, by the code of `explain`; of those that were looked at, the oldest.",
        ),
        Metric(
            "failure_groups",
            "gauge",
            ("state",),
            "Groups of failures that nobody has marked, seen within a day: new or regressed; at most 30.",
        ),
        Metric("outbox_pending", "gauge", (), "Messages that are recorded as sent, and not confirmed yet."),
        Metric("outbox_oldest_age_seconds", "gauge", (), "How long the oldest of them has been; 0: there is none."),
        Metric(
            "maintenance_last_run_timestamp_seconds",
            "gauge",
            (),
            "When the last round of maintenance ended, in the partition where that is longest ago; 0: never.",
        ),
        Metric(
            "reports_dropped", "counter", (), "Reports of workers that were given up: their jobs are not as told."
        ),
        Metric("store_partition_up", "gauge", ("partition",), "1: the partition of the store answers."),
        Metric("scrape_duration_seconds", "gauge", (), "How long it took to find all this out."),
        Metric("live_viewers", "gauge", (), "Live streams of this API process."),
        Metric("build", "info", ("version",), "The version of celery-jobtracker."),
    )
}

MOST_QUEUES, MOST_WORKERS = 200, 500
"""So many queues, those with most messages, and workers, those that were heard of last, are told of."""
OTHER = "other"
"""The type of all jobs whose type has no name of its own."""
