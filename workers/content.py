"""What reading a document gives, whatever its format: pages, and the headings that it marks as such."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

BLOCK_BREAK = "\n\n"
"""Stands between the blocks of a document, and between its pages."""


class Heading(BaseModel):
    """A heading, with its place in the text of the document."""

    model_config = ConfigDict(frozen=True)

    level: int = Field(description="1 for the topmost level.")
    text: str = Field(description="The heading's own text.")
    start: int = Field(description="Index of its first character in the document's text.")
    end: int = Field(description="Index behind its last character.")


@dataclass(frozen=True, slots=True)
class Content:
    """What a reader finds in a file; `text` is the pages joined by BLOCK_BREAK."""

    pages: tuple[str, ...]
    headings: tuple[Heading, ...] = ()

    @property
    def text(self) -> str:
        """The whole text, to which all offsets refer."""
        return BLOCK_BREAK.join(self.pages)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a list item or a table row; a heading when it has a level."""

    text: str
    level: int | None = None


def content_of(blocks: Iterable[Block]) -> Content:
    """Join the blocks that are not empty to one page, and note where its headings are."""
    texts: list[str] = []
    headings: list[Heading] = []
    start = 0
    for block in blocks:
        if not block.text:
            continue
        end = start + len(block.text)
        texts.append(block.text)
        if block.level is not None:
            headings.append(Heading(level=block.level, text=block.text, start=start, end=end))
        start = end + len(BLOCK_BREAK)
    return Content((BLOCK_BREAK.join(texts),), tuple(headings))
