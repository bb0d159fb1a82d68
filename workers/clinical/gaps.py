"""What stands between two words of a statement, without what says nothing there."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from workers.clinical.cue_words import FILLER
from workers.clinical.quantities import phrases
from workers.spans import Place

REACH_CHARS: Final = 250
"""A cue reaches no further than this from one name to the next."""
_FILLER: Final = phrases(rf"\b{FILLER}\b", re.NOFLAG)
_IN_PARENTHESES: Final = re.compile(r"\([^()\n]*\)")


def blank(text: str, start: int, end: int, directions: Sequence[Place]) -> str:
    """text[start:end] without the directions and parentheses in it."""
    pieces: list[str] = []
    position = start
    first = bisect_left(directions, start, key=lambda direction: direction.start)
    for index in range(first, len(directions)):
        direction = directions[index]
        if direction.start >= end:
            break
        pieces.append(text[position : direction.start])
        position = max(position, direction.end)
    pieces.append(text[position:end])
    return _IN_PARENTHESES.sub(" ", " ".join(pieces))


def without_fillers(gap: str) -> str:
    """A gap, in small letters, without the words that any cue reaches across: "a", "his", "tablets"."""
    return _FILLER.sub("", gap)
