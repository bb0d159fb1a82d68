"""The drugs that a statement names, with the directions that belong to each of them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from workers.clinical.doses import Dose
from workers.clinical.frequencies import Frequency
from workers.clinical.prescription import Direction, Quantity, find_directions
from workers.clinical.statements import Statement
from workers.drug_dictionary import Drug, Match, NamedDrug, drug_dictionary


@dataclass(frozen=True, slots=True)
class Mention:
    """A drug's name in a statement with the directions that belong to it."""

    drug: Drug
    start: int
    end: int
    match: Match = Match.NAME
    directions: tuple[Direction, ...] = ()


_COMBINES: Final = re.compile(r"\s?/\s?|\+|[-\u2010\u2011]")
_STRENGTHS: Final = re.compile(r"\s?\d{1,4}(?:\.\d{1,3})?(?:\s?m(?:c?g|icrograms))?\s?/\s?\d")
"""The strengths of two ingredients after their names: "100/6"."""
_COMBINES_WITH_STRENGTH: Final = re.compile(rf"{_COMBINES.pattern}|\s\+\s|\s(?:and|with)\s")
_STARTS_SOMETHING: Final = re.compile(
    r"[,;:()\u2192\u21d2]|[-=]>|\b(?:and|or|with|plus|then|to|from|by|on|given|start(?:ed)?|commenced?|add(?:ed)?|continue[sd]?|needed)\b",
    re.IGNORECASE,
)
_LEADS_TO_NAME: Final = re.compile(
    r"(?:[\s:(]|over \d{1,2}\s?h(?:(?:ou)?rs?)?\b|(?:of|the|tablets?|capsules?|doses?|inj|iv|oral|stat|inhaled"
    r"|soluble|buccal)\b)*+",
    re.IGNORECASE,
)
_UNKNOWN: Final = re.compile(
    r"(?:^|[,;:|\n\t(]|\s(?:and|then|plus|with|&|\+)\s)\s{0,8}(?P<word>[^\W\d_][^\W_]{3,30}(?:-[^\W_]{1,20})?)"
    r"(?:\s(?:mr|sr|xl|la|er|cr|ec|tablets?|caps?|capsules?|inhaler))?\s{1,4}(?=\d)",
    re.IGNORECASE,
)
"""A word that starts something new and has a number after it, as the name of a drug does."""
_NO_NAME: Final = re.compile(
    r"\w{0,30}(?:ing|ed|ly|day|days|week|weeks)|dose|doses|dosage|total|about|around|approx|maximum|currently|then"
    r"|tabs?|tablets?"
    r"|caps?|capsules?|nocte|mane|loading|maintenance|morning|evening|night|lunch|noon|bedtime|breakfast|puffs?"
    r"|strength|from"
    r"|take|takes|give|increase|decrease|reduce|titrate|start|until|over|every|once|twice|after|before|another"
    r"|further|least|only"
    r"|just|usual|target|max|with|than|under|plus|both|each|this|that|orally|subcut|aged|since|level|week|month"
    r"|year|january"
    r"|february|march|april|june|july|august|september|october|november|december|sept|infusion|bolus|injection"
    r"|patch|patches"
    r"|spray|drops?|cream|strip|liquid|solution|suspension|syrup|soluble|caplets?|quantity|supply|issue|number"
    r"|cycle|grade|stage"
    r"|type|room|ward|page|phone|pulse|temp|weight|height|sats|repeat|repeats|times|half",
    re.IGNORECASE,
)
"""Words that stand before an amount of the drug before them."""


def find_mentions(
    text: str, lowered: str, statement: Statement, names: Sequence[NamedDrug]
) -> tuple[list[Mention], list[Direction]]:
    """The drugs of a statement with their directions, and all its directions.

    What belongs to a word that is no known name but stands like one ("…, zelmotriptaz 40 mg at night") is given to
    none of them.
    """
    directions = find_directions(text, lowered, statement.start, statement.end, names)
    mentions = _combined(text, names, directions)
    return _with_directions(text, statement, mentions, directions), directions


