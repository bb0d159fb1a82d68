"""What Prometheus scrapes."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from jobtracker.core.access import Scope
from jobtracker.server.access.needs import needs
from jobtracker.server.dependencies import UseScrape
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(route_class=ThreadRoute)


@router.get("/metrics", dependencies=[needs(Scope.JOBS_READ)], include_in_schema=False)
def metrics(scrape: UseScrape, accept: Annotated[str, Header()] = "") -> Response:
    """The figures of the store for Prometheus, in its text format or in OpenMetrics."""
    answer = scrape.answer(accept)
    return Response(answer.body, headers={"Content-Type": answer.content_type, "Vary": "Accept"})
