"""Doses: measured amounts such as 500 mg, what is a dose and what is not, and changes from one to another."""

import re
from collections.abc import Iterator
from typing import Final

from pydantic import Field

from workers.clinical.quantities import COUNT, DECIMAL, TO, number, phrases
from workers.spans import Span, matched


class Dose(Span):
    """A measured amount, such as 500 mg, 10-20 mg or 875/125 mg."""

    value: float = Field(
        description="The amount; the lower end of a range; of a combination, its first ingredient's."
    )
    value_max: float | None = Field(default=None, description="The upper end of a range.")
    unit: str = Field(description="The unit of the values: mg, mcg, g, mL, units, mg/kg, …")
    per_ingredient: tuple[float, ...] = Field(
        default=(), description="The amounts of a combination's ingredients, in the order they are written."
    )


_UNITS: Final = (
    ("mg", r"mgs?|milligram(?:me)?s?"),
    ("mcg", r"mcgs?|micg|[µμ]g|ug|microgram(?:me)?s?|mikrograms?"),
    ("ng", r"ng|nanograms?"),
    ("g", r"gms?|g|gram(?:me)?s?"),
    ("mL", r"mls?|cc|millilit(?:er|re)s?"),
    ("L", r"lit(?:er|re)s?|l"),
    ("units", r"(?:international\s)?units?|iu|i\.u\.|u"),
    ("million units", r"million\s(?:international\s)?(?:units?|iu)|mega\s?units?"),
    ("mEq", r"meq"),
    ("mmol", r"mmols?"),
    ("tsp", r"tsp|teaspoons?(?:fuls?)?"),
    ("tbsp", r"tbsp|tablespoons?(?:fuls?)?"),
)
_UNIT = "(?:" + "|".join(pattern for _, pattern in _UNITS) + r")(?![^\W\d_])"
_UNIT_ALONE = re.compile(_UNIT)
_UNIT_NAME = re.compile("|".join(f"(?:{pattern})()" for _, pattern in _UNITS))
"""The index of the group that ends a unit tells its line in _UNITS, from 1."""
_PER_WORD = re.compile(r"\sper\s")
_PER = (
    rf"(?:\s?/\s?|\sper\s)(?:{DECIMAL}\s?)?(?:kg|mls?|hours?|hr|h|days?|doses?|min|m2|m²|puff|spray|actuation|drop"
    r"|tablet|tab|24\s?h(?:ou)?rs?)(?![^\W_])"
)
_TURNS: Final = r"\s?(?:->|-->|=>|\u2192|\u21d2)\s?"
_DOSE = re.compile(
    rf"(?<![\w.,/\xb7-])(?P<numbers>{DECIMAL}(?:\s?(?:{_UNIT})?(?:\s?/\s?|{_TURNS}|{TO}){DECIMAL}){{0,3}})[\s-]?"
    rf"(?P<unit>{_UNIT})(?P<per>(?:{_PER}){{0,2}})(?!\s?/\s?\d)(?!\d)"
)
"""A dose, as all patterns here for text in small letters."""
_PER_SPACE = re.compile(r"\s")
_HOUR = re.compile(r"(?:hours?|hr|h)$")
_NUMBER = re.compile(DECIMAL)
_JOINT = re.compile(rf"(?P<turns>{_TURNS})|\bto\b")
_CHANGES = re.compile(
    r"(?:\bfrom|\b(?:increas|decreas|reduc|titrat|uptitrat|chang|rais|lower|taper|wean|doubl|halv|cut|step"
    r"|adjust)\w{0,8}"
    r"|[\u2191\u2193])[^\d;.\n]*$"
)
"""What makes the two amounts after it a change: "increased from", "reduce bisoprolol"."""
LOOK_BACK: Final = 48
"""What makes an amount something else stands within as many characters before it."""
_LABORATORY_UNITS: Final = frozenset({"ng/mL", "ng", "L/min", "L/day", "mg/day/24h"})
_SCALE: Final = {("mg", "g"): 0.001, ("mcg", "mg"): 0.001, ("g", "mg"): 1000.0, ("mg", "mcg"): 1000.0}
_NO_DOSE_BEFORE = re.compile(
    r"\b(?:e?gfr|crcl|cr|clearance|creatinine|urea|bun|output|ferritin|crp|hba1c|a1c|hb|haemoglobin|hemoglobin|hgb"
    r"|tsh|bilirubin|troponin|trop|bnp|nt-?probnp|d-?dimer|lactate|bm|bgl|bsl|cbg|sugars?|cholesterol|ldl|hdl"
    r"|triglycerides?|na|k|ca|po4|phosphate|levels?|trough|peak|serum|plasma|conc(?:entration)?|urate|uric\sacid"
    r"|acr|pcr|proteinuria|psa|inr|esr|weigh(?:t|s|ed|ing)|wt|loss|lost|drain(?:ed|s|age)?|voided|residual|alcohol"
    r"|etoh|drinks?|drinking|intake|volume|balance|cortisol|25-oh)\b[\s:=<>~+\u2248\u2191\u2193-]{0,4}(?:(?:of|was"
    r"|is|were|at|about|around|approx|approximately|in|up|to|by|from|rose|fell"
    r"|result|now|today|only|about|him|her|total)\b[\s:=<>~]{1,3}){0,3}$"
)
"""A laboratory's result or another measurement; what stands before its number."""
_NO_DOSE_AFTER = re.compile(
    r"\s?/\s?(?:d?l|mm3|m?mol|g|1\.73)\b|\s(?:of\s)?(?:alcohol|etoh|urine|blood|ascites|ascitic|pus|fluid|packed"
    r"|prbcs?|rbcs?|red\scells?|ffp|platelets|cryo|stool|weight|carbs?|carbohydrates?|fat|protein|salt|beer|wine"
    r"|water|milk|formula|feed)\b"
    r"|(?:\s?/\s?|\sper\s|\sa\s)(?:week|wk)\b"
)
_LIMIT = phrases(
    r"(?<!\w)(?:max(?:imum)?(?: (?:of|dose|daily|daily dose|total))?|not (?:to exceed|more than)|no more than"
    rf"|exceed(?:ing)?|do not exceed|up to a max(?:imum)? of|total of)[.:]?\s?(?:{_DOSE.pattern}"
    rf"|{COUNT}(?:\s[a-z]{{3,12}})?)(?:\s?(?:/|per|a|in|in any)\s?(?:24\s?h(?:ou)?rs?|24h|24|day)|\sdaily|\s(?:od"
    r"|bd|tds|qds))?",
    re.NOFLAG,
)


