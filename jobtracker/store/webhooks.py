"""The outbox of deliveries to the endpoints of webhooks. All of it is in the first partition.

Jobs that settle are announced by the commands that settle them, each in its own partition, while an endpoint wants to
know (`lua/lib/announcements.lua`). What is to be sent is noted before an announcement is removed, under an id that
follows from it. So nothing is lost if a process dies in between, and what is noted twice is noted once.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from redis.client import NEVER_DECODE

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.schemas.webhooks import Delivery, DeliveryState
from jobtracker.store.cursors import Cursor
from jobtracker.store.decode import read
from jobtracker.store.failure_groups import unpack
from jobtracker.store.keys import Partition
from jobtracker.store.pipeline import Call
from jobtracker.store.webhook_endpoints import EndpointStore

_NEVER = float("inf")


class Announcement(NamedTuple):
    """A job that has settled."""

    part: Partition
    entry_id: str
    at_ms: int
    job: dict[str, object]


class NewDelivery(NamedTuple):
    """What is to be sent to an endpoint."""

    endpoint: str
    delivery: Delivery


class Verdict(NamedTuple):
    """What follows from an attempt to send a delivery."""

    is_noted: bool
    """False: another process has claimed it since, or it is gone."""
    is_disabled: bool
    """The endpoint was disabled by this."""


class Claimed(NamedTuple):
    """A delivery that this process is about to send."""

    endpoint: str
    lane: str
    delivery: Delivery
    until_ms: int


class DeliveryCursor(Cursor):
    """Where a list of deliveries goes on: at which place."""

    place: int


class WebhookStore(EndpointStore):
    """The endpoints and the outbox of one store."""

    # -- announcements ----------------------------------------------------------------------------------------------

    def announcements(self, part: Partition, most: int) -> list[Announcement]:
        """Jobs that have settled, in order."""
        found = self._client.xrange(part("announcements"), count=most)
        return [
            Announcement(part, entry_id, int(entry_id.partition("-")[0]), json.loads(fields["job"]))
            for entry_id, fields in found
        ]

    def forget(self, part: Partition, announcements: Iterable[Announcement]) -> None:
        """Remove announcements whose deliveries are recorded."""
        if ids := [each.entry_id for each in announcements]:
            self._client.xdel(part("announcements"), *ids)

    def is_told_elsewhere(self, part: Partition, group_id: str) -> bool:
        """Whether another partition knew a failure group, or saw it regress, before this one: it has said so."""
        if len(self._keys.parts) == 1:
            return False
        pipe = self._client.pipeline(transaction=False)
        for each in self._keys.parts:
            pipe.execute_command("GET", each("failure", group_id), **{NEVER_DECODE: True})
        found = dict(zip(self._keys.parts, map(unpack, pipe.execute()), strict=True))
        own = found.pop(part) or {}
        what = "regressed_at" if "regressed_at" in own else "first"
        return any(
            each and each["count"] > 0 and each.get(what, _NEVER) < own.get(what, 0) for each in found.values()
        )

    def unannounced(self) -> int:
        """How many jobs were not announced, because too many announcements waited."""
        return sum(int(self._client.get(part("unannounced")) or 0) for part in self._keys.parts)

    # -- conditions -------------------------------------------------------------------------------------------------

    def lock(self, owner: str, ttl_ms: int) -> bool:
        """Be the one that looks for conditions for some time; whether nobody else is."""
        return bool(self._client.set(self._first("webhook_lock"), owner, nx=True, px=ttl_ms))

    def conditions(self) -> dict[str, str]:
        """What holds: since when (ms), and whether it was told."""
        found: dict[str, str] = self._client.hgetall(self._first("webhook_conditions"))
        return found

    def note_condition(self, name: str, state: str) -> None:
        """Note what is known of a condition."""
        self._client.hset(self._first("webhook_conditions"), name, state)

    def forget_conditions(self, names: Iterable[str]) -> None:
        """Conditions do not hold any more."""
        if names := list(names):
            self._client.hdel(self._first("webhook_conditions"), *names)

    # -- deliveries -------------------------------------------------------------------------------------------------

    def enqueue(self, found: Sequence[NewDelivery]) -> list[str]:
        """Record deliveries; returns an outcome of each (`lua/commands/enqueue_delivery.lua`)."""
        at_ms = self.server_ms() if found else 0
        calls: list[Call] = [
            (
                self._first("webhooks"),
                [self._first.prefix, endpoint, each.id, each.subject, each.model_dump_json(), at_ms],
            )
            for endpoint, each in found
        ]
        return list(self._functions.call_many(self._client, "enqueue_delivery", calls)) if calls else []

    def claim(self, endpoint_id: str, *, most: int, claim_ms: int) -> list[Claimed]:
        """Take deliveries that are due; nobody else sends them for that time."""
        now = self.server_ms()
        args: list[str | int | float] = [self._first.prefix, endpoint_id, now, now + claim_ms, most]
        answer = self._functions.call(self._client, "claim_deliveries", self._first("webhooks"), args)
        found = []
        for lane, _, text in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
            if delivery := read(Delivery, text):
                found.append(Claimed(endpoint_id, lane, delivery, now + claim_ms))
        return found

    def settle(self, claimed: Claimed, retry_at_ms: int | None, *, reason: str = "", after_ms: int = 0) -> Verdict:
        """Note what became of an attempt, as the delivery says.

        Args:
            claimed: The delivery.
            retry_at_ms: When it is sent again; None: never.
            reason: Why the endpoint is disabled, if it has taken nothing for so long; "": it is disabled, so nothing
                was tried.
            after_ms: For how long it must have taken nothing; -1: it is disabled whatever it did before.
        """
        delivery = claimed.delivery
        verdict: str | int = delivery.state if retry_at_ms is None else retry_at_ms
        args: list[str | int | float] = [self._first.prefix, claimed.endpoint, claimed.lane, delivery.id]
        args += [claimed.until_ms, delivery.model_dump_json(), self.server_ms(), verdict, reason, after_ms]
        answer = self._functions.call(self._client, "settle_delivery", self._first("webhooks"), args)
        if answer == "disabled":
            self.announce_if_wanted()
        return Verdict(answer != "stale", answer == "disabled")

    def delivery(self, endpoint_id: str, delivery_id: str) -> Delivery | None:
        """A delivery; None: there is none with that id, or not any more."""
        text = self._client.hget(self._first("webhook_deliveries", endpoint_id), delivery_id)
        return read(Delivery, text) if text else None

    def deliveries(self, endpoint_id: str, *, size: int, place: int = 0) -> tuple[list[Delivery], int | None]:
        """Deliveries from a place on: those that are pending, then the others, the latest first; the next place."""
        pipe = self._client.pipeline(transaction=True)
        pipe.zcard(self._first("webhook_pending", endpoint_id))
        pipe.zrange(self._first("webhook_pending", endpoint_id), place, place + size - 1, desc=True)
        pending, ids = pipe.execute()
        if len(ids) < size:
            at = max(place - pending, 0)
            ids += self._client.zrange(
                self._first("webhook_log", endpoint_id), at, at + size - len(ids) - 1, desc=True
            )
        texts = self._client.hmget(self._first("webhook_deliveries", endpoint_id), ids) if ids else []
        found = [delivery for text in texts if text and (delivery := read(Delivery, text))]
        return found, place + size if len(ids) == size else None

    def redeliver(self, endpoint_id: str, delivery_id: str) -> Delivery | None:
        """Have a delivery sent once more, under its own id; None: it is gone.

        The pauses between its attempts begin anew. One that is being sent now stays as it is.
        """
        while True:
            text = self._client.hget(self._first("webhook_deliveries", endpoint_id), delivery_id)
            delivery = read(Delivery, text) if text else None
            if delivery is None:
                return None
            now = from_ms(now_ms())
            anew = delivery.model_copy(
                update={
                    "state": DeliveryState.PENDING,
                    "settled_at": None,
                    "redelivered": delivery.redelivered + 1,
                    "next_attempt_at": now,
                    "since": now,
                }
            )
            args: list[str | int | float] = [self._first.prefix, endpoint_id, delivery_id, delivery.subject]
            args += [text or "", anew.model_dump_json(), self.server_ms()]
            outcome = self._functions.call(self._client, "redeliver", self._first("webhooks"), args)
            if outcome != "changed":
                return {"applied": anew, "under_way": delivery}.get(outcome)
