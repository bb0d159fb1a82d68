"""What the columns of a table say of the drugs in its rows: an X under "Stop", "N" under "Continue on admission?"."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from workers.clinical.cue_words import STOP
from workers.clinical.cues import Assertion, Status
from workers.spans import Place


class _Column(Enum):
    """What it means that a cell of the column is ticked or says no."""

    STOPPED = auto()
    """Ticked: the drug is stopped or on hold."""
    KEPT = auto()
    """No: the drug is not gone on with."""
    TAKEN = auto()
    """No: the drug is not taken."""
    LATER = auto()
    """What is taken at a later time, often a dose: a dash says no too."""
    ACTION = auto()
    """What was decided, in words."""
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class _Cell:
    start: int
    end: int
    words: str


_LINE_CHARS: Final = 400
"""As much of a line is read."""
_NAME_CHARS: Final = 40
_DELIMITERS: Final = (
    re.compile(r"\|"),
    re.compile(r"\t"),
    re.compile(r"[ ]{2,40}"),
    re.compile(r","),
    re.compile(r" / "),
)
_MAY_BE_HEAD: Final = re.compile(
    r"^[^\n\d]{0,40}\b(?:medi|meds?\b|drug|name|item|product|preparation|agent)", re.MULTILINE
)
_FIXED_WIDTH: Final = _DELIMITERS[2]
_OF_DRUGS: Final = re.compile(
    r"(?:(?:name of |home |regular |pre-?admission |current )?(?:medicines?|medications?|meds?|drugs?|item|product"
    r"|preparation|agent)(?: name)?|name)\b"
)
_AT: Final = r"(?: (?:on|at|in|during|after|before|this|upon) (?:the )?(?:hospital )?\w{1,14})?\s?\??"
_COLUMNS: Final = (
    (
        _Column.STOPPED,
        re.compile(
            r"(?:stop(?:ped)?|discontinued?|ceased?|d/c['\u2019]?d|(?:on )?(?:hold|held)|withh[eo]ld|suspend(?:ed)?"
            rf"|paused?|omit(?:ted)?|not continued){_AT}"
        ),
    ),
    (
        _Column.TAKEN,
        re.compile(
            r"(?:(?:is )?(?:patient |pt )?(?:still |currently |now |actually )?(?:tak(?:ing|es|en)|us(?:ing|es|ed))"
            rf"(?: it| now| this)?|given|administered){_AT}"
        ),
    ),
    (
        _Column.KEPT,
        re.compile(
            r"(?:to )?(?:be )?(?:continued?|prescribed|order(?:ed)?|re-?ordered|charted|supplied|resumed?"
            r"|re-?start(?:ed)?"
            rf"|keep){_AT}"
        ),
    ),
    (
        _Column.LATER,
        re.compile(
            r"(?:(?:on|at|after|in|upon) )?(?:admission|discharge|d/c|transfer|hospital|after|now|inpatient|tt[ao])"
            r"(?: (?:dose|order|list|prescription|meds|medicines|medication|regimen))?\??"
        ),
    ),
    (
        _Column.ACTION,
        re.compile(
            r"(?:pharmac\w{1,8} |prescriber |discharge |admission |medication )?(?:action|status|outcome|decision"
            r"|plan"
            rf"|code|change|recommendation|disposition|continued?/\w{{1,12}}(?:/\w{{1,12}}){{0,3}})s?(?: taken)?{_AT}"
        ),
    ),
)
_YES_OR_NO: Final = re.compile(r"\s?\(?y(?:es)?/no?\)?\s?\??$")
_ANSWER_ENDS: Final = r"(?=\s{0,8}(?:$|[-\u2013\u2014:;,(.]))"
_NO: Final = re.compile(
    rf"(?:no?|nil|none|not (?:taken|taking|given|prescribed|ordered|continued|required)|[\u2717\u2718\u274c])"
    rf"{_ANSWER_ENDS}"
)
_DASH: Final = re.compile(r"[-\u2013\u2014]{1,3}$")
_TICKED: Final = re.compile(rf"[(\[]?(?:x|y|yes|1|[\u2713\u2714\u221a\u2611\u2612\u2705\u25cf])[)\]]?{_ANSWER_ENDS}")
_STOPS: Final = re.compile(
    rf"(?:{STOP}|[sh]|on hold|not (?:to be )?continued|inactive|historic(?:al)?|expired|complete[d]?|ended)"
    r"(?=\s{0,8}(?:$|[-\u2013\u2014:;,(.\d]))"
)
_RULE: Final = re.compile(r"[\s|:+=-]*")


@dataclass(frozen=True, slots=True)
class _Row:
    start: int
    end: int
    assertion: Assertion
    is_said: bool
    """It says so in words, as a sentence would, rather than by the column."""


class Tables:
    """The tables of a document, and what their rows say."""

    def __init__(self, text: str) -> None:
        """Read all tables of a text in small letters."""
        self._rows = list(_rows(text))
        self._starts = [row.start for row in self._rows]

    def assertion(self, name: Place, said: Assertion | None) -> Assertion | None:
        """What the row says of the name before its cell; `said`, which the sentence says, where it says nothing."""
        index = bisect_right(self._starts, name.start) - 1
        row = self._rows[index] if index >= 0 else None
        if row is None or not row.start <= name.start < name.end <= row.assertion.start:
            return said
        is_open = said is None or (said.status is Status.ACTIVE and not row.is_said)
        return row.assertion if is_open else said


def _rows(text: str) -> Iterator[_Row]:
    """The rows that say that a drug is not taken on; a table ends at a line without columns."""
    columns: list[_Column] = []
    head: list[_Cell] = []
    delimiter = _FIXED_WIDTH
    heads = {match.start() for match in _MAY_BE_HEAD.finditer(text)}
    start = min(heads, default=len(text))
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line_end = min(end, start + _LINE_CHARS)
        found = _head(text, start, line_end) if start in heads else None
        if found is not None:
            delimiter, head, columns = found
        elif columns and not _RULE.fullmatch(text, start, line_end):
            cells = _cells(text, start, line_end, delimiter)
            if len(cells) < 2:
                columns = []
            elif (said := _said(_in_columns(cells, head, delimiter), columns)) is not None:
                yield _Row(start, end, *said)
        elif not text[start:line_end].strip():
            columns = []
        start = end + 1


def _head(text: str, start: int, end: int) -> tuple[re.Pattern[str], list[_Cell], list[_Column]] | None:
    """How the line divides its columns, and what they are, if it is the head of a table of drugs."""
    for delimiter in _DELIMITERS:
        cells = _cells(text, start, end, delimiter)
        if len(cells) < 3:
            continue
        if max(len(cell.words) for cell in cells) > _NAME_CHARS or not any(
            _OF_DRUGS.match(cell.words) for cell in cells[:2]
        ):
            return None
        columns = [
            next((column for column, pattern in _COLUMNS if pattern.fullmatch(name)), _Column.OTHER)
            for name in (_YES_OR_NO.sub("", cell.words) for cell in cells)
        ]
        return (delimiter, cells, columns) if set(columns) != {_Column.OTHER} else None
    return None


def _cells(text: str, start: int, end: int, delimiter: re.Pattern[str]) -> list[_Cell]:
    """The cells of the line [start, end), without the marks around it."""
    while start < end and text[start] in " |" and (text[start] != " " or delimiter is not _FIXED_WIDTH):
        start += 1
    if delimiter is not _DELIMITERS[1]:
        end = start + len(text[start:end].rstrip())
    cells: list[_Cell] = []
    position = start
    for match in delimiter.finditer(text, start, end):
        cells.append(_cell(text, position, match.start()))
        position = match.end()
    if position < end or not text[start:end].endswith("|"):
        cells.append(_cell(text, position, end))
    return [cell for cell in cells if cell.words] if delimiter is _FIXED_WIDTH else cells


def _cell(text: str, start: int, end: int) -> _Cell:
    written = text[start:end]
    words = written.strip(" *\t\r")
    start += written.find(words)
    return _Cell(start, start + len(words), words)


def _in_columns(cells: Sequence[_Cell], head: Sequence[_Cell], delimiter: re.Pattern[str]) -> dict[int, _Cell]:
    """The cells by their column; in columns of a fixed width an empty cell is told by the place of the others."""
    if delimiter is not _FIXED_WIDTH or len(cells) == len(head):
        return dict(enumerate(cells))
    places = [cell.start - head[0].start for cell in head]
    return {
        min(range(len(places)), key=lambda index: abs(places[index] - (cell.start - cells[0].start))): cell
        for cell in cells
    }


def _said(cells: dict[int, _Cell], columns: Sequence[_Column]) -> tuple[Assertion, bool] | None:
    """What the cells say together, the last of them most; None: nothing, or that the drug is taken."""
    said: tuple[Assertion, bool] | None = None
    for index, column in enumerate(columns):
        cell = cells.get(index)
        if cell is None or not cell.words:
            continue
        status: Status | None = None
        match column:
            case _Column.STOPPED:
                if not _TICKED.match(cell.words):
                    continue
                status = Status.STOPPED
            case _Column.ACTION:
                if not _STOPS.match(cell.words):
                    continue
                status = Status.STOPPED
            case _Column.OTHER:
                continue
            case _Column.TAKEN:
                status = Status.NEGATED if _NO.match(cell.words) else None
            case _Column.KEPT:
                status = Status.STOPPED if _NO.match(cell.words) else None
            case _Column.LATER:
                is_none = _NO.match(cell.words) or _DASH.match(cell.words)
                status = Status.STOPPED if is_none else None
        is_said = column is _Column.ACTION
        said = (Assertion(status, cell.start, cell.end, is_formal=True), is_said) if status else None
    return said
