"""Errors for actions that a job's status, its place in a tree, or the limits of the caller do not allow."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import wraps
from typing import ParamSpec, TypeVar

from redis.exceptions import RedisError

from jobtracker.core.access import acting, admission
from jobtracker.core.job import BULK_TYPE
from jobtracker.core.lifecycle import Outcome
from jobtracker.errors import ForbiddenError, IllegalTransitionError, JobNotFoundError, JobTrackerError
from jobtracker.store.changes import Change, NewJob
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord

P = ParamSpec("P")
T = TypeVar("T")


def not_allowed(job_id: str, change: Change, action: str, why: str) -> JobTrackerError:
    """The error for an event that was not applied: the job does not exist, or its status does not allow the action.

    Args:
        job_id: The job.
        change: What became of the event.
        action: What was asked for, a verb.
        why: A sentence: why not, and what to do instead.
    """
    if change.after is None or change.outcome is Outcome.DELETED:
        return JobNotFoundError(job_id)
    return IllegalTransitionError(job_id, change.after, action, why)


def parent_of(queries: JobQueries, record: JobRecord) -> JobRecord | None:
    """The record of a job's parent; None: it has none, or that was deleted."""
    if not record.parent:
        return None
    [parent] = queries.records([record.parent])
    return parent if parent.exists else None


def check_has_no_parent(queries: JobQueries, record: JobRecord, action: str, instead: str) -> None:
    """Check that a job is not part of another one.

    Raises:
        IllegalTransitionError: It is a sub-job; says what to do `instead`.
    """
    if parent_of(queries, record):
        why = f"it is a sub-job of {record.parent}; {instead}."
        raise IllegalTransitionError(record.id, record.nearest_status, action, why)


def admit(jobs: Collection[NewJob]) -> None:
    """Check that the caller may have so many more jobs pending (`admission`), all of which are about to be recorded.

    Raises:
        TooManyRequestsError: They may not.
    """
    if asked := admission.get():
        asked.admit([(job.id, bytes_of(job.data)) for job in jobs])


def admit_payload(job_id: str, data: Mapping[str, str]) -> None:
    """Check that the caller may have a job pending with this payload, which it is about to get.

    Raises:
        TooManyRequestsError: They may not.
    """
    if asked := admission.get():
        asked.admit([(job_id, bytes_of(data))])


def release(*job_ids: str) -> None:
    """Let jobs count no more for the caller: they are not pending, or were not recorded."""
    if asked := admission.get():
        asked.release([*job_ids])


def releases_unrecorded(create: Callable[P, T]) -> Callable[P, T]:
    """A function that creates jobs. If it fails, those that it has not recorded do not count as pending."""

    @wraps(create)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return create(*args, **kwargs)
        except RedisError:  # nobody knows whether they are recorded
            raise
        except Exception:
            if asked := admission.get():
                with suppress(RedisError):  # they count for a while, as with a process that dies
                    asked.release_unrecorded()
            raise

    return call


def bytes_of(data: Mapping[str, str]) -> int:
    """The size of a job's payload, as it counts."""
    return sum(map(len, data.values()))


def need_reach(job_type: str, tags: Collection[str]) -> None:
    """Check that the caller (`acting`) may see a job of that type with these tags, which is about to be written.

    Raises:
        ForbiddenError: They may not.
    """
    principal = acting.get()
    if principal is None or principal.reaches(job_type, tags):
        return
    if principal.job_types is not None and job_type not in principal.job_types:
        allowed = f"jobs of the types {', '.join(principal.job_types)}"
    else:
        allowed = f"jobs with one of the tags {', '.join(principal.tags or ())}"
    raise ForbiddenError(f"{principal.name} is limited to {allowed}. Ask an admin for a key that may do more.")


def need_reach_of_chain(*, from_failed: bool) -> None:
    """Check that the caller (`acting`) may retry another job of the chain, where `from_failed` says to do so.

    Raises:
        ForbiddenError: They are limited to some jobs, so they may not.
    """
    principal = acting.get()
    if from_failed and principal is not None and principal.limited:
        raise ForbiddenError(
            f"{principal.name} is limited to some jobs, and may not retry another job of the chain (`from_failed`). "
            "That needs a key without job types and tags."
        )


def check_is_no_bulk_run(record: JobRecord, action: str) -> None:
    """Check that a job is not a bulk run, which the API does.

    Raises:
        IllegalTransitionError: It is one.
    """
    if record.type == BULK_TYPE:
        why = "it is a bulk run, which can only be cancelled, named, tagged, and deleted. Send a new request."
        raise IllegalTransitionError(record.id, record.nearest_status, action, why)
