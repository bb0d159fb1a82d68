"""An API that lets FastAPI read all bodies, for `uvicorn fastapis_reading:create_app --factory`."""

from fastapi import FastAPI

from api import main
from jobtracker.server.thread_route import ThreadRoute


def create_app() -> FastAPI:
    """The API."""
    ThreadRoute._can_read_at_once = lambda _: False  # type: ignore[method-assign] # the routes are made below: all of them read as FastAPI does
    return main.create_app()
