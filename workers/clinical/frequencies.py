"""How often a medicine is taken, from "twice daily" to "q4-6h"."""

import re
from typing import Final

from pydantic import Field

from workers.clinical.quantities import COUNT, COUNT_RANGE, DECIMAL, TO, low_and_high, phrases
from workers.spans import Span


class Frequency(Span):
    """How often a medicine is taken."""

    times_per_day: float | None = Field(
        default=None, description="Times a day on average; the most that a range allows; null if it isn't said."
    )
    interval_h: float | None = Field(default=None, description="Hours between two, if it is said as an interval.")
    interval_max_h: float | None = Field(default=None, description="The upper end of a range of intervals, in hours.")


_HOURS: Final = {"min": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0, "mo": 720.0}
_TIMES_PER_DAY: Final[tuple[tuple[str, float | None], ...]] = (
    (r"every other day|on alternate days|q\.o\.d\.?|qod", 0.5),
    (r"b\.i\.d\.?|bid|bd|b\.d\.|twice", 2),
    (r"t\.i\.d\.?|tid|tds|t\.d\.s\.?|thrice", 3),
    (r"q\.i\.d\.?|qid|qds|q\.d\.s\.?", 4),
    (r"q\.d\.?|qd|o\.d\.|od|qday|once[ -]daily|daily|every(?: )?day|each day|a day|per day|/day", 1),
    (
        (
            r"q\.h\.s\.?|qhs|h\.s\.?|hs|nightly|(?:at|before) bed(?: )?time|at night|(?:every|each) night"
            r"|q(?: )?(?:am|pm|noon)"
        ),
        1,
    ),
    (r"(?:every|each|in the) (?:morning|evening|afternoon)|at noon|at breakfast|with (?:breakfast|lunch|dinner)", 1),
    (r"(?:with|before|after) (?:each |every )?meals", 3),
    (r"hourly", 24),
    (r"once[ -]weekly|weekly|every week|qweek|a week|per week", 1 / 7),
    (r"fortnightly", 1 / 14),
    (r"once[ -]monthly|monthly|every month", 1 / 30),
)
_NUMBERED = (
    rf"(?:(?P<once>once|twice|thrice)|(?P<times>{COUNT_RANGE})\s?(?:x|times|time))"
    r"[\s-]?(?:a|per|each|every|/)?\s?(?P<period>dai?ly|day|night|week(?:ly)?|month(?:ly)?)"
)
_INTERVAL = (
    rf"(?:q\.?|every|each)\s?(?P<low>{DECIMAL}|{COUNT}(?=\s))(?:{TO}(?P<high>{DECIMAL}|{COUNT}))?"
    r"[\s-]?(?P<unit>h(?:ou)?rs?|hrly|hourly|h|days?|d|w(?:ee)?ks?|w|months?|min(?:ute)?s?)"
)
_ONE = (
    f"(?:{_NUMBERED}|{_INTERVAL}|"
    + "|".join(f"(?P<f{index}>{pattern})" for index, (pattern, _) in enumerate(_TIMES_PER_DAY))
    + r")(?![^\W_])"
)
_MORE = re.sub(r"\(\?P<\w+>", "(?:", _ONE)

FREQUENCY: Final = phrases(rf"(?<![\w.'\u2019-]){_ONE}(?: {_MORE})*")
"""Matches one frequency with what adds to it ("once daily in the morning"): the first part says how often."""


def parse_frequency(match: re.Match[str]) -> Frequency:
    """The meaning of a match of FREQUENCY."""
    times_per_day: float | None
    interval_h = interval_max_h = None
    if match["period"]:
        per_day = {"d": 1.0, "n": 1.0, "w": 1 / 7, "m": 1 / 30}[match["period"][0].lower()]
        if match["once"]:
            times: float = {"once": 1, "twice": 2, "thrice": 3}[match["once"].lower()]
        else:
            low, high = low_and_high(match["times"])
            times = high or low
        times_per_day = times * per_day
    elif match["unit"]:
        unit = match["unit"].lower()
        hours = next(hours for prefix, hours in _HOURS.items() if unit.startswith(prefix))
        interval_h = low_and_high(match["low"])[0] * hours
        interval_max_h = low_and_high(match["high"])[0] * hours if match["high"] else None
        times_per_day = 24 / interval_h if interval_h else None
    else:
        times_per_day = next(value for index, (_, value) in enumerate(_TIMES_PER_DAY) if match[f"f{index}"])
    return Frequency(
        text=match.group(),
        start=match.start(),
        end=match.end(),
        times_per_day=times_per_day,
        interval_h=interval_h,
        interval_max_h=interval_max_h,
    )
