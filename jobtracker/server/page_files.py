"""Serves the page: its files, and its first document for every path that is a view of it.

The page is built into the folder `page` beside this module, which Git does not have (web/toolchain.py). All of it is
less than a megabyte, so it is read once.
"""

import hashlib
import html
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from jobtracker.server.problems import problem
from jobtracker.server.settings import API_PATHS

FOLDER = Path(__file__).parent / "page"
_INDEX = "index.html"
_HASHED = "assets/"
"""Here are the files whose name changes with their content."""
_BASE = b'<base href="/" />'
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".md": "text/markdown; charset=utf-8",
    ".svg": "image/svg+xml",
}

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of each answer here. The page loads nothing from elsewhere, and nobody may put it into a frame."""


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    compressed: bytes | None
    media_type: str
    etag: str


@cache
def _files() -> dict[str, _File]:
    """The files of the page by their path; empty if it is not built."""
    return {
        path.relative_to(FOLDER).as_posix(): _read(path)
        for path in FOLDER.rglob("*")
        if path.is_file() and path.suffix != ".gz" and not path.name.startswith(".")
    }


def _read(path: Path) -> _File:
    content, compressed = path.read_bytes(), path.with_name(path.name + ".gz")
    return _File(
        content,
        compressed.read_bytes() if compressed.is_file() else None,
        _MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        _etag(content),
    )


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:24]}"'


class PageRoute(BaseRoute):
    """Answers GET of what is no path of the API.

    A program that asks for an unknown path gets a 404. A browser gets the page, whose own routes know the path.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether the page answers this request."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return Match.NONE, {}
        path = path_within(scope)
        is_ours = path.partition("/")[0] not in API_PATHS and (
            path in {"", _INDEX} or path in _files() or (_wants_html(scope) and not path.startswith(_HASHED))
        )
        return (Match.FULL if is_ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send a file or the first document."""
        await _answer(scope)(scope, receive, send)


def path_within(scope: Scope) -> str:
    """The path within the page; a proxy may have left its prefix on."""
    path, prefix = scope["path"], scope.get("root_path", "")
    return str(path.removeprefix(prefix) if f"{path}/".startswith(f"{prefix}/") else path).removeprefix("/")


def _wants_html(scope: Scope) -> bool:
    return "text/html" in Headers(scope=scope).get("accept", "")


def _answer(scope: Scope) -> Response:
    files = _files()
    if _INDEX not in files:
        return problem(
            Request(scope),
            404,
            "The page is not built",
            "This checkout has the sources of the page only: `make page` builds it, then start the API again.",
        )
    path = path_within(scope)
    file = files.get(path, files[_INDEX])
    if file is files[_INDEX]:
        # What the page loads is relative to this: a view's path may have any depth, and only the server knows the
        # prefix.
        base = f'<base href="{html.escape(scope.get("root_path", ""))}/" />'.encode()
        content = file.content.replace(_BASE, base, 1)
        file = _File(content, None, file.media_type, _etag(content))
    return _response(file, Headers(scope=scope), is_hashed=path.startswith(_HASHED))


def _response(file: _File, asked: Headers, *, is_hashed: bool) -> Response:
    headers = {
        **SECURITY_HEADERS,
        "Cache-Control": "public, max-age=31536000, immutable" if is_hashed else "no-cache",
        "ETag": file.etag,
        "Vary": "Accept-Encoding",
    }
    if file.etag in asked.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if file.compressed is not None and "gzip" in asked.get("accept-encoding", ""):
        return Response(file.compressed, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)
