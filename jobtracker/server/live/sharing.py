"""Answers that several requests get: many viewers hear of a change at once, and ask for the same.

A request says which event it has seen last (`Last-Event-ID`). It may get what was read for another one, if that read
began when this process knew of that event: then what the event told of is in the answer. What comes later leads to
another event. A request without that header is always read anew: a client that writes and then reads sees its change.

No event tells of queues, workers and health (`by_clock`). Such an answer is as good for all who ask within a second.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from fastapi import Response
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from jobtracker.server.access.needs import PRINCIPAL, view_of
from jobtracker.server.conditional import conditional
from jobtracker.server.live.hub import Hub
from jobtracker.server.live.positions import Positions, reaches

LAST_EVENT_ID = "last-event-id"
"""The header in which a request says which event it has seen."""
KEPT_S = 1.0
"""An answer that is older is read anew: not all that answers tell has hints."""
MOST_KEPT = 256
MOST_BYTES = 16 * 1024 * 1024
"""Of the answers that are kept, together."""
_LARGEST_BYTES = 4 * 1024 * 1024
"""A larger one goes to those who wait for it, and is not kept."""

Read = Callable[[], Awaitable[Response]]
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_by_clock: set[Callable[..., Any]] = set()


def by_clock(endpoint: Endpoint) -> Endpoint:
    """Mark what answers a route: no event tells that its answer has changed."""
    _by_clock.add(endpoint)
    return endpoint


def is_by_clock(endpoint: Callable[..., Any]) -> bool:
    """Whether it is marked as `by_clock`."""
    return endpoint in _by_clock


def key_of(scope: Scope) -> Hashable:
    """What a request asks for, and what the caller may see: all who may see the same get the same answer."""
    return scope["path"], scope["query_string"], view_of(scope)


class _Reading:
    """An answer, or what will be one."""

    __slots__ = ("began_at", "by_clock", "knew", "size", "task")

    def __init__(self, read: Read, knew: Positions, by_clock: bool) -> None:
        self.began_at = asyncio.get_running_loop().time()
        self.by_clock = by_clock
        self.knew = knew
        """Where the hub was before the read began."""
        self.task = asyncio.ensure_future(read())
        self.size = 0
        """Bytes, once it is kept."""

    def serves(self, seen: Positions) -> bool:
        """Whether it has what was told up to there, and is young enough."""
        return (self.by_clock or reaches(self.knew, seen)) and not self.is_old()

    def is_old(self) -> bool:
        """Whether it was read too long ago; what is under way is waited for."""
        return self.task.done() and asyncio.get_running_loop().time() - self.began_at > KEPT_S


class SharedAnswers:
    """Reads once for all who ask for the same within a moment.

    Args:
        hub: Knows how far this process has read the hints.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._readings: OrderedDict[Hashable, _Reading] = OrderedDict()
        """By what was asked for, in the order in which they began."""
        self._bytes = 0

    def kept(self, key: Hashable, last_event_id: str) -> Response | None:
        """The answer that `answer` would give without a read, if it is there."""
        found = self._readings.get(key)
        if found is None or not found.size or (seen := self._hub.positions_in(last_event_id)) is None:
            return None
        return found.task.result() if found.serves(seen) else None

    async def answer(self, key: Hashable, last_event_id: str, read: Read, *, by_clock: bool = False) -> Response:
        """An answer with all that was told up to an event. It may be another one's too: do not change it.

        Args:
            key: What was asked for. Who may see different answers must have different keys.
            last_event_id: The id of the event.
            read: Reads the answer.
            by_clock: Events tell nothing of it.
        """
        seen, knew = self._hub.positions_in(last_event_id), self._hub.positions()
        if seen is None or knew is None:
            return await read()
        found = self._readings.get(key)
        if found is not None and found.serves(seen):
            response = await asyncio.shield(found.task)
            return await read() if isinstance(response, StreamingResponse) else response
        if not reaches(knew, seen):  # another process is further
            return await read()
        self._forget()
        self._drop(key)
        found = self._readings[key] = _Reading(read, knew, by_clock)
        try:
            return await asyncio.shield(found.task)  # others may wait for it too
        finally:
            if self._readings.get(key) is found:
                self._keep(key, found)

    def _keep(self, key: Hashable, reading: _Reading) -> None:
        task = reading.task
        response = task.result() if task.done() and not task.cancelled() and not task.exception() else None
        if response is None or not _may_be_kept(response):
            self._drop(key)
        else:
            reading.size = len(response.body)
            if reading.by_clock:  # it may have waited for workers as long as it may be kept
                reading.began_at = asyncio.get_running_loop().time()
            self._bytes += reading.size
            self._forget()

    def _forget(self) -> None:
        """Drop what is old, and the oldest where there is too much."""
        while self._readings:
            key, oldest = next(iter(self._readings.items()))
            is_full = self._bytes > MOST_BYTES or len(self._readings) > MOST_KEPT
            if not is_full and not oldest.is_old():
                return
            self._drop(key)

    def _drop(self, key: Hashable) -> None:
        if reading := self._readings.pop(key, None):
            self._bytes -= reading.size


class ReadyAnswers:
    """Answers at once what is kept: the way to a route costs more than that.

    Args:
        app: Answers all else. It has `shared_answers` in its state.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope.get(PRINCIPAL):
            seen = Headers(scope=scope).get(LAST_EVENT_ID)
            if seen and (response := scope["app"].state.shared_answers.kept(key_of(scope), seen)):
                await conditional(Request(scope), response)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _may_be_kept(response: Response) -> bool:
    if isinstance(response, StreamingResponse) or len(response.body) > _LARGEST_BYTES:
        return False
    return response.status_code in (200, 503)  # 503: of health; many ask for it just then
