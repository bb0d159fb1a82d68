"""Logging in to the page with an API key, and the caller."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from jobtracker.core.access import ROLES, Principal
from jobtracker.schemas.api_keys import Login, Me
from jobtracker.server.access.identities import ANONYMOUS, COOKIE
from jobtracker.server.access.needs import PRINCIPAL, open_to_all, principal_of
from jobtracker.server.access.quotas import act_as
from jobtracker.server.auditing import audits_itself, begin_audit
from jobtracker.server.dependencies import UseIdentities, UseSessions, UseSettings
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.settings import ApiSettings
from jobtracker.server.thread_route import ThreadRoute
from jobtracker.store.api_keys import Credential

router = APIRouter(
    route_class=ThreadRoute, prefix="/api", tags=["access"], responses={**TO_EXPECT, 503: RESPONSES[503]}
)
_COOKIE: dict[int | str, dict[str, Any]] = {
    400: RESPONSES[400],
    201: {"description": "Logged in: the answer sets a cookie."},
}


@router.post("/session", status_code=201, responses=_COOKIE, dependencies=[open_to_all()])
@audits_itself
async def log_in(
    request: Request,
    response: Response,
    login: Login,
    identities: UseIdentities,
    sessions: UseSessions,
    settings: UseSettings,
) -> Me:
    """Log in with an API key: the answer sets a cookie, which the page's scripts can't read.

    The session ends after `API_SESSION_HOURS`, with the key, or when the secret that was given is not accepted any
    more.
    """
    principal = await identities.of_key(login.key)
    credential = Credential.read(login.key)
    assert credential is not None  # noqa: S101 -- it was just looked up
    act_as(request.app, principal)
    await begin_audit("log_in")
    for_s = round(settings.api_session_hours * 3600)
    token = await asyncio.to_thread(sessions.open, credential, for_s)
    response.set_cookie(COOKIE, token, max_age=for_s, **_attributes(request, settings))
    return _me(principal, has_session=True)


@router.delete("/session", status_code=204, dependencies=[open_to_all()])
@audits_itself
async def log_out(
    request: Request, response: Response, identities: UseIdentities, sessions: UseSessions, settings: UseSettings
) -> None:
    """Log out: the session ends, here and wherever its cookie was taken. It may be repeated."""
    token = request.cookies.get(COOKIE, "")
    if await identities.is_session(token):
        act_as(request.app, request.scope.get(PRINCIPAL) or await identities.of_session(token))
        await begin_audit("log_out")
        await asyncio.to_thread(sessions.close, token)
        identities.forget_session(token)
    response.delete_cookie(COOKIE, **_attributes(request, settings))


@router.get("/me", dependencies=[open_to_all()])
async def me(request: Request) -> Me:
    """Who the caller is, what they may do, and to which jobs they are limited. The page shows nothing else."""
    principal = principal_of(request)
    by_cookie = COOKIE in request.cookies and "authorization" not in request.headers
    return _me(principal, has_session=by_cookie and principal.key_id is not None)


def _me(principal: Principal, *, has_session: bool) -> Me:
    return Me(
        name=principal.name,
        role=next((role for role, scopes in ROLES.items() if scopes == principal.scopes), None),
        scopes=sorted(principal.scopes),
        key_id=principal.key_id,
        job_types=principal.job_types and [*principal.job_types],
        tags=principal.tags and [*principal.tags],
        is_anonymous=principal == ANONYMOUS,
        has_session=has_session,
    )


def _attributes(request: Request, settings: ApiSettings) -> dict[str, Any]:
    """Of the cookie. TLS may end at a proxy: then the page's Origin says so."""
    is_secure = "https" in {request.url.scheme, request.headers.get("origin", "").partition(":")[0]}
    return {"path": settings.api_root_path or "/", "secure": is_secure, "httponly": True, "samesite": "strict"}
