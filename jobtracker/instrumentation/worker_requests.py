"""Requests of a worker's main process. They report events for which Celery has no signal."""

from collections.abc import Callable
from typing import Any

from celery.worker.request import Request
from kombu.utils.imports import symbol_by_name

from jobtracker.broker.process_exit import end_of_process, error_of_task
from jobtracker.instrumentation.held_messages import MARK, HeldMessages


def tracked_request(
    base: type[Request] | str,
    on_requeue: Callable[[Request, str], None],
    on_failure_not_stored: Callable[[Request, BaseException | None, Exception], None],
    mask: Callable[[Request, str], str],
    holds: HeldMessages,
) -> type[Request]:
    """A request class that notes what its worker holds, and reports what becomes of a task whose process was lost.

    Celery has no signal for the latter:

    * With `reject_on_worker_lost` the message goes back to the queue (celery/worker/request.py, on_failure). That is
      reported before the message goes: another worker may begin the task at once.
    * While the result backend is away Celery breaks off before it sends its signal, with the message acknowledged.

    Events about an error, which Flower shows, get no masked arguments. A task class has its request class in
    `Request`.

    Args:
        base: The class that the task has now, or its name.
        on_requeue: Called with the request and what ended the process.
        on_failure_not_stored: Called with the request, what its task ended by, and what Celery broke off by.
        mask: Called with the request and a text; returns the text without the values of its masked arguments.
        holds: Where each request notes that it was received, and acknowledged.
    """
    known: type[Request] = symbol_by_name(base)
    if hasattr(known, MARK):
        return known

    received: Any = known.__init__  # looked up once, for it is called for every message
    acknowledge: Any = known.acknowledge
    note, end = holds.add, holds.end

    class TrackedRequest(known):  # type: ignore[misc] # Celery has no types
        lost_by: str | None = None

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            received(self, *args, **kwargs)
            note(self)

        def acknowledge(self) -> None:
            acknowledge(self)
            end(self)

        def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
            self.lost_by = end_of_process(exc_info.exception)
            try:
                return super().on_failure(exc_info, send_failed_event, return_ok)
            except Exception as error:
                on_failure_not_stored(self, error_of_task(exc_info.exception), error)
                raise
            finally:
                self.lost_by = None

        def send_event(self, type: str, **fields: Any) -> None:  # noqa: A002 (Celery's name)
            for name in {"exception", "traceback"} & fields.keys():
                fields[name] = mask(self, str(fields[name]))
            super().send_event(type, **fields)

        def reject(self, requeue: bool = False) -> None:
            if requeue and self.lost_by is not None:
                on_requeue(self, self.lost_by)
            super().reject(requeue)
            if not requeue:
                end(self)

    setattr(TrackedRequest, MARK, True)
    return TrackedRequest
