"""Celery's signals → the store.

Nothing here raises into Celery, or writes in a worker's main process while all goes well: what runs for every task
runs in the pool's child. Which signal comes when, and from where, was measured with Celery 5.7.
"""

import functools
import logging
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from traceback import format_exception
from typing import Any

from billiard.exceptions import TimeLimitExceeded
from celery import Task, signals, states
from celery.backends.base import DisabledBackend
from celery.backends.rpc import RPCBackend
from celery.exceptions import Reject
from celery.worker import state as worker_state
from kombu.utils.json import dumps
from redis.exceptions import RedisError

from jobtracker.broker.config import priority_of
from jobtracker.broker.headers import UNKNOWN, called, sender, sent, terms
from jobtracker.broker.process_exit import end_of_process
from jobtracker.core.clock import now_ms
from jobtracker.core.declarations import DEFAULT, declaration_of, takes_results
from jobtracker.core.job import and_also, as_reason, job_and_run_of, new_execution
from jobtracker.core.lifecycle import Event, OnLost, Outcome, Status
from jobtracker.core.masking import MASK, NOTHING, Secret, shortened, stored_when_begun, stored_when_sent, without
from jobtracker.instrumentation.current_job import CurrentJob, job_in, job_of, secrets_of
from jobtracker.instrumentation.message_parser import Known
from jobtracker.instrumentation.publish_signals import Publishing
from jobtracker.instrumentation.signal_handlers import RecentIds, never_raises
from jobtracker.instrumentation.task_filter import Scope
from jobtracker.instrumentation.unstored_end import UnstoredEnd, unstored_end
from jobtracker.jobs.chains import ids_of, in_order, kept
from jobtracker.jobs.lost_executions import quarantined
from jobtracker.jobs.result_backend import NOT_ASKED, Kept, Silence, is_of_run_before
from jobtracker.jobs.results import stored_result
from jobtracker.runtime import Tracking
from jobtracker.store.changes import Change, NewJob, Notice, Report
from jobtracker.store.keys import LET_GO, PROCESS_GONE

logger = logging.getLogger(__name__)


