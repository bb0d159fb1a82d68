"""Reading groups of plain Celery tasks: their members know the group's id, and no index has them."""

import re
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.errors import JobNotFoundError
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.lists import ListReader
from jobtracker.store.schema import JobRecord
from jobtracker.store.trees import TreeReader, joined

GROUP = "celery.group"
"""The job type that stands for a group where it is shown as a tree."""

MOST_MEMBERS = 5000
MOST_SHOWN = 500
"""Members that a tree shows."""

_PAGE = 500
_MOST_PAGES = 10
"""Each looks at `SCAN_BUDGET` jobs at most, the newest first."""

_MOST_S = 0.5
"""No further page is begun after so long: an id of which nothing is known must not keep Redis busy."""

REMEMBERED_S = 5.0
"""So long an id that is no group's is not looked for again …"""
_MOST_REMEMBERED = 1000
"""… and so many of them are remembered."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The ids that Celery gives groups. Nothing else is looked for."""


class Group(NamedTuple):
    """A group, as far as it was found among the latest jobs."""

    id: str
    members: list[JobRecord]
    """The oldest first."""
    is_complete: bool
    """No member is missing here, but for those that were deleted."""

    @property
    def counts(self) -> Counter[Status]:
        """How many of its members have each status."""
        return Counter(record.nearest_status for record in self.members)

    @property
    def status(self) -> Status:
        """That of all of them: open while one is open; else failed or cancelled where one is."""
        statuses = set(self.counts)
        if statuses == {Status.PENDING}:
            return Status.PENDING
        if statuses - SETTLED:
            return Status.RUNNING
        return next((each for each in (Status.FAILED, Status.CANCELLED) if each in statuses), Status.COMPLETED)

    @property
    def sentence(self) -> str:
        """What it is, and how many of its members have each status."""
        counts = ", ".join(f"{number:,} {status}" for status, number in sorted(self.counts.items()))
        least = "" if self.is_complete else "at least "
        return f"It is a Celery group, not a job: {least}{len(self.members):,} jobs, {counts}."


class NotFound:
    """What was looked for a moment ago, and was not there."""

    def __init__(self) -> None:
        self._until: OrderedDict[Hashable, float] = OrderedDict()  # the next that is forgotten first
        self._lock = threading.Lock()

    def add(self, key: Hashable) -> None:
        """Remember something for some seconds."""
        with self._lock:
            self._until[key] = time.monotonic() + REMEMBERED_S
            self._until.move_to_end(key)
            if len(self._until) > _MOST_REMEMBERED:
                self._until.popitem(last=False)

    def __contains__(self, key: Hashable) -> bool:
        return self._until.get(key, 0.0) > time.monotonic()

    def __len__(self) -> int:
        return len(self._until)


class GroupReader(TreeReader, ListReader):
    """Reads groups."""

    @cached_property
    def _no_groups(self) -> NotFound:
        return NotFound()

    def group(self, group_id: str) -> Group:
        """A group. Looks at the latest jobs only: a bounded number, for a bounded time.

        If it finds nothing, it does not look again for some seconds.

        Raises:
            JobNotFoundError: None of these is in such a group.
        """
        asked = group_id, tuple(self.parts)
        if not _UUID.fullmatch(group_id) or asked in self._no_groups:
            raise JobNotFoundError(group_id)
        members: list[JobRecord] = []
        until = time.monotonic() + _MOST_S
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            rows, about = self._page(JobFilter(group=group_id), _PAGE, None, cursor)
            members += [row.record for row in rows]
            cursor = about["next_cursor"]
            is_over = bool(members) and not rows  # its members were sent one after the other
            if cursor is None or is_over or len(members) >= MOST_MEMBERS or time.monotonic() > until:
                break
        if not members:
            self._no_groups.add(asked)
            raise JobNotFoundError(group_id)
        is_complete = len(members) < MOST_MEMBERS and (cursor is None or is_over)
        members = sorted(members[:MOST_MEMBERS], key=lambda record: record.created)
        return Group(group_id, members, is_complete)

    def tree_or_group_json(self, job_id: str) -> Iterator[bytes]:
        """A job with all below it; or a group, as a tree whose sub-jobs are its first members, with all below them.

        JSON, in pieces, as `tree_json`.

        Raises:
            JobNotFoundError: There is neither with that id; at once, not with the first piece.
        """
        try:
            return self.tree_json(job_id)
        except JobNotFoundError:
            return joined(self._group_json(self.group(job_id)))

    def _group_json(self, group: Group) -> Iterator[bytes]:
        yield self.loaded_json(_root_of(group), {})[:-1] + b',"sub_jobs":['
        ids = [record.id for record in group.members[:MOST_SHOWN]]
        yield from self._nested([self.load(ids, missing_ok=True)])
        yield b"]}"


def _root_of(group: Group) -> JobRecord:
    """A group as the record of a job: what its members say together."""
    members, counts, status = group.members, group.counts, group.status
    started = [record.started for record in members if record.started]
    reason = group.sentence
    if len(members) > MOST_SHOWN:
        reason += f" The first {MOST_SHOWN} are shown; the list of jobs with group={group.id} has all."
    fields: dict[str, Any] = {
        "status": str(status),
        "status_changed_at": max(record.status_changed_at for record in members),
        "type": GROUP,
        "name": f"group of {len(members):,} jobs",
        "reason": reason,
        "created": members[0].created,
        "queued": members[0].queued,
        "started": min(started) if started else None,
        "run": 0,
        "subs": len(members),
        "subs_completed": counts[Status.COMPLETED],
        "subs_failed": counts[Status.FAILED],
        "subs_cancelled": counts[Status.CANCELLED],
        "sent_by": members[0].sent_by,
    }
    if status in SETTLED:
        fields["finished"] = max(record.finished or 0 for record in members)
    return JobRecord.of(group.id, fields)
