"""Spans of messages and tasks, by OpenTelemetry's conventions for messaging systems.

Their names are those of OpenTelemetry 1.44 (messaging spans) and, for what those have no name for, those of
OpenTelemetry's own instrumentation of Celery, or our own (`jobtracker.…`).
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from opentelemetry import context as contexts
from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TracerProvider,
    get_current_span,
    set_span_in_context,
)

from jobtracker.core.fingerprint import type_name
from jobtracker.core.job import job_and_run_of
from jobtracker.core.traceparent import read
from jobtracker.core.version import package_version

_SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

_CAUSE = contexts.create_key("jobtracker.cause")
"""In a context: the span that was current where another trace was gone on with."""


class Message(NamedTuple):
    """A task's message, as its spans describe it."""

    system: str
    """The broker: `redis` or `rabbitmq`, or what kombu calls another one."""
    queue: str
    task: str
    task_id: str
    job_type: str | None
    """None where the process that sends it does not know it."""
    root: str
    """The job at the top of all that this one belongs to."""

    def attributes(self, operation: str) -> dict[str, str | int]:
        """The attributes of a span about it."""
        job_id, run = job_and_run_of(self.task_id)
        found: dict[str, str | int] = {
            "messaging.system": self.system,
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
            "messaging.destination.name": self.queue,
            "messaging.message.id": self.task_id,
            "messaging.message.conversation_id": self.root,
            "celery.task_name": self.task,
            "jobtracker.job.id": job_id,
            "jobtracker.job.run": run,
        }
        if self.job_type is not None:
            found["jobtracker.job.type"] = self.job_type
        return found


class _OfRequest(Getter[Any]):
    """Reads headers of a message from the request that Celery makes of it."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        text = carrier.get(key)
        return [text] if isinstance(text, str) else None

    def keys(self, carrier: Any) -> list[str]:
        return list(vars(carrier))


_OF_REQUEST = _OfRequest()


class Spans:
    """Makes the spans of this process.

    Args:
        provider: Of the SDK that is configured here.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("jobtracker", package_version(), _SCHEMA_URL)

    @property
    def are_made_elsewhere(self) -> bool:
        """Whether OpenTelemetry's own instrumentation of Celery makes spans here: then there are none of ours."""
        module = sys.modules.get("opentelemetry.instrumentation.celery")
        return module is not None and bool(module.CeleryInstrumentor().is_instrumented_by_opentelemetry)

    def start_send(self, message: Message, headers: dict[str, Any], parent: str | None = None) -> Span | None:
        """Begin the span of a message that is about to be sent. Its headers get the context of it.

        Args:
            message: The message.
            headers: Its headers.
            parent: The `traceparent` of the span that caused it; default: the one that is current.

        Returns:
            The span, to be ended; None where another instrumentation makes it.
        """
        if self.are_made_elsewhere:
            return None
        context = _context_of(parent)
        cause = contexts.get_value(_CAUSE)
        span = self._tracer.start_span(
            f"send {message.queue}",
            context,
            SpanKind.PRODUCER,
            attributes=message.attributes("send"),
            links=[Link(cause)] if isinstance(cause, SpanContext) else None,
        )
        propagate.inject(headers, set_span_in_context(span, context))
        return span

    def start_process(self, message: Message, request: Any, attempt: int) -> "Execution":
        """Begin the span of a task that is about to run, and make it current.

        Args:
            message: The task's message.
            request: The request of it, which has the message's headers.
            attempt: Celery's count of retries.
        """
        if self.are_made_elsewhere:
            # It may have begun its span already or begin it yet: Celery calls handlers in the order of their coming.
            return Execution(get_current_span(), None, message, attempt, request.get("traceparent"))
        context = propagate.extract(request, getter=_OF_REQUEST)
        span = self._tracer.start_span(
            f"process {message.queue}", context, SpanKind.CONSUMER, attributes=_of_execution(message, attempt)
        )
        return Execution(span, contexts.attach(set_span_in_context(span, context)), message, attempt)


