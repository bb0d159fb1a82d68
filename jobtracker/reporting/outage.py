"""An outage of the tracking Redis, in one process: reports wait, a thread probes Redis and writes what waits."""

import logging
import threading
import time
from typing import Any, Protocol

from celery.exceptions import SoftTimeLimitExceeded

from jobtracker.connection.client import connect_anew, is_away, is_unreachable
from jobtracker.errors import JobTrackerError, StoreMismatchError
from jobtracker.reporting.outage_buffer import OutageBuffer, Waiting
from jobtracker.reporting.redis_probe import RedisProbe, answers_within
from jobtracker.reporting.report import Report
from jobtracker.store.changes import Change
from jobtracker.store.functions import Call
from jobtracker.store.writer import JobStore

logger = logging.getLogger(__name__)

_CHECK_S = 0.25
"""How long a new process waits for a Redis that is away for others."""

_MOST_FAILURES = 5
"""If a report fails this often for lack of an answer while Redis answers, the reason is another one."""


class Applies(Protocol):
    """What writes reports (`Applier`)."""

    def apply(self, report: Report, is_repeat: bool) -> Any:
        """Write a report, with all that follows from it."""

    def call_of(self, report: Report) -> Call:
        """The call of the store that applies an event."""

    def follow(self, report: Report, change: Change, is_repeat: bool) -> Change:
        """Do what follows from the answer to an event."""


