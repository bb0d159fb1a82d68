"""The arguments and answers of `JobStore`: what is to be written, and the outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from jobtracker.core.lifecycle import SETTLED, Outcome, Status


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """What is needed to record a job.

    Attributes:
        id: The job's id for life.
        fields: The record, by the names in `schema.FIELDS`; type and priority are needed.
        data: The bulky part, by the names in `schema.DATA_FIELDS`.
        subs: Sub-jobs by position.
        sends: The process that records it sends its first run next, and then confirms that (`JobStore.confirm`).
        published: Celery code sends a message under its id, at the time in `queued`.
        chained_anew: As `published`, and the job before it in its chain was itself sent again under its own id.
    """

    id: str
    fields: Mapping[str, str | int]
    data: Mapping[str, str] = field(default_factory=dict)
    subs: Mapping[int, str] = field(default_factory=dict)
    sends: bool = False
    published: bool = False
    chained_anew: bool = False


class Change(NamedTuple):
    """What became of an event."""

    outcome: Outcome
    before: Status | None
    """None where there is no such job, or its status is one of a newer release."""
    after: Status | None
    run: int
    attempt: int
    parent: str | None
    """None also where a report leaves nothing to be told to it."""
    cancel_requested: bool
    next: str | None
    """The job that Celery sends when this one has completed, in a chain."""
    losses: int = 0
    """How often its worker or process was lost with it."""
    parent_waits: bool = False
    """It runs, and its parent does not know yet that a sub-job does."""
    waited_for: bool = False
    """It runs, and others wait for its end: it is a parent, in a chord of Celery's, or among the last sub-jobs."""
    reused: bool = False
    """Celery code has sent the job's own id again: a later run has that task id."""
    next_is_recorded: bool = False
    """It runs, and the next in its chain is recorded, in the same partition."""
    verdict: "Verdict | None" = None
    """What its parent makes of it, where that was told with the same call."""

    @property
    def applied(self) -> bool:
        """The record changed."""
        return self.outcome is Outcome.APPLIED

    @property
    def settled(self) -> bool:
        """The job is in a terminal status now."""
        return self.after in SETTLED


class News(NamedTuple):
    """What has become of a sub-job, for its parent."""

    parent_id: str
    job_id: str
    run: int
    """The sub-job's run that this is about."""
    status: Status
    """The sub-job's status now."""


class Verdict(NamedTuple):
    """What a parent makes of a sub-job's outcome.

    The verdict is waiting, halt, due, settled or missing (`lua/commands/notify_parent.lua`).
    """

    verdict: str
    grandparent: str | None
    run: int
    status: Status | None


class SettledIndex(NamedTuple):
    """An index of settled jobs of one priority and type, and up to where retention has looked at them."""

    status: Status
    kind: str
    """"<priority>:<type>" """
    score: str = ""
    """That of the last job that was looked at and stays, in the index; '' where there is none."""
    job_id: str = ""
    """That job."""


class Expired(NamedTuple):
    """What retention has removed with one call, and what it has left."""

    removed: int
    """So many jobs are gone."""
    through: list[SettledIndex]
    """The indexes in which there is nothing more to remove by now."""
    left: list[SettledIndex]
    """The others."""
    has_trash: bool
    """There are jobs in the trash of the partition."""
    apart: list[str]
    """Jobs of trees, of which others may lie in another partition: `delete` sees whether they may go."""


class Term(NamedTuple):
    """What a process is told when it asks for the leader's lock."""

    fence: str | None
    """What its writes bear (`JobStore.fenced`); None where another process leads."""
    watched_ms: int
    """For how long leaders have come by without a gap: the store was there."""
