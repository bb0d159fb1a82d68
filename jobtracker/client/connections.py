"""Connections to the stream of events, one of each client."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import httpx

from jobtracker.client.calls import Call
from jobtracker.client.errors import ApiError, ApiUnavailableError
from jobtracker.client.event_stream import EventDecoder
from jobtracker.client.steps import Listen
from jobtracker.schemas.events import LiveEvent


class Transport(NamedTuple):
    """What a client does for it."""

    request: Callable[[Listen], httpx.Request]
    """The request that opens a stream."""
    unanswered: Callable[[Call[Any], httpx.TransportError], ApiUnavailableError]
    """The error that there was no answer."""
    read: Callable[[Call[Any], httpx.Response], Any]
    """What the API answered; raises its refusal."""


class _Stream:
    def __init__(self, http: Any, transport: Transport) -> None:
        self._http = http
        self._transport = transport
        self._decoder = EventDecoder()
        self._events: deque[LiveEvent] = deque()

    def _refuse(self, step: Listen, response: httpx.Response) -> None:
        """Raise what an answer says that is no stream."""
        self._transport.read(step.call, response)
        raise ApiError(f"{response.url} answers {response.status_code} with no stream of events.")

    def _take(self, piece: bytes) -> None:
        self._events += self._decoder.feed(piece)


def _is_stream(response: httpx.Response) -> bool:
    return response.status_code == 200 and response.headers.get("content-type", "").startswith("text/event-stream")


class BlockingStream(_Stream):
    """The stream of a flow of a `Client`; closed until it is opened."""

    _response: httpx.Response | None = None
    _pieces: Iterator[bytes] = iter(())

    def open(self, step: Listen) -> None:
        """Open it, in the place of one that is open.

        Raises:
            ApiUnavailableError: The API does not answer, or has too many.
            ApiError: It has none.
        """
        self.close()
        try:
            self._response = response = self._http.send(self._transport.request(step), stream=True)
            if not _is_stream(response):
                response.read()
                self._refuse(step, response)
        except httpx.TransportError as error:
            raise self._transport.unanswered(step.call, error) from error
        self._decoder, self._pieces = EventDecoder(step.last_event_id), response.iter_bytes()

    def next_event(self) -> LiveEvent | None:
        """Wait for the next event; None: the stream has ended, or was lost."""
        try:
            while not self._events:
                self._take(next(self._pieces))
        except (StopIteration, httpx.TransportError, httpx.StreamError, ValueError):
            self.close()
            return None
        return self._events.popleft()

    def close(self) -> None:
        """Close it."""
        self._events.clear()
        response, self._response, self._pieces = self._response, None, iter(())
        if response is not None:
            response.close()


class AsyncStream(_Stream):
    """The stream of a flow of an `AsyncClient`; closed until it is opened."""

    _response: httpx.Response | None = None
    _pieces: AsyncIterator[bytes] | None = None

    async def open(self, step: Listen) -> None:
        """Open it, in the place of one that is open.

        Raises:
            ApiUnavailableError: The API does not answer, or has too many.
            ApiError: It has none.
        """
        await self.close()
        try:
            request = self._transport.request(step)
            self._response = response = await self._http.send(request, stream=True)
            if not _is_stream(response):
                await response.aread()
                self._refuse(step, response)
        except httpx.TransportError as error:
            raise self._transport.unanswered(step.call, error) from error
        self._decoder, self._pieces = EventDecoder(step.last_event_id), response.aiter_bytes()

    async def next_event(self) -> LiveEvent | None:
        """Wait for the next event; None: the stream has ended, or was lost."""
        try:
            while not self._events:
                if self._pieces is None:
                    return None
                self._take(await anext(self._pieces))
        except (StopAsyncIteration, httpx.TransportError, httpx.StreamError, ValueError):
            await self.close()
            return None
        return self._events.popleft()

    async def close(self) -> None:
        """Close it."""
        self._events.clear()
        response, self._response, self._pieces = self._response, None, None
        if response is not None:
            await response.aclose()
