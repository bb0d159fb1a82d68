"""What changed between two events: which jobs, or that there are many."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from fastapi.sse import format_sse_event

from jobtracker.store.reader import Hint

MOST_JOBS = 200
"""Jobs that an event names. If there are more, a viewer reads what it shows anew."""


class Wanted(NamedTuple):
    """Which hints a viewer wants. None: all."""

    job_id: str | None = None
    tree: str | None = None
    """A job and all below it."""
    job_type: str | None = None
    status: str | None = None
    """Jobs that come to this status, are in it, or leave it."""
    types: tuple[str, ...] | None = None
    """The types that the viewer may see."""

    def takes(self, hint: Hint, above: Iterable[str] | None) -> bool:
        """Whether a hint is wanted; `above` are the ids of its job and of those above it, if they are known.

        One that stands for several jobs is wanted if one of them may be.
        """
        if self.job_id is not None and hint.id != self.job_id:
            return False
        if self.tree is not None and above is not None and self.tree not in above:
            return False
        if self.types is not None and hint.job_type not in self.types:
            return False
        if self.job_type is not None and hint.job_type != self.job_type:
            return False
        return self.status is None or self.status in (hint.status, hint.before)


class Batch:
    """Hints that become one event. Hints of the same job are one; past `MOST_JOBS` only their number is kept.

    Attributes:
        jobs: The jobs, by id, as they are sent.
        changes: How many hints it was made of.
        many: There are too many to name.
        rest_ms: How long its viewers are to wait before they read a list anew.
    """

    __slots__ = ("_frame", "changes", "jobs", "many", "rest_ms")

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.changes = 0
        self._frame: tuple[str, bytes] | None = None
        self.many = False
        self.rest_ms = 0

    def __bool__(self) -> bool:
        return self.changes > 0

    def add(self, hint: Hint) -> None:
        """Add a hint."""
        self.changes += hint.jobs
        if self.many:
            return
        known = self.jobs.get(hint.id)
        if known is not None:
            if hint.what not in known["what"]:
                known["what"] = [*known["what"], hint.what]
            known["status"] = hint.status
            if hint.before:
                known.setdefault("before", hint.before)
            if hint.parent:
                known["parent"] = hint.parent
        elif hint.id and len(self.jobs) < MOST_JOBS:
            job: dict[str, Any] = {"id": hint.id, "what": [hint.what], "status": hint.status}
            if hint.before:
                job["before"] = hint.before
            job["job_type"] = hint.job_type
            if hint.parent:
                job["parent"] = hint.parent
            self.jobs[hint.id] = job
        else:
            self.give_up()

    def give_up(self, changes: int = 0) -> None:
        """Name none: there are too many, or they are not known."""
        self.many, self.jobs = True, {}
        self.changes += changes

    def with_later(self, later: "Batch") -> "Batch":
        """A new batch of both."""
        both = Batch()
        both.changes = self.changes + later.changes
        both.rest_ms = later.rest_ms
        both.jobs = {job_id: dict(job) for job_id, job in self.jobs.items()}
        if self.many or later.many:
            both.give_up()
            return both
        for job_id, job in later.jobs.items():
            known = both.jobs.get(job_id)
            if known is None:
                both.jobs[job_id] = dict(job)
            else:
                what = [*known["what"], *(each for each in job["what"] if each not in known["what"])]
                before = known.get("before") or job.get("before")
                both.jobs[job_id] = {**known, **job, "what": what, **({"before": before} if before else {})}
        if len(both.jobs) > MOST_JOBS:
            both.give_up()
        return both

    def frame(self, event_id: str) -> bytes:
        """The event as it is sent; made once for all who get the same one."""
        if self._frame is None or self._frame[0] != event_id:
            many = self.changes if self.many else None
            data = {"jobs": [*self.jobs.values()], "many": many, "rest_ms": self.rest_ms}
            self._frame = event_id, frame("jobs", event_id, data)
        return self._frame[1]


def frame(event: str | None, event_id: str | None, data: Any, **more: Any) -> bytes:
    """An event as it is sent."""
    text = None if data is None else json.dumps(data, separators=(",", ":"))
    return format_sse_event(event=event, id=event_id, data_str=text, **more)
