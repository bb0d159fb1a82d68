"""What a doctor finds, as it is shown and as programs read it."""

from datetime import datetime

from pydantic import BaseModel, Field

from jobtracker.store.audit import Flaw


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
