"""How clinical text is built: sections, and in them the statements within which a word like "denies" reaches."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise


class Section(StrEnum):
    """What a section of a clinical document lists."""

    MEDICATIONS = "medications"
    STOPPED_MEDICATIONS = "stopped_medications"
    ALLERGIES = "allergies"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or an item of a list at [start, end) of the text, with the section it stands in."""

    start: int
    end: int
    section: Section


_HEADING_WORDS = (
    (
        Section.ALLERGIES,
        r"(?:drug |medication |known )?(?:allergies|allergy|allergies and intolerances)|adverse reactions",
    ),
    (
        Section.STOPPED_MEDICATIONS,
        (
            r"(?:discontinued|stopped|past|previous|former|held) (?:home )?(?:medications?|medicines|meds|drugs)"
            r"|(?:medications?|medicines|meds) (?:discontinued|stopped|held)|stop taking"
        ),
    ),
    (
        Section.MEDICATIONS,
        (
            r"(?:[a-z-]+ ){0,2}(?:medications?|medicines|meds|prescriptions?)(?: list| on (?:admission|discharge))?"
            r"|rx|drugs"
        ),
    ),
)
_HEADING = re.compile(
    r"(?:^|(?<=[.;]\s))[ \t]*(?:#{1,6} |\*\*|\d+[.)] )?(?P<words>[A-Z][A-Za-z/&-]*(?: [A-Za-z/&-]+){0,4})(?:\*\*)?"
    r"(?::|(?=[ \t]*$))",
    re.MULTILINE,
)
_SECTIONS = [(section, re.compile(pattern, re.IGNORECASE)) for section, pattern in _HEADING_WORDS]
_ABBREVIATED = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|approx|tab|cap|tabs|caps|max|e\.g|i\.e|p\.o|b\.i\.d|t\.i\.d|q\.i\.d|q\.d"
    r"|p\.r\.n|q\.h\.s|h\.s|i\.v|i\.m|s\.c)|\b[A-Za-z])\.$",
    re.IGNORECASE,
)
_DIRECTION_LINE = re.compile(
    r"\s*(?:take|inhale|apply|inject|use|place|instill|swallow|chew|give|sig:)\s(?!.*\bno\b)", re.IGNORECASE
)
_LIST_ITEM = re.compile(r"\s*(?:[-*•‣\u2013]|\d{1,3}[.)])\s")
_BREAK = re.compile(r"[.!?]+[)\"'\u201d\u2019]?(?=\s|$)|;|\n\s*\n|\n")
_LONGEST_STATEMENT = 2_000
"""A text without sentences (a table, a dump) is cut into pieces of this many characters: work stays linear."""
_WRAPPED_AT_LEAST = 60
"""A line this long is taken to go on in the next one; a shorter one to end an item."""


class ClinicalText:
    """A text with its statements, in order, which together cover it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._headings: list[tuple[int, Section]] = list(_headings(text))

    @cached_property
    def statements(self) -> list[Statement]:
        """The statements from first to last."""
        bounds = sorted({0, len(self.text), *self._breaks(), *(start for start, _ in self._headings)})
        return [
            Statement(piece_start, piece_end, self._section_at(start))
            for start, end in pairwise(bounds)
            for piece_start, piece_end in self._bounded(start, end)
        ]

    def _bounded(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """[start, end), cut at white space where it is longer than a statement may be."""
        while end - start > _LONGEST_STATEMENT:
            cut = self.text.rfind(" ", start + 1, start + _LONGEST_STATEMENT)
            cut = cut if cut > start else start + _LONGEST_STATEMENT
            yield start, cut
            start = cut
        yield start, end

    def _section_at(self, position: int) -> Section:
        index = bisect_right(self._headings, position, key=lambda heading: heading[0]) - 1
        return self._headings[index][1] if index >= 0 else Section.OTHER

    def _breaks(self) -> Iterator[int]:
        """The places where one statement ends and the next begins."""
        line_start = 0
        for match in _BREAK.finditer(self.text):
            mark, rest_start = match.group(), match.end()
            if "\n" in mark:
                ended = self.text[line_start : match.start()]
                line_start = rest_start
                if mark.count("\n") > 1 or not self._goes_on(ended, rest_start):
                    yield rest_start
            elif mark == ";" or not (
                _ABBREVIATED.search(self.text, max(0, match.start() - 8), match.start() + 1)
                or _DIRECTION_LINE.match(self.text, rest_start)
                or self._starts_lower(rest_start)
            ):
                yield rest_start

    def _goes_on(self, line: str, next_start: int) -> bool:
        if _LIST_ITEM.match(self.text, next_start):
            return False
        if _DIRECTION_LINE.match(self.text, next_start):
            return True
        return self._starts_lower(next_start) or len(line) >= _WRAPPED_AT_LEAST

    def _starts_lower(self, position: int) -> bool:
        after = self.text[position : position + 40].lstrip(" \t")
        return after[:1].islower()


def _headings(text: str) -> Iterator[tuple[int, Section]]:
    """The headings with their places; any "Word:" at the start of a line or sentence ends the section before it."""
    for match in _HEADING.finditer(text):
        words = match["words"]
        section = next((section for section, pattern in _SECTIONS if pattern.fullmatch(words)), Section.OTHER)
        has_colon = text[match.end() - 1 : match.end()] == ":"
        # A line without a colon is a heading if it says so by its words or is in capitals.
        if has_colon or section is not Section.OTHER or words.isupper():
            yield match.start(), section
