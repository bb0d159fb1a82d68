"""Medications in clinical text: which drugs it names, how they are to be taken, and whether they are."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from workers.clinical.assertions import Assertion, Status, assert_names
from workers.clinical.frequencies import Frequency
from workers.clinical.prescription import AsNeeded, Direction, Dose, Duration, Quantity, Route, find_directions
from workers.clinical.statements import ClinicalText, Section, Statement
from workers.drug_dictionary import Confidence, Drug, NamedDrug, drug_dictionary
from workers.progress import Track, untracked
from workers.spans import Span


class ActiveIngredient(BaseModel):
    """An active substance of a medication."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Its canonical name.")
    drugbank_id: str | None = Field(description="Its DrugBank id; null for a class of drugs such as penicillins.")


class Medication(BaseModel):
    """A medication that the document names once, with what it says about it there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drug: Span = Field(description="The name as it is written.")
    name: str = Field(description="The canonical name; of a combination its ingredients', joined by ' / '.")
    drugbank_id: str | None = Field(description="DrugBank id; null for a combination (see ingredients) or a class.")
    ingredients: tuple[ActiveIngredient, ...] = Field(description="One, or several for a combination.")
    status: Status = Field(description="active, stopped, negated or allergy.")
    dose: Dose | None = Field(default=None, description="The measured amount, such as 500 mg.")
    quantity: Quantity | None = Field(default=None, description="The number of pieces, such as 1-2 tablets.")
    route: Route | None = Field(default=None, description="How it is given.")
    frequency: Frequency | None = Field(default=None, description="How often it is taken.")
    as_needed: AsNeeded | None = Field(default=None, description="That it is taken when needed only (PRN).")
    duration: Duration | None = Field(default=None, description="How long it is taken.")


class MedicationExtraction(BaseModel):
    """The medications of a document, in the order in which they are named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["medication_extraction"] = "medication_extraction"
    document_id: str | None = Field(default=None, description="The document's id; null for inline text.")
    medications: tuple[Medication, ...] = Field(description="One entry for each time a medication is named.")
    counts: dict[Status, int] = Field(description="How many of them have each status.")


@dataclass(frozen=True, slots=True)
class _Mention:
    """A drug's name in a statement with the directions that belong to it."""

    drug: Drug
    start: int
    end: int
    directions: tuple[Direction, ...] = ()


_COMBINES: Final = re.compile(r"\s?[/+]\s?|[-\u2010\u2011]")
_COMBINES_WITH_STRENGTH: Final = re.compile(rf"{_COMBINES.pattern}|\s(?:and|with)\s")
_LISTS: Final = re.compile(r"(?:[\s,/&+*•-]|\b(?:and|or|with|plus)\b|\d+\.)*")
_STARTS_SOMETHING: Final = re.compile(r"[,;:()]|\b(?:and|or|with|plus|then)\b", re.IGNORECASE)
_LEADS_TO_NAME: Final = re.compile(r"(?:\s|\b(?:of|the|tablets?|capsules?|doses?)\b)*", re.IGNORECASE)
_NOT_AS_A_MEDICINE: Final = re.compile(
    r"[\s-]+(?:(?:\w+\s)?(?:levels?|troughs?|concentrations?|assay)\b|resistan|sensitiv|susceptib|deficien|dependen|receptor"
    r"|synthesis|metabolism|batter|ion\b|ions\b|inhibitor|antagonist|analog|induced|poison)|['\u2019]s\b|[_.@=]\w",
    re.IGNORECASE,
)
"""What makes a name say something else: "vancomycin trough", "methicillin-resistant", "aspirin.png"."""
_CODE: Final = frozenset("@_.=\\")
"""What stands before a name that is part of an address, a file name or an identifier."""
_PHARMACEUTICAL_UNIT: Final = re.compile(r"(?:mg|mcg|units|mEq|mmol)\b")
D = TypeVar("D", Dose, Quantity, Route, Frequency, AsNeeded, Duration)
_PIECES: Final = frozenset({"tablet", "capsule", "puff", "suppository", "pill", "lozenge"})


