"""Workers that are taken out of service: what they still have, and whether they are safe to stop."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from jobtracker.schemas.explanation import Estimate

UNFINISHED_COMMAND = "jobtracker_unfinished"
"""The remote control command that workers answer with `Unfinished`."""


class DrainMark(BaseModel):
    """What is kept of a worker that was drained."""

    since_ms: int = Field(description="When it was first told to stop consuming, in milliseconds since the epoch.")
    queues: list[str] = Field(description="The queues that it consumed before.")


class UnfinishedTask(BaseModel):
    """A task that a worker has and has not finished, by its own word.

    Attributes:
        id: The task id.
        task: The name of the Celery task.
        where: "active" (runs), "reserved" (waits for a slot), "rate_limited", "scheduled" (waits for its ETA),
            "received" (anything else).
        is_acknowledged: Its message is gone from the broker.
        began_ms: When it began to run, by the worker's clock.
        eta_ms: The ETA that it waits for.
    """

    id: str
    task: str
    where: str
    is_acknowledged: bool = False
    began_ms: int | None = None
    eta_ms: int | None = None


class Unfinished(BaseModel):
    """A worker's answer about all that it has.

    Attributes:
        lease: The id of its lease.
        queues: The queues that it consumes.
        tasks: The tasks; those that run first, no more than `MOST_TOLD`.
        count: How many there are.
        in_pool: How many its pool has by the pool's own count; None: this pool does not count.
        unwritten: Reports that wait in its main process.
        unwritten_on_disk: Reports of processes of its machine wait on disk: the tracking Redis was away.
        keeps_on_disk: Reports that wait are kept on disk, so that those of its pool's processes are seen too.
        opaque: Names of tasks about whose messages it can't say everything.
    """

    lease: str
    queues: list[str] = []
    tasks: list[UnfinishedTask] = []
    count: int = 0
    in_pool: int | None = None
    unwritten: int = 0
    unwritten_on_disk: bool = False
    keeps_on_disk: bool = True
    opaque: list[str] = []


MOST_TOLD = 500
"""Tasks that a worker names in one answer."""


class DrainState(StrEnum):
    """Whether a worker is safe to stop."""

    CONSUMING = "consuming"
    """It takes new work. It was not drained, or that was undone."""
    DRAINING = "draining"
    """It was drained, and is not done: `reasons` says what is left."""
    SAFE = "safe"
    """It is safe to stop: it consumes nothing, has nothing left, and all its reports are stored."""
    UNKNOWN = "unknown"
    """It was drained, and what it has left can't be seen: `unavailable` says why."""


class IfStopped(StrEnum):
    """What becomes of a task if its worker is stopped (SIGTERM, a warm shutdown) or killed (SIGKILL) now."""

    FINISHES = "finishes"
    """The worker ends when it has finished it."""
    MAY_RUN = "may_run"
    """It runs if a slot is free before the worker ends. If none is, its message goes back to its queue."""
    COMES_BACK = "comes_back"
    """Its message goes back to its queue. Another worker runs it, from the beginning if it has begun."""
    RUNS_AGAIN = "runs_again"
    """Its message is gone. jobtracker sends it again, in a new run, because its type says so (`on_lost`)."""
    LOST = "lost"
    """Its message is gone, and nobody runs it again. A job fails."""
    CANCELLED = "cancelled"
    """Its cancel was asked for: it is not run again."""


class HeldTask(BaseModel):
    """A task that a worker has and has not finished."""

    id: str = Field(description="The id of its job; of a task that is not tracked the task id.")
    task: str = Field(description="The name of the Celery task.")
    job_type: str | None = Field(description="The job type; null if it is not tracked.")
    name: str | None = Field(default=None, description="The job's name.")
    where: str = Field(
        description="active (runs), reserved (waits for a slot), rate_limited, scheduled (waits for its ETA), or "
        "received (anything else)."
    )
    since: datetime | None = Field(default=None, description="When it began to run.")
    not_before: datetime | None = Field(default=None, description="The ETA that it waits for.")
    finish: Estimate | None = Field(
        default=None, description="When it is expected to end, by its type's run times; null: not known."
    )
    if_stopped: IfStopped = Field(description="What a warm shutdown (SIGTERM) makes of it.")
    if_killed: IfStopped = Field(description="What becomes of it if the worker is killed now (SIGKILL).")
    if_killed_text: str = Field(description="The same, and why: a sentence.")


class Drain(BaseModel):
    """What a worker still has, and whether it is safe to stop."""

    worker: str
    incarnation: str = Field(description="The id of its lease: new at every start.")
    pool: str
    state: DrainState
    summary: str = Field(description="The state, a sentence.")
    drained_since: datetime | None = Field(
        description="When it was first told to stop consuming; null: jobtracker has not told it."
    )
    queues: list[str] | None = Field(description="The queues it consumes; null: it does not answer.")
    queues_before: list[str] = Field(description="The queues that it consumed before it was drained: undo adds them.")
    running: int | None = Field(description="How many tasks it runs; null: it does not answer.")
    waiting: int | None = Field(
        description="How many messages it has fetched and not begun; null: it does not answer."
    )
    tasks: list[HeldTask] = Field(description="Those tasks: those that run first, the longest first.")
    tasks_left_out: int = Field(default=0, description="How many further ones there are.")
    finish_at: datetime | None = Field(
        default=None,
        description="When all that runs now is expected to have ended: 95 % of such tasks would. Null: nothing runs, "
        "or it is not known of one of them.",
    )
    if_stopped: str | None = Field(
        default=None, description="What a warm shutdown (SIGTERM) does with messages that wait there, on this broker."
    )
    if_killed: str | None = Field(
        default=None,
        description="What a kill (SIGKILL) does with unacknowledged messages, on this broker.",
    )
    reasons: list[str] = Field(default=[], description="Why it is not safe to stop yet, sentences.")
    unavailable: list[str] = Field(default=[], description="What can't be seen, and why.")

    @property
    def is_safe(self) -> bool:
        """It is safe to stop."""
        return self.state is DrainState.SAFE
