"""The course of a job, as people see it."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field


class Step(StrEnum):
    """What happened to a job."""

    CREATED = "created"
    """It was recorded."""
    QUEUED = "queued"
    """A run of it was sent to Celery."""
    NOT_SENT = "not_sent"
    """It could not be sent; it is as it was."""
    STARTED = "started"
    """A worker began an attempt; a parent: its first sub-job began."""
    RETRYING = "retrying"
    """An attempt did not succeed, and Celery sent the next one."""
    REQUEUED = "requeued"
    """Its message went back to the broker: it was rejected, or its worker was lost."""
    REPLACED = "replaced"
    """Its task sent another one in its own place."""
    RELAUNCHED = "relaunched"
    """Its message, or the worker that ran it, was gone: a new run was sent."""
    SENT_AGAIN = "sent_again"
    """Celery code sent another message under its id before it had ended: each of them runs."""
    CANCEL_REQUESTED = "cancel_requested"
    """Somebody asked that it stop while it ran."""
    STARTED_AGAIN = "started_again"
    """A worker got its message once more after it had ended. What came of that does not count."""
    REFUSED = "refused"
    """A worker got a message whose task it did not begin: the job was cancelled, is in quarantine, or runs anew."""
    ENDED_LATE = "ended_late"
    """An execution came to its end when another one's had counted, or the job had ended. It does not count."""
    CORRECTED = "corrected"
    """It had been taken for ended by presumption, and its worker reported after all."""
    REOPENED = "reopened"
    """A parent that had ended because of its sub-jobs is open again."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class HistoryEntry(BaseModel):
    """One thing that happened to a job."""

    at: datetime
    step: Step
    run: int | None = Field(default=None, description="In which run.")
    attempt: int | None = Field(default=None, description="In which attempt of it, where that is known.")
    worker: str | None = Field(default=None, description="The worker that it happened on.")
    reason: str | None = Field(default=None, description="Why, a sentence; of a cancel what was given for it.")
    not_before: datetime | None = Field(default=None, description="When the next attempt was due.")
    began_at: datetime | None = Field(default=None, description="Of an execution that ended late: when it had begun.")
    outcome: str | None = Field(default=None, description="What came of it: completed, failed, cancelled, lost …")
    result: str | None = Field(default=None, description="How the JSON of its result begins; up to 200 characters.")
    same_result: bool | None = Field(default=None, description="Whether that is the job's own result.")
    presumed: bool = Field(default=False, description="Not reported by its worker, but presumed.")
