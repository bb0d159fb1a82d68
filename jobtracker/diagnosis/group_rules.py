"""What holds up a group of plain Celery tasks."""

from collections.abc import Sequence

from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.diagnosis.conclusions import listed
from jobtracker.diagnosis.observations import Observations
from jobtracker.schemas.explanation import Code, Explanation, GroupCounts, SubJobState
from jobtracker.store.groups import Group
from jobtracker.store.schema import JobRecord


def members_that_matter(group: Group, most: int) -> list[JobRecord]:
    """The first members that are open; where none is, the first ones that did not complete."""
    wanted = {Status.FAILED, Status.CANCELLED} if group.status in SETTLED else set(Status) - SETTLED
    return [record for record in group.members if record.nearest_status in wanted][:most]


def explanation_of(group: Group, found: Observations, states: Sequence[SubJobState]) -> Explanation:
    """The explanation of a group.

    Args:
        group: The group.
        found: What was found out.
        states: Those of the members that matter.
    """
    counts = group.counts
    open_jobs = sum(number for status, number in counts.items() if status not in SETTLED)
    summary = group.sentence
    if open_jobs:
        summary += f" {open_jobs:,} of them {'is' if open_jobs == 1 else 'are'} open{listed(states)}."
    elif states:
        summary += f" These did not complete{listed(states)}."
    if not group.is_complete:
        summary += " It may have more: only the latest jobs were looked at."
    return Explanation(
        job_id=group.id,
        status=group.status,
        code=Code.WAITING_FOR_SUB_JOBS if open_jobs else Code.SETTLED,
        summary=summary,
        at=from_ms(found.now_ms),
        group=GroupCounts(
            total=len(group.members),
            is_complete=group.is_complete,
            by_status={status: counts[status] for status in Status if counts[status]},
        ),
        sub_jobs_open=open_jobs,
        sub_jobs=list(states),
        unavailable=found.unavailable,
    )
