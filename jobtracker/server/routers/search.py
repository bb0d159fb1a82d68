"""What may stand in a query."""

from typing import Annotated

from fastapi import APIRouter, Query

from jobtracker.core.access import Scope
from jobtracker.schemas.query_language import MOST_CHARS
from jobtracker.schemas.search import Suggestions
from jobtracker.server.access.needs import needs
from jobtracker.server.dependencies import UseTracking
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson
from jobtracker.server.thread_route import ThreadRoute
from jobtracker.store.suggestions import Suggester

router = APIRouter(
    route_class=ThreadRoute, prefix="/api/search", tags=["jobs"], responses={**TO_EXPECT, 503: RESPONSES[503]}
)


@router.get("/suggest", response_model=Suggestions, dependencies=[needs(Scope.JOBS_READ)])
def suggest(
    tracking: UseTracking,
    q: Annotated[str, Query(max_length=MOST_CHARS, description="The query as far as it is typed.")] = "",
    at: Annotated[
        int | None, Query(ge=0, le=MOST_CHARS, description="The place in it, in characters from 0; default: its end.")
    ] = None,
) -> WrittenJson:
    """What may stand at a place of a query: qualifiers, or values of the one that stands before it.

    Statuses, types and priorities are all that there are. Other names are those of a bounded number of the latest
    jobs, and those of the queues and workers that are known.
    """
    return WrittenJson.of(Suggester(tracking.queries, tracking.registry, tracking.leases).suggest(q, at))
