"""Methods that need several calls, as generators without input or output. Each client drives them in its own way.

A flow yields steps: a `Call` and gets its answer (or its error is raised there), a `Pause`, a `Found` for the caller.
"""

import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, overload

from jobtracker.client.calls import Call
from jobtracker.client.endpoints import Asynchronous, Blocking, Endpoints, JobFilters
from jobtracker.client.errors import ApiUnavailableError, JobTimeoutError
from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.schemas.jobs import Job, JobPage, JobSummary, JobTree, LogLine

P = ParamSpec("P")
T = TypeVar("T")
J = TypeVar("J", Job, JobTree)

FIRST_PAUSE_S = 0.05
PAUSE_GROWTH = 1.25
LONGEST_PAUSE_S = 1.0
"""A job is looked at after 0.05 s, then after pauses that grow by a quarter each, up to 1 s (after some 5 s)."""

PAGE_SIZE = 500
LOG_SIZE = 1000
"""What the API gives at a time at most."""


@dataclass(frozen=True)
class Pause:
    """A time to wait, in seconds."""

    seconds: float


@dataclass(frozen=True)
class Found(Generic[T]):
    """Something for the caller."""

    value: T


Flow = Generator[Call[Any] | Pause | Found[T], Any, None]


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

    def pause(self, seconds: float) -> Pause:
        """A pause that ends in time.

        Raises:
            JobTimeoutError: The time is over.
        """
        left_s = self._deadline_s - time.monotonic()
        if left_s <= 0:
            raise JobTimeoutError(self._job_id, self.status, self._timeout_s)
        return Pause(min(seconds, left_s))

    def ask(self, call: Call[T]) -> Generator[Call[Any] | Pause, Any, T]:
        """Send a call, again and again while the API is away, when it says or in growing pauses.

        Raises:
            ApiUnavailableError: It was away for too long.
            JobTimeoutError: The time is over.
        """
        away_since_s = None
        for pause_s in pauses():
            left_s = self._deadline_s - time.monotonic()
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


def pauses() -> Iterator[float]:
    """Seconds between looks, growing up to a bound, without end."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(pause_s * PAUSE_GROWTH, LONGEST_PAUSE_S)


def until_settled(call: Call[J], patience: Patience) -> Flow[J]:
    """A job or a tree whenever it has changed, at last settled."""
    seen = None
    for pause_s in pauses():
        asked_s = time.monotonic()
        found = yield from patience.ask(call)
        took_s = time.monotonic() - asked_s
        patience.status = found.status
        if found != seen:
            seen = found
            yield Found(found)
        if found.status in SETTLED:
            return
        # A large tree costs the API some time: it gets as long a rest.
        yield patience.pause(max(pause_s, min(took_s, LONGEST_PAUSE_S)))


class Stream(Generic[P, T]):
    """A method of both clients that iterates, made of one that describes its flow."""

    def __init__(self, describe: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        @wraps(describe)
        def method(client: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
            return client.run(describe(client, *args, **kwargs))

        self.__doc__ = describe.__doc__
        self._method = method

    @overload
    def __get__(self, client: Blocking, owner: Any = None) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: Asynchronous, owner: Any = None) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: Any = None) -> Any:
        return self if client is None else MethodType(self._method, client)


class Streams(Endpoints):
    """The methods that both clients have and that iterate.

    Attributes:
        outage_s: Seconds that the API may be away at a time before they give up.
    """

    outage_s: float

    @Stream
    def jobs(self, **filters: Unpack[JobFilters]) -> Flow[JobSummary]:
        """All jobs of a list, page by page as they are needed; one that comes or goes meanwhile shifts no other."""
        cursor = None
        while True:
            page: JobPage = yield Endpoints.page.call(page_size=PAGE_SIZE, cursor=cursor, **filters)
            for job in page.jobs:
                yield Found(job)
            cursor = page.next_cursor
            if cursor is None:
                return

    @Stream
    def watch(self, job_id: str, *, timeout_s: float | None = None) -> Flow[JobTree]:
        """The job with all below it as it is now, again whenever that has changed, at last settled.

        Looks after 0.05 s, then in pauses that grow by a quarter each, up to 1 s. An API that is away is waited for.

        Args:
            job_id: The job.
            timeout_s: How long it may take to settle, in seconds; None: as long as it likes.

        Raises:
            JobNotFoundError: There is none with that id, or it was deleted meanwhile.
            JobTimeoutError: It has not settled in time.
            ApiUnavailableError: The API was away for longer than `outage_s`.
        """
        return until_settled(Endpoints.tree.call(job_id), Patience(job_id, timeout_s, self.outage_s))

    @Stream
    def follow(self, job_id: str, *, last: int = LOG_SIZE, timeout_s: float | None = None) -> Flow[LogLine]:
        """The last lines of a job's own log and then each new one, once, until the job has settled.

        A task that writes more than `MAX_LOG_LINES` between two looks (see `watch`) loses the oldest of them.

        Args:
            job_id: The job.
            last: How many of the lines that are there already to begin with, 1 to 1,000.
            timeout_s: How long it may take to settle, in seconds; None: as long as it likes.

        Raises:
            JobNotFoundError, JobTimeoutError, ApiUnavailableError: As for `watch`.
        """
        patience = Patience(job_id, timeout_s, self.outage_s)
        limit, after = last, None
        for pause_s in pauses():
            # Looked at before its log: what a job has logged stands there before it settles.
            job = yield from patience.ask(Endpoints.get.call(job_id))
            patience.status = job.status
            has_more = True
            while has_more:
                lines = yield from patience.ask(Endpoints.logs.call(job_id, limit=limit, after=after))
                for line in lines:
                    yield Found(line)
                after = lines[-1].id if lines else after or "0-0"
                has_more, limit = len(lines) == limit, LOG_SIZE
            if job.status in SETTLED:
                return
            yield patience.pause(pause_s)
