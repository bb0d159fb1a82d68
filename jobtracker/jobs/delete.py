"""Deletes jobs with all their sub-jobs."""

from dataclasses import dataclass

from jobtracker.core.lifecycle import SETTLED, Outcome
from jobtracker.errors import IllegalTransitionError
from jobtracker.jobs.guards import check_has_no_parent
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore

_TRASH_BATCH = 500
"""Sub-jobs of deleted jobs that are removed with each call."""


@dataclass(frozen=True)
class Deletion:
    """Deletes jobs."""

    store: JobStore
    queries: JobQueries

    def delete(self, job_id: str) -> None:
        """Remove a job with all its sub-jobs.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: Part of it has not ended, or it is part of another job.
        """
        record = self.queries.record(job_id)
        outcome = Outcome.ILLEGAL if self._has_open_jobs_below(record) else self.store.delete(job_id)[0]
        if outcome is Outcome.ILLEGAL:
            check_has_no_parent(self.queries, record, "delete", "delete its parent")
            why = "it, or one of its sub-jobs, has not ended. Cancel it first."
            if record.cancel:
                why = (
                    "it, or one of its sub-jobs, has not ended, though its cancel was asked for. Wait until its "
                    "tasks have stopped, or cancel it with terminate where its worker's pool can kill."
                )
            raise IllegalTransitionError(job_id, record.nearest_status, "delete", why)
        self.empty_trash()

    def empty_trash(self) -> int:
        """Remove the sub-jobs of deleted jobs; returns how many."""
        removed = 0
        while ids := self.queries.trash(_TRASH_BATCH):
            self.store.delete(*ids, mode="trash")
            removed += len(ids)
        return removed

    def _has_open_jobs_below(self, record: JobRecord) -> bool:
        """Whether jobs below one that has ended are open: its cancel came before the report that a task had begun."""
        if record.status not in SETTLED or not record.subs:
            return False
        statuses = self.queries.fields(self.queries.families(record.id), JobRecord.status)
        return not SETTLED.issuperset(filter(None, statuses))
