"""What is right of what was found in a text of the gold corpus."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.gold import Amount, GoldDrug, GoldEntity
from workers.clinical.cues import Status
from workers.recognition.findings import Label

ATTRIBUTES = ("dose", "route", "frequency")
_UNITS = {"ml": "mL", "l": "L", "iu": "units", "unit": "units", "u": "units", "µg": "mcg", "μg": "mcg"}
_OF_WHAT = re.compile(r"/\s?(?:[\d.]+ ?ml|dose)\Z", re.IGNORECASE)
_EDGE = re.compile(
    r"\A(?:[\s\W]|(?:the|each|every|(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?(?=[\s,]+[\d\w])"
    r"|mrs?|ms|dr|prof|professor|sir|dame|judge|sister|cllr)\b\.?)+|(?:['\u2019]s\b|[\s\W])+\Z",
    re.IGNORECASE,
)


class Place(Protocol):
    """Anything that stands at [start, end) of the text."""

    @property
    def start(self) -> int:
        """Index of the first character."""

    @property
    def end(self) -> int:
        """Index after the last character."""


@dataclass(frozen=True)
class FoundDrug:
    """A drug as a finder names it; `ingredients` in lower case, frequencies times a day or "once"."""

    start: int
    end: int
    ingredients: frozenset[str]
    status: str = Status.ACTIVE
    dose: Amount | None = None
    route: str | None = None
    frequency: float | str | None = None


@dataclass(frozen=True)
class FoundEntity:
    """An entity as a finder names it."""

    start: int
    end: int
    label: Label


@dataclass
class Tally:
    """Counts of what was found and should have been; they add up."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def precision(self) -> float | None:
        """The share of what was found that is right; of an attribute its accuracy. None if nothing was found."""
        return _share(self.right, self.right + self.wrong)

    @property
    def recall(self) -> float | None:
        """The share of what is there that was found; None if nothing is there."""
        return _share(self.right, self.right + self.missed)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of both."""
        return _share(2 * self.right, 2 * self.right + self.wrong + self.missed)


@dataclass
class Score:
    """The tallies of some texts, by what they count, and the errors among them as sentences.

    The keys are drugs, status, `status: stopped` for each status, dose, route, frequency, changes; and each label,
    exact and, as `person (touched)`, where the spans overlap.
    """

    tallies: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def count(self, what: str, outcome: str, times: int = 1) -> None:
        """Count `right`, `wrong` or `missed`."""
        self.tallies[f"{what}|{outcome}"] += times

    def tally(self, what: str) -> Tally:
        """What was counted of it."""
        return Tally(*(self.tallies[f"{what}|{outcome}"] for outcome in ("right", "wrong", "missed")))

    def add(self, other: "Score") -> None:
        """Count the other one in."""
        self.tallies.update(other.tallies)
        self.errors += other.errors


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def score_drugs(text: str, gold: Sequence[GoldDrug], found: Iterable[FoundDrug], score: Score) -> None:
    """Count the drugs of a text, and of those that match their status and attributes.

    A drug matches where its span overlaps the annotated one and it is the same substance. Of an attribute only those
    count where there is something to find or something was found.
    """
    open_gold = list(gold)
    for drug in found:
        here = [one for one in open_gold if _overlap(one, drug)]
        match = next((one for one in here if not one.optional and _is_same_substance(one, drug)), None)
        if match is not None:
            open_gold.remove(match)
            score.count("drugs", "right")
            _score_attributes(text, match, drug, score)
        elif not any(one.optional and _overlap(one, drug) for one in gold):
            score.count("drugs", "wrong")
            score.errors.append(f"no drug: {_cited(text, drug)} ({', '.join(sorted(drug.ingredients))})")
    for one in open_gold:
        if not one.optional:
            score.count("drugs", "missed")
            score.errors.append(f"drug missed: {_cited(text, one)}")


def _is_same_substance(gold: GoldDrug, found: FoundDrug) -> bool:
    """Whether each ingredient of either is one of the other's: the same name, or the name of its salt or form."""
    if not gold.ingredients:
        return True
    pairs = [(one, other) for one in gold.ingredients for other in found.ingredients if _is_form_of(one, other)]
    return {one for one, _ in pairs} == set(gold.ingredients) and {other for _, other in pairs} == found.ingredients


