"""entity_extraction: persons, organisations, places, dates, money and contact data in a document."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from workers.counts import told
from workers.documents import DocumentInput
from workers.drug_dictionary import drug_dictionary
from workers.entities import Conventions, extract_entities
from workers.folder import NOTHING_FETCHED
from workers.payloads import read_payload
from workers.progress import Job
from workers.recognition.contacts import check_region
from workers.recognition.dates import DateOrder
from workers.recognition.language_model import language_model
from workers.work.reading import read_document


class EntityExtractionPayload(DocumentInput):
    """A document, and how what can be read in more than one way is read."""

    phone_region: Annotated[str, AfterValidator(check_region)] = Field(
        default="US",
        pattern="^[A-Z]{2}$",
        description="ISO 3166 code of the country whose telephone numbers may lack the country code.",
    )
    date_order: DateOrder = Field(
        default="MDY", description="The order of day, month and year in a date of digits such as 03/04/2031."
    )
    reference_date: date | None = Field(
        default=None, description='The day from which "last Tuesday" counts; without it such a date has no value.'
    )


def prepare() -> None:
    """Load what all documents need."""
    language_model()
    drug_dictionary()


def run(job: Job, payload: dict[str, Any], fetched: Mapping[str, str] = NOTHING_FETCHED) -> dict[str, Any]:
    """Find the entities in a document.

    Args:
        job: Told how far it is.
        payload: The fields of EntityExtractionPayload.
        fetched: Where its document is, if that is from a bucket.

    Returns:
        An EntityExtraction as JSON.
    """
    request = read_payload(EntityExtractionPayload, payload)
    document = read_document(job, request, fetched)
    found = extract_entities(
        document.text,
        document_id=document.id,
        conventions=Conventions(request.phone_region, request.date_order, request.reference_date),
        track=job.track,
    )
    job.log(f"entities: {told(found.counts)}")
    return found.model_dump(mode="json")
