"""The live stream as a response."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from fastapi.sse import EventSourceResponse
from redis.exceptions import RedisError
from starlette.types import Send

from jobtracker.errors import JobTrackerError
from jobtracker.server.access.identities import KEPT_S
from jobtracker.server.access.rates import Streams
from jobtracker.server.live.batches import Wanted
from jobtracker.server.live.hub import Hub
from jobtracker.server.live.viewers import Viewer

logger = logging.getLogger("jobtracker.server")


class EventStream(EventSourceResponse):
    """Server-sent events of what changes.

    FastAPI's own way, a generator, costs several times as much for each event.

    Args:
        hub: Whose viewer it is.
        wanted: The hints that it wants.
        last_event_id: Where it goes on; None: from now on.
        for_s: Seconds after which it ends.
        counts: Counts the streams of each; `owner` is whose it is.
        owner: Whose it is; None: it is not counted.
        check: Raises where who listens may not do so any more; the stream ends then. It is asked every `KEPT_S`.
    """

    def __init__(
        self,
        hub: Hub,
        wanted: Wanted,
        last_event_id: str | None,
        for_s: float | None,
        counts: Streams,
        owner: str | None,
        check: Callable[[], Awaitable[None]],
    ) -> None:
        # Neither a cache nor a proxy may keep it (nginx: X-Accel-Buffering).
        super().__init__((), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._hub = hub
        self._viewer = Viewer(wanted)
        self._last_event_id = last_event_id
        self._for_s = for_s
        self._counts, self._owner = counts, owner
        self._check = check

    async def stream_response(self, send: Send) -> None:
        """Send what there is to send, until the viewer leaves or the process ends."""
        self._counts.joined(self._owner)
        try:
            await self._stream(send)
        finally:
            self._counts.left(self._owner)

    async def _stream(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        hub, viewer = self._hub, self._viewer
        hub.join(viewer)
        placing = asyncio.create_task(hub.place(viewer, self._last_event_id))
        checking = asyncio.create_task(self._check_from_time_to_time())
        ending = asyncio.get_running_loop().call_later(self._for_s, viewer.end) if self._for_s else None
        try:
            while frames := await viewer.next_frames():
                await send({"type": "http.response.body", "body": frames, "more_body": True})
        finally:
            placing.cancel()
            checking.cancel()
            if ending:
                ending.cancel()
            hub.leave(viewer)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _check_from_time_to_time(self) -> None:
        try:
            while True:
                await asyncio.sleep(KEPT_S)
                with suppress(RedisError):  # nobody knows now: the next time tells
                    await self._check()
        except JobTrackerError as error:
            logger.info("stream_refused", extra={"owner": self._owner, "error": str(error)})
        finally:  # also after an error that nobody expects
            self._viewer.end()
