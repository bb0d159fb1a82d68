"""Looks for conditions that endpoints want to know: queues without a consumer, old messages, lost workers.

What holds is noted together with since when. It is told once, and again after it did not hold for some time. The note
is written before the delivery, and its id follows from the note: if the process dies in between, the next look makes
the same delivery.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NamedTuple

from jobtracker.core.clock import from_ms
from jobtracker.diagnosis.queue_desk import QueueDesk
from jobtracker.errors import BrokerUnavailableError
from jobtracker.schemas.webhooks import StoredWebhook, WebhookEvent
from jobtracker.schemas.workers import QueueReport
from jobtracker.store.leases import Leases
from jobtracker.store.webhooks import WebhookStore
from jobtracker.webhooks import messages
from jobtracker.webhooks.announcer import new_delivery

logger = logging.getLogger(__name__)

NO_CONSUMER_MS = 30_000
"""A queue may be without a consumer for so long: workers are restarted."""
_OF_QUEUES = frozenset({WebhookEvent.QUEUE_NO_CONSUMER, WebhookEvent.QUEUE_OLDER_THAN})
_MOST_LOST = 100
_SEEN, _NEW, _TOLD = "seen", "new", "told"
_KEPT_MS = 2 * 3_600_000
"""So long it is known that a lost worker was told. Leases that ran out are known for an hour."""


class Condition(NamedTuple):
    """Something that holds, for one endpoint."""

    event: WebhookEvent
    subject: str
    data: dict[str, Any]
    holds_ms: int
    """How long it must hold before it is told."""


class Conditions:
    """Looks for conditions, and records deliveries about them.

    Args:
        store: The endpoints and the outbox.
        desk: Knows the queues.
        leases: Know the lost workers.
        page_url: Where the page shows something, by its path.
    """

    def __init__(
        self, store: WebhookStore, desk: QueueDesk, leases: Leases, page_url: Callable[[str], str | None]
    ) -> None:
        self._store = store
        self._desk = desk
        self._leases = leases
        self._page_url = page_url

    def look(self, endpoints: Sequence[StoredWebhook]) -> None:
        """Look once: at the workers, of which the store knows, then at the queues, for which the broker is asked."""
        wanted = [each for each in endpoints if each.enabled]
        self._meet_all(wanted, {WebhookEvent.WORKER_LOST}, lambda endpoint, _: self._lost_workers(endpoint))
        report: QueueReport | None = None
        if any(_OF_QUEUES.intersection(each.events) for each in wanted):
            try:
                report = self._desk.report()
            except BrokerUnavailableError as error:  # what held goes on to hold
                logger.debug("The queues could not be looked at: %s", error)
                return
        self._meet_all(wanted, _OF_QUEUES, lambda endpoint, now: self._of_queues(endpoint, report, now))

    def _meet_all(
        self,
        wanted: Sequence[StoredWebhook],
        events: AbstractSet[WebhookEvent],
        found_for: Callable[[StoredWebhook, int], Iterable[Condition]],
    ) -> None:
        """Tell of the conditions that hold, of some events, and forget the others of these events.

        Args:
            wanted: The endpoints that want to know.
            events: The events.
            found_for: Finds what holds of them for an endpoint at a time (ms).
        """
        known, now, hold = self._store.conditions(), self._store.server_ms(), set()
        for endpoint in wanted:
            for each in found_for(endpoint, now):
                name = f"{endpoint.id}:{each.event}:{each.subject}"
                hold.add(name)
                self._meet(endpoint, each, name, known.get(name), now)
        self._store.forget_conditions(
            name
            for name, state in known.items()
            if name not in hold and name.split(":", 2)[1] in events and _is_over(name, state, now)
        )

    def _meet(self, endpoint: StoredWebhook, each: Condition, name: str, noted: str | None, now: int) -> None:
        state, _, since = (noted or f"{_SEEN}:{now}").partition(":")
        if noted is None:
            self._store.note_condition(name, f"{_SEEN}:{now}")
        if state == _TOLD or now - int(since) < each.holds_ms:
            return
        if state == _SEEN:
            self._store.note_condition(name, f"{_NEW}:{since}")
        told = messages.message(each.event, each.data)
        self._store.enqueue([new_delivery(endpoint, told, each.subject, [each.subject, since])])
        self._store.note_condition(name, f"{_TOLD}:{since}")

    def _of_queues(self, endpoint: StoredWebhook, report: QueueReport | None, now: int) -> Iterator[Condition]:
        for queue in report.queues if report else ():
            if endpoint.queues and queue.queue not in endpoint.queues:
                continue
            data = {
                "queue": queue.queue,
                "messages": queue.messages,
                "oldest_at": _iso(queue.oldest_at),
                "oldest_job_id": queue.oldest_job_id,
                "url": self._page_url("queues"),
            }
            is_consumed = queue.consumers or queue.consumer_count
            if WebhookEvent.QUEUE_NO_CONSUMER in endpoint.events and queue.messages and not is_consumed:
                summary = f"{queue.messages} messages wait in {queue.queue}, and no worker consumes it"
                yield Condition(
                    WebhookEvent.QUEUE_NO_CONSUMER, queue.queue, {**data, "summary": summary}, NO_CONSUMER_MS
                )
            if WebhookEvent.QUEUE_OLDER_THAN in endpoint.events and queue.messages and queue.oldest_at:
                waits_s = now // 1000 - int(queue.oldest_at.timestamp())
                if waits_s > endpoint.older_than_s:
                    summary = f"the oldest message of {queue.queue} has waited for {waits_s} s"
                    more = {"older_than_s": endpoint.older_than_s, "summary": summary}
                    yield Condition(WebhookEvent.QUEUE_OLDER_THAN, queue.queue, {**data, **more}, 0)

    def _lost_workers(self, endpoint: StoredWebhook) -> Iterator[Condition]:
        if WebhookEvent.WORKER_LOST not in endpoint.events:
            return
        for lost in self._leases.lost(_MOST_LOST):
            worker = lost.worker
            if lost.ended_ms < endpoint.created_at.timestamp() * 1000:
                continue
            if endpoint.queues and (worker is None or set(worker.queues).isdisjoint(endpoint.queues)):
                continue
            name = worker.name if worker else lost.incarnation
            data = {
                "worker": name,
                "host": worker.host if worker else None,
                "queues": list(worker.queues) if worker else None,
                "lost_at": _iso(from_ms(lost.ended_ms)),
                "url": self._page_url("workers"),
                "summary": f"the worker {name} is lost",
            }
            yield Condition(WebhookEvent.WORKER_LOST, lost.incarnation, data, 0)


def _is_over(name: str, state: str, now: int) -> bool:
    """Whether a condition that does not hold can be forgotten."""
    if f":{WebhookEvent.WORKER_LOST}:" not in name:
        return True
    return now - int(state.partition(":")[2]) > _KEPT_MS


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
