"""Endpoints of webhooks. All of them are in the first partition.

What people want of an endpoint is one JSON, which is changed only as it was read: of two changes at the same time the
second one is made anew. Whether jobtracker has disabled it stands apart, and changes with the outcome of a delivery.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel

from jobtracker.connection.client import RedisClient, server_ms
from jobtracker.core.clock import from_ms
from jobtracker.schemas.webhooks import StoredWebhook, WebhookEvent
from jobtracker.store.decode import read
from jobtracker.store.functions import Library
from jobtracker.store.keys import OF_ENDPOINTS, Keys

_OF_JOBS = {
    WebhookEvent.JOB_SETTLED,
    WebhookEvent.JOB_FAILED,
    WebhookEvent.JOB_LOST,
    WebhookEvent.GROUP_NEW,
    WebhookEvent.GROUP_REGRESSED,
}

_COMMANDS = ("save_webhook", "enqueue_delivery", "claim_deliveries", "settle_delivery", "redeliver", "batch")


class EndpointState(NamedTuple):
    """How an endpoint does."""

    failing_since_ms: int | None
    delivered_at_ms: int | None
    pending: int
    dropped: int


class _Disabled(BaseModel):
    """Why jobtracker has disabled an endpoint, and when, as `lua/commands/settle_delivery.lua` writes it."""

    reason: str
    at_ms: int

    @property
    def at(self) -> datetime | None:
        return from_ms(self.at_ms)


class EndpointStore:
    """The endpoints of one store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._first = keys.parts[0]
        self._functions = Library(_COMMANDS)

    def server_ms(self) -> int:
        """The time by the clock of the server."""
        return server_ms(self._client, self._first("webhooks"))

    def all(self) -> list[StoredWebhook]:
        """All endpoints, the oldest first."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hvals(self._first("webhooks"))
        pipe.hgetall(self._first("webhooks_disabled"))
        texts, disabled = pipe.execute()
        found = filter(None, (read(StoredWebhook, text) for text in texts))
        return sorted((_shown(each, disabled.get(each.id)) for each in found), key=lambda each: each.created_at)

    def get(self, endpoint_id: str) -> StoredWebhook | None:
        """An endpoint; None: there is none with that id."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hget(self._first("webhooks"), endpoint_id)
        pipe.hget(self._first("webhooks_disabled"), endpoint_id)
        text, disabled = pipe.execute()
        found = read(StoredWebhook, text) if text else None
        return _shown(found, disabled) if found else None

    def disabled(self) -> list[StoredWebhook]:
        """Those that jobtracker has disabled, the oldest first."""
        if not self._client.exists(self._first("webhooks_disabled")):
            return []
        return [each for each in self.all() if each.disabled_at]

    def add(self, endpoint: StoredWebhook, most: int) -> bool:
        """Add an endpoint; False: there are as many as there may be.

        Args:
            endpoint: The endpoint.
            most: How many there may be.
        """
        is_added = self._save(endpoint, "", most=most) == "applied"
        self.announce_if_wanted()
        return is_added

    def change(
        self, endpoint_id: str, change: Callable[[StoredWebhook], StoredWebhook], *, anew: bool = False
    ) -> StoredWebhook | None:
        """Change what people want of an endpoint; returns what they want of it now. None: there is none with that id.

        Args:
            endpoint_id: The endpoint.
            change: Makes the new one of what is there. It is called again if somebody else has changed that.
            anew: It is tried anew, if jobtracker has disabled it.
        """
        while text := self._client.hget(self._first("webhooks"), endpoint_id):
            found = read(StoredWebhook, text)
            if found is None:
                return None
            changed = change(found)
            if self._save(changed, text, anew=anew) == "applied":
                self.announce_if_wanted()
                return changed
        return None

    def _save(self, endpoint: StoredWebhook, before: str, *, most: int = 0, anew: bool = False) -> str:
        text = endpoint.model_dump_json(exclude={"disabled_reason", "disabled_at"})
        args: list[str | int | float] = [self._first.prefix, endpoint.id, before, text, most, int(anew)]
        return str(self._functions.call(self._client, "save_webhook", self._first("webhooks"), args))

    def remove(self, endpoint_id: str) -> bool:
        """Remove an endpoint with all that was to be sent to it; returns whether it was there."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hdel(self._first("webhooks"), endpoint_id)
        pipe.hdel(self._first("webhooks_disabled"), endpoint_id)
        for name in OF_ENDPOINTS:  # each by itself: redis-py's pipeline of a cluster takes no more at once
            pipe.unlink(self._first(name, endpoint_id))
        pipe.hkeys(self._first("webhook_conditions"))
        was_there, *_, conditions = pipe.execute()
        if own := [each for each in conditions if each.startswith(f"{endpoint_id}:")]:
            self._client.hdel(self._first("webhook_conditions"), *own)
        self.announce_if_wanted()
        return bool(was_there)

    def announce_if_wanted(self) -> None:
        """Let the commands that settle jobs announce them if an endpoint wants to know; else, let them stop."""
        endpoints = self.all()
        is_wanted = any(each.enabled and _OF_JOBS.intersection(each.events) for each in endpoints)
        pipe = self._client.pipeline(transaction=False)
        for part in self._keys.parts:
            if is_wanted:
                pipe.set(part("announcing"), "1")
                continue
            pipe.unlink(part("announcing"))
            if not endpoints:
                pipe.unlink(part("announcements"))
                pipe.unlink(part("unannounced"))
        pipe.execute()

    def states(self, endpoint_ids: Sequence[str]) -> dict[str, EndpointState]:
        """How endpoints do."""
        pipe = self._client.pipeline(transaction=False)
        for each in endpoint_ids:
            pipe.hgetall(self._first("webhook_state", each))
            pipe.zcard(self._first("webhook_pending", each))
        answers = pipe.execute() if endpoint_ids else []
        return {
            each: EndpointState(
                int(state["failing_since"]) if "failing_since" in state else None,
                int(state["delivered_at"]) if "delivered_at" in state else None,
                pending,
                int(state.get("dropped", 0)),
            )
            for each, state, pending in zip(endpoint_ids, answers[::2], answers[1::2], strict=True)
        }


def _shown(endpoint: StoredWebhook, disabled: str | None) -> StoredWebhook:
    """An endpoint, with what jobtracker has made of it."""
    why = read(_Disabled, disabled) if disabled else None
    if why is None:
        return endpoint
    return endpoint.model_copy(update={"enabled": False, "disabled_reason": why.reason, "disabled_at": why.at})
