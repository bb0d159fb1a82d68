"""The durable, exact record of every Celery job. These are the public names."""

from typing import TYPE_CHECKING, Any

from jobtracker.current import CurrentJob, JobCancelledError, current_job
from jobtracker.declarations import tracked
from jobtracker.errors import IllegalTransitionError, InvalidJobError, JobNotFoundError, JobTrackerError
from jobtracker.lifecycle import FailurePolicy, Priority, Status
from jobtracker.models import SubJobCreate
from jobtracker.settings import Settings
from jobtracker.tracker import Tracker

if TYPE_CHECKING:
    from jobtracker.client import ApiError as ApiError
    from jobtracker.client import ApiUnavailableError as ApiUnavailableError
    from jobtracker.client import AsyncClient as AsyncClient
    from jobtracker.client import Client as Client
    from jobtracker.client import JobTimeoutError as JobTimeoutError

__all__ = [
    "CurrentJob",
    "FailurePolicy",
    "IllegalTransitionError",
    "InvalidJobError",
    "JobCancelledError",
    "JobNotFoundError",
    "JobTrackerError",
    "Priority",
    "Settings",
    "Status",
    "SubJobCreate",
    "Tracker",
    "current_job",
    "tracked",
]

_OF_THE_CLIENT = frozenset({"ApiError", "ApiUnavailableError", "AsyncClient", "Client", "JobTimeoutError"})
"""Public names that need httpx, which only the extra `client` brings: imported where they are first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _OF_THE_CLIENT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from jobtracker import client
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        raise ImportError(f"jobtracker.{name} needs httpx: pip install 'celery-jobtracker[client]'") from error
    return getattr(client, name)
