"""Divide a text into paragraphs, sentences and words, and find its headings."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from workers.content import Heading

WITHOUT_SPACES = frozenset({"zh", "ja", "th", "lo", "km", "my"})
"""Languages that put no spaces between words: their words cannot be counted by looking for spaces."""

_WORD_CHARACTER = re.compile(r"[^\W_]")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019\-][^\W\d_]+)*")
_LINE_BREAK = re.compile(r"\n")
_PARAGRAPH_BREAK = re.compile(r"\n[ \t\r]*\n\s*")
_LIST_ITEM = re.compile(r"\n[ \t]*(?:[-*+•\u2013]|\(?\d{1,3}[.)])[ \t]+")
# Possessive, and never from within a run of marks: a line of a million dots is passed once.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”\u2019»)\]]*+(?=\s)|[。\uff01\uff1f]++[」』”]?")
_TITLE = re.compile(
    r"(?:\b(?:dr|mr|mrs|ms|prof|st|vs|dept|e\.g|i\.e|cf|bzw|evtl|z\.\s?b|d\.\s?h|u\.\s?a|sr|sra|dra|mme|mlle)"
    r"|\b[^\W\d_])\.$",
    re.IGNORECASE,
)
_BEFORE_NUMBER = re.compile(r"\b(?:no|nr|fig|vol|pp?|art|tel|approx|ca)\.$", re.IGNORECASE)
_ORDINAL = re.compile(r"(?<![\d.,])\d{1,2}\.$")
_ORDINAL_LANGUAGES = frozenset({"de", "da", "no", "nb", "fi", "cs", "sk", "pl", "hu", "hr", "sl", "et"})
_NEXT_CHARACTER = re.compile(r"\s*(\S?)")
_NUMBERED_LINE = re.compile(r"(?P<number>\d{1,2}(?:\.\d{1,2}){0,4})\.?[ \t]+[^\W\d_].*")
_MAX_HEADING_CHARACTERS = 80
_LOOK_BACK = 12
"""So many characters before a full stop tell whether it ends a sentence."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the text: text[start:end]."""

    start: int
    end: int


def split_paragraphs(text: str, headings: Sequence[Heading] = ()) -> list[Part]:
    """Split into paragraphs; the headings are none.

    They end at empty lines. Where a stretch of many lines has none, as the text of a PDF, they end at its short lines
    if those end a sentence.
    """
    starts = [0, *(heading.end for heading in headings)]
    ends = [*(heading.start for heading in headings), len(text)]
    return [
        part
        for start, end in zip(starts, ends, strict=True)
        for block in _between(text, _PARAGRAPH_BREAK, Part(start, end))
        for part in _split_at_short_lines(text, block)
        if _WORD_CHARACTER.search(text, part.start, part.end)
    ]


def split_sentences(text: str, paragraphs: list[Part], language: str | None) -> list[Part]:
    """Split each paragraph into sentences; a paragraph's or a list item's end is the end of a sentence too."""
    return [
        sentence
        for paragraph in paragraphs
        for item in _between(text, _LIST_ITEM, paragraph)
        for sentence in _sentences(text, item, language)
    ]


def words(text: str) -> list[str]:
    """Give the words: runs of letters, with hyphens and apostrophes inside; numbers are none."""
    return _WORD.findall(text)


def guess_headings(text: str) -> list[Heading]:
    """Find the headings of a text whose format marks none: lines in capitals, and numbered lines.

    Numbered lines count when their numbers go on from 1 and they are not the items of a list.
    """
    lines = list(_between(text, _LINE_BREAK, Part(0, len(text))))
    numbers = [_number(text[line.start : line.end]) for line in lines]
    headings: list[Heading] = []
    last_section = 0
    for place, (line, number) in enumerate(zip(lines, numbers, strict=True)):
        words_of_line = text[line.start : line.end].rstrip(":")
        level = 0
        if number:
            in_list = _next(number) in numbers[place + 1 : place + 2] or number in map(
                _next, numbers[max(0, place - 1) : place]
            )
            level = len(number) if number[0] - last_section in (0, 1) and not in_list else 0
        elif words_of_line.isupper() and 4 <= len(words_of_line) <= _MAX_HEADING_CHARACTERS:
            level = 1
        if level:
            last_section = number[0] if number else last_section
            end = line.start + len(words_of_line)
            headings.append(Heading(level=level, text=words_of_line, start=line.start, end=end))
    return headings


def _number(line: str) -> tuple[int, ...]:
    """Give the number that a line opens with as a heading does, or nothing."""
    match = _NUMBERED_LINE.fullmatch(line) if len(line) <= _MAX_HEADING_CHARACTERS else None
    return tuple(map(int, match["number"].split("."))) if match and line[-1] not in ".,;" else ()


def _next(number: tuple[int, ...]) -> tuple[int, ...]:
    """Give the number after this one at the same level."""
    return (*number[:-1], number[-1] + 1) if number else ()


def _between(text: str, separator: re.Pattern[str], span: Part) -> Iterator[Part]:
    start = span.start
    for match in separator.finditer(text, span.start, span.end):
        yield from _trimmed(text, start, match.start())
        start = match.end()
    yield from _trimmed(text, start, span.end)


def _trimmed(text: str, start: int, end: int) -> Iterator[Part]:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    if start < end:
        yield Part(start, end)


_SHORT_LINE = 0.85
_MIN_WRAPPED_LINES = 6


def _split_at_short_lines(text: str, span: Part) -> Iterator[Part]:
    lines = list(_between(text, _LINE_BREAK, span))
    if len(lines) < _MIN_WRAPPED_LINES:
        yield span
        return
    full_length = sorted(line.end - line.start for line in lines)[int(len(lines) * 0.9)]
    start = span.start
    for line, following in pairwise(lines):
        is_short = line.end - line.start < _SHORT_LINE * full_length
        if is_short and (text[line.end - 1] in ".!?:" or not text[following.start].islower()):
            yield Part(start, line.end)
            start = following.start
    yield Part(start, span.end)


def _sentences(text: str, span: Part, language: str | None) -> Iterator[Part]:
    start = span.start
    for match in _SENTENCE_END.finditer(text, span.start, span.end):
        if match[0] == "." and _goes_on(text, start, match.end(), span.end, language):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, span.end)


def _goes_on(text: str, start: int, stop: int, end: int, language: str | None) -> bool:
    """Say whether the full stop before `stop` is one inside a sentence."""
    before = text[max(start, stop - _LOOK_BACK) : stop]
    after = _NEXT_CHARACTER.match(text, stop, end)
    following = after[1] if after else ""
    opens_with_number = stop - start <= _LOOK_BACK
    return bool(
        following.islower()
        or _TITLE.search(before)
        or (following.isdigit() and _BEFORE_NUMBER.search(before))
        or (_ORDINAL.search(before) and (opens_with_number or language in _ORDINAL_LANGUAGES))
    )
