"""Celery's signals → the store.

Nothing here raises into Celery, or writes in a worker's main process while all goes well: what runs for every task
runs in the pool's child. Which signal comes when, and from where, was measured with Celery 5.7.
"""

import functools
import logging
import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from billiard.exceptions import TimeLimitExceeded
from celery import Celery, Task, signals, states
from celery._state import get_current_task
from celery.exceptions import Reject
from kombu.utils.json import dumps

from jobtracker.current import CurrentJob, job_of
from jobtracker.declarations import DEFAULT, Declaration, declaration_of
from jobtracker.dispatch import being_sent, priority_of
from jobtracker.lifecycle import Event, Outcome, Status
from jobtracker.messages import ACCUMULATE, Known, MessageReader, stored_arguments
from jobtracker.models import job_and_run_of, task_id_of
from jobtracker.store import Change, NewJob, now_ms
from jobtracker.tracking import Tracking

logger = logging.getLogger(__name__)

_REASON_CHARS = 300


@dataclass
class Publication:
    """The sending of one message by an app.

    Attributes:
        app: The app that sends it; Celery's signal does not say.
        jobs: The jobs that the message tells of, its own first.
        outcomes: Waits for what became of recording them; None once that is known.
        created: Ids of the jobs that were recorded because of it.
    """

    app: Celery
    jobs: list[NewJob] = field(default_factory=list)
    outcomes: Callable[[], list[Outcome]] | None = None
    created: list[str] = field(default_factory=list)


_publication: ContextVar[Publication | None] = ContextVar("jobtracker_publication", default=None)
"""The publishing that is under way."""


