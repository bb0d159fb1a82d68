"""The REST API, as a FastAPI application."""

from jobtracker.server.app import create_app
from jobtracker.server.settings import ApiSettings

__all__ = ["ApiSettings", "create_app"]
