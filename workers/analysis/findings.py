"""Merge what the sub-jobs of a document_analysis found into its report."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from workers.analysis.report import Analysis

_LISTS = {"entity_extraction": "entities", "medication_extraction": "medications"}
"""The kinds whose findings are merged, and the list in their result that holds them."""


class SubJobFinding(BaseModel):
    """What became of one sub-job's result."""

    position: int = Field(description="Its place among the sub-jobs, from 0.")
    kind: str | None = Field(description="The kind that its result names; null without a result or a kind.")
    completed: bool = Field(description="False where the sub-job gave no result.")
    count: int = Field(description="How many findings it added to the report.")


class Findings(BaseModel):
    """What the sub-jobs found, together."""

    sub_jobs: list[SubJobFinding] = Field(description="One entry for each sub-job, in order.")
    entities: list[dict[str, Any]] = Field(default=[], description="All entities, in the order of the text.")
    medications: list[dict[str, Any]] = Field(default=[], description="All medications, in the order of the text.")
    analyses: list[dict[str, Any]] = Field(default=[], description="The reports of sub-jobs that analyse documents.")
    tables: list[dict[str, Any]] = Field(default=[], description="The results of data_processing.")
    others: list[Any] = Field(default=[], description="Results of any other kind, as they are.")
    counts: dict[str, dict[str, int]] = Field(
        default={}, description="How many entities of each label and medications of each status there are."
    )


class Report(Analysis):
    """The result of a document_analysis: its own analysis, and as a parent what its sub-jobs found."""

    findings: Findings | None = Field(default=None, description="Null for a job without sub-jobs.")


def merge_findings(results: Sequence[Any]) -> Findings:
    """Merge the results of sub-jobs.

    Args:
        results: In the order of the sub-jobs; None for one that failed.
    """
    findings = Findings(sub_jobs=[])
    for position, result in enumerate(results):
        kind = result.get("kind") if isinstance(result, dict) else None
        count = _add(findings, kind, result) if result is not None else 0
        findings.sub_jobs.append(
            SubJobFinding(
                position=position,
                kind=kind if isinstance(kind, str) else None,
                completed=result is not None,
                count=count,
            )
        )
    findings.entities = _in_order(findings.entities)
    findings.medications = _in_order(findings.medications)
    findings.counts = {
        name: dict(Counter(str(item[key]) for item in items if item.get(key)).most_common())
        for name, items, key in (
            ("entities", findings.entities, "label"),
            ("medications", findings.medications, "status"),
        )
        if items
    }
    return findings


def _add(findings: Findings, kind: object, result: Any) -> int:
    """Put a result where it belongs; give how many findings that were."""
    items = result.get(_LISTS[kind]) if isinstance(kind, str) and kind in _LISTS else None
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        (findings.entities if kind == "entity_extraction" else findings.medications).extend(items)
        return len(items)
    match kind:
        case "document_analysis":
            findings.analyses.append(result)
        case "data_processing":
            findings.tables.append(result)
        case _:
            findings.others.append(result)
    return 1


def _in_order(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort by place in the text, and leave out what two sub-jobs found alike."""
    distinct: list[dict[str, Any]] = []
    seen: set[str] = set()
    for item in items:
        key = repr(sorted(item.items()))
        if key not in seen:
            seen.add(key)
            distinct.append(item)
    return sorted(distinct, key=_start)


def _start(item: dict[str, Any]) -> int:
    """Give where a finding begins: a medication, where the name of its drug does."""
    drug = item.get("drug")
    start = (drug if isinstance(drug, dict) else item).get("start")
    return start if isinstance(start, int) else 0
