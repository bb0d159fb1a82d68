"""What a dispatcher is sending: the tasks that it has published so far, and the span of the one that it publishes."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from celery import Celery, signals

from jobtracker.broker.config import messaging_system
from jobtracker.broker.headers import ROOT_HEADER
from jobtracker.broker.queues import queue_of
from jobtracker.core.job import job_and_run_of
from jobtracker.core.traceparent import HEADER
from jobtracker.tracing.active import active

if TYPE_CHECKING:
    from opentelemetry.trace import Span


class Dispatch:
    """One call of Celery's, for a task or a chord.

    Args:
        app: The app that sends.
        types: The job types of the tasks that it sends, by their ids; only where the process makes traces.

    Attributes:
        sent: Ids of the tasks that were published.
    """

    def __init__(self, app: Celery, types: Mapping[str, str]) -> None:
        self.sent: list[str] = []
        self._app = app
        self._types = types
        self._span: Span | None = None

    def begin_span(self, task: str, headers: dict[str, Any], queue: str) -> None:
        """Begin the span of a message that is about to be published."""
        spans, job_type = active(), self._types.get(headers["id"])
        if spans is None or job_type is None:
            return
        from jobtracker.tracing.spans import Message

        root = headers.get(ROOT_HEADER) or job_and_run_of(headers["id"])[0]
        message = Message(messaging_system(self._app), queue, task, headers["id"], job_type, root)
        self._span = spans.start_send(message, headers, headers.get(HEADER))

    def end_span(self, error: BaseException | None = None) -> None:
        """End the span that has begun, if there is one."""
        span, self._span = self._span, None
        if span is not None:
            from jobtracker.tracing.spans import end_send

            end_send(span, error)


being_sent: ContextVar[Dispatch | None] = ContextVar("jobtracker_being_sent", default=None)
"""The call that is under way, while a dispatcher sends. What it sends is recorded already."""


def _before(
    sender: str = "",
    headers: dict[str, Any] | None = None,
    routing_key: str = "",
    declare: list[Any] | None = None,
    **_: Any,
) -> None:
    dispatch = being_sent.get()
    if dispatch is not None and headers:
        dispatch.begin_span(sender, headers, declare[0].name if declare else queue_of(routing_key))


def _after(headers: dict[str, Any] | None = None, **_: Any) -> None:
    dispatch = being_sent.get()
    if dispatch is not None and headers:
        dispatch.sent.append(headers["id"])
        dispatch.end_span()


signals.after_task_publish.connect(_after, weak=False, dispatch_uid="jobtracker:sent")


def listen_before() -> None:
    """Hear of what is about to be published: only where the process makes traces."""
    signals.before_task_publish.connect(_before, weak=False, dispatch_uid="jobtracker:sending")
