"""The API application: `uvicorn api.main:create_app --factory`, or `python -m api.main`."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from celery import Celery
from fastapi import FastAPI

from api import errors
from api.middleware import RequestContext, SizeLimit
from api.routers import health, jobs, tracking
from api.settings import ApiSettings
from jobtracker.inspection import Inspection
from jobtracker.leases import Repeater
from jobtracker.logs import json_handler
from jobtracker.reaper import Reaper
from jobtracker.tracker import package_version
from jobtracker.tracking import Tracking


def celery_app(settings: ApiSettings) -> Celery:
    """A Celery app that only sends: it knows no tasks, and soon gives up on a broker that is away."""
    app = Celery("jobtracker-api", broker=settings.broker_url, backend=settings.result_backend)
    limits = {"socket_connect_timeout": 1.0, "socket_timeout": 5.0}
    app.conf.update(
        broker_connection_timeout=1.0,
        # A chord in a chord holds a connection for each level while it is sent: of a limited number, two deep trees
        # could hold all, and wait for each other for ever.
        broker_pool_limit=None,
        broker_transport_options=limits,
        result_backend_transport_options={"retry_policy": {"max_retries": 1}},
        redis_socket_connect_timeout=1.0,
        redis_socket_timeout=5.0,
    )
    return app


def log_json(settings: ApiSettings) -> None:
    """Write the process's logs as JSON lines; the requests are logged by the middleware, not by uvicorn."""
    handler = json_handler(logging.StreamHandler(), settings.service_name)
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if settings.debug else logging.INFO, force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = name != "uvicorn.access"


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """The application; settings come from the environment unless they are given."""
    settings = settings or ApiSettings.from_env()
    log_json(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.settings = settings
        app.state.tracking = Tracking.connect(settings, celery_app(settings))
        app.state.inspection = Inspection(app.state.tracking, settings.inspect_timeout_s, settings.inspect_cache_s)
        reaper = Repeater("reaper", settings.reap_interval_s, Reaper(app.state.tracking).step)
        reaper.start()
        yield
        reaper.stop()
        app.state.tracking.client.close()

    app = FastAPI(
        title=settings.service_name,
        version=package_version(),
        summary="The durable, exact record of every Celery job.",
        debug=False,  # an error page would not be problem details
        lifespan=lifespan,
    )
    errors.install(app)
    for router in (jobs.router, tracking.router, health.router):
        app.include_router(router)
    app.add_middleware(SizeLimit, most_bytes=settings.max_request_bytes)
    app.add_middleware(RequestContext, service=settings.service_name, version=package_version(), debug=settings.debug)
    return app


def main() -> None:
    """Serve on API_HOST and API_PORT."""
    import uvicorn

    settings = ApiSettings.from_env()
    uvicorn.run(create_app(settings), host=settings.api_host, port=settings.api_port, log_config=None)


if __name__ == "__main__":
    main()
