"""Celery's signals of publishing → the record of a job."""

import dataclasses
import functools
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from celery._state import get_current_task
from kombu.utils.json import dumps

from jobtracker.broker.config import priority_of
from jobtracker.broker.headers import SENT_HEADER
from jobtracker.broker.queues import queue_of
from jobtracker.core.clock import now_ms
from jobtracker.core.fingerprint import fingerprint, type_name
from jobtracker.core.job import as_reason, job_and_run_of, task_id_of
from jobtracker.core.labels import (
    HEADERS,
    NAME_HEADER,
    Labels,
    as_headers,
    joined,
    labels_here,
    labels_in,
    without_labels,
)
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.core.traceparent import HEADER
from jobtracker.instrumentation.beat import due_entry
from jobtracker.instrumentation.current_job import CurrentJob, job_of
from jobtracker.instrumentation.job_spans import SendSpans, end_span
from jobtracker.instrumentation.message_parser import MessageReader, is_body_of
from jobtracker.instrumentation.signal_handlers import RecentIds, never_raises
from jobtracker.instrumentation.task_filter import TaskFilter
from jobtracker.instrumentation.unique_calls import Claim, UniqueCalls
from jobtracker.jobs.large_values import large_in
from jobtracker.jobs.sending import being_sent
from jobtracker.reporting.report import Notice, Report
from jobtracker.runtime import Tracking
from jobtracker.store.changes import NewJob

if TYPE_CHECKING:
    from opentelemetry.trace import Span


