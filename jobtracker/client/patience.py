"""How long a flow goes on, and how often it looks."""

import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from jobtracker.client.calls import Call
from jobtracker.client.errors import ApiUnavailableError, JobTimeoutError
from jobtracker.client.steps import Found, Pause, Step
from jobtracker.core.lifecycle import Status

T = TypeVar("T")

FIRST_PAUSE_S = 0.05
PAUSE_GROWTH = 1.25
LONGEST_PAUSE_S = 1.0
"""A job is looked at after 0.05 s, then after pauses that grow by a quarter each, up to 1 s (after some 5 s)."""


class Patience:
    """How long a flow goes on: with an API that is away, and with a job that does not settle.

    Args:
        job_id: The job.
        timeout_s: Seconds until the job must have settled; None: no limit.
        outage_s: Seconds that the API may be away at a time.
    """

    def __init__(self, job_id: str, timeout_s: float | None, outage_s: float) -> None:
        self.status: Status | None = None
        self._job_id = job_id
        self._timeout_s = float("inf") if timeout_s is None else timeout_s
        self._outage_s = outage_s
        self._deadline_s = time.monotonic() + self._timeout_s

    @property
    def left_s(self) -> float:
        """Seconds until the job must have settled."""
        return self._deadline_s - time.monotonic()

    def pause(self, seconds: float) -> Pause:
        """A pause that ends in time.

        Raises:
            JobTimeoutError: The time is over.
        """
        left_s = self.left_s
        if left_s <= 0:
            raise JobTimeoutError(self._job_id, self.status, self._timeout_s)
        return Pause(min(seconds, left_s))

    def ask(self, call: Call[T]) -> Generator[Step, Any, T]:
        """Send a call, again and again while the API is away, when it says or in growing pauses.

        Raises:
            ApiUnavailableError: It was away for too long.
            JobTimeoutError: The time is over.
        """
        away_since_s = None
        for pause_s in pauses():
            left_s = self.left_s
            try:
                # The last look may come at the deadline, and gets a moment all the same.
                answer: T = yield replace(call, most_s=max(left_s, LONGEST_PAUSE_S))
            except ApiUnavailableError as error:
                now_s = time.monotonic()
                away_since_s = now_s if away_since_s is None else away_since_s
                next_s = max(pause_s, error.retry_after_s or 0)
                if now_s + next_s - away_since_s > self._outage_s:
                    raise
                yield self.pause(next_s)
            else:
                return answer
        raise AssertionError("pauses have no end")


def sending(call: Call[T], outage_s: float) -> Generator[Call[T] | Pause | Found[T], Any, None]:
    """Send a call with an Idempotency-Key. If it may have been done, it is sent again until there is an answer.

    That is found at the end.

    Args:
        call: The call.
        outage_s: Seconds for which it is sent again, in growing pauses or when the API says.

    Raises:
        ApiUnavailableError: There was no answer for so long, or the request has not arrived.
        ApiError: It was refused.
    """
    doubt: ApiUnavailableError | None = None
    since_s = 0.0
    for pause_s in pauses():
        try:
            answer: T = yield call
        except ApiUnavailableError as error:
            now_s = time.monotonic()
            if doubt is None:
                if not error.may_be_done:
                    raise
                doubt, since_s = error, now_s
            next_s = max(pause_s, error.retry_after_s or 0)
            if now_s + next_s - since_s > outage_s:
                raise doubt from error
            yield Pause(next_s)
        else:
            yield Found(answer)
            return


def pauses() -> Iterator[float]:
    """Seconds between looks, growing up to a bound, without end."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(pause_s * PAUSE_GROWTH, LONGEST_PAUSE_S)
