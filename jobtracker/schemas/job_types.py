"""Job types, as workers declare them."""

from functools import cached_property
from typing import Any

from pydantic import BaseModel, Field

from jobtracker.core.lifecycle import OnLost
from jobtracker.core.masking import ArgumentRule
from jobtracker.schemas.payload_check import PayloadCheck


class JobType(BaseModel):
    """A job type as a worker announces it."""

    name: str = Field(description="What jobs call it.")
    task: str = Field(description="The Celery task that does it.")
    queue: str | None = Field(default=None, description="Where it is sent; null: the broker's default queue.")
    payload_schema: dict[str, Any] | None = Field(
        default=None, description="JSON Schema of the payload; null: anything."
    )
    description: str = ""
    needs_results: bool = Field(default=False, description="Its task can't be called without them.")
    takes_results: bool = Field(default=True, description="Its task has a place for the results of sub-jobs.")
    acks_late: bool = Field(default=False, description="Its message comes back when its worker dies.")
    store_result: bool = Field(default=True, description="Its jobs keep their results.")
    on_lost: OnLost = Field(
        default=OnLost.FAIL,
        description="What becomes of a job whose worker dies, where its message does not come back.",
    )
    max_deliveries: int = Field(
        default=3,
        description="A job whose workers die with it fails at this one, and is not started again by itself.",
    )
    arguments: ArgumentRule = Field(
        default=ArgumentRule(), description="What may be kept and shown of its arguments."
    )

    @cached_property
    def check(self) -> PayloadCheck:
        """Checks payloads by its schema: made once, for a tree may have thousands of a type."""
        return PayloadCheck(self.payload_schema)
