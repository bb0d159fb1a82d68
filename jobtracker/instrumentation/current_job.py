"""The job of the running task, seen from the task: progress, log, cancellation."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from celery import Task
from celery._state import get_current_task
from celery.exceptions import Ignore, SoftTimeLimitExceeded
from redis.exceptions import ConnectionError  # noqa: A004 (redis-py's own name)

from jobtracker.core.clock import now_ms
from jobtracker.core.job import job_and_run_of
from jobtracker.core.labels import NO_LABELS
from jobtracker.core.lifecycle import Event
from jobtracker.core.masking import NOTHING, MaskedArguments, Secret
from jobtracker.instrumentation.line_budget import LineBudget
from jobtracker.reporting.report import Notice, Report
from jobtracker.runtime import Tracking
from jobtracker.schemas.jobs import Job
from jobtracker.store.changes import NewJob
from jobtracker.store.schema import JobRecord

if TYPE_CHECKING:
    from jobtracker.tracing.spans import Execution

logger = logging.getLogger(__name__)
T = TypeVar("T")

_CANCEL_CHECK_S = 1.0
"""A loop may ask for cancellation as often as it likes; Redis is asked at most this often."""


class JobCancelledError(Ignore):  # type: ignore[misc] # Celery has no types
    """Stops a task that was cancelled. Do not catch it: it sets Celery's state REVOKED and cancels the job."""


class JobQuarantinedError(Exception):
    """The error that Celery's result backend keeps for a task that is not started because its job is quarantined."""


