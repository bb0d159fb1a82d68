"""What a route needs: each route declares it, and a route that declares nothing does not start.

    @router.get("/{job_id}", dependencies=[needs(Scope.JOBS_READ)])

Who is limited to some jobs is checked too (`Reach`). A route that does not say how it keeps to these limits is for
those only who are not limited.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from fastapi import Depends, Request

from jobtracker.core.access import Principal, Scope
from jobtracker.errors import ForbiddenError, NotAuthenticatedError
from jobtracker.server.access.limits import check_job, check_tree
from jobtracker.server.encoded_paths import with_slashes

PRINCIPAL = "jobtracker.principal"
"""The entry of an ASGI scope that says who the caller is."""

NOBODY = "The API does not know who the caller is. Send an API key: `Authorization: Bearer jt_…`."


class Reach(Enum):
    """What an answer tells, or changes, beside what is asked for."""

    EVERYTHING = "everything"
    """It tells of jobs of any type and tag."""
    JOB = "job"
    """It is about the one job in the path."""
    TREE = "tree"
    """It is about that job and all below it."""
    LIMITED = "limited"
    """The route keeps to the limits itself, or has nothing to do with jobs."""


class Needs(NamedTuple):
    """What a route needs. `scope` None: nothing, anybody may ask."""

    scope: Scope | None
    reach: Reach

    async def __call__(self, request: Request) -> None:
        """Do nothing where the caller may.

        Raises:
            NotAuthenticatedError: The caller is not known.
            ForbiddenError: They may not.
            JobNotFoundError: They may not know of the job.
        """
        if self.scope is None:
            return
        principal = principal_of(request)
        if self.scope not in principal.scopes:
            raise ForbiddenError(
                f"{principal.name} may not do that: it needs the scope {self.scope}. An admin can give it by a new "
                "key (`jobtracker keys create`), or by another role."
            )
        if principal.limited:
            await self._check_limits(request, principal)

    async def _check_limits(self, request: Request, principal: Principal) -> None:
        if self.reach is Reach.EVERYTHING:
            raise ForbiddenError(
                f"{principal.name} is limited to some jobs, and this would tell of others, or change them. It needs "
                "a key without job types and tags."
            )
        if self.reach is not Reach.LIMITED:
            job_id = with_slashes(request.path_params["job_id"])
            check = check_tree if self.reach is Reach.TREE else check_job
            await check(request.app.state.tracking.queries, principal, job_id)


def needs(scope: Scope, reach: Reach | None = None) -> Any:
    """A dependency: what a route needs.

    Args:
        scope: What the caller must be allowed to do.
        reach: What the answer tells of, for those who are limited; default: everything, and of a path with `job_id`
            that job.
    """
    return Depends(_Declared(scope, reach))


def open_to_all() -> Any:
    """A dependency: anybody may ask."""
    return Depends(_Declared(None, Reach.LIMITED))


def principal_of(request: Request) -> Principal:
    """The caller.

    Raises:
        NotAuthenticatedError: It is not known.
    """
    found: Principal | None = request.scope.get(PRINCIPAL)
    if found is None:
        raise NotAuthenticatedError(NOBODY)
    return found


def view_of(scope: Mapping[str, Any]) -> Hashable:
    """What the answers to a request (ASGI) depend on beside what it asks for: what the caller may do and see.

    Who is limited to some jobs sees bulk runs of their own key only.
    """
    principal: Principal | None = scope.get(PRINCIPAL)
    if principal is None or not principal.limited:
        return principal and principal.scopes
    return principal.scopes, principal.job_types, principal.tags, principal.name, principal.key_id


def declared(path: str, dependencies: Iterable[Any]) -> tuple[Needs, list[Any]]:
    """What a route needs, and its other dependencies.

    Raises:
        TypeError: It declares nothing, or more than one thing.
    """
    others: list[Any] = []
    found: list[Any] = []
    for each in dependencies:
        (found if isinstance(each.dependency, _Declared) else others).append(each)
    if len(found) != 1:
        raise TypeError(f"The route {path} must declare what it needs, once: dependencies=[needs(Scope.…)].")
    wanted: _Declared = found[0].dependency
    default = Reach.JOB if "{job_id}" in path else Reach.EVERYTHING
    return Needs(wanted.scope, wanted.reach or default), others


@dataclass(frozen=True)
class _Declared:
    """What `needs` was given; `ThreadRoute` takes it out before FastAPI would call it."""

    scope: Scope | None
    reach: Reach | None

    async def __call__(self) -> None:
        raise TypeError("Only a ThreadRoute checks what a route needs.")
