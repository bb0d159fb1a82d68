"""API keys, for admins."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request

from jobtracker.core.access import Principal, Scope
from jobtracker.errors import ForbiddenError
from jobtracker.schemas.api_keys import ApiKey, Grant, IssuedKey, KeyCreate, KeyRotate
from jobtracker.server.access.identities import ANONYMOUS
from jobtracker.server.access.needs import needs, principal_of
from jobtracker.server.dependencies import UseIdentities, UseKeys
from jobtracker.server.idempotency import has_secret
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.thread_route import ThreadRoute
from jobtracker.store.api_keys import ApiKeys

router = APIRouter(
    route_class=ThreadRoute, prefix="/api/keys", tags=["access"], responses={**TO_EXPECT, 503: RESPONSES[503]}
)
_MISSING: dict[int | str, dict[str, Any]] = {404: {**RESPONSES[404], "description": "There is no such key."}}
_FULL: dict[int | str, dict[str, Any]] = {
    400: RESPONSES[400],
    409: {**RESPONSES[409], "description": "There are as many keys as there may be."},
}

KeyId = Annotated[str, Path(description="The key's id.", max_length=40, examples=["3f0e7a52b3c4"])]
_ADMIN = needs(Scope.ADMIN)


@router.get("", dependencies=[_ADMIN])
async def api_keys(keys: UseKeys) -> list[ApiKey]:
    """All API keys, the oldest first, without their secrets."""
    return await asyncio.to_thread(keys.all)


@router.get("/{key_id}", responses=_MISSING, dependencies=[_ADMIN])
async def api_key(key_id: KeyId, keys: UseKeys) -> ApiKey:
    """An API key: what it may do, to which jobs it is limited, when it was used last. Its secret is not in it."""
    return await asyncio.to_thread(keys.get, key_id)


@router.post("", status_code=201, responses=_FULL, dependencies=[_ADMIN])
@has_secret
def create_key(request: Request, wanted: KeyCreate, keys: UseKeys, identities: UseIdentities) -> IssuedKey:
    """Create an API key. The answer has its secret, which can't be shown again.

    A key may do no more than the one that creates it, and does not outlive it. The first key is made with
    `jobtracker keys create`.
    """
    _check_may_give(principal_of(request), wanted, keys)
    issued = keys.create(wanted)
    identities.forget()
    return issued


@router.post("/{key_id}/rotate", responses={**_MISSING, 400: RESPONSES[400]}, dependencies=[_ADMIN])
@has_secret
def rotate_key(
    request: Request,
    key_id: KeyId,
    keys: UseKeys,
    identities: UseIdentities,
    how: Annotated[KeyRotate | None, Body()] = None,
) -> IssuedKey:
    """Give a key a new secret. The older ones are accepted for `overlap_s` seconds.

    A key that may do more than the one that asks, or outlives it, is refused.
    """
    _check_may_give(principal_of(request), keys.get(key_id), keys)
    issued = keys.rotate(key_id, (how or KeyRotate()).overlap_s)
    identities.forget()
    return issued


@router.delete("/{key_id}", responses=_MISSING, dependencies=[_ADMIN])
async def revoke_key(key_id: KeyId, keys: UseKeys, identities: UseIdentities) -> ApiKey:
    """Revoke a key, for good. It stays in the list. Other API processes refuse it after 5 s at the latest."""
    revoked = await asyncio.to_thread(keys.revoke, key_id)
    identities.forget()
    return revoked


def _check_may_give(principal: Principal, grant: Grant, keys: ApiKeys) -> None:
    """Check that nobody gives what they may not do themselves, or for longer than they may.

    Raises:
        ForbiddenError: They would.
    """
    if principal == ANONYMOUS:
        raise ForbiddenError(
            "The first API key is made with `jobtracker keys create --owner NAME --role admin`, where the store can "
            "be reached. Nobody knows who the caller is here."
        )
    if more := sorted(grant.allowed - principal.scopes):
        raise ForbiddenError(f"{principal.name} may not give the scopes {', '.join(more)}: it has not got them.")
    ends = keys.get(principal.key_id).expires_at if principal.key_id else None
    if ends and (grant.expires_at is None or grant.expires_at > ends):
        raise ForbiddenError(
            f"The key {principal.key_id} of {principal.name} expires at {ends.isoformat(timespec='seconds')}. It may "
            "give no key that is accepted for longer. Set an earlier `expires_at`, or use a key that does not expire."
        )
