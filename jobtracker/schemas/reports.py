"""What there is beside jobs: job types, workers, queues, figures, health, problems, as the API answers them."""

import json
import re
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from jobtracker.core.lifecycle import OnLost, Priority, Status
from jobtracker.core.masking import ArgumentRule
from jobtracker.schemas.jobs import JobSummary
from jobtracker.schemas.metrics import FlowPoint, Performance
from jobtracker.schemas.payload_check import PayloadCheck

_Told = TypeVar("_Told", bound=BaseModel)


class JobType(BaseModel):
    """A job type as a worker announces it."""

    name: str = Field(description="What jobs call it.")
    task: str = Field(description="The Celery task that does it.")
    queue: str | None = Field(None, description="Where it is sent; null: the broker's default queue.")
    payload_schema: dict[str, Any] | None = Field(None, description="JSON Schema of the payload; null: anything.")
    description: str = ""
    needs_results: bool = Field(False, description="Its task can't be called without them.")
    takes_results: bool = Field(True, description="Its task has a place for the results of sub-jobs.")
    acks_late: bool = Field(False, description="Its message comes back when its worker dies.")
    store_result: bool = Field(True, description="Its jobs keep their results.")
    on_lost: OnLost = Field(
        OnLost.FAIL, description="What becomes of a job whose worker dies, where its message does not come back."
    )
    max_deliveries: int = Field(
        3, description="A job whose workers die with it fails at this one, and is not started again by itself."
    )
    arguments: ArgumentRule = Field(ArgumentRule(), description="What may be kept and shown of its arguments.")

    @cached_property
    def check(self) -> PayloadCheck:
        """Checks payloads by its schema: made once, for a tree may have thousands of a type."""
        return PayloadCheck(self.payload_schema)


class Worker(BaseModel):
    """A worker process group, as it describes itself."""

    incarnation: str = Field(description="New at every start.")
    name: str = Field(description="Celery's name of it, e.g. celery@host.")
    host: str
    pid: int = Field(description="Of its main process.")
    pool: str = Field(description="prefork, threads, gevent, solo …")
    concurrency: int = Field(description="Tasks it runs at once.")
    queues: list[str]
    version: str = Field(description="Of celery-jobtracker.")
    release: str = Field("", description="Of its own project, as `RELEASE_LABEL` names it.")
    tells_holds: bool = Field(False, description="It says which messages it holds; workers before 0.2 do not.")
    started_at_ms: int = Field(description="When it was ready, milliseconds since the epoch.")
    clock_ahead_ms: int = Field(0, description="How far its clock is ahead of the tracking Redis's.")


HOLDS_COMMAND = "jobtracker_holds"
"""The remote control command that workers answer with a `Holding`."""


class Holding(BaseModel):
    """What a worker says of some tasks.

    Attributes:
        lease: Its incarnation.
        held: Where it has those that it has, by task id: "active" (runs), "rate_limited", "reserved" (waits for a
            slot), "scheduled" (waits for its ETA), "received" (anything else).
        ended: Those whose message it has acknowledged lately and that it does not have any more: Celery's number of
            retries before, by task id.
        opaque: Names of the tasks of which it can't tell what it has.
    """

    lease: str
    held: dict[str, str] = {}
    ended: dict[str, int] = {}
    opaque: list[str] = []


def read(model: type[_Told], text: str, **nearest: Any) -> _Told | None:
    """What a worker has told, perhaps one of a newer release; None where too little of it can be read.

    Args:
        model: What it tells of.
        text: JSON.
        nearest: Fields to take for those that can't be read; others have their defaults.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        unread = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
    try:
        told = {name: value for name, value in json.loads(text).items() if name not in unread}
        return model.model_validate(told | {name: nearest[name] for name in unread & nearest.keys()})
    except (ValueError, AttributeError):
        return None


class WorkerStats(BaseModel):
    """A worker, by its lease and by what it says when asked."""

    name: str
    online: bool = Field(description="It answered in time.")
    lease: Worker | None = Field(description="What it said of itself when it started; null: it is not tracked.")
    stats: dict[str, Any] | None = Field(None, description="Celery's inspect stats.")
    active: list[dict[str, Any]] = Field([], description="Tasks that run, with what may be shown of their arguments.")
    reserved: list[dict[str, Any]] = Field([], description="Tasks it has fetched, and not begun.")
    scheduled: list[dict[str, Any]] = Field([], description="Tasks it holds until their ETA.")
    registered: list[str] = Field([], description="Tasks it knows.")
    queues: list[str] = Field([], description="Queues it consumes.")


class QueueDepth(BaseModel):
    """One queue at the broker."""

    queue: str
    messages: int = Field(description="Waiting messages, of all priorities.")
    consumers: list[str] = Field(description="Names of the live workers that consume it.")
    consumer_count: int | None = Field(
        description="How many consumers the broker counts, those of workers that are not tracked among them; null "
        "where it does not tell."
    )
    exists: bool = Field(
        True,
        description="Whether the broker has it. RabbitMQ drops what is sent to a queue that it does not have; one of "
        "Redis is always there.",
    )


class QueueDepths(BaseModel):
    """All queues that jobs are sent to or workers consume."""

    queues: list[QueueDepth] = Field(
        description="Those of job types and workers; and those that were named at a call only, where something waits "
        "in them or somebody consumes them, or the broker does not have them."
    )
    some_left_out: bool = Field(
        False, description="Calls have named more queues than are kept: messages may wait in others."
    )
    unacknowledged: int | None = Field(
        description="Messages that workers hold and have not acknowledged, of all queues; null where the broker "
        "does not tell."
    )


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


class Component(BaseModel):
    """The health of one part."""

    healthy: bool
    detail: str | None = Field(None, description="What is wrong.")
    latency_ms: float | None = None
    facts: dict[str, Any] = {}


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
