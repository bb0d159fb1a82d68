"""The API's explanation of why a job is not done: a code for programs, a summary for people, and the facts."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field

from jobtracker.core.lifecycle import Status


class Code(StrEnum):
    """What a job waits for."""

    NOT_STARTED = "not_started"
    """It was created and not yet started."""
    OUTSIDE_WORKER = "outside_worker"
    """A program outside of Celery reports on it."""
    BEING_SENT = "being_sent"
    """Its message is on its way to the broker."""
    QUEUED = "queued"
    """Its message waits in a queue that somebody consumes."""
    NO_CONSUMER = "no_consumer"
    """Its message waits in a queue that nobody consumes."""
    PREFETCHED = "prefetched"
    """A worker has fetched its message and has no free slot."""
    RATE_LIMITED = "rate_limited"
    """A worker has fetched its message and holds it until the task's `rate_limit` allows it."""
    WAITING_FOR_ETA = "waiting_for_eta"
    """It waits for its ETA: it must not run before that time."""
    WAITING_FOR_RETRY = "waiting_for_retry"
    """It waits for the time of its next attempt."""
    WAITING_FOR_REDELIVERY = "waiting_for_redelivery"
    """The worker that fetched its message is gone. The broker will deliver it again."""
    WAITING_FOR_SUB_JOBS = "waiting_for_sub_jobs"
    """Not all of its sub-jobs have settled."""
    WAITING_FOR_PREVIOUS_JOB = "waiting_for_previous_job"
    """The job before it in its chain has not completed."""
    RUNNING = "running"
    """A worker runs its task."""
    CANCEL_REQUESTED = "cancel_requested"
    """It was told to stop, and has not stopped yet."""
    WORKER_LOST = "worker_lost"
    """The worker that ran it gave it up or is lost. It will be settled soon."""
    MESSAGE_MISSING = "message_missing"
    """Its message is neither at the broker nor with a worker. No worker will run it."""
    UNKNOWN = "unknown"
    """The broker, or a worker that may have it, does not answer; `unavailable` says which."""
    SETTLED = "settled"
    """It has completed, failed, or was cancelled."""


class Location(StrEnum):
    """Where a job's message is."""

    QUEUE = "queue"
    """It waits in its queue."""
    WORKER = "worker"
    """A worker answered that it has the message."""
    UNACKNOWLEDGED = "unacknowledged"
    """It was fetched and not acknowledged, and no worker answered that it has it. Known on Redis only."""
    NOWHERE = "nowhere"
    """Neither the broker nor a worker has it."""
    UNKNOWN = "unknown"
    """It was not found, and some workers or queues that may have it could not be asked."""


class MessageLocation(BaseModel):
    """Where a job's message is."""

    where: Location
    position: int | None = Field(
        default=None,
        description="Its place in the queue; 1 is delivered next. Null if it is not in the queue, too far back, "
        "or on RabbitMQ.",
    )
    further_back_than: int | None = Field(
        default=None, description="How many messages of the queue were checked without finding it."
    )
    taken_at: datetime | None = Field(default=None, description="When a worker fetched it; known on Redis only.")
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
    consumer_count: int | None = Field(
        description="How many consumers the broker counts; null if the broker does not say."
    )


class WorkerState(BaseModel):
    """The worker that has a job."""

    name: str
    alive: bool | None = Field(
        description="Whether it renews its lease or answers; null if it has no lease and is not tracked."
    )
    lease_ended_at: datetime | None = Field(
        default=None, description="When its lease ran out, if that was a short time ago."
    )
    last_heard_at: datetime | None = Field(
        default=None, description="When it last renewed its lease, if the next two renewals are overdue."
    )
    pool: str | None = None


class CancelRequest(BaseModel):
    """A cancel that was requested and has not yet stopped the job."""

    requested_at: datetime
    reason: str | None
    can_be_killed: bool | None = Field(
        description='Whether `"terminate": true` can kill the task; null if its pool is not known.'
    )


class Estimate(BaseModel):
    """An estimate of when the job is done. It is not a promise."""

    by: Literal["run_times", "progress"] = Field(
        default="run_times",
        description="From how long others of its type took, or from the progress that it reports: as if it went "
        "on as fast as until now.",
    )
    at: datetime = Field(
        description="When it is done at its own pace; by run times: when half of the jobs of its type would be done."
    )
    late_at: datetime | None = Field(
        description="95 % of these would be done by this time; null by progress, or if its start is an estimate too."
    )
    started_at: datetime | None = Field(default=None, description="The estimated start, if it has not started yet.")
    based_on: int = Field(
        description="How many jobs of its type settled in the last 24 hours; by progress: 1, the job itself."
    )


class SubJobState(BaseModel):
    """A sub-job, in short."""

    id: str
    name: str
    status: Status
    code: Code
    summary: str


class GroupCounts(BaseModel):
    """How many jobs a Celery group has."""

    total: int
    is_complete: bool = Field(description="False: it may have more, which are not among the latest jobs.")
    by_status: dict[Status, int]


class Explanation(BaseModel):
    """Why a job is not done, or why it ended as it did. An unknown fact is null and is named in `unavailable`."""

    job_id: str
    status: Status
    code: Code
    summary: str = Field(description="The same for people.")
    at: datetime = Field(description="When this was so.")
    message: MessageLocation | None = Field(
        default=None, description="Where its message is; null if that does not matter."
    )
    queue: QueueState | None = Field(
        default=None, description="The queue it is sent to; null if that does not matter."
    )
    worker: WorkerState | None = Field(default=None, description="The worker that runs it or holds its message.")
    not_before: datetime | None = Field(default=None, description="Its ETA, or the time of its next attempt.")
    cancel: CancelRequest | None = None
    previous_job_id: str | None = Field(
        default=None, description="The previous job in its chain, for which it waits."
    )
    sub_jobs_open: int = Field(default=0, description="How many of its sub-jobs have not settled.")
    sub_jobs: list[SubJobState] = Field(
        default=[],
        description="The first ten sub-jobs that it waits for. If the job has failed or was cancelled: the first "
        "ten that did not complete.",
    )
    slot_job_ids: list[str] = Field(
        default=[],
        description="The jobs that have all slots for which it waits, the one that runs longest first; ten at most. "
        "Empty if it waits for no slot, or it is not certain that all are taken.",
    )
    finish: Estimate | None = Field(
        default=None, description="Null if fewer than five jobs of its type have settled, and for parents."
    )
    group: GroupCounts | None = Field(
        default=None, description="Not null if the id is that of a Celery group; `sub_jobs` are its members then."
    )
    traceparent: str | None = Field(default=None, description="As in the job: W3C's name of its span.")
    trace_url: str | None = Field(default=None, description="As in the job: the URL of its trace.")
    unavailable: list[str] = Field(default=[], description="What could not be found out, and why.")
