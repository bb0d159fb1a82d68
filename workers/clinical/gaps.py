"""What stands between a cue and a name, and whether the cue reaches the name across it."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from workers.clinical.cue_words import BREAKER, FILLER
from workers.clinical.cues import Cue, Status
from workers.clinical.quantities import phrases
from workers.spans import Place

REACH_CHARS: Final = 250
"""A cue reaches no further than this from one name to the next."""
_FILLER: Final = phrases(rf"\b{FILLER}\b", re.NOFLAG)
_IN_PARENTHESES: Final = re.compile(r"\([^()\n]*\)")
_WHOLE_LIST: Final = 10
"""A cue over as many free words ("denies") covers what follows whatever it lists."""
_BREAKER: Final = phrases(BREAKER, re.NOFLAG)
_ENDS_LIST: Final = re.compile(r"[;!?]")
_GOES_ON: Final = frozenset(",:-\u2013\u2014")
_FREE_WORD: Final = re.compile(r"[^\W\d_][\w'\u2019-]*")
TURNS: Final = re.compile(r"\s{0,4}(?:-{1,2}>|=>|[\u2192\u21d2])\s{0,4}")
_BESIDE: Final = phrases(
    r"[\s,(\u2013\u2014-]{0,4}(?:tablets? |at the same time )?(?:(?:told|advised|warned) )?(?:(?:not|never) )?"
    r"(?:(?:together|along|while|when|whilst|as|if|because|since|given|interacts|interaction) )?"
    r"(?:(?:he|she|pt|patient|you)(?: is|['\u2019]s)? )?(?:on|taking|takes|with|alongside)(?: (?:the|his|her|your"
    r"|their|my))? ",
    re.NOFLAG,
)
_BESIDE_ANOTHER: Final = re.compile(
    r"\b(?!(?:courses?|trials?|doses?|use|start|cover|\w{1,20}(?:ing|sis|tion|ment|laxis|apy))\b)[a-z]{3,20}\s{1,4}"
    r"(?:with|alongside|whil(?:e|st) on)\s{0,4}$"
)
"""What is not taken away but stands beside it: "avoid alcohol with metronidazole"."""


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


def is_beside(text: str, cue: Cue, start: int, end: int, directions: Sequence[Place]) -> bool:
    """Whether the next name is what is taken instead or beside: "no ibuprofen with warfarin", "stop A -> B"."""
    takes_away = cue.assertion.status in (Status.NEGATED, Status.STOPPED) and cue.free_words < _WHOLE_LIST
    return (
        takes_away
        and (_BESIDE.fullmatch(text, start, end) or TURNS.fullmatch(blank(text, start, end, directions))) is not None
    )


def leads_to(text: str, cue: Cue, name: Place, directions: Sequence[Place]) -> bool:
    """Whether a cue reaches the name after it: "no regular medicines, codeine …" does not."""
    takes_away = cue.assertion.status in (Status.NEGATED, Status.STOPPED) and cue.free_words < _WHOLE_LIST
    gap = blank(text, cue.end, name.start, directions) if takes_away else ""
    if "," in gap or _BESIDE_ANOTHER.search(gap):
        return False
    return carries_to(text, cue, cue.end, name, directions)


def carries_to(text: str, cue: Cue, start: int, name: Place, directions: Sequence[Place]) -> bool:
    """Whether a cue before `start` reaches the name after it; what is said in parentheses ends with them."""
    if cue.free_words == 0 and cue.assertion.status is Status.NEGATED and "," in text[start : name.start]:
        return False  # "rather than codeine, tramadol was used"
    return ")" not in blank(text, start, name.start, directions) and reaches(text, cue, start, name.start, directions)


def reaches(text: str, cue: Cue, start: int, end: int, directions: Sequence[Place]) -> bool:
    """Whether what stands at [start, end), between a cue and a name, lets the cue reach the name."""
    if end - start > REACH_CHARS:
        return False
    gap = blank(text, start, end, directions)
    # What goes on after a comma or dash speaks of the drug again: "… while an inpatient, now ceased".
    breaker = _ENDS_LIST if text[cue.start] in _GOES_ON and cue.start == end else _BREAKER
    if breaker.search(gap) or ("|" in gap and gap.strip(" |")):
        return False
    rest = without_fillers(gap)
    word = _FREE_WORD.search(rest)
    if word is None:
        return True
    # After other words a comma begins something new ("stopped smoking, aspirin 81 mg"), except where all is denied.
    return len(_FREE_WORD.findall(rest)) <= cue.free_words and (
        cue.free_words >= _WHOLE_LIST or "," not in rest[word.end() :]
    )
