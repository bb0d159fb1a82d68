"""What needs somebody: what does not get better by itself."""

from datetime import datetime

from pydantic import BaseModel, Field

from jobtracker.schemas.explanation import Code
from jobtracker.schemas.failures import FailureGroupSummary


class BlockedJobs(BaseModel):
    """Open jobs that can't proceed, for one reason at one place."""

    code: Code
    summary: str = Field(description="How many, why and where, a sentence.")
    count: int = Field(description="How many of the jobs that were looked at.")
    is_exact: bool = Field(description="False: not all open jobs were looked at, so there may be more.")
    queue: str | None = Field(description="The queue that it is about; null: a worker is what it is about.")
    worker: str | None = Field(description="The worker that it is about; null: a queue is.")
    job_types: list[str] = Field(description="Their types, the first five by name.")
    oldest_since: datetime = Field(description="Since when the oldest of them has its status.")
    oldest_summary: str = Field(description="The explanation of that job.")
    job_ids: list[str] = Field(description="The first five, oldest first.")
    slots_taken_since: datetime | None = Field(
        default=None,
        description="Of jobs that wait for a slot (`queued` or `prefetched`, as the oldest is): since when no slot "
        "of the workers that consume their queue became free.",
    )
    slot_job_ids: list[str] = Field(
        default=[], description="The jobs that have these slots, the first five, the one that runs longest first."
    )


class UnconsumedQueue(BaseModel):
    """A queue in which messages wait, and that nobody consumes."""

    queue: str
    messages: int = Field(description="Messages of all priorities, also those of tasks that are not tracked.")


class LostWorker(BaseModel):
    """A worker that stopped renewing its lease and did not say that it stops."""

    incarnation: str
    name: str | None = Field(description="Null: it is not known any more.")
    lost_at: datetime = Field(description="When its lease ran out.")
    is_back: bool = Field(description="A worker of the same name lives.")
    pool: str | None
    concurrency: int | None
    queues: list[str]
    release: str | None
    open_jobs: int = Field(description="Its jobs that have not settled, among the jobs that were looked at.")
    failed_jobs: int = Field(description="Jobs that were taken for failed because it was lost, in the last hour.")
    job_ids: list[str] = Field(description="Some of both, up to five.")


class DisabledWebhook(BaseModel):
    """A webhook that jobtracker has disabled, because its address took nothing for days or is gone."""

    id: str
    description: str
    host: str = Field(description="Where its messages went; of a mailbox, its address.")
    disabled_at: datetime
    reason: str = Field(description="Why, a sentence.")


class Attention(BaseModel):
    """What needs somebody: jobs that can't proceed, failures, unconsumed queues, lost workers, disabled webhooks.

    The look is bounded. What could not be found out is named in `unavailable`.
    """

    at: datetime = Field(description="When it was looked. The answer may be some seconds old.")
    took_s: float
    open_jobs: int = Field(description="Jobs that are not settled.")
    looked_at: int = Field(description="How many of these were looked at: of each status the oldest.")
    complete: bool = Field(description="All open jobs were looked at.")
    blocked: list[BlockedJobs] = Field(description="The largest groups first, up to 30.")
    blocked_left_out: int = Field(description="Blocked jobs in further groups.")
    failures_since: datetime
    failed: int = Field(description="Jobs that have failed since then, and are failed now; exact.")
    failures_looked_at: int = Field(
        description="How many of these were looked at, for whether they were lost with their worker: the latest."
    )
    failures: list[FailureGroupSummary] = Field(
        description="Groups of failures that are new or have regressed, and were seen within a day: the 30 that were "
        "seen last, those with the most jobs of the last day first."
    )
    more_failures: bool = Field(description="There may be further ones: `GET /api/failures` lists them.")
    unconsumed_queues: list[UnconsumedQueue]
    lost_workers: list[LostWorker] = Field(description="Those that were lost in the last hour, the latest first.")
    disabled_webhooks: list[DisabledWebhook] = Field(
        default=[], description="Those that tell nobody anything, until somebody enables them."
    )
    unavailable: list[str] = Field(description="What could not be found out, and why.")

    @property
    def is_quiet(self) -> bool:
        """Nothing needs anybody, as far as could be found out."""
        found = (self.blocked, self.failures, self.unconsumed_queues, self.disabled_webhooks, self.unavailable)
        return not any(found) and all(worker.is_back for worker in self.lost_workers)
