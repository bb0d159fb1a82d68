"""The locks of unique keys, for calls that are about to be sent. Else commands write them (`lua/lib/unique.lua`)."""

from collections.abc import Sequence
from typing import NamedTuple

from jobtracker.core.lifecycle import Outcome
from jobtracker.errors import DeletedIdError
from jobtracker.schemas.requests import MOST_UNIQUE
from jobtracker.store.changes import NewJob
from jobtracker.store.job_writer import TAKEN, JobWriter

RESERVED_MS = 5_000
"""So long a lock waits for the job that it is reserved for."""


class Recorded(NamedTuple):
    """What became of a job that was to be recorded."""

    is_new: bool
    holder: str | None
    """The other job that has its unique key; None: it is recorded, by this call or one before."""


class UniqueKeyWriter(JobWriter):
    """Records jobs of which some are unique, and reserves the locks of unique keys."""

    def create_where_free(self, jobs: Sequence[NewJob], *, at_ms: int) -> list[Recorded]:
        """Record jobs without sub-jobs in one step, but those whose unique keys others have, also others of them.

        Args:
            jobs: At most `MOST_UNIQUE`; they lie in one partition.
            at_ms: When they are made.

        Raises:
            DeletedIdError: One was recorded and deleted: others of them may be recorded now.
        """
        if len(jobs) > MOST_UNIQUE:
            raise ValueError(f"{len(jobs)} jobs are too many for one step.")
        answers = self._functions.call_together(self.client, "create", [self._new(job, at_ms) for job in jobs])
        for job, answer in zip(jobs, answers, strict=True):
            if answer == Outcome.DELETED:
                raise DeletedIdError(job.id)
        return [
            Recorded(answer == Outcome.APPLIED, answer.removeprefix(TAKEN) if answer.startswith(TAKEN) else None)
            for answer in answers
        ]

    def reserve_unique(self, digest: str, job_id: str) -> str | None:
        """Reserve a lock for a job that is about to be recorded; returns the job that has it, if one does."""
        key = self.keys("unique", digest)
        holder: str | None = self.client.set(key, job_id, nx=True, get=True, px=RESERVED_MS)
        return holder

    def let_go_unique(self, digest: str, job_id: str) -> None:
        """Let go of a lock whose job was not recorded."""
        part = self.keys.of(digest)
        self._functions.call(self.client, "let_go_unique", part("unique", digest), [part.prefix, digest, job_id])
