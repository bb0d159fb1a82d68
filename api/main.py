"""The API as this repository deploys it: `python -m api.main`, or `uvicorn api.main:create_app --factory`.

It is jobtracker's own, and expects the job types of the sample project `workers/`: its jobs may be created before the
first worker has announced them.
"""

from typing import ClassVar

from fastapi import FastAPI

from jobtracker import server
from jobtracker.server import ApiSettings
from jobtracker.server.__main__ import main

__all__ = ["create_app"]


class SampleSettings(ApiSettings):
    """The settings of the API of the sample project."""

    expected_job_types: ClassVar[tuple[str, ...]] = (
        "data_processing",
        "document_analysis",
        "entity_extraction",
        "medication_extraction",
    )


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """The application; settings come from the environment unless they are given."""
    return server.create_app(settings or SampleSettings.of_process())


if __name__ == "__main__":
    main("api.main:create_app", SampleSettings)
