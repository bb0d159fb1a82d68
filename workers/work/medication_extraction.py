"""medication_extraction: which medications a clinical document names, how they are taken, and whether they are."""

from collections.abc import Mapping
from typing import Any

from workers.counts import told
from workers.documents import DocumentInput
from workers.drug_dictionary import drug_dictionary
from workers.folder import NOTHING_FETCHED
from workers.medications import extract_medications
from workers.payloads import read_payload
from workers.progress import Job
from workers.work.reading import read_document


class MedicationExtractionPayload(DocumentInput):
    """A document."""


def prepare() -> None:
    """Load what all documents need."""
    drug_dictionary()


def run(job: Job, payload: dict[str, Any], fetched: Mapping[str, str] = NOTHING_FETCHED) -> dict[str, Any]:
    """Find the medications in a document.

    Args:
        job: Told how far it is.
        payload: The fields of MedicationExtractionPayload.
        fetched: Where its document is, if that is from a bucket.

    Returns:
        A MedicationExtraction as JSON.
    """
    request = read_payload(MedicationExtractionPayload, payload)
    document = read_document(job, request, fetched)
    found = extract_medications(document.text, document_id=document.id, track=job.track)
    job.log(f"medications: {told(found.counts)}")
    return found.model_dump(mode="json")
