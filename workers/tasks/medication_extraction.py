"""medication_extraction: which medications a clinical document names, how they are taken, and whether they are."""

from typing import Any

from jobtracker import current_job
from workers.app import tracker
from workers.documents import DocumentInput
from workers.medications import extract_medications


class MedicationExtractionPayload(DocumentInput):
    """A document."""


@tracker.task("medication_extraction", payload=MedicationExtractionPayload)
def medication_extraction(**payload: Any) -> dict[str, Any]:
    """Find the medications in a document.

    Args:
        payload: The fields of MedicationExtractionPayload.

    Returns:
        A MedicationExtraction as JSON.
    """
    request = MedicationExtractionPayload.model_validate(payload)
    document = request.read()
    found = extract_medications(document.text, document_id=document.id, track=current_job().track)
    return found.model_dump(mode="json")
