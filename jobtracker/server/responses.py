"""Answers that are more than what FastAPI makes of a model."""

from collections.abc import Iterator, Mapping
from typing import Self

from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class WrittenJson(Response):
    """JSON that the library has written already. What it looks like says the route's `response_model`."""

    media_type = "application/json"

    @classmethod
    def of(cls, answer: BaseModel) -> Self:
        """A model as it is: FastAPI would hand it to another thread to be validated once more."""
        return cls(answer.model_dump_json())


def written(pieces: Iterator[bytes], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The same of JSON that comes in pieces, the first one now: as a stream, where there is more than one."""
    first, more = next(pieces), next(pieces, None)
    if more is None:
        return WrittenJson(first, status, headers)

    def all_pieces() -> Iterator[bytes]:
        yield first
        yield more
        yield from pieces

    return StreamingResponse(all_pieces(), status, headers, WrittenJson.media_type)
