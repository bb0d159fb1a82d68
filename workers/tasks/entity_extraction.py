"""entity_extraction: persons, organisations, places, dates, money and contact data in a document."""

from datetime import date
from typing import Any

from pydantic import Field

from jobtracker import current_job
from workers.app import tracker
from workers.counts import told
from workers.documents import DocumentInput
from workers.entities import Conventions, extract_entities
from workers.recognition.dates import DateOrder


class EntityExtractionPayload(DocumentInput):
    """A document, and how what can be read in more than one way is read."""

    phone_region: str = Field(
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


@tracker.task("entity_extraction", payload=EntityExtractionPayload)
def entity_extraction(results: list[Any] | None = None, /, **payload: Any) -> dict[str, Any]:
    """Find the entities in a document.

    Args:
        results: Of the sub-jobs, where this is the body of a chord; it reads the document itself.
        payload: The fields of EntityExtractionPayload.

    Returns:
        An EntityExtraction as JSON.
    """
    del results
    job = current_job()
    request = EntityExtractionPayload.model_validate(payload)
    document = request.read(job.track)
    job.log(f"read {document}")
    found = extract_entities(
        document.text,
        document_id=document.id,
        conventions=Conventions(request.phone_region, request.date_order, request.reference_date),
        track=job.track,
    )
    job.log(f"entities: {told(found.counts)}")
    return found.model_dump(mode="json")
