"""Reading the outline of a tree: its jobs in the order in which they are shown, in columns, without payloads."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from jobtracker.schemas.trees import TreeOutline
from jobtracker.store.cursors import Cursor, need_same
from jobtracker.store.job_json import to_json
from jobtracker.store.job_reader import JobReader
from jobtracker.store.records import fetch
from jobtracker.store.schema import JobRecord

_BATCH = 500
"""Records that one round trip fetches."""


class _Cursor(Cursor):
    """Where an outline goes on. It names no ids: these may be long, and a path of fifty of them would not fit."""

    root: str
    rows: int = Field(ge=1, le=2**53)
    """How many rows went before."""
    path: list[tuple[int, int]] = Field(max_length=100)
    """From the root down to the parent whose sub-jobs come next: each one's row, and its place among its siblings."""
    after: int = Field(ge=-1, le=2**53)
    """The place of the last sub-job that was shown there."""


Entry = tuple[int, JobRecord]
"""A sub-job: its place among its siblings, and its record."""


@dataclass
class _Family:
    """The sub-jobs of one parent, some at a time."""

    parent_id: str
    row: int
    after: int = -1
    """The place of the last one that was shown."""
    entries: list[Entry] = field(default_factory=list)
    """Those that come next, the next one last."""
    is_whole: bool = False
    """There are no others behind `entries`."""


class OutlineReader(JobReader):
    """Reads outlines of trees."""

    def outline_json(self, job_id: str, most: int, cursor: str | None = None) -> bytes:
        """The JSON of a `TreeOutline`: some rows of a tree, the first ones or those behind a cursor.

        The cost depends on the number of rows, not on the size of the tree or on how deep the page is in it.

        Raises:
            JobNotFoundError: There is no job with that id.
            BadCursorError: The cursor is none, or of another tree.
        """
        root = self.record(job_id)
        start = _Cursor.read(cursor) if cursor else None
        if start:
            need_same(start.root, job_id, "another tree")
        walk = _Walk(self, root, start)
        rows = list(walk.rows(most))
        columns = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
        about: dict[str, Any] = {"first_row": walk.first, "rows": len(rows), "next_cursor": walk.cursor()}
        return to_json(about | dict(zip(COLUMNS, columns, strict=True)))

    def families_after(self, wanted: Iterable[tuple[str, int]]) -> list[tuple[list[Entry], bool]]:
        """The next sub-jobs of some parents, each behind a place; and whether these are all that are left.

        Args:
            wanted: The parents, and the place behind which to begin; -1: with the first.
        """
        pipe = self.client.pipeline(transaction=False)
        for parent_id, after in wanted:
            key = self.keys("subs", parent_id)
            pipe.zrange(key, f"({after}", "+inf", byscore=True, offset=0, num=_BATCH, withscores=True)
        found: list[list[tuple[str, float]]] = pipe.execute()
        records = iter(fetch(self.client, self.keys, (sub for family in found for sub, _ in family)))
        return [([(int(at), next(records)) for _, at in family], len(family) < _BATCH) for family in found]


class _Walk:
    """One way through a tree, parents before their sub-jobs."""

    def __init__(self, reader: OutlineReader, root: JobRecord, start: _Cursor | None) -> None:
        self.reader = reader
        self.root = root
        self.first = start.rows if start else 0
        self._row = self.first
        self._families: list[_Family] = []  # from the root's down to the one that is shown
        self._ahead: dict[str, tuple[list[Entry], bool]] = {}  # by parent: fetched together with a sibling's
        if start:
            self._go_to(start)

    def _go_to(self, start: _Cursor) -> None:
        parent_id, row = self.root.id, 0
        for child_row, place in start.path:
            self._families.append(_Family(parent_id, row, place))
            [child] = self.reader.client.zrange(
                self.reader.keys("subs", parent_id), place, place, byscore=True, offset=0, num=1
            ) or [None]
            if child is None:  # it was deleted meanwhile
                return
            parent_id, row = child, child_row
        self._families.append(_Family(parent_id, row, start.after))

    def rows(self, most: int) -> Iterator[Sequence[Any]]:
        """The next rows, so many at most."""
        left = most
        if not self._row:
            yield self._shown(self.root, None, 0)
            left -= 1
            self._enter(self.root, 0)
        while self._families:
            family = self._families[-1]
            if not family.entries and not family.is_whole:
                [(entries, family.is_whole)] = self.reader.families_after([(family.parent_id, family.after)])
                family.entries = entries[::-1]
            if not family.entries:
                self._families.pop()
            elif not left:
                return
            else:
                family.after, record = family.entries.pop()
                if record.exists:  # one may be announced before it is recorded
                    row = self._row
                    yield self._shown(record, family.row, len(self._families))
                    left -= 1
                    self._enter(record, row, family.entries, left)

    def _enter(self, record: JobRecord, row: int, siblings: Sequence[Entry] = (), left: int = 0) -> None:
        """Go on with the sub-jobs of a job; those of its next siblings are fetched in the same round trips."""
        if not record.subs:
            return
        if record.id not in self._ahead:
            wanted, expected = [record.id], record.subs
            for _, sibling in reversed(siblings):
                if expected >= min(left, 2 * _BATCH):
                    break
                if sibling.subs:
                    wanted.append(sibling.id)
                    expected += sibling.subs
            self._ahead |= zip(wanted, self.reader.families_after([(each, -1) for each in wanted]), strict=True)
        entries, is_whole = self._ahead.pop(record.id)
        self._families.append(_Family(record.id, row, entries=entries[::-1], is_whole=is_whole))

    def cursor(self) -> str | None:
        """Where the next rows begin; None: there are none."""
        if not self._families:
            return None
        path = [(below.row, family.after) for family, below in zip(self._families, self._families[1:], strict=False)]
        return _Cursor(root=self.root.id, rows=self._row, path=path, after=self._families[-1].after).write()

    def _shown(self, record: JobRecord, parent: int | None, depth: int) -> Sequence[Any]:
        self._row += 1
        return parent, depth, *_values(record)


def _values(record: JobRecord) -> Iterator[Any]:
    subs, total = record.subs, record.progress_total
    yield record.id
    yield record.title
    yield record.type
    yield record.nearest_status
    yield record.reason
    yield record.actual_queue or record.queue
    yield record.worker
    yield record.run
    yield record.attempt
    yield record.created
    yield record.queued
    yield record.waits_from
    yield record.began or record.started
    yield record.finished
    execution = record.execution if subs else None  # its id begins with when it began: lua/lib/executions.lua
    yield int(execution.partition("-")[0]) if execution else None
    yield record.eta
    yield record.progress_done if total else None
    yield total
    yield subs
    yield record.subs_completed
    yield record.subs_failed
    yield record.subs_cancelled


COLUMNS = tuple(name for name in TreeOutline.model_fields if name not in {"first_row", "rows", "next_cursor"})
