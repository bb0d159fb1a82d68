"""The keys of an OpenID Connect issuer: found by discovery, kept for some minutes, read anew where one is missing."""

import asyncio
import logging
from typing import Any, Literal, NamedTuple, TypeVar

import httpx
import jwt
from pydantic import BaseModel, ConfigDict, ValidationError

from jobtracker.errors import IssuerUnavailableError

logger = logging.getLogger("jobtracker.server")

KEYS_KEPT_S = 300.0
"""A key that the issuer has withdrawn is accepted for so long, at most; longer only while the issuer is away."""

KEPT_WHILE_AWAY_S = 3600.0
ASKED_EVERY_S = 5.0
"""The issuer is asked at most so often, also if tokens name keys that it does not have."""

READ_WITHIN_S = 3.0
"""The issuer has so long for its configuration and its keys together; nobody waits for longer."""

_READ_AFTER = 0.8
"""Keys that are so much of `KEYS_KEPT_S` old are read anew, before anybody has to wait for that."""
_MOST_BYTES = 1024 * 1024
_MOST_KEYS = 100

_OF_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_OF_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
ALGORITHMS = (*_OF_RSA, *_OF_CURVE.values())
"""Those with a public key. Never "none", and none with a shared secret: who can check a token by it can make one."""

M = TypeVar("M", bound=BaseModel)


class PublicKey(NamedTuple):
    """A key of the issuer.

    Attributes:
        key: The key, as PyJWT takes it.
        algorithms: Those of `ALGORITHMS` with which the issuer may sign by it.
    """

    key: Any
    algorithms: tuple[str, ...]


class Issuer:
    """An issuer of tokens.

    Args:
        url: Its name, which is where its configuration is found.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._keys: dict[str | None, list[PublicKey]] = {}
        self._read_at = self._asked_at = float("-inf")
        self._failure: str | None = None
        """Why it could not be read when it was asked last; None: it could."""
        self._reading: asyncio.Task[None] | None = None

    async def key(self, key_id: str | None, algorithm: str) -> PublicKey | None:
        """A key by which a token may be signed; None: the issuer has none such.

        Who needs a key that is known does not wait for the issuer.

        Args:
            key_id: The key's id; None: the token names none, so it is the only one.
            algorithm: Of the token.

        Raises:
            IssuerUnavailableError: The issuer's keys can't be read.
        """
        age_s = self._now() - self._read_at
        if age_s >= KEYS_KEPT_S * _READ_AFTER:
            self._begin_to_read()
        if age_s >= KEPT_WHILE_AWAY_S or (age_s >= KEYS_KEPT_S and self._failure is None):
            await self._end_of_reading()
        if self._now() - self._read_at >= KEPT_WHILE_AWAY_S:
            raise IssuerUnavailableError(self.url, self._failure or "it did not answer a moment ago")
        if key_id is not None and key_id not in self._keys:  # it may be new
            self._begin_to_read()
            await self._end_of_reading()
        return next((each for each in self._keys.get(key_id, ()) if algorithm in each.algorithms), None)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _begin_to_read(self) -> None:
        """Read its keys, unless that is being done, or was done a moment ago."""
        if self._reading is None and self._now() - self._asked_at >= ASKED_EVERY_S:
            self._asked_at = self._now()
            self._reading = asyncio.create_task(self._read_anew())

    async def _end_of_reading(self) -> None:
        if self._reading is not None:
            await asyncio.shield(self._reading)  # others may wait for it too

    async def _read_anew(self) -> None:
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                self._keys = await self._read()
            self._read_at, self._failure = self._asked_at, None
        except TimeoutError:
            self._failed(f"it did not answer within {READ_WITHIN_S:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            self._failed(str(error) or type(error).__name__)
        finally:
            self._reading = None

    def _failed(self, why: str) -> None:
        self._failure = why
        logger.warning("issuer_unavailable", extra={"issuer": self.url, "error": why})

    async def _read(self) -> dict[str | None, list[PublicKey]]:
        async with httpx.AsyncClient(timeout=READ_WITHIN_S) as http:
            about = await _document(http, f"{self.url.rstrip('/')}/.well-known/openid-configuration", _Configuration)
            if about.issuer != self.url:
                raise ValueError(f"its configuration names another issuer, {about.issuer[:200]!r}")
            found = await _document(http, about.jwks_uri, _KeySet)
        keys: dict[str | None, list[PublicKey]] = {}
        for each in found.keys[:_MOST_KEYS]:
            try:
                given = _Key.model_validate(each)
                if key := given.public_key():
                    keys.setdefault(given.kid, []).append(key)
            except (jwt.PyJWTError, ValueError) as error:  # one that is not known here
                logger.info("issuer_key_not_used", extra={"issuer": self.url, "error": type(error).__name__})
        if len(only := [key for several in keys.values() for key in several]) == 1:
            keys[None] = only
        return keys


class _Configuration(BaseModel):
    """What is needed of an issuer's configuration (OpenID Connect Discovery 1.0)."""

    issuer: str
    jwks_uri: str


class _KeySet(BaseModel):
    """A set of keys (RFC 7517)."""

    keys: list[Any]


class _Key(BaseModel):
    """A public key that signs (RFC 7517, 7518, 8037). Other kinds, and private keys, are none."""

    model_config = ConfigDict(strict=True)

    kty: Literal["RSA", "EC", "OKP"]
    kid: str | None = None
    use: Literal["sig"] | None = None
    alg: str | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None
    d: None = None

    def public_key(self) -> PublicKey | None:
        """The key; None: no algorithm goes with it.

        Raises:
            jwt.PyJWTError, ValueError: It is none.
        """
        fitting = _OF_RSA if self.kty == "RSA" else (_OF_CURVE.get(self.crv or "", ""),)
        algorithms = tuple(name for name in fitting if name and self.alg in {None, name})
        if not algorithms:
            return None
        return PublicKey(jwt.PyJWK(self.model_dump(exclude_none=True), algorithms[0]).key, algorithms)


async def _document(http: httpx.AsyncClient, url: str, model: type[M]) -> M:
    """The JSON document that stands there.

    Raises:
        httpx.HTTPError, httpx.InvalidURL: It can't be read.
        ValueError: It is another one, or too large.
    """
    text = b""
    async with http.stream("GET", url) as response:
        response.raise_for_status()
        async for piece in response.aiter_bytes():
            text += piece
            if len(text) > _MOST_BYTES:
                raise ValueError(f"{url} answers with more than {_MOST_BYTES} bytes")
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_input=False)[0]
        raise ValueError(f"{url}: {'.'.join(map(str, found['loc']))}: {found['msg']}") from error
