"""The application that answers requests: its routes, its errors, and the parts that they need."""

import gc
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

from jobtracker.connection.circuit_breaker import Circuit
from jobtracker.core.periodic import Repeater
from jobtracker.core.version import package_version
from jobtracker.diagnosis.attention import AttentionDesk
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.queue_desk import QueueDesk
from jobtracker.diagnosis.release_desk import ReleaseDesk
from jobtracker.diagnosis.worker_desk import WorkerDesk
from jobtracker.doctor.background import BackgroundDoctor
from jobtracker.errors import need_packages
from jobtracker.logging import json_handler
from jobtracker.maintenance.bulk_runner import BulkRunner
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.runtime import Tracking
from jobtracker.server import problems as errors
from jobtracker.server.access.identities import Identities, Rules
from jobtracker.server.access.networks import networks_of
from jobtracker.server.access.openapi import describe_keys
from jobtracker.server.access.rates import Rates, Streams
from jobtracker.server.auditing import Audited
from jobtracker.server.celery_app import celery_app
from jobtracker.server.idempotency import answered_once
from jobtracker.server.live.hub import Hub
from jobtracker.server.live.sharing import ReadyAnswers, SharedAnswers
from jobtracker.server.middleware import EncodedSlashes, HeadAsGet
from jobtracker.server.page_files import PageRoute
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
    releases,
    search,
    session,
    tracking,
)
from jobtracker.server.routers import webhooks as webhook_routes
from jobtracker.server.settings import ApiSettings
from jobtracker.server.thread_route import use_threads
from jobtracker.server.webhook_parts import webhooks_of
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.audit import AuditLog
from jobtracker.store.kept_answers import LEASE_S, KeptAnswers
from jobtracker.store.partitions import expect_partitions
from jobtracker.store.quotas import Quotas
from jobtracker.store.sessions import Sessions

_BULK_INTERVAL_S = 1.0
"""So long a bulk run waits at most until a process takes it on."""


def log_json(settings: ApiSettings) -> None:
    """Write the process's logs as JSON lines; the requests are logged by the middleware, not by uvicorn."""
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
        app.state.settings = settings
        app.state.tracking = Tracking.connect(settings, celery_app(settings), circuit=Circuit())
        app.state.api_keys = ApiKeys(app.state.tracking.client, app.state.tracking.keys)
        app.state.sessions = Sessions(app.state.tracking.client, app.state.tracking.keys)
        app.state.identities = identities_of(settings, app.state.api_keys, app.state.sessions)
        app.state.rates = Rates(settings.api_rate_per_s)
        app.state.rates_of_strangers = Rates(settings.api_rate_per_s)
        app.state.streams = Streams(settings.api_streams_each)
        app.state.quotas = Quotas(
            app.state.tracking.client,
            app.state.tracking.keys,
            app.state.tracking.queries,
            settings.api_pending_jobs,
            settings.api_pending_bytes,
        )
        app.state.inspector = Inspector(app.state.tracking, settings.inspect_timeout_s, settings.inspect_cache_s)
        app.state.hub = hub = Hub(
            app.state.tracking.store,
            app.state.tracking.queries,
            settings.api_max_viewers,
            settings.tracking_timeout_s,
        )
        app.state.audit_log = AuditLog(
            app.state.tracking.client,
            app.state.tracking.keys,
            settings,
            check=lambda: expect_partitions(app.state.tracking.client, app.state.tracking.keys),
        )
        app.state.shared_answers = SharedAnswers(hub)
        app.state.answered_once = answered_once
        app.state.kept_answers = kept_answers = KeptAnswers(app.state.tracking.client, app.state.tracking.keys)
        leases = Repeater("kept-answers", LEASE_S / 3, kept_answers.renew)
        leases.start()
        app.state.attention_desk = AttentionDesk(app.state.inspector)
        app.state.queue_desk = QueueDesk(app.state.inspector)
        app.state.worker_desk = WorkerDesk(app.state.inspector)
        app.state.release_desk = ReleaseDesk(app.state.tracking)
        app.state.background_doctor = BackgroundDoctor(settings, app.state.tracking)
        maintenance = Repeater(
            "maintenance", settings.maintenance_interval_s, MaintenanceRunner(app.state.tracking).step
        )
        bulk_runs = BulkRunner(app.state.tracking)
        bulk_runner = Repeater("bulk", _BULK_INTERVAL_S, bulk_runs.step)
        if runs_maintenance:
            maintenance.start()
            bulk_runner.start()
        webhooks = webhooks_of(app.state.tracking, app.state.queue_desk, settings)
        app.state.webhook_desk = webhooks.desk
        if runs_maintenance:
            webhooks.service.start()
        end_with_parent()
        gc.collect()
        gc.freeze()  # what stays for good is not looked through again: it takes as long as a large request does
        yield {"client_timeout_s": settings.api_client_timeout_s, "hub": hub}
        hub.end()
        gc.unfreeze()
        await webhooks.service.stop()
        leases.stop()
        bulk_runs.stop()
        if runs_maintenance:
            maintenance.stop()
            bulk_runner.stop()
        app.state.attention_desk.close()
        app.state.background_doctor.stop()
        app.state.tracking.client.close()

    app = FastAPIOffline(  # its documentation pages load nothing from elsewhere
        title=settings.service_name,
        version=package_version(),
        summary="The durable, exact record of every Celery job.",
        debug=False,  # an error page would not be problem details
        root_path=settings.api_root_path,
        lifespan=lifespan,
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
    ):
        app.router.routes += part.router.routes  # an included router costs each request a second way through its list
    app.router.routes.append(PageRoute())  # the last one: what is no path of the API is a view of the page
    app.add_middleware(Audited)  # the innermost: it sees what the router has found
    app.add_middleware(ReadyAnswers)
    app.add_middleware(EncodedSlashes)
    app.add_middleware(HeadAsGet)
    return app


def identities_of(settings: ApiSettings, keys: ApiKeys, sessions: Sessions) -> Identities:
    """Who may ask, by the settings and the keys of the store."""
    rules = Rules(
        open_to=networks_of(settings.api_open_to),
        proxies=networks_of(settings.api_trusted_proxies),
        roles=settings.roles_of_groups,
    )
    if not settings.api_oidc_issuer:
        return Identities(keys, sessions, rules)
    need_packages("API_OIDC_ISSUER", "server", "jwt")
    from jobtracker.server.access.issuer import Issuer
    from jobtracker.server.access.tokens import Tokens

    claims = settings.api_oidc_name_claim, settings.api_oidc_groups_claim
    issuer = Issuer(settings.api_oidc_issuer)
    return Identities(keys, sessions, rules, Tokens(issuer, settings.api_oidc_audience, *claims, rules.scopes_of))


def end_with_parent() -> None:
    """Stop this process when the one that watches over it is gone. Otherwise it would keep the port."""
    if parent := multiprocessing.parent_process():

        def wait() -> None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=wait, name="parent", daemon=True).start()
