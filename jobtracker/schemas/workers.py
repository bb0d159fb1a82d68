"""Workers, their queues, and what they hold."""

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


class QueueReport(QueueDepths):
    """What waits: the messages at the broker, and the jobs that are pending."""

    pending: int = Field(description="Jobs with status pending, including those that were not started.")
