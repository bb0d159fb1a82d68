"""Relaunches jobs: a new run that nobody asked for, because the message or the worker of the last one is gone."""

from collections.abc import Mapping

from jobtracker.core.job import task_id_of
from jobtracker.core.lifecycle import Event, Status
from jobtracker.errors import ResendingDisabledError
from jobtracker.jobs.propagation import Propagation
from jobtracker.jobs.stored_calls import why_not_sendable
from jobtracker.store.changes import Change, News
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore

MOST_RELAUNCHES = 3
"""A job gets so many new runs that nobody asked for. Then somebody has to look."""

NEVER = "JOBTRACKER_RESEND is never"
"""Why no job is relaunched."""


class Relauncher:
    """Relaunches jobs. Every new run that nobody asked for is made here.

    Args:
        store: Where jobs are changed.
        queries: Where they are read.
        propagation: Sends the new runs, and propagates them.
        resends: Whether a job may get a new run that nobody asked for (JOBTRACKER_RESEND).
    """

    def __init__(self, store: JobStore, queries: JobQueries, propagation: Propagation, *, resends: bool) -> None:
        self.store = store
        self.queries = queries
        self.propagation = propagation
        self.resends = resends

    def why_not(self, record: JobRecord, *, most: int = MOST_RELAUNCHES) -> str | None:
        """Why a job is not relaunched, regardless of its last run; None: it may be.

        Args:
            record: The job.
            most: It may have so many new runs since somebody started or retried it.
        """
        if not self.resends:
            return NEVER
        if record.relaunched >= most:
            return f"it was {most} times. See who else takes messages from the queue"
        return None

    def relaunch(
        self,
        job_id: str,
        *,
        run: int,
        reason: str,
        lease: str | None = None,
        fields: Mapping[str, str | int] | None = None,
    ) -> Change:
        """Send a new run of a job that has not settled: its message, or the worker that ran it, is gone.

        If the message or the task of the last run turns up after all, it is refused. A parent's own task is called
        with the results of its sub-jobs, when they have all settled. A job whose cancel was asked for is cancelled
        instead.

        Args:
            job_id: The job.
            run: The run that is gone; if there is a later one, nothing is done.
            reason: A sentence that says what happened.
            lease: The worker that is gone; if another one has taken the job on, nothing is done.
            fields: Further fields of its record.

        Raises:
            ResendingDisabledError: No job is relaunched: ask `why_not` first.
        """
        if not self.resends:
            raise ResendingDisabledError(job_id)
        subs = self.queries.sub_ids(job_id)
        fields = {**self._times_left(job_id, run), **(fields or {}), "reason": reason}
        if subs:
            fields["callback_mode"] = "own"
        change = self.store.apply(Event.RELAUNCH, job_id, run=run, lease=lease, fields=fields)
        self.propagation.propagate(job_id, change)
        if not change.applied or change.settled:
            return change
        if change.next and self.propagation.stores_rest_of_chain(job_id):
            # The process that was about to send it may have died before this.
            self.propagation.renew_chain(job_id, cancelled_too=False)
        self.propagation.take_over_ancestors(job_id)
        if change.parent:
            self.propagation.notify_parent(News(change.parent, job_id, change.run, Status.PENDING))
        if not subs:
            self.propagation.send({job_id: change.run})
        elif not self.propagation.recheck_parent(job_id, subs):
            self.store.confirm(task_id_of(job_id, change.run))
        return change

    def _times_left(self, job_id: str, run: int) -> dict[str, int]:
        """The ETA of a job that has not begun, and when it expires: its next run keeps them."""
        [record] = self.queries.records([job_id])
        if record.run != run or record.executing or (record.deliveries and record.started):
            return {}
        times = {"eta": record.eta, "expires": record.expires}
        return {name: at_ms for name, at_ms in times.items() if at_ms}

    def take_over_chord(self, job_id: str) -> None:
        """Celery could not store a sub-job's part of its chord, so that may never complete, or may after all.

        So we call the parent's task, as another run; if Celery calls it too, that is refused. If we can't call it as
        Celery would, because its arguments or what follows it are not stored, it is left to Celery.
        """
        if not (parent := self.queries.field(job_id, JobRecord.parent)):
            return
        [(record, data)] = self.queries.load([parent], missing_ok=True)
        if not record.exists or self.why_not(record):
            return
        if not (why_not_sendable(record, data) or record.next or record.linked):
            self.store.update(parent, fields={"callback_mode": "anew"})  # unless it is called, or being called
