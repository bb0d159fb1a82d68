"""Conditional requests: an answer that the client has already is not sent again (RFC 9110, 13)."""

import hashlib

from fastapi import Request, Response
from starlette.responses import StreamingResponse

_KEPT = ("etag", "cache-control")


def conditional(request: Request, response: Response) -> Response:
    """An answer to GET with its ETag; a 304 where the client names that one. A stream stays as it is.

    The tag is a digest of the body, so it is the same in each API process, and only the body's bytes count.
    """
    if response.status_code != 200 or isinstance(response, StreamingResponse):
        return response
    tag = f'"{hashlib.sha1(response.body, usedforsecurity=False).hexdigest()[:20]}"'
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    known = request.headers.get("if-none-match")
    if known is None or not names(known, tag):
        return response
    headers = {name: value for name, value in response.headers.items() if name in _KEPT}
    return Response(status_code=304, headers=headers)


def names(if_none_match: str, tag: str) -> bool:
    """Whether the header names a tag; `*` names all."""
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag in tags or "*" in tags
