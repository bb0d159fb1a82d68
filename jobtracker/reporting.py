"""Reports on their way to the store: written at once or, while the tracking Redis is away, later and in order.

A task waits for a Redis that is away once, for as long as one call may take. From then on all reports of its process
go into a bounded buffer, and nobody waits. A thread, which is there only meanwhile, looks for Redis, writes what has
gathered, and lets reports through again when nothing is left.
"""

import atexit
import functools
import logging
import os
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from redis.exceptions import ConnectionError  # noqa: A004 (redis-py's own name)

from jobtracker.changes import Change
from jobtracker.connection import connect_anew, is_away, is_unreachable
from jobtracker.errors import JobTrackerError, UnfitStoreError
from jobtracker.scripts import Call
from jobtracker.store import Begun, JobStore

logger = logging.getLogger(__name__)
T = TypeVar("T")

Write = Callable[[bool], T]
"""Writes a report, with all that follows from it. True: it may have been written before, in part or as a whole."""

_MOST_CHARS = 64 * 2**20
"""Results, errors and arguments that wait together, whatever their number."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
"""Between two looks for Redis; they double."""

_LEFT_FOR_S, _NONE_LEFT_S = 0.01, 1.0
"""A report that was left is sent after so long, where nothing that it could go with is sent before. The thread that
sees to it ends when none was left for so long."""

_MOST_FAILURES = 5
"""A report that fails so often for lack of an answer, while Redis answers, fails for another reason."""


class Rank(IntEnum):
    """What a full buffer gives up first: the oldest report of the lowest rank."""

    NOTE = 0
    """Progress and log lines."""
    COURSE = 1
    """Starts and retries: the end of the job says most of it."""
    END = 2
    """Ends: Celery's result backend may know them too."""
    BIRTH = 3
    """New jobs, with their place in a tree: nobody else knows that."""


@dataclass(slots=True)
class _Waiting:
    write: Write[object]
    rank: Rank
    again: bool
    chars: int
    failures: int = 0


class Report(NamedTuple):
    """That something happened to a job."""

    call: Call
    """What is sent (`JobStore.call_of`, `JobStore.report`)."""
    follow: Callable[[Change, bool], Change]
    """Does what follows from the answer, and returns what became of it in the end. True: the report may have been
    written before."""
    rank: Rank
    """What it is worth."""
    data: Mapping[str, str]
    """The bulky part of what it holds."""
    prepare: Callable[[], object]
    """Called before it has to wait: what it needs may be gone later."""


