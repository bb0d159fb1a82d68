"""The audit: who changed what."""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel, Field


class AuditOutcome(StrEnum):
    """What became of a change that was asked for."""

    DONE = "done"
    """It was carried out."""
    REFUSED = "refused"
    """It was not carried out: the request was wrong, or not allowed."""
    FAILED = "failed"
    """It ended with an error. It may be done in part."""
    UNKNOWN = "unknown"
    """It has begun, and its end is not recorded: it is under way, or its process has died."""


class AuditEntry(BaseModel):
    """One change that somebody asked for."""

    id: str
    at: datetime = Field(description="When it began.")
    principal: str | None = Field(description="Who asked; null: somebody without a name.")
    key_id: str | None = Field(None, description="The id of the API key that they showed.")
    peer: str | None = Field(None, description="The address that the request came from.")
    request_id: str | None = Field(None, description="The request's id, as in the log of the API.")
    via: str = Field(description="api, or cli: a command that changes the store itself.")
    action: str = Field(description="What was asked for: the name of the route or command, e.g. `cancel_job`.")
    target: str | None = Field(None, description="What it was asked of: a job's id, a worker, a key …")
    filter: dict[str, Any] | None = Field(None, description="Of an action on many jobs: which ones.")
    count: int | None = Field(None, description="Of an action on many jobs: how many.")
    outcome: AuditOutcome
    status: int | None = Field(None, description="The HTTP status of the answer.")
    took_ms: int | None = Field(None, description="How long it took, in milliseconds.")


class AuditPage(BaseModel):
    """Entries of the audit, the latest first."""

    entries: list[AuditEntry]
    next_cursor: str | None = Field(description="Where the list goes on; null: this is its end.")
    cut_before: datetime | None = Field(
        description="Entries up to this time were removed before their age, because there were more than "
        "AUDIT_MAX_ENTRIES; null: none were."
    )


class AuditFilter(NamedTuple):
    """Which entries are wanted; None: all."""

    principal: str | None = None
    action: str | None = None
    job: str | None = None
    """The target."""
    since: datetime | None = None
    until: datetime | None = None
    outcome: AuditOutcome | None = None
