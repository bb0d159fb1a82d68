"""The API from Python: one client that blocks, and its twin for asyncio. Needs the extra `client`."""

from typing import TYPE_CHECKING, Any

from jobtracker.core.lazy_names import lazy_names
from jobtracker.errors import MissingExtraError

if TYPE_CHECKING:
    from jobtracker.client.clients import AsyncClient, Client
    from jobtracker.client.errors import ApiError, ApiUnavailableError, JobTimeoutError

__all__ = ["ApiError", "ApiUnavailableError", "AsyncClient", "Client", "JobTimeoutError"]

_ERRORS = ("ApiError", "ApiUnavailableError", "JobTimeoutError")
_get = lazy_names(
    __name__,
    {
        **dict.fromkeys(_ERRORS, "jobtracker.client.errors"),
        **dict.fromkeys(("AsyncClient", "Client"), "jobtracker.client.clients"),
    },
)


def __getattr__(name: str) -> Any:
    try:
        return _get(name)
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        raise MissingExtraError(f"jobtracker.{name}", "httpx", "client") from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
