"""Celery's signals about tasks → reports.

Each handler takes the ids, returns if the task is none of ours, and does one thing. None of them raises into Celery.
What runs for every task runs in the pool's child: the main process writes nothing while all goes well. Which signal
comes when, and from where, was measured with Celery 5.7.
"""

import logging
import sys
from typing import Any

from celery import Task, signals, states
from celery.exceptions import Reject
from kombu.utils.json import dumps

from jobtracker.broker.headers import sent
from jobtracker.core.declarations import DEFAULT, declaration_of
from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.core.masking import MASK, NOTHING, mask_secrets
from jobtracker.instrumentation.current_job import CurrentJob, job_in, job_of
from jobtracker.instrumentation.job_spans import begin_process, end_process, link_results
from jobtracker.instrumentation.publish_signals import PublishSignals
from jobtracker.instrumentation.signal_handlers import SignalHandlers, never_raises
from jobtracker.instrumentation.stored_outcome import StoredOutcomes
from jobtracker.instrumentation.task_ends import TaskEnds
from jobtracker.instrumentation.task_filter import TaskFilter
from jobtracker.instrumentation.task_logs import TaskLogHandler
from jobtracker.instrumentation.task_reports import TaskReports
from jobtracker.instrumentation.this_worker import ThisWorker
from jobtracker.instrumentation.unstored_end import unstored_end
from jobtracker.instrumentation.worker_ends import WorkerEnds
from jobtracker.jobs.lost_executions import quarantined
from jobtracker.runtime import Tracking
from jobtracker.store.changes import Change
from jobtracker.tracing.active import active

logger = logging.getLogger(__name__)


