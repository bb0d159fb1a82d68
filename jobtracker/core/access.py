"""The caller, and what they may do."""

import hashlib
from collections.abc import Collection, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Scope(StrEnum):
    """What one may be allowed to do."""

    JOBS_READ = "jobs:read"
    """See jobs, their arguments as they may be shown, results, queues, workers and figures."""
    JOBS_CREATE = "jobs:create"
    """Create jobs."""
    JOBS_CONTROL = "jobs:control"
    """Start, cancel, retry and change jobs; drain workers; examine again; mark failure groups."""
    JOBS_DELETE = "jobs:delete"
    """Delete jobs."""
    MASKED_READ = "masked:read"
    """See masked values, where arguments are stored in full."""
    ADMIN = "admin"
    """Manage API keys, webhooks and the audit."""


ROLES: dict[str, frozenset[Scope]] = {
    "viewer": frozenset({Scope.JOBS_READ}),
    "operator": frozenset({Scope.JOBS_READ, Scope.JOBS_CREATE, Scope.JOBS_CONTROL, Scope.JOBS_DELETE}),
    "admin": frozenset(Scope),
}
"""Names for sets of scopes."""


class PrincipalKind(StrEnum):
    """By what somebody is known. The same name of another kind is somebody else."""

    KEY = "key"
    """The owner of API keys."""
    TOKEN = "token"  # noqa: S105 -- no secret
    """A subject of the OpenID Connect issuer."""
    PROXY = "proxy"
    """A user whom a trusted proxy names."""
    HERE = "here"
    """A user of this machine."""


LONGEST_NAME = 100


def name_of(given: str) -> str:
    """The name of a principal whom another system names. A longer one is cut, and stays different from others."""
    if len(given) <= LONGEST_NAME:
        return given
    digest = hashlib.sha256(given.encode(errors="replace")).hexdigest()[:16]
    return f"{given[: LONGEST_NAME - 17]}…{digest}"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who asks: the owner of a key, a person behind a proxy, or anyone on this machine.

    Attributes:
        name: Who it is, for people: it is shown, and written to the history and the audit.
        scopes: What they may do.
        key_id: The id of the API key that they showed; None where it was not a key.
        job_types: The job types that they are limited to; None for all.
        tags: They are limited to jobs with at least one of these tags; None for all jobs.
        kind: By what they are known.
    """

    name: str
    scopes: frozenset[Scope]
    key_id: str | None = None
    job_types: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    kind: PrincipalKind = PrincipalKind.HERE

    @property
    def account(self) -> str:
        """Stands for them, and for nobody else: what they have asked for is counted and kept by it."""
        return f"{self.kind}:{self.name}"

    @property
    def limited(self) -> bool:
        """Whether they may see some jobs only."""
        return self.job_types is not None or self.tags is not None

    def reaches(self, job_type: str, tags: Collection[str] = ()) -> bool:
        """Whether they may see a job of this type with these tags."""
        of_the_type = self.job_types is None or job_type in self.job_types
        return of_the_type and (self.tags is None or not set(self.tags).isdisjoint(tags))


shows_masked: ContextVar[bool] = ContextVar("shows_masked", default=False)
"""Masked values are shown now. Only where the answer goes to the caller and nowhere else: no answer that is kept."""


class Admission(Protocol):
    """Counts what the caller has pending, and may refuse more."""

    def admit(self, jobs: Sequence[tuple[str, int]]) -> None:
        """Count jobs that are about to be recorded, or to get other payloads.

        Args:
            jobs: The id of each, and the bytes of its payload.

        Raises:
            TooManyRequestsError: That is too much: nothing is counted.
        """

    def release(self, job_ids: Collection[str]) -> None:
        """Count jobs no more that are not pending, or were not recorded."""

    def release_unrecorded(self) -> None:
        """Count those that were admitted and are not recorded no more: they will not be."""


admission: ContextVar[Admission | None] = ContextVar("admission", default=None)
"""Is asked before new jobs are recorded; None: nobody counts."""

acting: ContextVar[Principal | None] = ContextVar("acting", default=None)
"""The caller, for what is written below the server: history, audit, quotas. `asyncio.to_thread` carries it along."""
