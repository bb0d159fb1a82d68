"""The gold corpus: texts with what is right about them written into them. bench/corpus/README.md says how.

A file is a head of `name: value` lines, `---`, and the text. In the text, `{written|what it is}` annotates a span.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from workers.recognition.dates import DateOrder
from workers.recognition.findings import Label

CORPUS = Path(__file__).with_name("corpus")
HALVES = ("open", "held_out")

Half = Literal["open", "held_out"]
_HALF: TypeAdapter[Half] = TypeAdapter(Half)
_DATE_ORDER: TypeAdapter[DateOrder] = TypeAdapter(DateOrder)

STATUSES = ("active", "stopped", "negated", "declined", "considered", "avoid", "family", "allergy")
"""What a text may say of a drug; finer than what the worker answers."""

ANY_LABEL = "?"
_LABELS = {
    "p": Label.PERSON,
    "o": Label.ORGANISATION,
    "l": Label.PLACE,
    "t": Label.DATE,
    "m": Label.MONEY,
    "e": Label.EMAIL,
    "f": Label.PHONE,
    "u": Label.URL,
}
_ATTRIBUTES = ("dose", "route", "freq", "qty")
_FLAGS = ("prn", "class", "unknown", "optional", "unsure")
_ANNOTATION = re.compile(r"\{([^{}|]+)\|([^{}]+)\}")
_AMOUNT = re.compile(r"(?P<values>[\d.]+(?:/[\d.]+)*)(?:(?P<sign>[->])(?P<to>[\d.]+))?(?P<unit>[A-Za-z].*)")
_NUMBER = re.compile(r"([\d.]+)(?:/([\d.]+))?")


@dataclass(frozen=True)
class Amount:
    """A dose or a number of pieces.

    Attributes:
        values: The amount, the lower end of a range, or one for each ingredient of a combination.
        value_max: The upper end of a range.
        value_from: What it was before a change; `values` is what it is now.
        unit: mg, mcg, mL, units, mg/kg, …; of pieces their form.
    """

    values: tuple[float, ...]
    unit: str
    value_max: float | None = None
    value_from: float | None = None


@dataclass(frozen=True)
class GoldEntity:
    """An entity; with no label it may be found as anything, or not.

    Attributes:
        optional: Neither finding it nor missing it counts.
    """

    start: int
    end: int
    text: str
    label: Label | None
    optional: bool


@dataclass(frozen=True)
class GoldDrug:
    """A drug where it is named.

    Of dose, route and frequency each alternative is right, None among them if nothing may be found; where there is no
    alternative the attribute is not scored. Frequencies are times a day, "once" for a single dose.

    Attributes:
        ingredients: Their names in lower case; empty if the name is not compared.
        statuses: Any of them is right; none: not scored.
        optional: Neither finding it nor missing it counts: a class, a supplement, a name that is in no dictionary.
        unknown: The name is in no dictionary; what is found of it has no name.
    """

    start: int
    end: int
    text: str
    ingredients: tuple[str, ...]
    statuses: tuple[str, ...]
    optional: bool
    unknown: bool
    as_needed: bool
    doses: tuple[Amount | None, ...]
    routes: tuple[str | None, ...]
    frequencies: tuple[float | str | None, ...]


@dataclass(frozen=True)
class GoldText:
    """A text of the corpus, and the conventions that its reader knows."""

    name: str
    half: Half
    kind: str
    phone_region: str
    date_order: DateOrder
    text: str
    drugs: tuple[GoldDrug, ...] = field(repr=False)
    entities: tuple[GoldEntity, ...] = field(repr=False)


def load(halves: tuple[str, ...] = HALVES, folder: Path = CORPUS) -> list[GoldText]:
    """The texts of these halves in the order of their numbers."""
    files = [file for half in halves for file in (folder / half).glob("*.txt")]
    return [read(file) for file in sorted(files, key=lambda file: file.name)]


def read(file: Path) -> GoldText:
    """Read an annotated text.

    Raises:
        ValueError: An annotation does not follow the rules; names the file and the annotation.
    """
    head, marked = file.read_text(encoding="utf-8").split("\n---\n", 1)
    about = dict(line.split(": ", 1) for line in head.splitlines())
    try:
        text, drugs, entities = parse(marked)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from error
    return GoldText(
        name=file.stem,
        half=_HALF.validate_python(file.parent.name),
        kind=about["kind"],
        phone_region=about["phone_region"],
        date_order=_DATE_ORDER.validate_python(about["date_order"]),
        text=text,
        drugs=drugs,
        entities=entities,
    )


def parse(marked: str) -> tuple[str, tuple[GoldDrug, ...], tuple[GoldEntity, ...]]:
    """The text without its annotations, and what they say.

    Raises:
        ValueError: An annotation does not follow the rules.
    """
    pieces: list[str] = []
    drugs: list[GoldDrug] = []
    entities: list[GoldEntity] = []
    length = end = 0
    for match in _ANNOTATION.finditer(marked):
        pieces += [marked[end : match.start()], match[1]]
        start = length + match.start() - end
        length = start + len(match[1])
        end = match.end()
        kind, *words = match[2].split()
        if kind == "d":
            drugs.append(_drug(start, match[1], words))
        else:
            entities.append(_entity(start, match[1], match[2]))
    pieces.append(marked[end:])
    text = "".join(pieces)
    if brace := re.search(r"[{}]", text):
        raise ValueError(f"a brace outside of an annotation: {text[max(0, brace.start() - 30) : brace.end() + 30]!r}")
    return text, tuple(drugs), tuple(entities)


def _entity(start: int, text: str, what: str) -> GoldEntity:
    label = _LABELS.get(what.removesuffix("?"))
    if label is None and what != ANY_LABEL:
        raise ValueError(f"no such label: {text!r} as {what!r}")
    return GoldEntity(start, start + len(text), text, label, optional=what.endswith("?"))


def _drug(start: int, text: str, words: list[str]) -> GoldDrug:
    said: dict[str, str] = {}
    flags: set[str] = set()
    statuses: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name in ("name", *_ATTRIBUTES) and name not in said:
            said[name] = value
        elif word in _FLAGS:
            flags.add(word)
        elif all(status in STATUSES for status in word.split("/")):
            statuses += word.split("/")
        else:
            raise ValueError(f"can't read {word!r} about {text!r}")
    name = said.get("name", text.lower())
    compared = not flags & {"class", "unknown"}
    return GoldDrug(
        start,
        start + len(text),
        text,
        ingredients=tuple(part.replace("_", " ") for part in name.split("+")) if compared else (),
        statuses=() if "unsure" in flags and not statuses else tuple(statuses or ["active"]),
        optional=bool(flags & {"optional", "unknown"}),
        unknown="unknown" in flags,
        as_needed="prn" in flags,
        doses=tuple(None if one is None else amount(one) for one in _alternatives(said.get("dose"))),
        routes=tuple(_alternatives(said.get("route"))),
        frequencies=tuple(None if one is None else frequency(one) for one in _alternatives(said.get("freq"))),
    )


def _alternatives(said: str | None) -> Iterator[str | None]:
    """`a|b` is either; `a?` is that or nothing; `none` nothing; `?` is not scored; nothing said, nothing to find."""
    if said == "?":
        return
    for one in ("none" if said is None else said).split("|"):
        yield None if one == "none" else one.removesuffix("?")
        if one.endswith("?"):
            yield None


def amount(said: str) -> Amount:
    """`40mg`, `5-10mg` (a range), `40>80mg` (a change) or `500/125mg` (a combination).

    Raises:
        ValueError: It is none of these.
    """
    match = _AMOUNT.fullmatch(said)
    if match is None:
        raise ValueError(f"no amount: {said!r}")
    values = tuple(float(value) for value in match["values"].split("/"))
    if match["sign"] == ">":
        return Amount((float(match["to"]),), match["unit"], value_from=values[0])
    return Amount(values, match["unit"], value_max=float(match["to"]) if match["to"] else None)


def frequency(said: str) -> float | str:
    """Times a day: `2`, `1/7` (once a week), or `once`.

    Raises:
        ValueError: It is none of these.
    """
    if said == "once":
        return said
    match = _NUMBER.fullmatch(said)
    if match is None:
        raise ValueError(f"no frequency: {said!r}")
    return float(match[1]) / float(match[2] or 1)
