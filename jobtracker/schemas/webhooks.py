"""Webhooks: endpoints that are told what happens, and what was sent to them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class WebhookEvent(StrEnum):
    """What an endpoint may be told."""

    JOB_SETTLED = "job.settled"
    """A job has completed, failed, or was cancelled."""
    JOB_FAILED = "job.failed"
    """A job has failed."""
    JOB_LOST = "job.lost"
    """A job has failed because its worker, or the process that ran it, was lost."""
    GROUP_NEW = "failure_group.new"
    """A job has failed in a way in which none has failed before."""
    GROUP_REGRESSED = "failure_group.regressed"
    """A job has failed in a way that somebody had marked as resolved."""
    QUEUE_NO_CONSUMER = "queue.no_consumer"
    """Messages wait in a queue, and no worker has consumed it for half a minute."""
    QUEUE_OLDER_THAN = "queue.older_than"
    """The oldest message of a queue has waited longer than the endpoint's `older_than_s`."""
    WORKER_LOST = "worker.lost"
    """A worker has not renewed its lease, and did not say that it stops."""


TEST_EVENT = "webhook.test"
"""What `test` sends."""

Names = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=255)]], Field(default_factory=list, max_length=50)
]


class WebhookWanted(BaseModel):
    """An endpoint, as somebody wants it."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        min_length=1,
        max_length=2000,
        description="Where messages are posted to: https://…, http://… if its network is allowed, or "
        "mailto:somebody@example.com.",
        examples=["https://example.com/hooks/jobs"],
    )
    events: list[WebhookEvent] = Field(min_length=1, max_length=20, description="What it is told.")
    description: str = Field("", max_length=200)
    job_types: Names = Field(description="Only jobs of these types. Empty: all.")
    tags: Names = Field(description="Only jobs with one of these tags. Empty: all.")
    queues: Names = Field(description="Only jobs of these queues, these queues, and workers of them. Empty: all.")
    older_than_s: int = Field(
        300, ge=10, le=86_400 * 7, description="For `queue.older_than`: how long the oldest message has waited."
    )
    template: str | None = Field(
        None,
        max_length=8000,
        description="What is posted instead of the message: JSON, or the text of a mail, with placeholders such as "
        "`${type}` and `${data.id}`.",
    )
    enabled: bool = Field(True, strict=True, description="false: it is told nothing.")


class WebhookSecret(BaseModel):
    """What messages are signed with."""

    secret: str = Field(repr=False)
    expires_at: datetime | None = None
    """Of one that another one has replaced."""


class StoredWebhook(WebhookWanted):
    """An endpoint as the store has it."""

    model_config = ConfigDict(extra="ignore")

    id: str
    created_at: datetime
    secrets: list[WebhookSecret] = Field(repr=False)
    """The newest first."""
    disabled_reason: str | None = None
    disabled_at: datetime | None = None


class Webhook(WebhookWanted):
    """An endpoint, and how it does. Its secret is not shown again."""

    model_config = ConfigDict(extra="ignore")

    id: str
    created_at: datetime
    secrets_in_use: int = Field(description="2 while a secret that was rotated still signs too.")
    disabled_reason: str | None = Field(description="Why jobtracker has disabled it.")
    disabled_at: datetime | None
    failing_since: datetime | None = Field(description="Since when it has taken nothing; null: it works.")
    delivered_at: datetime | None = Field(description="When it took something last.")
    pending: int = Field(description="Deliveries that are still to be sent.")
    dropped: int = Field(description="Deliveries that were left out because 5,000 were pending.")


class WebhookCreated(Webhook):
    """An endpoint that was created, or whose secret was rotated."""

    secret: str = Field(description="What its messages are signed with. It is shown only now.")


class WebhookList(BaseModel):
    """All endpoints."""

    webhooks: list[Webhook]
    unannounced: int = Field(
        description="Jobs of which no endpoint was told, because more than 50,000 had settled since an API ran."
    )


class WebhookRotation(BaseModel):
    """How to rotate a secret."""

    model_config = ConfigDict(extra="forbid")

    keep_old_s: int = Field(
        86_400, ge=0, le=86_400 * 30, description="How long messages are signed with the old secret too."
    )


class DeliveryState(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    """It is still to be sent, or to be sent again."""
    DELIVERED = "delivered"
    """The endpoint has taken it."""
    GIVEN_UP = "given_up"
    """It was tried for a day, or its endpoint was disabled."""


class DeliveryAttempt(BaseModel):
    """One attempt to send a delivery."""

    at: datetime
    status: int | None = Field(None, description="The HTTP status of the answer.")
    error: str | None = Field(None, description="What went wrong, a sentence.")
    took_ms: int


class Delivery(BaseModel):
    """One message for one endpoint."""

    id: str = Field(description="The `webhook-id` of its message: it stays the same however often it is sent.")
    event: str
    subject: str = Field(description="The job, queue or worker that it is about. Deliveries of one are in order.")
    state: DeliveryState
    created_at: datetime
    next_attempt_at: datetime | None = Field(None, description="When it is sent next, or again.")
    settled_at: datetime | None = None
    attempts: list[DeliveryAttempt] = Field(default_factory=list, description="The last 20.")
    attempt_count: int = 0
    redelivered: int = Field(0, description="How often somebody had it sent once more.")
    body: str = Field(description="What is sent.")
    since: datetime | None = None
    """From when on a day counts: when it was made, or redelivered."""


class DeliveryPage(BaseModel):
    """Deliveries of an endpoint: those that are pending, then the others, the latest first."""

    deliveries: list[Delivery]
    next_cursor: str | None


class WebhookMessage(BaseModel):
    """What an endpoint is told."""

    type: str
    timestamp: datetime
    data: dict[str, Any]
