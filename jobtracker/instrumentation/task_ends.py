"""Reports the end of a task from its own process, if Celery only sends task_postrun."""

from traceback import format_exception

from celery import Task, states
from celery.exceptions import Reject
from kombu.utils.json import dumps

from jobtracker.core.job import and_also, as_reason
from jobtracker.core.lifecycle import Event
from jobtracker.instrumentation.current_job import CurrentJob, secrets_of
from jobtracker.instrumentation.failure_text import sentence_of
from jobtracker.instrumentation.stored_outcome import StoredOutcomes
from jobtracker.instrumentation.task_reports import INFERRED_FAILURE, TaskReports
from jobtracker.instrumentation.unstored_end import UnstoredEnd
from jobtracker.instrumentation.worker_ends import WorkerEnds, runs_again
from jobtracker.jobs.result_backend import NOT_ASKED, Silence

_WHY_CHARS = 150
"""Characters of a reason for what keeps Celery from storing an end: the end itself must fit too."""


class TaskEnds:
    """Reports the ends for which only task_postrun comes.

    Args:
        reports: Sends the reports.
        outcomes: What Celery's result backend keeps.
        worker_ends: Reports retries.
    """

    def __init__(self, reports: TaskReports, outcomes: StoredOutcomes, worker_ends: WorkerEnds) -> None:
        self.reports = reports
        self.outcomes = outcomes
        self.worker_ends = worker_ends

    def not_stored(self, task: Task, job: CurrentJob, end: UnstoredEnd, result: object, error: BaseException) -> None:
        """Celery could not store how the task has ended.

        Its chord may not have got to know either, or gets to know the contrary: Celery's worker then says that the
        task has failed, by what it could not store.

        Args:
            task: The task.
            job: Its job.
            end: How its own code has ended.
            result: What that returned.
            error: Why it could not be stored.
        """
        secrets = secrets_of(job)
        why = sentence_of(error, secrets)
        if task.request.chord:
            self.reports.chord_not_stored(job)
        if end.state == states.SUCCESS:
            reason = as_reason(f"its result could not be stored in Celery's result backend: {why}")
            fields, data = self.reports.result_of(task, job.id, result)
            self.reports.send(Event.COMPLETE, task, job, {**fields, "reason": reason}, data)
        elif end.state == states.RETRY:
            self.worker_ends.retried(task, task.request, end.value)
        elif end.has_begun:
            traceback = "".join(format_exception(end.value))
            more = as_reason(f"that could not be stored in Celery's result backend: {why}")[:_WHY_CHARS]
            reason = and_also(sentence_of(end.value, secrets), more)
            self._fail(task, end.value, traceback, reason)
        else:
            self._fail(task, end.value, None, as_reason(f"Celery could not begin its task: {why}"))

    def _fail(self, task: Task, error: BaseException, traceback: str | None, reason: str) -> None:
        fields = {**INFERRED_FAILURE, "reason": reason}
        self.reports.fail(task, task.request.id, error, traceback, fields=fields)

    def rejected(self, task: Task, job: CurrentJob, rejection: Reject) -> None:
        """The task raised Reject."""
        if rejection.requeue:
            self.reports.send(Event.REQUEUE, task, job, {"reason": "the task gave its message back to the queue"})
        else:
            traceback = "".join(format_exception(rejection))
            self.reports.fail(task, task.request.id, rejection, traceback, fields=INFERRED_FAILURE)

    def broken_off(self, task: Task, job: CurrentJob, exception: BaseException | None) -> None:
        """The task ended by SystemExit, or what else is no Exception, in a pool without child processes."""
        kind = type(exception).__name__
        hard_limit_s = (task.request.timelimit or [None])[0] or task.time_limit
        if kind == "GreenletExit" or (kind == "Timeout" and getattr(exception, "seconds", None) == hard_limit_s):
            return  # thrown by Celery into a greenlet: it reports why
        # Of all else Celery's own report breaks (celery/worker/request.py, on_success).
        reason = as_reason(f"the task was broken off by {exception!r}")
        if task.acks_late or runs_again(task):
            self.reports.lose(task.request.id, reason, kind, comes_back=bool(task.acks_late))
        else:
            error = dumps({"type": kind, "message": reason})
            fields = {"reason": reason, "error_type": kind, **INFERRED_FAILURE}
            self.reports.send(Event.LOSE, task, job, fields, {"error": error})

    def ignored(self, task: Task, job: CurrentJob, task_id: str) -> None:
        """The task raised Ignore. It may have stored its own outcome before."""
        if job.stopped:
            self.reports.send(Event.CANCELLED, task, job, {"reason": job.stopped})
            return
        kept = self.outcomes.of(task_id, task, states.SUCCESS, states.FAILURE)
        if kept is Silence.NO_ANSWER:
            reason = f"the task raised Ignore; {NOT_ASKED}"
            self.reports.send(
                Event.CANCELLED, task, job, {"inferred": Event.LOSE, "unanswered": "1", "reason": reason}
            )
        elif kept is not Silence.NOTHING_KNOWN and kept["status"] == states.SUCCESS:
            self.reports.send(Event.COMPLETE, task, job, *self.reports.result_of(task, job.id, kept.get("result")))
        elif kept is not Silence.NOTHING_KNOWN and kept["status"] == states.FAILURE:
            self.reports.fail(task, task_id, kept.get("result"))
        else:
            self.reports.send(Event.CANCELLED, task, job, {"reason": "the task raised Ignore"})
