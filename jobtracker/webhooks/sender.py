"""Sends pending deliveries to endpoints.

Every API process has a sender. Each takes deliveries that are due for itself (`WebhookStore.claim`), so they share
the work. What a process has taken and not finished when it dies is due again when its claim ends: it is sent once
more, under the same id.
"""

import asyncio
import logging
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from redis.exceptions import RedisError

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.version import package_version
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.webhooks import Delivery, DeliveryAttempt, DeliveryState, StoredWebhook
from jobtracker.store.webhooks import Claimed, WebhookStore
from jobtracker.webhooks.addresses import Network, resolve
from jobtracker.webhooks.mail import send_mail
from jobtracker.webhooks.signing import headers_of, in_use

logger = logging.getLogger(__name__)

_mailers = ThreadPoolExecutor(8, "webhook-mail")

AT_ONCE = 4
"""Deliveries that a process sends to one endpoint at the same time."""
BACKOFF_S = (5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 14_400.0, 21_600.0)
_GIVEN_UP_MS = 86_400_000
_CLAIM_SPARE_S = 20.0
"""So much longer than an attempt a claim lasts, for what comes after it: an outcome that is late is not noted."""
_STOPPING_S = 0.5
_KEPT_ATTEMPTS = 20
_MOST_ANSWER_BYTES = 500
_LONGEST_WAIT_S = 3600
"""So long an endpoint may ask for, with Retry-After."""


@dataclass(frozen=True)
class SendingLimits:
    """How messages are sent.

    Attributes:
        timeout_s: How long an endpoint may take for one.
        disable_after_ms: An endpoint that has taken nothing for so long is disabled.
        allowed: Networks that messages may be sent to, beside the internet.
        smtp_url: Where mails are sent; "": nowhere.
        smtp_from: From whom they are.
        backoff_s: Seconds after each attempt; the last one from then on.
    """

    timeout_s: float
    disable_after_ms: int
    allowed: tuple[Network, ...]
    smtp_url: str
    smtp_from: str
    backoff_s: tuple[float, ...] = BACKOFF_S


