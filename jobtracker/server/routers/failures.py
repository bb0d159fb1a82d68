"""Groups of failures: what failed, by error."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from jobtracker.core.access import Scope
from jobtracker.schemas.failures import (
    FailureFilter,
    FailureGroupDetails,
    FailureGroupPage,
    FailureMark,
    FailureSort,
    FailureState,
)
from jobtracker.schemas.sending import Moment
from jobtracker.server.access.needs import needs
from jobtracker.server.dependencies import UseTracking
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(
    route_class=ThreadRoute,
    prefix="/api/failures",
    tags=["failures"],
    responses={**TO_EXPECT, 503: RESPONSES[503]},
)
_MISSING: dict[int | str, dict[str, Any]] = {404: {**RESPONSES[404], "description": "There is no such group."}}

GroupId = Annotated[str, Path(description="The group's id.", max_length=40, examples=["1f0e7a52b3c4"])]
Text = Annotated[str | None, Query(max_length=200)]


@router.get("", response_model=FailureGroupPage, dependencies=[needs(Scope.JOBS_READ)])
def failure_groups(
    tracking: UseTracking,
    state: Annotated[
        list[FailureState], Query(description="In one of these states.", max_length=20, default_factory=list)
    ],
    error_type: Text = None,
    job_type: Text = None,
    queue: Annotated[str | None, Query(max_length=255)] = None,
    release: Text = None,
    since: Annotated[Moment | None, Query(description="Seen at this time or later.")] = None,
    sort: FailureSort = FailureSort.LAST_SEEN,
    page_size: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> WrittenJson:
    """Failures by error: jobs that have failed in the same way are one group.

    With a filter a page may come back short, with a `next_cursor`.
    """
    wanted = FailureFilter(tuple(state), error_type, job_type, queue, release, since, sort)
    return WrittenJson.of(tracking.queries.failure_groups(wanted, size=page_size, cursor=cursor))


@router.get(
    "/{group_id}", response_model=FailureGroupDetails, responses=_MISSING, dependencies=[needs(Scope.JOBS_READ)]
)
def failure_group(group_id: GroupId, tracking: UseTracking) -> WrittenJson:
    """A group of failures: by type, queue, worker and release, over time, and the jobs that failed with it last."""
    return WrittenJson.of(tracking.queries.failure_group(group_id))


@router.put(
    "/{group_id}",
    response_model=FailureGroupDetails,
    responses={**_MISSING, 400: RESPONSES[400]},
    dependencies=[needs(Scope.JOBS_CONTROL)],
)
def mark_failure_group(group_id: GroupId, mark: FailureMark, tracking: UseTracking) -> WrittenJson:
    """Mark a group as resolved or to be ignored, or reopen it.

    If a job fails with its error after the group was resolved, the group is regressed.
    """
    tracking.queries.failure_group(group_id)
    tracking.store.mark_failure(group_id, mark.action)
    return WrittenJson.of(tracking.queries.failure_group(group_id))