def _combined(text: str, names: Sequence[NamedDrug], directions: Sequence[Direction]) -> list[Mention]:
    """The names, those of one product as one combination.

    They are joined by a plus or hyphen ("hydrocodone-acetaminophen"), by a slash if there is such a product, or by
    "and" before a strength that has two parts ("amoxicillin and clavulanate 875/125 mg").
    """
    starts_of_two_parts = {
        direction.start
        for direction in directions
        if isinstance(direction, Dose) and len(direction.per_ingredient) == 2
    }
    mentions: list[Mention] = []
    for named in names:
        last = mentions[-1] if mentions else None
        joint = _COMBINES_WITH_STRENGTH if named.end + 1 in starts_of_two_parts else _COMBINES
        if last and _is_explanation(text, last, named):
            mentions[-1] = replace(last, end=named.end + 1)
        elif (
            last
            and joint.fullmatch(text, last.end, named.start)
            and not (_is_class(last.drug) or _is_class(named.drug))  # "NSAIDs/ibuprofen"
            and (
                "/" not in text[last.end : named.start]  # "hold ramipril/metformin"
                or drug_dictionary().combines(last.drug, named.drug)
                or _STRENGTHS.match(text, named.end) is not None
            )
        ):
            mentions[-1] = Mention(_combination(last.drug, named.drug), last.start, named.end)
        else:
            mentions.append(Mention(named.drug, named.start, named.end, named.match))
    return mentions


def _is_class(drug: Drug) -> bool:
    return drug.drugbank_id is None and len(drug.ingredients) == 1


def _is_explanation(text: str, last: Mention, named: NamedDrug) -> bool:
    """Whether the name is another one of the same drug, in parentheses: "clopidogrel (Plavix)"."""
    return (
        {part.name for part in named.drug.ingredients} == {part.name for part in last.drug.ingredients}
        and text[last.end : named.start].strip(" ") == "("
        and text[named.end : named.end + 1] == ")"
    )


def _combination(first: Drug, second: Drug) -> Drug:
    ingredients = (*first.ingredients, *second.ingredients)
    name = " / ".join(ingredient.name for ingredient in ingredients)
    return Drug(name, None, ingredients, max(first.confidence, second.confidence))


def _with_directions(
    text: str, statement: Statement, mentions: Sequence[Mention], directions: Sequence[Direction]
) -> list[Mention]:
    """Each mention with its directions: those after it, and those that lead to it ("two tablets of aspirin")."""
    given: list[list[Direction]] = [[] for _ in mentions]
    foreign = _unknown_names(text, statement, mentions, directions)
    following = 0
    for index, direction in enumerate(directions):
        while following < len(mentions) and mentions[following].start < direction.end:
            following += 1
        before = following - 1
        if following < len(mentions) and _leads_to(text, mentions, before, following, directions, index):
            given[following].append(direction)
        elif before >= 0 and not any(mentions[before].end <= place < direction.start for place in foreign):
            given[before].append(direction)
    return [replace(mention, directions=tuple(found)) for mention, found in zip(mentions, given, strict=True)]


def _leads_to(
    text: str, mentions: Sequence[Mention], before: int, following: int, directions: Sequence[Direction], index: int
) -> bool:
    """Whether directions[index], between two mentions, starts what is said of the second one."""
    name = mentions[following]
    if before >= 0 and not _STARTS_SOMETHING.search(text, mentions[before].end, directions[index].start):
        return False
    position = directions[index].end
    for other in directions[index + 1 : index + 6]:
        if other.start >= name.start:
            break
        if not _LEADS_TO_NAME.fullmatch(text, position, other.start):
            return False
        position = other.end
    return _LEADS_TO_NAME.fullmatch(text, position, name.start) is not None


def _unknown_names(
    text: str, statement: Statement, mentions: Sequence[Mention], directions: Sequence[Direction]
) -> list[int]:
    """Where words stand like the name of a drug that nobody knows: before a dose, at the start of something."""
    starts = {direction.start for direction in directions if isinstance(direction, Dose | Quantity)}
    known = {mention.start for mention in mentions}
    return [
        match.start("word")
        for match in _UNKNOWN.finditer(text, statement.start, statement.end)
        if match.end() in starts and match.start("word") not in known and not _NO_NAME.fullmatch(match["word"])
    ]


def is_prescribed(directions: Iterable[Direction]) -> bool:
    """Whether they say how much of it is taken, or how often."""
    return any(isinstance(direction, Dose | Frequency) for direction in directions)
