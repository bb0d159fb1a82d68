"""Bodies of requests: read as a whole, with a time limit, and only a few large ones at once."""

import asyncio

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobtracker.server.large_requests import LargeRequests
from jobtracker.server.problems import problem
from jobtracker.server.settings import ApiSettings

LARGE_BYTES = 64 * 1024
"""From this size on a body counts as large. Python handles a smaller one in milliseconds."""

_MOST_LARGE = 16
"""How many large bodies are held at once. Others wait at their senders until one is done."""

_SLOWEST_BYTES_S = 50_000
"""Bytes per second. A body that arrives more slowly, beyond the client's time, gets a 408."""


class Bodies:
    """Reads a request's body before the request is answered. Another process answers requests with a large body.

    These requests are refused:

    * 413: the body is larger than MAX_REQUEST_BYTES, by its announced size or by what arrives.
    * 408: the body has not arrived within API_CLIENT_TIMEOUT_S plus the time for its size at 50 kB a second.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self.app = app
        self.most_bytes = settings.max_request_bytes
        self.patience_s = settings.api_client_timeout_s
        self.places = asyncio.Semaphore(_MOST_LARGE)
        self.large = LargeRequests(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        announced = headers.get("content-length")
        if announced is None and "transfer-encoding" not in headers:  # it has none (RFC 9112, 6.3)
            await self.app(scope, receive, send)
        elif announced and announced.isdigit() and int(announced) > self.most_bytes:
            await self._refuse_size(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = asyncio.get_running_loop().time()
        body, more, has_place = bytearray(), True, False  # one buffer: its pages go back to the system when it goes
        try:
            try:
                while more:
                    async with asyncio.timeout_at(began + self.patience_s + len(body) / _SLOWEST_BYTES_S):
                        message = await receive()
                    if message["type"] != "http.request":  # the client is gone
                        return
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > self.most_bytes:  # an endless one would be read on
                        await self._refuse_size(scope, receive, send, Connection="close")
                        return
                    if len(body) > LARGE_BYTES and not has_place:
                        waiting_since = asyncio.get_running_loop().time()
                        async with asyncio.timeout(self.patience_s):
                            has_place = await self.places.acquire()
                        began += asyncio.get_running_loop().time() - waiting_since
            except TimeoutError:
                await self._refuse_time(scope, receive, send, large=len(body) > LARGE_BYTES and not has_place)
                return
            if has_place:
                await self.large.answer(scope, body, receive, send)
            else:
                await self.app(scope, _replay(bytes(body), receive), send)
        finally:
            if has_place:
                self.places.release()

    async def _refuse_size(self, scope: Scope, receive: Receive, send: Send, **headers: str) -> None:
        detail = (
            f"The request is larger than {self.most_bytes} bytes (MAX_REQUEST_BYTES). Send a document_id instead."
        )
        response = problem(Request(scope), 413, "The request is too large", detail)
        response.headers.update(headers)
        await response(scope, receive, send)

    async def _refuse_time(self, scope: Scope, receive: Receive, send: Send, *, large: bool) -> None:
        if large:
            detail = f"{_MOST_LARGE} other large requests are under way. Try again shortly."
            response = problem(Request(scope), 503, "Too many large requests", detail)
        else:
            rate = f"{_SLOWEST_BYTES_S // 1000} kB a second"
            detail = (
                f"The body did not come to its end in {self.patience_s:g} s (API_CLIENT_TIMEOUT_S), nor in the time "
                f"for its size at {rate}."
            )
            response = problem(Request(scope), 408, "The request is not complete", detail)
        response.headers["Connection"] = "close"
        await response(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Returns a body that was already read, then the messages after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