def _is_form_of(one: str, other: str) -> bool:
    return one == other or one.startswith((f"{other} ", f"{other}-")) or other.startswith((f"{one} ", f"{one}-"))


def _score_attributes(text: str, gold: GoldDrug, found: FoundDrug, score: Score) -> None:
    if gold.statuses:
        outcome = "right" if found.status in map(answer, gold.statuses) else "wrong"
        score.count("status", outcome)
        if len(gold.statuses) == 1:
            score.count(f"status: {gold.statuses[0]}", outcome)
        if outcome == "wrong":
            score.errors.append(f"status {found.status}, not {' or '.join(gold.statuses)}: {_cited(text, gold)}")
    alternatives = {
        "dose": (gold.doses, found.dose),
        "route": (gold.routes, found.route),
        "frequency": (gold.frequencies, found.frequency),
    }
    for name, (right, value) in alternatives.items():
        if not right or (value is None and None in right):
            continue
        is_right = any(_is_same(value, one) for one in right)
        score.count(name, "right" if is_right else "wrong")
        if not is_right:
            score.errors.append(f"{name} {value}, not {' or '.join(map(str, right))}: {_cited(text, gold)}")
    for dose in gold.doses:
        if dose and dose.value_from is not None:
            is_right = found.dose is not None and found.dose.value_from == dose.value_from
            score.count("changes", "right" if is_right else "wrong")


def answer(status: str) -> str:
    """What the worker should answer for a status of the corpus: the word itself where it has it, else negated."""
    return status if status in set(Status) else Status.NEGATED


def _is_same(found: object, right: object) -> bool:
    if isinstance(found, Amount) and isinstance(right, Amount):
        return (found.values, found.value_max, _unit(found.unit)) == (
            right.values,
            right.value_max,
            _unit(right.unit),
        )
    if isinstance(found, float) and isinstance(right, float):
        return abs(found - right) < right / 20  # a month has 30 days, or 4 weeks
    return found == right


def _unit(written: str) -> str:
    """The unit in one spelling; of what a volume or a dose holds (mg/5 mL, mg/kg/dose), the unit of the amount."""
    parts = (part.strip().lower() for part in _OF_WHAT.sub("", written).split("/"))
    return "/".join(_UNITS.get(part, part) for part in parts)


def score_entities(text: str, gold: Sequence[GoldEntity], found: Sequence[FoundEntity], score: Score) -> None:
    """Count the entities of a text by label.

    One is right if it has the annotated label and the annotated span, but for a title, an article, a possessive "s",
    the weekday before a date, and punctuation at its ends. As "touched" it is right if the spans overlap.
    """
    wanted = [one for one in gold if not one.optional]
    free = [one for one in found if not any(one_.optional and _overlap(one_, one) for one_ in gold)]
    for label in Label:
        there = [_inner(text, one) for one in wanted if one.label is label]
        named = [_inner(text, one) for one in free if one.label is label]
        right = sum((Counter(there) & Counter(named)).values())
        _count(label, right, len(named), len(there), score)
        touched = sum(any(a < end and start < b for a, b in named) for start, end in there)
        touching = sum(any(a < end and start < b for a, b in there) for start, end in named)
        _count(f"{label} (touched)", min(touched, touching), len(named), len(there), score)
        for start, end in sorted((Counter(named) - Counter(there)).elements()):
            score.errors.append(f"no {label}, or not exactly: {_cited(text, FoundEntity(start, end, label))}")
        for start, end in sorted((Counter(there) - Counter(named)).elements()):
            score.errors.append(f"{label} missed: {_cited(text, FoundEntity(start, end, label))}")


def _count(what: str, right: int, found: int, there: int, score: Score) -> None:
    score.count(what, "right", right)
    score.count(what, "wrong", found - right)
    score.count(what, "missed", there - right)


def _inner(text: str, place: Place) -> tuple[int, int]:
    """The span without what may be missing at its ends."""
    start, end = place.start, place.end
    while (edge := _EDGE.search(text[start:end])) and start < end:
        start, end = (start + edge.end(), end) if edge.start() == 0 else (start, start + edge.start())
    return start, end


def _overlap(one: Place, other: Place) -> bool:
    return one.start < other.end and other.start < one.end


def _cited(text: str, place: Place) -> str:
    before, after = text[max(0, place.start - 40) : place.start], text[place.end : place.end + 50]
    return f"…{before}[{text[place.start : place.end]}]{after}…".replace("\n", "⏎")
