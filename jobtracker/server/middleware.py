"""Middleware for every request: its id, its time, the service's name and version, a log line."""

import logging
import time
import uuid
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobtracker.core.traceparent import HEADER
from jobtracker.logging import request_id_var
from jobtracker.schemas.problems import REQUEST_ID
from jobtracker.server.access.needs import PRINCIPAL
from jobtracker.server.encoded_paths import decoded, path_as_asked
from jobtracker.server.problems import unexpected
from jobtracker.tracing.active import continued, current

logger = logging.getLogger("jobtracker.server")
access_logger = logging.getLogger("jobtracker.server.access")


_FAILED = 400

_PROBES = {"/api/health", "/metrics"}


def is_probe(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request only asks whether the API is there, or for its metrics: of these there are many."""
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
        return False
    return str(scope["path"]).removeprefix(scope.get("root_path", "")) in _PROBES


class RequestContext:
    """Uses the caller's X-Request-ID or makes one. Answers carry it, X-Process-Time (s), and the service's name.

    Args:
        app: The wrapped application.
        service: The service's name.
        version: Its version.
        debug: Show unexpected errors to the caller.
    """

    def __init__(self, app: ASGIApp, service: str, version: str, *, debug: bool) -> None:
        self.app = app
        self.service = service
        self.version = version
        self.debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if current() is None and (traceparent := headers.get(HEADER)):  # else FastAPI has begun a span of the request
            with continued(traceparent):
                await self._answer(scope, receive, send, headers)
        else:
            await self._answer(scope, receive, send, headers)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        began = time.perf_counter()
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        token = request_id_var.set(request_id)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                answer["X-Request-ID"] = request_id
                answer["X-Process-Time"] = f"{time.perf_counter() - began:.6f}"
                answer["X-Service-Name"] = self.service
                answer["X-Service-Version"] = self.version
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:
            # Here, for Starlette would answer it without these headers, and end the connection.
            logger.exception("unexpected_error")
            if status:  # the answer had begun
                raise
            response = unexpected(Request(scope), error, debug=self.debug)
            await response(scope, receive, send_with_headers)
        finally:
            principal = scope.get(PRINCIPAL)
            access_logger.log(
                logging.DEBUG if is_probe(scope) and status < _FAILED else logging.INFO,
                "request",
                extra={
                    **({"principal": principal.name, "key_id": principal.key_id} if principal else {}),
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "duration_ms": round((time.perf_counter() - began) * 1000, 3),
                },
            )
            request_id_var.reset(token)


class EncodedSlashes:
    """Lets an encoded slash (%2F) be part of an id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and b"%2f" in scope.get("raw_path", b"").lower():
            scope = {**scope, "path": decoded(path_as_asked(scope))}
        await self.app(scope, receive, send)


class HeadAsGet:
    """Answers HEAD like GET, without the body. FastAPI's routes do not do this themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        is_done = False

        async def send_without_body(message: Message) -> None:
            nonlocal is_done
            if message["type"] != "http.response.body":
                await send(message)
            elif not is_done:  # a live stream would not end
                is_done = True
                await send({**message, "body": b"", "more_body": False})

        await self.app({**scope, "method": "GET"}, receive, send_without_body)
