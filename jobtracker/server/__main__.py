"""Serves the API: `python -m jobtracker.server`."""

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from jobtracker.broker.config import check_results
from jobtracker.errors import MissingExtraError
from jobtracker.local.child_process import ProcessError
from jobtracker.local.extras import need_server
from jobtracker.local.ports import need_free_port
from jobtracker.objects.object_store import ObjectStoreError
from jobtracker.objects.opening import check_object_store
from jobtracker.server.listening import HandedSocket, ListenerError
from jobtracker.server.settings import ApiSettings
from jobtracker.settings import SettingsError

if TYPE_CHECKING:
    import socket

    import uvicorn

logger = logging.getLogger("jobtracker.server")

_STOP_S = 5
"""How long requests may still take when the API is told to stop. Otherwise one slow client could delay the stop."""

_LOOK_AGAIN_S = 0.5
"""How often it is checked whether Redis and the broker are there, before an API joins others."""

_START_S = 60
"""How long a process may give no sign of life. After that it is killed and replaced."""


def main(application: str = "jobtracker.server:create_app", settings_class: type[ApiSettings] = ApiSettings) -> None:
    """Serve on API_HOST and API_PORT, in API_WORKERS processes.

    With several processes, this one only watches over the others: it replaces one that dies, and passes signals on.
    They share the port and nothing else; all state is in Redis.

    Args:
        application: The function that creates the application, in uvicorn's form `module:function`.
        settings_class: The class of the application's settings.
    """
    settings = settings_class.of_process()
    try:
        need_server()
        need_free_port(settings.api_port, settings.api_host, instead="choose another one by API_PORT")
        check_object_store(settings)
        check_results(settings)
        handed = HandedSocket(settings.api_listener) if settings.api_listener else None
    except (ListenerError, MissingExtraError, ObjectStoreError, ProcessError, SettingsError) as error:
        raise SystemExit(str(error)) from error
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    from jobtracker.logging import capture_output
    from jobtracker.server.answering import log_json

    log_json(settings)
    capture_output(settings.service_name)
    config = uvicorn.Config(
        application,
        factory=True,
        http="jobtracker.server.slow_clients:PatientProtocol",
        host=settings.api_host,
        port=settings.api_port,
        workers=settings.api_workers,
        log_config=None,
        proxy_headers=False,  # API_TRUSTED_PROXIES says whom to believe; the caller is known by the real peer
        timeout_graceful_shutdown=_STOP_S,
        timeout_worker_healthcheck=_START_S,
    )
    if handed and handed.is_shared:
        _wait_until_useful(settings)
    sockets = [config.bind_socket()]
    if handed:
        sockets.append(handed.socket)
        handed.stop_with_holder()
    if settings.api_workers > 1:
        Multiprocess(config, sockets=sockets).run()
    elif not _serve(uvicorn.Server(config), sockets):
        raise SystemExit(STARTUP_FAILURE)


def _wait_until_useful(settings: ApiSettings) -> None:
    """Wait until Redis and the broker can be used. Other processes take the requests until then, and do better."""
    from jobtracker.diagnosis.health import HealthCheck
    from jobtracker.diagnosis.inspector import Inspector
    from jobtracker.runtime import Tracking
    from jobtracker.server.celery_app import celery_app

    tracking = Tracking.connect(settings, celery_app(settings))
    check = HealthCheck(Inspector(tracking, settings.inspect_timeout_s, settings.inspect_cache_s))
    said: list[str] = []
    while missing := [str(each.detail) for each in (check.redis(), check.broker()) if not each.healthy]:
        if missing != said:
            logger.error("waits_until_useful", extra={"missing": missing})
        said = missing
        time.sleep(_LOOK_AGAIN_S)
    tracking.client.close()


def _serve(server: "uvicorn.Server", sockets: "list[socket.socket]") -> bool:
    """Serve in this process until a signal ends it; whether it had started."""
    with suppress(KeyboardInterrupt):  # uvicorn raises what it was told to end by
        server.run(sockets)
    return server.started


if __name__ == "__main__":
    main()
