"""Sends the reports of one process to the store: at once or, while the tracking Redis is away, later and in order.

A task waits once for a Redis that is away, for one timeout. From then on all reports of its process go into a bounded
outage buffer, and nobody waits. A thread probes Redis, writes what waits, and lets reports through again when the
buffer is empty. The buffer is on disk too (`journal`): when a process ends before Redis is back, another one goes on.
"""

import atexit
import functools
import logging
import os
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redis.exceptions import ConnectionError  # noqa: A004 (redis-py's own name)

from jobtracker.connection.client import is_away
from jobtracker.core.lifecycle import Outcome
from jobtracker.reporting.batch import Batch
from jobtracker.reporting.journal import Spool
from jobtracker.reporting.outage import Applies, Outage
from jobtracker.reporting.outage_buffer import OutageBuffer
from jobtracker.reporting.report import Report
from jobtracker.store.changes import Change, NewJob
from jobtracker.store.writer import Begun, JobStore

logger = logging.getLogger(__name__)
T = TypeVar("T")

Outcomes = list[Outcome]


class Reporter:
    """Sends the reports of one process.

    Args:
        store: The store.
        applier: Writes them.
        timeout_s: How long a last attempt may take before the process ends, in seconds.
        most: How many reports may wait.
        spool: Where what waits outlives the process; None: nowhere.

    Attributes:
        buffer: What waits while the tracking Redis is away.
        outage: Whether it is away, and what is done about it.
    """

    def __init__(
        self, store: JobStore, applier: Applies, timeout_s: float, most: int, spool: Spool | None = None
    ) -> None:
        self._store = store
        self._applier = applier
        self._timeout_s = timeout_s
        self._has_begun = False
        self.buffer = OutageBuffer(most, spool)
        self.outage = Outage(store, applier, self.buffer)
        self._batch = Batch(self.flush)
        _all.add(self)

    @property
    def away(self) -> bool:
        """Whether the last call found the tracking Redis away: reports wait then."""
        return self.outage.away

    # -- events of jobs ---------------------------------------------------------------------------------------------

    def send(self, report: Report) -> Change | None:
        """Report an event of a job, in one round trip with all that was enqueued.

        Returns:
            What became of it; None where it waits.

        Raises:
            Exception: As from `report`.
        """
        if self.outage.is_to_check:
            self.outage.check()
        batch = self._batch.take()
        *others, own = self._apply([*batch, report])
        if batch:
            self._follow_all(batch, others)
        return self._follow(report, own)

    def enqueue(self, report: Report) -> None:
        """Send an event with the next report, or by itself a moment later. Its answer is not waited for.

        If the process dies in between, only Celery's result backend can tell.
        """
        if self.outage.away:
            self.send(report)
        else:
            self._batch.enqueue(report)

    def flush(self) -> None:
        """Send what was enqueued."""
        batch = self._batch.take()
        if batch:
            self._follow_all(batch, self._apply(batch))

    def _apply(self, reports: list[Report]) -> Sequence[Change | Exception]:
        """What becomes of reports that are sent together."""
        if self.outage.away:
            return [_IS_AWAY] * len(reports)
        try:
            return self._store.report_all([self._applier.call_of(report) for report in reports])
        except Exception as error:  # noqa: BLE001 (it is the error of each of them)
            return [error] * len(reports)

    def _follow_all(self, reports: Sequence[Report], answers: Sequence[Change | Exception]) -> None:
        for report, answer in zip(reports, answers, strict=True):
            try:
                self._follow(report, answer)
            except Exception as error:  # noqa: BLE001 (a failure of the tracker, of which nobody else is told)
                logger.warning("jobtracker: a report was not written: %s: %s", type(error).__name__, error)

    def _follow(self, report: Report, answer: Change | Exception) -> Change | None:
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
        self.outage.keep_failed(report, error)
        return None

    # -- any report -------------------------------------------------------------------------------------------------

    def report(self, report: Report) -> Any:
        """Write a report now or, while Redis is away, later.

        Returns:
            What `Applier.apply` returned; None where it waits.

        Raises:
            Exception: It was not written for a reason that will not pass.
            SoftTimeLimitExceeded: The task's time is over. The report waits.
        """
        if self.outage.is_to_check:
            self.outage.check()
        if not self.outage.away:
            try:
                return self._applier.apply(report, False)
            except Exception as error:  # noqa: BLE001 (raised again, unless Redis is away)
                self.outage.keep_failed(report, error)
                return None
        report.prepare()
        if self.outage.keep(report, is_repeat=False):
            return None
        return self.report(report)  # Redis has just come back

    def begin_create(self, jobs: Sequence[NewJob], report: Report) -> Callable[[], Outcomes | None]:
        """Send the jobs of a message that is about to be sent: the two travel at the same time.

        Args:
            jobs: What to create.
            report: The whole report, which is written later where Redis is away.

        Returns:
            To be called, once, for what became of each job; None where the report waits.
        """
        if self.outage.is_to_check:
            self.outage.check()
        if not self._has_begun:
            self._has_begun = True
            if self.outage.takes_over and self.buffer.has_journals():
                self.outage.probe()
        if not self.outage.away:
            try:
                begun = self._store.begin_create(*jobs, at_ms=report.at_ms)
            except Exception as error:  # noqa: BLE001 (raised again, unless Redis is away)
                self.outage.keep_failed(report, error)
                return _waits
            return functools.partial(self._finish, begun, report)
        written = self.report(report)
        return lambda: written

    def _finish(self, begun: Begun[Outcomes], report: Report) -> Outcomes | None:
        if self.outage.away:  # one has waited already
            begun.abandon()
            self.outage.keep(report, is_repeat=True)
            return None
        try:
            return begun()
        except Exception as error:  # noqa: BLE001 (raised again, unless Redis is away)
            self.outage.keep_failed(report, error)
            return None

    def ask(self, read: Callable[[], T], otherwise: T) -> T:
        """What Redis says; `otherwise`, without waiting, while it is away.

        Raises:
            Exception: It can't be read for a reason that will not pass.
        """
        if self.outage.is_to_check:
            self.outage.check()
        if not self.outage.away:
            try:
                return read()
            except Exception as error:
                if not is_away(error):
                    raise
                self.outage.begin()
                return otherwise
        self.outage.probe()
        return otherwise

    # -- the process ------------------------------------------------------------------------------------------------

    def count_waiting(self) -> int:
        """How many reports of this process are not in the store yet."""
        with self.buffer.lock:
            return self._batch.count() + self.buffer.count()

    def take_over(self) -> None:
        """Go on with the reports of processes that have ended: they were killed, or Redis was away."""
        self.outage.take_over()

    def close(self, *, is_followed: bool = False) -> None:
        """Send what was enqueued and make a last attempt to write what waits, before the process ends.

        Args:
            is_followed: Another process goes on at once with what is on disk: without that attempt.
        """
        self.flush()
        self._batch.wait_for_thread(self._timeout_s)
        on_disk, lost = self.outage.release(time.monotonic() + self._timeout_s, is_followed=is_followed)
        self._has_begun = False
        if on_disk:
            level = logging.INFO if is_followed else logging.WARNING
            logger.log(level, "jobtracker: %d reports wait on disk: the tracking Redis is away", on_disk)
        if lost:
            logger.warning("jobtracker: %d reports are lost: the tracking Redis is away", lost)

    def reset(self) -> None:
        """Begin anew in a process that was forked: reports, locks and threads are its parent's."""
        self._has_begun = False
        self._batch.reset()
        self.outage.reset()


_IS_AWAY = ConnectionError("it did not answer before")
"""Instead of an answer to what was not sent."""


def _waits() -> None:
    """What became of a report that waits."""


_all: "weakref.WeakSet[Reporter]" = weakref.WeakSet()


def _reset_after_fork() -> None:
    for reporter in _all:
        reporter.reset()


def _close_at_exit() -> None:
    for reporter in list(_all):
        reporter.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
atexit.register(_close_at_exit)
