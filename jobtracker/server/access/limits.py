"""Limits of those who may see some jobs only: jobs of some types, or with some tags."""

import asyncio

from jobtracker.core.access import Principal, acting
from jobtracker.core.job import BULK_TYPE
from jobtracker.errors import ForbiddenError, JobNotFoundError
from jobtracker.jobs.reach import reaches, reaches_below
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.reader import JobQueries

_NO_TYPE = "\x00"
"""No job has this type."""


def limited(wanted: JobFilter) -> JobFilter:
    """A filter that finds only what the caller may see (`acting`)."""
    principal = acting.get()
    if principal is None or not principal.limited:
        return wanted
    forced: dict[str, tuple[str, ...]] = {}
    if principal.job_types is not None:
        named = [name for name in wanted.job_type if name in principal.job_types]
        forced["job_type"] = tuple(named if wanted.job_type else principal.job_types) or (_NO_TYPE,)
    if principal.tags is not None:
        forced["limited_to_tag"] = principal.tags
    return wanted.model_copy(update=forced)


def may_be_of(job_type: str) -> bool:
    """Whether the caller may see jobs of that type, at least some of them."""
    principal = acting.get()
    return principal is None or principal.job_types is None or job_type in principal.job_types


async def check_stream(queries: JobQueries, job_id: str | None, tree: str | None) -> tuple[str, ...] | None:
    """The job types of which a stream of events may tell the caller; None: of all.

    Raises:
        JobNotFoundError: They may not see that job.
        ForbiddenError: They may not see what is below it; or they are limited to tags, which events don't tell.
    """
    principal = acting.get()
    if principal is None or not principal.limited:
        return None
    if job_id is not None:
        await check_job(queries, principal, job_id)
    if tree is not None:
        await check_tree(queries, principal, tree)
    if principal.tags is not None and job_id is None and tree is None:
        raise ForbiddenError(
            f"{principal.name} is limited to some tags, which events don't tell. Ask for the events of one job "
            "(`job_id`, `tree`), or for the list of jobs from time to time."
        )
    if principal.job_types is not None and job_id is not None:  # it may be a bulk run of their own
        return (*principal.job_types, BULK_TYPE)
    return principal.job_types


async def check_job(queries: JobQueries, principal: Principal, job_id: str) -> None:
    """Do nothing where a job is within somebody's limits, or is a bulk run of their own.

    Raises:
        JobNotFoundError: It is not, or is not there: they may not know which.
    """
    await asyncio.to_thread(_check, queries, principal, job_id)


async def check_tree(queries: JobQueries, principal: Principal, job_id: str) -> None:
    """Do nothing where a job and all below it are within somebody's limits.

    Raises:
        JobNotFoundError: The job is not, or is not there.
        ForbiddenError: A job below it is not.
    """
    await asyncio.to_thread(_check_tree, queries, principal, job_id)


def _check(queries: JobQueries, principal: Principal, job_id: str) -> None:
    if not reaches(queries, principal, queries.record(job_id)):
        raise JobNotFoundError(job_id)


def _check_tree(queries: JobQueries, principal: Principal, job_id: str) -> None:
    _check(queries, principal, job_id)
    if not reaches_below(queries, principal, job_id):
        raise ForbiddenError(
            f"Below job {job_id} are jobs of which {principal.name} may not know: the key is limited to some types "
            "or tags. Ask for the job alone, or use a key without these limits."
        )
