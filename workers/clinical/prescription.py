"""The directions of a prescription: dose, quantity, route, frequency, as needed, duration."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from pydantic import Field

from workers.clinical.frequencies import FREQUENCY, Frequency, parse_frequency
from workers.clinical.quantities import COUNT_RANGE, DECIMAL, TO, low_and_high, number, phrases
from workers.spans import Span


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


class Quantity(Span):
    """A number of pieces, such as 1-2 tablets."""

    value: float = Field(description="How many; the lower end of a range.")
    value_max: float | None = Field(default=None, description="The upper end of a range.")
    form: str = Field(description="The piece in the singular: tablet, capsule, puff, …")


class Route(Span):
    """The way a medicine is given."""

    route: str = Field(description="Its plain name: oral, intravenous, subcutaneous, …")


class AsNeeded(Span):
    """That it is taken when needed only (PRN)."""

    reason: str | None = Field(default=None, description="For what, if that is said.")


class Duration(Span):
    """How long it is taken."""

    value: float = Field(description="How many; the lower end of a range.")
    value_max: float | None = Field(default=None, description="The upper end of a range.")
    unit: str = Field(description="day, week, month, year or dose.")
    days: float | None = Field(default=None, description="The value in days (a month is 30, a year 365).")


Direction = Dose | Quantity | Route | Frequency | AsNeeded | Duration

_UNITS: Final = (
    ("mg", r"mgs?|milligrams?"),
    ("mcg", r"mcgs?|[µμ]g|ug|micrograms?"),
    ("ng", r"ng|nanograms?"),
    ("g", r"gms?|g|grams?"),
    ("mL", r"mls?|cc|millilit(?:er|re)s?"),
    ("units", r"(?:international\s)?units?|iu|u"),
    ("mEq", r"meq"),
    ("mmol", r"mmol"),
    ("%", r"%"),
    ("tsp", r"tsp|teaspoons?(?:fuls?)?"),
    ("tbsp", r"tbsp|tablespoons?(?:fuls?)?"),
)
_UNIT = "(?:" + "|".join(pattern for _, pattern in _UNITS) + r")(?![^\W\d_])"
_UNIT_ALONE = re.compile(_UNIT, re.IGNORECASE)
_PER_WORD = re.compile(r"\sper\s", re.IGNORECASE)
_PER = (
    rf"(?:\s?/\s?|\sper\s)(?:{DECIMAL}\s?)?(?:kg|ml|hours?|hr|h|days?|dose|min|m2|m²|puff|spray|actuation)(?![^\W_])"
)
_DOSE = re.compile(
    rf"(?<![\w.,/-])(?P<numbers>{DECIMAL}(?:\s?(?:{_UNIT})?(?:\s?/\s?|{TO}){DECIMAL})*)[\s-]?(?P<unit>{_UNIT})"
    # A laboratory's result ("1.2 mg/dL") and a blood pressure are no doses.
    rf"(?P<per>(?:{_PER})*)(?!\s?/\s?(?:d?l|mm3)\b)(?!\s?/\s?\d)(?!\d)",
    re.IGNORECASE,
)
_FORMS: Final = (
    "tablet|tab|capsule|cap|pill|puff|drop|gtt|spray|patch|lozenge|suppositor(?:y|ies)|packet|sachet|ampoule|vial"
    "|inhalation|application|injection|actuation"
)
_SHORT_FORMS: Final = {
    "tab": "tablet",
    "cap": "capsule",
    "gtt": "drop",
    "suppositorie": "suppository",
    "patche": "patch",
}
_QUANTITY = re.compile(rf"(?<![\w.,/-])(?P<count>{COUNT_RANGE})\s(?P<form>{_FORMS})(?:e?s)?\b", re.IGNORECASE)
_ROUTES: Final = (
    ("oral", r"by mouth|orally|oral|per os|p\.o\.|po"),
    ("intravenous", r"intravenous(?:ly)?|i\.v\.|ivpb|ivp|iv"),
    ("intramuscular", r"intramuscular(?:ly)?|i\.m\.|im"),
    ("subcutaneous", r"subcutaneous(?:ly)?|subcut|sub-?q|s\.c\.|sc|sq"),
    ("sublingual", r"sublingual(?:ly)?|under the tongue|s\.l\.|sl"),
    ("rectal", r"rectal(?:ly)?|p\.r\.(?!n)|pr"),
    ("vaginal", r"vaginal(?:ly)?|p\.v\.|pv"),
    ("topical", r"topical(?:ly)?|to the skin|to (?:the )?affected areas?"),
    ("inhaled", r"inhaled|inhaler|by inhalation|via (?:a )?nebuli[sz]er|nebuli[sz]ed|neb|inh"),
    ("nasal", r"intranasal(?:ly)?|nasal(?:ly)?|(?:in|into|to) (?:each|both|the) nostrils?|each nostril"),
    ("ophthalmic", r"ophthalmic|(?:in|into|to) (?:each|both|the(?: left| right| affected)?) eyes?"),
    ("otic", r"otic|(?:in|into|to) (?:each|both|the(?: left| right| affected)?) ears?"),
    ("transdermal", r"transdermal(?:ly)?"),
    ("buccal", r"buccal(?:ly)?"),
    ("enteral tube", r"(?:via|per|by) (?:the )?(?:ng|peg|g|feeding)[ -]?tube"),
    ("intrathecal", r"intrathecal(?:ly)?"),
    ("intradermal", r"intradermal(?:ly)?"),
)
_ROUTE = phrases(
    r"(?<![\w'\u2019.-])(?:"
    + "|".join(f"(?P<r{i}>{pattern})" for i, (_, pattern) in enumerate(_ROUTES))
    + r")(?![\w-])"
)
_SYMPTOM = (
    "(?:chest )?(?:pain|fever|nausea|vomiting|itching|anxiety|insomnia|sleep|headache|cough|constipation|wheezing"
    "|shortness|agitation|diarrh)"
)
_AS_NEEDED = phrases(
    r"(?<![\w.])(?:prn\b|p\.r\.n\.?|(?:only )?(?:as|if|when) (?:needed|required|necessary))"
    rf"(?:(?: for |(?<=[nN.]) (?={_SYMPTOM}))"
    r"(?P<reason>(?!\d|an? |the |up |(?:one|two|three|four|five|six|seven) )[^\W\d_][^.,;:()\n\d]*?)"
    r"(?=[.,;:()\n\d]|$| (?:x|for|and|or|but|up|not|by|rather) ))?"
)
_SPAN_OF_TIME = r"(?P<unit{n}>d(?:ays?)?|w(?:ee)?ks?|months?|mos?|years?|yrs?|doses)\b"
_DURATION = phrases(
    rf"(?<![\w.])(?:(?:for|x|\xd7|over)\s?(?:(?:up to|the next|a total of|another|about)\s)?"
    rf"(?P<count1>{COUNT_RANGE})(?:\s|-|(?<=\d))?(?:more\s)?{_SPAN_OF_TIME.format(n=1)}"
    rf"|(?P<count2>{COUNT_RANGE})[\s-]{_SPAN_OF_TIME.format(n=2)}\s(?:course|supply|taper))"
)
_DAYS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}
_LIMIT = phrases(rf"(?<!\w)(?:max(?:imum)?(?: of)?|not to exceed|no more than|exceed(?:ing)?)[.:]? {_DOSE.pattern}")


def find_directions(text: str, start: int, end: int) -> list[Direction]:
    """The directions in text[start:end] in their order, without overlaps; of two at one place the longer one.

    A limit ("not to exceed 4 g per day") is no direction, and what it is made of isn't one either.
    """
    candidates = [found for find in _FINDERS for found in find(text, start, end)]
    candidates.sort(key=lambda found: (found.start, -found.end))
    directions: list[Direction] = []
    last_end = start
    for found in candidates:
        if found.start >= last_end:
            last_end = found.end
            if isinstance(found, Direction):
                directions.append(found)
    return directions


def _doses(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _DOSE.finditer(text, start, end):
        written = match["numbers"]
        values = tuple(number(value) for value in re.findall(DECIMAL, written))
        units = [_unit(unit) for unit in (*_UNIT_ALONE.findall(written), match["unit"])]
        unit = units[0] + re.sub(r"\s", "", _PER_WORD.sub("/", match["per"])).lower().replace("ml", "mL")
        if units[0] != units[-1]:  # a concentration: 250 mg/5 mL
            unit, values = f"{units[0]}/{values[-1]:g} {units[-1]}", values[:1]
        is_combination = len(values) > 1 and ("/" in written or len(values) > 2)
        yield Dose(
            text=match.group(),
            start=match.start(),
            end=match.end(),
            value=values[0],
            value_max=values[1] if len(values) == 2 and not is_combination else None,
            unit=unit,
            per_ingredient=values if is_combination else (),
        )


def _unit(written: str) -> str:
    return next(name for name, pattern in _UNITS if re.fullmatch(pattern, written, re.IGNORECASE))


def _limits(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _LIMIT.finditer(text, start, end):
        yield Span(text=match.group(), start=match.start(), end=match.end())


def _quantities(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _QUANTITY.finditer(text, start, end):
        low, high = low_and_high(match["count"])
        form = match["form"].lower()
        yield Quantity(
            **_place(match), value=low, value_max=high, form=_SHORT_FORMS.get(form, form.replace("ies", "y"))
        )


def _routes(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _ROUTE.finditer(text, start, end):
        route = next(name for index, (name, _) in enumerate(_ROUTES) if match[f"r{index}"])
        yield Route(**_place(match), route=route)


def _frequencies(text: str, start: int, end: int) -> Iterator[Span]:
    for match in FREQUENCY.finditer(text, start, end):
        yield parse_frequency(match)


def _as_needed(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _AS_NEEDED.finditer(text, start, end):
        yield AsNeeded(**_place(match), reason=match["reason"].strip() if match["reason"] else None)


def _durations(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _DURATION.finditer(text, start, end):
        low, high = low_and_high(match["count1"] or match["count2"])
        letter = (match["unit1"] or match["unit2"]).lower()
        unit = {"d": "day", "w": "week", "m": "month", "y": "year"}[letter[0]] if letter != "doses" else "dose"
        days = low * _DAYS[unit] if unit in _DAYS else None
        yield Duration(**_place(match), value=low, value_max=high, unit=unit, days=days)


def _place(match: re.Match[str]) -> dict[str, object]:
    return {"text": match.group(), "start": match.start(), "end": match.end()}


_FINDERS: Final[tuple[Callable[[str, int, int], Iterator[Span]], ...]] = (
    _limits, _doses, _quantities, _routes, _frequencies, _as_needed, _durations,
)  # fmt: skip
