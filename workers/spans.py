"""Span: a piece of a document's text and where it stands."""

from pydantic import BaseModel, ConfigDict, Field


class Span(BaseModel):
    """A piece of the document, exactly as it is written there: `document.text[start:end] == text`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(description="The piece as it is written in the document.")
    start: int = Field(ge=0, description="Index of its first character in the document's text.")
    end: int = Field(ge=0, description="Index after its last character in the document's text.")
