"""What a text says about a drug that it names: that it is taken, was stopped, is not taken, or is not tolerated.

The idea is NegEx's: a cue ("denies", "was stopped") governs the names around it as far as its statement reaches, and
the nearest cue wins. A cue before the names carries over a list ("denies ibuprofen, aspirin or naproxen"); a cue
after them ("lisinopril and metoprolol were held") does too.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from workers.clinical.assertion_cues import BREAKER, CUES_AFTER, CUES_BEFORE, FILLER
from workers.clinical.quantities import phrases
from workers.clinical.statements import Statement


class Status(StrEnum):
    """What the document says of a medication."""

    ACTIVE = "active"
    """It is taken, prescribed or given; also where nothing else is said of it."""
    STOPPED = "stopped"
    """It was taken and is not any more, or is held."""
    NEGATED = "negated"
    """It is not taken, denied, declined, or to be avoided."""
    ALLERGY = "allergy"
    """It is not tolerated."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a cue says of a name; a formal one ("prescribed", "allergic to") is not said of anything but medicines."""

    status: Status
    is_formal: bool = False


class Place(Protocol):
    """Anything that stands at [start, end) of the text."""

    @property
    def start(self) -> int:
        """Index of the first character."""

    @property
    def end(self) -> int:
        """Index after the last character."""


@dataclass(frozen=True, slots=True)
class _Cue:
    assertion: Assertion
    start: int
    end: int
    free_words: int


@dataclass(frozen=True, slots=True)
class _Reached:
    """A cue that reaches a name, and how many other names it passes on its way."""

    cue: _Cue
    names_passed: int


_SWITCHED: Final = "switched"
_REACH_CHARS: Final = 250
"""A cue reaches no further than this from one name to the next."""
_WHOLE_LIST: Final = 10
"""A cue over as many free words ("denies") covers what follows whatever it lists."""


def _compile(cues: Sequence[tuple[str, str] | tuple[str, str, int]]) -> re.Pattern[str]:
    return phrases(
        r"(?<![\w-])(?:" + "|".join(f"(?P<c{index}>{cue[0]})" for index, cue in enumerate(cues)) + r")(?!\w)"
    )


_BEFORE: Final = _compile(CUES_BEFORE)
_AFTER: Final = _compile(CUES_AFTER)
_FILLER: Final = phrases(rf"\b{FILLER}\b")
_BREAKER: Final = phrases(BREAKER)
_FREE_WORD: Final = re.compile(r"[^\W\d_][\w'\u2019-]*")
_IN_PARENTHESES: Final = re.compile(r"\([^()\n]*\)")


def assert_names(
    text: str, statement: Statement, names: Sequence[Place], directions: Sequence[Place]
) -> list[Assertion | None]:
    """What the statement says of each of its names, None where it says nothing.

    Args:
        text: The whole document.
        statement: The statement in it that the names stand in.
        names: The names of drugs in the statement, in their order.
        directions: Its doses, frequencies and so on: a cue reaches across them.
    """
    if not names:
        return []
    after = _reached_from_after(text, statement, names, directions)
    # What says something of the name before it ("lisinopril was stopped and …") says nothing of the next one.
    spoken_for = [reached.cue for reached in after if reached and not reached.names_passed]
    cues = [cue for cue in _cues_before(text, statement) if not any(_overlap(cue, other) for other in spoken_for)]
    before = _reached_from_before(text, statement, names, directions, cues)
    return [_stronger(*pair) for pair in zip(before, after, strict=True)]


def _stronger(before: _Reached | None, after: _Reached | None) -> Assertion | None:
    """The nearer one; at the same distance what follows, unless it merely takes up what was said ("no … allergy")."""
    if before is None or after is None:
        reached = before or after
        return reached.cue.assertion if reached else None
    if before.names_passed != after.names_passed:
        return min(before, after, key=lambda reached: reached.names_passed).cue.assertion
    said_before, said_after = before.cue.assertion, after.cue.assertion
    takes_up = said_after.status is Status.ACTIVE or (
        said_before.status is Status.NEGATED and said_after.status is Status.ALLERGY
    )
    return said_before if takes_up else said_after


