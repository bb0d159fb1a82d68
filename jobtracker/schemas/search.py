"""What may stand at a place of a query."""

from typing import Literal

from pydantic import BaseModel, Field


class Suggestion(BaseModel):
    """What may be written at a place of a query."""

    text: str = Field(description="It as it is written, quoted where it must be; a qualifier ends with a colon.")
    kind: Literal["qualifier", "value"]
    hint: str = Field(description="What it is, or how many jobs have it.")


class Suggestions(BaseModel):
    """What may take the place of a part of a query."""

    start: int = Field(description="Where the part begins that a suggestion replaces, in characters from 0.")
    end: int = Field(description="Where it ends.")
    suggestions: list[Suggestion]
    looked_at: int | None = Field(
        description="Names are those of so many of the latest jobs; null if all there are were known."
    )