class Execution:
    """The span of an execution, which is current while its task runs.

    Args:
        span: The span; where another instrumentation makes it, the one that was current at the start.
        token: Gives the context before it back; None where another instrumentation makes the span.
        message: The task's message.
        attempt: Celery's count of retries.
        parent: Where another instrumentation makes the span: the `traceparent` that the message has.

    Attributes:
        root: The job at the top of all that its job belongs to.
        traceparent: Of the span, for the record of its job; None where it is not recorded.
    """

    __slots__ = ("_adopts", "_span", "_token", "root", "traceparent")

    def __init__(self, span: Span, token: Any, message: Message, attempt: int, parent: str | None = None) -> None:
        self.root = message.root
        self._span = span
        self._token = token
        self._adopts = (message, attempt) if token is None else None
        self.traceparent = traceparent_of(span) if span.is_recording() else None
        if token is None and self.traceparent is None and (named := read(parent)) and named.is_sampled:
            self.traceparent = parent

    def adopt(self) -> None:
        """Describe the span of the other instrumentation, if that makes it: it is current when the task begins."""
        if self._adopts is not None:
            self._span = get_current_span()
            self._span.set_attributes(_of_execution(*self._adopts))

    @property
    def is_recorded(self) -> bool:
        """Whether it is sampled."""
        return self.traceparent is not None

    def link(self, traceparents: Iterable[str | None]) -> None:
        """Refer to the spans of other jobs, whose results its task takes."""
        for text in traceparents:
            if (other := _span_context_of(text)) is not None:
                self._span.add_link(other)

    def end(
        self,
        state: str | None,
        error: str | None = None,
        description: str | None = None,
        *,
        refused: str | None = None,
    ) -> None:
        """End it; the context before it is current again.

        Args:
            state: Celery's state at the end; None: the task was broken off.
            error: What kind of error ended it.
            description: A sentence about that.
            refused: Why its task was not to begin.
        """
        try:
            self._end(state, error, description, refused)
        finally:
            if self._token is not None:
                contexts.detach(self._token)

    def _end(self, state: str | None, error: str | None, description: str | None, refused: str | None) -> None:
        span = self._span
        if span.is_recording():
            for name, text in (("celery.state", state), ("error.type", error), ("jobtracker.refused", refused)):
                if text is not None:
                    span.set_attribute(name, text)
            if error is not None:
                span.set_status(StatusCode.ERROR, description)
        if self._token is not None:
            span.end()


def end_send(span: Span | None, error: BaseException | None = None) -> None:
    """End the span of a message, if there is one.

    Args:
        span: The span.
        error: Why the message could not be sent.
    """
    if span is not None and span.is_recording():  # it has not ended
        if error is not None:
            span.set_attribute("error.type", type_name(error))
            span.set_status(StatusCode.ERROR, str(error))
        span.end()


@contextmanager
def continuing(traceparent: str) -> Iterator[None]:
    """As `active.continued`, where OpenTelemetry is there."""
    other, here = _span_context_of(traceparent), get_current_span().get_span_context()
    if other is None or other.trace_id == here.trace_id:
        yield
        return
    context = set_span_in_context(NonRecordingSpan(other))
    token = contexts.attach(contexts.set_value(_CAUSE, here, context) if here.is_valid else context)
    try:
        yield
    finally:
        contexts.detach(token)


def traceparent_of(span: Span) -> str | None:
    """The `traceparent` of a span; None where it is none."""
    context = span.get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _of_execution(message: Message, attempt: int) -> Mapping[str, str | int]:
    return message.attributes("process") | {"jobtracker.job.attempt": attempt}


def _span_context_of(text: str | None) -> SpanContext | None:
    named = read(text)
    if named is None:
        return None
    return SpanContext(int(named.trace_id, 16), int(named.span_id, 16), True, TraceFlags(named.flags))


def _context_of(traceparent: str | None) -> Context:
    """A context in which a span is current; that of the caller where there is none."""
    parent = _span_context_of(traceparent)
    return contexts.get_current() if parent is None else set_span_in_context(NonRecordingSpan(parent))
