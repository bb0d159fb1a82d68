"""Entities in a text: persons, organisations, places, dates, money, contact data."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from workers.analysis.language import detect_language
from workers.drug_dictionary import Confidence, drug_dictionary
from workers.progress import Track, untracked
from workers.recognition.chunks import Chunk, chunks
from workers.recognition.contacts import find_contacts
from workers.recognition.dates import DateOrder, iso_date
from workers.recognition.findings import Finding, Label
from workers.recognition.language_model import find_named_entities, language_model
from workers.recognition.money import find_money, parse_money
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

    A long text is read in chunks, so the memory it takes is bounded.

    Args:
        text: The document's text; all offsets are character indices into it.
        document_id: Passed on into the result.
        conventions: How ambiguous dates and telephone numbers are read; default: `Conventions()`.
        track: Iterates for us, reporting progress: `current_job().track` in a task.

    Raises:
        MissingExtraError: spaCy or its model isn't installed.
    """
    language_model()
    how = conventions or Conventions()
    language = detect_language(text)
    is_english = language is None or language.code == "en" or language.confidence < _SURE_OF_LANGUAGE
    pieces = list(chunks(text))
    findings = [
        finding
        for chunk in track(pieces, len(pieces), "looking for entities")
        for finding in _findings_of_chunk(chunk, how, names=is_english)
    ]
    entities = tuple(_entity(text, finding) for finding in _with_known_persons(text, findings))
    return EntityExtraction(
        document_id=document_id,
        language=language.code if language else None,
        entities=entities,
        counts=dict(Counter(entity.label for entity in entities)),
    )


def _findings_of_chunk(chunk: Chunk, how: Conventions, *, names: bool) -> list[Finding]:
    """The findings in order, with offsets into the whole text; what has a form of its own goes before the model's."""
    free: list[Finding] = []
    for finding in _recognised(chunk.text, how, names=names):
        if not any(finding.start < other.end and other.start < finding.end for other in free):
            free.append(finding)
    return [
        replace(finding, start=finding.start + chunk.start, end=finding.end + chunk.start)
        for finding in sorted(free, key=lambda finding: finding.start)
    ]


def _recognised(text: str, how: Conventions, *, names: bool) -> Iterator[Finding]:
    yield from find_contacts(text, how.phone_region)
    yield from find_money(text)
    for finding in find_named_entities(text) if names else ():
        if finding.label is Label.DATE:
            written = " ".join(text[finding.start : finding.end].split())
            yield replace(finding, value=iso_date(written, how.date_order, how.reference_date))
        elif not _is_medicine(text[finding.start : finding.end]):
            yield finding


def _is_medicine(name: str) -> bool:
    """The model knows few drugs and takes "Amoxicillin" for a place."""
    drug = drug_dictionary().get(name)
    return drug is not None and drug.confidence is Confidence.CERTAIN


def _with_known_persons(text: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, with what ends in a person's surname as a person ("Helena Wrenfield" beside "Mr. Wrenfield")."""
    findings = list(findings)
    surnames = {_words(text, finding)[-1] for finding in findings if finding.label is Label.PERSON}
    for finding in findings:
        is_name = finding.label in (Label.ORGANISATION, Label.PLACE) and len(_words(text, finding)) in (2, 3)
        if is_name and _words(text, finding)[-1] in surnames:
            yield replace(finding, label=Label.PERSON)
        else:
            yield finding


def _words(text: str, finding: Finding) -> list[str]:
    return text[finding.start : finding.end].split()


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
