"""An API that looks keys up every 0.2 s, for `uvicorn watchful_api:create_app --factory`."""

from fastapi import FastAPI

from jobtracker import server
from jobtracker.server.access import identities
from jobtracker.server.live import stream


def create_app() -> FastAPI:
    """The API."""
    identities.KEPT_S = stream.KEPT_S = 0.2
    return server.create_app()
