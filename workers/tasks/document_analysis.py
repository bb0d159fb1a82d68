"""document_analysis: what a document is like, and as a parent what its sub-jobs found in it."""

from typing import Any

from pydantic import Field

from jobtracker import current_job
from workers.analysis.findings import Report, merge_findings
from workers.analysis.report import AnalysisType, analyse
from workers.app import tracker
from workers.documents import DocumentInput


class DocumentAnalysisPayload(DocumentInput):
    """A document, and how much to find out about it."""

    analysis_type: AnalysisType = Field(
        default=AnalysisType.FULL, description="summary gives statistics and language only, and is faster."
    )
    max_key_phrases: int = Field(default=15, ge=0, le=100, description="How many key phrases to give at most.")


@tracker.task("document_analysis", payload=DocumentAnalysisPayload)
def document_analysis(results: list[Any] | None = None, /, **payload: Any) -> dict[str, Any]:
    """Analyse a document; as the body of a chord, merge the results of its header into the report.

    Args:
        results: The results of the sub-jobs in order, None for one that failed; None without sub-jobs.
        payload: The fields of DocumentAnalysisPayload.

    Returns:
        A Report as JSON.
    """
    request = DocumentAnalysisPayload.model_validate(payload)
    job = current_job()
    document = request.read(job.track)
    job.log(f"read {document}")
    job.raise_if_cancelled()
    analysis = analyse(document, request.analysis_type, request.max_key_phrases)
    job.raise_if_cancelled()
    language = analysis.language.code if analysis.language else "not told by the text"
    job.log(f"language {language}; words {analysis.statistics.words}, key phrases {len(analysis.key_phrases)}")
    findings = None
    if results is not None:
        findings = merge_findings(results)
        job.log(f"findings of the sub-jobs: {sum(sub_job.count for sub_job in findings.sub_jobs)}")
        missing = sum(not sub_job.completed for sub_job in findings.sub_jobs)
        if missing:
            job.log(f"sub-jobs without a result: {missing} of {len(results)}", "warning")
    job.progress(1, 1, "analysed")
    return Report(**analysis.model_dump(), findings=findings).model_dump(mode="json")