def extract_medications(
    text: str,
    *,
    document_id: str | None = None,
    track: Track = untracked,
) -> MedicationExtraction:
    """Find the medications in a text.

    Args:
        text: The document's text; all offsets are character indices into it.
        document_id: Passed on into the result.
        track: Iterates for us, reporting progress: `current_job().track` in a task.

    Raises:
        MissingExtraError: The drug dictionary isn't installed.
        DictionaryChangedError: It is not the version that this code was checked against.
    """
    medications = tuple(_medications(text, track))
    counts = Counter(medication.status for medication in medications)
    return MedicationExtraction(document_id=document_id, medications=medications, counts=dict(counts))


def _medications(text: str, track: Track) -> Iterator[Medication]:
    dictionary = drug_dictionary()
    statements = ClinicalText(text).statements
    for statement in track(statements, len(statements), "looking for medications"):
        names = list(dictionary.find(text, statement.start, statement.end))
        if names:
            yield from _medications_of_statement(text, statement, names)


def _medications_of_statement(text: str, statement: Statement, names: Sequence[NamedDrug]) -> Iterator[Medication]:
    directions = [
        direction
        for direction in find_directions(text, statement.start, statement.end)
        if not any(direction.start < name.end and name.start < direction.end for name in names)
    ]
    mentions = _with_directions(text, _combined(text, names, directions), directions)
    assertions = assert_names(text, statement, mentions, directions)
    assertions = [
        _of_section(mention, assertion, statement.section)
        for mention, assertion in zip(mentions, assertions, strict=True)
    ]
    is_medication = _which_are_medications(text, mentions, assertions)
    for mention, assertion, accepted in zip(mentions, assertions, is_medication, strict=True):
        if accepted:
            yield _medication(text, mention, assertion.status if assertion else Status.ACTIVE)


def _combined(text: str, names: Sequence[NamedDrug], directions: Sequence[Direction]) -> list[_Mention]:
    """The names, those of one product as one combination.

    They are joined by a slash, plus or hyphen ("hydrocodone-acetaminophen"), or by "and" before a strength that has
    two parts ("amoxicillin and clavulanate 875/125 mg").
    """
    mentions: list[_Mention] = []
    for named in names:
        last = mentions[-1] if mentions else None
        has_two_parts = any(
            isinstance(direction, Dose) and len(direction.per_ingredient) == 2 and named.end + 1 == direction.start
            for direction in directions
        )
        joint = _COMBINES_WITH_STRENGTH if has_two_parts else _COMBINES
        if last and _is_explanation(text, last, named):
            mentions[-1] = replace(last, end=named.end + 1)
        elif last and joint.fullmatch(text, last.end, named.start):
            mentions[-1] = _Mention(_combination(last.drug, named.drug), last.start, named.end)
        else:
            mentions.append(_Mention(named.drug, named.start, named.end))
    return mentions


def _is_explanation(text: str, last: _Mention, named: NamedDrug) -> bool:
    """Whether the name is another one of the same drug, in parentheses: "clopidogrel (Plavix)"."""
    return (
        named.drug.ingredients == last.drug.ingredients
        and text[last.end : named.start].strip(" ") == "("
        and text[named.end : named.end + 1] == ")"
    )


def _combination(first: Drug, second: Drug) -> Drug:
    ingredients = (*first.ingredients, *second.ingredients)
    name = " / ".join(ingredient.name for ingredient in ingredients)
    return Drug(name, None, ingredients, max(first.confidence, second.confidence))


def _with_directions(text: str, mentions: Sequence[_Mention], directions: Sequence[Direction]) -> list[_Mention]:
    """Each mention with its directions: those after it, and those that lead to it ("two tablets of aspirin")."""
    given: list[list[Direction]] = [[] for _ in mentions]
    for direction in directions:
        following = next((i for i, mention in enumerate(mentions) if mention.start >= direction.end), None)
        before = len(mentions) - 1 if following is None else following - 1
        if following is not None and (
            before < 0 or _belongs_to_next(text, mentions[before], direction, mentions[following], directions)
        ):
            given[following].append(direction)
        elif before >= 0:
            given[before].append(direction)
    return [replace(mention, directions=tuple(found)) for mention, found in zip(mentions, given, strict=True)]


def _belongs_to_next(
    text: str, last: _Mention, direction: Direction, following: _Mention, directions: Iterable[Direction]
) -> bool:
    """Whether a direction between two mentions starts what is said of the second one."""
    if not _STARTS_SOMETHING.search(text, last.end, direction.start):
        return False
    position = direction.end
    for other in directions:
        if direction.end <= other.start < following.start:
            if not _LEADS_TO_NAME.fullmatch(text, position, other.start):
                return False
            position = other.end
    return _LEADS_TO_NAME.fullmatch(text, position, following.start) is not None


