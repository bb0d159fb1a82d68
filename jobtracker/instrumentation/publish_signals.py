"""Celery's signals of publishing → the record of a job."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from celery import Celery
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


@dataclass
class Publication:
    """The sending of one message by an app.

    Attributes:
        app: The app that sends it. Celery's signal does not say which.
        options: The options of the call.
        jobs: The jobs of the message, its own first.
        outcomes: Returns the outcomes of recording them, or None if that has to wait; None after it was called.
        created: Ids of the jobs that were recorded because of it.
        claim: What became of its claim to a unique key.
        span: Its span, where the process makes traces.
    """

    app: Celery
    options: dict[str, Any] = field(default_factory=dict)
    jobs: list[NewJob] = field(default_factory=list)
    outcomes: Callable[[], list[Outcome] | None] | None = None
    created: list[str] = field(default_factory=list)
    claim: Claim | None = None
    span: "Span | None" = None

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
        if publication is None or publication.app is not self.app:
            return
        if not headers or not headers.get("id"):  # protocol 1 has no headers
            return
        if being_sent.get() is not None:
            headers[SENT_HEADER] = 0
            return
        task_id, at_ms = headers["id"], now_ms()
        job_id, run = job_and_run_of(task_id)
        queue = declare[0].name if declare else queue_of(routing_key)
        current = job_of(get_current_task())
        if current is not None and (current.id, current.run) == (job_id, run):
            self._send_again(current, headers, queue)
            publication.span = self._spans.again(sender, body, headers, queue, current)
            return
        if headers.get("retries"):  # by the main process, for a child that was lost
            self.resent.add(task_id)
            publication.span = self._spans.again(sender, body, headers, queue, None)
            return
        goes_on = current is not None and _is_next(get_current_task(), body)
        sent = at_ms
        if current is not None and isinstance(current.sent, int) and is_body_of(get_current_task(), task_id):
            sent = current.sent  # where its message is delivered again, Celery sends the body again: no new run
        labels = _labels_around(current)
        jobs = self.reader.jobs(
            *(sender, headers, properties or {}, queue, body, sent or at_ms),
            options=publication.options,
            labels=labels,
            goes_on=goes_on,
        )
        if jobs:
            jobs = [self._set_apart(job) for job in jobs]
            headers[SENT_HEADER] = sent
            if labels.name and jobs[0].fields.get("name") == labels.name:  # else it names the parent
                headers[NAME_HEADER] = labels.name
            if entry := due_entry.get():
                jobs[0] = dataclasses.replace(jobs[0], data={**jobs[0].data, "schedule": entry})
            if publication.claim and jobs[0].id == publication.claim.task_id:
                jobs[0] = dataclasses.replace(jobs[0], fields={**jobs[0].fields, "unique": publication.claim.field})
            chained_anew = current is not None and current.reused
            is_own_run = sent == 0 or headers.get("replaced_task_nesting")  # of the run that goes on, or of ours
            jobs[0] = dataclasses.replace(jobs[0], published=not is_own_run, chained_anew=chained_anew)
            publication.span, publication.jobs = self._spans.begin(sender, jobs, headers, queue, current)
            publication.outcomes = self.tracking.reporter.begin_create(
                self._without_repetition(publication.jobs),
                Report(Notice.PUBLISHED, jobs[0].id, jobs=publication.jobs, at_ms=at_ms),
            )
        if current is not None and task_id_of(current.id, current.run) in self.reader.task_ids_ahead(body):
            self._replaced(current, {"replaced": "1"})  # by a group, chord or chain whose end bears the task's own id

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
    def add_labels(self, options: dict[str, Any]) -> None:
        """Put the tags of a call, and its own name, into the headers of its message.

        The worker reads them there. Bad values are dropped first: with one, Celery could not make the message.
        """
        given = options.get("headers") or {}
        around = _labels_around(job_of(get_current_task()))
        if being_sent.get() is not None or not (around.tags or any(name in given for name in HEADERS)):
            return
        own = labels_in(given)
        labels = Labels(own.name, joined(around.tags, own.tags))
        options["headers"] = {**without_labels(given), **as_headers(labels)}

    @contextmanager
    def sending(self, options: dict[str, Any], claim: Claim | None = None) -> Iterator[None]:
        """Around Celery's sending of one message: where it fails, what `on_publish` recorded is taken back.

        Args:
            options: With which the task is called.
            claim: To its unique key, if it has one.
        """
        publication = Publication(self.app, options, claim=claim)
        token = _publication.set(publication)
        try:
            yield
        except Exception as error:
            self._note_created(publication)
            self._report_failure(publication, error)
            end_span(publication.span, error)
            if claim is not None:
                self.unique_calls.let_go(claim)
            raise
        finally:
            self._note_created(publication)
            end_span(publication.span)
            _publication.reset(token)

    @never_raises
    def _note_created(self, publication: Publication) -> None:
        outcomes, publication.outcomes = publication.outcomes, None
        if outcomes is not None and (known := outcomes()) is not None:
            if Outcome.MISSING in known:  # the store has lost a parent
                known = self.tracking.store.create(*publication.jobs)
            self.tracking.applier.begin_anew(publication.jobs, publication.note(known))

    def _set_apart(self, job: NewJob) -> NewJob:
        """A job whose large arguments are in the object store."""
        data = self.tracking.large_values.set_apart(job.id, job.data)
        if data is job.data:
            return job
        return dataclasses.replace(job, fields={**job.fields, **large_in(data)}, data=data)

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


def _is_next(current: Any, body: Any) -> bool:
    """Whether a message is sent for the chain of the task that runs here, whose request holds what is left of it."""
    left = body[2].get("chain")
    return bool(left) and left == current.request.chain
