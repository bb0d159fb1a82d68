"""Tokens (JWT) of an OpenID Connect issuer: who somebody is, and in which groups."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jwt

from jobtracker.core.access import Principal, PrincipalKind, Scope, name_of
from jobtracker.errors import NotAuthenticatedError
from jobtracker.server.access.issuer import ALGORITHMS, Issuer

_LEEWAY_S = 30
"""How far the clocks of the issuer and of this machine may be apart."""

_REQUIRED = ["exp", "iss", "aud"]
_MOST_CHARS = 16_384


class Tokens:
    """Says whose a token is.

    Args:
        issuer: Who must have made it.
        audience: For whom it must be made: the name that the issuer knows this API by.
        name_claim: The claim that says who it is.
        groups_claim: The claim that lists the groups; `a.b` for `b` within `a`.
        scopes_of: What members of groups may do.
    """

    def __init__(
        self,
        issuer: Issuer,
        audience: str,
        name_claim: str,
        groups_claim: str,
        scopes_of: Callable[[Iterable[str]], frozenset[Scope]],
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._name_claim = name_claim
        self._groups_claim = groups_claim
        self._scopes_of = scopes_of

    async def principal_of(self, text: str) -> Principal:
        """Whose a token is.

        Raises:
            NotAuthenticatedError: It is not accepted; the message says why.
            IssuerUnavailableError: The issuer's keys can't be read.
        """
        claims = await self._claims(text)
        name = claims.get(self._name_claim) or claims.get("sub")
        if not isinstance(name, str) or not name:
            raise NotAuthenticatedError(
                f"The token does not say who the caller is: it has no claim {self._name_claim!r}."
            )
        scopes = self._scopes_of(_texts(_within(claims, self._groups_claim)))
        return Principal(name_of(name), scopes, kind=PrincipalKind.TOKEN)

    async def _claims(self, text: str) -> dict[str, Any]:
        try:
            if len(text) > _MOST_CHARS:
                raise jwt.InvalidTokenError("it is too long")
            head = jwt.get_unverified_header(text)
            algorithm = head.get("alg")
            if algorithm not in ALGORITHMS:
                raise jwt.InvalidAlgorithmError(f"its algorithm is {str(algorithm)[:20]!r}")
            found = await self._issuer.key(head.get("kid"), algorithm)
            if found is None:
                raise jwt.InvalidKeyError(f"its issuer has no such key for {algorithm}")
            claims: dict[str, Any] = jwt.decode(
                text,
                found.key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer.url,
                leeway=_LEEWAY_S,
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise NotAuthenticatedError(
                f"The token is not accepted: {error}. Get a new one from its issuer."
            ) from error
        return claims


def _within(claims: Mapping[str, Any], path: str) -> Any:
    found: Any = claims.get(path)
    if found is None and "." in path:
        found = claims
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _texts(value: Any) -> list[str]:
    """Groups as a list, or as one text with spaces between them."""
    if isinstance(value, str):
        return value.split()
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
