"""What a cue says of the names that it reaches, and which of two says more."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from workers.clinical.quantities import phrases


class Status(StrEnum):
    """What the document says of a medication."""

    ACTIVE = "active"
    """It is taken, prescribed or given; also where nothing else is said of it."""
    STOPPED = "stopped"
    """It was taken and is not any more, or is held."""
    NEGATED = "negated"
    """It is not taken, denied, declined, only considered, or to be avoided."""
    ALLERGY = "allergy"
    """It is not tolerated."""
    FAMILY = "family"
    """It is a relative's, who takes it or doesn't tolerate it."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the words at [start, end) say of a name.

    A formal one ("prescribed", "allergic to") is not said of anything but medicines.
    """

    status: Status
    start: int
    end: int
    is_formal: bool = False
    is_before: bool = False
    is_weak: bool = False
    """It stands before the name, or beside it without a verb, and so may speak of something else."""


@dataclass(frozen=True, slots=True)
class Cue:
    """Words at [start, end) that say something of a name, with at most `free_words` others between them."""

    assertion: Assertion
    start: int
    end: int
    free_words: int
    is_neutral: bool = False
    """Any other cue before it that reaches the name says more: "stop all medicines including …"."""
    is_exchange: bool = False
    """It holds only of what another drug is taken for: "change X to Y", but not "change X to 5 mg"."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A cue that reaches a name, and how many other names it passes on its way."""

    cue: Cue
    names_passed: int


_STARTS_AGAIN: Final = phrases(r"re-?(?:start|commenc|introduc|sum)", re.NOFLAG)
_AND_THEN: Final = phrases(r"\b(?:then|but|again|later|subsequently|since|now)\b", re.NOFLAG)
_DISCUSSED: Final = phrases(r"\b(?:discussed|considered|offered|suggested|recommended)\b", re.NOFLAG)


def stronger(text: str, before: Reached | None, after: Reached | None) -> Assertion | None:
    """The nearer one; at the same distance what follows, unless it merely takes up what was said ("no … allergy")."""
    if before is None or after is None:
        reached = before or after
        return reached.cue.assertion if reached else None
    if before.names_passed != after.names_passed:
        return min(before, after, key=lambda reached: reached.names_passed).cue.assertion
    said_before, said_after = before.cue.assertion, after.cue.assertion
    if said_after.status is Status.STOPPED and _STARTS_AGAIN.match(text, said_before.start, said_before.end):
        # "Restarted lisinopril after it had been held"; but "restarted it, then stopped".
        return said_after if _AND_THEN.search(text, said_before.end, said_after.end) else said_before
    if said_before.status is Status.STOPPED and _DISCUSSED.search(text, said_after.start, said_after.end):
        return replace(said_after, status=Status.ACTIVE)  # "stopping sertraline was discussed"
    # "No … allergy"; "ran out of codeine and has not needed it since".
    takes_up = said_after.status is Status.ACTIVE or (said_before.status, said_after.status) in (
        (Status.NEGATED, Status.ALLERGY),
        (Status.STOPPED, Status.NEGATED),
        (Status.ALLERGY, Status.STOPPED),
    )
    return said_before if takes_up else said_after
