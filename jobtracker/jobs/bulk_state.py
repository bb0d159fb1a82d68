"""How far a bulk run is: what its holder writes down between two steps."""

from typing import Any

from pydantic import BaseModel

from jobtracker.core.access import Principal
from jobtracker.core.job import BULK_TYPE
from jobtracker.core.lifecycle import Priority, Status
from jobtracker.schemas.bulk import BulkAction
from jobtracker.store.bulk_runs import Selection
from jobtracker.store.merge import Place
from jobtracker.store.schema import JobRecord

MOST_KEPT = 10_000
"""So many refused jobs are kept with their reasons."""


class BulkState(BaseModel):
    """A bulk run between two steps.

    A step first writes down which jobs it is about to change (`under_way`), and then, together, what became of some
    of them and which are left.
    """

    # What was asked for
    action: BulkAction
    filter: str | None = None
    tags: tuple[str, ...] = ()
    priority: Priority | None = None
    reason: str | None = None
    from_failed: bool = False
    ids: int | None = None
    """How many jobs it was given; None: those of `selection`."""
    selection: dict[str, Any] | None = None
    """`Selection.write`."""
    asked_by: str | None = None
    asked_key: str | None = None
    """The id of the API key with which it was asked for."""
    job_types: tuple[str, ...] | None = None
    """Whoever asked may reach jobs of these types only."""
    job_tags: tuple[str, ...] | None = None
    """The same of tags."""
    traceparent: str | None = None
    """Of the span of the request."""

    # How far it is
    place: tuple[int, str] | None = None
    """Behind which entry it goes on."""
    next_part: int = 0
    """Which part of the given ids comes next."""
    is_through: bool = False
    """All jobs were looked at, but for those under way."""
    under_way: list[str] = []
    total: int = 0
    looked_at: int = 0
    done: int = 0
    below: int = 0
    left_alone: int = 0
    refused: int = 0
    refused_parts: int = 0
    refused_kept: int = 0

    @property
    def is_done(self) -> bool:
        """There is nothing more to do."""
        return self.is_through and not self.under_way

    @property
    def read_selection(self) -> Selection | None:
        """The jobs that it is about; None: it was given their ids."""
        return Selection.read(self.selection) if self.selection else None

    @property
    def goes_on_at(self) -> Place | None:
        """Behind which entry it goes on; None: at the beginning."""
        return Place(*self.place) if self.place else None

    @property
    def looked_through(self) -> int:
        """How many entries are dealt with."""
        return min(self.looked_at - len(self.under_way), self.total)

    @property
    def asker(self) -> Principal:
        """Who asked for it, with their limits; without scopes."""
        return Principal(self.asked_by or "", frozenset(), self.asked_key, self.job_types, self.job_tags)

    def is_of(self, principal: Principal) -> bool:
        """Whether somebody asked for it, with the same key."""
        return (principal.name, principal.key_id) == (self.asked_by, self.asked_key)

    def reaches(self, record: JobRecord) -> bool:
        """Whether who asked may see a job."""
        return self.asker.reaches(record.type, record.tags)

    def counts(self) -> dict[str, int]:
        """What became of the jobs, as a result says it."""
        return {name: getattr(self, name) for name in ("done", "below", "left_alone", "refused", "looked_at")}


def fits(action: BulkAction, record: JobRecord) -> bool:
    """Whether something can be done to a job in its state."""
    if record.nearest_status not in action.statuses or _is_beyond(action, record):
        return False
    return not (action.needs_unsent and record.status is Status.PENDING and record.run > 0)


def why_not(action: BulkAction, record: JobRecord) -> str:
    """Why something can't be done to a job in its state."""
    if _is_beyond(action, record):
        return f"it is a bulk run, which nobody can {action}. Send a new request."
    sent = " and was started" if record.status is Status.PENDING and record.run else ""
    return f"it is {record.nearest_status}{sent}. To {action} a job, it must be {action.condition}."


def _is_beyond(action: BulkAction, record: JobRecord) -> bool:
    """Whether a job is a bulk run, which is not sent to Celery, and this is about what is sent."""
    return record.type == BULK_TYPE and action in {BulkAction.RETRY, BulkAction.REPRIORITISE}