class RecentIds:
    """A set of ids that forgets the oldest beyond a few thousand."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, item: str) -> bool:
        """Remember an id; False if it was known."""
        if item in self._ids:
            return False
        self._ids[item] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)
        return True

    def discard(self, item: str) -> bool:
        """Forget an id; False if it was not known."""
        return self._ids.pop(item, self) is None


def never_raises(handler: Callable[..., None]) -> Callable[..., None]:
    """Log a handler's failure in one line: a failure of the tracker is none of the task's."""

    @functools.wraps(handler)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            handler(*args, **kwargs)
        except Exception as error:  # noqa: BLE001
            logger.warning("jobtracker: %s failed: %s: %s", handler.__name__, type(error).__name__, error)

    return guarded


class Hooks:
    """The signal handlers of one app.

    Args:
        tracking: Where they write.
        only_declared: Track declared tasks only, not all tasks of the app.
    """

    def __init__(self, tracking: Tracking, *, only_declared: bool) -> None:
        self.tracking = tracking
        self.app = tracking.app
        self.only_declared = only_declared
        self.lease = ""
        """Incarnation of the worker that this process belongs to; set in its main process before it forks."""
        self.reader = MessageReader(self.know, functools.partial(priority_of, self.app))
        self._resent = RecentIds()  # sent again under their own ids by this process, on behalf of a lost child
        self._begun = RecentIds()  # parents that are known to run
        self._answers: deque[Callable[[], Change]] = deque()  # to reports from which nothing follows, not read yet
        self._signals = {
            signals.before_task_publish: self.on_publish,
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

    def know(self, name: str) -> Known | None:
        """The job type and the declaration of a task's name; None where it is not tracked."""
        if name.startswith("celery."):
            return None
        task = self.app.tasks.get(name)
        declared = declaration_of(task) if task is not None else None
        if declared is None and self.only_declared:
            return None
        declaration = declared or DEFAULT
        if task is None:  # this process only sends it: the workers have announced what it is
            return Known(self.tracking.registry.type_of_task(name), declaration)
        return Known(declaration.job_type or name, declaration)

    def _is_tracked(self, task: Task, request: Any) -> bool:
        """Whether a task's signals concern us; one that replaced a declared task goes on as that task's job."""
        if task.app is not self.app:
            return False
        replaces = task.name == ACCUMULATE or (getattr(request, "replaced_task_nesting", None) or 0) > 0
        return replaces or not self.only_declared or declaration_of(task) is not None

    # -- publishing -------------------------------------------------------------------------------------------------

    @never_raises
    def on_publish(
        self,
        sender: str,
        body: Any = None,
        headers: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
        routing_key: str = "",
        **_: Any,
    ) -> None:
        """before_task_publish: record the job, its parents, what its chain holds.

        Before, not after: a worker may report first otherwise. What became of it is asked after the message is sent,
        so that the two travel at the same time. A task that sends itself again under its own id (retry, replace) is
        no new job.
        """
        publication = _publication.get()
        if publication is None or publication.app is not self.app:
            return
        if not headers or not headers.get("id"):  # protocol 1 has no headers
            return
        task_id, at_ms = headers["id"], now_ms()
        job_id, run = job_and_run_of(task_id)
        current = job_of(get_current_task())
        if current is not None and (current.id, current.run) == (job_id, run):
            if not headers.get("retries"):
                self._replaced(current, {"task": sender, "queue": routing_key})
            current.resent = True
            return
        if headers.get("retries"):  # by the main process, for a child that was lost
            self._resent.add(task_id)
            return
        jobs = self.reader.jobs(sender, headers, properties or {}, routing_key, body, at_ms)
        if jobs:
            publication.jobs = jobs
            publication.outcomes = self.tracking.store.begin_create(*jobs, at_ms=at_ms)
        if current is not None and task_id_of(current.id, current.run) in self.reader.task_ids_ahead(body):
            self._replaced(current, {})  # by a group, chord or chain whose end bears the task's own id

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Around Celery's sending of one message: where it fails, what `on_publish` recorded is taken back."""
        publication = Publication(self.app)
        token = _publication.set(publication)
        try:
            yield
        except Exception as error:
            self._note_created(publication)
            self._not_published(publication, error)
            raise
        finally:
            self._note_created(publication)
            _publication.reset(token)

    @never_raises
    def _note_created(self, publication: Publication) -> None:
        outcomes, publication.outcomes = publication.outcomes, None
        if outcomes is not None:
            publication.created = [
                job.id
                for job, outcome in zip(publication.jobs, outcomes(), strict=True)
                if outcome is Outcome.APPLIED
            ]

    @never_raises
    def _not_published(self, publication: Publication, error: Exception) -> None:
        created = publication.created
        if not publication.jobs or being_sent.get() is not None:
            return
        job = publication.jobs[0]
        if job.id in created and job.fields.get("parent") in {None, *created}:
            for job_id in created:
                self.tracking.store.delete(job_id, mode="undo")
            return
        # Others are there that wait for it: the rest of a chord, the task before it in its chain. Presumed, because
        # a broker that does not answer may have taken the message all the same.
        fields: dict[str, str | int] = {
            "reason": f"it could not be sent: {error}"[:_REASON_CHARS],
            "presumed": Event.LOSE,
        }
        data = {"error": dumps({"type": type(error).__name__, "message": str(error)[:2000]})}
        self._apply(Event.FAIL, job.id, int(job.fields["run"]), fields=fields, data=data)

    def _replaced(self, current: CurrentJob, fields: dict[str, str | int]) -> None:
        if not current.resent:
            current.resent = True
            self.tracking.store.apply(Event.REQUEUE, current.id, run=current.run, fields=fields)

    # -- running: in the pool's child -------------------------------------------------------------------------------

    @never_raises
    def on_prerun(self, sender: Task, task_id: str, **_: Any) -> None:
        """task_prerun: running; or not to be run at all, which `refuse` acts on before the task's code begins."""
        request = sender.request
        if not self._is_tracked(sender, request) or request.is_eager:
            return
        job_id, run = job_and_run_of(task_id)
        job = CurrentJob(self.tracking, sender, job_id, run, request.retries or 0)
        request.jobtracker = job
        self._read_answers()
        fields: dict[str, str | int] = {"worker": request.hostname or "", "lease": self.lease}
        if sender.acks_late:
            fields["acks_late"] = "1"
        change = self._report(Event.START, sender, job, fields)
        if change.after is Status.CANCELLED:
            job.stopped = "cancelled before it started"
        elif change.outcome is Outcome.DELETED:
            job.stopped = "the job was deleted"
        elif change.outcome is Outcome.STALE and run < change.run:
            job.stopped = f"run {change.run} of the job has taken its place"
        job.alone = change.applied and change.parent is None
        if change.applied and change.parent and self._begun.add(f"{change.parent}:{run}"):
            self.tracking.store.apply(Event.SUB_START, change.parent)

    @staticmethod
    def refuse(task: Task) -> None:
        """Keep a task from running that must not: called by the task itself (`before_start`), after `on_prerun`.

        Raises:
            JobCancelledError: It must not run. A signal handler could not raise that: Celery swallows it.
        """
        job = job_of(task)
        if job is not None and job.stopped:
            job.stop(job.stopped)

    @never_raises
    def on_success(self, sender: Task, result: Any = None, **_: Any) -> None:
        """task_success: completed, after Celery has stored the result.

        Where nobody waits for the job, nothing follows from the answer: it is read when the next task begins, and the
        child is free meanwhile.
        """
        job = job_of(sender)
        if job is None:
            return
        data = self._stored_result(sender, result)
        if job.alone:
            store = self.tracking.store
            self._answers.append(
                store.begin_apply(Event.COMPLETE, job.id, run=job.run, attempt=job.attempt, data=data)
            )
        else:
            self._report(Event.COMPLETE, sender, job, data=data)

    @never_raises
    def _read_answers(self) -> None:
        while self._answers:
            self._answers.popleft()()

    @never_raises
    def on_postrun(self, sender: Task, task_id: str, state: str | None = None, retval: Any = None, **_: Any) -> None:
        """task_postrun: the two ends that have no signal of their own in the child, Ignore and Reject.

        Its state is None where the child is being killed; the main process reports that.
        """
        job = job_of(sender)
        if job is None:
            return
        if state == states.IGNORED and not job.resent:
            self._ignored(sender, job, task_id)
        elif state == states.REJECTED and isinstance(retval, Reject) and retval.requeue:
            self._report(Event.REQUEUE, sender, job, {"reason": "the task gave its message back to the queue"})

    def _ignored(self, task: Task, job: CurrentJob, task_id: str) -> None:
        if job.stopped:
            self._report(Event.CANCELLED, task, job, {"reason": job.stopped})
            return
        # A task that raises Ignore may have stored its own outcome before.
        kept = self.app.AsyncResult(task_id)
        state = kept.state
        if state == states.SUCCESS:
            self._report(Event.COMPLETE, task, job, data=self._stored_result(task, kept.result))
        elif state == states.FAILURE:
            self._fail(task, job.id, job.run, job.attempt, kept.result, None)
        else:
            self._report(Event.CANCELLED, task, job, {"reason": "the task raised Ignore"})

    # -- ends: in the child, or in the main process where the child can't report -----------------------------------

    @never_raises
    def on_failure(
        self, sender: Task, task_id: str, exception: BaseException | None = None, einfo: Any = None, **_: Any
    ) -> None:
        """task_failure: failed.

        From the child. For a lost child, a hard time limit or a Reject from the main process, which may say it twice
        and does not know the attempt.
        """
        if not self._is_tracked(sender, sender.request):
            return
        job = job_of(sender)
        job_id, run = job_and_run_of(task_id)
        if isinstance(exception, TimeLimitExceeded) and sender.acks_late and not sender.acks_on_timeout:
            reason = "it passed its hard time limit; its message goes back to the queue"
            self._apply(Event.REQUEUE, job_id, run, fields={"reason": reason})
            return
        attempt = job.attempt if job is not None and job.id == job_id else None
        self._fail(sender, job_id, run, attempt, exception, getattr(einfo, "traceback", None))

    @never_raises
    def on_retry(self, sender: Task, request: Any, reason: Any = None, **_: Any) -> None:
        """task_retry: retrying, with the reason and the next time.

        The main process says it too, of a task that a cold shutdown killed, though nothing was published: that task
        is lost.
        """
        if not self._is_tracked(sender, request) or request.is_eager:
            return
        job_id, run = job_and_run_of(request.id)
        job = job_of(sender)
        if not (job is not None and job.resent) and not self._resent.discard(request.id):
            if sender.acks_late:
                self._apply(Event.REQUEUE, job_id, run, fields={"reason": "its worker shut down; it will run again"})
            else:
                error = RuntimeError(
                    "its worker shut down while the task ran, and its message was acknowledged before"
                )
                self._fail(sender, job_id, run, None, error, None, kind="WorkerShutdown")
            return
        why = getattr(reason, "exc", None) or reason
        fields: dict[str, str | int] = {"reason": _sentence(why)}
        due = _due_ms(getattr(reason, "when", None))
        if due is not None:
            fields["eta"] = due
        self._apply(Event.RETRY, job_id, run, attempt=request.retries or 0, fields=fields)

    @never_raises
    def on_revoked(
        self,
        sender: Task,
        request: Any,
        terminated: bool = False,
        expired: bool = False,
        **_: Any,
    ) -> None:
        """task_revoked, in the main process: cancelled."""
        if not self._is_tracked(sender, request):
            return
        job_id, run = job_and_run_of(request.id)
        reason = "revoked"
        if expired:
            reason = "it expired before it was started"
        elif terminated:
            reason = "its process was terminated"
        self._apply(Event.CANCELLED, job_id, run, fields={"reason": reason})

    @never_raises
    def on_rejected(self, sender: Any, message: Any = None, exc: BaseException | None = None, **_: Any) -> None:
        """task_rejected, in the main process: the worker could not read the message."""
        task_id = (getattr(message, "headers", None) or {}).get("id")
        if task_id and sender.app is self.app:
            job_id, run = job_and_run_of(task_id)
            error = exc or ValueError("the worker that got the message could not read it")
            self._fail(None, job_id, run, None, error, None, kind="MessageRejected")

    @never_raises
    def on_unknown(self, sender: Any, name: str = "", id: str = "", **_: Any) -> None:  # noqa: A002 (Celery's name)
        """task_unknown, in the main process: the worker does not know the task."""
        if sender.app is not self.app:
            return
        job_id, run = job_and_run_of(id)
        error = LookupError(f"the worker that got it does not know the task {name!r}")
        self._fail(None, job_id, run, None, error, None, kind="NotRegistered")

    @never_raises
    def on_internal_error(
        self, sender: Task, task_id: str, exception: BaseException | None = None, einfo: Any = None, **_: Any
    ) -> None:
        """task_internal_error: the worker could not store the result, say."""
        if self._is_tracked(sender, sender.request):
            job_id, run = job_and_run_of(task_id)
            self._fail(sender, job_id, run, None, exception, getattr(einfo, "traceback", None))

    # -- one way to the store ---------------------------------------------------------------------------------------

    def _report(
        self,
        event: Event,
        task: Task,
        job: CurrentJob,
        fields: dict[str, str | int] | None = None,
        data: dict[str, str] | None = None,
    ) -> Change:
        """Report on the task that runs here; where its job is not recorded, record it first."""
        change = self._apply(event, job.id, job.run, job.attempt, fields, data)
        if change.outcome is Outcome.MISSING and (known := self.know(task.name)):
            self.tracking.store.create(self._from_request(task, job, known))
            change = self._apply(event, job.id, job.run, job.attempt, fields, data)
        return change

    def _apply(
        self,
        event: Event,
        job_id: str,
        run: int,
        attempt: int | None = None,
        fields: dict[str, str | int] | None = None,
        data: dict[str, str] | None = None,
    ) -> Change:
        change = self.tracking.store.apply(event, job_id, run=run, attempt=attempt, fields=fields, data=data)
        return self.tracking.settlement.follow(job_id, change)

    def _fail(
        self,
        task: Task | None,
        job_id: str,
        run: int,
        attempt: int | None,
        exception: BaseException | None,
        traceback: str | None,
        kind: str | None = None,
    ) -> None:
        kind = kind or type(exception).__name__
        error = {"type": kind, "message": str(exception)[:2000]}
        if traceback:
            error["traceback"] = _shortened(str(traceback), self.tracking.settings.max_traceback_chars)
        fields: dict[str, str | int] = {"reason": f"{kind}: {exception}"[:_REASON_CHARS]}
        data = {"error": dumps(error)}
        job = job_of(task)
        if task is not None and job is not None and job.id == job_id:
            self._report(Event.FAIL, task, job, fields, data)
        else:
            self._apply(Event.FAIL, job_id, run, attempt, fields, data)

    def _from_request(self, task: Task, job: CurrentJob, known: Known) -> NewJob:
        request = task.request
        delivery = request.delivery_info or {}
        fields: dict[str, str | int] = {
            "name": request.shadow or task.name,
            "type": known.job_type,
            "task": task.name,
            "queue": delivery.get("routing_key") or "",
            "priority": priority_of(self.app, delivery.get("priority")),
            "run": job.run,
            "origin": "celery",
        }
        data = stored_arguments(known.declaration, request.args, request.kwargs, request.argsrepr, request.kwargsrepr)
        return NewJob(id=job.id, fields=fields, data=data)

    def _stored_result(self, task: Task, result: Any) -> dict[str, str]:
        declaration: Declaration = declaration_of(task) or DEFAULT
        if not declaration.store_result:
            return {}
        try:
            text = dumps(result)
        except (TypeError, ValueError):
            return {}  # another serializer carries what JSON can't; Celery's backend has it
        size = len(text.encode())
        if size > self.tracking.settings.max_result_bytes:
            return {"result_omitted": str(size)}
        return {"result": text}

    def _uid(self, signal: Any) -> str:
        return f"jobtracker:{id(self)}:{signal.name}"


def _sentence(error: object) -> str:
    if isinstance(error, BaseException):
        return f"{type(error).__name__}: {error}"[:_REASON_CHARS]
    return str(error)[:_REASON_CHARS] if error else "the task asked to be retried"


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
