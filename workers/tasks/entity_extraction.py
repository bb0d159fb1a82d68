"""entity_extraction: persons, organisations, places, dates, money and contact data in a document."""

from typing import Any

from workers.app import tracker
from workers.fetching import run_on_document
from workers.work.entity_extraction import EntityExtractionPayload


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
    return run_on_document("entity_extraction:run", EntityExtractionPayload, payload)
