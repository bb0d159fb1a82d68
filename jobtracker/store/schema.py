"""What the store keeps of a job: one table of its fields, for Python and for Lua.

The body of `JobRecord` is the table. Python reads records through it, and the function library gets its tables of
fields from it (`lua_tables`).

Two releases may work on one store at the same time, each with its own function library (`functions.py`). A record
says which schema it was made by, `SCHEMA`; one without a number was made by the first. Within one number changes only
add: fields, events, kinds of history entries, fields of leases and of announced types, each with a default. So

* readers ignore what they do not know, and show the nearest known value for one that they do not know;
* writers keep what they do not know: commands set and clear the fields that they name, nothing else;
* a field keeps its meaning, and so do statuses, their indexes and counters, for every number.

The commands look at no number. They treat a record of a newer or an older schema alike: it is indexed, counted and
settled; from then on it lacks what the newer schema adds to that. A status that a command does not know makes every
event illegal, and stays. A change that can't keep to this takes a new number, and a namespace of its own.
"""

from collections.abc import Mapping
from typing import Any

import msgpack

from jobtracker.core.job import task_id_of
from jobtracker.core.lifecycle import SETTLED, FailurePolicy, Priority, Status, member_or
from jobtracker.store.fields import (
    Field,
    Record,
    Traits,
    amounts,
    decimal,
    flag,
    number,
    required,
    same_as,
    text,
    text_list,
)

SCHEMA = 1
"""The number of what a record is like."""

_STATUSES: dict[str, Status] = {str(status): status for status in Status}


def _priority(value: str) -> Priority:
    return member_or(Priority, value, Priority.NORMAL)


def _policy(value: str) -> FailurePolicy:
    return member_or(FailurePolicy, value, FailurePolicy.FAIL)


