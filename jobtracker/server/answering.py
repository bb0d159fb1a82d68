"""The application that answers requests: its routes, its errors, and the parts that they need."""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from jobtracker.core.version import package_version
from jobtracker.logging import capture_output, json_handler
from jobtracker.server import problems as errors
from jobtracker.server.access.openapi import describe_keys
from jobtracker.server.auditing import Audited
from jobtracker.server.idempotency import answered_once
from jobtracker.server.live.sharing import ReadyAnswers
from jobtracker.server.middleware import EncodedSlashes, HeadAsGet, is_probe
from jobtracker.server.page_files import PageRoute
from jobtracker.server.parts import Parts
from jobtracker.server.routers import (
    audit,
    drains,
    events,
    examination,
    failures,
    fleet,
    health,
    jobs,
    keys,
    many_jobs,
    metrics,
    releases,
    search,
    session,
    tracking,
)
from jobtracker.server.routers import webhooks as webhook_routes
from jobtracker.server.settings import ApiSettings
from jobtracker.server.thread_route import use_threads
from jobtracker.tracing.export import flush_at_end


def log_json(settings: ApiSettings) -> None:
    """Write the process's logs as JSON lines; the requests are logged by the middleware, not by uvicorn."""
    if multiprocessing.parent_process() is not None:  # one that another process of ours has started
        capture_output(settings.service_name)
    handler = json_handler(logging.StreamHandler(), settings.service_name)
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if settings.debug else logging.INFO, force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = name != "uvicorn.access"


def answering_app(settings: ApiSettings, *, runs_maintenance: bool) -> FastAPI:
    """The application without the middleware around it.

    Args:
        settings: Its settings.
        runs_maintenance: Run the background services too, for example retention and the rescue of lost jobs.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        use_threads()
        parts = Parts.of(settings)
        for name, part in vars(parts).items():
            setattr(app.state, name, part)
        app.state.answered_once = answered_once
        async with parts.running(runs_maintenance=runs_maintenance):
            end_with_parent()
            yield {
                "client_timeout_s": settings.api_client_timeout_s,
                "others_listen": settings.api_listener is not None,
                "hub": parts.hub,
            }
        await asyncio.to_thread(flush_at_end)

    app = FastAPIOffline(  # its documentation pages load nothing from elsewhere
        title=settings.service_name,
        version=package_version(),
        summary="The durable, exact record of every Celery job.",
        debug=False,  # an error page would not be problem details
        root_path=settings.api_root_path,
        lifespan=lifespan,
        # The span of a request that another process answers is this one's. Messages of exceptions stay in the log.
        telemetry={
            "tracing": runs_maintenance,
            "operation_spans": False,
            "logs": False,
            "auto_configure": False,
            "exclude": is_probe,
        },
    )
    errors.install(app)
    describe_keys(app)
    for part in (
        many_jobs,
        jobs,
        search,
        tracking,
        fleet,
        drains,
        releases,
        events,
        examination,
        failures,
        audit,
        keys,
        session,
        webhook_routes,
        health,
        metrics,
    ):
        app.router.routes += part.router.routes  # an included router costs each request a second way through its list
    app.router.routes.append(PageRoute())  # the last one: what is no path of the API is a view of the page
    app.add_middleware(Audited)  # the innermost: it sees what the router has found
    app.add_middleware(ReadyAnswers)
    app.add_middleware(EncodedSlashes)
    app.add_middleware(HeadAsGet)
    return app


def end_with_parent() -> None:
    """Stop this process when the one that watches over it is gone. Otherwise it would keep the port."""
    if parent := multiprocessing.parent_process():

        def wait() -> None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=wait, name="parent", daemon=True).start()
