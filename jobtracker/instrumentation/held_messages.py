"""The messages that a worker holds: those that its main process has received and not finished.

Celery's inspect shows a part of that: a request that waits for its rate limit is in none of Celery's own sets
(celery/worker/consumer/consumer.py, _limit_task), nor is one that a pool still has after the connection to the broker
was lost (on_close). So the requests of tracked tasks register themselves here, and remote control commands answer for
them.
"""

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from celery.worker import state
from celery.worker.control import Panel, inspect_command
from celery.worker.request import Request

from jobtracker.schemas.drains import UNFINISHED_COMMAND, Unfinished
from jobtracker.schemas.workers import HOLDS_COMMAND, Holding

MARK = "__jobtracker_tracks__"
"""An attribute of our request classes."""

RATE_LIMITED = "rate_limited"
RECEIVED = "received"

_REMEMBERED = 10_000
"""So many acknowledged messages a worker remembers: about a megabyte."""

_USUAL_STRATEGY = "celery.worker.strategy:default"
"""Another strategy, as that of celery-batches, makes requests of its own."""

_FEW = 1000
"""So many references to requests that are gone are kept before they are removed."""

_ORDER = ("active", RATE_LIMITED, "reserved", "scheduled", RECEIVED)
"""Of two messages with one id the first of these counts."""


class HeldMessages:
    """The unfinished requests of a worker's main process, and the ids of those that it finished recently."""

    def __init__(self) -> None:
        # No WeakSet: it would be the most expensive part of receiving a message.
        self._requests: list[weakref.ref[Request]] = []
        self._most = _FEW
        self._ended: deque[tuple[str, int]] = deque(maxlen=_REMEMBERED)

    def add(self, request: Request) -> None:
        """Note a request that was received; by the thread that receives all of them."""
        self._requests.append(weakref.ref(request))
        if len(self._requests) > self._most:
            self._requests = [each for each in self._requests if each() is not None]
            self._most = 2 * len(self._requests) + _FEW

    def end(self, request: Request) -> None:
        """Note that a request's message is acknowledged: its task has begun, or will not. From any thread."""
        self._ended.append((request.id, request.request_dict.get("retries") or 0))

    def answer(self, lease: str, consumer: Any, task_ids: Iterable[str]) -> Holding:
        """What this worker says of tasks.

        Args:
            lease: Its incarnation.
            consumer: Celery's consumer.
            task_ids: The tasks.
        """
        wanted = set(task_ids)
        limited = {id(request) for request in _rate_limited(consumer)}
        held: dict[str, str] = {}
        for each in self._requests:
            request = each()
            if request is not None and request.id in wanted and (where := _where(request, limited)):
                held[request.id] = min(where, held.get(request.id, where), key=_ORDER.index)
        ended = {task_id: retries for task_id, retries in [*self._ended] if task_id in wanted and task_id not in held}
        return Holding(lease=lease, held=held, ended=ended, opaque=opaque_tasks(consumer))

    def unfinished(self, consumer: Any) -> list[tuple[Request, str]]:
        """All requests that this worker has received and not finished, and where each is; of untracked tasks too."""
        limited = [*_rate_limited(consumer)]
        known = [each for reference in self._requests if (each := reference()) is not None]
        told = [*state.active_requests, *limited, *state.reserved_requests, *state.scheduled_requests]
        own, is_limited = {id(request): request for request in [*told, *known]}, {*map(id, limited)}
        places = ((request, _where(request, is_limited)) for request in own.values())
        return [(request, where) for request, where in places if where]


def opaque_tasks(consumer: Any) -> list[str]:
    """Names of the tasks about whose messages a worker can't say everything."""
    return sorted(name for name, task in consumer.app.tasks.items() if not _is_seen(task))


def _rate_limited(consumer: Any) -> Iterator[Request]:
    for bucket in consumer.task_buckets.values():
        if bucket:
            yield from (entry[0] for entry in [*bucket.contents])


def _where(request: Request, limited: set[int]) -> str | None:
    """Where a request is; None where it is finished, though something keeps it."""
    if request in state.active_requests:
        return "active"
    if request.acknowledged:
        return None
    if id(request) in limited:
        return RATE_LIMITED
    if request in state.reserved_requests:
        return "reserved"
    return "scheduled" if request in state.scheduled_requests else RECEIVED


def _is_seen(task: Any) -> bool:
    return hasattr(task.Request, MARK) and task.Strategy == _USUAL_STRATEGY


_COMMANDS = (HOLDS_COMMAND, UNFINISHED_COMMAND)


def register(holding: Callable[..., Holding], unfinished: Callable[[Any], Unfinished]) -> None:
    """Give the workers of this process the commands.

    Args:
        holding: Gets the state of Celery's panel, and task ids.
        unfinished: Gets the state of Celery's panel.
    """

    def jobtracker_holds(state: Any, task_ids: Iterable[str] = (), **_: Any) -> dict[str, Any]:
        """Say which of some tasks this worker has received and not finished."""
        return holding(state, task_ids).model_dump()

    def jobtracker_unfinished(state: Any, **_: Any) -> dict[str, Any]:
        """Say all that this worker has received and not finished, and which reports wait in it."""
        return unfinished(state).model_dump()

    for name, answer in zip(_COMMANDS, (jobtracker_holds, jobtracker_unfinished), strict=True):
        inspect_command(name=name, visible=False)(answer)


def unregister() -> None:
    """Take them back."""
    for name in _COMMANDS:
        Panel.data.pop(name, None)
        Panel.meta.pop(name, None)
