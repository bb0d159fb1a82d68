"""Queues and workers: what waits, who runs what, and what ran when."""

from typing import Annotated

from fastapi import APIRouter, Query

from jobtracker.core.access import Scope
from jobtracker.schemas.sending import Moment
from jobtracker.schemas.timeline import Timeline, TimelineFilter
from jobtracker.schemas.worker_figures import WorkerReport
from jobtracker.schemas.workers import QueueReport, QueueSeries, WorkerStats
from jobtracker.server.access.needs import needs
from jobtracker.server.dependencies import UseInspector, UseQueueDesk, UseTracking, UseWorkerDesk
from jobtracker.server.live.sharing import by_clock
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(
    route_class=ThreadRoute,
    prefix="/api/tracking",
    tags=["tracking"],
    responses={**TO_EXPECT, 503: RESPONSES[503]},
)

Name = Annotated[str | None, Query(max_length=255)]


@router.get("/queue-depth", response_model=QueueReport, dependencies=[needs(Scope.JOBS_READ)])
@by_clock
def queue_depth(desk: UseQueueDesk) -> WrittenJson:
    """Messages per queue, from the broker itself, and the number of pending jobs.

    And since when the oldest message waits, how long messages wait, how fast they are taken, and when a queue is
    drained.
    """
    return WrittenJson.of(desk.report())


@router.get("/queue-series", response_model=QueueSeries, dependencies=[needs(Scope.JOBS_READ)])
def queue_series(
    desk: UseQueueDesk,
    hours: Annotated[int, Query(ge=1, le=6, description="How far back.")] = 1,
    queue: Annotated[str | None, Query(max_length=255, description="This queue only.")] = None,
) -> WrittenJson:
    """Wait times, arrivals, starts and ends per queue over time, in steps of five minutes."""
    return WrittenJson.of(desk.series(hours, queue))


@router.get("/worker-stats", dependencies=[needs(Scope.JOBS_READ)])
@by_clock
def worker_stats(inspector: UseInspector) -> list[WorkerStats]:
    """Workers: how they describe themselves, what they run and hold, and which tasks they know.

    The answer may be a few seconds old.
    """
    return inspector.workers()


@router.get("/workers", response_model=WorkerReport, dependencies=[needs(Scope.JOBS_READ)])
@by_clock
def workers(desk: UseWorkerDesk) -> WrittenJson:
    """Workers that live or went within a day: what each does, uses and runs, and which ones are slow.

    The figures are of the jobs that settled last: of an hour, and 5,000 jobs at most. The answer may be some seconds
    old.
    """
    return WrittenJson.of(desk.report())


@router.get("/timeline", response_model=Timeline, dependencies=[needs(Scope.JOBS_READ)])
def timeline(
    tracking: UseTracking,
    from_: Annotated[Moment, Query(alias="from", description="When the span begins.")],
    to: Annotated[Moment, Query(description="When it ends.")],
    worker: Name = None,
    job_type: Annotated[str | None, Query(max_length=200)] = None,
    queue: Name = None,
    limit: Annotated[int, Query(ge=1, le=5000, description="The most executions.")] = 1000,
    cursor: Annotated[str | None, Query(max_length=4000)] = None,
) -> WrittenJson:
    """Which worker ran which job when: the executions that ran at some time in a span, in columns, in pages."""
    wanted = TimelineFilter(
        from_ms=int(from_.timestamp() * 1000),
        to_ms=int(to.timestamp() * 1000),
        worker=worker,
        job_type=job_type,
        queue=queue,
    )
    return WrittenJson(tracking.queries.timeline_json(wanted, limit, cursor))
