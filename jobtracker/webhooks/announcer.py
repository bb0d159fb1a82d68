"""Records deliveries about the jobs that have settled."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.schemas.webhooks import Delivery, DeliveryState, StoredWebhook, WebhookEvent, WebhookMessage
from jobtracker.store.keys import Keys
from jobtracker.store.webhooks import Announcement, NewDelivery, WebhookStore
from jobtracker.webhooks import messages

_AT_ONCE = 200
_OF_GROUPS = {WebhookEvent.GROUP_NEW, WebhookEvent.GROUP_REGRESSED}


class Announcer:
    """Makes deliveries of announcements. Several processes may do so at the same time.

    Args:
        store: The endpoints and the outbox.
        keys: The partitions.
        page_url: Where the page shows something, by its path; None: that is not known.
    """

    def __init__(self, store: WebhookStore, keys: Keys, page_url: Callable[[str], str | None]) -> None:
        self._store = store
        self._keys = keys
        self._page_url = page_url

    def step(self, endpoints: Sequence[StoredWebhook]) -> bool:
        """Make the deliveries of some announcements; returns whether there may be more."""
        has_more = False
        for part in self._keys.parts:
            found = self._store.announcements(part, _AT_ONCE)
            self._store.enqueue([each for one in found for each in self._deliveries(one, endpoints)])
            self._store.forget(part, found)
            has_more = has_more or len(found) == _AT_ONCE
        return has_more

    def _deliveries(self, announced: Announcement, endpoints: Sequence[StoredWebhook]) -> list[NewDelivery]:
        job = announced.job
        events, found = messages.events_of(job), []
        if _OF_GROUPS.intersection(events) and self._store.is_told_elsewhere(
            announced.part, str(job.get("failure_group"))
        ):
            events = [each for each in events if each not in _OF_GROUPS]
        for endpoint in endpoints:
            if not endpoint.enabled or not _wants_job(endpoint, job):
                continue
            for event in events:
                if event in endpoint.events:
                    what = [job["id"], job.get("run"), job.get("attempt"), job["status"], job.get("finished")]
                    url = self._url(event, job)
                    told = messages.message(event, messages.job_data(job, url), announced.at_ms)
                    found.append(new_delivery(endpoint, told, str(job["id"]), what))
        return found

    def _url(self, event: WebhookEvent, job: dict[str, Any]) -> str | None:
        if event in _OF_GROUPS and job.get("failure_group"):
            return self._page_url(f"failures/{job['failure_group']}")
        return self._page_url(f"jobs/{job['id']}")


def new_delivery(
    endpoint: StoredWebhook, message: WebhookMessage, subject: str, what: Sequence[object]
) -> NewDelivery:
    """What is to be sent to an endpoint.

    Args:
        endpoint: The endpoint.
        message: What it is told.
        subject: What it is about: deliveries of one subject are in order.
        what: What makes the message another one than others of its event: its id follows from that.
    """
    text = "\0".join(map(str, (endpoint.id, message.type, *what)))
    delivery_id = f"msg_{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:32]}"
    body = messages.body_of(message, endpoint.template, is_json=not endpoint.url.startswith("mailto:"))
    now = from_ms(now_ms())
    delivery = Delivery(
        id=delivery_id,
        event=message.type,
        subject=subject,
        state=DeliveryState.PENDING,
        created_at=now,
        next_attempt_at=now,
        since=now,
        body=body,
    )
    return NewDelivery(endpoint.id, delivery)


def _wants_job(endpoint: StoredWebhook, job: dict[str, Any]) -> bool:
    if endpoint.job_types and job.get("type") not in endpoint.job_types:
        return False
    if endpoint.queues and (job.get("actual_queue") or job.get("queue")) not in endpoint.queues:
        return False
    return not endpoint.tags or not set(endpoint.tags).isdisjoint(messages.tags_of(job))
