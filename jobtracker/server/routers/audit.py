"""The audit: who changed what."""

from typing import Annotated

from fastapi import APIRouter, Query

from jobtracker.core.access import Scope
from jobtracker.schemas.audit import AuditFilter, AuditOutcome, AuditPage
from jobtracker.schemas.sending import Moment
from jobtracker.server.access.needs import needs
from jobtracker.server.dependencies import UseAuditLog
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(
    route_class=ThreadRoute,
    prefix="/api/audit",
    tags=["audit"],
    responses={**TO_EXPECT, 503: RESPONSES[503]},
)

Text = Annotated[str | None, Query(max_length=255)]


@router.get("", response_model=AuditPage, dependencies=[needs(Scope.ADMIN)])
def list_audit(
    log: UseAuditLog,
    principal: Text = None,
    action: Annotated[str | None, Query(max_length=100, description="E.g. `cancel_job`.")] = None,
    job: Annotated[str | None, Query(max_length=255, description="The id of a job, or of another target.")] = None,
    since: Annotated[Moment | None, Query(description="At this time or later.")] = None,
    until: Annotated[Moment | None, Query(description="At this time or earlier.")] = None,
    outcome: AuditOutcome | None = None,
    page_size: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> WrittenJson:
    """Who changed what, the latest first: one entry for each request that asked for a change.

    An entry is written before its change is carried out. If its process dies meanwhile, the outcome is `unknown`.
    With a filter a page may come back short, with a `next_cursor`.
    """
    wanted = AuditFilter(principal, action, job, since, until, outcome)
    return WrittenJson.of(log.page(wanted, size=page_size, cursor=cursor))
