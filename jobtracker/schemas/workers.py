"""Workers, their queues, and what they hold."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from jobtracker.schemas.drains import DrainMark


class Worker(BaseModel):
    """A worker, as it describes itself."""

    incarnation: str = Field(description="New at every start.")
    name: str = Field(description="Celery's name for it, e.g. celery@host.")
    host: str
    pid: int = Field(description="Of its main process.")
    pool: str = Field(description="The pool: prefork, threads, gevent, solo …")
    concurrency: int = Field(description="Tasks it runs at once.")
    queues: list[str]
    version: str = Field(description="The version of celery-jobtracker that it runs.")
    release: str = Field(default="", description="The release of its own project, from `RELEASE_LABEL`.")
    tells_holds: bool = Field(default=False, description="Whether it can say which messages it holds.")
    started_at_ms: int = Field(description="When it became ready, in milliseconds since the epoch.")
    clock_ahead_ms: int = Field(default=0, description="How far its clock is ahead of the tracking Redis's.")
    memory_bytes: int | None = Field(
        default=None,
        description="Resident memory of its main process and all below it, at the last renewal of its lease; "
        "memory that they share counts once for each. Null: not known (it is read on Linux).",
    )
    processes: int | None = Field(default=None, description="How many processes these are.")
    cpu_cores: float | None = Field(
        default=None,
        description="How many cores they kept busy between the last two renewals; 1.0 is one. Null: not known.",
    )
    stopped_at_ms: int | None = Field(
        default=None, description="When it gave its lease back, in milliseconds since the epoch; null: it has not."
    )


HOLDS_COMMAND = "jobtracker_holds"
"""The remote control command that workers answer with a `Holding`."""


class Holding(BaseModel):
    """A worker's answer about some tasks.

    Attributes:
        lease: The id of its lease: a worker has a new one after each start.
        held: Where it has each task that it has, by task id: "active" (runs), "rate_limited", "reserved" (waits for a
            slot), "scheduled" (waits for its ETA), "received" (anything else).
        ended: Tasks that it acknowledged a short time ago and does not have any more: by task id, the number of
            Celery retries before.
        opaque: Names of tasks about whose messages it can't say anything.
    """

    lease: str
    held: dict[str, str] = {}
    ended: dict[str, int] = {}
    opaque: list[str] = []


class WorkerStats(BaseModel):
    """A worker: its lease, and its own answers."""

    name: str
    online: bool = Field(description="It answered in time.")
    lease: Worker | None = Field(description="How it described itself when it started; null if it is not tracked.")
    drain: DrainMark | None = Field(
        default=None,
        description="It was drained: told to consume nothing. Null: it was not, or that was undone.",
    )
    stats: dict[str, Any] | None = Field(default=None, description="Celery's inspect stats.")
    active: list[dict[str, Any]] = Field(
        default=[], description="Tasks that run, with the arguments that may be shown."
    )
    reserved: list[dict[str, Any]] = Field(default=[], description="Tasks that it has fetched and not begun.")
    scheduled: list[dict[str, Any]] = Field(default=[], description="Tasks that it holds until their ETA.")
    registered: list[str] = Field(default=[], description="Tasks it knows.")
    queues: list[str] = Field(default=[], description="Queues it consumes.")


class QueueDepth(BaseModel):
    """One queue at the broker."""

    queue: str
    messages: int = Field(description="Waiting messages, of all priorities.")
    consumers: list[str] = Field(description="Names of the live workers that consume it.")
    consumer_count: int | None = Field(
        description="How many consumers the broker counts, workers that are not tracked included; null if the broker "
        "does not say."
    )
    exists: bool = Field(
        default=True,
        description="Whether the broker has the queue. RabbitMQ drops a message to a queue that does not exist. "
        "On Redis every queue exists.",
    )


class QueueDepths(BaseModel):
    """All queues that jobs are sent to or workers consume."""

    queues: list[QueueDepth] = Field(
        description="The queues of job types and of workers. A queue that only a call named is listed if something "
        "waits in it, a worker consumes it, or the broker does not have it."
    )
    some_left_out: bool = Field(
        default=False,
        description="Whether calls have named more queues than the store remembers. Messages may wait in the others.",
    )
    unacknowledged: int | None = Field(
        description="Messages that workers hold and have not acknowledged, of all queues; null if the broker "
        "does not "
        "say."
    )


class QueueWindow(BaseModel):
    """What happened at a queue in some time, as far as its jobs are tracked. Percentiles are within 2 %."""

    since: datetime = Field(description="When the window begins: five minutes are counted together.")
    sent: int = Field(description="Messages that were sent there, Celery's retries included.")
    started: int = Field(description="Messages with which a worker began a task.")
    ended: int = Field(description="Jobs that ended after a worker had begun them.")
    sent_per_minute: float
    started_per_minute: float
    ended_per_minute: float
    wait_p50_s: float | None = Field(
        description="Seconds from the sending of a message to the start of its task; if an ETA, a countdown or the "
        "time of a retry was asked for, from that time. Null if nothing started."
    )
    wait_p95_s: float | None


class QueueFigures(QueueDepth):
    """One queue: what waits in it, since when, and how fast it moves."""

    slots: int = Field(description="Tasks that the live workers which consume it run at once, of all their queues.")
    oldest_at: datetime | None = Field(
        description="Since when the message waits that waits longest; null if none waits, or that is not known."
    )
    oldest_job_id: str | None = Field(
        description="Its job. On RabbitMQ a worker may have fetched its message already."
    )
    oldest_is_known: bool = Field(
        description="Whether that is known, or known to be none. On Redis the message says it, or its job's record; "
        "on RabbitMQ the record of one of the 500 jobs that have been pending for longest."
    )
    last_5_min: QueueWindow = Field(description="The last five minutes, and up to five before.")
    last_hour: QueueWindow = Field(description="The last hour, and up to five minutes before.")
    drained_in_s: float | None = Field(
        description="How long it takes until nothing waits if nothing more comes: at the rate at which messages were "
        "started in `last_5_min`. Null if none was."
    )


class QueueSeries(BaseModel):
    """What happened at queues, in steps of five minutes."""

    at: list[datetime] = Field(description="When each step begins. The last one is not over.")
    step_s: int
    by_queue: dict[str, "QueueColumns"]
    queues_left_out: int = Field(description="Queues that were not read: ask for one by its name.")


class QueueColumns(BaseModel):
    """Figures of one queue, as in `QueueWindow`: a value for each step."""

    sent: list[int]
    started: list[int]
    ended: list[int]
    wait_p50_s: list[float | None]
    wait_p95_s: list[float | None]


class QueueReport(QueueDepths):
    """What waits: the messages at the broker, and the jobs that are pending."""

    queues: list[QueueFigures] = Field(  # type: ignore[assignment] # what is known of each is more
        description="The queues of job types and of workers. A queue that only a call named is listed if something "
        "waits in it or was sent to it within an hour, a worker consumes it, or the broker does not have it."
    )
    pending: int = Field(description="Jobs with status pending, including those that were not started.")
