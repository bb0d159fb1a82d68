"""Workers, their queues, and what they hold."""

from typing import Any

from pydantic import BaseModel, Field


class Worker(BaseModel):
    """A worker process group, as it describes itself."""

    incarnation: str = Field(description="New at every start.")
    name: str = Field(description="Celery's name of it, e.g. celery@host.")
    host: str
    pid: int = Field(description="Of its main process.")
    pool: str = Field(description="prefork, threads, gevent, solo …")
    concurrency: int = Field(description="Tasks it runs at once.")
    queues: list[str]
    version: str = Field(description="Of celery-jobtracker.")
    release: str = Field(default="", description="Of its own project, as `RELEASE_LABEL` names it.")
    tells_holds: bool = Field(
        default=False, description="It says which messages it holds; workers before 0.2 do not."
    )
    started_at_ms: int = Field(description="When it was ready, milliseconds since the epoch.")
    clock_ahead_ms: int = Field(default=0, description="How far its clock is ahead of the tracking Redis's.")


HOLDS_COMMAND = "jobtracker_holds"
"""The remote control command that workers answer with a `Holding`."""


class Holding(BaseModel):
    """What a worker says of some tasks.

    Attributes:
        lease: Its incarnation.
        held: Where it has those that it has, by task id: "active" (runs), "rate_limited", "reserved" (waits for a
            slot), "scheduled" (waits for its ETA), "received" (anything else).
        ended: Those whose message it has acknowledged lately and that it does not have any more: Celery's number of
            retries before, by task id.
        opaque: Names of the tasks of which it can't tell what it has.
    """

    lease: str
    held: dict[str, str] = {}
    ended: dict[str, int] = {}
    opaque: list[str] = []


class WorkerStats(BaseModel):
    """A worker, by its lease and by what it says when asked."""

    name: str
    online: bool = Field(description="It answered in time.")
    lease: Worker | None = Field(description="What it said of itself when it started; null: it is not tracked.")
    stats: dict[str, Any] | None = Field(default=None, description="Celery's inspect stats.")
    active: list[dict[str, Any]] = Field(
        default=[], description="Tasks that run, with what may be shown of their arguments."
    )
    reserved: list[dict[str, Any]] = Field(default=[], description="Tasks it has fetched, and not begun.")
    scheduled: list[dict[str, Any]] = Field(default=[], description="Tasks it holds until their ETA.")
    registered: list[str] = Field(default=[], description="Tasks it knows.")
    queues: list[str] = Field(default=[], description="Queues it consumes.")


class QueueDepth(BaseModel):
    """One queue at the broker."""

    queue: str
    messages: int = Field(description="Waiting messages, of all priorities.")
    consumers: list[str] = Field(description="Names of the live workers that consume it.")
    consumer_count: int | None = Field(
        description="How many consumers the broker counts, those of workers that are not tracked among them; null "
        "where it does not tell."
    )
    exists: bool = Field(
        default=True,
        description="Whether the broker has it. RabbitMQ drops what is sent to a queue that it does not have; one of "
        "Redis is always there.",
    )


class QueueDepths(BaseModel):
    """All queues that jobs are sent to or workers consume."""

    queues: list[QueueDepth] = Field(
        description="Those of job types and workers; and those that were named at a call only, where something waits "
        "in them or somebody consumes them, or the broker does not have them."
    )
    some_left_out: bool = Field(
        default=False, description="Calls have named more queues than are kept: messages may wait in others."
    )
    unacknowledged: int | None = Field(
        description="Messages that workers hold and have not acknowledged, of all queues; null where the broker "
        "does not tell."
    )


class QueueReport(QueueDepths):
    """What waits: at the broker, and by our own count."""

    pending: int = Field(description="Jobs with status pending, the ones that were not started included.")
