"""Span: a piece of a document's text and where it stands."""

import re
from typing import Protocol, TypedDict

from pydantic import BaseModel, ConfigDict, Field


class Place(Protocol):
    """Anything that stands at [start, end) of the text."""

    @property
    def start(self) -> int:
        """Index of the first character."""

    @property
    def end(self) -> int:
        """Index after the last character."""


class Span(BaseModel):
    """A piece of the document, exactly as it is written there: `document.text[start:end] == text`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(description="The piece as it is written in the document.")
    start: int = Field(ge=0, description="Index of its first character in the document's text.")
    end: int = Field(ge=0, description="Index after its last character in the document's text.")


class Written(TypedDict):
    """The fields of a Span."""

    text: str
    start: int
    end: int


def matched(match: re.Match[str], text: str | None = None) -> Written:
    """The fields of the Span that a pattern matched, in `text` if the match is in that in small letters."""
    start, end = match.span()
    return {"text": match.group() if text is None else text[start:end], "start": start, "end": end}


def in_small_letters(text: str) -> str:
    """The text in small letters with the same offsets: a letter that would become two stays."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)
