"""The history of a job."""

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
    """It could not be sent, and is as it was before."""
    STARTED = "started"
    """A worker began an attempt. For a parent: its first sub-job began."""
    RETRYING = "retrying"
    """An attempt did not succeed, and Celery sent the next one."""
    REQUEUED = "requeued"
    """Its message went back to the broker, because it was rejected or its worker was lost."""
    REPLACED = "replaced"
    """Its task replaced itself by another task."""
    RELAUNCHED = "relaunched"
    """A new run was sent, because its message or its worker was gone."""
    SENT_AGAIN = "sent_again"
    """Celery code sent another message under its id before it had ended. Both messages run."""
    UPDATED = "updated"
    """Somebody changed its name, tags, priority or payload. Kept where the API knows who."""
    CANCEL_REQUESTED = "cancel_requested"
    """A cancel was requested while it ran."""
    STARTED_AGAIN = "started_again"
    """A worker began its message again after the job had ended. This execution does not count."""
    REFUSED = "refused"
    """A worker got its message and did not begin it: the job was cancelled, is quarantined, or has a later run."""
    ENDED_LATE = "ended_late"
    """An execution ended after the job had ended. It does not count."""
    CORRECTED = "corrected"
    """An inferred outcome was corrected: its worker reported after all."""
    REOPENED = "reopened"
    """A parent that had ended because of its sub-jobs has not settled any more."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class HistoryEntry(BaseModel):
    """One thing that happened to a job."""

    at: datetime
    step: Step
    run: int | None = Field(default=None, description="In which run.")
    attempt: int | None = Field(default=None, description="The attempt within that run, if it is known.")
    worker: str | None = Field(default=None, description="The worker on which it happened.")
    reason: str | None = Field(
        default=None, description="Why it happened, as a sentence. For a cancel: the `reason` of the request."
    )
    by: str | None = Field(
        default=None, description="Who asked for it: for a start, a retry, a cancel and a change, if the API knows."
    )
    not_before: datetime | None = Field(default=None, description="When the next attempt was due.")
    began_at: datetime | None = Field(
        default=None, description="For an execution that ended late: when it had begun."
    )
    outcome: str | None = Field(
        default=None, description="How the execution ended: completed, failed, cancelled, lost …"
    )
    result: str | None = Field(default=None, description="The beginning of its result as JSON, up to 200 characters.")
    same_result: bool | None = Field(default=None, description="Whether that result equals the job's own result.")
    inferred: bool = Field(default=False, description="The outcome is inferred: the worker itself did not report it.")
