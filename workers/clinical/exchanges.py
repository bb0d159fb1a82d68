"""Whether words of change speak of another drug, as in "change X to Y", or of an amount, as in "change X to 5 mg"."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from workers.clinical.cues import Cue
from workers.clinical.gaps import REACH_CHARS, blank, without_fillers
from workers.clinical.quantities import phrases
from workers.spans import Place

_EXCHANGES: Final = phrases(
    r"[\s,(]{0,4}(?:(?!interact|as\b|due\b|given\b|because)[\w'\u2019-]{1,30}\s{1,4}){0,2}?"
    r"(?:\b(?:over )?(?:to|for|with|by|onto)\b|->|=>|[\u2192\u21d2])\s{0,4}",
    re.NOFLAG,
)
_TO_NAME: Final = re.compile(r"(?:\b(?:to|for|with|by|onto)\b|->|=>|[\u2192\u21d2])[^\d\n]{0,60}$")
_TAKES_AMOUNT: Final = re.compile(r"\b(?:to|for|by|with|previously|formerly)$")
_LISTS: Final = re.compile(r"[\s,/&+]{0,8}(?:and[\s,]{1,8})?")


def which_are_exchanged(text: str, names: Sequence[Place], directions: Sequence[Place]) -> list[bool]:
    """For each name whether the next one is taken for it, or for its list: "change X and Y to Z"."""
    exchanged = [False]
    for name, following in zip(reversed(names[:-1]), reversed(names[1:]), strict=True):
        gap = blank(text, name.end, following.start, directions) if following.start - name.end < REACH_CHARS else ";"
        turn = _EXCHANGES.match(gap)
        leads = (
            turn is not None
            and text[name.start : name.end] != text[following.start : following.end]  # "change X 5 mg to X 10 mg"
            and _TO_NAME.search(text, name.end, following.start) is not None
            and not without_fillers(gap[turn.end() :]).strip()
        )
        exchanged.append(leads or (exchanged[-1] and _LISTS.fullmatch(gap) is not None))
    return exchanged[::-1]


def is_of_amount(text: str, name: Place, cue: Cue, gap_end: int, end: int, directions: Sequence[Place]) -> bool:
    """Whether how it is taken follows the cue, and no other name: "previously 40 mg", "changed to nocte"."""
    if _TAKES_AMOUNT.search(text, cue.start, cue.end) is None:
        return False
    if text.startswith(text[name.start : name.end], gap_end):  # "Fostair 200/6 stepped down to Fostair 100/6"
        return True
    index = bisect_left(directions, cue.end, key=lambda direction: direction.start)
    if index == len(directions) or directions[index].start > cue.end + 2:
        return False
    rest = without_fillers(blank(text, cue.end, gap_end, directions))
    return gap_end == end or rest.strip() != ""
