"""The API application: `uvicorn api.main:create_app --factory`, or `python -m api.main`."""

import gc
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api import errors
from api.middleware import EncodedSlashes, HeadAsGet, RequestContext, SizeLimit
from api.origins import KnownOrigins
from api.routers import health, jobs, tracking
from api.sending import celery_app
from api.settings import ApiSettings
from api.threads import use_threads
from jobtracker.circuit import Circuit
from jobtracker.embedded import need_free_port
from jobtracker.inspection import Inspection
from jobtracker.leases import Repeater
from jobtracker.logs import json_handler
from jobtracker.processes import ProcessError
from jobtracker.reaper import Reaper
from jobtracker.tracking import Tracking
from jobtracker.version import package_version

_STOP_S = 5
"""How long requests that are under way may take when the API is told to stop. Else one slow client would keep it."""

_START_S = 60
"""How long one of several processes may take until it says that it lives. Then it is killed and replaced."""


def log_json(settings: ApiSettings) -> None:
    """Write the process's logs as JSON lines; the requests are logged by the middleware, not by uvicorn."""
    handler = json_handler(logging.StreamHandler(), settings.service_name)
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if settings.debug else logging.INFO, force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = name != "uvicorn.access"


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """The application; settings come from the environment unless they are given."""
    settings = settings or ApiSettings.of_process()
    log_json(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        use_threads()
        app.state.settings = settings
        app.state.tracking = Tracking.connect(settings, celery_app(settings), circuit=Circuit())
        app.state.inspection = Inspection(app.state.tracking, settings.inspect_timeout_s, settings.inspect_cache_s)
        reaper = Repeater("reaper", settings.reap_interval_s, Reaper(app.state.tracking).step)
        reaper.start()
        _end_with_parent()
        gc.collect()
        gc.freeze()  # what stays for good is not looked through again: it takes as long as a large request does
        yield
        gc.unfreeze()
        reaper.stop()
        app.state.tracking.client.close()

    app = FastAPIOffline(  # its documentation pages load nothing from elsewhere
        title=settings.service_name,
        version=package_version(),
        summary="The durable, exact record of every Celery job.",
        debug=False,  # an error page would not be problem details
        lifespan=lifespan,
    )
    errors.install(app)
    for router in (jobs.router, tracking.router, health.router):
        app.router.routes += router.routes  # of a router that is included each request goes through the list twice
    app.add_middleware(EncodedSlashes)
    app.add_middleware(HeadAsGet)
    app.add_middleware(SizeLimit, most_bytes=settings.max_request_bytes)
    app.add_middleware(KnownOrigins, allowed=settings.allowed_hosts)
    app.add_middleware(RequestContext, service=settings.service_name, version=package_version(), debug=settings.debug)
    return app


def main() -> None:
    """Serve on API_HOST and API_PORT, in API_WORKERS processes.

    Of several, this one only watches over the others: it replaces one that dies, and hands signals on. They share the
    port, and nothing else: what there is to know is in Redis.
    """
    import uvicorn

    settings = ApiSettings.of_process()
    try:
        need_free_port(settings.api_port, settings.api_host, instead="choose another one by API_PORT")
    except ProcessError as error:
        raise SystemExit(str(error)) from error
    log_json(settings)
    uvicorn.run(
        "api.main:create_app",
        factory=True,
        host=settings.api_host,
        port=settings.api_port,
        workers=settings.api_workers,
        log_config=None,
        timeout_graceful_shutdown=_STOP_S,
        timeout_worker_healthcheck=_START_S,
    )


def _end_with_parent() -> None:
    """Let one of several processes stop when the one that watches over it is gone: else it would keep the port."""
    if parent := multiprocessing.parent_process():

        def wait() -> None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=wait, name="parent", daemon=True).start()


if __name__ == "__main__":
    main()
