"""The live stream: what changes, as it does."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request

from jobtracker.core.access import Scope, acting
from jobtracker.core.lifecycle import Status
from jobtracker.errors import NotAuthenticatedError
from jobtracker.server.access.identities import ANONYMOUS
from jobtracker.server.access.limits import check_stream
from jobtracker.server.access.needs import Reach, needs
from jobtracker.server.dependencies import UseHub, UseIdentities, UseStreams, UseTracking
from jobtracker.server.live.batches import Wanted
from jobtracker.server.live.stream import EventStream
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(
    route_class=ThreadRoute, prefix="/api", tags=["events"], responses={**TO_EXPECT, 503: RESPONSES[503]}
)

_STREAM = {
    "description": "Server-sent events: `ready`, `jobs`, `reset`, `away`. The data of each is JSON.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.get("/events", responses={200: _STREAM}, dependencies=[needs(Scope.JOBS_READ, Reach.LIMITED)])
async def events(
    request: Request,
    hub: UseHub,
    identities: UseIdentities,
    tracking: UseTracking,
    streams: UseStreams,
    job_id: Annotated[str | None, Query(max_length=255, description="This job only.")] = None,
    tree: Annotated[str | None, Query(max_length=255, description="This job and all below it.")] = None,
    job_type: Annotated[str | None, Query(max_length=200)] = None,
    status: Annotated[Status | None, Query(description="Jobs that come to this status, or leave it.")] = None,
    for_s: Annotated[
        float | None, Query(gt=0, le=86400, description="The stream ends after so many seconds.")
    ] = None,
    last_event_id: Annotated[
        str | None, Query(max_length=50_000, description="Go on after this event; the header has the same.")
    ] = None,
    header_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=50_000)] = None,
) -> EventStream:
    """Which jobs change, as they do: hints, at most four events a second. Their records say how they are now.

    The first event is `ready`: what changes from then on is told. Or, if the stream goes on after an event, what has
    changed since; if that is not known any more, `reset`: read anew what you show.

    The stream ends when who listens may not do so any more, within some seconds.
    """
    types = await check_stream(tracking.queries, job_id, tree)
    principal = acting.get()
    owner = principal.account if principal and principal != ANONYMOUS else None
    streams.check(owner, principal.name if principal else "")
    hub.check_room()

    async def check() -> None:
        if await identities.of(request.scope) != principal:
            raise NotAuthenticatedError("What the caller may do has changed. Ask again.")
        await check_stream(tracking.queries, job_id, tree)

    wanted = Wanted(job_id, tree, job_type, status, types)
    return EventStream(hub, wanted, header_id or last_event_id, for_s, streams, owner, check)
