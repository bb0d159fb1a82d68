"""What the application has beside its routes: the parts that these use, and what runs beside them."""

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from jobtracker.connection.circuit_breaker import Circuit
from jobtracker.core.periodic import Repeater
from jobtracker.diagnosis.attention import AttentionDesk
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.queue_desk import QueueDesk
from jobtracker.diagnosis.release_desk import ReleaseDesk
from jobtracker.diagnosis.worker_desk import WorkerDesk
from jobtracker.doctor.background import BackgroundDoctor
from jobtracker.errors import need_packages
from jobtracker.maintenance.bulk_runner import BulkRunner
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.runtime import Tracking
from jobtracker.server.access.identities import Identities, Rules
from jobtracker.server.access.networks import networks_of
from jobtracker.server.access.rates import Rates, Streams
from jobtracker.server.celery_app import celery_app
from jobtracker.server.live.hub import Hub
from jobtracker.server.live.sharing import SharedAnswers
from jobtracker.server.metrics.scrape import Scrape
from jobtracker.server.settings import ApiSettings
from jobtracker.server.webhook_parts import webhooks_of
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.audit import AuditLog
from jobtracker.store.kept_answers import LEASE_S, KeptAnswers
from jobtracker.store.partitions import expect_partitions
from jobtracker.store.quotas import Quotas
from jobtracker.store.sessions import Sessions
from jobtracker.webhooks.desk import WebhookDesk
from jobtracker.webhooks.service import WebhookService

_BULK_INTERVAL_S = 1.0
"""So long a bulk run waits at most until a process takes it on."""


@dataclass(frozen=True)
class Parts:
    """The parts of one process. They are in `app.state` by these names; routes get them by `dependencies.py`."""

    settings: ApiSettings
    tracking: Tracking
    api_keys: ApiKeys
    sessions: Sessions
    identities: Identities
    rates: Rates
    rates_of_strangers: Rates
    streams: Streams
    quotas: Quotas
    audit_log: AuditLog
    kept_answers: KeptAnswers
    hub: Hub
    shared_answers: SharedAnswers
    inspector: Inspector
    attention_desk: AttentionDesk
    queue_desk: QueueDesk
    worker_desk: WorkerDesk
    release_desk: ReleaseDesk
    scrape: Scrape
    webhook_desk: WebhookDesk
    webhook_service: WebhookService
    background_doctor: BackgroundDoctor

    @classmethod
    def of(cls, settings: ApiSettings) -> "Parts":
        """Put the parts together. Nothing runs yet, and nothing is sent to Redis."""
        tracking = Tracking.connect(settings, celery_app(settings), circuit=Circuit())
        client, keys, queries = tracking.client, tracking.keys, tracking.queries
        api_keys, sessions = ApiKeys(client, keys), Sessions(client, keys)
        hub = Hub(tracking.store, queries, settings.api_max_viewers, settings.tracking_timeout_s)
        inspector = Inspector(tracking, settings.inspect_timeout_s, settings.inspect_cache_s)
        queue_desk, attention_desk = QueueDesk(inspector), AttentionDesk(inspector)
        webhooks = webhooks_of(tracking, queue_desk, settings)
        return cls(
            settings=settings,
            tracking=tracking,
            api_keys=api_keys,
            sessions=sessions,
            identities=identities_of(settings, api_keys, sessions),
            rates=Rates(settings.api_rate_per_s),
            rates_of_strangers=Rates(settings.api_rate_per_s),
            streams=Streams(settings.api_streams_each),
            quotas=Quotas(client, keys, queries, settings.api_pending_jobs, settings.api_pending_bytes),
            audit_log=AuditLog(client, keys, settings, check=lambda: expect_partitions(client, keys)),
            kept_answers=KeptAnswers(client, keys),
            hub=hub,
            shared_answers=SharedAnswers(hub),
            inspector=inspector,
            attention_desk=attention_desk,
            queue_desk=queue_desk,
            worker_desk=WorkerDesk(inspector),
            release_desk=ReleaseDesk(tracking),
            scrape=Scrape(inspector, queue_desk, attention_desk, hub, celery_names=settings.metrics_celery_exporter),
            webhook_desk=webhooks.desk,
            webhook_service=webhooks.service,
            background_doctor=BackgroundDoctor(settings, tracking),
        )

    @asynccontextmanager
    async def running(self, *, runs_maintenance: bool) -> AsyncIterator[None]:
        """What runs beside the requests, in this context. It is stopped in the opposite order.

        Args:
            runs_maintenance: Run the background services too, for example retention and the rescue of lost jobs.
        """
        async with AsyncExitStack() as stack:
            stack.callback(self.tracking.client.close)
            stack.callback(self.background_doctor.stop)
            stack.callback(self.attention_desk.close)
            stack.push_async_callback(self.webhook_service.stop)
            repeaters = [Repeater("kept-answers", LEASE_S / 3, self.kept_answers.renew)]
            if runs_maintenance:
                maintenance, bulk_runs = MaintenanceRunner(self.tracking), BulkRunner(self.tracking)
                repeaters += [
                    Repeater("maintenance", self.settings.maintenance_interval_s, maintenance.step),
                    Repeater("bulk", _BULK_INTERVAL_S, bulk_runs.step),
                ]
                self.webhook_service.start()
            for each in repeaters:
                each.start()
                stack.callback(each.stop)
            if runs_maintenance:
                stack.callback(bulk_runs.stop)  # first: its step ends soon then
            gc.collect()
            gc.freeze()  # what stays for good is not looked through again: it takes as long as a large request does
            stack.callback(gc.unfreeze)
            stack.callback(self.hub.end)
            yield


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
