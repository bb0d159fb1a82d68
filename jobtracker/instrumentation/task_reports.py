"""Reports on tasks: made from Celery's requests of them, and sent.

`TaskReports` reports from the process that runs a task, which knows its job, and from the main process, which knows
only the task's id.
"""

import functools
from typing import Any

from celery import Task

from jobtracker.broker.config import priority_of
from jobtracker.broker.headers import UNKNOWN, sent
from jobtracker.core.clock import now_ms
from jobtracker.core.declarations import takes_results
from jobtracker.core.job import as_reason, job_and_run_of, new_execution
from jobtracker.core.labels import labels_in
from jobtracker.core.lifecycle import Event
from jobtracker.core.masking import NOTHING, Stored, stored_when_begun
from jobtracker.instrumentation.current_job import CurrentJob, job_of, secrets_of
from jobtracker.instrumentation.failure_text import failure
from jobtracker.instrumentation.message_parser import MessageReader
from jobtracker.instrumentation.request_parser import job_of_request
from jobtracker.instrumentation.task_filter import TaskFilter
from jobtracker.instrumentation.this_worker import ThisWorker
from jobtracker.jobs.results import stored_result
from jobtracker.reporting.report import Notice, Report
from jobtracker.runtime import Tracking
from jobtracker.store.changes import Change, NewJob
from jobtracker.store.keys import LET_GO

Fields = dict[str, str | int]

INFERRED_FAILURE: Fields = {"inferred": Event.FAIL}
"""Fields of a failure after which the main process acknowledges or rejects the message: a broker that dies may not
get to know that, and delivers it again. So Celery rejects what it could not send for a retry (celery/app/task.py,
retry), and acknowledges what has returned and could not be stored: often because the broker, the same Redis, was
away."""


