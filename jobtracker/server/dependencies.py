"""The dependencies of routes.

They are coroutines: FastAPI runs any other function in a thread, which costs more than the function itself.
"""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import AwareDatetime, BeforeValidator

from jobtracker.diagnosis.attention import AttentionDesk
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.doctor.background import BackgroundDoctor
from jobtracker.runtime import Tracking
from jobtracker.server.encoded_paths import with_slashes
from jobtracker.server.live.hub import Hub
from jobtracker.server.settings import ApiSettings


async def _tracking(request: Request) -> Tracking:
    tracking: Tracking = request.app.state.tracking
    return tracking


async def _inspector(request: Request) -> Inspector:
    inspector: Inspector = request.app.state.inspector
    return inspector


async def _settings(request: Request) -> ApiSettings:
    settings: ApiSettings = request.app.state.settings
    return settings


async def _hub(request: Request) -> Hub:
    hub: Hub = request.app.state.hub
    return hub


async def _attention_desk(request: Request) -> AttentionDesk:
    desk: AttentionDesk = request.app.state.attention_desk
    return desk


async def _background_doctor(request: Request) -> BackgroundDoctor:
    doctor: BackgroundDoctor = request.app.state.background_doctor
    return doctor


async def _explainer(request: Request) -> Explainer:
    return Explainer(await _tracking(request), await _inspector(request))


UseTracking = Annotated[Tracking, Depends(_tracking)]
UseInspector = Annotated[Inspector, Depends(_inspector)]
UseAttentionDesk = Annotated[AttentionDesk, Depends(_attention_desk)]
UseBackgroundDoctor = Annotated[BackgroundDoctor, Depends(_background_doctor)]
UseExplainer = Annotated[Explainer, Depends(_explainer)]
UseHub = Annotated[Hub, Depends(_hub)]
UseSettings = Annotated[ApiSettings, Depends(_settings)]
JobId = Annotated[
    str,
    Path(description="The job's id.", max_length=255, examples=["3f0e7a52-…"]),
    BeforeValidator(with_slashes),
]


def _not_a_number(text: str) -> str:
    """Pydantic would read it as seconds or milliseconds since 1970, even a year such as 2026."""
    try:
        float(text)
    except ValueError:
        return text
    raise ValueError("it must be a date with a time and a UTC offset, e.g. 2026-11-24T12:00:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(_not_a_number)]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000_000)]  # times the largest page: exact in Lua, below 2**53
