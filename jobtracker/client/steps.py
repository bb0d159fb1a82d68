"""What flows yield: calls, pauses, events to wait for, and what they find."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from jobtracker.client.calls import Call

T = TypeVar("T")


@dataclass(frozen=True)
class Pause:
    """A time to wait, in seconds."""

    seconds: float


@dataclass(frozen=True)
class Found(Generic[T]):
    """Something for the caller."""

    value: T


@dataclass(frozen=True)
class Listen:
    """Open the stream of events, in the place of one that is open; raises what a call raises."""

    call: Call[Any]
    last_event_id: str | None = None


@dataclass(frozen=True)
class NextEvent:
    """Wait for the next event of the stream that is open, an `LiveEvent`; None: it has ended, or was lost."""


Step = Call[Any] | Pause | Listen | NextEvent
Flow = Generator[Step | Found[T], Any, None]