class TaskSignals:
    """The signal handlers of one app.

    Args:
        tracking: Where they report.
        only_declared: Track declared tasks only, not all tasks of the app.

    Attributes:
        worker: The worker that this process belongs to; its main process sets it before it forks.
        task_filter: Which tasks are tracked.
        publishing: The handlers for what this process publishes.
    """

    def __init__(self, tracking: Tracking, *, only_declared: bool) -> None:
        self.tracking = tracking
        self.app = tracking.app
        self.worker = ThisWorker()
        self.task_filter = TaskFilter(tracking, only_declared=only_declared)
        self.publishing = PublishSignals(tracking, self.task_filter)
        wanted = tracking.settings.task_log_level != "off"
        self._logs = TaskLogHandler(tracking.settings) if wanted else None
        self._reports = TaskReports(tracking, self.task_filter, self.worker, self.publishing.reader)
        self._outcomes = StoredOutcomes(tracking)
        self._worker_ends = WorkerEnds(self._reports, self._outcomes, self.publishing.resent)
        self._task_ends = TaskEnds(self._reports, self._outcomes, self._worker_ends)
        self._handlers = SignalHandlers(
            {
                signals.before_task_publish: self.publishing.on_publish,
                signals.task_prerun: self.on_prerun,
                signals.task_success: self.on_success,
                signals.task_postrun: self.on_postrun,
                signals.task_failure: self.on_failure,
                signals.task_retry: self.on_retry,
                signals.task_revoked: self.on_revoked,
                signals.task_rejected: self.on_rejected,
                signals.task_unknown: self.on_unknown,
                signals.task_internal_error: self.on_internal_error,
            }
        )

    def install(self) -> None:
        """Connect the signals."""
        self._handlers.connect()

    def uninstall(self) -> None:
        """Disconnect them."""
        self._handlers.disconnect()
        if self._logs is not None:
            self._logs.detach()

    # -- in the process that runs the task ---------------------------------------------------------------------------

    @never_raises
    def on_prerun(self, sender: Task, task_id: str, **_: Any) -> None:
        """task_prerun: running; or not to be run at all, which `refuse` acts on before the task's code begins."""
        request = sender.request
        if not self.task_filter.covers(sender, request) or request.is_eager:
            return
        if self._logs is not None:
            self._logs.attach()
        job, start = self._reports.begin(sender, request, task_id)
        if (spans := active()) is not None:
            known = self.task_filter.find(sender.name, request.kwargs)
            begin_process(spans, self.tracking, sender, request, job, known and known.job_type)
            if job.trace is not None and job.trace.traceparent is not None:
                start.fields = {**start.fields, "traceparent": job.trace.traceparent}
        change = self.tracking.reporter.send(start)
        if change is None:  # the store is away, and so is any cancel
            return
        if job.trace is not None:
            link_results(self.tracking, request, job)
        job.reused = change.reused
        job.alone = change.applied and not change.waited_for
        job.next_is_recorded = change.next_is_recorded
        if change.applied:
            job.unrecorded = NOTHING
        if not change.applied or change.after is Status.CANCELLED or change.losses:
            self._refuse_or_quarantine(sender, job, change)

    def _refuse_or_quarantine(self, task: Task, job: CurrentJob, change: Change) -> None:
        """Note why a task must not run, where the answer to its start says so."""
        if change.after is Status.CANCELLED:
            job.stopped = "cancelled before it started"
        elif change.outcome is Outcome.DELETED:
            job.stopped = "the job was deleted"
        elif change.outcome is Outcome.STALE and job.run < change.run:
            job.stopped = f"run {change.run} of the job has taken its place"
        elif change.outcome is Outcome.STALE and not change.run:
            job.stopped = "it was called off, for it was not sure that it had been sent"
        elif change.outcome is Outcome.REFUSED:
            job.quarantined = quarantined(change.losses, "see its job")
        elif change.losses and change.applied and self._loses_too_many(task, change.losses):
            # It shows only now, for the leases of the lost workers had not run out.
            job.quarantined = reason = quarantined(change.losses, "a worker that had begun it was lost")
            error = dumps({"type": "JobQuarantinedError", "message": reason})
            self._reports.send(Event.QUARANTINE, task, job, {"reason": reason}, {"error": error})
        if job.stopped or change.outcome is Outcome.REFUSED:
            job.execution = None

    def _loses_too_many(self, task: Task, losses: int) -> bool:
        # With JOBTRACKER_RESEND=never it runs as often as its message comes: as by Celery alone.
        return self.tracking.relauncher.resends and losses >= (declaration_of(task) or DEFAULT).max_deliveries

    @staticmethod
    def refuse(task: Task) -> None:
        """Keep a task from running that must not: called by the task itself (`before_start`), after `on_prerun`.

        Raises:
            Ignore: It must not run. A signal handler could not raise that: Celery swallows it.
        """
        if (job := job_of(task)) is not None:
            if job.trace is not None:
                job.trace.adopt()
            job.refuse()

    @never_raises
    def on_success(self, sender: Task, result: Any = None, **_: Any) -> None:
        """task_success: completed, after Celery has stored the result.

        Where nobody else waits for the job, nothing is late for it: the report is enqueued, to go with the start of
        the next task. Only Celery's result backend knows meanwhile, where it keeps results.
        """
        request = sender.request
        job = job_in(request)
        if job is None or not job.is_of(self.tracking):
            return
        fields, data = self._reports.result_of(sender, job.id, result)
        report = self._reports.of_task(Event.COMPLETE, sender.name, request, job, fields, data)
        if job.alone and self._outcomes.are_kept and not request.ignore_result:
            self.tracking.reporter.enqueue(report)
        else:
            self.tracking.reporter.send(report)

    @never_raises
    def on_postrun(self, sender: Task, task_id: str, state: str | None = None, retval: Any = None, **_: Any) -> None:
        """task_postrun: the ends that have no signal of their own where the task runs.

        These are Ignore and Reject, what Celery could not store, and in pools without child processes also
        SystemExit and what else is no Exception. Its state is None then, as where a child is being killed, which its
        main process reports.
        """
        job = job_of(sender)
        if job is None or not job.is_of(self.tracking):
            return
        try:
            self._conclude(sender, job, task_id, state, retval)
        finally:
            if job.trace is not None:
                end_process(job, state, retval)
            job.start = None  # it holds the request, which holds the job: neither would go at once

    def _conclude(self, sender: Task, job: CurrentJob, task_id: str, state: str | None, retval: Any) -> None:
        """Report an end that has no signal of its own."""
        error = sys.exc_info()[1]
        if error is not None and (end := unstored_end(error, state)) is not None:
            self._worker_ends.not_stored.add(task_id)
            self._task_ends.not_stored(sender, job, end, retval, error)
        elif state == states.IGNORED and not job.resent and not job.quarantined:
            self._task_ends.ignored(sender, job, task_id)
        elif state == states.REJECTED and isinstance(retval, Reject):
            self._task_ends.rejected(sender, job, retval)
        elif state is None and self.worker.is_main:
            self._task_ends.broken_off(sender, job, error)

    # -- in that process, or in the main process where it can't report -----------------------------------------------

    @never_raises
    def on_failure(
        self, sender: Task, task_id: str, exception: BaseException | None = None, einfo: Any = None, **_: Any
    ) -> None:
        """task_failure: failed.

        From the child. For a lost child, a hard time limit, or where Celery itself has failed in the child, from the
        main process.
        """
        if not self.task_filter.covers(sender, sender.request) or isinstance(exception, Reject):
            return  # a rejection: the process that ran the task reported it, and knew what of it is masked
        self._worker_ends.failed(sender, task_id, exception, getattr(einfo, "traceback", None))

    @never_raises
    def on_retry(self, sender: Task, request: Any, reason: Any = None, **_: Any) -> None:
        """task_retry: retrying, with the reason and the next time.

        The main process says it too, of a task that a cold shutdown killed, though nothing was published: that task
        is lost.
        """
        if self.task_filter.covers(sender, request) and not request.is_eager:
            self._worker_ends.retried(sender, request, reason)

    # -- in the main process -----------------------------------------------------------------------------------------

    @never_raises
    def on_revoked(
        self, sender: Task, request: Any, terminated: bool = False, expired: bool = False, **_: Any
    ) -> None:
        """task_revoked: cancelled."""
        if self.task_filter.covers(sender, request):
            self._worker_ends.revoked(sender, request, terminated=terminated, expired=expired)

    @never_raises
    def on_rejected(self, sender: Any, message: Any = None, exc: BaseException | None = None, **_: Any) -> None:
        """task_rejected: the worker could not read the message."""
        headers = getattr(message, "headers", None) or {}
        task_id = headers.get("id")
        if task_id and sender.app is self.app:
            error = exc or ValueError("the worker that got the message could not read it")
            self._reports.fail(None, task_id, error, kind="MessageRejected", message_sent=sent(headers))

    @never_raises
    def on_unknown(self, sender: Any, name: str = "", id: str = "", message: Any = None, **_: Any) -> None:  # noqa: A002 (Celery's name)
        """task_unknown: the worker does not know the task."""
        if sender.app is self.app:
            error = LookupError(f"the worker that got it does not know the task {name!r}")
            message_sent = sent(getattr(message, "headers", None) or {})
            self._reports.fail(None, id, error, kind="NotRegistered", message_sent=message_sent)

    @never_raises
    def on_internal_error(self, sender: Task, task_id: str, exception: BaseException | None = None, **_: Any) -> None:
        """task_internal_error: Celery itself has failed with a task.

        Mostly it could not store how its code ended, which `on_postrun` has reported then. Else nobody knows: the
        result backend may have a success all the same, and the message may come back (acks_late). Where the backend
        answers, task_failure follows at once; else maintenance finds out.
        """
        if self.task_filter.covers(sender, sender.request):
            self._worker_ends.internal_error(task_id, exception)

    # -- in the main process, and no signal: called by a request (`worker_requests`) ---------------------------------

    @never_raises
    def on_requeue(self, request: Any, ended_by: str) -> None:
        """The task's process was lost, and its message goes back to the queue."""
        if self.task_filter.covers(request.task, request):
            self._worker_ends.requeued(request.id, ended_by)

    @never_raises
    def on_failure_not_stored(self, request: Any, ended_by: BaseException | None, error: Exception) -> None:
        """The task has failed, and Celery could not store that."""
        if self.task_filter.covers(request.task, request):
            self._worker_ends.failure_not_stored(request, ended_by, error)

    def mask(self, request: Any, text: str) -> str:
        """A text about a task without the values of its masked arguments."""
        try:
            tracked = self.task_filter.find(request.task.name, request.kwargs)
            if tracked is None or not tracked.arguments.masks_any:
                return text
            return mask_secrets(text, tracked.arguments.mask_arguments(request.args, request.kwargs).secrets)
        except Exception:  # it must neither fail what Celery does nor show what may be secret
            logger.debug("A text about task %s could not be masked", request.id, exc_info=True)
            return MASK
