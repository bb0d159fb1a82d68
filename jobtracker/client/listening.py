"""Listening to the stream of events, in flows."""

import time
from collections.abc import Callable, Generator
from typing import Any, TypedDict, Unpack, cast

from jobtracker.client.calls import Call
from jobtracker.client.endpoints import StatusName
from jobtracker.client.errors import ApiError, ApiUnavailableError
from jobtracker.client.event_stream import PING
from jobtracker.client.patience import Patience, pauses
from jobtracker.client.steps import Flow, Found, Listen, NextEvent, Pause, Step
from jobtracker.core.lifecycle import Status
from jobtracker.schemas.events import JobHint, LiveEvent

LISTEN_AFTER_S = 0.5
"""A job that settles before is looked at a few times, which costs less than a stream."""
LISTEN_AGAIN_S = 30.0
"""Seconds until it is tried again, where it did not work."""
SILENCE_S = 12.0
"""A stream that says nothing for so long is lost: the API says something every 5 s."""
_LONGEST_S = 86_400.0
_SHORTEST_S = 0.05


class EventFilters(TypedDict, total=False):
    """Which jobs a stream tells of. A filter that is not given does not apply."""

    job_id: str | None
    tree: str | None
    """A job, and all below it."""
    job_type: str | None
    status: StatusName | None
    """Jobs that come to it, are in it, or leave it."""


def listen(filters: EventFilters, for_s: float, last_event_id: str | None = None) -> Listen:
    """The step that opens a stream, which ends after so many seconds."""
    limit = None if for_s > _LONGEST_S else max(for_s, _SHORTEST_S)
    return Listen(Call("GET", "/api/events", LiveEvent, {**filters, "for_s": limit}), last_event_id)


class Ears:
    """Waits until a job may have changed: by the stream; by pauses where there is none, and at first.

    Args:
        patience: How long.
        matters: Whether a hint matters.
        filters: Which hints there are to be.
    """

    def __init__(
        self, patience: Patience, matters: Callable[[JobHint], bool], **filters: Unpack[EventFilters]
    ) -> None:
        self._patience = patience
        self._matters = matters
        self._filters = filters
        self._pauses = pauses()
        self._is_open = False
        self._listen_at = time.monotonic() + LISTEN_AFTER_S

    def wait(self, *, rest_s: float = 0.0) -> Generator[Step, Any, None]:
        """Wait. What changes after the last read is not missed: once it listens, all is read again.

        Args:
            rest_s: The shortest time.

        Raises:
            JobTimeoutError: The time is over.
        """
        if not self._is_open and time.monotonic() >= self._listen_at and (yield from self._open()):
            return
        if not self._is_open:
            yield self._patience.pause(max(next(self._pauses), rest_s))
            return
        if rest_s:
            yield self._patience.pause(rest_s)
        while True:
            event: LiveEvent | None = yield NextEvent()
            if event is None:
                self._is_open = False
                yield self._patience.pause(next(self._pauses))
                return
            if event.event != PING and self._is_news(event):
                return
            if self._patience.left_s <= 0:
                yield self._patience.pause(0)

    def _open(self) -> Generator[Step, Any, bool]:
        self._listen_at = time.monotonic() + LISTEN_AGAIN_S
        try:
            yield listen(self._filters, self._patience.left_s)
        except ApiUnavailableError:
            return False
        except ApiError:  # it is of an earlier release
            self._listen_at = float("inf")
            return False
        first: LiveEvent | None = yield NextEvent()
        while first is not None and first.event == PING:
            first = yield NextEvent()
        self._is_open = first is not None
        if self._is_open:
            self._pauses, self._listen_at = pauses(), 0.0
        return self._is_open

    def _is_news(self, event: LiveEvent) -> bool:
        if not event.jobs:
            return True
        for hint in event.jobs:
            if hint.id == self._filters.get("job_id", self._filters.get("tree")) and isinstance(hint.status, Status):
                self._patience.status = hint.status
        return any(map(self._matters, event.jobs))


def events_of(
    filters: EventFilters, last_event_id: str | None, timeout_s: float | None, outage_s: float
) -> Flow[LiveEvent]:
    """All events, over connections that are lost; as `Client.events` has it."""
    deadline_s = float("inf") if timeout_s is None else time.monotonic() + timeout_s
    away_since_s: float | None = None
    waits = pauses()
    while (left_s := deadline_s - time.monotonic()) > 0:
        try:
            yield listen(filters, left_s, last_event_id)
        except ApiUnavailableError as error:
            now_s = time.monotonic()
            away_since_s = now_s if away_since_s is None else away_since_s
            pause_s = max(next(waits), error.retry_after_s or 0)
            if now_s + pause_s - away_since_s > outage_s:
                raise
            yield Pause(min(pause_s, max(deadline_s - now_s, 0)))
            continue
        while (event := cast("LiveEvent | None", (yield NextEvent()))) is not None:
            away_since_s, waits = None, pauses()
            last_event_id = event.id or last_event_id
            if event.event != PING:
                yield Found(event)
        away_since_s = time.monotonic() if away_since_s is None else away_since_s
        yield Pause(min(next(waits), max(deadline_s - time.monotonic(), 0)))
