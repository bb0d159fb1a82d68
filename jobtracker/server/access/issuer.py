"""The keys of an OpenID Connect issuer: found by discovery, kept for some minutes, read anew where one is missing."""

import asyncio
import logging
from typing import Any

import httpx
import jwt

from jobtracker.errors import IssuerUnavailableError

logger = logging.getLogger("jobtracker.server")

KEYS_KEPT_S = 300.0
"""A key that the issuer has withdrawn is accepted for so long, at most; longer only while the issuer is away."""

KEPT_WHILE_AWAY_S = 3600.0
ASKED_EVERY_S = 5.0
"""The issuer is asked at most so often, also if tokens name keys that it does not have."""

_TIMEOUT_S = 3.0
_MOST_BYTES = 1024 * 1024
_KINDS = frozenset({"RSA", "EC", "OKP"})
"""Kinds of public keys. With a symmetric key, everybody who can check a token could also make one."""


class Issuer:
    """An issuer of tokens.

    Args:
        url: Its name, which is where its configuration is found.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._read_at = self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def key(self, key_id: str | None) -> jwt.PyJWK | None:
        """The key of that id, or its only one where a token names none; None: it has none such.

        Raises:
            IssuerUnavailableError: Its keys can't be read.
        """
        await self._refresh(KEYS_KEPT_S)
        if key_id not in self._keys and key_id is not None:
            await self._refresh(ASKED_EVERY_S)  # it may be new
        return self._keys.get(key_id)

    async def _refresh(self, older_than_s: float) -> None:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._read_at < older_than_s or (now - self._asked_at < ASKED_EVERY_S and self._keys):
                return
            if now - self._asked_at < ASKED_EVERY_S:
                raise IssuerUnavailableError(self.url, "it did not answer a moment ago")
            self._asked_at = now
            try:
                self._keys = await self._read()
                self._read_at = now
            except (httpx.HTTPError, ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
                logger.warning("issuer_unavailable", extra={"issuer": self.url, "error": str(error)})
                if not self._keys or now - self._read_at > KEPT_WHILE_AWAY_S:
                    self._keys = {}
                    raise IssuerUnavailableError(self.url, str(error) or type(error).__name__) from error

    async def _read(self) -> dict[str | None, jwt.PyJWK]:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as http:
            about = await _json(http, f"{self.url.rstrip('/')}/.well-known/openid-configuration")
            if about["issuer"] != self.url:
                raise ValueError(f"its configuration names another issuer, {str(about['issuer'])[:200]!r}")
            found = await _json(http, about["jwks_uri"])
        usable = [
            each
            for each in found["keys"]
            if each.get("kty") in _KINDS and each.get("use", "sig") == "sig" and "d" not in each
        ]
        keys: dict[str | None, jwt.PyJWK] = {}
        for each in usable:
            try:
                keys[each.get("kid")] = jwt.PyJWK(each)
            except jwt.PyJWTError:  # of an algorithm that is not known here
                continue
        if len(keys) == 1:
            keys[None] = next(iter(keys.values()))
        return keys


async def _json(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """What stands there.

    Raises:
        httpx.HTTPError: It can't be read.
        ValueError: It is no JSON, or too large.
        TypeError: It is no JSON object.
    """
    text = b""
    async with http.stream("GET", url) as response:
        response.raise_for_status()
        async for piece in response.aiter_bytes():
            text += piece
            if len(text) > _MOST_BYTES:
                raise ValueError(f"{url} answers with more than {_MOST_BYTES} bytes")
    found = httpx.Response(200, content=text).json()
    if not isinstance(found, dict):
        raise TypeError(f"{url} does not answer with a JSON object")
    return found