def _of_section(mention: _Mention, assertion: Assertion | None, section: Section) -> Assertion | None:
    """What the text says of the mention; where the sentence says nothing, what its section says."""
    is_prescribed = any(isinstance(direction, Dose | Frequency) for direction in mention.directions)
    if assertion is not None:
        # "Allergic to penicillin, aspirin 81 mg daily": nobody prescribes a dose of an allergy.
        is_allergy = assertion.status is Status.ALLERGY
        return Assertion(Status.ACTIVE, is_formal=True) if is_allergy and is_prescribed else assertion
    match section:
        case Section.MEDICATIONS:
            return Assertion(Status.ACTIVE, is_formal=True)
        case Section.STOPPED_MEDICATIONS:
            return Assertion(Status.STOPPED, is_formal=True)
        case Section.ALLERGIES if not is_prescribed:
            return Assertion(Status.ALLERGY, is_formal=True)
        case _:
            return None


def _which_are_medications(
    text: str, mentions: Sequence[_Mention], assertions: Sequence[Assertion | None]
) -> list[bool]:
    """Whether each mention means a medication: by its name, by what is said of it, or by its neighbours in a list."""
    accepted = [
        _means_a_medication(text, mention, assertion) for mention, assertion in zip(mentions, assertions, strict=True)
    ]
    for order in (range(1, len(mentions)), range(len(mentions) - 2, -1, -1)):
        step = -1 if order.step > 0 else 1
        for index in order:
            mention, neighbour = mentions[index], mentions[index + step]
            gap = sorted((mention, neighbour), key=lambda place: place.start)
            if (
                accepted[index + step]
                and mention.drug.confidence is Confidence.SUPPORTED
                and _LISTS.fullmatch(text, gap[0].end, gap[1].start)
            ):
                accepted[index] = True
    return accepted


def _means_a_medication(text: str, mention: _Mention, assertion: Assertion | None) -> bool:
    if _NOT_AS_A_MEDICINE.match(text, mention.end) or text[max(0, mention.start - 1) : mention.start] in _CODE:
        return False
    match mention.drug.confidence:
        case Confidence.CERTAIN:
            return True
        case Confidence.SUPPORTED:
            return assertion is not None or bool(mention.directions)
        case Confidence.EVERYDAY:
            is_formal = assertion is not None and assertion.is_formal
            return is_formal or any(_is_pharmaceutical(direction) for direction in mention.directions)


def _is_pharmaceutical(direction: Direction) -> bool:
    """Whether only medicines are measured like that; a kitchen has grams and spoons too."""
    if isinstance(direction, Dose):
        return _PHARMACEUTICAL_UNIT.match(direction.unit) is not None
    return isinstance(direction, Quantity) and direction.form in _PIECES


def _medication(text: str, mention: _Mention, status: Status) -> Medication:
    drug = mention.drug
    doses = [direction for direction in mention.directions if isinstance(direction, Dose)]
    # What is taken rather than how strong the solution is: "100 units/mL, 20 units at bedtime".
    dose = next((dose for dose in doses if "mL" not in dose.unit.partition("/")[2]), doses[0] if doses else None)
    if dose and dose.value_max is not None and len(drug.ingredients) == 2:
        dose = dose.model_copy(update={"per_ingredient": (dose.value, dose.value_max), "value_max": None})
    return Medication(
        drug=Span(text=text[mention.start : mention.end], start=mention.start, end=mention.end),
        name=drug.name,
        drugbank_id=drug.drugbank_id,
        ingredients=tuple(
            ActiveIngredient(name=part.name, drugbank_id=part.drugbank_id) for part in drug.ingredients
        ),
        status=status,
        dose=dose,
        quantity=_first(mention.directions, Quantity),
        route=_first(mention.directions, Route),
        frequency=_first(mention.directions, Frequency),
        as_needed=_first(mention.directions, AsNeeded),
        duration=_first(mention.directions, Duration),
    )


def _first(directions: Iterable[Direction], kind: type[D]) -> D | None:
    return next((direction for direction in directions if isinstance(direction, kind)), None)
