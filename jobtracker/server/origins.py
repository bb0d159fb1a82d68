"""Which host names the API answers to, and which pages may change something.

Any page in a browser can send requests to an API on that machine or in its network. Two checks keep them out:

* Names: a page can point its own host name to this machine (DNS rebinding) and then read the answers. So unknown
  names are refused. IP addresses are accepted: a page can't own one in this way.
* Origins: browsers send a page's form (CSRF), or a POST without a body, without asking. They say where it comes from.

X-Forwarded-Host is ignored: any client can set it.
"""

import socket
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from jobtracker.core.net import is_loopback
from jobtracker.server.problems import problem

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""

_OWN_SITES = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site that are accepted: a page of the API itself, or a person's own action. Not same-site: all
ports of localhost are one site (https://www.w3.org/TR/fetch-metadata/)."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}

_HOSTS_KEPT = 64
"""Clients ask by a few hosts, and to find out about one takes as long as the rest of what is checked here."""


class KnownOrigins:
    """Refuses requests to an unknown host name (421), and changes that a page of another site requests (403).

    Args:
        app: The wrapped application.
        allowed: Names besides loopback, this machine's own, and IP addresses; `*.example.com` is all names
            below it, `*` any name.
    """

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self.app = app
        own = socket.gethostname().lower()
        self.named = frozenset({own, own.partition(".")[0], *allowed}) - {"*"}
        self.any = "*" in allowed
        self.answers_to = lru_cache(_HOSTS_KEPT)(self._answers_to)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            status, title, detail = refusal
            await problem(Request(scope), status, title, detail)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()  # only a program can leave it out, in HTTP/1.0
        if host and not self.answers_to(host):
            detail = (
                f"This API does not go by the name {_name(host)[:200]!r}. If it is its own, add it to "
                "API_ALLOWED_HOSTS."
            )
            return 421, "Not a name of this API", detail
        if scope["method"] in _SAFE:
            return None
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if (site is None or site in _OWN_SITES) and (origin is None or self._is_own(origin.lower(), host)):
            return None
        where = f"of {origin[:200]!r}" if origin else "of another site"
        detail = (
            f"A page {where} asks for a change; only this API's own pages may. If it is one, and a proxy calls the "
            "API by another name, add the page's host name to API_ALLOWED_HOSTS."
        )
        return 403, "A page of another site", detail

    def _answers_to(self, host: str) -> bool:
        name = _name(host)
        return self.any or self._is_named(name) or is_loopback(name) or _is_address(name)

    def _is_named(self, name: str) -> bool:
        return name in self.named or any(fnmatchcase(name, each) for each in self.named if each.startswith("*."))

    def _is_own(self, origin: str, host: str) -> bool:
        """Whether an Origin is the host that was asked, under any scheme: TLS may end at a proxy."""
        scheme, _, place = origin.partition("://")
        default = _DEFAULT_PORTS.get(scheme, "")
        return place != "" and (
            place.removesuffix(default) == host.removesuffix(default) or self._is_named(_name(place))
        )


def _name(host: str) -> str:
    """The name or address in a Host header, without port and brackets; "" where there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
