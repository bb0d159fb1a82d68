"""The durable, exact record of every Celery job. These are the public names.

Each is imported where it is first asked for: what others load from this package, as pytest loads its plugin, costs
them neither Celery nor an extra that they do not have.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobtracker.client import ApiError as ApiError
    from jobtracker.client import ApiUnavailableError as ApiUnavailableError
    from jobtracker.client import AsyncClient as AsyncClient
    from jobtracker.client import Client as Client
    from jobtracker.client import JobTimeoutError as JobTimeoutError
    from jobtracker.core.declarations import tracked
    from jobtracker.core.lifecycle import FailurePolicy, Priority, Status
    from jobtracker.errors import IllegalTransitionError, InvalidJobError, JobNotFoundError, JobTrackerError
    from jobtracker.instrumentation.current_job import CurrentJob, JobCancelledError, current_job
    from jobtracker.instrumentation.tracker import Tracker
    from jobtracker.schemas.requests import SubJobCreate
    from jobtracker.settings import Settings

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

_NAMES = {
    "jobtracker.client": {"ApiError", "ApiUnavailableError", "AsyncClient", "Client", "JobTimeoutError"},
    "jobtracker.instrumentation.current_job": {"CurrentJob", "JobCancelledError", "current_job"},
    "jobtracker.core.declarations": {"tracked"},
    "jobtracker.errors": {"IllegalTransitionError", "InvalidJobError", "JobNotFoundError", "JobTrackerError"},
    "jobtracker.core.lifecycle": {"FailurePolicy", "Priority", "Status"},
    "jobtracker.schemas.requests": {"SubJobCreate"},
    "jobtracker.settings": {"Settings"},
    "jobtracker.instrumentation.tracker": {"Tracker"},
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found = getattr(import_module(_MODULES[name]), name)
    except ModuleNotFoundError as error:
        if error.name != "httpx":  # which only the extra `client` brings
            raise
        raise ImportError(f"jobtracker.{name} needs httpx: pip install 'celery-jobtracker[client]'") from error
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
