"""Draining: workers that are taken out of service, before they are stopped."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BeforeValidator

from jobtracker.core.access import Scope
from jobtracker.schemas.drains import Drain
from jobtracker.server.access.needs import needs
from jobtracker.server.dependencies import UseDrainer
from jobtracker.server.encoded_paths import with_slashes
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(
    route_class=ThreadRoute,
    prefix="/api/tracking/workers",
    tags=["tracking"],
    responses={**TO_EXPECT, 404: RESPONSES[404], 503: RESPONSES[503]},
)

WorkerName = Annotated[
    str,
    Path(description="Celery's name of the worker.", max_length=255, examples=["celery@host"]),
    BeforeValidator(with_slashes),
]


@router.get("/{name}/drain", response_model=Drain, dependencies=[needs(Scope.JOBS_READ)])
def drain_of_worker(name: WorkerName, drainer: UseDrainer) -> WrittenJson:
    """What a worker still has, what becomes of it if the worker is stopped or killed, and whether it is safe to stop.

    What can't be seen is `unknown`, never `safe`.
    """
    return WrittenJson.of(drainer.look(name))


@router.post("/{name}/drain", response_model=Drain, dependencies=[needs(Scope.JOBS_CONTROL)])
def drain_worker(name: WorkerName, drainer: UseDrainer) -> WrittenJson:
    """Tell a worker to consume nothing, and answer as GET does. Its tasks go on. It may be repeated.

    If the worker is started again, it consumes again.
    """
    return WrittenJson.of(drainer.drain(name))


@router.delete("/{name}/drain", response_model=Drain, dependencies=[needs(Scope.JOBS_CONTROL)])
def undo_drain_of_worker(name: WorkerName, drainer: UseDrainer) -> WrittenJson:
    """Let a worker consume again what it consumed before it was drained, and answer as GET does."""
    return WrittenJson.of(drainer.undo(name))
