"""Builds what tells the endpoints of webhooks, from the settings of the API."""

from typing import NamedTuple

from jobtracker.diagnosis.queue_desk import QueueDesk
from jobtracker.runtime import Tracking
from jobtracker.server.access.networks import networks_of
from jobtracker.server.settings import ApiSettings
from jobtracker.store.webhooks import WebhookStore
from jobtracker.webhooks.announcer import Announcer
from jobtracker.webhooks.conditions import Conditions
from jobtracker.webhooks.desk import WebhookDesk
from jobtracker.webhooks.sender import Sender, SendingLimits
from jobtracker.webhooks.service import WebhookService


class Webhooks(NamedTuple):
    """What a process has for webhooks."""

    desk: WebhookDesk
    service: WebhookService


def webhooks_of(tracking: Tracking, queues: QueueDesk, settings: ApiSettings) -> Webhooks:
    """The parts of a process, over its store. Nothing is sent yet."""
    store = WebhookStore(tracking.client, tracking.keys)
    limits = SendingLimits(
        settings.webhook_timeout_s,
        int(settings.webhook_disable_after_days * 86_400_000),
        networks_of(settings.webhook_allowed_networks),
        settings.smtp_url,
        settings.smtp_from,
    )
    base = settings.api_public_url.rstrip("/")

    def page_url(path: str) -> str | None:
        return f"{base}/{path}" if base else None

    return Webhooks(
        WebhookDesk(store, limits.allowed, has_mail=bool(settings.smtp_url and settings.smtp_from)),
        WebhookService(
            store,
            Announcer(store, tracking.keys, page_url),
            Conditions(store, queues, tracking.leases, page_url),
            Sender(store, limits),
        ),
    )
