"""Methods that need several calls, as generators without input or output. Each client drives them in its own way.

A flow yields steps (`steps`): a `Call` and gets its answer (or its error is raised there), a `Pause`, a `Found` for
the caller, and so on.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, overload

from jobtracker.client.calls import Call
from jobtracker.client.endpoint import Asynchronous, Blocking
from jobtracker.client.endpoints import Endpoints, JobFilters
from jobtracker.client.listening import Ears, EventFilters, events_of
from jobtracker.client.patience import LONGEST_PAUSE_S, Patience
from jobtracker.client.steps import Flow, Found
from jobtracker.core.lifecycle import SETTLED
from jobtracker.schemas.events import JobHint, LiveEvent
from jobtracker.schemas.jobs import Job, JobPage, JobSummary, JobTree, LogLine

P = ParamSpec("P")
T = TypeVar("T")
J = TypeVar("J", Job, JobTree)

PAGE_SIZE = 500
LOG_SIZE = 1000
"""What the API gives at a time at most."""


def until_settled(call: Call[J], patience: Patience, ears: Ears) -> Flow[J]:
    """A job or a tree whenever it has changed, at last settled."""
    seen = None
    while True:
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
        yield from ears.wait(rest_s=min(took_s, LONGEST_PAUSE_S))


def job_settling(job_id: str, patience: Patience) -> Flow[Job]:
    """A job, at last settled; what changes before that is not looked at."""

    def ends(hint: JobHint) -> bool:
        return hint.status in SETTLED or "deleted" in hint.what

    return until_settled(Endpoints.get.call(job_id), patience, Ears(patience, ends, job_id=job_id))


def tree_settling(job_id: str, patience: Patience) -> Flow[JobTree]:
    """A tree whenever it has changed, at last settled."""

    def shows(hint: JobHint) -> bool:
        return hint.what != ["log"]

    return until_settled(Endpoints.tree.call(job_id), patience, Ears(patience, shows, tree=job_id))


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

        It listens to the stream of events after half a second, so it asks only if something has changed. If it can't
        listen, it looks in pauses that grow, up to 1 s. An API that is away is waited for.

        Args:
            job_id: The job.
            timeout_s: How long it may take to settle, in seconds; None: as long as it likes.

        Raises:
            JobNotFoundError: There is none with that id, or it was deleted meanwhile.
            JobTimeoutError: It has not settled in time.
            ApiUnavailableError: The API was away for longer than `outage_s`.
        """
        return tree_settling(job_id, Patience(job_id, timeout_s, self.outage_s))

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
        ears = Ears(patience, lambda _: True, job_id=job_id)
        while True:
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
            yield from ears.wait()

    @Stream
    def events(
        self, *, last_event_id: str | None = None, timeout_s: float | None = None, **filters: Unpack[EventFilters]
    ) -> Flow[LiveEvent]:
        """Which jobs change, as they do; without end. If the connection is lost, it goes on where it was.

        The first event is "ready": what changes from then on is told. "jobs" names jobs that have changed, or says
        that many have. "reset": events are missing, so read anew. "away": Redis is away, "ready" or "reset" follows.

        Args:
            last_event_id: The `id` of an event to go on after.
            timeout_s: After how many seconds it ends.
            filters: Which jobs.

        Raises:
            ApiUnavailableError: The API was away, or had too many streams, for longer than `outage_s`.
            ApiError: It has no stream of events: it is of an earlier release.
        """
        return events_of(filters, last_event_id, timeout_s, self.outage_s)
