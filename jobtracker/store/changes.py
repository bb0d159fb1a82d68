"""What is written, and what became of it: the words in which `JobStore` is asked and answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

from jobtracker.core.lifecycle import SETTLED, Event, Outcome, Status


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """What is needed to record a job.

    Attributes:
        id: The job's id for life.
        fields: The record, by `keys.RECORD_FIELDS`; type and priority are needed.
        data: The bulky part, by `keys.DATA_FIELDS`.
        subs: Sub-jobs by position.
        sends: Whoever records it is about to send its first run, and confirms that then (`JobStore.confirm`).
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


class Rank(IntEnum):
    """What a full buffer gives up first: the oldest report of the lowest rank."""

    NOTE = 0
    """Progress and log lines."""
    COURSE = 1
    """Starts and retries: the end of the job says most of it."""
    END = 2
    """Ends: Celery's result backend may know them too."""
    BIRTH = 3
    """New jobs, with their place in a tree: nobody else knows that."""


class Notice(StrEnum):
    """What can be reported beside the events of a job."""

    BIRTH = "birth"
    """A message is being sent: its `jobs` are to be recorded."""
    UNPUBLISHED = "unpublished"
    """That message could not be sent."""
    LOG = "log"
    """A line for the job's own log: `at_ms`, and the data `level` and `message`."""
    LOSS = "loss"
    """An execution was lost: `happened`, `kind`, `comes_back` and `is_counted` of `LostExecutions.settle`."""
    CHORD_UNSTORED = "chord_unstored"
    """Celery could not store a sub-job's part of its chord."""
    CELERY_FAILED = "celery_failed"
    """Celery itself has failed with a task of the worker `lease`: it has failed, unless its process has told more."""


_RANKS: dict[str, Rank] = {
    Event.PROGRESS: Rank.NOTE,
    Notice.LOG: Rank.NOTE,
    Event.START: Rank.COURSE,
    Event.RETRY: Rank.COURSE,
    Event.REQUEUE: Rank.COURSE,
    Event.REPLACE: Rank.COURSE,
    Notice.CHORD_UNSTORED: Rank.COURSE,
    Notice.BIRTH: Rank.BIRTH,
    Notice.UNPUBLISHED: Rank.BIRTH,
}
"""Of what is no end."""


@dataclass(slots=True, eq=False)
class Report:
    """That something happened to a job. It is data: any process of the app can write it (`Applier`), now or later."""

    event: Event | Notice
    """What happened."""
    job_id: str
    run: int | None = None
    attempt: int | None = None
    execution: str | None = None
    """Which execution reports (`JobStore.apply`)."""
    lease: str | None = None
    """The worker that must still hold the job."""
    fields: Mapping[str, str | int] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    """The bulky part of what it holds."""
    at_ms: int = 0
    """When it happened."""
    jobs: Sequence[NewJob] = ()
    """The jobs of a message; else how the job is recorded where it is not, if that is known."""
    created: Sequence[str] = ()
    """Those of the message's jobs that were recorded because of it, as far as the reporter knows."""
    start: "Report | None" = None
    """The start of the execution, as it was: it is written first where the job is not recorded."""
    record: Callable[[], NewJob | None] | None = None
    """Finds out how the job is recorded, while its task runs; None where that is known."""
    sent: str | int = ""
    """Where the run is that of a task id: when its message was sent, as that says (`lineage.sent`)."""
    is_kept: bool = False
    """Of a start: it is on disk, with how its job is recorded."""

    @property
    def rank(self) -> Rank:
        """What it is worth; that a worker has let a job go is an end too."""
        return Rank.END if self.lease else _RANKS.get(self.event, Rank.END)

    def prepare(self) -> None:
        """Find out now how its job is recorded: what that needs may be gone later."""
        if self.record is not None:
            new, self.record = self.record(), None
            self.jobs = (new,) if new is not None else ()
        if self.start is not None:
            self.start.prepare()


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
    """What a parent makes of a sub-job's outcome: waiting, halt, due, settled or missing (see lua/settle.lua)."""

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


class Turn(NamedTuple):
    """What a reaper is told when it asks for the lock."""

    fence: str | None
    """What its writes bear (`JobStore.fenced`); None where another one reaps."""
    watched_ms: int
    """For how long reapers have come by without a gap: the store was there."""
