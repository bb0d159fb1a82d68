"""Reports on their way to the store: written at once or, while the tracking Redis is away, later and in order.

A task waits for a Redis that is away once, for as long as one call may take. From then on all reports of its process
go into a bounded buffer, and nobody waits. A thread, which is there only meanwhile, looks for Redis, writes what has
gathered, and lets reports through again when nothing is left. What is in the buffer is on disk too, as long as it
waits (`spool`): when a process ends before Redis is back, another one goes on with it.
"""

import atexit
import functools
import logging
import os
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from celery.exceptions import SoftTimeLimitExceeded
from redis.exceptions import ConnectionError  # noqa: A004 (redis-py's own name)

from jobtracker.connection.client import connect_anew, is_away, is_unreachable
from jobtracker.errors import JobTrackerError, UnfitStoreError
from jobtracker.reporting.journal import Journal, Spool, encoded, entry_of, entry_of_dropped, entry_of_end
from jobtracker.store.changes import Change, Rank, Report
from jobtracker.store.functions import Call
from jobtracker.store.writer import Begun, JobStore

logger = logging.getLogger(__name__)
T = TypeVar("T")

_MOST_CHARS = 64 * 2**20
"""What waits together, whatever its number."""

_DEAD_BYTES = 8 * 2**20
"""Of a journal; with more, and as much again as what waits, it is written anew."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
"""Between two looks for Redis; they double."""

_LEFT_FOR_S, _NONE_LEFT_S = 0.01, 1.0
"""A report that was left is sent after so long, where nothing that it could go with is sent before. The thread that
sees to it ends when none was left for so long."""

_ASKED_FOR_S = 0.25
"""How long a new process waits for Redis that is away for others."""

_MOST_FAILURES = 5
"""A report that fails so often for lack of an answer, while Redis answers, fails for another reason."""


class Applies(Protocol):
    """What writes reports (`Applier`)."""

    def apply(self, report: Report, again: bool) -> Any:
        """Write a report, with all that follows from it."""

    def call(self, report: Report) -> Call:
        """What is sent of an event."""

    def follow(self, report: Report, change: Change, again: bool) -> Change:
        """Do what follows from the answer to an event."""


@dataclass(slots=True)
class _Waiting:
    report: Report
    again: bool
    chars: int
    is_kept: bool
    """It is in the journal."""
    failures: int = 0


class Reporting:
    """The way of one process's reports to the store.

    Args:
        store: Where to.
        applier: Writes them.
        timeout_s: How long a last attempt may take before the process ends, in seconds.
        most: How many reports may wait.
        spool: Where what waits outlives the process; None: nowhere.

    Attributes:
        away: Whether the tracking Redis is away, as far as is known: reports wait then.
        most: How many reports may wait.
        takes_over: Go on with what others have left, when this process begins to send; else `take_over` is called.
    """

    def __init__(
        self, store: JobStore, applier: Applies, timeout_s: float, most: int, spool: Spool | None = None
    ) -> None:
        self.away = False
        self.most = most
        self.takes_over = True
        self._store = store
        self._applier = applier
        self._timeout_s = timeout_s
        self._spool = spool
        self._journal: Journal | None = None
        self._waiting: tuple[OrderedDict[int, _Waiting], ...] = ()
        self._next = self._chars = self._dropped = 0
        self._has_begun = False
        self._is_said_away = False
        self._forget()
        _all.add(self)

    def report(self, report: Report, *, again: bool = False) -> Any:
        """Write a report now or, while Redis is away, later.

        Args:
            report: The report.
            again: It may have been written before.

        Returns:
            What `Applier.apply` has returned; None where it waits.

        Raises:
            Exception: It was not written for a reason that will not pass.
            SoftTimeLimitExceeded: The task's time is over. The report waits.
        """
        if self._is_said_away:
            self._ask_whether_away()
        if not self.away:
            try:
                return self._applier.apply(report, again)
            except Exception as error:  # noqa: BLE001 (raised again, unless Redis is away)
                self._report_later(error, report)
                return None
        report.prepare()
        if self._keep(report, again=again):
            return None
        return self.report(report)  # Redis has just come back

    def _ask_whether_away(self) -> None:
        """Ask Redis for a moment, where only what others have left on disk says that it is away.

        They may have stood still since, and a task must not begin without a look at whether it was cancelled. Each
        child would wait for as long as one call may take, where it is away.
        """
        self._is_said_away = False
        done, answered = threading.Event(), threading.Event()

        def ask() -> None:
            with suppress(Exception):
                self._store.client.ping()
                answered.set()
            done.set()

        with suppress(RuntimeError):  # the interpreter is about to end
            threading.Thread(target=ask, name="jobtracker-ask", daemon=True).start()
            done.wait(_ASKED_FOR_S)
        if not answered.is_set():
            self.away = True
            self._look()

    def begin(self, begin: Callable[[], Begun[T]], report: Report) -> Callable[[], T | None]:
        """Send a report; what it returns is to be called, once, for what became of it, as from `report`.

        Args:
            begin: Sends it.
            report: The report, where that fails.
        """
        if self._is_said_away:
            self._ask_whether_away()
        if not self._has_begun:
            self._has_begun = True
            if self.takes_over and self._spool is not None and self._spool.somebody_waits():
                self._look()
        if not self.away:
            try:
                return functools.partial(self._finish, begin(), report)
            except Exception as error:  # noqa: BLE001 (raised again, unless Redis is away)
                self._expect_away(error, report)
                self._keep(report, again=True)
                return _nothing
        written = self.report(report)
        return lambda: written

    def _finish(self, begun: Begun[T], report: Report) -> T | None:
        if self.away:  # one has waited already
            begun.abandon()
        else:
            try:
                return begun()
            except Exception as error:  # noqa: BLE001 (raised again, unless Redis is away)
                self._expect_away(error, report)
        self._keep(report, again=True)
        return None

    def send(self, report: Report) -> Change | None:
        """Report an event of a job, in one round trip with all that was left.

        Returns:
            What became of it; None where it waits.

        Raises:
            Exception: As from `report`.
        """
        if self._is_said_away:
            self._ask_whether_away()
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
            return self._store.report_all([self._applier.call(report) for report in reports])
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
                return self._applier.follow(report, answer, False)
            except Exception as failure:  # noqa: BLE001 (raised again, unless Redis is away)
                error = failure
        if error is _IS_AWAY:
            written: Change | None = self.report(report)
            return written
        self._report_later(error, report)
        return None

    def ask(self, read: Callable[[], T], otherwise: T) -> T:
        """What Redis says; `otherwise`, without waiting, while it is away.

        Raises:
            Exception: It can't be read for a reason that will not pass.
        """
        if self._is_said_away:
            self._ask_whether_away()
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

    def close(self, *, is_followed: bool = False) -> None:
        """Send what was left and make a last attempt to write what waits, before the process ends.

        Args:
            is_followed: Another process goes on at once with what is on disk: without that attempt.
        """
        self.send_left()
        if self._sending.acquire(timeout=self._timeout_s):  # another thread may be about to learn that it must wait
            self._sending.release()
        self._stop.set()
        if self.away and not (is_followed and self._is_all_kept()):
            try:
                self._write_waiting(time.monotonic() + self._timeout_s)
            except Exception as error:  # noqa: BLE001 (the process ends, and says so below)
                logger.debug("jobtracker: %s", error)
        kept, lost = self._leave()
        if kept:
            level = logging.INFO if is_followed else logging.WARNING
            logger.log(level, "jobtracker: %d reports wait on disk: the tracking Redis is away", kept)
        if lost:
            logger.warning("jobtracker: %d reports are lost: the tracking Redis is away", lost)

    def _leave(self) -> tuple[int, int]:
        """Leave what waits on disk, with how much is lost; returns how many reports are there, and how many lost."""
        with self._lock:
            journal, waiting = self._journal, self._in_order()
            kept = sum(each.is_kept for each in waiting)
            lost = len(waiting) - kept
            if lost and not self._write_down(entry_of_dropped(lost)):
                lost += self._dropped
            if journal is not None:
                journal.leave()
            self._empty()
        return kept, lost

    def _is_all_kept(self) -> bool:
        with self._lock:
            return all(each.is_kept for each in self._in_order())

    # -- the buffer -------------------------------------------------------------------------------------------------

    def _report_later(self, error: Exception, report: Report) -> None:
        """Let a report wait that has failed, if that will pass."""
        self._expect_away(error, report)
        report.prepare()
        self._keep(report, again=True)

    def _expect_away(self, error: Exception, report: Report) -> None:
        """Go on only where a report failed for what will pass."""
        if is_away(error):
            return
        if isinstance(error, SoftTimeLimitExceeded):  # the task's, which came here by chance
            report.prepare()
            self._keep(report, again=True)
        elif not _was_written(error):
            self._count_dropped()
        raise error

    def _keep(self, report: Report, *, again: bool) -> bool:
        """Let a report wait; False where it need not: Redis is back, and it has not been tried."""
        text = self._encoded(report)
        with self._lock:
            if not self.away and not again:
                return False
            self._add(report, text, again=again)
            self._give_up_what_is_too_much()
            self.away = True
        self._look()
        return True

    def _encoded(self, report: Report) -> bytes | None:
        """A report as the journal has it, where there is one and it can be told."""
        if self._journal is None or (self._journal.trouble is not None and not self._journal.size):
            return None
        try:
            return encoded(report)
        except (TypeError, ValueError, RecursionError) as error:
            logger.debug("jobtracker: a report can't be kept on disk: %s", error)
            return None

    def _add(self, report: Report, text: bytes | None, *, again: bool) -> None:
        number, self._next = self._next, self._next + 1  # before it is used: a task's time limit may come here
        is_kept = text is not None and self._write_down(entry_of(number, text))
        self._insert(number, report, text, again=again, is_kept=is_kept)

    def _insert(self, number: int, report: Report, text: bytes | None, *, again: bool, is_kept: bool) -> None:
        chars = len(text) if text is not None else sum(map(len, report.data.values()))
        self._waiting[report.rank][number] = _Waiting(report, again, chars, is_kept)
        self._chars += chars
        if is_kept:
            _start_of(report).is_kept = True

    def _give_up_what_is_too_much(self) -> None:
        while self._count() > self.most or self._chars > _MOST_CHARS:
            lowest = next(waiting for waiting in self._waiting if waiting)
            number, given_up = lowest.popitem(last=False)
            self._chars -= given_up.chars
            self._dropped += 1
            self._write_down(entry_of_dropped(1), *([entry_of_end(number)] if given_up.is_kept else []))
        journal = self._journal
        if journal is not None and journal.trouble is None and journal.size > 2 * self._chars + _DEAD_BYTES:
            self._write_down_anew(journal)

    def _write_down(self, *entries: bytes) -> bool:
        """Write entries into the journal; False where they are in memory only."""
        if self._journal is None:
            return False
        was_well = self._journal.trouble is None
        is_written = self._journal.append(*entries)
        if not is_written and was_well:
            logger.warning("jobtracker: reports that wait are in memory only: %s", self._journal.trouble)
        return is_written

    def _write_down_anew(self, journal: Journal) -> None:
        waiting = [(number, each) for of_rank in self._waiting for number, each in of_rank.items() if each.is_kept]
        waiting.sort(key=lambda item: item[0])
        for _, each in waiting:
            _start_of(each.report).is_kept = False
        entries = []
        for number, each in waiting:
            entries.append(entry_of(number, encoded(each.report)))
            _start_of(each.report).is_kept = True
        journal.rewrite(*entries, *([entry_of_dropped(self._dropped)] if self._dropped else []))

    def _count(self) -> int:
        return sum(map(len, self._waiting))

    def _in_order(self) -> list[_Waiting]:
        items = sorted((number, each) for waiting in self._waiting for number, each in waiting.items())
        return [each for _, each in items]

    def _oldest(self) -> tuple[int, _Waiting] | None:
        first = [next(iter(waiting.items())) for waiting in self._waiting if waiting]
        return min(first, key=lambda item: item[0]) if first else None

    def _empty(self) -> None:
        self._waiting = tuple(OrderedDict() for _ in Rank)
        self._next = 0
        self._chars = 0
        self._dropped = 0
        self._has_begun = False

    def _forget(self) -> None:
        """Begin anew; in a process that was forked reports are its parent's, as are locks and threads.

        Whether Redis is away it goes on to know. What waits on disk says that it was for others: that is asked.
        """
        # Handlers of signals may interrupt each other.
        self._lock = threading.RLock()
        self._writing = threading.RLock()
        self._sending = threading.RLock()
        self._stop = threading.Event()
        self._empty()
        self._is_looked_for = False
        self._left: deque[tuple[float, Report]] = deque()
        self._is_sent_soon = False
        if self._spool is not None:
            if self._journal is not None:
                self._journal.leave()
                self._is_said_away = not self.away and self._spool.somebody_waits()
            self._journal = Journal(self._spool)

    # -- what others have left --------------------------------------------------------------------------------------

    def take_over(self) -> None:
        """Go on with what processes have left that have ended: they died, or Redis was away."""
        if self._spool is None:
            return
        for file in self._spool.left():
            left = file.read()
            if not left.reports and not left.dropped:
                file.remove()
                continue
            with self._lock:
                first, self._next = self._next, self._next + len(left.reports)
                entries = [entry_of(number, text) for number, (text, _) in enumerate(left.reports, start=first)]
                is_kept = self._write_down(*entries, *([entry_of_dropped(left.dropped)] if left.dropped else []))
                if not is_kept and self.away:
                    return  # it is safer where it is
                for number, (text, report) in enumerate(left.reports, start=first):
                    self._insert(number, report, text, again=True, is_kept=is_kept)
                self._dropped += left.dropped
                self._give_up_what_is_too_much()
                self.away = True
            file.remove()
            logger.info("jobtracker: %d reports of a process that has ended wait here now", len(left.reports))
            self._look()

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
        if self.takes_over:
            self._take_over_quietly()
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

    def _take_over_quietly(self) -> None:
        try:
            self.take_over()
        except Exception as error:  # noqa: BLE001 (what is on disk stays there, for others)
            logger.warning("jobtracker: the reports that others have left can't be read: %s", error)

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
                        if self._journal is not None:
                            self._journal.clear()
                        return True
                    if oldest is not None:
                        del self._waiting[oldest[1].report.rank][oldest[0]]
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
            self._applier.apply(waiting.report, waiting.again)
        except BaseException as error:
            if isinstance(error, Exception) and not self._may_succeed(waiting, error):
                logger.warning("jobtracker: a report was not written: %s: %s", type(error).__name__, error)
                if not _was_written(error):
                    with self._lock:
                        self._dropped += 1
                        self._write_down(entry_of_dropped(1))
            else:
                waiting.again = True
                with self._lock:
                    of_rank = self._waiting[waiting.report.rank]
                    of_rank[number] = waiting
                    of_rank.move_to_end(number, last=False)
                raise
        with self._lock:
            self._chars -= waiting.chars
            if waiting.is_kept:
                self._write_down(entry_of_end(number))

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
        except Exception as error:  # noqa: BLE001 (told when Redis is back)
            logger.debug("jobtracker: %s", error)
            with self._lock:
                self._write_down(entry_of_dropped(1))
                self.away = True
            self._look()

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
        with self._lock:
            if self._journal is not None and self._journal.size:
                self._write_down(entry_of_dropped(-dropped))
        logger.warning("jobtracker: %d reports were given up", dropped)


_IS_AWAY = ConnectionError("it did not answer before")
"""Instead of an answer to what was not sent."""


def _start_of(report: Report) -> Report:
    """The start of the execution that reports."""
    return report if report.start is None else report.start


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
