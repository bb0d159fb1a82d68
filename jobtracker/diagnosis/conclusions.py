"""What a job waits for, as a code and a summary; and the wording of summaries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jobtracker.core.lifecycle import Event, Status
from jobtracker.diagnosis.observations import Job, Observations
from jobtracker.schemas.explanation import (
    CancelRequest,
    Code,
    MessageLocation,
    QueueState,
    SubJobState,
    WorkerState,
)


@dataclass
class Conclusion:
    """What a job waits for; the fields are those of `Explanation`."""

    code: Code
    summary: str
    message: MessageLocation | None = None
    queue: QueueState | None = None
    worker: WorkerState | None = None
    cancel: CancelRequest | None = None
    previous_job_id: str | None = None


def end_of(job: Job, subs: Sequence[SubJobState]) -> str:
    """How a settled job ended, and which of its sub-jobs did not complete."""
    began_ms, finished_ms = job.began_ms, job.record.finished
    at = f"{moment(finished_ms):%Y-%m-%d %H:%M:%S} UTC" if finished_ms else "at an unknown time"
    verb = {Status.COMPLETED: "completed", Status.FAILED: "failed", Status.CANCELLED: "was cancelled"}[job.status]
    took = f", {span(finished_ms - began_ms)} after it began" if began_ms and finished_ms else ", before it began"
    reason = f": {job.record.reason}" if job.record.reason else ""
    text = _sentence(f"It {verb} at {at}{took}{reason}")
    if subs and job.status is not Status.COMPLETED and not reason:
        text += f" Of its sub-jobs these did not complete{listed(subs)}."
    if job.record.inferred == Event.LOSE:
        text += " That is inferred; a report of its worker would correct it."
    return text


def _sentence(text: str) -> str:
    return text if text.endswith("…") else text.rstrip(".") + "."


def listed(subs: Sequence[SubJobState]) -> str:
    """The first of some sub-jobs: ": a (id) pending, …"."""
    if not subs:
        return ""
    named = [f"{sub.name} ({sub.id}) {sub.status if sub.code is Code.SETTLED else sub.code}" for sub in subs[:3]]
    return ": " + ", ".join(named) + (", …" if len(subs) > 3 else "")


def taken_by(holders: Sequence[Job], found: Observations) -> str:
    """Which jobs have all slots: " All 2 slots are taken: by a (id) for 5 min, …"."""
    named = [
        f"{job.record.title} ({job.id}) for {span(max(found.now_ms - (job.attempt_began_ms or found.now_ms), 0))}"
        for job in holders[:3]
    ]
    slots = "The only slot is" if len(holders) == 1 else f"All {len(holders)} slots are"
    return f" {slots} taken: by {', '.join(named)}{', …' if len(holders) > 3 else ''}."


def progress_of(job: Job) -> str:
    """How far a job is: "; 25% are done, a note", or nothing."""
    total = job.record.progress_total or 0
    if not total:
        return ""
    note = f", {job.record.progress_message}" if job.record.progress_message else ""
    return f"; {min((job.record.progress_done or 0) / total, 1):.0%} are done{note}"


def time_in_words(ms: int | None, found: Observations) -> str:
    """A time as people want it: how far away, and by the clock."""
    if ms is None:
        return "at an unknown time"
    distance = span(abs(ms - found.now_ms))
    return f"{f'in {distance}' if ms > found.now_ms else f'{distance} ago'} ({moment(ms):%Y-%m-%d %H:%M:%S} UTC)"


def moment(ms: int) -> datetime:
    """A time of the record."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def span(ms: int) -> str:
    """A duration in its largest unit."""
    if 0 < ms < 50:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
