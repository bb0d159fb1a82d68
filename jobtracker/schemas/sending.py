"""When and where the task of a job is sent: the options that a request may set."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    model_validator,
)

from jobtracker.errors import InvalidJobError

MOST_S = 10 * 366 * 86_400
"""Ten years: nobody plans further ahead."""

_MOST_QUEUE_BYTES = 255
"""RabbitMQ's limit."""


def _not_a_number(moment: Any) -> Any:
    """Pydantic would read it as seconds or milliseconds since 1970, even a year such as 2026."""
    try:
        float(moment)
    except (ValueError, TypeError):
        return moment
    raise ValueError("it must be a date with a time and a UTC offset, e.g. 2026-11-24T12:00:00Z")


def _fits_a_broker(queue: str) -> str:
    if len(queue.encode()) > _MOST_QUEUE_BYTES:
        raise ValueError(f"it has more than {_MOST_QUEUE_BYTES} bytes")
    return queue


Moment = Annotated[AwareDatetime, BeforeValidator(_not_a_number)]
Seconds = Annotated[float, Field(le=MOST_S, allow_inf_nan=False, strict=True)]
QueueName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]*$"),
    AfterValidator(_fits_a_broker),
]


class Sending(BaseModel):
    """When and where the task of a job is sent. Of a parent this is about its own task, after its sub-jobs."""

    eta: Moment | None = Field(default=None, description="It must not begin before this time.")
    countdown: Annotated[Seconds, Field(ge=0)] | None = Field(
        default=None, description="Instead of `eta`: seconds from when it is started."
    )
    expires: Annotated[Seconds, Field(gt=0)] | Moment | None = Field(
        default=None,
        description="It is cancelled if it has not begun by then: a time, or seconds from when it is started.",
    )
    queue: QueueName | None = Field(
        default=None, description="Where it is sent to; default: the queue of its type. A worker has to consume it."
    )

    @model_validator(mode="after")
    def _can_begin(self) -> Self:
        """Refuse times at which it could never begin."""
        now = datetime.now(UTC)
        if self.eta is not None and self.countdown is not None:
            raise ValueError("eta and countdown say the same in two ways: give one of them")
        for name, moment in (("eta", self.eta), ("expires", self.expires)):
            if isinstance(moment, datetime) and moment <= now:
                raise ValueError(f"{name} has passed: it was {moment.isoformat()}, and it is {now.isoformat()}")
            if isinstance(moment, datetime) and moment > now + timedelta(seconds=MOST_S):
                raise ValueError(f"{name} is more than ten years ahead")
        begins, ends = _moment(self.eta, self.countdown, now) or now, _moment(self.expires, None, now)
        if ends is not None and ends <= begins:
            raise ValueError("it would expire before it may begin: let expires be later than eta or countdown")
        return self

    def times_ms(self, started_ms: int | None) -> dict[str, str | int]:
        """Its ETA and when it expires, as fields of a record.

        Args:
            started_ms: When the job is started; None: later, by another request.

        Raises:
            InvalidJobError: A time counts from the start, and the job is not started.
        """
        relative = [name for name in ("countdown", "expires") if isinstance(getattr(self, name), float | int)]
        if started_ms is None and relative:
            text = f"{relative[0]} counts seconds from the start, and the job is not started: give it with the start."
            raise InvalidJobError(text, [([relative[0]], text)])
        start = datetime.fromtimestamp((started_ms or 0) / 1000, UTC)
        times = {"eta": _moment(self.eta, self.countdown, start), "expires": _moment(self.expires, None, start)}
        return {name: int(at.timestamp() * 1000) for name, at in times.items() if at is not None}


def _moment(at: datetime | float | None, seconds: float | None, start: datetime) -> datetime | None:
    """A time that was given as one, or in seconds from the start."""
    after = seconds if seconds is not None else at
    return start + timedelta(seconds=after) if isinstance(after, float | int) else after