class Outage:
    """Whether the tracking Redis is away, and what is done about it.

    Args:
        store: The store.
        applier: Writes reports.
        buffer: What waits.

    Attributes:
        away: Whether Redis is away, as far as this process knows. Then reports wait.
        is_to_check: Only reports of others, which wait on disk, say that Redis is away: `check` has to ask.
        takes_over: Also send reports that other processes left on disk, at each probe of Redis.
    """

    def __init__(self, store: JobStore, applier: Applies, buffer: OutageBuffer) -> None:
        self.away = False
        self.is_to_check = False
        self.takes_over = True
        self._store = store
        self._applier = applier
        self._buffer = buffer
        self._probe = RedisProbe(self.write_waiting, self._take_over_quietly)
        self._writing = threading.RLock()

    def reset(self) -> None:
        """Begin without locks and threads: in a process that was forked these are its parent's, as are reports.

        It still knows whether Redis is away. Reports of others on disk say that it was away for them: `check` asks.
        """
        self._writing = threading.RLock()  # handlers of signals may interrupt each other
        self._probe.reset()
        self._buffer.reset()
        self.is_to_check = not self.away and self._buffer.has_journals()

    def check(self) -> None:
        """Ask Redis, for a moment, where only reports of others on disk say that it is away.

        Their processes may stand still, and a task must not begin before its job was asked whether it is cancelled.
        Each child would wait for a whole timeout, where Redis is away.
        """
        self.is_to_check = False
        if not answers_within(self._store.client, _CHECK_S):
            self.begin()

    def begin(self) -> None:
        """Redis is away: let reports wait, and probe it."""
        self.away = True
        self._probe.start()

    def probe(self) -> None:
        """Look for Redis, and at what other processes left on disk."""
        self._probe.start()

    # -- reports that wait ------------------------------------------------------------------------------------------

    def keep(self, report: Report, *, is_repeat: bool) -> bool:
        """Let a report wait.

        Returns:
            False where it need not wait: it was not tried, and Redis is back.
        """
        text = self._buffer.text_of(report)
        with self._buffer.lock:
            if not self.away and not is_repeat:
                return False
            self._buffer.add(report, text, is_repeat=is_repeat)
            self.away = True
        self._probe.start()
        return True

    def keep_failed(self, report: Report, error: Exception) -> None:
        """Let a report wait that failed because Redis is away.

        Raises:
            Exception: The error, where it says something else. The report is counted as given up, unless it is in the
                store or the error is the time limit of the task.
        """
        is_time_limit = isinstance(error, SoftTimeLimitExceeded)  # of the task, which came here by chance
        if is_time_limit or is_away(error):
            report.prepare()
            self.keep(report, is_repeat=True)
        elif not _was_written(error):
            self._count_dropped()
        if not is_away(error):
            raise error

    def release(self, until: float, *, is_followed: bool) -> tuple[int, int]:
        """Write what waits, as the process ends, and leave the rest to others.

        Args:
            until: When to give up, by `time.monotonic`.
            is_followed: Another process goes on at once with what is on disk; it need not be written here.

        Returns:
            How many reports wait on disk, and how many are lost.
        """
        self._probe.stop()
        if self.away and not (is_followed and self._is_all_on_disk()):
            try:
                self.write_waiting(until)
            except Exception as error:  # noqa: BLE001 (the process ends, and its reporter logs what is left)
                logger.debug("jobtracker: %s", error)
        with self._buffer.lock:
            return self._buffer.release()

    def _is_all_on_disk(self) -> bool:
        with self._buffer.lock:
            return self._buffer.is_all_on_disk()

    def take_over(self) -> None:
        """Go on with the reports of processes that have ended: they were killed, or Redis was away."""
        spool = self._buffer.spool
        if spool is None:
            return
        for journal in spool.abandoned():
            unwritten = journal.read()
            if not unwritten.reports and not unwritten.dropped:
                journal.remove()
                continue
            with self._buffer.lock:
                if not self._buffer.add_all(unwritten, only_on_disk=self.away):
                    return  # it is safer where it is
                self.away = True
            journal.remove()
            logger.info("jobtracker: %d reports of a process that has ended wait here now", len(unwritten.reports))
            self._probe.start()

    def _take_over_quietly(self) -> None:
        if not self.takes_over:
            return
        try:
            self.take_over()
        except Exception as error:  # noqa: BLE001 (what is on disk stays there, for others)
            logger.warning("jobtracker: the reports of other processes can't be read: %s", error)

    # -- writing them -----------------------------------------------------------------------------------------------

    def write_waiting(self, until: float | None = None) -> bool:
        """Write what waits, the oldest first, and end the outage.

        Args:
            until: When to give up, by `time.monotonic`; default: never.

        Returns:
            False where there was no time for all.

        Raises:
            Exception: Redis is away.
        """
        if not self._writing.acquire(timeout=-1 if until is None else max(0.0, until - time.monotonic())):
            return False
        buffer = self._buffer
        try:
            self._store.client.ping()
            while until is None or time.monotonic() < until:
                with buffer.lock:
                    oldest = buffer.take_oldest()
                    if oldest is None and not buffer.dropped:
                        self._probe.is_running = self.away = False  # first the probe: who finds it away starts one
                        buffer.clear_journal()
                        return True
                if oldest is None:
                    self._report_dropped()
                else:
                    self._write(*oldest)
        except Exception:
            # A server's successor is found by connecting anew.
            connect_anew(self._store.client)
            raise
        finally:
            self._writing.release()
        return False

    def _write(self, number: int, waiting: Waiting) -> None:
        try:
            self._applier.apply(waiting.report, waiting.is_repeat)
        except BaseException as error:
            if not isinstance(error, Exception) or self._may_succeed(waiting, error):
                waiting.is_repeat = True
                with self._buffer.lock:
                    self._buffer.put_back(number, waiting)
                raise
            logger.warning("jobtracker: a report was not written: %s: %s", type(error).__name__, error)
            if not _was_written(error):
                with self._buffer.lock:
                    self._buffer.dropped += 1
                    self._buffer.note_dropped()
        with self._buffer.lock:
            self._buffer.finish(number, waiting)

    def _may_succeed(self, waiting: Waiting, error: Exception) -> bool:
        """Whether to try a report again that has failed, when Redis is back."""
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

    # -- reports that were given up ---------------------------------------------------------------------------------

    def _count_dropped(self) -> None:
        with self._buffer.lock:
            self._buffer.dropped += 1
        try:
            self._report_dropped()
        except Exception as error:  # noqa: BLE001 (reported when Redis is back)
            logger.debug("jobtracker: %s", error)
            with self._buffer.lock:
                self._buffer.note_dropped()
                self.away = True
            self._probe.start()

    def _report_dropped(self) -> None:
        with self._buffer.lock:
            dropped, self._buffer.dropped = self._buffer.dropped, 0
        try:
            self._store.count_dropped(dropped)
        except Exception as error:
            if is_away(error):
                with self._buffer.lock:
                    self._buffer.dropped += dropped
                raise
            logger.warning("jobtracker: the reports that were given up are not counted: %s", error)
        with self._buffer.lock:
            self._buffer.note_counted(dropped)
        logger.warning("jobtracker: %d reports were given up", dropped)


def _was_written(error: BaseException) -> bool:
    """Whether a report that failed in the end is in the store: what follows from it is about Celery's broker."""
    return isinstance(error, JobTrackerError) and not isinstance(error, StoreMismatchError)
