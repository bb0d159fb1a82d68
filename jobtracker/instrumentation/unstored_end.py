"""Finds out how a task's own code ended, if Celery could not store that.

Celery has no signal for it. What is known is the error that Celery breaks off by, and its traceback: the functions
that were running (celery/app/trace.py, trace_task). `mark_as_done` is called after the code returned and what follows
it was sent; `on_error` gets what the code raised, or what could not be sent.
"""

from types import FrameType
from typing import Any, NamedTuple

from celery import states
from celery.exceptions import Reject

_TRACER = "trace_task"


class UnstoredEnd(NamedTuple):
    """How a task's own code has ended.

    Attributes:
        state: Celery's state of that: SUCCESS, FAILURE or RETRY.
        value: What it returned or raised; if it did not begin, the error that kept Celery from beginning it.
        has_begun: Whether it did.
    """

    state: str
    value: Any
    has_begun: bool = True


def unstored_end(error: BaseException, state: str | None) -> UnstoredEnd | None:
    """How the code of a task ended, where Celery could not store that; None where it can't be found out.

    Args:
        error: What Celery breaks off by, as it is when task_postrun comes.
        state: The state that task_postrun gives.
    """
    tracer, frame = _frames(error)
    if tracer is None or frame is None:
        return None
    name, told = frame.f_code.co_name, frame.f_locals
    if name == "on_error" and told.get("state") in {states.FAILURE, states.RETRY}:
        return UnstoredEnd(told["state"], told["exc"])
    # A backend may have another name for `mark_as_done`; Reject is raised by what comes after that.
    is_sent = name == "mark_as_done" or (tracer.f_locals.get("callbacks_sent") and not isinstance(error, Reject))
    if is_sent and state == states.SUCCESS:
        return UnstoredEnd(states.SUCCESS, None)
    if name in {"store_result", "on_task_init"} and state is None and isinstance(error, Exception):
        return UnstoredEnd(states.FAILURE, error, has_begun=False)
    return None


def _frames(error: BaseException) -> tuple[FrameType | None, FrameType | None]:
    """The function that runs a task, and what it was calling when the error came."""
    traceback, tracer = error.__traceback__, None
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code.co_name == _TRACER:
            tracer = frame
        elif tracer is not None:
            return tracer, frame
        traceback = traceback.tb_next
    return tracer, None
