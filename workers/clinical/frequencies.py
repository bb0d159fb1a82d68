"""How often a medicine is taken, from "twice daily" to "q4-6h" and "1-0-1"."""

import re
from typing import Final

from pydantic import Field

from workers.clinical.quantities import COUNT, COUNT_RANGE, DECIMAL, TO, low_and_high, phrases
from workers.spans import Span, matched


class Frequency(Span):
    """How often a medicine is taken."""

    times_per_day: float | None = Field(
        default=None, description="Times a day on average; the most that a range allows; null if it isn't said."
    )
    interval_h: float | None = Field(default=None, description="Hours between two, if it is said as an interval.")
    interval_max_h: float | None = Field(default=None, description="The upper end of a range of intervals, in hours.")
    once: bool = Field(default=False, description="It is given a single time (once, stat).")


_HOURS: Final = {"min": 1 / 60, "h": 1.0, "d": 24.0, "n": 24.0, "w": 168.0, "f": 336.0, "mo": 720.0, "y": 8760.0}
_OFTEN: Final[tuple[tuple[str, float | None], ...]] = (
    (
        (
            r"(?:every )?(?:other|second|alternate) (?:day|night|morning|evening)s?|(?:on )?alternat(?:e"
            r"|ing) (?:day|night)s?|alt\.? (?:days?|die)|q\.o\.d\.?|qod|eod"
        ),
        0.5,
    ),
    (
        (
            r"b\.i\.d\.?|bid|bds?|b\.d\.?(?:s\.?)?|twice|mane (?:and|et|&|\+) nocte"
            r"|(?:in the )?morning and (?:night|evening)|morning (?:&|\+) (?:night|evening)|(?:every )?am (?:and"
            r"|&) pm"
        ),
        2,
    ),
    (r"t\.i\.d\.?|tid|tds|t\.d\.s\.?|thrice", 3),
    (r"q\.i\.d\.?|qid|qds|q\.d\.s\.?", 4),
    (
        (
            r"q\.d\.?|qd|o\.d\.?|od(?!\s(?:[bt]id|qid|qhs|qpm|q\d))|qday|(?:once|one)[\s-](?:daily|nightly)"
            r"|daily|dly|every\s?day|each day|/day"
            r"|(?:once )?in 24\s?h(?:ou)?rs"
        ),
        1,
    ),
    (
        (
            r"q\.h\.s\.?|qhs|h\.s\.?|hs|nightly|nocte|noct|(?:at|before) bed\s?(?:time)?|bedtime|at night(?:time)?"
            r"|(?:every|each) (?:night|evening)|q\s?(?:am|pm|noon)|o\.n\.?|o\.m\.?|mane"
        ),
        1,
    ),
    (
        (
            r"(?:every|each|in the) (?:morning|evening|afternoon)s?|at (?:noon|midday|lunch(?:time)?|teatime"
            r"|breakfast|dinner|dinnertime)|(?:with|before|after) (?:breakfast|lunch|dinner|supper|tea|(?:the |her "
            r"|his )?(?:evening|morning|main|largest) meal)|pre-?(?:breakfast|bed)"
        ),
        1,
    ),
    (r"(?:with|before|after|at) (?:each |every )?(?:meal\s?times?|meals)", 3),
    (r"with (?:each|every) meal", 3),
    (r"hourly", 24),
    (r"once[\s-]weekly|weekly|every week|qweek|/week", 1 / 7),
    (r"fortnightly|every fortnight", 1 / 14),
    (r"once[\s-]monthly|monthly|every month", 1 / 30),
    (r"quarterly", 1 / 90),
    (r"(?:once[\s-])?yearly|annually|every year", 1 / 365),
)
_SINGLE: Final = (
    r"stat(?: dose)?|once only|(?:as )?(?:a|one) (?:single|one-off|stat) dose|single dose|one[\s-]off(?: dose)?"
)
_WEAK: Final = (
    (r"once|x\s?1", None),
    (r"(?:a|per) day", 1),
    (r"(?:a|per) week", 1 / 7),
    (r"(?:a|per) fortnight", 1 / 14),
    (r"(?:a|per) month", 1 / 30),
    (r"on|om|am|pm|a\.m\.|p\.m\.|morning|evening|night|lunchtime|midday|noon", 1),
)
"""Taken for a frequency only directly after another direction: the words have other meanings."""
_NUMBERED = (
    rf"(?:(?P<once>once|twice|thrice)|(?:x\s?)?(?P<times>{COUNT_RANGE})[\s-]?(?:x|\xd7|times|time|(?:nights|days"
    r"|mornings)(?=\s(?:a|per|each)\sw)))[\s-]?(?:a|per|each|every|/|in)?\s?(?P<period>dai?ly|day|24\s?h(?:ou)?rs"
    r"|night|week(?:ly)?|month(?:ly)?|year(?:ly)?)|x\s?(?P<by>\d)(?: |/)(?:a |per )?(?P<by_period>dai?ly|day"
    r"|week(?:ly)?)"
)
_UNIT = (
    r"h(?:ou)?rs?|hrly|hourly|h|days?|d|nights?|w(?:ee)?ks?|weekly|wkly|w|months?|monthly|mthly|mths?|years?|yearly"
    r"|min(?:ute)?s?"
)
_INTERVAL = (
    rf"(?:q\.?|every|each)\s?(?P<low>{DECIMAL}|{COUNT}(?=\s))(?:{TO}(?P<high>{DECIMAL}"
    rf"|{COUNT}))?[\s-]?(?P<unit>{_UNIT})|(?P<low2>{COUNT})(?:{TO}(?P<high2>{COUNT}))?[\s-]?(?P<unit2>h(?:ou)?rly"
    rf"|weekly|wkly|monthly|mthly|yearly)|(?P<low3>\d{{1,2}})/24"
)
_PATTERN = r"(?P<pattern>[0-4½](?:\s?[-\u2013+]\s?[0-4½]){2,3})(?!\s?[-\u2013/+]\s?\d)"
_DAY = r"(?:mon|tue(?:s|r)?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:days?|s)?"
_DAYS = (
    rf"(?P<days>(?:(?:every|each) )?{_DAY}(?:(?:\s?[,/&]\s?| and |, and ){_DAY}){{1,6}}|(?:every|each) {_DAY}"
    r"|(?:on (?:a )?)?(?:mon|tues|wednes|thurs|fri|satur|sun)days)"
)
_NAMED: Final = {
    "single": (_SINGLE, None),
    **{f"f{index}": said for index, said in enumerate(_OFTEN)},
    **{f"weak{index}": said for index, said in enumerate(_WEAK)},
}
"""What is said in words, by the name of the group that ends it."""
_ONCE: Final = frozenset({"single", "weak0"})
_ON: Final = f"weak{len(_WEAK) - 1}"
_ONE = (
    f"(?:{_NUMBERED}|{_INTERVAL}|{_PATTERN}|{_DAYS}|"
    + "|".join(f"(?:{pattern})(?P<{name}>)" for name, (pattern, _) in _NAMED.items())
    + r")(?![^\W_])"
)
_MORE = re.sub(r"\(\?P<\w+>", "(?:", "|".join((_DAYS, *(pattern for pattern, _ in _OFTEN))))