class JobRecord(Record):
    """What the store says of a job, except for its bulky part.

    `exists` is False on a record that was asked for and is not there: it has an id and defaults.
    """

    __slots__ = ()

    # Where it stands
    status = Field(0, _STATUSES.get, None, Traits(in_snapshot=True, filter="eq"))
    """None: the job is not there, or a newer release has introduced its status (`nearest_status`)."""
    status_changed_at = required(22)
    """ms; the score in the status indexes."""
    reason = text(49, cleared_by_new_run=True, in_snapshot=True)
    """Why it is where it is, a sentence."""
    error_type = text(60, cleared_by_new_run=True, filter="eq")
    """Of a failed job: the exception's type, with its module unless it is a builtin; or another word for what
    happened."""
    failure_group = text(61, cleared_by_new_run=True, filter="eq")
    """Of a failed job: which others have failed in the same way (`core/fingerprint.py`)."""
    inferred = text(48, cleared_by_new_run=True, in_snapshot=True)
    """The event that inferred the outcome, or "fail" if its worker reported a loss. The task's own report replaces
    it."""
    cancel = number(47, cleared_by_new_run=True, in_snapshot=True)
    """ms, when a cancel was asked for."""
    cancelled_by = text(65, cleared_by_new_run=True, in_snapshot=True)
    """Who asked for it, where the API knows that."""

    # What it is
    schema = number(1, default=1)
    """The number that it was made by."""
    type = text(3, default="", filter="eq")
    """The job type."""
    name = same_as(type, 2, filter="contains")  # noqa: A003 (the field above)
    """For people; not stored where it is the same as the type."""
    task = same_as(type, 4, from_message=True)  # noqa: A003 (the field above)
    """The name of the Celery task."""
    queue = text(5, from_message=True, filter="queue")
    """Where it is sent to."""
    actual_queue = text(7, cleared_by_new_run=True)
    """The queue of its message where that is another one: that of the task that replaced its own."""
    priority = Field(8, _priority, Priority.NORMAL, Traits(filter="eq"))
    tags = text_list(52, filter="tag")
    origin = text(50)
    """api | beat; None: plain Celery code."""
    request_id = text(51, from_message=True)
    """Of the HTTP request that made it."""
    traceparent = text(67, from_message=True)
    """W3C's name of its span, and so of its trace: of its last execution or, before that, of what sent it."""
    masked = text_list(53, from_message=True)
    """Names of the arguments whose values are not stored; "*": of all."""
    acks_late = flag(29)
    """Its message comes back when its worker dies."""
    immutable = flag(55)
    """Its task takes no results of other jobs, neither of the one before it nor of its sub-jobs."""
    large = flag(58)
    """Values of its data are, or were, in the object store (`OBJECT_FIELDS`)."""

    # When
    created = required(17, filter="between")
    """ms."""
    queued = number(18, in_snapshot=True)
    """ms, this run."""
    started_by = text(66, cleared_by_new_run=True, in_snapshot=True)
    """Who had this run sent, where the API knows that: by a start or a retry."""
    started = number(19, cleared_by_new_run=True, in_snapshot=True, filter="between")
    """ms, this run's first attempt (a parent: its first sub-job)."""
    began = number(20, cleared_by_new_run=True)
    """ms, when the execution that counts began, where it took the place of another one in this run."""
    finished = number(21, cleared_by_new_run=True, in_snapshot=True, filter="between")
    """ms, when it settled. Not stored where it is the same as `status_changed_at`."""
    eta = number(23, cleared_by_new_run=True, from_message=True)
    """ms, not before: the next attempt, or the ETA that it was sent with."""
    due = number(62, cleared_by_new_run=True)
    """ms: the ETA that it was sent with, once it has started; not stored of others."""
    expires = number(24, cleared_by_new_run=True, from_message=True)
    """ms: a worker discards it if it has not begun by then."""

    unique = text(63)
    """Of a job of which there is one at a time: the digest of its unique key, in which statuses it has the lock, with
    commas, and until when (ms; 0: always)."""

    # Runs, attempts, executions
    run = number(9, default=0)
    """Dispatches so far; 0: never sent to Celery. Always stored."""
    attempt = number(12, default=0, filter="between")
    """Celery's retries count within the run."""
    relaunched = number(10, default=0)
    """How many of its runs, since it was started or retried, replace one that was gone."""
    voided_run = number(11, default=0)
    """The last run that was taken back because it could not be sent: its messages are rejected."""
    reused = number(56)
    """The last run that Celery code sent under the job's own id, where that is not the first one."""
    also_sent = text(57)
    """When (ms) Celery code sent messages under that id, beside the run's own; separated by spaces."""
    execution = text(16, cleared_by_new_run=True)
    """Id of the execution that began last or whose report counted, of this run (`lua/lib/executions.lua`)."""
    executing = flag(30, cleared_by_new_run=True)
    """Its own task runs (a parent may be running through its sub-jobs only)."""
    replaced = flag(6, cleared_by_new_run=True)
    """In this run its task has put other tasks into its place."""
    worker = text(25, cleared_by_new_run=True, in_snapshot=True, filter="eq")
    """Name of the Celery worker that runs or ran it."""
    release = text(59, cleared_by_new_run=True, filter="eq")
    """The release of the project (`RELEASE_LABEL`) that this worker runs; not stored where it has none."""
    lease = text(26, cleared_by_new_run=True)
    """Incarnation of that worker; not stored of a settled job whose `execution` says it."""
    displaced = text(28)
    """Leases of workers that had begun this attempt too, and may be lost; separated by spaces."""
    losses = number(27, default=0, filter="between")
    """How often its worker or process was lost with it, since somebody started or retried it."""
    deliveries = number(13, default=0)
    """How often a worker began it, all runs and attempts together."""
    ledger = amounts(14)
    """Of all runs and attempts together."""
    ledger_before = text(15)
    """Deliveries and ledger when it had settled and got a new run: the time series have so much."""
    progress_done = decimal(44, cleared_by_new_run=True)
    progress_total = decimal(45, cleared_by_new_run=True)
    progress_message = text(46, default="", cleared_by_new_run=True)

    # Other jobs
    parent = text(31, filter="eq")
    """Its id."""
    next = text(32, from_message=True)
    """The job that Celery sends when this one has completed: the next of a chain."""
    link = text(54)
    """Set where the job before it in its chain sends it. "announced": its stored arguments lack the result of that
    one | "sent": they have it, as its message had | "outdated": they have that of an earlier run | "body": it is the
    body of a chord, whose header that job sends."""
    linked = flag(34, from_message=True)
    """Its message bears calls for its end (link, link_error)."""
    sent_by = text(35, from_message=True, filter="eq")
    """The job whose task sent it; None: a process that runs no task did."""
    group = text(36, from_message=True, filter="eq")
    """Celery's id of the group that it was sent in; not stored on sub-jobs, whose parent says it."""
    reopen_count = number(33, default=0)
    """How often it has left a terminal status. A parent in another partition tells old news from new by it."""
    policy = Field(37, _policy, FailurePolicy.FAIL, Traits())
    """A parent's failure policy."""
    subs = number(38, default=0, in_snapshot=True)
    """A parent's number of sub-jobs …"""
    subs_completed = number(39, default=0)
    subs_failed = number(40, default=0)
    subs_cancelled = number(41, default=0)
    callback_mode = text(42, cleared_by_new_run=True)
    """Who calls a parent's task. None: Celery's chord | "own": we do | "anew": both may, we as another run |
    "called": we have."""
    bulk = text(64)
    """The bulk run that changed it last: no bulk run changes a job twice."""
    halted = flag(43, cleared_by_new_run=True)
    """fail_fast has begun to cancel the sub-jobs that are left."""

    @classmethod
    def of(cls, job_id: str, fields: Mapping[str, Any]) -> "JobRecord":
        """A record with these fields, by their names; others are left out, and so is what is None."""
        places = {PLACES[name]: value for name, value in fields.items() if name in PLACES and value is not None}
        return cls(job_id, places)

    @property
    def waits_from(self) -> int | None:
        """Since when (ms) it waits, or has waited, for a worker: since it was sent, but not before its ETA."""
        queued = self.queued
        if queued is None:
            return None
        asked = self.due if self.started else self.eta
        return max(queued, asked or 0)

    @property
    def attempt_began(self) -> int | None:
        """When (ms) the execution began that counts, or began last."""
        execution = self.execution  # its id begins so: lua/lib/executions.lua
        return int(execution.partition("-")[0]) if execution else self.began or self.started

    @property
    def is_settled(self) -> bool:
        """It is in a terminal status."""
        return self.status in SETTLED

    @property
    def nearest_status(self) -> Status:
        """Its status; for one that a newer release has introduced, the nearest known."""
        return self.status or (Status.FAILED if self.finished else Status.RUNNING if self.started else Status.PENDING)

    @property
    def subs_settled(self) -> int:
        """How many of its sub-jobs have settled, as far as a parent was told."""
        return self.subs_completed + self.subs_failed + self.subs_cancelled

    @property
    def title(self) -> str:
        """What people call it: its name, its type, or its id."""
        return self.name or self.type or self._id

    @property
    def task_id(self) -> str:
        """The Celery task id of its current run. Where Celery code has sent the job's own id again, it is that."""
        run = self.run
        return self._id if self.reused == run else task_id_of(self._id, run)

    def as_texts(self) -> dict[str, str]:
        """What is stored, as texts by the names of fields; not what a newer release has added."""
        return {NAMES[place]: str(value) for place, value in self._values.items() if place in NAMES}

    def __repr__(self) -> str:
        return f"JobRecord({self._id!r}, {self.as_texts()!r})"