class Publication:
    """The sending of one message: a block around it. If it fails, what `on_publish` recorded is taken back.

    Args:
        signals: Of the app that sends it. Celery's signal does not say which.
        options: The options of the call.

    Attributes:
        signals: See above.
        options: See above.
        current: The job whose task sends it.
        labels: The labels of the call.
        jobs: The jobs of the message, its own first.
        outcomes: Returns the outcomes of recording them, or None if that has to wait; None after it was called.
        whole: Reads all that its chain still holds, if `jobs` has only the next one of that, because the rest is
            recorded.
        created: Ids of the jobs that were recorded because of it.
        claim: What became of its claim to a unique key.
        span: Its span, where the process makes traces.
    """

    __slots__ = (
        *("_token", "claim", "created", "current", "jobs"),
        *("labels", "options", "outcomes", "signals", "span", "whole"),
    )
    _token: Token["Publication | None"]

    def __init__(self, signals: "PublishSignals", options: dict[str, Any]) -> None:
        self.signals = signals
        self.options = options
        self.current = job_of(get_current_task())
        self.labels = _labels_around(self.current)
        self.jobs: list[NewJob] = []
        self.outcomes: Callable[[], list[Outcome] | None] | None = None
        self.whole: Callable[[], list[NewJob]] | None = None
        self.created: list[str] = []
        self.claim: Claim | None = None
        self.span: Span | None = None

    def __enter__(self) -> None:
        self._token = _publication.set(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> None:
        try:
            self.signals.note_sent(self, error)
        finally:
            _publication.reset(self._token)

    def note(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Note what became of recording its jobs, and return it."""
        self.created = [
            job.id for job, outcome in zip(self.jobs, outcomes, strict=True) if outcome is Outcome.APPLIED
        ]
        return outcomes


_publication: ContextVar[Publication | None] = ContextVar("jobtracker_publication", default=None)
"""The publishing that is under way."""


class PublishSignals:
    """Records what an app publishes.

    Args:
        tracking: Where to.
        task_filter: Which tasks.

    Attributes:
        resent: Ids of tasks that this process has sent again under their own ids, on behalf of a lost child.
    """

    def __init__(self, tracking: Tracking, task_filter: TaskFilter) -> None:
        self.tracking = tracking
        self.app = tracking.app
        self.task_filter = task_filter
        self.resent = RecentIds()
        self.unique_calls = UniqueCalls(tracking)
        self._spans = SendSpans(tracking, task_filter.find)
        self._parents = RecentIds()  # with their runs, of chords that this process sends
        self.reader = MessageReader(task_filter.find, functools.partial(priority_of, self.app))

    @never_raises
    def on_publish(
        self,
        sender: str,
        body: Any = None,
        headers: dict[str, Any] | None = None,
        properties: dict[str, Any] | None = None,
        routing_key: str = "",
        declare: list[Any] | None = None,
        **_: Any,
    ) -> None:
        """before_task_publish: record the job, its parents, what its chain holds.

        Before, not after: a worker may report first otherwise. The answer is read after the message is sent, so that
        the two travel at the same time. A task that sends itself again under its own id (retry, replace) is
        no new job.
        """
        publication = _publication.get()
        if publication is None or publication.signals is not self:
            return
        if not headers or not headers.get("id"):  # protocol 1 has no headers
            return
        if being_sent.get() is not None:
            headers[SENT_HEADER] = 0
            return
        task_id, at_ms, current = headers["id"], now_ms(), publication.current
        job_id, run = job_and_run_of(task_id)
        queue = declare[0].name if declare else queue_of(routing_key)
        if current is not None and (current.id, current.run) == (job_id, run):
            self._send_again(current, headers, queue)
            publication.span = self._spans.again(sender, body, headers, queue, current)
            return
        if headers.get("retries"):  # by the main process, for a child that was lost
            self.resent.add(task_id)
            publication.span = self._spans.again(sender, body, headers, queue, None)
            return
        goes_on = current is not None and current.next_is_recorded and _is_next(get_current_task(), task_id, body)
        sent = at_ms
        if current is not None and isinstance(current.sent, int) and is_body_of(get_current_task(), task_id):
            sent = current.sent  # where its message is delivered again, Celery sends the body again: no new run
        labels = publication.labels
        is_own_run = sent == 0 or headers.get("replaced_task_nesting")  # of the run that goes on, or of ours
        read = functools.partial(
            self.reader.jobs,
            *(sender, headers, properties or {}, queue, body, sent or at_ms),
            options=publication.options,
            labels=labels,
            published=not is_own_run,
            chained_anew=current is not None and current.reused,
        )
        jobs = read(goes_on=goes_on)
        if jobs:
            publication.whole = read if goes_on else None
            jobs = self._set_apart(jobs)
            headers[SENT_HEADER] = sent
            if labels.name and jobs[0].fields.get("name") == labels.name:  # else it names the parent
                headers[NAME_HEADER] = labels.name
            if entry := due_entry.get():
                jobs[0] = dataclasses.replace(jobs[0], data={**jobs[0].data, "schedule": entry})
            if publication.claim and jobs[0].id == publication.claim.task_id:
                jobs[0] = dataclasses.replace(jobs[0], fields={**jobs[0].fields, "unique": publication.claim.field})
            publication.span, jobs = self._spans.begin(sender, jobs, headers, queue, current)
            publication.jobs = jobs
            publication.outcomes = self.tracking.reporter.begin_create(
                jobs if len(jobs) == 1 else self._without_repetition(jobs),
                Report(Notice.PUBLISHED, job_id, jobs=jobs, at_ms=at_ms),
            )
        if current is not None and not goes_on:
            self._note_replacement(current, body)

    def _send_again(self, current: CurrentJob, headers: dict[str, Any], queue: str) -> None:
        """A task sends itself again: its message gets the headers that Celery does not hand on."""
        if isinstance(current.sent, int):
            headers[SENT_HEADER] = current.sent
        headers.update(as_headers(current.labels))
        if not headers.get("retries"):
            self._replaced(current, {"replaced": "1", "actual_queue": queue})
        current.resent = True

    @never_raises
    def mask_arguments(self, name: str, args: Any, kwargs: Any, options: dict[str, Any]) -> None:
        """Mask what Celery shows of a message's arguments, unless the call sets it.

        It puts that into the message's headers (celery/app/amqp.py, as_task_v2), from which workers log it and
        send it in their events. `inspect active` and `result_extended` show the arguments themselves.
        """
        known = self.task_filter.find(name, kwargs)
        if known is None or not known.arguments.masks_any:
            return
        masked_args = known.arguments.mask_arguments(args or (), kwargs or {})
        if masked_args.hidden:
            options["argsrepr"] = options.get("argsrepr") or masked_args.args_repr
            options["kwargsrepr"] = options.get("kwargsrepr") or masked_args.kwargs_repr

    @never_raises
    def add_labels(self, publication: Publication) -> None:
        """Put the tags of a call, and its own name, into the headers of its message.

        The worker reads them there. Bad values are dropped first: with one, Celery could not make the message.
        """
        around, given = publication.labels, publication.options.get("headers")
        if not around.tags and not (given and any(name in given for name in HEADERS)):
            return
        given = given or {}
        own = labels_in(given)
        labels = Labels(own.name, joined(around.tags, own.tags))
        publication.options["headers"] = {**without_labels(given), **as_headers(labels)}

    def note_sent(self, publication: Publication, error: BaseException | None) -> None:
        """Note what became of a message: it was sent, or it failed with an error."""
        self._note_created(publication)
        failure = error if isinstance(error, Exception) else None
        if failure is not None:
            self._report_failure(publication, failure)
        if publication.span is not None:
            end_span(publication.span, failure)
        if failure is not None and publication.claim is not None:
            self.unique_calls.let_go(publication.claim)

    @never_raises
    def _note_created(self, publication: Publication) -> None:
        outcomes, publication.outcomes = publication.outcomes, None
        if outcomes is not None and (known := outcomes()) is not None:
            if Outcome.MISSING in known:  # the store has lost a parent
                known = self.tracking.store.create(*publication.jobs)
            if publication.whole is not None and {*known} != {Outcome.DUPLICATE}:
                known = self._with_rest(publication, publication.whole(), known)
            self.tracking.applier.begin_anew(publication.jobs, publication.note(known))

    def _with_rest(self, publication: Publication, whole: list[NewJob], known: list[Outcome]) -> list[Outcome]:
        """Record all jobs that a chain still holds: the chain is sent again, or the store has lost some of them.

        Args:
            publication: Of the message. Its `jobs` become all of these jobs.
            whole: All of these jobs, the message's own first.
            known: The outcomes of the jobs that `publication` has, in their order.

        Returns:
            The outcome of each of these jobs: where it was known before, that one.
        """
        own, *others = publication.jobs
        first = dict(zip((job.id for job in publication.jobs), known, strict=True))
        chain = {name: text for name, text in whole[0].data.items() if name == "chain"}
        jobs = [dataclasses.replace(own, data={**own.data, **chain}), *whole[1:]]
        if traceparent := next((job.fields.get(HEADER) for job in others), None):
            jobs[1:] = [dataclasses.replace(job, fields={**job.fields, HEADER: traceparent}) for job in jobs[1:]]
        publication.jobs = jobs = self._set_apart(jobs)
        report = Report(Notice.PUBLISHED, own.id, jobs=jobs, at_ms=now_ms())
        outcomes = self.tracking.reporter.report(report) or [Outcome.DUPLICATE] * len(jobs)
        return [first.get(job.id, outcome) for job, outcome in zip(jobs, outcomes, strict=True)]

    def _set_apart(self, jobs: list[NewJob]) -> list[NewJob]:
        """Jobs whose large arguments are in the object store, if there is one."""
        large_values = self.tracking.large_values
        if large_values.objects is None:
            return jobs
        found = [(job, large_values.set_apart(job.id, job.data)) for job in jobs]
        return [
            job if data is job.data else dataclasses.replace(job, fields={**job.fields, **large_in(data)}, data=data)
            for job, data in found
        ]

    def _without_repetition(self, jobs: list[NewJob]) -> list[NewJob]:
        """The jobs of a message; a parent that the message before had too only gets one more sub-job."""
        new = [jobs[0]]
        for job in jobs[1:]:
            is_known = self._parents.discard(task_id := f"{job.id} {job.fields['run']}")
            new.append(dataclasses.replace(job, fields={}, data={}) if is_known else job)
            if job.subs:
                self._parents.add(task_id)
        return new

    @never_raises
    def _report_failure(self, publication: Publication, error: Exception) -> None:
        if not publication.jobs:
            return
        job = publication.jobs[0]
        self.tracking.reporter.report(
            Report(
                Notice.NOT_PUBLISHED,
                job.id,
                run=int(job.fields["run"]),
                fields={
                    "reason": as_reason(f"it could not be sent: {error}"),
                    **fingerprint(type_name(error), str(error)).fields,
                },
                data={"error": dumps({"type": type(error).__name__, "message": str(error)[:2000]})},
                at_ms=now_ms(),
                jobs=publication.jobs,
                created=publication.created,
                sent=job.fields["queued"],
            )
        )

    def _note_replacement(self, current: CurrentJob, body: Any) -> None:
        """Report that a group, chord or chain replaces a task: its last task has the same id."""
        if task_id_of(current.id, current.run) in self.reader.task_ids_ahead(body):
            self._replaced(current, {"replaced": "1"})

    def _replaced(self, current: CurrentJob, fields: dict[str, str | int]) -> None:
        if not current.resent:
            current.resent = True
            self.tracking.reporter.report(
                Report(
                    Event.REPLACE,
                    current.id,
                    run=current.run,
                    execution=current.execution,
                    fields=fields,
                    at_ms=now_ms(),
                    sent=current.sent,
                )
            )


def _labels_around(current: CurrentJob | None) -> Labels:
    """The labels of a call: those of the blocks around it, and the tags of the job whose task makes it."""
    here = labels_here()
    return here if current is None else Labels(here.name, joined(current.labels.tags, here.tags))


def _is_next(current: Any, task_id: str, body: Any) -> bool:
    """Whether a message is the next one of the chain of the task that runs here.

    Its request holds what is left of that. Before 5.7, Celery has taken the next one off that list by now
    (celery/app/trace.py).
    """
    left = current.request.chain
    return bool(left) and (left[-1]["options"].get("task_id") == task_id or left == body[2].get("chain"))
