"""Responses that FastAPI does not make from a model."""

from collections.abc import Iterator, Mapping
from typing import Self

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class WrittenJson(Response):
    """JSON that the library has already written. The route's `response_model` describes its form."""

    media_type = "application/json"

    @classmethod
    def of(cls, answer: BaseModel, status_code: int = 200) -> Self:
        """A model as a response. FastAPI would validate it again, in another thread."""
        return cls(answer.model_dump_json(), status_code)


def written(pieces: Iterator[bytes], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response of JSON that comes in pieces: a stream if there is more than one.

    The first piece is read at once.
    """
    first, more = next(pieces), next(pieces, None)
    if more is None:
        return WrittenJson(first, status, headers)

    def all_pieces() -> Iterator[bytes]:
        yield first
        yield more
        yield from pieces

    return StreamingResponse(all_pieces(), status, headers, WrittenJson.media_type)
