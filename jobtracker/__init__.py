"""The durable, exact record of every Celery job. These are the public names.

Each name is imported when it is first used. So a program that loads only a part of this package, as pytest loads its
plugin, imports neither Celery nor an extra that is not installed.
"""

from typing import TYPE_CHECKING, Any

from jobtracker.core.lazy_names import lazy_names

if TYPE_CHECKING:
    from jobtracker.client import ApiError as ApiError
    from jobtracker.client import ApiUnavailableError as ApiUnavailableError
    from jobtracker.client import AsyncClient as AsyncClient
    from jobtracker.client import Client as Client
    from jobtracker.client import JobTimeoutError as JobTimeoutError
    from jobtracker.core.declarations import tracked
    from jobtracker.core.labels import tagged
    from jobtracker.core.lifecycle import FailurePolicy, Priority, Status
    from jobtracker.errors import IllegalTransitionError, InvalidJobError, JobNotFoundError, JobTrackerError
    from jobtracker.instrumentation.current_job import CurrentJob, JobCancelledError, current_job
    from jobtracker.instrumentation.tracker import Tracker
    from jobtracker.schemas.requests import SubJobCreate
    from jobtracker.settings import Settings

    __version__: str
    """The version of celery-jobtracker."""

# Without the names that need an extra: `from jobtracker import *` works in every installation.
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
    "__version__",
    "current_job",
    "tagged",
    "tracked",
]

_MODULES = {
    "jobtracker.client": "ApiError ApiUnavailableError AsyncClient Client JobTimeoutError",
    "jobtracker.core.declarations": "tracked",
    "jobtracker.core.labels": "tagged",
    "jobtracker.core.lifecycle": "FailurePolicy Priority Status",
    "jobtracker.errors": "IllegalTransitionError InvalidJobError JobNotFoundError JobTrackerError",
    "jobtracker.instrumentation.current_job": "CurrentJob JobCancelledError current_job",
    "jobtracker.instrumentation.tracker": "Tracker",
    "jobtracker.schemas.requests": "SubJobCreate",
    "jobtracker.settings": "Settings",
}
_LAZY = {name: module for module, names in _MODULES.items() for name in names.split()}
_get = lazy_names(__name__, _LAZY)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from jobtracker.core.version import package_version

        return package_version()
    return _get(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, "__version__"})
