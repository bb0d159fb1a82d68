"""Entities in a text: persons, organisations, places, dates, money, contact data."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from workers.analysis.language import detect_language
from workers.progress import Track, untracked
from workers.recognition.chunks import Chunk, chunks
from workers.recognition.coherence import with_short_forms
from workers.recognition.contacts import find_contacts
from workers.recognition.dates import DateOrder, find_dates, iso_date
from workers.recognition.findings import Finding, Label
from workers.recognition.judging import Judge
from workers.recognition.language_model import find_named_entities, language_model
from workers.recognition.layout import passages
from workers.recognition.money import find_money, parse_money
from workers.recognition.name_lists import lexicon
from workers.recognition.organisations import OrganisationFinder, end_of_head
from workers.recognition.persons import PersonFinder
from workers.recognition.places import PlaceFinder
from workers.recognition.register import is_clinical
from workers.recognition.words import words
from workers.spans import Span


class Entity(Span):
    """An entity where the document names it."""

    label: Label = Field(description="person, organisation, place, date, money, email, phone or url.")
    value: str | None = Field(
        default=None,
        description="Normalised: a date as ISO 8601 (2031-03-14, 2031-03 or 2031), money as USD 1250.50, a telephone"
        " number as E.164, an e-mail address in lower case, a URL with its scheme. Null where there is none.",
    )
    amount: float | None = Field(default=None, description="The amount, of money only.")
    currency: str | None = Field(default=None, description="The currency's ISO 4217 code, of money only.")


class EntityExtraction(BaseModel):
    """The entities of a document in the order of the text; they do not overlap."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["entity_extraction"] = "entity_extraction"
    document_id: str | None = Field(default=None, description="The document's id; null for inline text.")
    language: str | None = Field(
        description="ISO 639 code of the text's language, null if it can't be told. In another language than English"
        " only what has a form of its own is looked for: contact data and money."
    )
    entities: tuple[Entity, ...] = Field(description="One entry for each time an entity is named.")
    counts: dict[Label, int] = Field(description="How many of them have each label.")


_SURE_OF_LANGUAGE = 0.8
"""Below this confidence a text is read as English: of a few words the language can't be told."""


@dataclass(frozen=True, slots=True)
class Conventions:
    """How what can be read in more than one way is read.

    Attributes:
        phone_region: ISO 3166 code of the country whose telephone numbers may lack the country code.
        date_order: The order of day, month and year in a date of digits.
        reference_date: The day from which "last Tuesday" counts; without it such a date has no value.
    """

    phone_region: str = "US"
    date_order: DateOrder = "MDY"
    reference_date: date | None = None


def extract_entities(
    text: str,
    *,
    document_id: str | None = None,
    conventions: Conventions | None = None,
    track: Track = untracked,
) -> EntityExtraction:
    """Find the entities in a text.

    Persons, organisations and places are known by what stands beside their names (a title, a label, a legal form, a
    postcode), by lists of names, and by spaCy's small model, which is believed where nothing speaks against it. What
    is not certain is left out: letters in capitals that nobody explains, headings, a name that may be a person's or a
    body's. A long text is read in chunks, so the memory it takes is bounded.

    Args:
        text: The document's text; all offsets are character indices into it.
        document_id: Passed on into the result.
        conventions: How ambiguous dates and telephone numbers are read; default: `Conventions()`.
        track: Iterates for us, reporting progress: `current_job().track` in a task.

    Raises:
        MissingExtraError: spaCy, its model, Faker or the drug dictionary isn't installed.
    """
    language_model()
    how = conventions or Conventions()
    language = detect_language(text)
    is_english = language is None or language.code == "en" or language.confidence < _SURE_OF_LANGUAGE
    clinical = is_clinical(text)
    pieces = list(chunks(text))
    findings = [
        finding
        for chunk in track(pieces, len(pieces), "looking for entities")
        for finding in _findings_of_chunk(chunk, how, names=is_english, clinical=clinical)
    ]
    if is_english:
        findings = with_short_forms(text, findings, lexicon())
    entities = tuple(_entity(text, finding) for finding in findings)
    return EntityExtraction(
        document_id=document_id,
        language=language.code if language else None,
        entities=entities,
        counts=dict(Counter(entity.label for entity in entities)),
    )


def _findings_of_chunk(chunk: Chunk, how: Conventions, *, names: bool, clinical: bool) -> list[Finding]:
    """The findings in order, with offsets into the whole text; where two overlap, the one found first is kept."""
    free: list[Finding] = []
    for finding in _recognised(chunk.text, how, names=names, clinical=clinical):
        place = bisect_left(free, finding.start, key=_start)
        is_free = (place == 0 or free[place - 1].end <= finding.start) and (
            place == len(free) or finding.end <= free[place].start
        )
        if is_free:
            free.insert(place, finding)
    return [replace(finding, start=finding.start + chunk.start, end=finding.end + chunk.start) for finding in free]


def _start(finding: Finding) -> int:
    return finding.start


def _recognised(text: str, how: Conventions, *, names: bool, clinical: bool) -> Iterator[Finding]:
    """Yield what is found in a chunk, the surest first."""
    dates = list(find_dates(text)) if names else []
    yield from find_contacts(text, how.phone_region)
    yield from find_money(text)
    if not names:
        return
    known = lexicon()
    read = list(passages(text))
    words_of = [(passage, words(text, passage.start, passage.end)) for passage in read]
    yield from (_with_value(text, date, how) for date in dates)
    head = end_of_head(text)
    bodies = [
        body
        for _, found in words_of
        for body in OrganisationFinder(text, found, known, clinical=clinical, head_end=head).find()
    ]
    yield from bodies
    for passage, found in words_of:
        yield from PersonFinder(text, found, passage, known).find()
    yield from PlaceFinder(text, known).find(bodies, dates)
    for finding in Judge(text, known, clinical=clinical).believed(find_named_entities(text, read)):
        yield _with_value(text, finding, how) if finding.label is Label.DATE else finding


def _with_value(text: str, date: Finding, how: Conventions) -> Finding:
    written = " ".join(text[date.start : date.end].split())
    return replace(date, value=iso_date(written, how.date_order, how.reference_date))


def _entity(text: str, finding: Finding) -> Entity:
    money = parse_money(finding.value) if finding.label is Label.MONEY and finding.value else None
    return Entity(
        text=text[finding.start : finding.end],
        start=finding.start,
        end=finding.end,
        label=finding.label,
        value=finding.value,
        amount=float(money.amount) if money else None,
        currency=money.currency if money else None,
    )
