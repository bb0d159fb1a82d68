"""What somebody who is limited to some jobs may see."""

from jobtracker.core.access import Principal
from jobtracker.core.job import BULK_TYPE
from jobtracker.jobs.bulk_state import BulkState
from jobtracker.store.functions import batched
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord

_AT_ONCE = 500
"""Records of one round trip."""


def reaches(queries: JobQueries, principal: Principal, record: JobRecord) -> bool:
    """Whether somebody may see a job: one within their limits, or a bulk run that they have asked for."""
    if principal.reaches(record.type, record.tags):
        return True
    text = queries.bulk_state(record.id) if record.type == BULK_TYPE else None
    return text is not None and BulkState.model_validate_json(text).is_of(principal)


def reaches_below(queries: JobQueries, principal: Principal, job_id: str) -> bool:
    """Whether somebody may see all jobs below one."""
    if not principal.limited:
        return True
    below = [sub for subs in queries.families(job_id).values() for sub in subs]
    return all(
        principal.reaches(each.type, each.tags)
        for some in batched(below, _AT_ONCE)
        for each in queries.records(some)
        if each.exists
    )
