"""Answers with a stored value, or with a part of it: ETag, If-None-Match, Range and If-Range (RFC 9110)."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import HTTPException, Response
from fastapi.responses import StreamingResponse

from jobtracker.jobs.stored_values import StoredValue
from jobtracker.server.conditional import names

_AT_ONCE = CapacityLimiter(16)
"""Threads that read values: fewer than all requests have, which an object store that hangs must not block."""

_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class AskedPart(NamedTuple):
    """Headers of a request: which part of a value is wanted, and if which."""

    if_none_match: str | None = None
    range: str | None = None
    if_range: str | None = None


async def value_response(find: Callable[[], StoredValue], asked: AskedPart) -> Response:
    """A value as JSON, streamed; found and read in threads of its own. As text, if it has NaN or Infinity.

    Several ranges in one request, and what is no range, get the whole value, as RFC 9110 allows.

    Raises:
        JobNotFoundError: There is no such job.
        ValueUnavailableError: The object store does not have it any more.
        ObjectStoreError: The object store does not answer.
        HTTPException: A 416: it has no such bytes.
    """
    return await run_sync(lambda: _response(find(), asked), limiter=_AT_ONCE)


def _response(value: StoredValue, asked: AskedPart) -> Response:
    etag = f'"{value.digest}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if asked.if_none_match is not None and names(asked.if_none_match, etag):
        return Response(status_code=304, headers=headers)
    span = _span(asked.range, value.size_bytes) if asked.if_range in {None, etag} else None
    if span == (0, 0):
        raise HTTPException(
            416, f"It has {value.size_bytes:,} bytes.", headers={"Content-Range": f"bytes */{value.size_bytes}"}
        )
    start, end = span or (0, value.size_bytes)
    if span:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{value.size_bytes}"
    headers["Content-Length"] = str(end - start)
    pieces = _read(value.pieces(start, end))
    return StreamingResponse(pieces, 206 if span else 200, headers, _JSON if value.is_json else _TEXT)


async def _read(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await run_sync(next, pieces, None, limiter=_AT_ONCE)) is not None:
        yield piece


def _span(asked: str | None, size: int) -> tuple[int, int] | None:
    """The bytes that are asked for, [start, end); None: all of them; (0, 0): there are none of these."""
    found = _RANGE.fullmatch(asked or "")
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:  # the last so many
        count = min(int(last), size)
        return (size - count, size) if count else (0, 0)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        return (0, 0)
    return int(first), min(int(last) + 1, size) if last else size
