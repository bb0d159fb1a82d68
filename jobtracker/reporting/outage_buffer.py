"""The outage buffer: reports of one process that wait for the tracking Redis, in memory and on disk."""

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass

from jobtracker.reporting.journal import Journal, Spool
from jobtracker.reporting.journal_entries import Unwritten, done_entry, dropped_entry, encoded, report_entry
from jobtracker.reporting.report import Importance, Report

logger = logging.getLogger(__name__)

_MOST_CHARS = 64 * 2**20
"""Of all reports that wait, however many these are."""

_DEAD_BYTES = 8 * 2**20
"""A journal is written anew when it is longer than this and twice what waits."""


@dataclass(slots=True)
class Waiting:
    """A report that waits."""

    report: Report
    is_repeat: bool
    """It may have been written before."""
    chars: int
    is_on_disk: bool
    """It is in the journal."""
    failures: int = 0
    """How often it failed while Redis answered."""


class OutageBuffer:
    """Reports that wait, in the order in which they came, and a count of those that were given up.

    It is bounded: a full one gives up its least important reports. Callers hold `lock` around each method except
    `text_of`, so that a check and the change after it are one step.

    Args:
        most: How many reports may wait.
        spool: Where what waits outlives the process; None: nowhere.

    Attributes:
        most: How many reports may wait.
        lock: Held while the buffer is read or changed.
        dropped: Reports that were given up and are not yet counted in the store.
    """

    def __init__(self, most: int, spool: Spool | None) -> None:
        self.most = most
        self.spool = spool
        self._journal: Journal | None = None
        self.reset()

    def reset(self) -> None:
        """Begin with an empty buffer: in a process that was forked lock, reports and journal are its parent's."""
        self.lock = threading.RLock()  # handlers of signals may interrupt each other
        self._empty()
        if self._journal is not None:
            self._journal.release()
        if self.spool is not None:
            self._journal = Journal(self.spool)

    def has_journals(self) -> bool:
        """Whether reports of any process wait on disk: Redis was away a moment ago."""
        return self.spool is not None and self.spool.has_journals()

    def count(self) -> int:
        """How many reports wait, and how many were given up that are not counted in the store."""
        return sum(map(len, self._by_importance)) + self.dropped

    def _empty(self) -> None:
        self._by_importance: tuple[OrderedDict[int, Waiting], ...] = tuple(OrderedDict() for _ in Importance)
        self._next = 0
        self._chars = 0
        self.dropped = 0

    def text_of(self, report: Report) -> bytes | None:
        """A report as the journal has it; None where there is no journal, or it can't be told."""
        if self._journal is None or (self._journal.error is not None and not self._journal.size):
            return None
        try:
            return encoded(report)
        except (TypeError, ValueError, RecursionError) as error:
            logger.debug("jobtracker: a report can't be kept on disk: %s", error)
            return None

    def add(self, report: Report, text: bytes | None, *, is_repeat: bool) -> None:
        """Let a report wait, with its `text_of`."""
        number, self._next = self._next, self._next + 1  # before it is used: a task's time limit may come here
        is_on_disk = text is not None and self._write_down(report_entry(number, text))
        self._insert(number, report, text, is_repeat=is_repeat, is_on_disk=is_on_disk)
        self._drop_excess()

    def add_all(self, unwritten: Unwritten, *, only_on_disk: bool) -> bool:
        """Let reports wait that another process left in its journal.

        Args:
            unwritten: What is in its journal.
            only_on_disk: Add them only where they get into the journal of this process too.

        Returns:
            Whether they were added.
        """
        first, self._next = self._next, self._next + len(unwritten.reports)
        entries = [report_entry(number, text) for number, (text, _) in enumerate(unwritten.reports, start=first)]
        is_on_disk = self._write_down(*entries, *([dropped_entry(unwritten.dropped)] if unwritten.dropped else []))
        if not is_on_disk and only_on_disk:
            return False
        for number, (text, report) in enumerate(unwritten.reports, start=first):
            self._insert(number, report, text, is_repeat=True, is_on_disk=is_on_disk)
        self.dropped += unwritten.dropped
        self._drop_excess()
        return True

    def _insert(self, number: int, report: Report, text: bytes | None, *, is_repeat: bool, is_on_disk: bool) -> None:
        chars = len(text) if text is not None else sum(map(len, report.data.values()))
        self._by_importance[report.importance][number] = Waiting(report, is_repeat, chars, is_on_disk)
        self._chars += chars
        if is_on_disk:
            _start_of(report).is_on_disk = True

    def _drop_excess(self) -> None:
        while sum(map(len, self._by_importance)) > self.most or self._chars > _MOST_CHARS:
            lowest = next(waiting for waiting in self._by_importance if waiting)
            number, dropped = lowest.popitem(last=False)
            self._chars -= dropped.chars
            self.dropped += 1
            self._write_down(dropped_entry(1), *([done_entry(number)] if dropped.is_on_disk else []))
        journal = self._journal
        if journal is not None and journal.error is None and journal.size > 2 * self._chars + _DEAD_BYTES:
            self._rewrite(journal)

    def take_oldest(self) -> tuple[int, Waiting] | None:
        """Take the oldest report out, with its number; it stays in the journal until `finish`."""
        first = [next(iter(waiting.items())) for waiting in self._by_importance if waiting]
        if not first:
            return None
        number, oldest = min(first, key=lambda item: item[0])
        del self._by_importance[oldest.report.importance][number]
        return number, oldest

    def put_back(self, number: int, waiting: Waiting) -> None:
        """Let a report wait again that was taken out."""
        of_importance = self._by_importance[waiting.report.importance]
        of_importance[number] = waiting
        of_importance.move_to_end(number, last=False)

    def finish(self, number: int, waiting: Waiting) -> None:
        """Forget a report that was taken out: it was written or given up."""
        self._chars -= waiting.chars
        if waiting.is_on_disk:
            self._write_down(done_entry(number))

    def note_dropped(self) -> None:
        """Note on disk that a report was given up."""
        self._write_down(dropped_entry(1))

    def note_counted(self, dropped: int) -> None:
        """Note on disk that reports which were given up are counted in the store."""
        if self._journal is not None and self._journal.size:
            self._write_down(dropped_entry(-dropped))

    def clear_journal(self) -> None:
        """Remove the journal: nothing waits any more."""
        if self._journal is not None:
            self._journal.clear()

    def is_all_on_disk(self) -> bool:
        """Whether another process can go on with all that waits."""
        return all(each.is_on_disk for each in self._all())

    def release(self) -> tuple[int, int]:
        """Leave what waits to other processes; returns how many reports are on disk, and how many are lost."""
        waiting = self._all()
        on_disk = sum(each.is_on_disk for each in waiting)
        lost = len(waiting) - on_disk
        if lost and not self._write_down(dropped_entry(lost)):
            lost += self.dropped
        if self._journal is not None:
            self._journal.release()
        self._empty()
        return on_disk, lost

    def _all(self) -> list[Waiting]:
        return [each for waiting in self._by_importance for each in waiting.values()]

    def _write_down(self, *entries: bytes) -> bool:
        """Write entries into the journal; False where they are in memory only."""
        if self._journal is None:
            return False
        was_well = self._journal.error is None
        is_written = self._journal.append(*entries)
        if not is_written and was_well:
            logger.warning("jobtracker: reports that wait are in memory only: %s", self._journal.error)
        return is_written

    def _rewrite(self, journal: Journal) -> None:
        items = (item for of_importance in self._by_importance for item in of_importance.items())
        waiting = sorted(((number, each) for number, each in items if each.is_on_disk), key=lambda item: item[0])
        for _, each in waiting:
            _start_of(each.report).is_on_disk = False
        entries = []
        for number, each in waiting:
            entries.append(report_entry(number, encoded(each.report)))
            _start_of(each.report).is_on_disk = True
        journal.rewrite(*entries, *([dropped_entry(self.dropped)] if self.dropped else []))


def _start_of(report: Report) -> Report:
    """The start of the execution that reports."""
    return report if report.start is None else report.start