def find_doses(text: str, lowered: str, start: int, end: int) -> Iterator[tuple[Span, bool]]:
    """The doses in text[start:end]; as plain spans the amounts that are none: a laboratory's results and the like.

    The second of each pair says whether it counts only directly after a name or a direction: never so here.
    """
    for match in _DOSE.finditer(lowered, start, end):
        if _NO_DOSE_AFTER.match(lowered, match.end(), end) or _NO_DOSE_BEFORE.search(
            lowered, max(start, match.start() - LOOK_BACK), match.start()
        ):
            yield Span(**matched(match, text)), False
            continue
        unit = _unit(match["unit"]) + _per(match["per"])
        if unit in _LABORATORY_UNITS:
            yield Span(**matched(match, text)), False
        elif _is_change(start, match):
            yield from ((dose, False) for dose in _changed(text, match, unit))
        else:
            yield _dose(text, match, unit), False


def _dose(text: str, match: re.Match[str], unit: str) -> Dose:
    written = match["numbers"]
    values = tuple(number(value) for value in _NUMBER.findall(written))
    units = [_unit(unit) for unit in (*_UNIT_ALONE.findall(written), match["unit"])] if len(values) > 1 else []
    if units and units[0] != units[-1]:
        if "/" in written:  # a concentration: 250 mg/5 mL
            unit, values = f"{units[0]}/{values[-1]:g} {units[-1]}", values[:1]
        else:  # 500 mg to 1 g
            scale = _SCALE.get((units[0], units[-1]))
            values = (values[0] * scale, values[1]) if scale else values[1:2]
    is_combination = len(values) > 1 and ("/" in written or len(values) > 2)
    return Dose(
        **matched(match, text),
        value=values[0],
        value_max=values[1] if len(values) == 2 and not is_combination else None,
        unit=unit,
        per_ingredient=values if is_combination else (),
    )


def _is_change(start: int, match: re.Match[str]) -> bool:
    """Whether two amounts in a match of _DOSE are an earlier and a later one, not the ends of a range."""
    joint = _JOINT.search(match["numbers"])
    if joint is None:
        return False
    if joint["turns"]:
        return True
    return _CHANGES.search(match.string, max(start, match.start() - LOOK_BACK), match.start()) is not None


def _changed(text: str, match: re.Match[str], unit: str) -> Iterator[Dose]:
    """The amounts of a change, each as a dose of its own."""
    numbers = list(_NUMBER.finditer(match["numbers"]))
    for index, found in enumerate(numbers):
        rest = match["numbers"][found.end() : numbers[index + 1].start()] if index + 1 < len(numbers) else ""
        own = _UNIT_ALONE.match(rest.lstrip())
        start = match.start() + found.start()
        end = match.end() if index + 1 == len(numbers) else start + len(found.group())
        if own:
            end += len(rest) - len(rest.lstrip()) + own.end()
        yield Dose(
            text=text[start:end],
            start=start,
            end=end,
            value=number(found.group()),
            unit=_unit(own.group()) if own else unit,
        )


def _per(written: str) -> str:
    """What an amount is given for, such as /kg/day; that it is for one dose goes without saying."""
    parts = _PER_SPACE.sub("", _PER_WORD.sub("/", written)).replace("ml", "mL").split("/")[1:]
    return "".join(f"/{_HOUR.sub('hr', part)}" for part in parts if not part.startswith("dose"))


def _unit(written: str) -> str:
    match = _UNIT_NAME.fullmatch(written)
    return _UNITS[(match.lastindex or 1) - 1][0] if match else written


def find_limits(text: str, lowered: str, start: int, end: int) -> Iterator[tuple[Span, bool]]:
    """The limits in text[start:end] ("max 4 g per day"), as plain spans: they are no doses."""
    for match in _LIMIT.finditer(lowered, start, end):
        yield Span(**matched(match, text)), False
