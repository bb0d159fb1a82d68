"""Finds out who the caller is, before a request's body is read or a kept answer is given."""

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from jobtracker.core.access import Scope, shows_masked
from jobtracker.errors import IssuerUnavailableError, NotAuthenticatedError, TooManyRequestsError
from jobtracker.server.access.identities import ANONYMOUS, Identities
from jobtracker.server.access.needs import PRINCIPAL
from jobtracker.server.access.networks import client_of
from jobtracker.server.access.quotas import act_as
from jobtracker.server.auditing import CLIENT
from jobtracker.server.page_files import path_within
from jobtracker.server.problems import redis_away, refusal
from jobtracker.server.settings import API_PATHS

_OPEN = frozenset({"api/health", "api/session"})
"""Paths of the API that anybody may ask: whether it lives, and the login. Each address may ask these so often."""


_READS = frozenset({"GET", "HEAD"})


class Authentication:
    """Finds out who the caller is; refuses unknown ones (401), and those who ask too often (429).

    Routes say what the caller must be allowed.

    Args:
        app: Answers. It has `identities`, `rates` and `rates_of_strangers` in its state.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = path_within(scope) if scope["type"] == "http" else ""
        if path.partition("/")[0] not in API_PATHS:  # the page's files are for all: they say nothing
            await self.app(scope, receive, send)
            return
        identities: Identities = scope["app"].state.identities
        if proxies := identities.rules.proxies:
            scope[CLIENT] = client_of(scope, proxies)
        try:
            principal = await identities.of(scope)
            if principal != ANONYMOUS:
                scope["app"].state.rates.take(principal.account, principal.name)
        except (NotAuthenticatedError, TooManyRequestsError, IssuerUnavailableError, RedisError) as error:
            refused = _too_many_of_strangers(scope) if path.removesuffix("/") in _OPEN else error
            if refused:
                refuse = redis_away if isinstance(refused, RedisError) else refusal
                await refuse(Request(scope), refused)(scope, receive, send)  # type: ignore[arg-type] # by its type
                return
            principal = None
        scope[PRINCIPAL] = principal
        sees_masked = principal is not None and Scope.MASKED_READ in principal.scopes
        # Not in answers to writes: these may be kept for a second request with the same Idempotency-Key.
        shows_masked.set(sees_masked and scope["method"] in _READS)
        act_as(scope["app"], principal)
        try:
            await self.app(scope, receive, send)
        finally:
            act_as(scope["app"], None)
            shows_masked.set(False)


def _too_many_of_strangers(scope: AsgiScope) -> TooManyRequestsError | None:
    """Count a request of somebody who is not known, by its address; the error if it is too many."""
    try:
        peer = scope.get("client") or ("An unknown address",)
        scope["app"].state.rates_of_strangers.take(scope.get(CLIENT) or peer[0])
    except TooManyRequestsError as error:
        return error
    return None
