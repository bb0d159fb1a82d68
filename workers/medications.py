"""Medications in clinical text: which drugs it names, how they are to be taken, and whether they are."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from workers.clinical.assertions import assert_names
from workers.clinical.cues import Assertion, Status
from workers.clinical.doses import Dose
from workers.clinical.frequencies import Frequency
from workers.clinical.headings import Heading, Section
from workers.clinical.prescription import AsNeeded, Direction, Duration, Quantity, Route
from workers.clinical.statements import ClinicalText, Statement
from workers.clinical.tables import Tables
from workers.drug_dictionary import Confidence, Match, NamedDrug, Words, drug_dictionary
from workers.drug_mentions import Mention, find_mentions, is_prescribed
from workers.progress import Track, untracked
from workers.spans import Span, in_small_letters


class ActiveIngredient(BaseModel):
    """An active substance of a medication."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="Its canonical name.")
    drugbank_id: str | None = Field(
        description="Its DrugBank id; null for a class of drugs such as penicillins, or if unknown."
    )


class Medication(BaseModel):
    """A medication that the document names once, with what it says about it there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    drug: Span = Field(description="The name as it is written.")
    name: str = Field(description="The canonical name; of a combination its ingredients', joined by ' / '.")
    drugbank_id: str | None = Field(description="DrugBank id; null for a combination (see ingredients) or a class.")
    ingredients: tuple[ActiveIngredient, ...] = Field(description="One, or several for a combination.")
    match: Match = Field(
        default=Match.NAME,
        description="How the name was recognised: name; spelling (a misspelt one, read as the only one near); ending"
        " (unknown, but it ends as the names of medicines do). The last two are uncertain.",
    )
    status: Status = Field(description="active, stopped, negated, allergy, or family (a relative's).")
    evidence: Span | None = Field(
        default=None, description="The words that the status rests on; null where the text says nothing: active."
    )
    dose: Dose | None = Field(
        default=None, description="The measured amount, such as 500 mg; of a change the new one."
    )
    previous_dose: Dose | None = Field(default=None, description="The amount before a change that the text tells.")
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


_LISTS: Final = re.compile(r"(?:[\s,/&+*•|-]|\b(?:and|or|with|plus)\b|\d{1,3}\.)*")
_NOT_AS_A_MEDICINE: Final = re.compile(
    r"[\s-]{1,4}(?:(?:\w{1,30}\s)?(?:levels?|troughs?|concentrations?|assay|clinic|monitoring|register)\b|resistan"
    r"|sensitiv|susceptib|deficien|dependen|receptor"
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
    lowered = in_small_letters(text)
    words = Words(lowered)
    tables = Tables(lowered)
    statements = ClinicalText(text, lambda name: next(dictionary.find(name), None) is not None).statements
    for statement in track(statements, len(statements), "looking for medications"):
        names = list(dictionary.find(words, statement.start, statement.end))
        if names:
            yield from _medications_of_statement(text, lowered, tables, statement, names)


def _medications_of_statement(
    text: str, lowered: str, tables: Tables, statement: Statement, names: Sequence[NamedDrug]
) -> Iterator[Medication]:
    mentions, directions = find_mentions(text, lowered, statement, names)
    assertions = [
        _of_section(mention, tables.assertion(mention, assertion), statement.heading)
        for mention, assertion in zip(mentions, assert_names(lowered, statement, mentions, directions), strict=True)
    ]
    is_medication = [
        accepted and not (mention is not mentions[-1] and _is_word_of_heading(mention, statement.heading))
        for mention, accepted in zip(mentions, _which_are_medications(text, mentions, assertions), strict=True)
    ]
    for mention, assertion, accepted in zip(mentions, assertions, is_medication, strict=True):
        if accepted:
            yield _medication(text, mention, assertion)


def _is_word_of_heading(mention: Mention, heading: Heading | None) -> bool:
    """Whether the name of a class of drugs is only a heading: "Antibiotics: teicoplanin"."""
    return (
        heading is not None
        and mention.drug.drugbank_id is None
        and heading.start <= mention.start < heading.end
        and (mention.drug.confidence is not Confidence.CERTAIN)
    )


_OF_SECTION: Final = {
    Section.MEDICATIONS: Status.ACTIVE,
    Section.STOPPED_MEDICATIONS: Status.STOPPED,
    Section.AVOIDED: Status.NEGATED,
    Section.ALLERGIES: Status.ALLERGY,
    Section.FAMILY: Status.FAMILY,
}


def _of_section(mention: Mention, assertion: Assertion | None, heading: Heading | None) -> Assertion | None:
    """What the text says of the mention; where the sentence says nothing, what its section says."""
    prescribed = is_prescribed(mention.directions)
    if assertion is not None and assertion.status is Status.ALLERGY and prescribed and assertion.is_weak:
        # "Allergic to penicillin, aspirin 81 mg daily", "cetirizine 10 mg - itch": nobody prescribes an allergy.
        return replace(assertion, status=Status.ACTIVE)
    if heading is None or heading.section not in _OF_SECTION:
        return assertion
    if assertion is not None and assertion.status is Status.ACTIVE and heading.start <= assertion.start < heading.end:
        assertion = None  # "Past medication: ramipril"
    of_section = Assertion(_OF_SECTION[heading.section], heading.start, heading.end, is_formal=True)
    if assertion is not None and (heading.section, assertion.status, assertion.is_before) in _SECTION_WINS:
        assertion = None
    if assertion is None and heading.section is Section.ALLERGIES and prescribed:
        return None
    return assertion or of_section


_SECTION_WINS: Final = frozenset(
    {
        # "Amlodipine - restart in a week" is still in the list of what was stopped; "started losartan" is not.
        (Section.STOPPED_MEDICATIONS, Status.ACTIVE, False),
        # "Amlodipine - contraindicated": why it was stopped.
        (Section.STOPPED_MEDICATIONS, Status.NEGATED, False),
        (Section.ALLERGIES, Status.STOPPED, False),
        (Section.ALLERGIES, Status.NEGATED, False),
        (Section.FAMILY, Status.STOPPED, False),
        (Section.FAMILY, Status.ALLERGY, False),
        (Section.FAMILY, Status.ACTIVE, False),
        (Section.FAMILY, Status.STOPPED, True),
        (Section.FAMILY, Status.ALLERGY, True),
        (Section.FAMILY, Status.ACTIVE, True),
        (Section.AVOIDED, Status.ACTIVE, False),
    }
)
"""Where what a section says counts more than what the sentence says, before the name (True) or after it."""


def _which_are_medications(
    text: str, mentions: Sequence[Mention], assertions: Sequence[Assertion | None]
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


def _means_a_medication(text: str, mention: Mention, assertion: Assertion | None) -> bool:
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


def _medication(text: str, mention: Mention, assertion: Assertion | None) -> Medication:
    drug = mention.drug
    dose, previous_dose = _dose(text, mention)
    frequencies = [direction for direction in mention.directions if isinstance(direction, Frequency)]
    if previous_dose and dose:  # "from 5 mg BD to 10 mg OD"
        frequencies = [frequency for frequency in frequencies if frequency.start > dose.start] or frequencies
    return Medication(
        drug=_span(text, mention.start, mention.end),
        name=drug.name,
        match=mention.match,
        drugbank_id=drug.drugbank_id,
        ingredients=tuple(
            ActiveIngredient(name=part.name, drugbank_id=part.drugbank_id) for part in drug.ingredients
        ),
        status=assertion.status if assertion else Status.ACTIVE,
        evidence=_span(text, assertion.start, assertion.end) if assertion else None,
        dose=dose,
        previous_dose=previous_dose,
        quantity=_first(mention.directions, Quantity),
        route=_route(mention.directions),
        frequency=frequencies[0] if frequencies else None,
        as_needed=_first(mention.directions, AsNeeded),
        duration=_first(mention.directions, Duration),
    )


_CHANGES_TO: Final = re.compile(
    r"(?:(?:\bto|\bnow|->|=>|[\u2192\u21d2\u2191\u2193])\s{0,2}|\b(?:increase|reduce|decrease|titrate|lower)d?\s)$",
    re.IGNORECASE,
)
_CHANGES_FROM: Final = re.compile(r"\b(?:from|was|were|previously|formerly|instead of|not)\s$", re.IGNORECASE)


def _dose(text: str, mention: Mention) -> tuple[Dose | None, Dose | None]:
    """The dose of a mention, and the one that it was before if a change is told."""
    doses = [direction for direction in mention.directions if isinstance(direction, Dose)]
    # What is taken rather than how strong the solution is: "100 units/mL, 20 units at bedtime".
    doses = [dose for dose in doses if "mL" not in dose.unit.partition("/")[2]] or doses
    if not doses:
        return None, None
    dose, previous = doses[0], None
    for earlier, later in pairwise(doses):
        if _CHANGES_FROM.search(text, max(mention.end, later.start - 14), later.start):
            dose, previous = earlier, later
            break
        is_first = earlier is doses[0]
        comes_from = is_first and _CHANGES_FROM.search(text, max(mention.end, earlier.start - 14), earlier.start)
        if comes_from or (is_first and _CHANGES_TO.search(text, max(earlier.end, later.start - 14), later.start)):
            dose, previous = later, earlier
            break
    if dose.value_max is not None and len(mention.drug.ingredients) == 2:
        dose = dose.model_copy(update={"per_ingredient": (dose.value, dose.value_max), "value_max": None})
    return dose, previous


def _span(text: str, start: int, end: int) -> Span:
    return Span(text=text[start:end], start=start, end=end)


_FORMS: Final = frozenset(
    {"cream", "ointment", "oint", "ung", "gel", "lotion", "foam", "top", "eye drops", "eyedrops", "ear drops"}
)


def _route(directions: Iterable[Direction]) -> Route | None:
    """The route that is said, or else the one that the form tells."""
    routes = [direction for direction in directions if isinstance(direction, Route)]
    return next((route for route in routes if route.text.lower() not in _FORMS), routes[0] if routes else None)


def _first(directions: Iterable[Direction], kind: type[D]) -> D | None:
    return next((direction for direction in directions if isinstance(direction, kind)), None)
