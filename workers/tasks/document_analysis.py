"""document_analysis: what a document is like, and as a parent what its sub-jobs found in it."""

from typing import Any

from workers.app import tracker
from workers.fetching import run_on_document
from workers.work.document_analysis import DocumentAnalysisPayload


@tracker.task("document_analysis", payload=DocumentAnalysisPayload)
def document_analysis(results: list[Any] | None = None, /, **payload: Any) -> dict[str, Any]:
    """Analyse a document; as the body of a chord, merge the results of its header into the report.

    Args:
        results: The results of the sub-jobs in order, None for one that failed; None without sub-jobs.
        payload: The fields of DocumentAnalysisPayload.

    Returns:
        A Report as JSON.
    """
    return run_on_document("document_analysis:run", DocumentAnalysisPayload, payload, results=results)
