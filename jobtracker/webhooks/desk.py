"""What people do with endpoints: create, change, rotate, remove, test them, and look at what was sent."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from jobtracker.core.clock import from_ms
from jobtracker.errors import InvalidWebhookError, JobTrackerError, WebhookNotFoundError
from jobtracker.schemas.webhooks import (
    TEST_EVENT,
    Delivery,
    DeliveryPage,
    StoredWebhook,
    Webhook,
    WebhookCreated,
    WebhookList,
    WebhookSecret,
    WebhookWanted,
)
from jobtracker.store.webhooks import DeliveryCursor, WebhookStore
from jobtracker.webhooks import messages
from jobtracker.webhooks.addresses import Network, check_url
from jobtracker.webhooks.announcer import new_delivery
from jobtracker.webhooks.signing import in_use, new_secret

MOST_ENDPOINTS = 20


class WebhookDesk:
    """The use cases of endpoints.

    Args:
        store: The endpoints and the outbox.
        allowed: Networks that messages may be sent to, beside the internet.
        has_mail: Whether mails can be sent.
    """

    def __init__(self, store: WebhookStore, allowed: tuple[Network, ...], *, has_mail: bool) -> None:
        self._store = store
        self._allowed = allowed
        self._has_mail = has_mail

    def create(self, wanted: WebhookWanted) -> WebhookCreated:
        """Create an endpoint. Its secret is in the answer, and nowhere else afterwards.

        Raises:
            InvalidWebhookError: It can't be like this, or there are as many as there may be.
        """
        self._check(wanted)
        secret = new_secret()
        endpoint = StoredWebhook(
            **wanted.model_dump(),
            id=f"wh_{secrets.token_hex(6)}",
            created_at=datetime.now(UTC),
            secrets=[WebhookSecret(secret=secret)],
        )
        if not self._store.add(endpoint, MOST_ENDPOINTS):
            raise InvalidWebhookError(f"There are {MOST_ENDPOINTS} webhooks, which is the most. Delete one first.")
        return WebhookCreated(**self._shown([endpoint])[0].model_dump(), secret=secret)

    def all(self) -> WebhookList:
        """All endpoints, and how they do."""
        return WebhookList(webhooks=self._shown(self._store.all()), unannounced=self._store.unannounced())

    def get(self, endpoint_id: str) -> Webhook:
        """An endpoint.

        Raises:
            WebhookNotFoundError: There is none with that id.
        """
        return self._shown([self._stored(endpoint_id)])[0]

    def update(self, endpoint_id: str, wanted: WebhookWanted) -> Webhook:
        """Change an endpoint. One that was disabled and is enabled is tried anew.

        Raises:
            WebhookNotFoundError: There is none with that id.
            InvalidWebhookError: It can't be like this.
        """
        self._check(wanted)
        changes = wanted.model_dump()
        self._change(endpoint_id, lambda before: before.model_copy(update=changes), anew=wanted.enabled)
        return self.get(endpoint_id)

    def remove(self, endpoint_id: str) -> None:
        """Remove an endpoint, with what was to be sent to it.

        Raises:
            WebhookNotFoundError: There is none with that id.
        """
        if not self._store.remove(endpoint_id):
            raise WebhookNotFoundError(f"webhook {endpoint_id}")

    def rotate(self, endpoint_id: str, keep_old_s: int) -> WebhookCreated:
        """Give an endpoint a new secret. For some time its messages are signed with the old one too.

        Raises:
            WebhookNotFoundError: There is none with that id.
        """
        secret, expires_at = new_secret(), datetime.now(UTC) + timedelta(seconds=keep_old_s)

        def rotated(before: StoredWebhook) -> StoredWebhook:
            old = [before.secrets[0].model_copy(update={"expires_at": expires_at})] if keep_old_s else []
            return before.model_copy(update={"secrets": [WebhookSecret(secret=secret), *old]})

        self._change(endpoint_id, rotated)
        return WebhookCreated(**self.get(endpoint_id).model_dump(), secret=secret)

    def test(self, endpoint_id: str) -> Delivery:
        """Send a test message.

        Raises:
            WebhookNotFoundError: There is none with that id.
            InvalidWebhookError: It is disabled, or has too many pending deliveries.
        """
        endpoint = self._stored(endpoint_id)
        if not endpoint.enabled:
            raise InvalidWebhookError("The webhook is disabled. Enable it first.")
        told = messages.message(TEST_EVENT, {"id": endpoint.id, "summary": "This is a test by jobtracker."})
        new = new_delivery(endpoint, told, f"test-{secrets.token_hex(4)}", [secrets.token_hex(8)])
        if self._store.enqueue([new]) != ["applied"]:
            raise InvalidWebhookError("Too many deliveries to this webhook are pending.")
        return new.delivery

    def deliveries(self, endpoint_id: str, *, size: int, cursor: str | None) -> DeliveryPage:
        """What is to be sent to an endpoint, and what was.

        Raises:
            WebhookNotFoundError: There is none with that id.
            BadCursorError: The cursor is none.
        """
        self._stored(endpoint_id)
        place = max(DeliveryCursor.read(cursor).place, 0) if cursor else 0
        found, following = self._store.deliveries(endpoint_id, size=size, place=min(place, 10_000))
        more = DeliveryCursor(place=following).write() if following is not None else None
        return DeliveryPage(deliveries=found, next_cursor=more)

    def redeliver(self, endpoint_id: str, delivery_id: str) -> Delivery:
        """Have a delivery sent once more, under its own id.

        Raises:
            WebhookNotFoundError: There is none with that id.
            InvalidWebhookError: The endpoint is disabled.
        """
        if not self._stored(endpoint_id).enabled:
            raise InvalidWebhookError("The webhook is disabled. Enable it first.")
        found = self._store.redeliver(endpoint_id, delivery_id)
        if found is None:
            raise WebhookNotFoundError(f"delivery {delivery_id} of webhook {endpoint_id}")
        return found

    def _change(
        self, endpoint_id: str, change: Callable[[StoredWebhook], StoredWebhook], *, anew: bool = False
    ) -> None:
        if self._store.change(endpoint_id, change, anew=anew) is None:
            raise WebhookNotFoundError(f"webhook {endpoint_id}")

    def _stored(self, endpoint_id: str) -> StoredWebhook:
        found = self._store.get(endpoint_id)
        if found is None:
            raise WebhookNotFoundError(f"webhook {endpoint_id}")
        return found

    def _check(self, wanted: WebhookWanted) -> None:
        try:
            check_url(wanted.url, self._allowed, has_mail=self._has_mail)
            if wanted.template is not None:
                messages.check_template(wanted.template, is_json=not wanted.url.startswith("mailto:"))
        except InvalidWebhookError:
            raise
        except JobTrackerError as error:
            raise InvalidWebhookError(str(error)) from error

    def _shown(self, endpoints: list[StoredWebhook]) -> list[Webhook]:
        states, now = self._store.states([each.id for each in endpoints]), datetime.now(UTC)
        return [
            Webhook(
                **each.model_dump(exclude={"secrets"}),
                secrets_in_use=len(in_use(each.secrets, now)),
                failing_since=from_ms(states[each.id].failing_since_ms),
                delivered_at=from_ms(states[each.id].delivered_at_ms),
                pending=states[each.id].pending,
                dropped=states[each.id].dropped,
            )
            for each in endpoints
        ]
