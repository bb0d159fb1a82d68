"""The REST API, as a FastAPI application. Needs the extra `server`."""

from typing import TYPE_CHECKING, Any

from jobtracker.core.lazy_names import lazy_names
from jobtracker.local.extras import need_server

if TYPE_CHECKING:
    from jobtracker.server.app import create_app
    from jobtracker.server.settings import ApiSettings

__all__ = ["ApiSettings", "create_app"]

_get = lazy_names(__name__, {"ApiSettings": "jobtracker.server.settings", "create_app": "jobtracker.server.app"})


def __getattr__(name: str) -> Any:
    if name == "create_app":
        need_server()
    return _get(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