class Reporting:
    """The way of one process's reports to the store.

    Args:
        store: Where to.
        timeout_s: How long a last attempt may take before the process ends, in seconds.
        most: How many reports may wait.

    Attributes:
        away: Whether the tracking Redis is away, as far as is known: reports wait then.
    """

    def __init__(self, store: JobStore, timeout_s: float, most: int) -> None:
        self.away = False
        self._store = store
        self._timeout_s = timeout_s
        self._most = most
        self._forget()
        _all.add(self)

    def report(
        self,
        write: Write[T],
        rank: Rank,
        *,
        data: Mapping[str, str] | None = None,
        prepare: Callable[[], object] | None = None,
        again: bool = False,
    ) -> T | None:
        """Write a report now or, while Redis is away, later.

        Args:
            write: Writes it.
            rank: What it is worth.
            data: The bulky part of what it holds.
            prepare: Called before it has to wait: what it needs may be gone later.
            again: It may have been written before.

        Returns:
            What `write` has returned; None where it waits.

        Raises:
            Exception: It was not written for a reason that will not pass.
            SoftTimeLimitExceeded: The task's time is over. The report waits.
        """
        if not self.away:
            try:
                return write(again)
            except Exception as error:  # noqa: BLE001 (raised again, unless Redis is away)
                self._report_later(error, write, rank, data, prepare)
                return None
        if prepare is not None:
            prepare()
        if self._keep(write, rank, data, again=again):
            return None
        return self.report(write, rank, data=data)  # Redis has just come back

    def begin(
        self, begin: Callable[[], Begun[T]], write: Write[T], rank: Rank, *, data: Mapping[str, str] | None = None
    ) -> Callable[[], T | None]:
        """Send a report; what it returns is to be called, once, for what became of it, as from `report`.

        Args:
            begin: Sends it.
            write: Writes it, where that fails.
            rank: What it is worth.
            data: The bulky part of what it holds.
        """
        if not self.away:
            try:
                return functools.partial(self._finish, begin(), write, rank, data)
            except Exception as error:  # noqa: BLE001 (raised again, unless Redis is away)
                self._expect_away(error, write, rank, data)
                self._keep(write, rank, data, again=True)
                return _nothing
        written = self.report(write, rank, data=data)
        return lambda: written

    def _finish(self, begun: Begun[T], write: Write[T], rank: Rank, data: Mapping[str, str] | None) -> T | None:
        if self.away:  # one has waited already
            begun.abandon()
        else:
            try:
                return begun()
            except Exception as error:  # noqa: BLE001 (raised again, unless Redis is away)
                self._expect_away(error, write, rank, data)
        self._keep(write, rank, data, again=True)
        return None

    def write(self, report: Report, again: bool) -> Change:
        """Write a report on a job, with all that follows from it."""
        return report.follow(self._store.report(report.call), again)

    def send(self, report: Report) -> Change | None:
        """Report on a job, in one round trip with all that was left.

        Returns:
            What became of it; None where it waits.

        Raises:
            Exception: As from `report`.
        """
        left = self._take_left()
        *of_left, own = self._apply([*left, report])
        self._conclude_all(left, of_left)
        return self._conclude(report, own)

    def leave(self, report: Report) -> None:
        """Leave a report, whose answer nobody waits for, to go with the next one, or by itself a moment later.

        Where the process dies in between, only Celery's result backend can tell.
        """
        if self.away:
            self.send(report)
            return
        self._left.append((time.monotonic(), report))
        if not self._is_sent_soon:
            self._send_soon()

    def send_left(self) -> None:
        """Send what was left."""
        left = self._take_left()
        if left:
            self._conclude_all(left, self._apply(left))

    def _take_left(self) -> list[Report]:
        left = []
        with suppress(IndexError):  # another thread may be faster
            while self._left:
                left.append(self._left.popleft()[1])
        return left

    def _apply(self, reports: list[Report]) -> Sequence[Change | Exception]:
        """What becomes of reports that are sent together."""
        if self.away:
            return [_IS_AWAY] * len(reports)
        try:
            return self._store.report_all([report.call for report in reports])
        except Exception as error:  # noqa: BLE001 (it is the error of each of them)
            return [error] * len(reports)

    def _conclude_all(self, reports: Sequence[Report], answers: Sequence[Change | Exception]) -> None:
        for report, answer in zip(reports, answers, strict=True):
            try:
                self._conclude(report, answer)
            except Exception as error:  # noqa: BLE001 (a failure of the tracker, of which nobody else is told)
                logger.warning("jobtracker: a report was not written: %s: %s", type(error).__name__, error)

    def _conclude(self, report: Report, answer: Change | Exception) -> Change | None:
        """Do what follows from an answer; where it is an error, report again, now or later."""
        if isinstance(answer, Exception):
            error = answer
        else:
            try:
                return report.follow(answer, False)
            except Exception as failure:  # noqa: BLE001 (raised again, unless Redis is away)
                error = failure
        write = functools.partial(self.write, report)
        if error is _IS_AWAY:
            return self.report(write, report.rank, data=report.data, prepare=report.prepare)
        self._report_later(error, write, report.rank, report.data, report.prepare)
        return None

    def ask(self, read: Callable[[], T], otherwise: T) -> T:
        """What Redis says; `otherwise`, without waiting, while it is away.

        Raises:
            Exception: It can't be read for a reason that will not pass.
        """
        if not self.away:
            try:
                return read()
            except Exception as error:
                if not is_away(error):
                    raise
                self.away = True
        if not self._is_looked_for:
            self._look()
        return otherwise

    def close(self) -> None:
        """Send what was left and make a last attempt to write what waits, before the process ends."""
        self.send_left()
        if self._sending.acquire(timeout=self._timeout_s):  # another thread may be about to learn that it must wait
            self._sending.release()
        if not self.away:
            return
        self._stop.set()
        try:
            self._write_waiting(time.monotonic() + self._timeout_s)
        except Exception as error:  # noqa: BLE001 (the process ends, and says so below)
            logger.debug("jobtracker: %s", error)
        if left := self._count() + self._dropped:
            logger.warning("jobtracker: %d reports are lost: the tracking Redis is away", left)

    # -- the buffer -------------------------------------------------------------------------------------------------

    def _report_later(
        self,
        error: Exception,
        write: Write[T],
        rank: Rank,
        data: Mapping[str, str] | None,
        prepare: Callable[[], object] | None,
    ) -> None:
        """Let a report wait that has failed, if that will pass."""
        self._expect_away(error, write, rank, data)
        if prepare is not None:
            prepare()
        self._keep(write, rank, data, again=True)

    def _expect_away(
        self, error: Exception, write: Write[object], rank: Rank, data: Mapping[str, str] | None
    ) -> None:
        """Go on only where a report failed for what will pass."""
        if is_away(error):
            return
        if isinstance(error, SoftTimeLimitExceeded):  # the task's, which came here by chance
            self._keep(write, rank, data, again=True)
        elif not _was_written(error):
            self._count_dropped()
        raise error

    def _keep(self, write: Write[object], rank: Rank, data: Mapping[str, str] | None, *, again: bool) -> bool:
        """Let a report wait; False where it need not: Redis is back, and it has not been tried."""
        chars = sum(map(len, data.values())) if data else 0
        with self._lock:
            if not self.away and not again:
                return False
            self._waiting[rank][self._next] = _Waiting(write, rank, again, chars)
            self._next += 1
            self._chars += chars
            while self._count() > self._most or self._chars > _MOST_CHARS:
                lowest = next(waiting for waiting in self._waiting if waiting)
                self._chars -= lowest.popitem(last=False)[1].chars
                self._dropped += 1
            self.away = True
        self._look()
        return True

    def _count(self) -> int:
        return sum(map(len, self._waiting))

    def _oldest(self) -> tuple[int, _Waiting] | None:
        first = [next(iter(waiting.items())) for waiting in self._waiting if waiting]
        return min(first, key=lambda item: item[0]) if first else None

    def _forget(self) -> None:
        """Begin anew; in a process that was forked reports are its parent's, as are locks and threads.

        Whether Redis is away it goes on to know.
        """
        # Handlers of signals may interrupt each other.
        self._lock = threading.RLock()
        self._writing = threading.RLock()
        self._sending = threading.RLock()
        self._stop = threading.Event()
        self._waiting: tuple[OrderedDict[int, _Waiting], ...] = tuple(OrderedDict() for _ in Rank)
        self._next = 0
        self._chars = 0
        self._dropped = 0
        self._is_looked_for = False
        self._left: deque[tuple[float, Report]] = deque()
        self._is_sent_soon = False

    # -- the sender of what was left --------------------------------------------------------------------------------

    def _send_soon(self) -> None:
        """See to it that somebody sends what is left."""
        with self._lock:
            if self._is_sent_soon:
                return
            self._is_sent_soon = True
        try:
            threading.Thread(target=self._send_late, name="jobtracker-left", daemon=True).start()
        except BaseException as error:  # a task's time limit may come here
            self._is_sent_soon = False
            if not isinstance(error, RuntimeError):  # the interpreter is about to end: they are sent then
                raise

    def _send_late(self) -> None:
        last_at = time.monotonic()
        while self._left or time.monotonic() - last_at < _NONE_LEFT_S:
            time.sleep(_LEFT_FOR_S)
            with suppress(IndexError):  # it was sent with another one
                last_at = self._left[0][0]
                if time.monotonic() - last_at >= _LEFT_FOR_S:
                    with self._sending:
                        self.send_left()
        self._is_sent_soon = False
        if self._left:  # since it looked
            self._send_soon()

    # -- the writer -------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """See to it that somebody looks for Redis."""
        with self._lock:
            if self._is_looked_for:
                return
            self._is_looked_for = True
            self._stop.clear()
        try:
            threading.Thread(target=self._look_for_redis, name="jobtracker-reports", daemon=True).start()
        except BaseException as error:  # a task's time limit may come here; a second one does no harm
            self._is_looked_for = False
            if not isinstance(error, RuntimeError):  # the interpreter is about to end: a last attempt is made then
                raise

    def _look_for_redis(self) -> None:
        pause_s, said = _FIRST_PAUSE_S, False
        began = time.monotonic()
        while True:
            try:
                if self._write_waiting():
                    break
            except Exception as error:  # noqa: BLE001 (whatever it is, it may pass)
                if not said:
                    logger.warning("jobtracker: the tracking Redis is away, reports wait: %s", error)
                said = True
            if self._stop.wait(pause_s):
                self._is_looked_for = False
                return
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        if said:
            logger.warning("jobtracker: the tracking Redis was away for %.1f s", time.monotonic() - began)

    def _write_waiting(self, until: float | None = None) -> bool:
        """Write what waits, the oldest first, and let reports through again; False where it is too late for all.

        Raises:
            Exception: Redis is away.
        """
        if not self._writing.acquire(timeout=-1 if until is None else max(0.0, until - time.monotonic())):
            return False
        try:
            self._store.client.ping()
            while until is None or time.monotonic() < until:
                with self._lock:
                    oldest = self._oldest()
                    if oldest is None and not self._dropped:
                        self.away = self._is_looked_for = False
                        return True
                    if oldest is not None:
                        del self._waiting[oldest[1].rank][oldest[0]]
                if oldest is None:
                    self._tell_dropped()
                else:
                    self._write(*oldest)
        except Exception:
            # A server's successor is found by connecting anew.
            connect_anew(self._store.client)
            raise
        finally:
            self._writing.release()
        return False

    def _write(self, number: int, waiting: _Waiting) -> None:
        try:
            waiting.write(waiting.again)
        except BaseException as error:
            if isinstance(error, Exception) and not self._may_succeed(waiting, error):
                logger.warning("jobtracker: a report was not written: %s: %s", type(error).__name__, error)
                if not _was_written(error):
                    with self._lock:
                        self._dropped += 1
            else:
                waiting.again = True
                with self._lock:
                    self._waiting[waiting.rank][number] = waiting
                    self._waiting[waiting.rank].move_to_end(number, last=False)
                raise
        with self._lock:
            self._chars -= waiting.chars

    def _may_succeed(self, waiting: _Waiting, error: Exception) -> bool:
        """Whether a report that has failed is to be tried again, when Redis is back."""
        if not is_away(error):
            return False
        waiting.failures += 1
        if not is_unreachable(error) or waiting.failures < _MOST_FAILURES:
            return True
        try:
            self._store.client.ping()
        except Exception:  # noqa: BLE001 (it is away)
            waiting.failures = 0
            return True
        return False  # Celery's result backend is away, say

    # -- what was given up ------------------------------------------------------------------------------------------

    def _count_dropped(self) -> None:
        with self._lock:
            self._dropped += 1
        try:
            self._tell_dropped()
        except Exception as error:  # noqa: BLE001 (told when Redis is away next, and back)
            logger.debug("jobtracker: %s", error)

    def _tell_dropped(self) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        try:
            self._store.count_dropped(dropped)
        except Exception as error:
            if is_away(error):
                with self._lock:
                    self._dropped += dropped
                raise
            logger.warning("jobtracker: the reports that were given up are not counted: %s", error)
        logger.warning("jobtracker: %d reports were given up", dropped)


_IS_AWAY = ConnectionError("it did not answer before")
"""Instead of an answer to what was not sent."""


def _nothing() -> None:
    """What became of a report that waits."""


_all: "weakref.WeakSet[Reporting]" = weakref.WeakSet()


def _begin_anew_after_fork() -> None:
    for reporting in _all:
        reporting._forget()  # noqa: SLF001 (this module's own)


def _try_for_the_last_time() -> None:
    for reporting in list(_all):
        reporting.close()


def _was_written(error: BaseException) -> bool:
    """Whether a report that failed in the end is in the store: what follows from it is about Celery's broker."""
    return isinstance(error, JobTrackerError) and not isinstance(error, UnfitStoreError)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_after_fork)
atexit.register(_try_for_the_last_time)