class TaskReports:
    """Makes and sends the reports on the tasks of one app.

    Args:
        tracking: Where to.
        task_filter: Which tasks are tracked.
        worker: The worker that this process belongs to.
        reader: Reads what follows in a chain.
    """

    def __init__(
        self, tracking: Tracking, task_filter: TaskFilter, worker: ThisWorker, reader: MessageReader
    ) -> None:
        self.tracking = tracking
        self.task_filter = task_filter
        self.worker = worker
        self.reader = reader
        self._send = tracking.reporter.send
        self._report = tracking.reporter.report
        self._priority_of = functools.partial(priority_of, tracking.app)

    # -- from the process that runs the task -------------------------------------------------------------------------

    def begin(self, task: Task, request: Any, task_id: str) -> tuple[CurrentJob, Report]:
        """The job of a task that is about to run, which its request has from now on, and the report of its start."""
        headers = vars(request)
        message_sent = sent(headers, request.delivery_info)
        job_id, run = job_and_run_of(task_id)
        execution = new_execution(self.worker.incarnation)
        job = CurrentJob(self.tracking, task, job_id, run, request.retries or 0, message_sent, execution)
        request.jobtracker = job
        job.labels = labels_in(headers)
        self._note_masked(task, request, job)
        fields: Fields = {"worker": request.hostname or "", "lease": self.worker.incarnation}
        if task.acks_late:
            fields["acks_late"] = "1"
        if release := self.tracking.settings.release_label:
            fields["release"] = release
        fields |= job.unrecorded.fields
        job.start = start = self.of_task(Event.START, task.name, request, job, fields, job.unrecorded.data)
        return job, start

    def _note_masked(self, task: Task, request: Any, job: CurrentJob) -> None:
        """Note what must not stay in the job's record, now that its arguments are here."""
        tracked = self.task_filter.find(task.name, request.kwargs)
        if tracked is None or not tracked.arguments.masks_any:
            return
        masked_args = tracked.arguments.mask_arguments(request.args, request.kwargs)
        if masked_args.hidden:
            job.arguments = masked_args
            passed_on = int(bool(tracked.arguments.positional and request.args and takes_results(task)))
            rest = request.args[passed_on:]
            job.unrecorded = stored_when_begun(tracked.arguments, rest, request.kwargs, passed_on)

    def of_task(
        self, event: Event, name: str, request: Any, job: CurrentJob, fields: Fields, data: dict[str, str]
    ) -> Report:
        """A report on the task that runs here."""
        report = Report(
            event,
            job.id,
            run=job.run,
            attempt=job.attempt,
            execution=job.execution,
            fields=fields,
            data=data,
            at_ms=now_ms(),
            start=job.start,
            sent=job.sent,
        )
        if job.start is None:  # this is its start
            report.record = functools.partial(self._record_of, name, request, job)
        return report

    def _record_of(self, name: str, request: Any, job: CurrentJob) -> NewJob | None:
        """How to record the job of the task that runs here, where nobody has done so."""
        if job.record is None and (tracked := self.task_filter.find(name, request.kwargs)):
            job.record = job_of_request(
                name, request, job, tracked, priority_of=self._priority_of, reader=self.reader
            )
        return job.record

    def send(
        self,
        event: Event,
        task: Task,
        job: CurrentJob,
        fields: Fields | None = None,
        data: dict[str, str] | None = None,
    ) -> Change | None:
        """Report on the task that runs here; where its job is not recorded, it is recorded first, and its start.

        Returns:
            What became of it; None where the report waits.
        """
        fields, data = {**(fields or {}), **job.unrecorded.fields}, {**(data or {}), **job.unrecorded.data}
        change = self._send(self.of_task(event, task.name, task.request, job, fields, data))
        if change is not None and change.applied:
            job.unrecorded = NOTHING
        return change

    def result_of(self, task: Task, task_id: str, result: object) -> Stored:
        """What is recorded of a task's result."""
        return stored_result(task, job_and_run_of(task_id)[0], result, self.tracking.large_values)

    def chord_not_stored(self, job: CurrentJob) -> None:
        """Report that Celery could not store a sub-job's part of its chord."""
        self._report(Report(Notice.CHORD_NOT_STORED, job.id, job.run))

    # -- from any process of the worker ------------------------------------------------------------------------------

    def fail(
        self,
        task: Task | None,
        task_id: str,
        exception: BaseException | None,
        traceback: str | None = None,
        *,
        kind: str | None = None,
        fields: Fields | None = None,
        message_sent: str | int = UNKNOWN,
    ) -> None:
        """Report that a task has failed.

        Args:
            task: The task, where it may run here.
            task_id: Its id.
            exception: What it failed with.
            traceback: Its traceback.
            kind: What to call it; default: the exception's type.
            fields: What to write into the job's record besides.
            message_sent: When its message was sent (`broker.headers.sent`).
        """
        job = job_of(task)
        own, data = self._failure(job, exception, traceback, kind)
        own |= fields or {}
        if task is not None and job is not None and job.is_job_of(task_id):
            self.send(Event.FAIL, task, job, own, data)
        else:
            self.apply(Event.FAIL, task_id, own, data, message_sent=message_sent)

    def celery_failed(
        self, task_id: str, exception: BaseException | None, traceback: str | None, fields: Fields
    ) -> None:
        """Report that Celery itself has failed with a task, where nothing else is known of its end.

        Its child may have reported more by then: how the task's own code has ended.
        """
        own, data = self._failure(None, exception, traceback, None)
        self._apply_if_held(Notice.CELERY_FAILED, task_id, {**own, **INFERRED_FAILURE, **fields}, data)

    def _failure(
        self, job: CurrentJob | None, exception: BaseException | None, traceback: str | None, kind: str | None
    ) -> tuple[Fields, dict[str, str]]:
        most_chars = self.tracking.settings.max_traceback_chars
        return failure(exception, traceback, kind=kind, secrets=secrets_of(job), most_chars=most_chars)

    # -- from its main process, which knows the task's id ------------------------------------------------------------

    def apply(
        self,
        event: Event,
        task_id: str,
        fields: Fields | None = None,
        data: dict[str, str] | None = None,
        *,
        attempt: int | None = None,
        message_sent: str | int = UNKNOWN,
    ) -> None:
        """Report an event of a task, of which only the worker is known that runs it."""
        job_id, run = job_and_run_of(task_id)
        execution = self.worker.incarnation
        report = Report(event, job_id, run, attempt, execution, None, fields or {}, data or {}, now_ms())
        report.sent = message_sent
        self._report(report)

    def _apply_if_held(
        self,
        event: Event | Notice,
        task_id: str,
        fields: Fields,
        data: dict[str, str] | None = None,
        message_sent: str | int = UNKNOWN,
    ) -> None:
        """Report on a task of this worker, if it still holds the job."""
        job_id, run = job_and_run_of(task_id)
        lease = self.worker.incarnation
        self._report(
            Report(event, job_id, run, lease=lease, fields=fields, data=data or {}, at_ms=now_ms(), sent=message_sent)
        )

    def lose(
        self, task_id: str, happened: str, kind: str, *, comes_back: bool = False, is_counted: bool = True
    ) -> None:
        """Report that an execution of this worker's was lost (`Notice.LOSS`)."""
        fields: Fields = {
            "happened": happened,
            "kind": kind,
            "comes_back": int(comes_back),
            "is_counted": int(is_counted),
        }
        self._apply_if_held(Notice.LOSS, task_id, fields, message_sent="")

    def release(self, task_id: str, why: str, lease: str = LET_GO) -> None:
        """Report that this worker does not run a task any more, and can't tell how it ended: maintenance finds out.

        Args:
            task_id: The task.
            why: What kept Celery from storing how it ended.
            lease: What stands in place of the job's lease from now on: `keys.LET_GO` or `keys.PROCESS_GONE`.
        """
        reason = as_reason(f"Celery could not store how it ended: {why}")
        self._apply_if_held(Event.PROGRESS, task_id, {"lease": lease, "reason": reason})
