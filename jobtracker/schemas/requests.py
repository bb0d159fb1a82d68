"""The bodies of requests: jobs to create, and changes of a job."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from jobtracker.core.labels import MOST_TAGS, NAME_CHARS, TAG_CHARS
from jobtracker.core.lifecycle import FailurePolicy, Priority, Status
from jobtracker.schemas.jobs import JobError, JsonObject, Portable
from jobtracker.schemas.sending import Sending

Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME_CHARS, strip_whitespace=True)]


Tag = Annotated[str, StringConstraints(min_length=1, max_length=TAG_CHARS, strip_whitespace=True)]


TypeName = Annotated[str, StringConstraints(min_length=1, max_length=200)]


DEPTH_LIMIT = 50
"""How many levels of sub-jobs a job may have. Celery's work on nested chords grows with the cube of the depth."""


TREE_LIMIT = 20_000
"""How many jobs one request may create. The store needs 0.1 ms to record each job, and the caller waits."""


class JobCreate(Sending):
    """A job to create."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(default="", description="A name for people; default: the job type.")
    job_type: TypeName = Field(description="A job type that a worker has announced, or `custom`.")
    priority: Priority = Priority.NORMAL
    payload: JsonObject = Field(default_factory=dict, description="The task's keyword arguments.")
    tags: list[Tag] = Field(default_factory=list, max_length=MOST_TAGS)

    @model_validator(mode="after")
    def _bears_a_name(self) -> Self:
        self.name = self.name or self.job_type
        return self


class SubJobCreate(JobCreate):
    """A job to create that may have sub-jobs. Its own task runs after them and gets their results."""

    priority: Priority | None = Field(default=None, description="Default: the parent's.")  # type: ignore[assignment]
    failure_policy: FailurePolicy = FailurePolicy.FAIL
    sub_jobs: list["SubJobCreate"] = Field(default=[])

    @model_validator(mode="before")
    @classmethod
    def _has_no_key_of_its_own(cls, job: Any) -> Any:
        if cls is SubJobCreate and isinstance(job, dict) and job.get("unique") is not None:
            raise ValueError(
                "A sub-job can't have a unique key: its parent would have to wait for a job of somebody else. Give "
                "the key to the parent."
            )
        return job

    @field_validator("sub_jobs", mode="before")
    @classmethod
    def _limit_depth(cls, sub_jobs: Any) -> Any:
        """Refuse a tree that nests too deep or has too many jobs, before its parts are read."""
        level, depth, jobs = sub_jobs, 0, 1
        while level and isinstance(level, list):
            depth += 1
            if depth > DEPTH_LIMIT:
                raise ValueError(f"sub-jobs nest deeper than {DEPTH_LIMIT} levels")
            jobs += len(level)
            if jobs > TREE_LIMIT:
                raise ValueError(f"it has more than {TREE_LIMIT} jobs. Create several trees")
            below = [_sub_jobs_of(job) for job in level]
            level = [job for family in below if isinstance(family, list) for job in family]
        return sub_jobs


class Unique(BaseModel):
    """A key of which there is one job at a time, of its type."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(min_length=1, max_length=200, description="E.g. what the job is about.")
    while_: list[Literal["pending", "running", "retrying", "completed"]] = Field(
        default=["pending", "running", "retrying"],
        alias="while",
        min_length=1,
        max_length=4,
        description="The statuses of the first job in which there is no second one. `pending` must be one of them.",
    )
    for_s: float | None = Field(
        default=None, gt=0, le=31_536_000, description="No longer than so many seconds after it was created."
    )

    @field_validator("while_")
    @classmethod
    def _begins_pending(cls, statuses: list[str]) -> list[str]:
        if "pending" not in statuses:
            raise ValueError("`pending` must be one of them: a job is pending when it is created")
        return statuses


class JobUpdate(BaseModel):
    """Changes of a job. Status, progress, result and error are reports on a job that runs outside of Celery."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    priority: Priority | None = Field(default=None, description="Before it is started.")
    tags: list[Tag] | None = Field(default=None, max_length=MOST_TAGS)
    payload: JsonObject | None = Field(default=None, description="Before it is started.")
    status: Literal[Status.RUNNING, Status.COMPLETED, Status.FAILED, Status.CANCELLED] | None = None
    progress: "ProgressUpdate | None" = None
    result: Portable = Field(default=None, description="With status completed.")
    error: "FailureReport | None" = Field(default=None, description="With status failed.")

    @model_validator(mode="after")
    def _fits_its_status(self) -> Self:
        for field, status in (("result", Status.COMPLETED), ("error", Status.FAILED)):
            if getattr(self, field) is not None and self.status is not status:
                raise ValueError(f"{field} goes with status {status}")
        if (self.priority or self.payload is not None) and (self.status or self.progress):
            raise ValueError("priority and payload are changed before the job begins: by a request of their own")
        return self


class FailureReport(JobError):  # noqa: N818 (a model, as its base is)
    """The error of a job that runs outside of Celery."""

    model_config = ConfigDict(extra="forbid")


class ProgressUpdate(BaseModel):
    """How far a job that runs outside of Celery is."""

    model_config = ConfigDict(extra="forbid")

    done: float = Field(ge=0, allow_inf_nan=False, strict=True)
    total: float = Field(gt=0, allow_inf_nan=False, strict=True)
    note: str = Field(default="", max_length=200)


BATCH_LIMIT = 10_000
"""How many jobs one batch may have."""


MOST_UNIQUE = 200
"""How many jobs a batch may have in which a job has a unique key. All of it is recorded in one step, which takes the
server some milliseconds."""


class BatchJob(JobCreate):
    """A job to create in a batch."""

    unique: Unique | None = Field(None, description="No second job of its type has this key meanwhile.")


class BatchCreate(BaseModel):
    """Independent jobs to create: all of them, or none."""

    model_config = ConfigDict(extra="forbid")

    jobs: list[BatchJob] = Field(min_length=1, max_length=BATCH_LIMIT, description="None of them has sub-jobs.")
    start: bool = Field(False, strict=True, description="Send them to Celery at once.")

    @model_validator(mode="after")
    def _has_few_enough_for_keys(self) -> Self:
        if len(self.jobs) > MOST_UNIQUE and any(job.unique for job in self.jobs):
            raise ValueError(
                f"a batch with unique keys has up to {MOST_UNIQUE} jobs, this one has {len(self.jobs)}. Send several "
                "batches: those without unique keys may be larger"
            )
        return self


class BatchCreated(BaseModel):
    """The jobs of a batch."""

    ids: list[str] = Field(
        description="Their ids, in the order of the request; of one whose unique key another job has, that job's."
    )
    joined: list[int] = Field(
        default=[], description="The places in `ids` of those other jobs, from 0: they were not created."
    )


def _sub_jobs_of(job: Any) -> Any:
    return job.get("sub_jobs") if isinstance(job, dict) else getattr(job, "sub_jobs", None)
