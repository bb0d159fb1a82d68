"""Spans of what Celery code sends, and of the tasks that run here: what they say, and what caused each."""

import logging
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from celery import Task, states
from celery._state import get_current_task

from jobtracker.broker.config import messaging_system
from jobtracker.broker.headers import JOINS_HEADER, ROOT_HEADER
from jobtracker.broker.queues import queue_of
from jobtracker.core.fingerprint import type_name
from jobtracker.core.job import job_and_run_of
from jobtracker.core.traceparent import HEADER, read
from jobtracker.instrumentation.current_job import CurrentJob, secrets_of
from jobtracker.instrumentation.failure_text import sentence_of
from jobtracker.instrumentation.message_parser import TrackedTask, is_body_of
from jobtracker.instrumentation.signal_handlers import never_raises
from jobtracker.runtime import Tracking
from jobtracker.store.changes import NewJob
from jobtracker.store.schema import JobRecord
from jobtracker.tracing.active import active
from jobtracker.tracing.active import current as current_traceparent

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from jobtracker.tracing.spans import Spans

logger = logging.getLogger(__name__)

_MOST_LINKS = 1000
"""To so many sub-jobs a parent's span refers at most. By default the SDK keeps 128 links of a span."""

_MOST_CHORDS = 1000
"""Of so many chords a process remembers in which trace it sends them."""


class SendSpans:
    """Spans of what one app's own code sends.

    Args:
        tracking: Has the traces of jobs that were recorded before.
        find: Finds as what a task is tracked, by its name and keyword arguments.
    """

    def __init__(self, tracking: Tracking, find: Callable[[str, Any], TrackedTask | None]) -> None:
        self._tracking = tracking
        self._find = find
        self._of_chords: OrderedDict[str, str] = OrderedDict()

    def begin(
        self, task: str, jobs: list[NewJob], headers: dict[str, Any], queue: str, current: CurrentJob | None
    ) -> tuple["Span | None", list[NewJob]]:
        """Begin the span of a message of a new job, or of a new run; returns it, and the jobs in their trace.

        Args:
            task: The name of the task.
            jobs: The jobs of the message, its own first.
            headers: Of the message; they get the trace too.
            queue: Where it goes.
            current: The job whose task sends it.
        """
        if (spans := active()) is None:
            return None, _handed_on(jobs, headers) if current is not None or HEADER in headers else jobs
        try:
            return self._begin(spans, task, jobs, headers, queue, current)
        except Exception as error:  # noqa: BLE001 (the job is recorded all the same)
            logger.warning("jobtracker: no span of task %s: %s: %s", headers["id"], type(error).__name__, error)
            return None, jobs

    def _begin(
        self,
        spans: "Spans",
        task: str,
        jobs: list[NewJob],
        headers: dict[str, Any],
        queue: str,
        current: CurrentJob | None,
    ) -> tuple["Span | None", list[NewJob]]:
        own = jobs[0]
        top = next((job.id for job in reversed(jobs) if job.subs and "parent" not in job.fields), None)
        if current is not None and current.trace is not None:
            root = current.trace.root
        else:
            root = top or job_and_run_of(headers.get("root_id") or headers["id"])[0]
        headers[ROOT_HEADER] = root
        parent = headers.get(HEADER)
        if current is not None and is_body_of(get_current_task(), headers["id"]):
            headers[JOINS_HEADER] = 1
            parent = parent or self._stored(own.id)  # the job that sends it is not what caused it
        around = parent
        if not parent and (top or len(jobs) > 1):
            around = current_traceparent()
            if around is None and top:
                around = parent = self._of_chords.get(top)
        span = self._start(spans, task, str(own.fields["type"]), headers, queue, parent)
        sent = headers.get(HEADER) or around or current_traceparent()
        if around is None and top and sent:
            self._of_chords[top] = sent
            if len(self._of_chords) > _MOST_CHORDS:
                self._of_chords.popitem(last=False)
        others = around or sent
        return span, [_in_trace(own, sent), *(_in_trace(job, others) for job in jobs[1:])]

    def again(
        self, task: str, body: Any, headers: dict[str, Any], queue: str, current: CurrentJob | None
    ) -> "Span | None":
        """Begin the span of a message that is sent again under its own id: by its task, or for a child that was lost.

        Args:
            task: The name of the task.
            body: Of the message.
            headers: Of the message; they get the trace too.
            queue: Where it goes.
            current: Its job, if its task sends it.
        """
        if (spans := active()) is None:
            # The main process of a worker has no SDK, mostly, and sends for its children.
            if current is None and HEADER not in headers and (stored := self._stored(_job_of(headers))):
                headers[HEADER] = stored
            elif current is not None:
                _handed_on([], headers)
            return None
        if (known := self._find(task, body[1])) is None:
            return None
        parent = None
        if current is None:
            parent = headers.get(HEADER) or self._stored(_job_of(headers))
        elif current.trace is not None:
            headers[ROOT_HEADER] = current.trace.root
        return self._start(spans, task, known.job_type, headers, queue, parent)

    def _start(
        self, spans: "Spans", task: str, job_type: str, headers: dict[str, Any], queue: str, parent: str | None
    ) -> "Span | None":
        from jobtracker.tracing.spans import Message

        root = headers.get(ROOT_HEADER) or job_and_run_of(headers.get("root_id") or headers["id"])[0]
        system = messaging_system(self._tracking.app)
        return spans.start_send(Message(system, queue, task, headers["id"], job_type, root), headers, parent)

    def _stored(self, job_id: str) -> str | None:
        return self._tracking.reporter.ask(
            lambda: self._tracking.queries.field(job_id, JobRecord.traceparent), otherwise=None
        )


