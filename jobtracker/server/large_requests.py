"""Large requests are answered by another process.

Python's parser of JSON, and pydantic, hold the interpreter while they work: 0.1 s or more for ten megabytes. No other
request of the process is answered meanwhile. The other process is started with the first large request, does one at a
time, and ends when no large request has come for a while. Then the system has its memory back.
"""

import asyncio
import logging
import multiprocessing
import signal
import threading
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobtracker.logging import request_id_var
from jobtracker.schemas.problems import MAY_BE_DONE
from jobtracker.server.access.needs import PRINCIPAL
from jobtracker.server.access.quotas import act_as
from jobtracker.server.answering import answering_app, log_json
from jobtracker.server.auditing import CLIENT
from jobtracker.server.problems import problem, unexpected
from jobtracker.server.settings import ApiSettings
from jobtracker.tracing.active import continued, current
from jobtracker.tracing.export import start_export

logger = logging.getLogger("jobtracker.server")

_IDLE_S = 60
"""How long the other process is kept without a request."""

_LONGEST_S = 120
"""How long it may take for one request. After that it is killed."""

_OF_SCOPE = (
    "type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path", "headers",
    "client", "server", CLIENT, PRINCIPAL,
)  # fmt: skip
"""What the other process gets of a request."""


class Answer(NamedTuple):
    """A response, whole."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class LargeRequests:
    """Answers requests with large bodies in a separate process, one at a time."""

    def __init__(self, settings: ApiSettings) -> None:
        self.settings = settings
        self.turn = asyncio.Lock()
        self.helper: _Helper | None = None
        self.end: asyncio.TimerHandle | None = None

    async def answer(self, scope: Scope, body: bytearray, receive: Receive, send: Send) -> None:
        """Answer one request, whose body was read."""
        answer = await self._ask({name: scope[name] for name in _OF_SCOPE if name in scope}, body)
        if answer is None:
            detail = (
                "Its process ended or took too long. The request may be done in part. Sent again with the same "
                "Idempotency-Key, it is done once; without one, look before you send it again."
            )
            answered = problem(Request(scope), 503, "The request was too much", detail, type=MAY_BE_DONE)
            await answered(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _ask(self, scope: dict[str, Any], body: bytearray) -> Answer | None:
        async with self.turn:
            if self.end:
                self.end.cancel()
            try:
                if self.helper is None:
                    self.helper = await asyncio.to_thread(_Helper, self.settings)
                answer = await asyncio.to_thread(self.helper.ask, scope, body, (request_id_var.get(), current()))
            except (OSError, EOFError) as error:
                logger.warning("large_request_failed", extra={"error": repr(error)})
                self._stop()
                return None
            self.end = asyncio.get_running_loop().call_later(_IDLE_S, self._stop)
            return answer

    def _stop(self) -> None:
        if self.helper:
            asyncio.get_running_loop().run_in_executor(None, self.helper.kill)
            self.helper = None


class _Helper:
    """The other process, seen from this one."""

    def __init__(self, settings: ApiSettings) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would take the threads' locks along
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(theirs, settings), name="large-requests", daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, scope: dict[str, Any], body: bytearray, belongs_to: tuple[str | None, str | None]) -> Answer:
        """Answer a request. The process is killed if any step takes longer than `_LONGEST_S`.

        Args:
            scope: Of the request.
            body: Of it.
            belongs_to: The id of the request, and the `traceparent` of its span.

        Raises:
            OSError: The process ended while it was told of the request.
            EOFError: The process ended before it had answered.
        """
        overdue = threading.Timer(_LONGEST_S, self.process.kill)
        overdue.start()
        try:
            self.connection.send((scope, belongs_to))
            self.connection.send_bytes(body)
            status, headers = self.connection.recv()
            return Answer(status, headers, self.connection.recv_bytes())
        finally:
            overdue.cancel()

    def kill(self) -> None:
        """Kill it at once. What it has recorded stays recorded."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection, settings: ApiSettings) -> None:
    """Answer requests until the parent process has closed the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    log_json(settings)
    start_export(settings.service_name)
    asyncio.run(_answer_all(connection, settings))


async def _answer_all(connection: Connection, settings: ApiSettings) -> None:
    app = answering_app(settings, runs_maintenance=False)
    async with app.router.lifespan_context(app):
        while True:
            try:
                scope, (request_id, traceparent) = connection.recv()
                body = connection.recv_bytes()
            except EOFError:
                return
            request_id_var.set(request_id)
            act_as(app, scope.get(PRINCIPAL))
            with continued(traceparent):
                answer = await _answer(app, scope, body, debug=settings.debug)
            del body
            connection.send((answer.status, answer.headers))
            connection.send_bytes(answer.body)


async def _answer(app: ASGIApp, scope: dict[str, Any], body: bytes, *, debug: bool) -> Answer:
    status, headers, pieces = 500, [], [body]

    async def receive() -> Message:
        if not pieces:
            await asyncio.Event().wait()  # for the client to leave, which is not seen from here
        return {"type": "http.request", "body": pieces.pop(), "more_body": False}

    answered: list[bytes] = []

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message["headers"])
        else:
            answered.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception as error:
        logger.exception("unexpected_error")
        response = unexpected(Request(scope), error, debug=debug)
        return Answer(response.status_code, response.raw_headers, bytes(response.body))
    return Answer(status, headers, b"".join(answered))
