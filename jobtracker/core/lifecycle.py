"""The life of a job: its statuses, the events that move it, and the one table of what is legal.

Imports nothing of jobtracker. The store renders `MATRIX` into its Lua functions, so the table exists only here.

    pending ──start──► running ──complete──► completed
       │  ▲               │ ├────fail───────► failed ────┐
       │  └──requeue──────┤ └────cancel─────► cancelled ─┤
       │  ▲               ▼                              │
       │  └─────────── retrying                          │
       └───────◄──────── rerun (a new run) ◄─────────────┘
       └───────◄──────── send_again (a new run) ◄─ completed, failed, cancelled

A relaunch is a new run too: a pending, running or retrying job becomes pending.
"""

from enum import StrEnum
from typing import TypeVar


class Status(StrEnum):
    """A job's status. Each says which events lead in and out."""

    PENDING = "pending"
    """Recorded, or waiting at the broker. In: create, enqueue, requeue, a new run. Out: its worker, a cancel."""
    RUNNING = "running"
    """Its task runs or, for a parent, a sub-job has started. In: the worker. Out: the worker, its sub-jobs."""
    COMPLETED = "completed"
    """Settled: the task returned. Out: its id is sent again."""
    FAILED = "failed"
    """Settled: the task raised, was lost, or its sub-jobs did not complete. Out: a rerun."""
    CANCELLED = "cancelled"
    """Settled: called off before or while it ran. Out: a rerun."""
    RETRYING = "retrying"
    """Waiting for Celery's next attempt of the same run. Out: the worker, a cancel."""


SETTLED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})

UNDER_WAY = (Status.RUNNING,)
"""Its task, or a sub-job, has begun and not ended: a worker may be lost with it, and its parent is under way too."""


class Priority(StrEnum):
    """How urgent a job is. The dispatcher maps it to the broker's own numbers."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


class FailurePolicy(StrEnum):
    """What a parent does when a sub-job does not complete."""

    FAIL = "fail"
    """It fails once all its sub-jobs have settled."""
    FAIL_FAST = "fail_fast"
    """As `fail`, and the first failure cancels the sub-jobs that are left."""
    CONTINUE = "continue"
    """Its task runs all the same, with null for what is missing."""


class OnLost(StrEnum):
    """What happens to a job whose worker is lost after its message was acknowledged."""

    FAIL = "fail"
    """It fails."""
    RERUN = "rerun"
    """It runs again, in a new run."""


class Event(StrEnum):
    """What can happen to a job."""

    ENQUEUE = "enqueue"
    """The job's first run is about to be published."""
    UNENQUEUE = "unenqueue"
    """Publishing failed: the enqueue is taken back."""
    START = "start"
    """A worker begins an attempt."""
    SUB_START = "sub_start"
    """The first sub-job of a parent has started."""
    PROGRESS = "progress"
    """The task reports how far it is."""
    COMPLETE = "complete"
    """The task returned."""
    FAIL = "fail"
    """The task raised, ran out of time, or its process died."""
    RETRY = "retry"
    """Celery published the next attempt of the same run."""
    REQUEUE = "requeue"
    """The message is at the broker again: it was rejected with requeue, or it will be redelivered after a loss."""
    REPLACE = "replace"
    """The task replaced itself by another task with the same id."""
    CANCEL = "cancel"
    """Somebody requests that the job is cancelled. A running job is only marked: its task stops when it checks."""
    CANCELLED = "cancelled"
    """The task stopped, or never started, because the job was cancelled."""
    LOSE = "lose"
    """Inferred: its worker or its message is gone, and no report will come."""
    QUARANTINE = "quarantine"
    """Inferred: too many workers or processes were lost with it, so it is not started any more."""
    SUBS_FAILED = "subs_failed"
    """Inferred: a sub-job did not complete, so the parent's task will never be called."""
    SUBS_CANCELLED = "subs_cancelled"
    """Inferred: the parent has a cancel mark, and no unsettled sub-job."""
    REOPEN = "reopen"
    """The outcome of a sub-job was corrected, so the parent's inferred outcome does not hold any more."""
    RERUN = "rerun"
    """A new run of a settled job."""
    AWAIT = "await"
    """A new run that the job before it in its chain sends, when it has completed."""
    RELAUNCH = "relaunch"
    """A new run of a job that has not settled: its message, or the worker that ran it, is gone."""
    SEND_AGAIN = "send_again"
    """A new run of a settled job: Celery code has sent another message under its id."""


