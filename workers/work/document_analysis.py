"""document_analysis: what a document is like, and as a parent what its sub-jobs found in it."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from workers.analysis.findings import Report, merge_findings
from workers.analysis.language import detect_language
from workers.analysis.report import AnalysisType, analyse
from workers.documents import DocumentInput
from workers.folder import NOTHING_FETCHED
from workers.payloads import read_payload
from workers.progress import Job
from workers.work.reading import read_document


class DocumentAnalysisPayload(DocumentInput):
    """A document, and how much to find out about it."""

    analysis_type: AnalysisType = Field(
        default=AnalysisType.FULL, description="summary gives statistics and language only, and is faster."
    )
    max_key_phrases: int = Field(default=15, ge=0, le=100, description="How many key phrases to give at most.")


def prepare() -> None:
    """Load what all documents need: that of the language has the greatest part."""
    detect_language("Ferries leave the harbour at noon.")


def run(
    job: Job, payload: dict[str, Any], results: list[Any] | None, fetched: Mapping[str, str] = NOTHING_FETCHED
) -> dict[str, Any]:
    """Analyse a document; as the body of a chord, merge the results of its header into the report.

    Args:
        job: Told how far it is.
        payload: The fields of DocumentAnalysisPayload.
        results: The results of the sub-jobs in order, None for one that failed; None without sub-jobs.
        fetched: Where its document is, if that is from a bucket.

    Returns:
        A Report as JSON.
    """
    request = read_payload(DocumentAnalysisPayload, payload)
    document = read_document(job, request, fetched)
    analysis = analyse(document, request.analysis_type, request.max_key_phrases)
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
