"""Conditional requests: an answer that the client has already is not sent again (RFC 9110, 13)."""

import hashlib

from fastapi import Request, Response
from starlette.responses import StreamingResponse

_KEPT = ("etag", "cache-control")


def tagged(response: Response) -> Response:
    """An answer with its ETag. A stream, and what is no 200, stays as it is.

    The tag is a digest of the body, so it is the same in each API process, and only the body's bytes count.
    """
    if response.status_code == 200 and not isinstance(response, StreamingResponse):
        response.headers["ETag"] = f'"{hashlib.sha1(response.body, usedforsecurity=False).hexdigest()[:20]}"'
        response.headers["Cache-Control"] = "private, no-cache"
    return response


def conditional(request: Request, response: Response) -> Response:
    """The answer to a GET that has its tag (`tagged`), or a 304 where the client names that one."""
    tag, known = response.headers.get("etag"), request.headers.get("if-none-match")
    if tag is None or known is None or not names(known, tag) or response.status_code != 200:
        return response
    headers = {name: value for name, value in response.headers.items() if name in _KEPT}
    return Response(status_code=304, headers=headers)


def names(if_none_match: str, tag: str) -> bool:
    """Whether the header names a tag; `*` names all."""
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag in tags or "*" in tags