FREQUENCY: Final = phrases(rf"(?<![\w.'\u2019/-]){_ONE}(?:(?: |, )(?:{_MORE})(?![^\W_])){{0,3}}", re.NOFLAG)
"""Matches one frequency with what adds to it ("once daily in the morning"): the first part says how often.

For text in small letters.
"""


def parse_frequency(match: re.Match[str], text: str) -> Frequency:
    """The meaning of a match of FREQUENCY in the text in small letters."""
    times_per_day: float | None
    interval_h = interval_max_h = None
    low, unit = match["low"] or match["low2"] or match["low3"], match["unit"] or match["unit2"]
    if match["period"] or match["by_period"]:
        per_day = {"d": 1.0, "2": 1.0, "n": 1.0, "w": 1 / 7, "m": 1 / 30, "y": 1 / 365}
        if match["once"]:
            times: float = {"once": 1, "twice": 2, "thrice": 3}[match["once"]]
        else:
            low_times, high_times = low_and_high(match["times"] or match["by"])
            times = high_times or low_times
        times_per_day = times * per_day[(match["period"] or match["by_period"])[0]]
    elif low:
        hours = next(
            hours for prefix, hours in _HOURS.items() if (unit or "h").replace("mt", "mo").startswith(prefix)
        )
        high = match["high"] or match["high2"]
        interval_h = low_and_high(low)[0] * hours
        interval_max_h = low_and_high(high)[0] * hours if high else None
        times_per_day = 24 / interval_h if interval_h else None
    elif match["pattern"]:
        times_per_day = float(sum(1 for count in re.findall(r"[0-4½]", match["pattern"]) if count != "0")) or None
    elif match["days"]:
        times_per_day = len(re.findall(_DAY, match["days"])) / 7
    else:
        _, times_per_day = _NAMED[match.lastgroup or "single"]
    return Frequency(
        **matched(match, text),
        times_per_day=times_per_day,
        interval_h=interval_h,
        interval_max_h=interval_max_h,
        once=match.lastgroup in _ONCE,
    )


def is_weak(match: re.Match[str]) -> bool:
    """Whether a match of FREQUENCY counts only directly after a name or another direction, as "ON" in "40 mg ON"."""
    return bool(
        match["low3"]
        or (match["pattern"] and "0" not in match["pattern"])
        or (match.lastgroup or "").startswith("weak")
    )


def is_word(match: re.Match[str], text: str) -> bool:
    """Whether a match of FREQUENCY is the word "on" rather than "ON", at night."""
    return match.lastgroup == _ON and match.group().startswith("on") and not text.startswith("ON", match.start())