def _reached_from_before(
    text: str, statement: Statement, names: Sequence[Place], directions: Sequence[Place], cues: Sequence[_Cue]
) -> list[_Reached | None]:
    """For each name the cue before it that reaches it: after the last name, or carried over a list from there."""
    reached: list[_Reached | None] = []
    gap_start = statement.start
    for name in names:
        own = [cue for cue in cues if gap_start <= cue.start and cue.end <= name.start]
        carried = reached[-1] if reached else None
        found = next(
            (_Reached(cue, 0) for cue in reversed(own) if _reaches(text, cue, cue.end, name.start, directions)), None
        )
        if found is None and carried and not own and _reaches(text, carried.cue, gap_start, name.start, directions):
            found = _Reached(carried.cue, carried.names_passed + 1)
        reached.append(found)
        gap_start = name.end
    return reached


def _reached_from_after(
    text: str, statement: Statement, names: Sequence[Place], directions: Sequence[Place]
) -> list[_Reached | None]:
    """For each name the cue after it that reaches it: before the next name, or carried back over a list."""
    reached: list[_Reached | None] = []
    gap_end = statement.end
    for name in reversed(names):
        found = None
        for match in _AFTER.finditer(text, name.end, min(gap_end, name.end + _REACH_CHARS)):
            cue = _Cue(_said(CUES_AFTER, match), match.start(), match.end(), 0)
            if _reaches(text, cue, name.end, cue.start, directions):
                found = _Reached(cue, 0)
                break
        carried = reached[-1] if reached else None
        if found is None and carried and _reaches(text, carried.cue, name.end, gap_end, directions):
            found = _Reached(carried.cue, carried.names_passed + 1)
        reached.append(found)
        gap_end = name.start
    return reached[::-1]


def _cues_before(text: str, statement: Statement) -> Iterator[_Cue]:
    """The cues of the statement that can stand before what they speak of."""
    switches = False
    for match in _BEFORE.finditer(text, statement.start, statement.end):
        index = _line(match)
        _, said, free_words = CUES_BEFORE[index]
        if said == _SWITCHED:
            # "switched from lisinopril to losartan", "replaced lisinopril with losartan"
            if not switches:
                continue
            said = Status.ACTIVE
        switches = match.group().lower().endswith("from") or match.group().lower().startswith("replac")
        yield _Cue(_assertion(said), match.start(), match.end(), free_words)


def _reaches(text: str, cue: _Cue, start: int, end: int, directions: Sequence[Place]) -> bool:
    """Whether what stands at [start, end), between a cue and a name, lets the cue reach the name."""
    if end - start > _REACH_CHARS:
        return False
    gap = _blank(text, start, end, directions)
    if _BREAKER.search(gap):
        return False
    rest = _FILLER.sub("", gap)
    word = _FREE_WORD.search(rest)
    if word is None:
        return True
    # After other words a comma begins something new ("stopped smoking, aspirin 81 mg"), except where all is denied.
    return len(_FREE_WORD.findall(rest)) <= cue.free_words and (
        cue.free_words >= _WHOLE_LIST or "," not in rest[word.end() :]
    )


def _blank(text: str, start: int, end: int, directions: Sequence[Place]) -> str:
    """text[start:end] without the directions and parentheses in it."""
    pieces: list[str] = []
    position = start
    first = bisect_left(directions, start, key=lambda direction: direction.start)
    for direction in directions[first:]:
        if direction.start >= end:
            break
        pieces.append(text[position : direction.start])
        position = max(position, direction.end)
    pieces.append(text[position:end])
    return _IN_PARENTHESES.sub(" ", " ".join(pieces))


def _overlap(one: _Cue, other: _Cue) -> bool:
    return one.start < other.end and other.start < one.end


def _line(match: re.Match[str]) -> int:
    """Which line of the table matched."""
    return int((match.lastgroup or "c0")[1:])


def _said(cues: Sequence[tuple[str, str]], match: re.Match[str]) -> Assertion:
    return _assertion(cues[_line(match)][1])


def _assertion(said: str) -> Assertion:
    return Assertion(Status(said.rstrip("!")), said.endswith("!"))
