"""What a doctor finds, as it is shown and as programs read it."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Flaw(StrEnum):
    """How something beside the records can differ from them."""

    MISSING = "missing"
    """An index lacks a job, or a job its lock."""
    STRAY = "stray"
    """An index has a job that does not belong there, or is none."""
    SCORE = "score"
    """An index has a job at a wrong place."""
    RECORD = "record"
    """A field of a record contradicts its status."""
    BROKEN = "broken"
    """A record lacks what every record has: status, type, priority, times. Nobody can tell what it was."""
    LEFT_OVER = "left_over"
    """A key of a job that is gone, the tombstone of one that is there, or a lock that no job is to have."""
    FAMILY = "family"
    """A parent's counter of its sub-jobs is wrong."""
    STRANGER = "stranger"
    """A parent was told of a job that is none of its sub-jobs."""
    UNNOTIFIED = "unnotified"
    """What a parent and a sub-job know of each other does not fit, or a parent's status does not follow from it."""
    LOST_VALUE = "lost_value"
    """The object store lacks a value that a job names, or has another one."""
    TOTAL = "total"
    """A running total is not the sum of what it counts."""
    UNKNOWN = "unknown"
    """A key that this release does not know."""


class DifferenceGroup(BaseModel):
    """Differences of one kind at one place."""

    flaw: Flaw = Field(description="In which way.")
    where: str = Field(description="The index, field, key or counters.")
    count: int = Field(description="How many there are.")
    repaired: int = Field(description="How many of them were repaired.")
    examples: list[str] = Field(description="Some of them: job or counter, what is there, what should be there.")


class Trap(BaseModel):
    """Something in how Celery, the broker or Redis is set up that goes wrong on a bad day."""

    name: str = Field(description="For programs.")
    where: str = Field(description="The worker, server, queue or job type it is about.")
    problem: str = Field(description="What is wrong, a sentence.")
    consequence: str = Field(description="What follows from it, a sentence.")
    change: str = Field(description="The setting to change.")
    source: str = Field(description="Where that is documented, or done.")


class Examination(BaseModel):
    """Everything that a doctor found."""

    at: datetime
    healthy: bool = Field(description="Nothing has to be changed: no trap, and no difference that is left.")
    jobs: int | None = Field(description="Records that were recounted; null: it was not possible.")
    repair: bool = Field(description="Differences were to be repaired.")
    differences: list[DifferenceGroup]
    traps: list[Trap]
    unchecked: list[str] = Field(description="What could not be looked at, and why.")
    took_s: float


class ExaminationRun(BaseModel):
    """One examination that an API process makes in the background."""

    id: str
    state: Literal["running", "done", "failed", "stopped"] = Field(
        description="`stopped`: it took too long, found too much, or its process was stopped."
    )
    repair: bool = Field(description="It repairs what differs.")
    previewed_by: str | None = Field(
        default=None, description="Of a repair: the examination that showed what would be repaired."
    )
    started_at: datetime
    ended_at: datetime | None = None
    process: str = Field(description="The API process that makes it: host and process id.")
    jobs_looked_at: int = Field(default=0, description="Records that were recounted so far.")
    differences_found: int = Field(default=0, description="Differences that were found so far.")
    detail: str | None = Field(default=None, description="Why it failed or was stopped.")
    result: Examination | None = Field(default=None, description="What it found; null unless it is done.")


class ExaminationStatus(BaseModel):
    """The examination that runs, and the last one that ended: the same in each API process."""

    current: ExaminationRun | None = Field(description="Null: none runs.")
    last: ExaminationRun | None = Field(description="Null: none has ended in the last seven days.")


class RepairRequest(BaseModel):
    """A repair of what an examination has shown."""

    model_config = ConfigDict(extra="forbid")

    examination_id: str = Field(
        max_length=64,
        description="The last examination, which must have ended within the last hour and found differences.",
    )