@never_raises
def end_span(span: "Span | None", error: Exception | None = None) -> None:
    """End the span of a message, if there is one that has not ended.

    Args:
        span: The span.
        error: Why the message could not be sent.
    """
    if span is not None:
        from jobtracker.tracing.spans import end_send

        end_send(span, error)


def _job_of(headers: dict[str, Any]) -> str:
    return job_and_run_of(headers["id"])[0]


def _handed_on(jobs: list[NewJob], headers: dict[str, Any]) -> list[NewJob]:
    """The jobs of a message that is sent where no spans are made: in the trace that it, or the task's own, bears."""
    task = get_current_task()
    traceparent = headers.get(HEADER) or (task.request.get(HEADER) if task is not None else None)
    if not isinstance(traceparent, str) or read(traceparent) is None:
        return jobs
    headers[HEADER] = traceparent
    return [_in_trace(job, traceparent) for job in jobs]


def _in_trace(job: NewJob, traceparent: str | None) -> NewJob:
    return replace(job, fields={**job.fields, HEADER: traceparent}) if traceparent else job


@never_raises
def begin_process(
    spans: "Spans", tracking: Tracking, task: Task, request: Any, job: CurrentJob, job_type: str | None
) -> None:
    """Begin the span of a task that is about to run, which its job has from now on.

    Args:
        spans: Makes it.
        tracking: Of the app.
        task: The task.
        request: Its request.
        job: Its job.
        job_type: The type of that.
    """
    from jobtracker.tracing.spans import Message

    delivery = request.delivery_info or {}
    root = request.get(ROOT_HEADER) or job_and_run_of(request.root_id or request.id)[0]
    queue = queue_of(delivery.get("routing_key") or "")
    message = Message(messaging_system(tracking.app), queue, task.name, request.id, job_type, root)
    job.trace = spans.start_process(message, request, job.attempt)


@never_raises
def link_results(tracking: Tracking, request: Any, job: CurrentJob) -> None:
    """Let the span of a parent's task refer to the executions of its sub-jobs, whose results it takes."""
    trace = job.trace
    if trace is None or not trace.is_recorded or not request.get(JOINS_HEADER):
        return
    queries = tracking.queries
    trace.link(
        tracking.reporter.ask(
            lambda: queries.fields(queries.sub_ids(job.id, _MOST_LINKS), JobRecord.traceparent), otherwise=[]
        )
    )


@never_raises
def end_process(job: CurrentJob, state: str | None, result: object) -> None:
    """End the span of a task, as task_postrun says how that ended.

    Args:
        job: Its job.
        state: Celery's state at the end; None: it was broken off.
        result: What it returned or failed with.
    """
    trace = job.trace
    if trace is None:
        return
    job.trace = None
    error = sys.exc_info()[1] if state is None else result if state == states.FAILURE else None
    refused = (job.stopped or job.quarantined) if job.execution is None or job.quarantined else None
    if isinstance(error, BaseException):
        trace.end(state, type_name(error), sentence_of(error, secrets_of(job)), refused=refused)
    elif state in {None, states.FAILURE}:
        trace.end(state, "_OTHER", "its task was broken off", refused=refused)
    else:
        trace.end(state, refused=refused)
