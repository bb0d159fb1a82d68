"""Reports the end of a task from the worker's main process, if its child could not report.

The main process knows the task's id, but neither the attempt nor whether a success was stored. It may report an end
twice.
"""

from datetime import datetime, timedelta
from typing import Any

from billiard.exceptions import TimeLimitExceeded
from celery import Task, states
from celery.exceptions import Retry
from celery.worker import state as worker_state

from jobtracker.broker.headers import sent
from jobtracker.broker.process_exit import end_of_process
from jobtracker.core.clock import now_ms
from jobtracker.core.declarations import DEFAULT, declaration_of
from jobtracker.core.lifecycle import Event, OnLost
from jobtracker.instrumentation.current_job import job_of, secrets_of
from jobtracker.instrumentation.failure_text import retry_reason, sentence_of
from jobtracker.instrumentation.signal_handlers import RecentIds
from jobtracker.instrumentation.stored_outcome import StoredOutcomes
from jobtracker.instrumentation.task_reports import INFERRED_FAILURE, Fields, TaskReports
from jobtracker.jobs.result_backend import Silence
from jobtracker.store.keys import LET_GO, PROCESS_GONE


class WorkerEnds:
    """Reports the ends that the main process sees, and failures and retries of any process.

    Args:
        reports: Sends the reports.
        outcomes: What Celery's result backend keeps.
        resent: Tasks that this process has sent again under their own ids, for a lost child.
    """

    def __init__(self, reports: TaskReports, outcomes: StoredOutcomes, resent: RecentIds) -> None:
        self.reports = reports
        self.outcomes = outcomes
        self.resent = resent
        self.not_stored = RecentIds()
        """Tasks whose end Celery could not store, and which is reported already."""

    def failed(self, task: Task, task_id: str, exception: BaseException | None, traceback: str | None) -> None:
        """task_failure: the task failed, its child was lost, it passed a time limit, or Celery itself failed."""
        job = job_of(task)
        is_here = job is not None and job.is_job_of(task_id)
        ended_by, is_unanswered = end_of_process(exception), False
        if not is_here:
            if self.not_stored.discard(task_id):
                return  # by what Celery could not store: how the task's own code ended is reported
            kept = self.outcomes.of(task_id, task, states.SUCCESS)
            is_unanswered = kept is Silence.NO_ANSWER
            if not isinstance(kept, Silence) and kept["status"] == states.SUCCESS:
                self.reports.apply(
                    Event.COMPLETE, task_id, *self.reports.result_of(task, task_id, kept.get("result"))
                )
                return
        is_timeout = isinstance(exception, TimeLimitExceeded)
        if is_timeout and task.acks_late and not task.acks_on_timeout:
            self.reports.lose(task_id, "it passed its hard time limit", "TimeLimitExceeded", comes_back=True)
        elif ended_by and is_unanswered:
            self.reports.release(task_id, f"its process was lost: {ended_by}", PROCESS_GONE)
        elif ended_by and runs_again(task):
            if worker_state.should_terminate is None:  # else it is left to others, for whom this worker is lost
                self.reports.lose(task_id, f"its process was lost: {ended_by}", type(exception).__name__)
        elif is_here or ended_by or is_timeout:
            # Its main process says so, perhaps after the message was delivered again.
            fields = _unanswered(is_unanswered) | (INFERRED_FAILURE if ended_by or is_unanswered else {})
            self.reports.fail(task, task_id, exception, traceback, fields=fields)
        else:
            self.reports.celery_failed(task_id, exception, traceback, _unanswered(is_unanswered))

    def requeued(self, task_id: str, ended_by: str) -> None:
        """The task's process was lost, and its message goes back to the queue."""
        is_counted = worker_state.should_terminate is None
        reason = f"its process was lost: {ended_by}"
        self.reports.lose(task_id, reason, "WorkerLostError", comes_back=True, is_counted=is_counted)

    def failure_not_stored(self, request: Any, ended_by: BaseException | None, error: Exception) -> None:
        """The task has failed, and Celery could not store that; no signal follows.

        Whether a success was stored before its process was lost is not known either. What its process lived to see it
        has reported itself.
        """
        if request.lost_by is not None:
            lease = PROCESS_GONE if worker_state.should_terminate is None else LET_GO
            self.reports.release(request.id, sentence_of(error), lease)
        elif isinstance(ended_by, TimeLimitExceeded):
            self.reports.fail(None, request.id, ended_by, fields={**INFERRED_FAILURE, "unanswered": "1"})

    def internal_error(self, task_id: str, exception: BaseException | None) -> None:
        """Celery itself failed with a task."""
        if self.not_stored.discard(task_id):
            self.not_stored.add(task_id)  # for the failure that may follow
        else:
            self.reports.release(task_id, sentence_of(exception))

    def retried(self, task: Task, request: Any, reason: Any) -> None:
        """task_retry: the task is sent again; or it is lost, as Celery says so after a cold shutdown too."""
        job = job_of(task)
        if not (job is not None and job.resent) and not self.resent.discard(request.id):
            self._shut_down(task, request)
            return
        why = reason
        if isinstance(reason, Retry):  # its text has the time, perhaps in another zone: the record has it in UTC
            why = reason.exc or reason.message or reason.excs
        fields: Fields = {"reason": retry_reason(why, secrets_of(job))}
        due_ms = _due_ms(getattr(reason, "when", None))
        if due_ms is not None:
            fields["eta"] = due_ms
        attempt, message_sent = request.retries or 0, _sent_in(request)
        self.reports.apply(Event.RETRY, request.id, fields, attempt=attempt, message_sent=message_sent)

    def _shut_down(self, task: Task, request: Any) -> None:
        """A cold shutdown killed the task, and nothing was published again."""
        if task.acks_late:
            fields: Fields = {"reason": "its worker shut down; it will run again"}
            self.reports.apply(Event.REQUEUE, request.id, fields, message_sent=_sent_in(request))
        elif not runs_again(task):  # else it is left to others, for whom this worker is lost
            error = RuntimeError("its worker shut down while the task ran, and its message was acknowledged before")
            # Its process may have sent it again just before: then it goes on.
            self.reports.fail(task, request.id, error, kind="WorkerShutdown", fields=INFERRED_FAILURE)

    def revoked(self, task: Task, request: Any, *, terminated: bool, expired: bool) -> None:
        """task_revoked: the task was cancelled, its process was terminated, or it expired.

        A process that was terminated may have stored its result just before, and not reported it: maintenance asks
        the backend.
        """
        fields: Fields = {"reason": "revoked"}
        if expired:
            fields["reason"] = "it expired before it was started"
        elif terminated:
            fields["reason"] = "its process was terminated"
            if self.outcomes.are_kept and not task.ignore_result:
                fields |= {"inferred": Event.LOSE, **_unanswered(True)}
        self.reports.apply(Event.CANCELLED, request.id, fields, message_sent=_sent_in(request))


def runs_again(task: Task) -> bool:
    """Whether a task is to run again, in a new run, where its execution is lost."""
    return (declaration_of(task) or DEFAULT).on_lost is OnLost.RERUN


def _unanswered(is_unanswered: bool) -> Fields:
    """Celery's result backend did not answer: maintenance asks again."""
    return {"unanswered": "1"} if is_unanswered else {}


def _sent_in(request: Any) -> str | int:
    """When the message of a request was sent, in the child or in the main process."""
    return sent(getattr(request, "request_dict", request))


def _due_ms(when: datetime | float | None) -> int | None:
    """Celery's Retry.when: a moment, or seconds from now."""
    if when is None:
        return None
    if isinstance(when, datetime):
        return int(when.timestamp() * 1000)
    return now_ms() + int(timedelta(seconds=when) / timedelta(milliseconds=1))
