"""How clinical text is built: sections, and in them the statements within which a word like "denies" reaches."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from workers.clinical.cue_words import ELLIPTIC_WORDS, STOP
from workers.clinical.headings import LABEL, Heading, Section, find_headings


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence, an item of a list or a row of a table at [start, end) of the text, with the heading above it."""

    start: int
    end: int
    heading: Heading | None


_WORD: Final = re.compile(
    r"[ \t]{0,16}(?:(?:also|and|plus|to|known|mild|severe|previous|possible|\?)[ \t]{0,4}){0,2}"
    r"(?P<word>[^\W\d_][\w-]{2,40})",
    re.IGNORECASE,
)
_GOES_ON: Final = re.compile(r"(?:[,&+/(]|\b(?:and|or|with|to|by|for|on|of))\s{0,3}$", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\Wno\.\s\d", re.IGNORECASE)
_ANSWER: Final = re.compile(r"\s{1,4}(?:y|yes|no?)(?=\s{0,3}(?:[.,;:(\n\u2013\u2014-]|$))", re.IGNORECASE)
"""What belongs to the question before it: "Continue? No"."""
_ABBREVIATED = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|vs|approx|tab|cap|tabs|caps|max|e\.g|i\.e|p\.o|b\.i\.d|t\.i\.d|q\.i\.d|q\.d|inj"
    r"|syp|syr|inf|b\.d|t\.d\.s|q\.d\.s|o\.d|p\.r\.n|q\.h\.s|h\.s|i\.v|i\.m|s\.c|s\.l|p\.r|dept|hosp)"
    r"|(?<![\w/-])[A-Za-z])\.$",
    re.IGNORECASE,
)
_VERBS: Final = "take|inhale|apply|inject|use|place|instill?|swallow|chew|give|sig:"
_DIRECTION_LINE = re.compile(
    rf"\s{{0,16}}(?:{_VERBS}|one|two|half|\d{{1,2}})\s(?![^\n]{{0,200}}\bno\b)", re.IGNORECASE
)
_DIRECTION_VERB = re.compile(rf"\s{{0,16}}(?:{_VERBS})\s(?![^\n]{{0,200}}\bno\b)", re.IGNORECASE)
_ELLIPTIC: Final = re.compile(
    rf"[ \t]{{1,8}}(?:(?:{ELLIPTIC_WORDS})\s){{0,4}}(?:{STOP}|on hold|declined|refused|not tolerated"
    rf"|no longer \w{{1,12}})(?:\s(?:it|this|these|them|in|on|by|due|because|since|last|at|after|for|today"
    rf"|yesterday)\b[^.\n]{{0,60}}"
    r"|\s?\([^()\n]{0,60}\))?(?=\.|\s*\n|\s*$)",
    re.IGNORECASE,
)
"""A sentence without a name of its own, which is said of the drug before: "Stopped in May.", "Agreed to stop."."""
_DASH: Final = re.compile(r" {0,4}[-\u2013\u2014,;:)] ")
_CHANGES: Final = re.compile(
    r"[ \t]{1,8}(?:(?:please|to|so|plan)\s){0,2}(?:change|switch|swap|convert)(?:d|ed|ped)?\s(?:over\s)?to\s",
    re.IGNORECASE,
)
"""What the drug before it is changed to: "Tolterodine: dry mouth; change to mirabegron"."""
_LIST_ITEM = re.compile(r"\s{0,16}(?:[-*•‣\u2013>]|\d{1,3}[.)]|\([a-z\d]\))\s")
_BREAK = re.compile(r"[.!?](?<![.!?].)[.!?]{0,2}[)\"'\u201d\u2019]?(?=\s|$)|;|\n(?:[ \t]{0,40}\n){0,2}")
"""What may end a statement. It begins with the mark itself, so that `re` passes over all other letters."""
_LONGEST_STATEMENT = 2_000
"""A text without sentences (a table, a dump) is cut into pieces of this many characters: work stays linear."""
_WRAPPED_AT_LEAST = 60
"""A line this long is taken to go on in the next one; a shorter one to end an item."""
_LINE_CHARS = 400
"""As much of a line is looked at to see what it is."""