class Hooks:
    """The signal handlers of one app.

    Args:
        tracking: Where they write.
        only_declared: Track declared tasks only, not all tasks of the app.
    """

    def __init__(self, tracking: Tracking, *, only_declared: bool) -> None:
        self.tracking = tracking
        self.app = tracking.app
        self.lease = ""
        """Incarnation of the worker that this process belongs to; set in its main process before it forks."""
        self.main_pid = 0
        """Process id of that main process; a prefork child's differs, every other pool runs its tasks there."""
        self.scope = Scope(tracking, only_declared=only_declared)
        self.publishing = Publishing(tracking, self.scope)
        self._told = RecentIds()  # tasks whose end Celery could not store, and of which it was reported
        self._results = tracking.result_backend
        self._signals = {
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

    def install(self) -> None:
        """Connect the signals."""
        for signal, handler in self._signals.items():
            signal.connect(handler, weak=False, dispatch_uid=self._uid(signal))

    def uninstall(self) -> None:
        """Disconnect them."""
        for signal in self._signals:
            signal.disconnect(dispatch_uid=self._uid(signal))

    # -- running: in the pool's child -------------------------------------------------------------------------------

    @never_raises
    def on_prerun(self, sender: Task, task_id: str, **_: Any) -> None:
        """task_prerun: running; or not to be run at all, which `refuse` acts on before the task's code begins."""
        request = sender.request
        if not self.scope.covers(sender, request) or request.is_eager:
            return
        job_id, run = job_and_run_of(task_id)
        job = CurrentJob(
            self.tracking, sender, job_id, run, request.retries or 0, sent(request, request.delivery_info)
        )
        request.jobtracker = job
        job.execution = new_execution(self.lease)
        self._mask(sender, request, job)
        fields: dict[str, str | int] = {"worker": request.hostname or "", "lease": self.lease}
        if sender.acks_late:
            fields["acks_late"] = "1"
        start = self._report_of(Event.START, sender, request, job, fields | job.untold.fields, job.untold.data)
        job.start = start
        change = self.tracking.reporting.send(start)
        if change is None:  # the store is away, and with it whoever might have called it off
            return
        job.reused = change.reused
        if change.applied:
            job.untold = NOTHING
        if change.after is Status.CANCELLED:
            job.stopped = "cancelled before it started"
        elif change.outcome is Outcome.DELETED:
            job.stopped = "the job was deleted"
        elif change.outcome is Outcome.STALE and run < change.run:
            job.stopped = f"run {change.run} of the job has taken its place"
        elif change.outcome is Outcome.STALE and not change.run:
            job.stopped = "it was called off, for it was not sure that it had been sent"
        elif change.outcome is Outcome.REFUSED:
            job.quarantined = quarantined(change.losses, "see its job")
        elif change.losses and change.applied and self._loses_too_many(sender, change.losses):
            self._quarantine(sender, job, change.losses)
        if job.stopped or change.outcome is Outcome.REFUSED:
            job.execution = None
        job.alone = change.applied and not change.waited_for

    def _loses_too_many(self, task: Task, losses: int) -> bool:
        # With JOBTRACKER_RESEND=never it runs as often as its message comes: as by Celery alone.
        return self.tracking.relauncher.resends and losses >= (declaration_of(task) or DEFAULT).max_deliveries

    def _quarantine(self, task: Task, job: CurrentJob, losses: int) -> None:
        """Workers were lost with it so often; it shows only now, for their leases had not run out."""
        job.quarantined = reason = quarantined(losses, "a worker that had begun it was lost")
        error = dumps({"type": "JobQuarantinedError", "message": reason})
        self._report(Event.QUARANTINE, task, job, {"reason": reason}, {"error": error})

    def _mask(self, task: Task, request: Any, job: CurrentJob) -> None:
        """Note what must not stay in the job's record, now that its arguments are in our hands."""
        known = self.scope.know(task.name, request.kwargs)
        if known is None or not known.arguments.hides:
            return
        covered = known.arguments.cover(request.args, request.kwargs)
        if covered.hidden:
            job.arguments = covered
            passed_on = int(bool(known.arguments.positional and request.args and takes_results(task)))
            job.untold = stored_when_begun(known.arguments, request.args[passed_on:], request.kwargs, passed_on)

    @staticmethod
    def refuse(task: Task) -> None:
        """Keep a task from running that must not: called by the task itself (`before_start`), after `on_prerun`.

        Raises:
            Ignore: It must not run. A signal handler could not raise that: Celery swallows it.
        """
        if (job := job_of(task)) is not None:
            job.refuse()

    @never_raises
    def on_success(self, sender: Task, result: Any = None, **_: Any) -> None:
        """task_success: completed, after Celery has stored the result.

        Where nobody else waits for the job, nothing is late for it: the report is left, to go with the start of the
        next task. Only Celery's result backend knows meanwhile, where it keeps results.
        """
        request = sender.request
        job = job_in(request)
        if job is None or not job.is_of(self.tracking):
            return
        report = self._report_of(Event.COMPLETE, sender, request, job, {}, self._stored_result(sender, result))
        if job.alone and self._keeps_results and not request.ignore_result:
            self.tracking.reporting.leave(report)
        else:
            self.tracking.reporting.send(report)

    @functools.cached_property
    def _keeps_results(self) -> bool:
        """Whether whoever asks Celery for a result gets it; with some of its backends the sender alone does."""
        return not isinstance(self.app.backend, DisabledBackend | RPCBackend)

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
        error = sys.exc_info()[1]
        if error is not None and (end := unstored_end(error, state)) is not None:
            self._told.add(task_id)
            self._tell_unstored(sender, job, end, retval, error)
        elif state == states.IGNORED and not job.resent and not job.quarantined:
            self._ignored(sender, job, task_id)
        elif state == states.REJECTED and isinstance(retval, Reject):
            self._rejected(sender, job, retval)
        elif state is None and os.getpid() == self.main_pid:
            self._broken_off(sender, job, error)
        job.start = None  # it holds the request, which holds the job: neither would go at once

    def _tell_unstored(
        self, task: Task, job: CurrentJob, end: UnstoredEnd, result: object, error: BaseException
    ) -> None:
        """Report how a task has ended of which Celery could not store it.

        Its chord may not have got to know either, or gets to know the contrary: Celery's worker then says that the
        task has failed, by what it could not store.
        """
        why = without(f"{type(error).__name__}: {_text(error)}", secrets_of(job))
        if task.request.chord:
            self.tracking.reporting.report(Report(Notice.CHORD_UNSTORED, job.id, job.run))
        if end.state == states.SUCCESS:
            fields: dict[str, str | int] = {
                "reason": as_reason(f"its result could not be stored in Celery's result backend: {why}")
            }
            self._report(Event.COMPLETE, task, job, fields, self._stored_result(task, result))
        elif end.state == states.RETRY:
            self.on_retry(task, request=task.request, reason=end.value)
        elif end.has_begun:
            traceback = "".join(format_exception(end.value))
            told = without(f"{type(end.value).__name__}: {_text(end.value)}", secrets_of(job))
            more = as_reason(f"that could not be stored in Celery's result backend: {why}")[:_ROOM]
            fields = {**_PRESUMED, "reason": and_also(told, more)}
            self._fail(task, job.id, job.run, job.attempt, end.value, traceback, fields=fields)
        else:
            fields = {**_PRESUMED, "reason": as_reason(f"Celery could not begin its task: {why}")}
            self._fail(task, job.id, job.run, job.attempt, end.value, None, fields=fields)

    def _rejected(self, task: Task, job: CurrentJob, rejection: Reject) -> None:
        if rejection.requeue:
            self._report(Event.REQUEUE, task, job, {"reason": "the task gave its message back to the queue"})
        else:
            traceback = "".join(format_exception(rejection))
            self._fail(task, job.id, job.run, job.attempt, rejection, traceback, fields=_PRESUMED)

    def _broken_off(self, task: Task, job: CurrentJob, exception: BaseException | None) -> None:
        kind = type(exception).__name__
        hard_limit_s = (task.request.timelimit or [None])[0] or task.time_limit
        if kind == "GreenletExit" or (kind == "Timeout" and getattr(exception, "seconds", None) == hard_limit_s):
            return  # thrown by Celery into a greenlet: it reports why
        # Of all else Celery's own report breaks (celery/worker/request.py, on_success).
        reason = as_reason(f"the task was broken off by {exception!r}")
        if task.acks_late or self._runs_again(task):
            self._lose(job.id, job.run, reason, kind, comes_back=bool(task.acks_late))
        else:
            error = dumps({"type": kind, "message": reason})
            self._report(Event.LOSE, task, job, {"reason": reason, **_PRESUMED}, {"error": error})

    def _ignored(self, task: Task, job: CurrentJob, task_id: str) -> None:
        if job.stopped:
            self._report(Event.CANCELLED, task, job, {"reason": job.stopped})
            return
        # A task that raises Ignore may have stored its own outcome before.
        kept = self._kept_of(task_id, task, states.SUCCESS, states.FAILURE)
        if kept is Silence.NO_ANSWER:
            fields: dict[str, str | int] = {"presumed": Event.LOSE, "unanswered": "1"}
            fields["reason"] = f"the task raised Ignore; {NOT_ASKED}"
            self._report(Event.CANCELLED, task, job, fields)
        elif kept is not Silence.NOTHING_KNOWN and kept["status"] == states.SUCCESS:
            self._report(Event.COMPLETE, task, job, data=self._stored_result(task, kept.get("result")))
        elif kept is not Silence.NOTHING_KNOWN and kept["status"] == states.FAILURE:
            self._fail(task, job.id, job.run, job.attempt, kept.get("result"), None)
        else:
            self._report(Event.CANCELLED, task, job, {"reason": "the task raised Ignore"})

    def _kept_of(self, task_id: str, task: Task, *told: str) -> Kept | Silence:
        """What Celery's result backend says of a task; of one of these states only if it is of this run.

        Where the id was sent again and nobody can say of which run it is, nobody knows.
        """
        kept = self._results.kept_of(task_id, task)
        job_id, run = job_and_run_of(task_id)
        if isinstance(kept, Silence) or kept["status"] not in told or run > 1:
            return kept
        if self.tracking.reporting.away:
            return Silence.NO_ANSWER
        try:
            [record] = self.tracking.queries.records([job_id])
        except RedisError:
            return Silence.NO_ANSWER
        return Silence.NOTHING_KNOWN if is_of_run_before(record, kept) else kept

    # -- ends: in the child, or in the main process where the child can't report -----------------------------------

    @never_raises
    def on_failure(
        self, sender: Task, task_id: str, exception: BaseException | None = None, einfo: Any = None, **_: Any
    ) -> None:
        """task_failure: failed.

        From the child. For a lost child, a hard time limit, or where Celery itself has failed in the child, from the
        main process, which may say it twice and does not know the attempt: nor whether a success was stored.
        """
        if not self.scope.covers(sender, sender.request) or isinstance(exception, Reject):
            return  # a rejection: whoever ran the task has said it, and knew what of it is masked
        job = job_of(sender)
        job_id, run = job_and_run_of(task_id)
        attempt = job.attempt if job is not None and job.id == job_id else None
        ended_by, is_unasked = end_of_process(exception), False
        if attempt is None:
            if self._told.discard(task_id):
                return  # by what Celery could not store, and `on_postrun` has said how the task's own code ended
            kept = self._kept_of(task_id, sender, states.SUCCESS)
            is_unasked = kept is Silence.NO_ANSWER
            if not isinstance(kept, Silence) and kept["status"] == states.SUCCESS:
                self._apply(Event.COMPLETE, job_id, run, data=self._stored_result(sender, kept.get("result")))
                return
        if isinstance(exception, TimeLimitExceeded) and sender.acks_late and not sender.acks_on_timeout:
            self._lose(job_id, run, "it passed its hard time limit", "TimeLimitExceeded", comes_back=True)
            return
        if ended_by and is_unasked:
            self._let_go(task_id, f"its process was lost: {ended_by}", PROCESS_GONE)
            return
        if ended_by and self._runs_again(sender):
            if worker_state.should_terminate is None:  # else it is left to others, for whom this worker is lost
                self._lose(job_id, run, f"its process was lost: {ended_by}", type(exception).__name__)
            return
        fields: dict[str, str | int] = {"unanswered": "1"} if is_unasked else {}
        traceback = getattr(einfo, "traceback", None)
        if attempt is None and not ended_by and not isinstance(exception, TimeLimitExceeded):
            self._fail_by_celery(job_id, run, exception, traceback, fields)
            return
        # Its main process says so, perhaps after the message was delivered again.
        fields |= _PRESUMED if ended_by or is_unasked else {}
        self._fail(sender, job_id, run, attempt, exception, traceback, fields=fields)

    def _fail_by_celery(
        self,
        job_id: str,
        run: int,
        exception: BaseException | None,
        traceback: str | None,
        fields: dict[str, str | int],
    ) -> None:
        """Report that Celery itself has failed with a task, where nothing else is known of its end.

        Its child may have told more by then: how the task's own code has ended.
        """
        fields, data = self._failure(None, exception, traceback, None, {**_PRESUMED, **fields})
        report = Report(
            Notice.CELERY_FAILED,
            job_id,
            run,
            lease=self.lease,
            fields=fields,
            data=data,
            at_ms=now_ms(),
            sent=UNKNOWN,
        )
        self.tracking.reporting.report(report)

    @never_raises
    def on_requeue(self, request: Any, ended_by: str) -> None:
        """Its process was lost, and its message goes back to the queue: from the main process, and no signal."""
        if self.scope.covers(request.task, request):
            job_id, run = job_and_run_of(request.id)
            is_counted = worker_state.should_terminate is None
            reason = f"its process was lost: {ended_by}"
            self._lose(job_id, run, reason, "WorkerLostError", comes_back=True, is_counted=is_counted)

    @never_raises
    def on_untold(self, request: Any, ended_by: BaseException | None, error: Exception) -> None:
        """It has failed, and Celery could not store that: from the main process, and no signal follows.

        Whether a success was stored before its process was lost is not known either. What its process has lived to
        see it has reported itself.
        """
        if not self.scope.covers(request.task, request):
            return
        if request.lost_by is not None:
            lease = PROCESS_GONE if worker_state.should_terminate is None else LET_GO
            self._let_go(request.id, f"{type(error).__name__}: {_text(error)}", lease)
        elif isinstance(ended_by, TimeLimitExceeded):
            job_id, run = job_and_run_of(request.id)
            self._fail(None, job_id, run, None, ended_by, None, fields={**_PRESUMED, "unanswered": "1"})

    def mask(self, request: Any, text: str) -> str:
        """A text about a task without the values of its masked arguments: from the main process."""
        try:
            known = self.scope.know(request.task.name, request.kwargs)
            if known is None or not known.arguments.hides:
                return text
            return without(text, known.arguments.cover(request.args, request.kwargs).secrets)
        except Exception:  # it must neither fail what Celery does nor show what may be secret
            logger.debug("A text about task %s could not be masked", request.id, exc_info=True)
            return MASK

    @staticmethod
    def _runs_again(task: Task) -> bool:
        return (declaration_of(task) or DEFAULT).on_lost is OnLost.RERUN

    @never_raises
    def on_retry(self, sender: Task, request: Any, reason: Any = None, **_: Any) -> None:
        """task_retry: retrying, with the reason and the next time.

        The main process says it too, of a task that a cold shutdown killed, though nothing was published: that task
        is lost.
        """
        if not self.scope.covers(sender, request) or request.is_eager:
            return
        job_id, run = job_and_run_of(request.id)
        job = job_of(sender)
        if not (job is not None and job.resent) and not self.publishing.resent.discard(request.id):
            if sender.acks_late:
                reason = "its worker shut down; it will run again"
                self._apply(Event.REQUEUE, job_id, run, fields={"reason": reason}, message_sent=_sent_in(request))
            elif not self._runs_again(sender):  # else it is left to others, for whom this worker is lost
                error = RuntimeError(
                    "its worker shut down while the task ran, and its message was acknowledged before"
                )
                # Its process may have sent it again just before: then it goes on.
                self._fail(sender, job_id, run, None, error, None, kind="WorkerShutdown", fields=_PRESUMED)
            return
        why = getattr(reason, "exc", None) or reason
        fields: dict[str, str | int] = {"reason": _sentence(why, secrets_of(job))}
        due = _due_ms(getattr(reason, "when", None))
        if due is not None:
            fields["eta"] = due
        self._apply(
            Event.RETRY, job_id, run, attempt=request.retries or 0, fields=fields, message_sent=_sent_in(request)
        )

    @never_raises
    def on_revoked(
        self,
        sender: Task,
        request: Any,
        terminated: bool = False,
        expired: bool = False,
        **_: Any,
    ) -> None:
        """task_revoked, in the main process: cancelled.

        A process that was terminated may have stored its result just before, and not told us: the backend is asked.
        """
        if not self.scope.covers(sender, request):
            return
        job_id, run = job_and_run_of(request.id)
        fields: dict[str, str | int] = {"reason": "revoked"}
        if expired:
            fields["reason"] = "it expired before it was started"
        elif terminated:
            fields["reason"] = "its process was terminated"
            if self._keeps_results and not sender.ignore_result:
                fields |= {"presumed": Event.LOSE, "unanswered": "1"}
        self._apply(Event.CANCELLED, job_id, run, fields=fields, message_sent=_sent_in(request))

    @never_raises
    def on_rejected(self, sender: Any, message: Any = None, exc: BaseException | None = None, **_: Any) -> None:
        """task_rejected, in the main process: the worker could not read the message."""
        headers = getattr(message, "headers", None) or {}
        task_id = headers.get("id")
        if task_id and sender.app is self.app:
            job_id, run = job_and_run_of(task_id)
            error = exc or ValueError("the worker that got the message could not read it")
            self._fail(None, job_id, run, None, error, None, kind="MessageRejected", message_sent=sent(headers))

    @never_raises
    def on_unknown(self, sender: Any, name: str = "", id: str = "", message: Any = None, **_: Any) -> None:  # noqa: A002 (Celery's name)
        """task_unknown, in the main process: the worker does not know the task."""
        if sender.app is not self.app:
            return
        job_id, run = job_and_run_of(id)
        error = LookupError(f"the worker that got it does not know the task {name!r}")
        message_sent = sent(getattr(message, "headers", None) or {})
        self._fail(None, job_id, run, None, error, None, kind="NotRegistered", message_sent=message_sent)

    @never_raises
    def on_internal_error(self, sender: Task, task_id: str, exception: BaseException | None = None, **_: Any) -> None:
        """task_internal_error: Celery itself has failed with a task.

        Mostly it could not store how its code ended, which `on_postrun` has reported then. Else nobody knows: the
        result backend may have a success all the same, and the message may come back (acks_late). Where the backend
        answers, task_failure follows at once; else the reaper finds out.
        """
        if self.scope.covers(sender, sender.request):
            if self._told.discard(task_id):
                self._told.add(task_id)  # for the failure that may follow
            else:
                self._let_go(task_id, f"{type(exception).__name__}: {_text(exception)}")

    # -- one way to the store ---------------------------------------------------------------------------------------

    def _report(
        self,
        event: Event,
        task: Task,
        job: CurrentJob,
        fields: dict[str, str | int] | None = None,
        data: dict[str, str] | None = None,
    ) -> Change | None:
        """Report on the task that runs here; where its job is not recorded, record it first, and its start.

        Returns:
            What became of it; None where the report waits.
        """
        fields, data = {**(fields or {}), **job.untold.fields}, {**(data or {}), **job.untold.data}
        change = self.tracking.reporting.send(self._report_of(event, task, task.request, job, fields, data))
        if change is not None and change.applied:
            job.untold = NOTHING
        return change

    def _report_of(
        self,
        event: Event,
        task: Task,
        request: Any,
        job: CurrentJob,
        fields: dict[str, str | int],
        data: dict[str, str],
    ) -> Report:
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
            report.record = functools.partial(self._record_of, task.name, request, job)
        return report

    def _record_of(self, name: str, request: Any, job: CurrentJob) -> NewJob | None:
        """How the job of the task that runs here is recorded, where nobody has done so."""
        if job.record is None and (known := self.scope.know(name, request.kwargs)):
            job.record = self._from_request(name, request, job, known)
        return job.record

    def _apply(
        self,
        event: Event,
        job_id: str,
        run: int,
        attempt: int | None = None,
        fields: dict[str, str | int] | None = None,
        data: dict[str, str] | None = None,
        message_sent: str | int = UNKNOWN,
    ) -> None:
        report = Report(event, job_id, run, attempt, self.lease, None, fields or {}, data or {}, now_ms())
        report.sent = message_sent
        self.tracking.reporting.report(report)

    def _let_go(self, task_id: str, why: str, lease: str = LET_GO) -> None:
        """Say that this worker does not run a task any more, and can't tell how it ended: the reaper finds out."""
        job_id, run = job_and_run_of(task_id)
        reason = as_reason(f"Celery could not store how it ended: {why}")
        fields: dict[str, str | int] = {"lease": lease, "reason": reason}
        report = Report(Event.PROGRESS, job_id, run, lease=self.lease, fields=fields, at_ms=now_ms(), sent=UNKNOWN)
        self.tracking.reporting.report(report)

    def _lose(
        self,
        job_id: str,
        run: int,
        happened: str,
        kind: str,
        *,
        comes_back: bool = False,
        is_counted: bool = True,
    ) -> None:
        """Report that an execution of this worker's was lost."""
        fields: dict[str, str | int] = {
            "happened": happened,
            "kind": kind,
            "comes_back": int(comes_back),
            "is_counted": int(is_counted),
        }
        self.tracking.reporting.report(
            Report(Notice.LOSS, job_id, run, lease=self.lease, fields=fields, at_ms=now_ms())
        )

    def _fail(
        self,
        task: Task | None,
        job_id: str,
        run: int,
        attempt: int | None,
        exception: BaseException | None,
        traceback: str | None,
        kind: str | None = None,
        fields: dict[str, str | int] | None = None,
        message_sent: str | int = UNKNOWN,
    ) -> None:
        job = job_of(task)
        fields, data = self._failure(job, exception, traceback, kind, fields or {})
        if task is not None and job is not None and job.id == job_id:
            self._report(Event.FAIL, task, job, fields, data)
        else:
            self._apply(Event.FAIL, job_id, run, attempt, fields, data, message_sent)

    def _failure(
        self,
        job: CurrentJob | None,
        exception: BaseException | None,
        traceback: str | None,
        kind: str | None,
        fields: dict[str, str | int],
    ) -> tuple[dict[str, str | int], dict[str, str]]:
        """The fields of record and data of a failure."""
        secrets = secrets_of(job)
        kind, message = kind or type(exception).__name__, without(_text(exception), secrets)
        error = {"type": kind, "message": message[:2000]}
        if traceback:
            text = without(str(traceback), secrets)
            error["traceback"] = _shortened(text, self.tracking.settings.max_traceback_chars)
        return {"reason": as_reason(f"{kind}: {message}"), **fields}, {"error": dumps(error)}

    def _from_request(self, name: str, request: Any, job: CurrentJob, known: Known) -> NewJob:
        delivery = request.delivery_info or {}
        sent_by, sent_from = sender(request)
        fields: dict[str, str | int] = {
            "name": request.shadow or called(name, request.kwargs),
            "type": known.job_type,
            "task": name,
            "queue": delivery.get("routing_key") or "",
            "priority": priority_of(self.app, delivery.get("priority")),
            "run": job.run,
            **({"queued": job.sent} if isinstance(job.sent, int) and job.sent else {}),
            **sent_by,
            **terms(request),
        }
        if request.group and not request.chord:
            fields["group"] = request.group
        if request.callbacks or request.errbacks:
            fields["linked"] = "1"
        bulk: dict[str, str] = {}
        if following := in_order({"chain": request.chain}):
            fields |= {"next": ids[0]} if (ids := ids_of(following[0])) else {}
            bulk["chain"] = kept(following, self.publishing.reader.may_be_stored)
        covered = known.arguments.cover(request.args, request.kwargs)
        args_repr, kwargs_repr = request.argsrepr, request.kwargsrepr
        if covered.hidden:
            args_repr = _repr_in_place_of(args_repr, request.args, covered.args_repr)
            kwargs_repr = _repr_in_place_of(kwargs_repr, request.kwargs, covered.kwargs_repr)
        stored = stored_when_sent(known.arguments, covered, args_repr, kwargs_repr)
        return NewJob(id=job.id, fields=fields | stored.fields, data=stored.data | sent_from | bulk)

    def _stored_result(self, task: Task, result: Any) -> dict[str, str]:
        return stored_result(task, result, self.tracking.settings.max_result_bytes)

    def _uid(self, signal: Any) -> str:
        return f"jobtracker:{id(self)}:{signal.name}"


_PRESUMED: dict[str, str | int] = {"presumed": Event.FAIL}
"""Of a failure after which the main process acknowledges or rejects the message: a broker that dies may not get to
know that, and delivers it again. So Celery rejects what it could not send for a retry (celery/app/task.py, retry),
and acknowledges what has returned and could not be stored: often because the broker, the same Redis, was away."""

_ROOM = 150
"""Characters of a reason for what keeps Celery from storing an end: the end itself has to be told too."""


def _sent_in(request: Any) -> str | int:
    """When the message of a request was sent, in the child or in the main process."""
    return sent(getattr(request, "request_dict", request))


def _repr_in_place_of(header: str | None, value: Any, masked: str) -> str:
    """What may be shown for the repr that a message brings.

    One that its sender made may hide what the type does not mask, and show what it does: of that, nothing.
    """
    of_celery = {shortened(value), shortened(tuple(value)), masked, None}
    return masked if header in of_celery else MASK


def _sentence(error: object, secrets: Sequence[Secret]) -> str:
    text = f"{type(error).__name__}: {_text(error)}" if isinstance(error, BaseException) else str(error or "")
    return as_reason(without(text, secrets)) or "the task asked to be retried"


def _text(error: BaseException | None) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 (it has failed all the same, and Celery stores it)
        return f"its text can't be told: {type(second).__name__}"


def _due_ms(when: datetime | float | None) -> int | None:
    """Celery's Retry.when: a moment, or seconds from now."""
    if when is None:
        return None
    if isinstance(when, datetime):
        return int(when.timestamp() * 1000)
    return now_ms() + int(timedelta(seconds=when) / timedelta(milliseconds=1))


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}{os.linesep}[… {len(text) - 2 * half} characters …]{os.linesep}{text[-half:]}"
