"""Releases of the user's project: how their jobs did, and whether a new one is worse."""

from typing import Annotated

from fastapi import APIRouter, Query

from jobtracker.core.access import Scope
from jobtracker.schemas.releases import ReleaseComparison, Releases
from jobtracker.server.access.needs import needs
from jobtracker.server.dependencies import UseReleaseDesk
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(
    route_class=ThreadRoute,
    prefix="/api/releases",
    tags=["tracking"],
    responses={**TO_EXPECT, 503: RESPONSES[503]},
)

Label = Annotated[str, Query(min_length=1, max_length=100)]


@router.get("", response_model=Releases, dependencies=[needs(Scope.JOBS_READ)])
def releases(
    desk: UseReleaseDesk, limit: Annotated[int, Query(ge=1, le=200, description="The most releases.")] = 20
) -> WrittenJson:
    """The releases that were seen last, the newest first: workers, jobs by outcome, failures, run times by type."""
    return WrittenJson.of(desk.releases(limit))


@router.get(
    "/compare",
    response_model=ReleaseComparison,
    responses={404: RESPONSES[404]},
    dependencies=[needs(Scope.JOBS_READ)],
)
def compare_releases(desk: UseReleaseDesk, a: Label, b: Label) -> WrittenJson:
    """Whether a new release (b) is worse than an old one (a): failure rates and run times, type by type.

    Each verdict comes with its sample sizes, its p-value, and the smallest difference that it could have shown.
    """
    return WrittenJson.of(desk.compare(a, b))