class ClinicalText:
    """A text with its statements, in order, which together cover it."""

    def __init__(self, text: str, is_drug: Callable[[str], bool] = lambda _: False) -> None:
        """Read a text; `is_drug` tells the name of a drug: "Codeine: vomiting" is an item rather than a heading."""
        self.text = text
        self._is_drug = is_drug
        self._headings = find_headings(text, is_drug)
        self._starts = [heading.start for heading in self._headings]

    @cached_property
    def statements(self) -> list[Statement]:
        """The statements from first to last."""
        bounds = sorted({0, len(self.text), *self._breaks(), *self._starts})
        return list(self._with_headings(bounds))

    def _with_headings(self, bounds: list[int]) -> Iterator[Statement]:
        """The statements between the bounds; a section ends where its list or its line does."""
        ended: Heading | None = None
        is_list = False
        for start, end in pairwise(bounds):
            heading = self._heading_at(start)
            if heading is not None and heading.start == start:
                is_list = False
            elif heading is not None and heading is not ended and self._is_new_line(start):
                is_item = _LIST_ITEM.match(self.text, start) is not None or self._is_indented(start)
                is_item = is_item or self._is_row(start)
                has_content = self.text[heading.end : heading.end + 40].split("\n", 1)[0].strip(" :*\t") != ""
                after_blank = self.text[max(0, start - 8) : start].rstrip(" \t").endswith("\n\n")
                if (
                    heading.section is not Section.MEDICATIONS
                    and not is_item
                    and (has_content or (is_list and after_blank))
                ):
                    ended = heading
                is_list = is_list or is_item
            is_under = heading is not None and heading is not ended and not self._leaves(heading, start)
            for piece_start, piece_end in self._bounded(start, end):
                yield Statement(piece_start, piece_end, heading if is_under else None)

    def _leaves(self, heading: Heading, start: int) -> bool:
        """Whether the sentence at `start` has left the list that the heading's line began: no drug begins it."""
        return (
            heading.section in (Section.ALLERGIES, Section.STOPPED_MEDICATIONS, Section.AVOIDED)
            and start > heading.end
            and self.text[start - 1 : start] == "."
            and "\n" not in self.text[heading.end : min(start, heading.end + _LINE_CHARS)]
            and not self._starts_with_drug(start)
        )

    def _bounded(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """[start, end), cut at white space where it is longer than a statement may be."""
        while end - start > _LONGEST_STATEMENT:
            cut = self.text.rfind(" ", start + 1, start + _LONGEST_STATEMENT)
            cut = cut if cut > start else start + _LONGEST_STATEMENT
            yield start, cut
            start = cut
        yield start, end

    def _heading_at(self, position: int) -> Heading | None:
        index = bisect_right(self._starts, position) - 1
        return self._headings[index] if index >= 0 else None

    def _is_new_line(self, start: int) -> bool:
        return start > 0 and "\n" in self.text[max(0, start - 2) : start]

    def _is_indented(self, start: int) -> bool:
        return self.text[start : start + 2] in ("  ", "\t")

    def _breaks(self) -> Iterator[int]:
        """The places where one statement ends and the next begins."""
        line_start = 0
        for match in _BREAK.finditer(self.text):
            mark, rest_start = match.group(), match.end()
            if "\n" in mark:
                line = (line_start, match.start())
                line_start = rest_start
                if mark.count("\n") > 1 or not self._goes_on(*line, rest_start):
                    yield rest_start
            elif mark == ";":
                if not (_ELLIPTIC.match(self.text, rest_start) or _CHANGES.match(self.text, rest_start)):
                    yield rest_start
            elif not (
                _ABBREVIATED.search(self.text, max(0, match.start() - 8), match.start() + 1)
                or _NUMBER.match(self.text, max(0, match.start() - 3))
                or _DIRECTION_VERB.match(self.text, rest_start)
                or _ELLIPTIC.match(self.text, rest_start)
                or LABEL.match(self.text, rest_start)
                or (mark == "?" and _ANSWER.match(self.text, rest_start))
                or self._starts_lower(rest_start)
                or (mark.endswith(")") and _DASH.match(self.text, rest_start))
            ):
                yield rest_start

    def _goes_on(self, start: int, end: int, next_start: int) -> bool:
        if _LIST_ITEM.match(self.text, next_start) or self._is_row(start) or self._is_row(next_start):
            return False
        if LABEL.match(self.text, next_start):
            return True
        if _DIRECTION_LINE.match(self.text, next_start):
            return True
        heading = self._heading_at(start)
        is_list = heading is not None and heading.section is not Section.OTHER
        is_long = end - start >= _WRAPPED_AT_LEAST
        is_lower = self._starts_lower(next_start)
        goes_on = is_long if is_lower and is_list else is_lower or (is_long and not is_list)
        return goes_on and not self._are_two_items(start, end, next_start)

    def _are_two_items(self, start: int, end: int, next_start: int) -> bool:
        """Whether the lines at both places begin with a drug, and the first doesn't go on with another name."""
        is_row = self.text.count(",", start, end) > 2 and self.text[end - 1] == ","
        is_open = not is_row and _GOES_ON.search(self.text, max(start, end - 8), end) is not None
        return not is_open and self._starts_with_drug(next_start) and self._starts_with_drug(start)

    def _is_row(self, start: int) -> bool:
        """Whether the line is a row of a table."""
        line = self.text[start : start + _LINE_CHARS].split("\n", 1)[0]
        return line.count("|") > 1 or line.count("\t") > 1

    def _starts_with_drug(self, start: int) -> bool:
        word = _WORD.match(self.text, start)
        return word is not None and self._is_drug(word["word"])

    def _starts_lower(self, position: int) -> bool:
        after = self.text[position : position + 40].lstrip(" \t")
        return after[:1].islower()
