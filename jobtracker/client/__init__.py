"""The API from Python: one client that blocks, and its twin for asyncio."""

from jobtracker.client.clients import AsyncClient, Client
from jobtracker.client.errors import ApiError, ApiUnavailableError, JobTimeoutError

__all__ = ["ApiError", "ApiUnavailableError", "AsyncClient", "Client", "JobTimeoutError"]