class Sender:
    """Sends deliveries, some at a time, of each endpoint for itself: a slow one holds up no other.

    Args:
        store: The outbox.
        limits: How messages are sent.
    """

    def __init__(self, store: WebhookStore, limits: SendingLimits) -> None:
        self._store = store
        self._limits = limits
        self._under_way: dict[str, set[asyncio.Task[None]]] = {}
        self._http = httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,  # a proxy would resolve the name once more
            timeout=limits.timeout_s,
            verify=httpx.create_ssl_context(),  # with SSL_CERT_FILE, for a receiver with a certificate of one's own
            # Connections are told apart by their address, and a certificate is checked once: none is used for another
            # name at the same address.
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=0),
            headers={"User-Agent": f"jobtracker/{package_version()}"},
        )

    async def step(self, endpoints: Sequence[StoredWebhook]) -> int:
        """Begin to send what is due, as far as there is room; returns how many deliveries."""
        begun = 0
        for endpoint in endpoints:
            tasks = self._under_way.setdefault(endpoint.id, set())
            free = AT_ONCE - len(tasks)
            if free <= 0:
                continue
            claim_ms = int((self._limits.timeout_s + _CLAIM_SPARE_S) * 1000)
            claimed = await asyncio.to_thread(self._store.claim, endpoint.id, most=free, claim_ms=claim_ms)
            for each in claimed:
                task = asyncio.create_task(self._deliver(endpoint, each))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            begun += len(claimed)
        for gone in self._under_way.keys() - {each.id for each in endpoints}:
            if not self._under_way[gone]:
                del self._under_way[gone]
        return begun

    async def close(self) -> None:
        """Stop, when what is under way has had a moment to end. The rest is sent later, by whoever is there."""
        tasks = [task for some in self._under_way.values() for task in some]
        if tasks:
            await asyncio.wait(tasks, timeout=_STOPPING_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.aclose()

    async def _deliver(self, endpoint: StoredWebhook, claimed: Claimed) -> None:
        began, delivery = time.monotonic(), claimed.delivery
        status, error, retry_after_s = None, None, None
        if not endpoint.enabled:
            error = "The endpoint is disabled."
        else:
            try:
                if endpoint.url.startswith("mailto:"):
                    await self._mail(endpoint, delivery, began + self._limits.timeout_s)
                else:
                    async with asyncio.timeout(self._limits.timeout_s):
                        status, error, retry_after_s = await self._send(endpoint, delivery)
            except TimeoutError:
                error = f"It did not answer within {self._limits.timeout_s:g} s (WEBHOOK_TIMEOUT_S)."
            except (OSError, httpx.HTTPError, httpx.InvalidURL, JobTrackerError, ValueError) as failure:
                error = f"{type(failure).__name__}: {failure}"[:300]
            except Exception as failure:  # one message that can't be sent must not stop the others
                logger.exception("webhook_not_sent")
                error = f"{type(failure).__name__}: {failure}"[:300]
        attempt = DeliveryAttempt(
            at=from_ms(now_ms()), status=status, error=error, took_ms=round((time.monotonic() - began) * 1000)
        )
        try:
            await asyncio.to_thread(self._note, endpoint, claimed, attempt, retry_after_s)
        except RedisError as failure:  # its claim ends: it is sent again, under the same id
            logger.warning("webhook_outcome_not_written", extra={"delivery": delivery.id, "error": str(failure)})

    async def _mail(self, endpoint: StoredWebhook, delivery: Delivery, ends_at: float) -> None:
        """Send it as a mail. The thread is waited for, however long it takes: it may still deliver."""
        arguments = (self._limits.smtp_url, self._limits.smtp_from, endpoint.url, delivery, ends_at)
        await asyncio.get_running_loop().run_in_executor(_mailers, send_mail, *arguments)

    async def _send(self, endpoint: StoredWebhook, delivery: Delivery) -> tuple[int | None, str | None, float | None]:
        """Send it; returns the status of the answer, what is wrong with it, and for how long it asks to wait."""
        parts = urlsplit(endpoint.url)
        host, plain = parts.hostname or "", parts.scheme == "http"
        port = parts.port or (80 if plain else 443)
        address = await resolve(host, port, self._limits.allowed, plain=plain)
        netloc = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        now, body = datetime.now(UTC), delivery.body.encode()
        request = self._http.build_request(
            "POST",
            urlunsplit(parts._replace(netloc=netloc, fragment="")),
            content=body,
            headers={
                "Host": parts.netloc,
                "Content-Type": "application/json",
                **headers_of(delivery.id, body, in_use(endpoint.secrets, now), now),
            },
            extensions={"sni_hostname": host},
        )
        response = await self._http.send(request, stream=True)
        try:
            answer = await _beginning(response)
        finally:
            await response.aclose()
        if response.is_success:
            return response.status_code, None, None
        wrong = f"It answered {response.status_code}"
        if response.is_redirect:
            wrong += ", a redirect, which is not followed: set the URL that it leads to"
        elif answer:
            wrong += f": {answer}"
        return response.status_code, wrong[:300], _retry_after_s(response)

    def _note(
        self, endpoint: StoredWebhook, claimed: Claimed, attempt: DeliveryAttempt, retry_after_s: float | None
    ) -> None:
        delivery = claimed.delivery
        delivery.attempts = [*delivery.attempts, attempt][-_KEPT_ATTEMPTS:]
        delivery.attempt_count += 1
        now, retry_at_ms = now_ms(), None
        delivery.next_attempt_at = None
        if attempt.error is None:
            delivery.state, delivery.settled_at = DeliveryState.DELIVERED, from_ms(now)
        else:
            since = delivery.since or delivery.created_at
            tried = sum(each.at >= since for each in delivery.attempts)
            wait_s = _wait_s(self._limits.backoff_s, max(tried, 1), retry_after_s)
            began_ms = int(since.timestamp() * 1000)
            if attempt.status == 410 or not endpoint.enabled or now + wait_s * 1000 > began_ms + _GIVEN_UP_MS:
                delivery.state, delivery.settled_at = DeliveryState.GIVEN_UP, from_ms(now)
                logger.warning(
                    "webhook_given_up",
                    extra={"webhook": endpoint.id, "delivery": delivery.id, "error": attempt.error},
                )
            else:
                retry_at_ms = self._store.server_ms() + int(wait_s * 1000)
                delivery.next_attempt_at = from_ms(now + int(wait_s * 1000))
        reason, after_ms = self._why_to_disable(attempt) if endpoint.enabled else ("", 0)
        verdict = self._store.settle(claimed, retry_at_ms, reason=reason[:500], after_ms=after_ms)
        if verdict.is_disabled:
            logger.error("webhook_disabled", extra={"webhook": endpoint.id, "reason": reason})

    def _why_to_disable(self, attempt: DeliveryAttempt) -> tuple[str, int]:
        """Why an endpoint is disabled after an attempt that failed, where it has failed for so long (ms)."""
        if attempt.status == 410:
            return "It answered 410: it is gone for good.", -1
        days = self._limits.disable_after_ms / 86_400_000
        reason = f"It has taken nothing for {days:g} days (WEBHOOK_DISABLE_AFTER_DAYS): {attempt.error}"
        return reason, self._limits.disable_after_ms


async def _beginning(response: httpx.Response) -> str:
    """The beginning of an answer; the rest is not read."""
    read = b""
    async for piece in response.aiter_raw():
        read += piece
        if len(read) >= _MOST_ANSWER_BYTES:
            break
    return " ".join(read[:_MOST_ANSWER_BYTES].decode(errors="replace").split())[:200]


def _wait_s(backoff_s: Sequence[float], attempts: int, retry_after_s: float | None) -> float:
    """How long it is until the next attempt: longer after each, and never quite the same for several."""
    step = backoff_s[min(attempts, len(backoff_s)) - 1]
    return max(step * random.uniform(0.9, 1.1), retry_after_s or 0)  # noqa: S311 (nobody has to be unable to guess it)


def _retry_after_s(response: httpx.Response) -> float | None:
    text: Any = response.headers.get("retry-after")
    if not text or response.status_code not in {429, 503}:
        return None
    try:
        wait_s = float(text) if text.isdigit() else parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait_s, 0), _LONGEST_WAIT_S)
