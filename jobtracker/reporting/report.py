"""A report: what a process says about a job. It is data, so any process of the app can write it, now or later."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from jobtracker.core.lifecycle import MIDWAY, Event
from jobtracker.store.changes import NewJob


class Importance(IntEnum):
    """How important a report is. A full outage buffer drops the oldest report of the least importance first."""

    PROGRESS = 0
    """Progress and log lines."""
    STEP = 1
    """Starts and retries: the end of the job says most of it."""
    END = 2
    """Ends: Celery's result backend may know them too."""
    NEW_JOB = 3
    """New jobs, with their place in a tree: nobody else knows that."""


class Notice(StrEnum):
    """Reports that are not an event of a job."""

    PUBLISHED = "published"
    """A message is being sent: its `jobs` are to be recorded."""
    NOT_PUBLISHED = "not_published"
    """That message could not be sent."""
    LOG = "log"
    """A line for the job's own log: `at_ms`, and the data `level` and `message`."""
    LOSS = "loss"
    """An execution was lost: `happened`, `kind`, `comes_back` and `is_counted` of `LostExecutions.settle`."""
    CHORD_NOT_STORED = "chord_not_stored"
    """Celery could not store a sub-job's part of its chord."""
    CELERY_FAILED = "celery_failed"
    """Celery itself failed with a task of the worker `lease`: the job failed, unless its process reported more."""


_IMPORTANCE: dict[str, Importance] = {
    **dict.fromkeys(MIDWAY, Importance.PROGRESS),
    Notice.LOG: Importance.PROGRESS,
    Event.START: Importance.STEP,
    Event.RETRY: Importance.STEP,
    Event.REQUEUE: Importance.STEP,
    Event.REPLACE: Importance.STEP,
    Notice.CHORD_NOT_STORED: Importance.STEP,
    Notice.PUBLISHED: Importance.NEW_JOB,
    Notice.NOT_PUBLISHED: Importance.NEW_JOB,
}
"""Of all that is no end."""


@dataclass(slots=True, eq=False)
class Report:
    """A report: something happened to a job."""

    event: Event | Notice
    """What happened."""
    job_id: str
    """To which job."""
    run: int | None = None
    """In which run, where the reporter knows it."""
    attempt: int | None = None
    """In which attempt of that run, where the reporter knows it."""
    execution: str | None = None
    """Which execution reports (`JobStore.apply`)."""
    lease: str | None = None
    """The worker that must still hold the job."""
    fields: Mapping[str, str | int] = field(default_factory=dict)
    """What to write into the job's record."""
    data: Mapping[str, str] = field(default_factory=dict)
    """What to write into the bulky part of the job."""
    at_ms: int = 0
    """When it happened."""
    jobs: Sequence[NewJob] = ()
    """The jobs of a message; in any other report how to record the job where it is not recorded, if that is known."""
    created: Sequence[str] = ()
    """Those of the message's jobs that were recorded because of it, as far as the reporter knows."""
    start: "Report | None" = None
    """The start of the execution; it is written first where the job is not recorded."""
    record: Callable[[], NewJob | None] | None = None
    """Finds out how to record the job, while its task runs; None once that is known. Making a record costs more than
    a report, and hardly any report needs one: so it is not made before."""
    sent: str | int = ""
    """When the message of the run was sent, as the message says (`broker.headers.sent`)."""
    is_on_disk: bool = False
    """Of a start: it is in the journal, with how to record its job."""

    @property
    def importance(self) -> Importance:
        """What it is worth; that a worker lets a job go is an end too."""
        return Importance.END if self.lease else _IMPORTANCE.get(self.event, Importance.END)

    def prepare(self) -> None:
        """Find out now how to record its job: what that needs may be gone later."""
        if self.record is not None:
            new, self.record = self.record(), None
            self.jobs = (new,) if new is not None else ()
        if self.start is not None:
            self.start.prepare()
