"""Why a job is not done, as the API answers it: a code for programs, a summary for people, the facts behind both."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from jobtracker.core.lifecycle import Status


class Code(StrEnum):
    """What a job waits for."""

    NOT_STARTED = "not_started"
    """It was created, and nobody has started it."""
    OUTSIDE_WORKER = "outside_worker"
    """A program outside of Celery reports on it."""
    BEING_SENT = "being_sent"
    """Its message is about to be sent, or to arrive."""
    QUEUED = "queued"
    """Its message waits in a queue that somebody consumes."""
    NO_CONSUMER = "no_consumer"
    """Its message waits in a queue that nobody consumes."""
    PREFETCHED = "prefetched"
    """A worker has fetched its message and has no slot free for it."""
    RATE_LIMITED = "rate_limited"
    """A worker has fetched its message, and holds it until its task's rate limit lets it go."""
    WAITING_FOR_ETA = "waiting_for_eta"
    """It was sent with a time before which it must not run."""
    WAITING_FOR_RETRY = "waiting_for_retry"
    """An attempt failed, and the next one has its time."""
    WAITING_FOR_REDELIVERY = "waiting_for_redelivery"
    """Whoever fetched its message is gone: the broker will deliver it again."""
    WAITING_FOR_SUB_JOBS = "waiting_for_sub_jobs"
    """Not all of its sub-jobs have settled."""
    WAITING_FOR_PREVIOUS_JOB = "waiting_for_previous_job"
    """The job before it in its chain has not completed."""
    RUNNING = "running"
    """A worker runs its task."""
    CANCEL_REQUESTED = "cancel_requested"
    """It is to stop, and has not done so yet."""
    WORKER_LOST = "worker_lost"
    """The worker that ran it has let it go, or does not say any more that it lives. It is about to be settled."""
    MESSAGE_MISSING = "message_missing"
    """Its message is nowhere: neither at the broker nor with a worker. Nobody will run it."""
    UNKNOWN = "unknown"
    """Who would know did not answer; `unavailable` says who."""
    SETTLED = "settled"
    """It has completed, failed, or was cancelled."""


class Location(StrEnum):
    """Where a job's message is."""

    QUEUE = "queue"
    """It waits in its queue."""
    WORKER = "worker"
    """A worker says that it has it."""
    UNACKNOWLEDGED = "unacknowledged"
    """It was fetched and not acknowledged, and no worker says that it has it. Known on Redis only."""
    NOWHERE = "nowhere"
    """Neither the broker nor a worker has it."""
    UNKNOWN = "unknown"
    """It was not found, and not everybody who might have it could be asked."""


class MessageLocation(BaseModel):
    """Where a job's message is."""

    where: Location
    position: int | None = Field(
        default=None,
        description="In its queue, 1 is taken next; null where it is not there, too far back, or on RabbitMQ.",
    )
    further_back_than: int | None = Field(
        default=None, description="So many were looked at, and it was not among them."
    )
    taken_at: datetime | None = Field(
        default=None, description="When it was fetched from the queue; known on Redis only."
    )
    redelivered_at: datetime | None = Field(
        default=None,
        description="When the broker (Redis) delivers it again unless it is acknowledged before; workers look for "
        "such messages from time to time, by default every 100 s.",
    )


class QueueState(BaseModel):
    """The queue that a job is sent to."""

    name: str
    messages: int | None = Field(description="Waiting messages, of all priorities; null: it could not be asked.")
    consumers: list[str] = Field(description="Names of workers that consume it, by their leases or answers.")
    consumer_count: int | None = Field(description="How many the broker counts; null where it does not tell.")


class WorkerState(BaseModel):
    """The worker that has a job."""

    name: str
    alive: bool | None = Field(
        description="It renews its lease, or answers; null: it has no lease, and is not tracked."
    )
    lease_ended_at: datetime | None = Field(default=None, description="When its lease ran out, if that was lately.")
    last_heard_at: datetime | None = Field(
        default=None, description="When it last renewed its lease, where the next two renewals are overdue."
    )
    pool: str | None = None


class CancelRequest(BaseModel):
    """A cancel that has not come true yet."""

    requested_at: datetime
    reason: str | None
    can_be_killed: bool | None = Field(
        description='Whether `"terminate": true` can end the task; null: its pool is not known.'
    )


class Estimate(BaseModel):
    """When a job may be done, from how long others of its type took. An outlook, no promise."""

    at: datetime = Field(description="Half of the jobs of its type would be done by then.")
    late_at: datetime | None = Field(description="95 % of them would; null where its start is an estimate too.")
    started_at: datetime | None = Field(default=None, description="When it may start, where it has not.")
    based_on: int = Field(description="So many jobs of its type settled in the last 24 hours.")


class SubJobState(BaseModel):
    """A sub-job in a word."""

    id: str
    name: str
    status: Status
    code: Code
    summary: str


class Explanation(BaseModel):
    """Why a job is not done, or why it ended so. What could not be found out is null, and named in `unavailable`."""

    job_id: str
    status: Status
    code: Code
    summary: str = Field(description="The same for people.")
    at: datetime = Field(description="When this was so.")
    message: MessageLocation | None = Field(
        default=None, description="Where its message is; null where that does not matter."
    )
    queue: QueueState | None = Field(default=None, description="The queue it is sent to, likewise.")
    worker: WorkerState | None = Field(default=None, description="The worker that runs it or holds its message.")
    not_before: datetime | None = Field(default=None, description="Its ETA, or when its next attempt is due.")
    cancel: CancelRequest | None = None
    previous_job_id: str | None = Field(
        default=None, description="The job before it in its chain, which it waits for."
    )
    sub_jobs_open: int = Field(default=0, description="So many of its sub-jobs have not settled.")
    sub_jobs: list[SubJobState] = Field(
        default=[],
        description="The first ten of them; of a job that has failed or was cancelled those that did not complete.",
    )
    finish: Estimate | None = Field(default=None, description="Null where there are not enough figures for one.")
    unavailable: list[str] = Field(default=[], description="What could not be found out, and why.")
