"""The endpoints below `/api/tracking`: trees, figures, queues, workers, health."""

from collections.abc import Sequence
from datetime import datetime

from jobtracker.client.calls import Call, job_path
from jobtracker.client.endpoint import Endpoint
from jobtracker.core.lifecycle import Priority, Status
from jobtracker.schemas.attention import Attention
from jobtracker.schemas.drains import Drain
from jobtracker.schemas.examination import ExaminationRun, ExaminationStatus
from jobtracker.schemas.health import Health
from jobtracker.schemas.job_types import JobType
from jobtracker.schemas.jobs import FailedJobPage, JobTree
from jobtracker.schemas.releases import ReleaseComparison, Releases
from jobtracker.schemas.stats import ActiveJobs, Group, PerformanceReport, PerformanceSeries, Stats, Throughput
from jobtracker.schemas.timeline import Timeline
from jobtracker.schemas.trees import TreeOutline
from jobtracker.schemas.worker_figures import WorkerReport
from jobtracker.schemas.workers import QueueReport, QueueSeries, WorkerStats


class TrackingEndpoints:
    """The methods that both clients have for what is below `/api/tracking`."""

    @Endpoint
    def tree(self, job_id: str) -> Call[JobTree]:
        """A job with all below it; of a Celery group its first members.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        return Call("GET", job_path(job_id, under="/api/tracking/job-tree"), JobTree)

    @Endpoint
    def tree_outline(self, job_id: str, *, limit: int = 10_000, cursor: str | None = None) -> Call[TreeOutline]:
        """A job with all below it in short: rows of a tree, in columns. Large trees come in several pages.

        Args:
            job_id: The job.
            limit: The most rows, up to 20,000.
            cursor: The `next_cursor` of the page before.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        path = job_path(job_id, under="/api/tracking/tree-outline")
        return Call("GET", path, TreeOutline, {"limit": limit, "cursor": cursor})

    @Endpoint
    def attention(self) -> Call[Attention]:
        """What needs somebody: blocked jobs, new and regressed failures, unconsumed queues, lost workers."""
        return Call("GET", "/api/tracking/attention", Attention)

    @Endpoint
    def stats(self) -> Call[Stats]:
        """How many jobs there are, by status, type and priority."""
        return Call("GET", "/api/tracking/stats", Stats)

    @Endpoint
    def stats_by_status(self) -> Call[dict[Status, int]]:
        """How many jobs have each status."""
        return Call("GET", "/api/tracking/stats/by-status", dict[Status, int])

    @Endpoint
    def stats_by_type(self) -> Call[dict[str, Group]]:
        """How many jobs of each type have each status."""
        return Call("GET", "/api/tracking/stats/by-type", dict[str, Group])

    @Endpoint
    def stats_by_priority(self) -> Call[dict[Priority, Group]]:
        """How many jobs of each priority have each status."""
        return Call("GET", "/api/tracking/stats/by-priority", dict[Priority, Group])

    @Endpoint
    def performance(self, *, hours: int = 24, job_type: str | None = None) -> Call[PerformanceReport]:
        """Success rate, wait and run times of the jobs that settled within some whole hours."""
        return Call("GET", "/api/tracking/performance", PerformanceReport, {"hours": hours, "job_type": job_type})

    @Endpoint
    def performance_series(
        self, *, hours: int = 24, bucket_hours: int = 1, job_type: str | None = None
    ) -> Call[PerformanceSeries]:
        """The same over time, in buckets of whole hours. Of a long window types with few jobs are left out."""
        params = {"hours": hours, "bucket_hours": bucket_hours, "job_type": job_type}
        return Call("GET", "/api/tracking/performance/series", PerformanceSeries, params)

    @Endpoint
    def throughput(self, *, minutes: int = 60, bucket_minutes: int = 1) -> Call[Throughput]:
        """Jobs created, completed, failed and cancelled per bucket of time."""
        params = {"minutes": minutes, "bucket_minutes": bucket_minutes}
        return Call("GET", "/api/tracking/throughput", Throughput, params)

    @Endpoint
    def active_jobs(self, *, q: str | None = None, tz: str | None = None, limit: int = 100) -> Call[ActiveJobs]:
        """Jobs that run or wait for their next attempt, the longest first; with a query, those that match."""
        return Call("GET", "/api/tracking/active-jobs", ActiveJobs, {"q": q, "tz": tz, "limit": limit})

    @Endpoint
    def failed_jobs(
        self,
        *,
        q: str | None = None,
        tz: str | None = None,
        job_type: str | Sequence[str] | None = None,
        page_size: int = 50,
        cursor: str | None = None,
    ) -> Call[FailedJobPage]:
        """Failed jobs that match a query, the latest first, each with its error (without its traceback)."""
        params = {"q": q, "tz": tz, "job_type": job_type, "page_size": page_size, "cursor": cursor}
        return Call("GET", "/api/tracking/failed-jobs", FailedJobPage, params)

    @Endpoint
    def queues(self) -> Call[QueueReport]:
        """How many messages wait at the broker in each queue, since when, and how fast they are taken."""
        return Call("GET", "/api/tracking/queue-depth", QueueReport)

    @Endpoint
    def queue_series(self, *, hours: int = 1, queue: str | None = None) -> Call[QueueSeries]:
        """Wait times, arrivals, starts and ends per queue over time, in steps of five minutes; six hours at most."""
        return Call("GET", "/api/tracking/queue-series", QueueSeries, {"hours": hours, "queue": queue})

    @Endpoint
    def workers(self) -> Call[list[WorkerStats]]:
        """The workers: what they run and hold, and which tasks they know."""
        return Call("GET", "/api/tracking/worker-stats", list[WorkerStats])

    @Endpoint
    def releases(self, *, limit: int = 20) -> Call[Releases]:
        """The releases of your project that were seen last, the newest first, and how their jobs did."""
        return Call("GET", "/api/releases", Releases, {"limit": limit})

    @Endpoint
    def compare_releases(self, a: str, b: str) -> Call[ReleaseComparison]:
        """Whether a new release is worse than an old one, type by type.

        Args:
            a: The old one.
            b: The new one.

        Raises:
            ApiError: One of them is not known.
        """
        return Call("GET", "/api/releases/compare", ReleaseComparison, {"a": a, "b": b})

    @Endpoint
    def drain_state(self, worker: str) -> Call[Drain]:
        """What a worker still has, what becomes of it if the worker is stopped or killed, and whether it is safe to.

        Args:
            worker: Its name, e.g. celery@host.

        Raises:
            ApiError: There is no live tracked worker of that name.
        """
        return Call("GET", _drain_path(worker), Drain)

    @Endpoint
    def drain(self, worker: str) -> Call[Drain]:
        """Tell a worker to consume nothing; its tasks go on. It may be repeated.

        Raises:
            ApiError: There is no live tracked worker of that name.
        """
        return Call("POST", _drain_path(worker), Drain)

    @Endpoint
    def undo_drain(self, worker: str) -> Call[Drain]:
        """Let a worker consume again what it consumed before it was drained.

        Raises:
            ApiError: There is no live tracked worker of that name.
        """
        return Call("DELETE", _drain_path(worker), Drain)

    @Endpoint
    def worker_report(self) -> Call[WorkerReport]:
        """The workers that live or went within a day, beside each other: how their last jobs did, which are slow."""
        return Call("GET", "/api/tracking/workers", WorkerReport)

    @Endpoint
    def timeline(
        self,
        since: datetime,
        until: datetime,
        *,
        worker: str | None = None,
        job_type: str | None = None,
        queue: str | None = None,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> Call[Timeline]:
        """Which worker ran which job when: the executions that ran at some time in a span, in columns, in pages.

        Args:
            since: When the span begins.
            until: When it ends.
            worker: Of this worker only, by its name.
            job_type: Of jobs of this type only.
            queue: Of jobs that were sent to this queue only.
            limit: The most executions, up to 5,000.
            cursor: The `next_cursor` of the page before.
        """
        params = {"from": since, "to": until, "worker": worker, "job_type": job_type, "queue": queue}
        return Call("GET", "/api/tracking/timeline", Timeline, {**params, "limit": limit, "cursor": cursor})

    @Endpoint
    def job_types(self) -> Call[list[JobType]]:
        """What can be created: each type's task, queue and JSON Schema of the payload."""
        return Call("GET", "/api/tracking/job-types", list[JobType])

    @Endpoint
    def health(self) -> Call[Health]:
        """Whether jobs get done: Redis, the broker, and any worker that consumes."""
        return Call("GET", "/api/tracking/health", Health, answers_503=True)

    @Endpoint
    def examination(self) -> Call[ExaminationStatus]:
        """The doctor's examination that runs, if one does, and the last one that ended, with what it found."""
        return Call("GET", "/api/tracking/examination", ExaminationStatus)

    @Endpoint
    def examine(self) -> Call[ExaminationRun]:
        """Start an examination: recount everything, and check settings. `examination` says when it is done.

        Raises:
            ApiError: Another one runs.
        """
        return Call("POST", "/api/tracking/examination", ExaminationRun)

    @Endpoint
    def repair(self, examination_id: str) -> Call[ExaminationRun]:
        """Start a repair of what the last examination has shown.

        Args:
            examination_id: That examination.

        Raises:
            ApiError: Another one runs, or that one is not the last, found nothing, or is over an hour old.
        """
        return Call(
            "POST", "/api/tracking/examination/repair", ExaminationRun, body={"examination_id": examination_id}
        )


def _drain_path(worker: str) -> str:
    return job_path(worker, "/drain", under="/api/tracking/workers")
