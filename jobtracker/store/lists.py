"""Reading lists: pages of jobs that a filter wants."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import Status
from jobtracker.schemas.filters import JobFilter, TimeRange
from jobtracker.schemas.jobs import JobPage
from jobtracker.store.cursors import need_same
from jobtracker.store.decode import summary_of
from jobtracker.store.job_json import failed_page_json, page_json
from jobtracker.store.job_reader import JobReader
from jobtracker.store.list_plan import SKEW_MS, ListCursor, Plan, plan
from jobtracker.store.merge import Place
from jobtracker.store.records import Row, fetch
from jobtracker.store.schema import JobRecord


class ListReader(JobReader):
    """Reads pages of jobs."""

    def page(
        self, wanted: JobFilter, *, size: int = 50, number: int | None = None, cursor: str | None = None
    ) -> JobPage:
        """One page of a list, by number (from 1) or by cursor.

        Where an index covers the filter the cost does not depend on the number of jobs or the depth of the page,
        and the total is exact. Otherwise the page looks at `SCAN_BUDGET` entries at most, or at fewer if their checks
        cost more; it may come back short, and has a cursor to go on from.

        Raises:
            BadCursorError: The cursor is none, or of another list.
            UnsupportedSortError: By change of status, without a status.
        """
        rows, about = self._page(wanted, size, number, cursor)
        return JobPage(jobs=[summary_of(row.record) for row in rows], **about)

    def page_json(
        self, wanted: JobFilter, *, size: int = 50, number: int | None = None, cursor: str | None = None
    ) -> bytes:
        """The same as the JSON of a `JobPage`."""
        rows, about = self._page(wanted, size, number, cursor)
        return page_json(rows, about)

    def failed_json(
        self, wanted: JobFilter, *, size: int = 50, number: int | None = None, cursor: str | None = None
    ) -> bytes:
        """The JSON of a `FailedJobPage`: jobs, each with its error."""
        rows, about = self._page(wanted, size, number, cursor)
        pipe = self.client.pipeline(transaction=False)
        for row in rows:
            pipe.hget(self.keys("data", row.id), "error")
        return failed_page_json(rows, pipe.execute(), about)

    def failed_since(self, since: datetime, most: int) -> tuple[list[JobRecord], int]:
        """The latest of the jobs that failed at a time or later, the latest first; and how many there are in all."""
        wanted = JobFilter(status=(Status.FAILED,), finished=TimeRange(since=since))
        rows, about = self._page(wanted, most, None, None)
        return [row.record for row in rows], about["total"]

    def latest(self, most: int) -> list[JobRecord]:
        """The jobs that were created last, the latest first."""
        rows, _ = self._page(JobFilter(), most, None, None)
        return [row.record for row in rows]

    def schedules(self, job_ids: Sequence[str]) -> list[str]:
        """The entries in beat's schedule that sent these jobs."""
        pipe = self.client.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.hget(self.keys("data", job_id), "schedule")
        return [name for name in (pipe.execute() if job_ids else []) if name]

    def active_json(self, wanted: JobFilter, most: int) -> bytes:
        """The JSON of `ActiveJobs`: the first jobs of a list, and how many there are."""
        rows, about = self._page(wanted, most, None, None)
        return page_json(rows, {"total": about["total"]})

    def _page(
        self, wanted: JobFilter, size: int, number: int | None, cursor: str | None
    ) -> tuple[list[Row], dict[str, Any]]:
        """The rows of a page, and what a `JobPage` says beside its jobs."""
        way = plan(wanted.with_default_queue(self.registry.default_queue()))
        if len(wanted.sent_by) == 1:
            way = self._while_sending(way, wanted.sent_by[0])
        start = ListCursor.read(cursor) if cursor else None
        if start:
            need_same(start.signature, way.signature, "a list with other filters")
        place, skip = (Place(start.score, start.id), start.skip) if start else (None, ((number or 1) - 1) * size)
        found = self._pages.find(self.parts, way, size, place, skip)
        rows, total, last = found.rows, found.total, found.last
        following = None
        if last:
            following = ListCursor(signature=way.signature, score=last.score, id=last.id, skip=found.skip).write()
        if total is None and last is None and start is None and number in {None, 1}:
            total = len(rows)  # all that there are were looked at
        return rows, {
            "total": total,
            "page": None if cursor else number or 1,
            "page_size": size,
            "next_cursor": following,
            "looked_at": found.looked_at if way.checks else None,
            "looked_to": from_ms(last.score) if way.checks and last and way.index.name != "subs" else None,
        }

    def _while_sending(self, way: Plan, sender: str) -> Plan:
        """Look for what a job has sent only among the jobs that came to be from its creation to its end."""
        [record] = fetch(self.client, self.keys, [sender])
        if not record.exists:
            return way
        finished = record.finished
        return way.created_between(record.created - SKEW_MS, finished + SKEW_MS if finished else None)
