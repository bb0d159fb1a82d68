"""Job types, as workers declare them."""

from functools import cached_property
from typing import Any

from pydantic import BaseModel, Field

from jobtracker.core.lifecycle import OnLost
from jobtracker.core.masking import ArgumentRule
from jobtracker.schemas.payload_check import PayloadCheck


class JobType(BaseModel):
    """A job type as a worker announces it."""

    name: str = Field(description="The name of the type: the `job_type` of its jobs.")
    task: str = Field(description="The name of the Celery task that runs it.")
    queue: str | None = Field(default=None, description="The queue it is sent to; null: the broker's default queue.")
    payload_schema: dict[str, Any] | None = Field(
        default=None, description="JSON Schema of the payload; null: anything."
    )
    description: str = ""
    needs_results: bool = Field(
        default=False, description="Its task can't be called without the results of sub-jobs."
    )
    takes_results: bool = Field(default=True, description="Its task has a parameter for the results of sub-jobs.")
    acks_late: bool = Field(
        default=False, description="The broker delivers its message again if its worker dies (`acks_late`)."
    )
    store_result: bool = Field(default=True, description="Results of its jobs are stored.")
    on_lost: OnLost = Field(
        default=OnLost.FAIL,
        description="What happens to a job whose worker dies, if the message does not come back: it fails, or "
        "runs again.",
    )
    max_deliveries: int = Field(
        default=3,
        description="A job fails when this many of its workers or processes have died with it. Only a retry "
        "starts it again.",
    )
    arguments: ArgumentRule = Field(
        default=ArgumentRule(), description="Which of its arguments may be stored and shown."
    )

    @cached_property
    def check(self) -> PayloadCheck:
        """Checks payloads by its schema. It is made once, because a tree may have thousands of jobs of a type."""
        return PayloadCheck(self.payload_schema)
