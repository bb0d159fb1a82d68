"""Errors of the API as problem details (RFC 9457)."""

import re

from pydantic import BaseModel, Field


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="The path of the field, e.g. body.payload.document_id.")
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(
        default="about:blank",
        description="`urn:jobtracker:problem:…` for problems that jobtracker defines; otherwise `about:blank`.",
    )
    title: str = Field(description="The kind of problem.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, why, and what to do.")
    instance: str = Field(description="The path of the request.")
    request_id: str | None = None
    errors: list[FieldProblem] | None = Field(default=None, description="The fields that are wrong, if any.")
    job_id: str | None = Field(
        default=None, description="The job that does not exist, or whose status does not allow the request."
    )
    job_status: str | None = Field(default=None, description="The job's status, if it does not allow the request.")
    action: str | None = Field(default=None, description="The action that the status does not allow, as a verb.")
    position: int | None = Field(
        default=None, description="Where the wrong part of a query begins, in characters from 0."
    )
    end: int | None = Field(default=None, description="Where it ends.")


REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
"""The form of an `X-Request-ID` that is accepted."""


JOB_NOT_FOUND = "urn:jobtracker:problem:job-not-found"
RELEASE_NOT_FOUND = "urn:jobtracker:problem:release-not-found"
WORKER_NOT_FOUND = "urn:jobtracker:problem:worker-not-found"


ILLEGAL_TRANSITION = "urn:jobtracker:problem:illegal-transition"


ARGUMENTS_UNAVAILABLE = "urn:jobtracker:problem:arguments-unavailable"


QUEUE_MISSING = "urn:jobtracker:problem:queue-missing"


RESULT_UNAVAILABLE = "urn:jobtracker:problem:result-unavailable"


UNKNOWN_JOB_TYPE = "urn:jobtracker:problem:unknown-job-type"


INVALID_PAYLOAD = "urn:jobtracker:problem:invalid-payload"


INVALID_QUERY = "urn:jobtracker:problem:invalid-query"


INVALID_JOB = "urn:jobtracker:problem:invalid-job"


BROKER_AWAY = "urn:jobtracker:problem:broker-away"


VALUE_UNAVAILABLE = "urn:jobtracker:problem:value-unavailable"
NOT_AUTHENTICATED = "urn:jobtracker:problem:not-authenticated"
FORBIDDEN = "urn:jobtracker:problem:forbidden"
TOO_MANY_REQUESTS = "urn:jobtracker:problem:too-many-requests"
API_KEY_NOT_FOUND = "urn:jobtracker:problem:api-key-not-found"
EXAMINATION = "urn:jobtracker:problem:examination"
REQUEST_IN_PROGRESS = "urn:jobtracker:problem:request-in-progress"
MAY_BE_DONE = "urn:jobtracker:problem:may-be-done"
KEY_REUSED = "urn:jobtracker:problem:idempotency-key-reused"
ANSWER_NOT_KEPT = "urn:jobtracker:problem:answer-not-kept"
UNIQUE_KEY_TAKEN = "urn:jobtracker:problem:unique-key-taken"
