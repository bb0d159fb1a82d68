"""Who the caller is: by a key, a session of the page, a trusted proxy, or on this machine before there are keys."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import RedisError

from jobtracker.core.access import ROLES, Principal, PrincipalKind, Scope, name_of
from jobtracker.core.clock import now_ms
from jobtracker.errors import NotAuthenticatedError
from jobtracker.schemas.api_keys import KeyState
from jobtracker.server.access.networks import Network, address_of, is_in
from jobtracker.server.access.recent import Recent
from jobtracker.store.api_keys import ApiKeys, Credential, KnownKey
from jobtracker.store.sessions import TOKEN, Sessions

if TYPE_CHECKING:
    from jobtracker.server.access.tokens import Tokens

logger = logging.getLogger("jobtracker.server")

KEPT_S = 5.0
"""A revoked key is refused after so long, at the latest: the same key is looked up no more often."""

MOST_KEPT = 2000

COOKIE = "jobtracker_session"
"""The cookie of a session of the page."""

ANONYMOUS = Principal("anonymous", frozenset(Scope) - {Scope.MASKED_READ})
"""Anybody on this machine, or in a network of API_OPEN_TO, while nothing says who may ask."""

_HOW = (
    "Send an API key as `Authorization: Bearer jt_…`; clients read it from JOBTRACKER_API_KEY, and "
    "`jobtracker login` keeps one. `jobtracker keys create --owner NAME --role viewer` makes one, where the store "
    "can be reached."
)
_FORWARDED = frozenset(
    {
        *(b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"x-original-forwarded-for"),
        *(b"x-forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto"),
        *(b"x-forwarded-scheme", b"x-forwarded-server", b"x-forwarded-prefix", b"x-forwarded-uri"),
        *(b"x-forwarded-user", b"x-forwarded-groups", b"x-forwarded-email", b"x-forwarded-preferred-username"),
        *(b"x-auth-request-user", b"remote-user", b"x-remote-user", b"x-envoy-external-address"),
        *(b"true-client-ip", b"cf-connecting-ip", b"fastly-client-ip", b"fly-client-ip", b"cdn-loop"),
    }
)
"""Headers of proxies. A request with one of them was not made on this machine, wherever it comes from."""
_OF_INTEREST = _FORWARDED | {b"authorization", b"cookie"}


@dataclass(frozen=True)
class Rules:
    """Who may ask without a key.

    Attributes:
        open_to: Networks that count as this machine.
        proxies: Networks of proxies that say who the caller is.
        roles: The role of each group; of the group `*` that of everybody.
    """

    open_to: Sequence[Network] = ()
    proxies: Sequence[Network] = ()
    roles: Mapping[str, str] = field(default_factory=dict)

    def scopes_of(self, groups: Iterable[str]) -> frozenset[Scope]:
        """What members of these groups may do."""
        found = [ROLES[self.roles[group]] for group in [*groups, "*"] if group in self.roles]
        return frozenset().union(*found)


class _Shown(NamedTuple):
    """What a request says of the caller."""

    bearer: str | None
    session: str | None
    users: list[str]
    groups: list[str]
    is_forwarded: bool


class Identities:
    """Says who the caller is. What it has looked up is `KEPT_S` old, at most.

    Args:
        keys: The API keys.
        sessions: The sessions of the page.
        rules: Who may ask without a key.
        tokens: Says whose a token of an issuer is; None: none is accepted.
    """

    def __init__(self, keys: ApiKeys, sessions: Sessions, rules: Rules, tokens: "Tokens | None" = None) -> None:
        self._tokens = tokens
        self.rules = rules
        self._keys = keys
        self._by_key: Recent[Credential, KnownKey | None] = Recent(self._find, KEPT_S, MOST_KEPT)
        self._by_session: Recent[str, Credential | None] = Recent(sessions.find, KEPT_S, MOST_KEPT)
        self._has_keys: Recent[None, bool] = Recent(lambda _: keys.exist(), KEPT_S, 1)
        self._had_keys: bool | None = None

    def forget(self) -> None:
        """Look up all keys and sessions anew: some have changed. Any thread may say so."""
        for each in (self._by_key, self._by_session, self._has_keys):
            each.forget()

    def forget_session(self, token: str) -> None:
        """Look up that session anew: it has ended. Any thread may say so."""
        self._by_session.forget(token)

    async def of(self, scope: Mapping[str, Any]) -> Principal:
        """The caller.

        Args:
            scope: Of the request (ASGI).

        Raises:
            NotAuthenticatedError: It is not known; the message says what to do.
            RedisError: The keys can't be looked up.
            IssuerUnavailableError: The issuer's keys can't be read.
        """
        shown = _shown(scope["headers"])
        if shown.bearer is not None:
            return await self._of_bearer(shown.bearer)
        if shown.session is not None and (principal := await self.of_session(shown.session)):
            return principal
        peer = address_of((scope.get("client") or (None,))[0])
        if is_in(peer, self.rules.proxies):
            return self._of_proxy(shown)
        is_near = peer is not None and (peer.is_loopback or is_in(peer, self.rules.open_to))
        if self.rules.proxies or self._tokens or await self._keys_exist():
            raise NotAuthenticatedError(f"The API does not know who the caller is. {_HOW}")
        if not is_near or shown.is_forwarded:
            where = "came through a proxy" if is_near else f"came from {peer or 'an unknown address'}"
            raise NotAuthenticatedError(
                f"No API key was made yet: until then only this machine may ask, and networks in API_OPEN_TO. This "
                f"request {where}. {_HOW}"
            )
        return ANONYMOUS

    async def of_key(self, text: str) -> Principal:
        """Whose a key is.

        Raises:
            NotAuthenticatedError: It is none, or is not accepted any more.
        """
        credential = Credential.read(text)
        return await self._of_credential(credential)

    async def is_session(self, token: str) -> bool:
        """Whether there is such a session, whatever became of its key."""
        return await self._behind(token) is not None

    async def of_session(self, token: str) -> Principal | None:
        """Whose a session is; None: there is none such, or its key is not accepted any more."""
        credential = await self._behind(token)
        try:
            return await self._of_credential(credential) if credential else None
        except NotAuthenticatedError:
            return None

    async def _behind(self, token: str) -> Credential | None:
        """What a session stands for. What can't be the value of a cookie of ours is not looked up."""
        return await self._by_session.get(token) if TOKEN.fullmatch(token) else None

    async def _of_bearer(self, text: str) -> Principal:
        if self._tokens and not text.startswith("jt_"):
            return await self._tokens.principal_of(text)
        return await self.of_key(text)

    async def _of_credential(self, credential: Credential | None) -> Principal:
        known = await self._by_key.get(credential) if credential else None
        if known is None:
            raise NotAuthenticatedError(f"The API key is not known: is it whole? {_HOW}")
        key = known.key
        if (state := known.state_at(now_ms())) is not KeyState.ACTIVE:
            older = ", or was rotated" if state is KeyState.EXPIRED else ""
            raise NotAuthenticatedError(f"The API key {key.id} of {key.owner} is {state}{older}. {_HOW}")
        return known.principal

    def _of_proxy(self, shown: _Shown) -> Principal:
        if len(shown.users) != 1 or not shown.users[0] or len(shown.groups) > 1:
            raise NotAuthenticatedError(
                "The proxy does not say who the caller is: it must set X-Forwarded-User once, and X-Forwarded-Groups "
                f"at most once, and drop those of its clients. {_HOW}"
            )
        groups = [each.strip() for each in "".join(shown.groups).split(",")]
        return Principal(name_of(shown.users[0]), self.rules.scopes_of(groups), kind=PrincipalKind.PROXY)

    async def _keys_exist(self) -> bool:
        """Whether there are keys; while Redis is away what is known from before, for nobody makes one then."""
        try:
            self._had_keys = await self._has_keys.get(None)
        except RedisError:
            if self._had_keys is None:
                raise
        return self._had_keys

    def _find(self, credential: Credential) -> KnownKey | None:
        known = self._keys.find(credential)
        if known and known.state_at(now := now_ms()) is KeyState.ACTIVE:
            try:
                self._keys.note_use(known.key, now)
            except RedisError as error:  # it takes no writes
                logger.warning("key_use_not_noted", extra={"key_id": known.key.id, "error": str(error)})
        return known


