"""What came of a run, for people and for programs."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from chaos.evidence import Evidence
from chaos.journal import BEGAN, RETURNED
from chaos.judge import EXTRA, Finding, is_only_created, was_lost
from chaos.trouble import LABELS
from jobtracker.core.lifecycle import Status

KINDS = ("wrong", EXTRA, "stuck", "lost", "counters off")
_SHOWN = 25


@dataclass
class Report:
    """A run in figures.

    Attributes:
        seed: What decided it.
        broker: Celery's broker.
        seconds: How long the trouble lasted.
        faults: How many faults of each kind there were.
        settled_after_s: How long after the trouble all had settled; None: not in time.
        figures: Jobs, executions, and what became of them.
        findings: What must not be.
        details: Of the jobs with findings, what is known.
    """

    seed: int
    broker: str
    seconds: float
    faults: dict[str, int]
    settled_after_s: float | None
    figures: dict[str, int]
    findings: list[Finding]
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each kind there are."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in KINDS}

    @property
    def is_good(self) -> bool:
        """There are none."""
        return not self.findings

    def as_json(self) -> str:
        """All of it."""
        return json.dumps({**asdict(self), "counts": self.counts}, indent=1, default=str)

    def as_text(self) -> str:
        """The figures, and some of the findings."""
        settled = "not in time" if self.settled_after_s is None else f"{self.settled_after_s:.1f} s after the trouble"
        rows: list[tuple[str, object]] = [
            ("seed", self.seed),
            ("broker", self.broker),
            ("trouble", f"{self.seconds:g} s"),
            ("faults", sum(self.faults.values())),
            *((f"  {LABELS.get(kind, kind)}", self.faults.get(kind, 0)) for kind in {**LABELS, **self.faults}),
            ("all settled", settled),
            *self.figures.items(),
        ]
        shown = [f"{finding.kind}: {finding.job_id}: {finding.text}" for finding in self.findings[:_SHOWN]]
        if len(self.findings) > _SHOWN:
            shown.append(f"… and {len(self.findings) - _SHOWN} more")
        verdict = ", ".join(f"{kind} {number}" for kind, number in self.counts.items())
        return "\n".join(
            [
                *(f"{name:<42} {value}" for name, value in rows),
                f"{'GOOD' if self.is_good else 'BAD'}: {verdict}",
                *shown,
            ]
        )


def figures_of(evidence: Evidence) -> dict[str, int]:
    """Jobs, executions, and what became of them."""
    cases = evidence.cases.values()
    orders = evidence.book.orders
    statuses = Counter(case.status for case in cases if not is_only_created(case))
    executions = Counter((line.task_id, line.attempt) for line in evidence.lines if line.what == BEGAN)
    acts = Counter(act.verb for act in evidence.book.acts if act.status is not None)
    lost = [case for case in cases if case.status == Status.FAILED and was_lost(case)]
    return {
        "orders": len(orders),
        "  accepted": sum(order.acknowledged for order in orders),
        "jobs": len(cases),
        "  completed": statuses[Status.COMPLETED],
        "  cancelled": statuses[Status.CANCELLED],
        "  failed": statuses[Status.FAILED],
        "    with their worker, process or message": len(lost),
        "      that had not begun": sum(not case.begun(case.run) for case in lost),
        "      that had returned, but told nobody": sum(case.did(RETURNED) for case in lost),
        "  created, and nobody was told": sum(map(is_only_created, cases)),
        "cancels answered": acts["cancel"],
        "retries answered": acts["retry"],
        "runs sent again by the tracker itself": sum(case.relaunched for case in cases),
        "reports dropped, as the tracker counts": evidence.dropped,
        "executions": executions.total(),
        "  that began twice or more, as faults do": sum(number > 1 for number in executions.values()),
    }


def details_of(evidence: Evidence, findings: Sequence[Finding]) -> dict[str, Any]:
    """What is known of the jobs with findings."""
    found = {}
    for job_id in dict.fromkeys(finding.job_id for finding in findings):
        if case := evidence.cases.get(job_id):
            found[job_id] = {
                "record": case.record,
                "data": case.data,
                "celery": evidence.state(case),
                "acts": [asdict(act) for act in case.acts],
                "order": asdict(case.order) if case.order else None,
                "lines": {run: lines for run, lines in case.lines.items() if lines},
                "history": evidence.history(job_id),
            }
    return found
