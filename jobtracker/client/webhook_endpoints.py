"""The endpoints below `/api/webhooks`."""

from collections.abc import Sequence
from typing import Any, Literal, cast
from urllib.parse import quote

from jobtracker.client.calls import Call
from jobtracker.client.endpoint import Endpoint
from jobtracker.schemas.webhooks import Delivery, DeliveryPage, Webhook, WebhookCreated, WebhookList

EventName = Literal[
    "job.settled",
    "job.failed",
    "job.lost",
    "failure_group.new",
    "failure_group.regressed",
    "queue.no_consumer",
    "queue.older_than",
    "worker.lost",
]


class WebhookEndpoints:
    """The methods that both clients have for webhooks."""

    @Endpoint
    def webhooks(self) -> Call[WebhookList]:
        """All webhooks, and how they do."""
        return Call("GET", "/api/webhooks", WebhookList)

    @Endpoint
    def webhook(self, webhook_id: str) -> Call[Webhook]:
        """A webhook, and how it does.

        Raises:
            ApiError: There is none with that id.
        """
        return Call("GET", _path(webhook_id), Webhook)

    @Endpoint
    def create_webhook(
        self,
        url: str,
        events: Sequence[EventName],
        *,
        description: str = "",
        job_types: Sequence[str] = (),
        tags: Sequence[str] = (),
        queues: Sequence[str] = (),
        older_than_s: int = 300,
        template: str | None = None,
        enabled: bool = True,
    ) -> Call[WebhookCreated]:
        """Create a webhook. The answer has its secret, which is not shown again.

        Args:
            url: Where messages are posted to, or mailto:somebody@example.com.
            events: What it is told.
            description: For people.
            job_types: Only jobs of these types.
            tags: Only jobs with one of these tags.
            queues: Only jobs of these queues, these queues, and workers of them.
            older_than_s: For "queue.older_than": how long the oldest message has waited.
            template: What is posted instead of the message, with placeholders such as ${data.id}.
            enabled: Whether it is told anything.

        Raises:
            ApiError: It can't be like this; the message says why.
        """
        body = _body(url, events, description, job_types, tags, queues, older_than_s, template, enabled)
        return Call("POST", "/api/webhooks", WebhookCreated, body=body)

    @Endpoint
    def update_webhook(
        self,
        webhook_id: str,
        url: str,
        events: Sequence[EventName],
        *,
        description: str = "",
        job_types: Sequence[str] = (),
        tags: Sequence[str] = (),
        queues: Sequence[str] = (),
        older_than_s: int = 300,
        template: str | None = None,
        enabled: bool = True,
    ) -> Call[Webhook]:
        """Change a webhook, as a whole; the arguments are those of `create_webhook`.

        Raises:
            ApiError: There is none with that id, or it can't be like this.
        """
        body = _body(url, events, description, job_types, tags, queues, older_than_s, template, enabled)
        return Call("PUT", _path(webhook_id), Webhook, body=body)

    @Endpoint
    def delete_webhook(self, webhook_id: str) -> Call[None]:
        """Remove a webhook, with what was to be sent to it.

        Raises:
            ApiError: There is none with that id.
        """
        return Call("DELETE", _path(webhook_id), cast("type[None]", None))

    @Endpoint
    def rotate_webhook(self, webhook_id: str, *, keep_old_s: int = 86_400) -> Call[WebhookCreated]:
        """Give a webhook a new secret; for some time, messages are signed with the old one too.

        Raises:
            ApiError: There is none with that id.
        """
        return Call("POST", f"{_path(webhook_id)}/rotate", WebhookCreated, body={"keep_old_s": keep_old_s})

    @Endpoint
    def test_webhook(self, webhook_id: str) -> Call[Delivery]:
        """Send a message of the type "webhook.test". Its delivery says what became of it.

        Raises:
            ApiError: There is none with that id, or it is disabled.
        """
        return Call("POST", f"{_path(webhook_id)}/test", Delivery)

    @Endpoint
    def webhook_deliveries(
        self, webhook_id: str, *, page_size: int = 50, cursor: str | None = None
    ) -> Call[DeliveryPage]:
        """What is to be sent to a webhook, then what was sent or given up, the latest first: one page.

        Args:
            webhook_id: The webhook.
            page_size: The most deliveries, up to 200.
            cursor: The `next_cursor` of the page before.

        Raises:
            ApiError: There is none with that id.
        """
        params = {"page_size": page_size, "cursor": cursor}
        return Call("GET", f"{_path(webhook_id)}/deliveries", DeliveryPage, params)

    @Endpoint
    def redeliver(self, webhook_id: str, delivery_id: str) -> Call[Delivery]:
        """Send a delivery once more, under its own id; a pending one now.

        Raises:
            ApiError: It is gone, or its webhook is disabled.
        """
        path = f"{_path(webhook_id)}/deliveries/{quote(delivery_id, safe='')}/redeliver"
        return Call("POST", path, Delivery)


def _body(
    url: str,
    events: Sequence[EventName],
    description: str,
    job_types: Sequence[str],
    tags: Sequence[str],
    queues: Sequence[str],
    older_than_s: int,
    template: str | None,
    enabled: bool,
) -> dict[str, Any]:
    return {
        "url": url,
        "events": list(events),
        "description": description,
        "job_types": list(job_types),
        "tags": list(tags),
        "queues": list(queues),
        "older_than_s": older_than_s,
        "template": template,
        "enabled": enabled,
    }


def _path(webhook_id: str) -> str:
    return f"/api/webhooks/{quote(webhook_id, safe='')}"
