"""What every reader gives of a document: its pages and headings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO

from pydantic import BaseModel, ConfigDict, Field

from workers.encoding import Text
from workers.errors import TooLargeError
from workers.limits import check_characters, document_max_characters

BLOCK_BREAK = "\n\n"
"""Stands between the blocks of a document, and between its pages."""

MAX_HEADINGS = 100_000
"""The most headings that a document may have: each takes a hundred times the memory of its text."""


class Heading(BaseModel):
    """A heading, with its place in the text of the document."""

    model_config = ConfigDict(frozen=True)

    level: int = Field(description="1 for the topmost level.")
    text: Text = Field(description="The heading's own text.")
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
    """Join the blocks that are not empty to one page, and note where its headings are.

    Raises:
        TooLargeError: The text or the number of headings is over its limit; no more blocks are taken then.
    """
    max_characters = document_max_characters()
    text = StringIO()  # a list of millions of short strings would take twenty times their text

    def headings() -> Iterator[Heading]:
        start = 0
        for block in blocks:
            if not block.text:
                continue
            end = start + len(block.text)
            check_characters(end, max_characters)
            if start:
                text.write(BLOCK_BREAK)
            text.write(block.text)
            if block.level is not None:
                yield Heading(level=block.level, text=block.text, start=start, end=end)
            start = end + len(BLOCK_BREAK)

    found = collect_headings(headings())
    return Content((text.getvalue(),), found)


def collect_headings(headings: Iterable[Heading]) -> tuple[Heading, ...]:
    """Collect the headings of a document.

    Raises:
        TooLargeError: They are more than MAX_HEADINGS.
    """
    found: list[Heading] = []
    for heading in headings:
        if len(found) == MAX_HEADINGS:
            raise TooLargeError(f"the document has more than {MAX_HEADINGS:,} headings")
        found.append(heading)
    return tuple(found)