def _shown(headers: Iterable[tuple[bytes, bytes]]) -> _Shown:
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _OF_INTEREST:
            found.setdefault(name, []).append(value)
    if not found:
        return _NOTHING
    bearers = [text for value in found.get(b"authorization", ()) if (text := _bearer(value)) is not None]
    if len(bearers) > 1:
        raise NotAuthenticatedError("The request has more than one Authorization header. Send one.")
    cookies = b"; ".join(found.get(b"cookie", ())).decode("latin-1")
    return _Shown(
        bearers[0] if bearers else None,
        _session(cookies) if COOKIE in cookies else None,
        [_text(value) for value in found.get(b"x-forwarded-user", ())],
        [_text(value) for value in found.get(b"x-forwarded-groups", ())],
        bool(found.keys() & _FORWARDED),
    )


_NOTHING = _Shown(None, None, [], [], is_forwarded=False)


def _bearer(value: bytes) -> str | None:
    """The token of an Authorization header; None of another scheme: a proxy may have asked for a password."""
    scheme, _, token = value.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _session(cookies: str) -> str | None:
    pairs = (each.strip().partition("=") for each in cookies.split(";"))
    return next((value for name, _, value in pairs if name == COOKIE and value), None)


def _text(value: bytes) -> str:
    return value.decode(errors="replace").strip()
