"""The dependencies of routes.

They are coroutines: FastAPI runs any other function in a thread, which costs more than the function itself.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Path, Request
from pydantic import BeforeValidator

from jobtracker.diagnosis.attention import AttentionDesk
from jobtracker.diagnosis.drainer import Drainer
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.queue_desk import QueueDesk
from jobtracker.diagnosis.release_desk import ReleaseDesk
from jobtracker.diagnosis.worker_desk import WorkerDesk
from jobtracker.doctor.background import BackgroundDoctor
from jobtracker.runtime import Tracking
from jobtracker.server.access.identities import Identities
from jobtracker.server.access.rates import Streams
from jobtracker.server.encoded_paths import with_slashes
from jobtracker.server.live.hub import Hub
from jobtracker.server.metrics.scrape import Scrape
from jobtracker.server.settings import ApiSettings
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.audit import AuditLog
from jobtracker.store.sessions import Sessions
from jobtracker.webhooks.desk import WebhookDesk


def _held(name: str) -> Callable[[Request], Coroutine[Any, Any, Any]]:
    """What the application holds under a name (`parts.Parts`)."""

    async def find(request: Request) -> Any:
        return getattr(request.app.state, name)

    return find


async def _explainer(request: Request) -> Explainer:
    return Explainer(request.app.state.tracking, request.app.state.inspector)


async def _drainer(request: Request) -> Drainer:
    return Drainer(request.app.state.tracking, request.app.state.inspector)


UseTracking = Annotated[Tracking, Depends(_held("tracking"))]
UseInspector = Annotated[Inspector, Depends(_held("inspector"))]
UseAttentionDesk = Annotated[AttentionDesk, Depends(_held("attention_desk"))]
UseQueueDesk = Annotated[QueueDesk, Depends(_held("queue_desk"))]
UseWorkerDesk = Annotated[WorkerDesk, Depends(_held("worker_desk"))]
UseBackgroundDoctor = Annotated[BackgroundDoctor, Depends(_held("background_doctor"))]
UseDrainer = Annotated[Drainer, Depends(_drainer)]
UseReleaseDesk = Annotated[ReleaseDesk, Depends(_held("release_desk"))]
UseExplainer = Annotated[Explainer, Depends(_explainer)]
UseAuditLog = Annotated[AuditLog, Depends(_held("audit_log"))]
UseWebhookDesk = Annotated[WebhookDesk, Depends(_held("webhook_desk"))]
UseHub = Annotated[Hub, Depends(_held("hub"))]
UseKeys = Annotated[ApiKeys, Depends(_held("api_keys"))]
UseSessions = Annotated[Sessions, Depends(_held("sessions"))]
UseStreams = Annotated[Streams, Depends(_held("streams"))]
UseIdentities = Annotated[Identities, Depends(_held("identities"))]
UseScrape = Annotated[Scrape, Depends(_held("scrape"))]
UseSettings = Annotated[ApiSettings, Depends(_held("settings"))]
JobId = Annotated[
    str,
    Path(description="The job's id.", max_length=255, examples=["3f0e7a52-…"]),
    BeforeValidator(with_slashes),
]