class CurrentJob:
    """The job whose task runs here. Outside a tracked task it does nothing, so that tasks can be called directly.

    While Redis is away its reports wait (`Reporter`), and `cancel_requested` is False.

    Attributes:
        id: The job's id; empty outside a tracked task.
        run: The number of its run, as its task id says. A task id that equals the job's id says 1, even if Celery
            code sent that id again.
        sent: When its message was sent, from its header (`broker.headers.sent`). It distinguishes runs of one task
            id.
        reused: Celery code is known to have sent the job's own id again. Then a later run has that task id.
        attempt: Celery's retries count.
        execution: The id of this execution; None if it must not run.
        stopped: Why it was stopped, or must not begin.
        quarantined: Why it must not begin, if its job is quarantined.
        alone: Its start was applied, and no job waits for its end (`Change.waited_for`).
        next_is_recorded: The store has the next job of its chain, and so the rest (`Change.next_is_recorded`).
        resent: The task sent itself again under its own id (retry, replace), so the job goes on.
        record: How to record the job if it is not recorded; set when that was needed.
        start: While its task runs: the report of its start, which can record the job if that is missing.
        arguments: Its arguments in masked form, if some are masked. Texts must not show the masked values.
        labels: The name and tags that its message bears. The jobs that its task sends get the tags too.
        unrecorded: What must still be written about its arguments.
        trace: The span of this execution, while its task runs, where the process makes traces.
        log_budget: How much of what its task logs may still go into its log.
    """

    reused = alone = next_is_recorded = resent = _cancelled = False
    stopped: str | None = None
    quarantined: str | None = None
    record: NewJob | None = None
    start: Report | None = None
    arguments: MaskedArguments | None = None
    labels = NO_LABELS
    unrecorded = NOTHING
    trace: "Execution | None" = None
    log_budget: LineBudget | None = None
    _asked_at = _reported_at = float("-inf")

    def __init__(
        self,
        tracking: Tracking | None,
        task: Task | None,
        job_id: str,
        run: int,
        attempt: int,
        sent: str | int = "",
        execution: str | None = None,
    ) -> None:
        self.sent = sent
        self.id = job_id
        self.run = run
        self.attempt = attempt
        self.execution = execution
        self._tracking = tracking
        self._task = task

    def is_job_of(self, task_id: str) -> bool:
        """Whether a task id is one of its own."""
        return job_and_run_of(task_id)[0] == self.id

    def is_of(self, tracking: Tracking) -> bool:
        """Whether it is tracked there; another app of this process may have a tracker of its own."""
        return self._tracking is tracking

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Report how far the task is; written at most every `PROGRESS_INTERVAL_S` seconds, and when it is done.

        Args:
            done: Units that are done, from 0.
            total: Units in all, above 0.
            note: Where it is, for people; up to 200 characters.
        """
        if self._tracking is None:
            return
        now = time.monotonic()
        if done < total and now - self._reported_at < self._tracking.settings.progress_interval_s:
            return
        self._reported_at = now
        fields = {"progress_done": str(done), "progress_total": str(total), "progress_message": note[:200]}
        report = Report(
            Event.PROGRESS,
            self.id,
            run=self.run,
            attempt=self.attempt,
            execution=self.execution,
            fields=fields,
            at_ms=now_ms(),
            start=self.start,
            sent=self.sent,
        )
        with _forgiven(f"Progress of job {self.id} was not recorded"):
            change = self._tracking.reporter.report(report)
            self._cancelled = self._cancelled or (change is not None and change.cancel_requested)
            self._asked_at = now

    def track(self, items: Iterable[T], total: int | None = None, note: str = "") -> Iterator[T]:
        """Iterate, reporting progress after each item and stopping where a cancel was asked for.

        Args:
            items: What to go through.
            total: How many there are; default: its length, and no progress where it has none.
            note: What the progress says.

        Raises:
            JobCancelledError: A cancel was asked for.
        """
        if total is None and isinstance(items, Sized):
            total = len(items)
        for done, item in enumerate(items, start=1):
            self.raise_if_cancelled()
            yield item
            if total:
                self.progress(done, total, note)

    def log(self, message: str, level: str = "info") -> None:
        """Write a line into the job's own log, which the API serves; up to 2,000 characters."""
        if self._tracking is None:
            return
        line = {"level": level, "message": message[:2000]}
        with _forgiven(f"A log line of job {self.id} was not recorded"):
            self._tracking.reporter.report(Report(Notice.LOG, self.id, data=line, at_ms=now_ms(), start=self.start))

    @property
    def cancel_requested(self) -> bool:
        """Somebody asked to cancel the job. Redis is asked at most once a second."""
        if self._tracking is None or self._cancelled:
            return self._cancelled
        now = time.monotonic()
        if now - self._asked_at >= _CANCEL_CHECK_S:
            self._asked_at = now
            queries = self._tracking.queries
            with _forgiven(f"Whether job {self.id} is cancelled is not known"):
                mark = self._tracking.reporter.ask(lambda: queries.field(self.id, JobRecord.cancel), None)
                self._cancelled = mark is not None
        return self._cancelled

    def raise_if_cancelled(self) -> None:
        """Stop the task here if a cancel was asked for.

        Raises:
            JobCancelledError: It was.
        """
        if self.cancel_requested:
            self.stop("stopped as asked")

    def stop(self, reason: str) -> None:
        """End the task here as cancelled; Celery sees it as revoked, and reports it to a chord that waits for it.

        Raises:
            JobCancelledError: Always.
        """
        self.stopped = reason
        if self._task is not None:
            # As Celery's own worker does it for a revoked task (celery/worker/request.py, _announce_revoked).
            request = self._task.request
            with _forgiven(f"Celery's result backend was not told that job {self.id} is cancelled"):
                self._task.backend.mark_as_revoked(
                    request.id, reason, request=request, store_result=not self._task.ignore_result
                )
        raise JobCancelledError(reason)

    def refuse(self) -> None:
        """End the task before it begins, where it must not; called by the task itself.

        Celery sees a job in quarantine as failed: a chord that waits for it, an errback and a caller learn of it.

        Raises:
            JobCancelledError: It was cancelled, or a later run has taken its place.
            Ignore: It is in quarantine.
        """
        if self.stopped:
            self.stop(self.stopped)
        if self.quarantined and self._task is not None:
            task, request, error = self._task, self._task.request, JobQuarantinedError(self.quarantined)
            is_kept = not task.ignore_result or task.store_errors_even_if_ignored
            with _forgiven(f"Celery's result backend was not told that job {self.id} is in quarantine"):
                task.backend.mark_as_failure(request.id, error, request=request, store_result=is_kept)
            raise Ignore(self.quarantined)

    def sub_jobs(self) -> list[Job]:
        """The sub-jobs of a parent, in order, with their results and errors; empty where there are none.

        Raises:
            redis.exceptions.RedisError: The tracking Redis does not answer; at once where that is known.
        """
        if self._tracking is None:
            return []
        if self._tracking.reporter.away:
            raise ConnectionError("The tracking Redis is away.")
        return self._tracking.queries.get_many(self._tracking.queries.sub_ids(self.id))


@contextmanager
def _forgiven(what: str) -> Iterator[None]:
    """Log a failure of the tracker, which must not fail the task. The task's own time limit is raised again."""
    try:
        yield
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001
        logger.warning("%s: %s", what, error)


_INERT = CurrentJob(None, None, "", 0, 0)


def secrets_of(job: CurrentJob | None) -> Sequence[Secret]:
    """The values of a job's masked arguments: texts about it must not show them."""
    return job.arguments.secrets if job is not None and job.arguments is not None else ()


def job_of(task: Task | None) -> CurrentJob | None:
    """The job that a task is running as, None where it is not tracked."""
    return job_in(task.request) if task is not None else None


def job_in(request: Any) -> CurrentJob | None:
    """The job in a task's request, where `TaskReports.begin` has put it."""
    job = getattr(request, "jobtracker", None)
    return job if isinstance(job, CurrentJob) else None  # a header of that name gets there too


def current_job() -> CurrentJob:
    """The job whose task runs here; outside a tracked task one that does nothing."""
    return job_of(get_current_task()) or _INERT
