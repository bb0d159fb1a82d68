"""The layout of a text: lines, the cells of a line, and the passages that can be read in one go.

A language model that reads a form as one sentence runs names together: "Sheffield" with the label of the next line.
So a heading, a line of a form and a cell of a table are read by themselves, and a paragraph over its line breaks.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_GAP: Final = re.compile(r"\t+| {3,}|[ \t]?\|[ \t]?")
"""What separates the cells of a line."""
_WRAPPED_CHARS: Final = 50
"""A line of a paragraph that was broken to fit a page is at least that long."""
_FULL_CHARS: Final = 65
"""A line of that length goes on in the next one even where a sentence ends with it."""
_ITEM: Final = re.compile(r"[ \t]{0,40}(?:[-*#>\u2022\u2013]|\(?\d{1,3}[.)]|\(?[A-Za-z][.)])[ \t]")
_LABEL: Final = re.compile(r"[ \t]{0,40}[A-Z][^:\n]{0,30}:(?=\s|$)")
_SENTENCE_ENDS: Final = ".!?:;"


@dataclass(frozen=True, slots=True)
class Passage:
    """The piece [start, end) of a text that is read in one go."""

    start: int
    end: int


def passages(text: str) -> Iterator[Passage]:
    """Yield what is read in one go: a paragraph, else a line, else a cell of it; together they cover all words."""
    start: int | None = None
    end = 0
    position = 0
    for line in text.splitlines(keepends=True):
        cells = _cells(text, position, position + len(line.rstrip()))
        if start is not None and not (len(cells) == 1 and _continues(text, start, end, cells[0])):
            yield Passage(start, end)
            start = None
        if len(cells) == 1:
            start = cells[0].start if start is None else start
            end = cells[0].end
        else:
            yield from cells
        position += len(line)
    if start is not None:
        yield Passage(start, end)


def _cells(text: str, start: int, end: int) -> list[Passage]:
    cells = []
    for gap in _GAP.finditer(text, start, end):
        if start < gap.start():
            cells.append(Passage(start, gap.start()))
        start = gap.end()
    if start < end and not text[start:end].isspace():
        cells.append(Passage(start, end))
    return cells


def _starts_anew(text: str, line: Passage) -> bool:
    """Whether the line is an item of a list, or begins with a label."""
    return any(start.match(text, line.start, line.end) for start in (_ITEM, _LABEL))


def _continues(text: str, start: int, end: int, line: Passage) -> bool:
    """Whether the line goes on with the sentence of the passage before it."""
    if text.count("\n", end, line.start) > 1 or _starts_anew(text, line) or not is_wrapped(text, end, start):
        return False
    ends_sentence = text[end - 1] in _SENTENCE_ENDS
    return text[line.start].islower() or not ends_sentence or is_wrapped(text, end, start, _FULL_CHARS)


def is_wrapped(text: str, end: int, start: int = 0, shortest: int = _WRAPPED_CHARS) -> bool:
    """Whether the line that ends at `end`, or its part from `start`, is as long as one of a broken paragraph."""
    return end - start >= shortest and "\n" not in text[end - shortest : end]
