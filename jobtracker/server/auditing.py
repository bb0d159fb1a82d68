"""Writes the audit: one entry for each request that asks for a change.

The entry is written before the route's function is called, in its thread, and completed before the answer is sent. A
request that is refused before that gets its entry then. These get none, because anybody can send as many as they
like, and would push out the others: requests without a valid identity (401), beyond their rate (429), or to no route.
Routes that anybody may ask begin their entry themselves, when the caller is known, and that there is a change.
"""

import asyncio
import functools
import inspect
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobtracker.errors import StoreMismatchError
from jobtracker.logging import request_id_var
from jobtracker.schemas.audit import AuditOutcome
from jobtracker.server.encoded_paths import with_slashes
from jobtracker.store.audit import AuditLog

CLIENT = "jobtracker.client"
"""The address in a request's scope, where trusted proxies say another one than that of the peer."""

_CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_RECORDED = frozenset({401, 405, 429})
_BELOW_JOBS = "/api/jobs/"

F = TypeVar("F", bound=Callable[..., Any])


class AuditedRequest:
    """One request that asks for a change.

    Args:
        log: Where its entry is written.
        scope: The request.
    """

    def __init__(self, log: AuditLog, scope: Scope) -> None:
        self._log = log
        self._scope = scope
        self._began = time.monotonic()
        self._entry_id: str | None = None
        self._about: dict[str, Any] = {}
        self.has_ended = False

    def begin(self, action: str) -> None:
        """Write the entry: its change is about to be carried out. One that is tried again has one entry."""
        if self._entry_id is None:
            self._entry_id = self._log.begin("api", action, **self._known())

    def note(self, **about: Any) -> None:
        """Say more of the change, while it is carried out: target, filter, count."""
        self._about |= about

    def end(self, status: int, headers: Mapping[str, str]) -> None:
        """Complete the entry, or write it whole if its change was never begun."""
        self.has_ended = True
        outcome = AuditOutcome.DONE if status < 400 else AuditOutcome.REFUSED if status < 500 else AuditOutcome.FAILED
        ended = {"status": status, "took_ms": round((time.monotonic() - self._began) * 1000), **self._about}
        if _BELOW_JOBS in (made := headers.get("location", "")):
            ended.setdefault("target", made.partition(_BELOW_JOBS)[2])
        if self._entry_id is not None:
            self._log.end(self._entry_id, outcome, **ended)
        elif (
            (endpoint := self._scope.get("endpoint")) and status not in _NOT_RECORDED and not _audits_itself(endpoint)
        ):
            with suppress(StoreMismatchError):  # nothing was changed, and the answer says why
                self._log.add("api", endpoint.__name__, outcome, self._known(), **ended)

    def end_with(self, answer: Any, status: int) -> None:
        """Complete the entry of a change that was carried out.

        Args:
            answer: What the function of its route returned.
            status: The status of the answer, unless that is a response.
        """
        if isinstance(answer, Response):
            self.end(answer.status_code, answer.headers)
            return
        if made := getattr(answer, "id", None):
            self._about.setdefault("target", str(made))
        self.end(status, {})

    def _known(self) -> dict[str, Any]:
        peer = self._scope.get("client")
        named = [*self._scope.get("path_params", {}).values()]
        return {
            "request_id": request_id_var.get(),
            "peer": self._scope.get(CLIENT) or (peer[0] if peer else None),
            "target": with_slashes(str(named[0])) if named else None,
        }


_under_way: ContextVar[AuditedRequest | None] = ContextVar("audited_request", default=None)


def note_audit(**about: Any) -> None:
    """Say more of the change that is carried out: its target, the filter that chose the jobs, their count.

    Args:
        about: Fields of `AuditEntry`.
    """
    if request := _under_way.get():
        request.note(**about)


def audits_itself(endpoint: F) -> F:
    """Mark a route that anybody may ask, a coroutine: it has an entry only if it calls `begin_audit`."""
    endpoint.audits_itself = True  # type: ignore[attr-defined] # read by `_audits_itself`
    return endpoint


def _audits_itself(endpoint: Callable[..., Any]) -> bool:
    return hasattr(endpoint, "audits_itself")


async def begin_audit(action: str) -> None:
    """Write the entry of a change that is about to be carried out, in the name of the caller (`acting`)."""
    if request := _under_way.get():
        await asyncio.to_thread(request.begin, action)


def audited(function: Callable[..., Any], status: int) -> Callable[..., Any]:
    """The function of a route that changes something, with an entry around it.

    Args:
        function: It runs in a thread, unless it is a coroutine.
        status: The status of its answer, if it does not return a response.
    """

    @functools.wraps(function)
    def call(**arguments: Any) -> Any:
        request = _under_way.get()
        if request is None:
            return function(**arguments)
        request.begin(function.__name__)
        answer = function(**arguments)
        request.end_with(answer, status)
        return answer

    @functools.wraps(function)
    async def call_coroutine(**arguments: Any) -> Any:
        request = _under_way.get()
        if request is None:
            return await function(**arguments)
        if not _audits_itself(function):
            await asyncio.to_thread(request.begin, function.__name__)
        answer = await function(**arguments)
        await asyncio.to_thread(request.end_with, answer, status)
        return answer

    return call_coroutine if inspect.iscoroutinefunction(function) else call


class Audited:
    """Completes the entries of requests that ask for changes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] in _CHANGES_NOTHING:
            await self.app(scope, receive, send)
            return
        request = AuditedRequest(scope["app"].state.audit_log, scope)
        token = _under_way.set(request)

        async def send_when_written(message: Message) -> None:
            if message["type"] == "http.response.start" and not request.has_ended:
                await asyncio.to_thread(request.end, message["status"], {})
            await send(message)

        try:
            await self.app(scope, receive, send_when_written)
        except Exception:
            if not request.has_ended:
                await asyncio.to_thread(request.end, 500, {})
            raise
        finally:
            _under_way.reset(token)
