"""One viewer of the live stream: what waits to be sent to it, however slowly it reads."""

import asyncio
from typing import Any

from jobtracker.server.live.batches import Batch, Wanted, frame

RETRY_MS = 1000
"""After which a browser connects again."""

_PING = b": ping\n\n"


class Viewer:
    """What a viewer gets next: at most one event of each kind.

    Args:
        wanted: The hints that it wants.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._batch: Batch | None = None
        self._id = ""
        self._away: str | None = None
        self._told_away: str | None = None
        self._greeting: tuple[str, dict[str, Any]] | None = None
        self._is_greeted = False
        self._pings = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    def changed(self, batch: Batch, event_id: str) -> None:
        """These have changed, up to the position that the id names."""
        self._batch = self._batch.with_later(batch) if self._batch else batch
        self._id = event_id
        if self._is_greeted:
            self._wake()

    def begins(self, event_id: str, *, resumed: bool) -> None:
        """From here on nothing is missing."""
        if self._greeting is None or self._greeting[0] != "reset":
            self._greeting = "ready", {"resumed": resumed}
        self._greet(event_id)

    def resumes(self, missed: Batch, event_id: str) -> None:
        """It has missed these, and no others; it may have been told of later ones already."""
        if self._batch:
            missed, event_id = missed.with_later(self._batch), self._id
        self._batch = missed
        self.begins(event_id, resumed=True)

    def misses(self, event_id: str, why: str) -> None:
        """Events are missing: what waits to be sent is not worth more than that."""
        self._batch = None
        self._greeting = "reset", {"detail": why}
        self._greet(event_id)

    def away(self, why: str) -> None:
        """Redis is away."""
        self._away = why
        self._wake()

    def ping(self, event_id: str | None) -> None:
        """Show that the stream lives, and where it is; None where something is about to be sent."""
        if event_id and self._is_greeted and not self._batch:
            self._id = event_id
        self._pings = True
        self._wake()

    def end(self) -> None:
        """Send no more."""
        self._ended = True
        self._wake()

    async def next_frames(self) -> bytes:
        """The next bytes for the viewer; b"" at the end."""
        while True:
            if self._ended:
                return b""
            if found := self._frames():
                return found
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _frames(self) -> bytes:
        found = b""
        if self._away is not None:
            if self._told_away != self._away:
                self._told_away = self._away
                found += frame("away", None, {"detail": self._away})
        elif self._greeting:
            name, data = self._greeting
            # The id of what is sent next: a viewer that lost the connection in between would miss that.
            event_id = self._id if not self._batch else None
            found += frame(name, event_id, data, retry=RETRY_MS)
            self._greeting = self._told_away = None
        if self._batch and self._is_greeted and self._greeting is None:
            found += self._batch.frame(self._id)
            self._batch, self._pings = None, False
        if self._pings:
            self._pings = False
            found += _PING if self._batch or not self._is_greeted else frame(None, self._id, None, comment="ping")
        return found

    def _greet(self, event_id: str) -> None:
        self._away, self._is_greeted = None, True
        self._id = event_id
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
