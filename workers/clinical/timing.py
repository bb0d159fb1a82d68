"""When what is said of a drug holds: from now on, only later, or no more."""

import re
from typing import Final

from workers.clinical.cue_words import CONDITION, LATER, STOP
from workers.clinical.quantities import phrases

_REACH_CHARS: Final = 80
"""A time or a condition is looked for in as many characters before or after what it is about."""
_NUMBER: Final = r"(?:an?|one|two|three|four|five|six|seven|eight|ten|twelve|the next|another|\d{1,2})"
_CONDITION: Final = phrases(CONDITION, re.NOFLAG)
_STOPS: Final = phrases(LATER, re.NOFLAG)
_AFTER_A_WHILE: Final = phrases(
    rf"\b(?:in|over|after) (?:about |another |a further )?{_NUMBER}(?:\s?[-\u2013]\s?\d{{1,2}}| to \w{{1,6}})?[\s-]?"
    r"(?:more |further |/)?(?:days?|weeks?|months?|years?|7|52|12)\b(?! ago)|\b(?:if|when|once|unless|in case"
    r"|for (?:hr|bp|sbp|map|pulse|k|inr|egfr|systolic))\b",
    re.NOFLAG,
)
_STARTS_AGAIN: Final = phrases(
    r"(?:to |can |may |please )?(?:re-?start|resume|re-?commence|re-?introduce)\b", re.NOFLAG
)
_NOT_YET: Final = phrases(
    rf"\b(?:on (?:mon|tue|wed|thu|fri|sat|sun)|d(?:ay )?\d|tomorrow"
    rf"|next (?:week|month|clinic|visit|review)|in {_NUMBER}[\s/-]"
    r"|when|once|if|until|only|after|following|pending|post-?op|at (?:follow|clinic|review|gp))",
    re.NOFLAG,
)
_ENDS: Final = re.compile(r"[.;:!?\n|(]|,\s|\s[-\u2013]\s|\b(?:and|but|then|re-?start|resume|re-?commence)\b")
_RESTARTED: Final = phrases(
    r"\b(?:but|and|now|since|then|been|is|was|subsequently|later)(?: (?:has|was|now|since|been|later"
    r"|subsequently)){0,3}"
    r" (?:back on|re-?started|resumed|re-?commenced|re-?introduced|re-?instated)\b(?! (?:if|when|once))"
    r"|(?:->|=>|[\u2192\u21d2])\s?(?:re-?start|resume|re-?commence)",
    re.NOFLAG,
)
_STOPPED_SINCE: Final = phrases(
    r"\b(?:but|and|this|it|which|that|then|later|subsequently|;)(?: (?:it|this|has|had|have|was|since|now|later|then"
    rf"|subsequently|to)){{0,3}} (?:was|been|be)(?: \w{{1,8}}ly)? (?:{STOP}|completed|finished)\b(?! if)"
    rf"|\b(?:and|but) (?:then|later|subsequently|eventually|finally) {STOP}\b",
    re.NOFLAG,
)


def is_for_later(text: str, start: int, cue_start: int, cue_end: int, end: int) -> bool:
    """Whether the cue "stop" is for later: by a condition in text[start:cue_start], or a time up to `end`.

    "40 mg for 5 days, then stop"; "stop clopidogrel in 12 months"; but "stopped in May" is said of the past.
    """
    if _STOPS.match(text, cue_start, cue_end) is None:
        return False
    return (
        _CONDITION.search(text, max(start, cue_start - _REACH_CHARS), cue_start) is not None
        or _AFTER_A_WHILE.search(text, cue_end, _end_of_clause(text, cue_end, end)) is not None
    )


def is_not_yet_restarted(text: str, cue_start: int, cue_end: int, end: int) -> bool:
    """Whether the cue "restart" says that the drug is on hold for now: "restart metformin on Monday"."""
    return (
        _STARTS_AGAIN.match(text, cue_start, cue_end) is not None
        and _NOT_YET.search(text, cue_end, _end_of_clause(text, cue_end, end)) is not None
    )


def find_restart(text: str, start: int, end: int) -> re.Match[str] | None:
    """Where text[start:end] says that what was stopped is taken again: "was held but has been restarted"."""
    return _RESTARTED.search(text, start, end)


def find_stop(text: str, start: int, end: int) -> re.Match[str] | None:
    """Where text[start:end] says that what was started is not taken any more: "but had to be stopped"."""
    return _STOPPED_SINCE.search(text, start, end)


def _end_of_clause(text: str, start: int, end: int) -> int:
    end = min(end, start + _REACH_CHARS)
    ends = _ENDS.search(text, start, end)
    return ends.start() if ends else end
