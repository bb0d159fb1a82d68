"""What the API answers beside jobs: figures, health, problems. The API writes them, the client reads them."""

import re
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from jobtracker.figures import FlowPoint, Performance
from jobtracker.inspection import Component, QueueDepths
from jobtracker.lifecycle import Priority, Status
from jobtracker.models import JobSummary


class Group(BaseModel):
    """The jobs of one type or priority."""

    total: int
    by_status: dict[Status, int]


class Stats(BaseModel):
    """All jobs in figures; exact."""

    total: int
    by_status: dict[Status, int]
    by_type: dict[str, int]
    by_priority: dict[Priority, int]


class PerformanceReport(BaseModel):
    """How the jobs did that settled in a window."""

    since: datetime = Field(description="The window begins with this hour.")
    until: datetime
    overall: Performance
    by_type: dict[str, Performance]


class Throughput(BaseModel):
    """What happened, bucket by bucket, the empty ones too."""

    bucket_minutes: int
    points: list[FlowPoint]


class QueueReport(QueueDepths):
    """What waits: at the broker, and by our own count."""

    pending: int = Field(description="Jobs with status pending, the ones that were not started included.")


class ActiveJobs(BaseModel):
    """Jobs that run or wait for their next attempt, the longest first."""

    total: int
    jobs: list[JobSummary]


class Health(BaseModel):
    """Whether all is well, part by part."""

    status: Literal["healthy", "unhealthy"]
    service: str
    version: str
    request_id: str | None = None
    components: dict[str, Component] = Field(description="redis, broker, and workers where they are asked for.")


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Where it stands, e.g. body.payload.document_id.")
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field("about:blank", description="urn:jobtracker:problem:…, where the problem is one of ours.")
    title: str = Field(description="The kind of problem.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened here, and what to do.")
    instance: str = Field(description="The path that was asked for.")
    request_id: str | None = None
    errors: list[FieldProblem] | None = Field(None, description="The fields, where some are to blame.")
    job_id: str | None = Field(None, description="The job that is not there, or does not allow it.")
    job_status: str | None = Field(None, description="The status that does not allow it.")
    action: str | None = Field(None, description="What it does not allow, a verb.")


REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
"""What is taken for an X-Request-ID."""

JOB_NOT_FOUND = "urn:jobtracker:problem:job-not-found"
ILLEGAL_TRANSITION = "urn:jobtracker:problem:illegal-transition"
ARGUMENTS_GONE = "urn:jobtracker:problem:arguments-gone"
QUEUE_MISSING = "urn:jobtracker:problem:queue-missing"
RESULT_GONE = "urn:jobtracker:problem:result-gone"
UNKNOWN_JOB_TYPE = "urn:jobtracker:problem:unknown-job-type"
INVALID_PAYLOAD = "urn:jobtracker:problem:invalid-payload"
INVALID_JOB = "urn:jobtracker:problem:invalid-job"
BROKER_AWAY = "urn:jobtracker:problem:broker-away"
