"""medication_extraction: which medications a clinical document names, how they are taken, and whether they are."""

from typing import Any

from workers.app import tracker
from workers.fetching import run_on_document
from workers.work.medication_extraction import MedicationExtractionPayload


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
    return run_on_document("medication_extraction:run", MedicationExtractionPayload, payload)