class Outcome(StrEnum):
    """The result of an event. Late and repeated events are outcomes, not exceptions."""

    APPLIED = "applied"
    """The record changed."""
    DUPLICATE = "duplicate"
    """The record says so already."""
    STALE = "stale"
    """The event belongs to an older run or attempt, or comes after the job has settled."""
    ILLEGAL = "illegal"
    """The job's status does not allow it."""
    MISSING = "missing"
    """There is no such job."""
    REFUSED = "refused"
    """A start of a job in quarantine."""
    SENT_AGAIN = "sent_again"
    """The job is there and had settled: its message is that of a new run."""
    DELETED = "deleted"
    """The job was deleted lately; its late reports are dropped."""


REPORTED = frozenset({Event.START, Event.PROGRESS, Event.COMPLETE, Event.FAIL, Event.RETRY, Event.CANCELLED})
"""Reports of the worker itself. They correct an inferred outcome."""

MIDWAY = frozenset({Event.PROGRESS})
"""Reports of a task that goes on: it is the same execution afterwards."""

INFERENCES = frozenset({Event.LOSE, Event.QUARANTINE, Event.SUBS_FAILED, Event.SUBS_CANCELLED})

_P, _R, _C, _F, _X, _T = (
    Status.PENDING,
    Status.RUNNING,
    Status.COMPLETED,
    Status.FAILED,
    Status.CANCELLED,
    Status.RETRYING,
)
_dup, _stale, _ill = Outcome.DUPLICATE, Outcome.STALE, Outcome.ILLEGAL

_COLUMNS = (_P, _R, _T, _C, _F, _X)
_ROWS: dict[Event, tuple[Status | Outcome, ...]] = {
    # from:                pending running retrying completed failed cancelled
    Event.ENQUEUE: (_P, _ill, _ill, _ill, _ill, _ill),
    Event.UNENQUEUE: (_P, _stale, _stale, _stale, _stale, _stale),
    Event.START: (_R, _R, _R, _stale, _stale, _stale),
    Event.SUB_START: (_R, _dup, _dup, _stale, _stale, _stale),
    Event.PROGRESS: (_ill, _R, _stale, _stale, _stale, _stale),
    Event.COMPLETE: (_C, _C, _C, _dup, _stale, _stale),
    Event.FAIL: (_F, _F, _F, _stale, _dup, _stale),
    Event.RETRY: (_T, _T, _dup, _stale, _stale, _stale),
    Event.REQUEUE: (_dup, _P, _P, _stale, _stale, _stale),
    Event.REPLACE: (_dup, _P, _P, _stale, _stale, _stale),
    Event.CANCEL: (_X, _R, _X, _ill, _ill, _dup),
    Event.CANCELLED: (_X, _X, _X, _stale, _stale, _dup),
    Event.LOSE: (_F, _F, _F, _stale, _stale, _stale),
    Event.QUARANTINE: (_stale, _F, _F, _stale, _stale, _stale),
    Event.SUBS_FAILED: (_F, _F, _F, _stale, _dup, _stale),
    Event.SUBS_CANCELLED: (_X, _X, _X, _stale, _stale, _dup),
    Event.REOPEN: (_dup, _dup, _dup, _stale, _R, _R),
    Event.RERUN: (_ill, _ill, _ill, _ill, _P, _P),
    Event.AWAIT: (_P, _ill, _ill, _ill, _P, _P),
    Event.RELAUNCH: (_P, _P, _P, _ill, _ill, _ill),
    Event.SEND_AGAIN: (_dup, _dup, _dup, _P, _P, _P),
}

MATRIX: dict[Event, dict[Status, Status | Outcome]] = {
    event: dict(zip(_COLUMNS, row, strict=True)) for event, row in _ROWS.items()
}
"""For each event and status: the status it leads to, or the outcome that says why it leads nowhere.

Some rules stand above it, in `apply_event` of `lua/lib/state_machine.lua`:

* an event of an older (run, attempt) is stale;
* an end counts as if the job were still running if it was earlier than a cancel that found nothing running;
* if the outcome was inferred, a report of the worker (`REPORTED`) counts as if the job were still running; but not a
  start of a quarantined job;
* `await` is illegal for a job whose message waits in a queue;
* a job is enqueued once, and relaunched only after that; a start or relaunch of a job with a cancel mark cancels it;
* a cancel of a running job ends it at once only if no Celery task will see the mark.
"""


_Member = TypeVar("_Member", bound=StrEnum)


def member_or(kind: type[_Member], value: str | None, otherwise: _Member) -> _Member:
    """The member of an enum with this value; `otherwise` where there is none: a newer release may have more."""
    try:
        return kind(value or "")
    except ValueError:
        return otherwise
