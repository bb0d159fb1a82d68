"""The loop of an API process that tells endpoints what happens."""

import asyncio
import contextlib
import logging
import os
import socket
import time

from redis.exceptions import RedisError

from jobtracker.errors import JobTrackerError
from jobtracker.schemas.webhooks import StoredWebhook
from jobtracker.store.webhooks import WebhookStore
from jobtracker.webhooks.announcer import Announcer
from jobtracker.webhooks.conditions import Conditions
from jobtracker.webhooks.sender import Sender

logger = logging.getLogger(__name__)

_IDLE_S = 1.0
_BUSY_S = 0.05
_CONDITIONS_EVERY_S = 15.0
_SYNC_EVERY_S = 60.0


class WebhookService:
    """Records deliveries, and sends them.

    Args:
        store: The endpoints and the outbox.
        announcer: Records deliveries about jobs.
        conditions: Records deliveries about queues and workers.
        sender: Sends it.
    """

    def __init__(self, store: WebhookStore, announcer: Announcer, conditions: Conditions, sender: Sender) -> None:
        self._store = store
        self._announcer = announcer
        self._conditions = conditions
        self._sender = sender
        self._me = f"{socket.gethostname()}:{os.getpid()}"
        self._synced_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop. What is under way is sent later, by whoever is there."""
        for task in (self._task, self._looking):
            if task:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await self._sender.close()

    async def _run(self) -> None:
        while True:
            pause_s = _IDLE_S
            try:
                if await self._step():
                    pause_s = _BUSY_S
            except (RedisError, JobTrackerError) as error:
                logger.debug("webhooks_wait", extra={"error": str(error)})
            except Exception:
                logger.exception("webhooks_step_failed")
            await asyncio.sleep(pause_s)

    async def _step(self) -> bool:
        """One round; returns whether the next one should follow soon."""
        endpoints = await asyncio.to_thread(self._store.all)
        if time.monotonic() > self._synced_at + _SYNC_EVERY_S:
            await asyncio.to_thread(
                self._store.announce_if_wanted
            )  # whoever changed an endpoint may have died midway
            self._synced_at = time.monotonic()
        if not endpoints:
            return False
        has_more = await asyncio.to_thread(self._announcer.step, endpoints)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(endpoints))
        return bool(await self._sender.step(endpoints)) or has_more

    async def _look(self, endpoints: list[StoredWebhook]) -> None:
        """Look for conditions, if no other process has done so lately. Nothing waits for it: brokers may be slow."""
        try:
            if await asyncio.to_thread(self._store.lock, self._me, int(_CONDITIONS_EVERY_S * 1000)):
                await asyncio.to_thread(self._conditions.look, endpoints)
        except (RedisError, JobTrackerError) as error:
            logger.debug("webhook_conditions_wait", extra={"error": str(error)})
        except Exception:
            logger.exception("webhook_conditions_failed")