FIELDS: tuple[Field[Any], ...] = tuple(
    sorted((each for each in vars(JobRecord).values() if isinstance(each, Field)), key=lambda field: field.place)
)
"""All fields, by their places."""

PLACES: dict[str, int] = {field.name: field.place for field in FIELDS}
NAMES: dict[int, str] = {field.place: field.name for field in FIELDS}

DATA_FIELDS = (
    "payload",  # JSON object: the task's keyword arguments, "" where they are not to be kept
    "args",  # JSON list: its positional arguments, if they are stored
    "custom_task",  # what a custom job calls its task
    "arguments_repr",  # bounded repr of both, where they are not stored
    "result",  # JSON
    "payload_object",  # where the payload is, if it is too large: JSON of `LargeValue`, as the next two
    "args_object",
    "result_object",
    "result_omitted",  # bytes of a result that is stored neither here nor in the object store
    "result_omitted_reason",  # why the object store does not have it, a sentence
    "error",  # JSON: type, message, traceback
    "schedule",  # name of the entry in beat's schedule
    "sent_from",  # the process that sent it, as Celery names it; not set where a job did
    "chain",  # JSON list of Celery's signatures: what follows the first job of a chain, as far as it may be stored;
    # in the place of what may not a list of the ids of its jobs
    "options",  # JSON object: further options of its call, as far as they may be stored: link, headers, time limits …
)
"""The bulky part of a job: a hash of its own."""

OBJECT_FIELDS = {"payload": "payload_object", "args": "args_object", "result": "result_object"}
"""Values that may be in the object store instead, and the field that says where."""

_OF_A_MESSAGE = ("payload", "args", "payload_object", "args_object", "arguments_repr", "chain", "options")
_OF_AN_ENTRY = frozenset({"worker", "reason", "eta", "refused", "began", "result", "same", "cancelled_by"})


def decode(job_id: str, packed: bytes | None) -> JobRecord:
    """The record in an answer of the store; None: there is none."""
    if not packed:
        return JobRecord(job_id, {})
    values = msgpack.unpackb(packed, strict_map_key=False, unicode_errors="replace")
    if _FINISHED not in values and values.get(_STATUS) in SETTLED and _STATUS_CHANGED_AT in values:
        values[_FINISHED] = values[_STATUS_CHANGED_AT]
    return JobRecord(job_id, values)


_STATUS, _FINISHED, _STATUS_CHANGED_AT = (PLACES[name] for name in ("status", "finished", "status_changed_at"))


def _named(trait: str) -> list[str]:
    return [field.name for field in FIELDS if field.traits.get(trait)]


def lua_tables() -> dict[str, object]:
    """The tables of fields as `lua/` reads them."""
    return {
        "SCHEMA": SCHEMA,
        "PLACE": PLACES,
        "IS_NUMBER": frozenset(field.place for field in FIELDS if field.is_number),
        "DEFAULT": {
            field.place: field.default
            for field in FIELDS
            if type(field.default) in {int, Priority} and not field.is_required
        },
        "OF_A_RUN": _named("cleared_by_new_run"),
        "IN_SNAPSHOT": _named("in_snapshot"),
        "OF_A_MESSAGE": _named("from_message"),
        "DATA_OF_A_MESSAGE": list(_OF_A_MESSAGE),
        "OF_AN_ENTRY": _OF_AN_ENTRY,
        "OBJECT_FIELD": OBJECT_FIELDS,
        "VALUE_OF": {each: value for value, field in OBJECT_FIELDS.items() for each in (value, field)},
    }
