"""Errors of the API, as RFC 9457 has them."""

import re

from pydantic import BaseModel, Field


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Where it stands, e.g. body.payload.document_id.")
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(
        default="about:blank", description="urn:jobtracker:problem:…, where the problem is one of ours."
    )
    title: str = Field(description="The kind of problem.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened here, and what to do.")
    instance: str = Field(description="The path that was asked for.")
    request_id: str | None = None
    errors: list[FieldProblem] | None = Field(default=None, description="The fields, where some are to blame.")
    job_id: str | None = Field(default=None, description="The job that is not there, or does not allow it.")
    job_status: str | None = Field(default=None, description="The status that does not allow it.")
    action: str | None = Field(default=None, description="What it does not allow, a verb.")


REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
"""What is taken for an X-Request-ID."""


JOB_NOT_FOUND = "urn:jobtracker:problem:job-not-found"


ILLEGAL_TRANSITION = "urn:jobtracker:problem:illegal-transition"


ARGUMENTS_UNAVAILABLE = "urn:jobtracker:problem:arguments-unavailable"


QUEUE_MISSING = "urn:jobtracker:problem:queue-missing"


RESULT_UNAVAILABLE = "urn:jobtracker:problem:result-unavailable"


UNKNOWN_JOB_TYPE = "urn:jobtracker:problem:unknown-job-type"


INVALID_PAYLOAD = "urn:jobtracker:problem:invalid-payload"


INVALID_JOB = "urn:jobtracker:problem:invalid-job"


BROKER_AWAY = "urn:jobtracker:problem:broker-away"
