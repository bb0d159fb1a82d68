"""Webhooks: endpoints that are told what happens, and what was sent to them."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query

from jobtracker.core.access import Scope
from jobtracker.schemas.webhooks import (
    Delivery,
    DeliveryPage,
    Webhook,
    WebhookCreated,
    WebhookList,
    WebhookRotation,
    WebhookWanted,
)
from jobtracker.server.access.needs import needs
from jobtracker.server.auditing import note_audit
from jobtracker.server.dependencies import UseWebhookDesk
from jobtracker.server.idempotency import has_secret
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(
    route_class=ThreadRoute,
    prefix="/api/webhooks",
    tags=["webhooks"],
    responses={**TO_EXPECT, 503: RESPONSES[503]},
)
_ADMIN = needs(Scope.ADMIN)
_MISSING: dict[int | str, dict[str, Any]] = {404: {**RESPONSES[404], "description": "There is no such webhook."}}
_UNREADABLE: dict[int | str, dict[str, Any]] = {400: RESPONSES[400]}

WebhookId = Annotated[str, Path(description="The webhook's id.", max_length=40, examples=["wh_1f0e7a52b3c4"])]


@router.get("", response_model=WebhookList, dependencies=[_ADMIN])
def list_webhooks(desk: UseWebhookDesk) -> WrittenJson:
    """All webhooks, and how they do."""
    return WrittenJson.of(desk.all())


@router.post("", status_code=201, response_model=WebhookCreated, responses=_UNREADABLE, dependencies=[_ADMIN])
@has_secret
def create_webhook(wanted: WebhookWanted, desk: UseWebhookDesk) -> WrittenJson:
    """Create a webhook. The answer has its `secret`, which is not shown again.

    Messages are signed as [Standard Webhooks](https://www.standardwebhooks.com) says.
    """
    made = desk.create(wanted)
    note_audit(target=made.id)
    return WrittenJson(made.model_dump_json(), 201)


@router.get("/{webhook_id}", response_model=Webhook, responses=_MISSING, dependencies=[_ADMIN])
def get_webhook(webhook_id: WebhookId, desk: UseWebhookDesk) -> WrittenJson:
    """A webhook, and how it does."""
    return WrittenJson.of(desk.get(webhook_id))


@router.put("/{webhook_id}", response_model=Webhook, responses={**_MISSING, **_UNREADABLE}, dependencies=[_ADMIN])
def update_webhook(webhook_id: WebhookId, wanted: WebhookWanted, desk: UseWebhookDesk) -> WrittenJson:
    """Change a webhook, as a whole. If it was disabled, `"enabled": true` has it tried anew."""
    return WrittenJson.of(desk.update(webhook_id, wanted))


@router.delete("/{webhook_id}", status_code=204, responses=_MISSING, dependencies=[_ADMIN])
def delete_webhook(webhook_id: WebhookId, desk: UseWebhookDesk) -> None:
    """Remove a webhook, with what was to be sent to it."""
    desk.remove(webhook_id)


@router.post(
    "/{webhook_id}/rotate",
    response_model=WebhookCreated,
    responses={**_MISSING, **_UNREADABLE},
    dependencies=[_ADMIN],
)
@has_secret
def rotate_webhook(
    webhook_id: WebhookId, desk: UseWebhookDesk, how: Annotated[WebhookRotation | None, Body()] = None
) -> WrittenJson:
    """Give a webhook a new secret. For `keep_old_s` seconds, messages are signed with the old one too."""
    return WrittenJson.of(desk.rotate(webhook_id, (how or WebhookRotation()).keep_old_s))


@router.post(
    "/{webhook_id}/test", status_code=202, response_model=Delivery, responses=_MISSING, dependencies=[_ADMIN]
)
def send_test_message(webhook_id: WebhookId, desk: UseWebhookDesk) -> WrittenJson:
    """Send a message of the type `webhook.test`. Its delivery says what became of it."""
    return WrittenJson(desk.test(webhook_id).model_dump_json(), 202)


@router.get("/{webhook_id}/deliveries", response_model=DeliveryPage, responses=_MISSING, dependencies=[_ADMIN])
def list_deliveries(
    webhook_id: WebhookId,
    desk: UseWebhookDesk,
    page_size: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=2000)] = None,
) -> WrittenJson:
    """What is to be sent to a webhook, then the last 1,000 deliveries that were sent or given up."""
    return WrittenJson.of(desk.deliveries(webhook_id, size=page_size, cursor=cursor))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver",
    status_code=202,
    response_model=Delivery,
    responses=_MISSING,
    dependencies=[_ADMIN],
)
def redeliver(
    webhook_id: WebhookId, delivery_id: Annotated[str, Path(max_length=60)], desk: UseWebhookDesk
) -> WrittenJson:
    """Send a delivery once more, under its own id. A pending one is sent now."""
    return WrittenJson(desk.redeliver(webhook_id, delivery_id).model_dump_json(), 202)
