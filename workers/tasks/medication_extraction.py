"""medication_extraction: which medications a clinical document names, how they are taken, and whether they are."""

from typing import Any

from jobtracker import current_job
from workers.app import tracker
from workers.counts import told
from workers.documents import DocumentInput
from workers.medications import extract_medications


class MedicationExtractionPayload(DocumentInput):
    """A document."""


@tracker.task("medication_extraction", payload=MedicationExtractionPayload)
def medication_extraction(results: list[Any] | None = None, /, **payload: Any) -> dict[str, Any]:
    """Find the medications in a document.

    Args:
        results: Of the sub-jobs, where this is the body of a chord; it reads the document itself.
        payload: The fields of MedicationExtractionPayload.

    Returns:
        A MedicationExtraction as JSON.
    """
    del results
    job = current_job()
    request = MedicationExtractionPayload.model_validate(payload)
    document = request.read(job.track)
    job.log(f"read {document}")
    found = extract_medications(document.text, document_id=document.id, track=job.track)
    job.log(f"medications: {told(found.counts)}")
    return found.model_dump(mode="json")
