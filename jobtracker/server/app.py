"""The API as it is served: the application that answers, with the middleware around it."""

import logging

from fastapi import FastAPI

from jobtracker.connection.urls import without_passwords
from jobtracker.core.version import package_version
from jobtracker.server.answering import answering_app, log_json
from jobtracker.server.authentication import Authentication
from jobtracker.server.bodies import Bodies
from jobtracker.server.middleware import RequestContext
from jobtracker.server.origins import KnownOrigins
from jobtracker.server.settings import ApiSettings
from jobtracker.tracing.export import start_export

logger = logging.getLogger("jobtracker.server")


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """Create the application. Settings that are not given come from the environment."""
    settings = settings or ApiSettings.of_process()
    log_json(settings)
    start_export(settings.service_name)
    logger.info("tracking_redis", extra={"url": without_passwords(settings.tracking_url)})
    app = answering_app(settings, runs_maintenance=True)
    app.add_middleware(Bodies, settings=settings)
    app.add_middleware(Authentication)
    app.add_middleware(KnownOrigins, allowed=settings.allowed_hosts)
    app.add_middleware(RequestContext, service=settings.service_name, version=package_version(), debug=settings.debug)
    return app
