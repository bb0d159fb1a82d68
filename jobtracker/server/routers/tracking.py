"""Figures: counts, performance, throughput; trees, health."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from jobtracker.core.access import Scope
from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.lifecycle import Priority, Status
from jobtracker.diagnosis.health import HealthCheck
from jobtracker.schemas.attention import Attention
from jobtracker.schemas.health import Health
from jobtracker.schemas.job_types import JobType
from jobtracker.schemas.jobs import FailedJobPage, JobTree
from jobtracker.schemas.stats import (
    ActiveJobs,
    Group,
    JobCount,
    Performance,
    PerformanceColumns,
    PerformanceReport,
    PerformanceSeries,
    Stats,
    Throughput,
)
from jobtracker.schemas.trees import TreeOutline
from jobtracker.server.access.limits import limited, may_be_of
from jobtracker.server.access.needs import Reach, needs
from jobtracker.server.dependencies import JobId, UseAttentionDesk, UseInspector, UseSettings, UseTracking
from jobtracker.server.list_parameters import ActiveParameters, FailedParameters
from jobtracker.server.live.sharing import by_clock
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson, written
from jobtracker.server.routers.health import health_of
from jobtracker.server.thread_route import ThreadRoute
from jobtracker.store.reader import HOUR_MS, MINUTE_MS

router = APIRouter(
    route_class=ThreadRoute,
    prefix="/api/tracking",
    tags=["tracking"],
    responses={**TO_EXPECT, 503: RESPONSES[503]},
)

Hours = Annotated[int, Query(ge=1, le=24 * 31, description="How far back, in whole hours.")]
_MOST_TYPE_HOURS = 2400
"""So many hours of so many types a series reads, of one partition: 100 types of a day, or 3 of a month."""

Limit = Annotated[int, Query(ge=1, le=500)]


def _sum(counts: Iterable[JobCount], of: Callable[[JobCount], Any]) -> dict[Any, int]:
    sums: dict[Any, int] = {}
    for count in counts:
        name = of(count)
        sums[name] = sums.get(name, 0) + count.count
    return sums


def _by_status(counts: Iterable[JobCount]) -> dict[Status, int]:
    return {**dict.fromkeys(Status, 0), **_sum(counts, lambda count: count.status)}


def _groups(counts: list[JobCount], of: Callable[[JobCount], Any], keys: Iterable[Any] = ()) -> dict[Any, Group]:
    found = {}
    for key in sorted({*keys, *(of(count) for count in counts)}, key=str):
        by_status = _by_status(count for count in counts if of(count) == key)
        found[key] = Group(total=sum(by_status.values()), by_status=by_status)
    return found


@router.get("/stats", response_model=Stats, dependencies=[needs(Scope.JOBS_READ)])
def stats(tracking: UseTracking) -> WrittenJson:
    """How many jobs there are, by status, type and priority."""
    counts = tracking.queries.counts()
    return WrittenJson.of(
        Stats(
            total=sum(count.count for count in counts),
            by_status=_by_status(counts),
            by_type=_sum(counts, lambda count: count.job_type),
            by_priority={**dict.fromkeys(Priority, 0), **_sum(counts, lambda count: count.priority)},
        )
    )


@router.get("/stats/by-status", dependencies=[needs(Scope.JOBS_READ)])
def stats_by_status(tracking: UseTracking) -> dict[Status, int]:
    """How many jobs have each status."""
    return _by_status(tracking.queries.counts())


@router.get("/stats/by-type", dependencies=[needs(Scope.JOBS_READ)])
def stats_by_type(tracking: UseTracking) -> dict[str, Group]:
    """How many jobs of each type have each status, including announced types without jobs."""
    return _groups(tracking.queries.counts(), lambda count: count.job_type, tracking.registry.names())


@router.get("/stats/by-priority", dependencies=[needs(Scope.JOBS_READ)])
def stats_by_priority(tracking: UseTracking) -> dict[Priority, Group]:
    """How many jobs of each priority have each status."""
    return _groups(tracking.queries.counts(), lambda count: count.priority, Priority)


@router.get("/performance", response_model=PerformanceReport, dependencies=[needs(Scope.JOBS_READ)])
def performance(
    tracking: UseTracking, hours: Hours = 24, job_type: Annotated[str | None, Query(max_length=200)] = None
) -> WrittenJson:
    """Success rate, wait and run times of the jobs that settled in a window, per type and overall."""
    until = now_ms()
    since = (until // HOUR_MS - hours + 1) * HOUR_MS
    types = {count.job_type for count in tracking.queries.counts()} | set(tracking.registry.names())
    wanted = sorted(types if job_type is None else {job_type})
    by_type = tracking.queries.performance(since, until, wanted)
    overall = by_type.pop("")
    return WrittenJson.of(
        PerformanceReport(
            since=from_ms(since),
            until=from_ms(until),
            overall=overall,
            by_type={name: figures for name, figures in by_type.items() if figures.count or name == job_type},
        )
    )


@router.get("/performance/series", response_model=PerformanceSeries, dependencies=[needs(Scope.JOBS_READ)])
def performance_series(
    tracking: UseTracking,
    hours: Hours = 24,
    bucket_hours: Annotated[int, Query(ge=1, le=24 * 7)] = 1,
    job_type: Annotated[str | None, Query(max_length=200)] = None,
) -> WrittenJson:
    """Success rate and percentiles of wait and run times over time: per type, in buckets of whole hours.

    Of a long window not all types are read: `types_left_out` says how many are missing.
    """
    until = now_ms()
    bucket_ms = bucket_hours * HOUR_MS
    since = (until // HOUR_MS - hours + 1) * HOUR_MS // bucket_ms * bucket_ms
    names = [job_type] if job_type is not None else _busiest(tracking.queries.counts())
    read = names[: max(_MOST_TYPE_HOURS // hours, 1)]
    found = tracking.queries.series(since, until, bucket_hours, read)
    return WrittenJson.of(
        PerformanceSeries(
            since=from_ms(since),
            until=from_ms(until),
            bucket_hours=bucket_hours,
            at=[from_ms(at) for at in range(since, until + 1, bucket_ms)],
            by_type={name: _columns(points) for name, points in found.items() if name == job_type or _any(points)},
            types_left_out=len(names) - len(read),
        )
    )


def _busiest(counts: Iterable[JobCount]) -> list[str]:
    """The types of which there are jobs, those with the most first."""
    sizes = _sum(counts, lambda count: count.job_type)
    return sorted(sizes, key=lambda name: (-sizes[name], name))


def _any(points: Iterable[Performance]) -> bool:
    return any(point.count for point in points)


def _columns(points: list[Performance]) -> PerformanceColumns:
    columns: dict[str, list[Any]] = {
        name: [getattr(point, name) for point in points]
        for name in ("count", "completed", "failed", "cancelled", "success_rate")
    }
    for what in ("wait", "run"):
        for name in ("p50_s", "p95_s", "p99_s"):
            columns[f"{what}_{name}"] = [getattr(getattr(point, what), name) for point in points]
    return PerformanceColumns(**columns)


@router.get("/attention", response_model=Attention, dependencies=[needs(Scope.JOBS_READ)])
def attention(desk: UseAttentionDesk) -> WrittenJson:
    """What needs somebody: jobs that can't proceed, the last hour's failures, unconsumed queues, lost workers.

    The look is bounded and says how far it went. The answer may be some seconds old.
    """
    return WrittenJson.of(desk.attention())


@router.get("/active-jobs", response_model=ActiveJobs, dependencies=[needs(Scope.JOBS_READ, Reach.LIMITED)])
def active_jobs(tracking: UseTracking, given: Annotated[ActiveParameters, Query()]) -> WrittenJson:
    """Jobs that run or wait for their next attempt, the longest in their status first."""
    return WrittenJson(tracking.queries.active_json(limited(given.wanted()), given.limit))


@router.get("/failed-jobs", response_model=FailedJobPage, dependencies=[needs(Scope.JOBS_READ, Reach.LIMITED)])
def failed_jobs(tracking: UseTracking, given: Annotated[FailedParameters, Query()]) -> WrittenJson:
    """Failed jobs, the latest first, each with its reason and its error (without the traceback)."""
    wanted = limited(given.wanted())
    return WrittenJson(
        tracking.queries.failed_json(wanted, size=given.page_size, number=given.page, cursor=given.cursor)
    )


@router.get("/throughput", response_model=Throughput, dependencies=[needs(Scope.JOBS_READ)])
def throughput(
    tracking: UseTracking,
    minutes: Annotated[int, Query(ge=1, le=60 * 24 * 31, description="How far back.")] = 60,
    bucket_minutes: Annotated[int, Query(ge=1, le=1440)] = 1,
) -> WrittenJson:
    """Jobs created, completed, failed and cancelled per bucket of time."""
    until = now_ms()
    points = tracking.queries.throughput(until - (minutes - 1) * MINUTE_MS, until, bucket_minutes)
    return WrittenJson.of(Throughput(bucket_minutes=bucket_minutes, points=points))


@router.get("/job-types", dependencies=[needs(Scope.JOBS_READ, Reach.LIMITED)])
def job_types(tracking: UseTracking) -> list[JobType]:
    """The job types that can be created, by name: task, queue and JSON Schema of the payload."""
    return [each for each in tracking.registry.listed() if may_be_of(each.name)]


@router.get(
    "/job-tree/{job_id}",
    response_model=JobTree,
    responses={404: RESPONSES[404]},
    dependencies=[needs(Scope.JOBS_READ, Reach.TREE)],
)
def job_tree(job_id: JobId, tracking: UseTracking) -> Response:
    """A job and everything below it. The answer for a large tree is a stream."""
    return written(tracking.queries.tree_or_group_json(job_id))


@router.get(
    "/tree-outline/{job_id}",
    response_model=TreeOutline,
    responses={404: RESPONSES[404]},
    dependencies=[needs(Scope.JOBS_READ, Reach.TREE)],
)
def tree_outline(
    job_id: JobId,
    tracking: UseTracking,
    limit: Annotated[int, Query(ge=1, le=20_000, description="The most rows.")] = 10_000,
    cursor: Annotated[str | None, Query(max_length=6000, pattern=r"^[A-Za-z0-9_=-]*$")] = None,
) -> WrittenJson:
    """A job and everything below it in short, for charts: in columns, without payloads and results."""
    return WrittenJson(tracking.queries.outline_json(job_id, limit, cursor))


_HEALTH_S = 10.0
"""Workers may take `INSPECT_TIMEOUT_S` to answer, more than once."""


@router.get(
    "/health",
    responses={503: {"model": Health, "description": "Not healthy."}},
    dependencies=[needs(Scope.JOBS_READ, Reach.LIMITED)],
)
@by_clock
def health(settings: UseSettings, inspector: UseInspector, response: Response) -> Health:
    """Whether jobs get done, for operators; 503 if they do not.

    Redis and the broker answer, and workers consume every queue in which messages wait.
    """
    check = HealthCheck(inspector)
    checks = {"redis": check.redis, "broker": check.broker, "workers": check.workers}
    return health_of(settings.service_name, inspector, checks, response, limit_s=_HEALTH_S)
