"""Jobs: create, list, look at, change, start, cancel, retry, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from jobtracker.core.access import Scope
from jobtracker.logging import request_id_var
from jobtracker.schemas.explanation import Explanation
from jobtracker.schemas.history import HistoryEntry
from jobtracker.schemas.jobs import Job, JobPage, JobTree, LogLine
from jobtracker.schemas.requests import JobCreate, JobUpdate, SubJobCreate, Unique
from jobtracker.schemas.sending import Sending
from jobtracker.server.access.limits import limited
from jobtracker.server.access.needs import Reach, needs
from jobtracker.server.dependencies import JobId, UseExplainer, UseSettings, UseTracking
from jobtracker.server.idempotency import ids_to_create, is_still_to_cancel, still_to_do, tells_of
from jobtracker.server.list_parameters import ListParameters
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson, written
from jobtracker.server.thread_route import ThreadRoute
from jobtracker.server.value_response import AskedPart, value_response

router = APIRouter(
    route_class=ThreadRoute,
    prefix="/api/jobs",
    tags=["jobs"],
    responses={**TO_EXPECT, 403: RESPONSES[403], 503: RESPONSES[503]},
)

NOT_FOUND: dict[int | str, dict[str, Any]] = {404: RESPONSES[404]}
NOT_ALLOWED: dict[int | str, dict[str, Any]] = {404: RESPONSES[404], 409: RESPONSES[409]}
UNREADABLE: dict[int | str, dict[str, Any]] = {400: RESPONSES[400]}

EXISTING: dict[int | str, dict[str, Any]] = {
    200: {"model": Job, "description": "Another job has its unique key: that job."},
    409: RESPONSES[409],
}


_VALUE_CONTENT = {"application/json": {"schema": {}}, "text/plain": {"schema": {"type": "string"}}}
_AS_TEXT = "As text, if it has NaN or Infinity: JSON does not have them, Python's parser reads them."
VALUE: dict[int | str, dict[str, Any]] = {
    200: {"content": _VALUE_CONTENT, "description": f"The whole value. {_AS_TEXT}"},
    206: {"content": _VALUE_CONTENT, "description": f"The bytes that `Range` asks for. {_AS_TEXT}"},
    304: {"description": "It is the one that `If-None-Match` names."},
    404: RESPONSES[404],
    416: RESPONSES[416],
}


async def _asked(request: Request) -> AskedPart:
    return AskedPart(*(request.headers.get(name) for name in ("if-none-match", "range", "if-range")))


_HEADERS = {
    "parameters": [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}
        for name, text in {
            "If-None-Match": "An `ETag`: if it is still that one, the answer is a 304.",
            "Range": "One range of bytes, e.g. `bytes=0-999`.",
            "If-Range": "An `ETag`: if it is another one now, the answer is the whole value.",
        }.items()
    ]
}


Asked = Annotated[AskedPart, Depends(_asked)]


class CreateJob(JobCreate):
    """A job to create."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Process Document",
                "job_type": "document_analysis",
                "priority": "normal",
                "payload": {"document_id": "doc123", "analysis_type": "full"},
            }
        }
    )

    start: bool = Field(False, strict=True, description="Send it to Celery at once.")
    unique: Unique | None = Field(None, description="No second job of its type has this key meanwhile.")


class CreateJobTree(SubJobCreate):
    """A parent to create, with its sub-jobs. Its own task runs after them and gets their results, in order."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Complex Document Processing",
                "job_type": "document_analysis",
                "priority": "high",
                "payload": {"document_id": "doc456"},
                "sub_jobs": [
                    {
                        "name": "Extract Entities",
                        "job_type": "entity_extraction",
                        "payload": {"document_id": "doc456"},
                    },
                    {
                        "name": "Extract Medications",
                        "job_type": "medication_extraction",
                        "payload": {"document_id": "doc456"},
                    },
                ],
            }
        }
    )

    sub_jobs: list[SubJobCreate] = Field(min_length=1, description="Each may have `sub_jobs` of its own.")
    start: bool = Field(False, strict=True, description="Send it to Celery at once.")
    unique: Unique | None = Field(
        None, description="No second job of its type has this key meanwhile. Sub-jobs have none."
    )


class Start(Sending):
    """When and where the task of a job is sent; default: as it was created."""

    model_config = ConfigDict(extra="forbid")


class Cancel(BaseModel):
    """How to cancel."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(
        "cancelled by request",
        min_length=1,
        max_length=300,
        description="Why it is cancelled, and who requested it; shown in the job and its history.",
    )
    terminate: bool = Field(False, strict=True, description="Kill a running task instead of asking it to stop.")


class Retry(BaseModel):
    """How to retry a job."""

    model_config = ConfigDict(extra="forbid")

    from_failed: bool = Field(
        False,
        strict=True,
        description="If an earlier job of its chain did not complete, run that job again. The rest of the chain "
        "runs after it.",
    )


@router.post(
    "/",
    status_code=201,
    response_model=Job,
    responses={**UNREADABLE, **EXISTING},
    dependencies=[needs(Scope.JOBS_CREATE, Reach.LIMITED)],
)
@router.post("", status_code=201, include_in_schema=False, dependencies=[needs(Scope.JOBS_CREATE, Reach.LIMITED)])
def create_job(job: CreateJob, tracking: UseTracking, settings: UseSettings, response: Response) -> WrittenJson:
    """Create a job. It is pending until it is started: here with `"start": true`, or by its `start` route.

    If a worker has announced the job type, the payload is checked against its schema. `countdown`, and `expires` in
    seconds, count from the start: give them with `"start": true`, or to the `start` route.

    With `unique` the answer may be another job, which has the same unique key: then it is a 200, and the header
    `Existing-Job` names that job. It stays as it is.
    """
    wanted = SubJobCreate.model_construct(**{name: getattr(job, name) for name in JobCreate.model_fields})
    ids, is_other, request_id = ids_to_create(tracking), False, request_id_var.get()
    if job.unique is None:
        record, data = tracking.jobs.create_one(wanted, start=job.start, request_id=request_id, ids=ids)
    else:
        (record, data), is_other = tracking.jobs.create_unique(
            wanted, job.unique, start=job.start, request_id=request_id, ids=ids
        )
    tells_of(record.id)
    response.headers["Location"] = f"{settings.api_root_path}/api/jobs/{record.id}"
    if is_other:
        response.headers["Existing-Job"] = record.id
    status = 200 if is_other else 201
    return WrittenJson(tracking.queries.loaded_json(record, data), status, response.headers)


@router.post(
    "/with-subjobs",
    status_code=201,
    response_model=JobTree,
    responses={
        **UNREADABLE,
        200: {"model": JobTree, "description": "Another job has its unique key: that job."},
        409: RESPONSES[409],
    },
    dependencies=[needs(Scope.JOBS_CREATE, Reach.LIMITED)],
)
@router.post(
    "/with-subjobs/", status_code=201, include_in_schema=False, dependencies=[needs(Scope.JOBS_CREATE, Reach.LIMITED)]
)
def create_job_with_sub_jobs(
    job: CreateJobTree, tracking: UseTracking, settings: UseSettings, response: Response
) -> Response:
    """Create a parent with sub-jobs, up to 50 levels deep.

    Up to 50 jobs are sent as a Celery chord when they are started. Workers send larger trees, and those that have a
    unique key.

    With `unique` the answer may be another job, as for one without sub-jobs.
    """
    ids, is_other, request_id = ids_to_create(tracking), False, request_id_var.get()
    if job.unique is None:
        create = tracking.jobs.submit if job.start else tracking.jobs.create
        job_id = create(job, request_id=request_id, ids=ids)
    else:
        job_id, is_other = tracking.jobs.create_unique_tree(
            job, job.unique, start=job.start, request_id=request_id, ids=ids
        )
    tells_of(job_id, is_tree=True)
    response.headers["Location"] = f"{settings.api_root_path}/api/jobs/{job_id}"
    if is_other:
        response.headers["Existing-Job"] = job_id
    return written(tracking.queries.tree_json(job_id), 200 if is_other else 201, response.headers)


@router.get("/", response_model=JobPage, dependencies=[needs(Scope.JOBS_READ, Reach.LIMITED)])
@router.get("", include_in_schema=False, dependencies=[needs(Scope.JOBS_READ, Reach.LIMITED)])
def list_jobs(tracking: UseTracking, given: Annotated[ListParameters, Query()]) -> WrittenJson:
    """List jobs. A job must match all parameters; of one that is given several times, one value.

    With `status`, `job_type`, `priority` beside a status, `parent`, or the time of an end, the cost does not depend
    on the number of jobs. Any other filter looks at a bounded number of jobs. So a page may be short and still have a
    `next_cursor`: `looked_at` and `looked_to` say how far it looked.
    """
    wanted = limited(given.wanted())
    return WrittenJson(
        tracking.queries.page_json(wanted, size=given.page_size, number=given.page, cursor=given.cursor)
    )


@router.get("/{job_id}", response_model=Job, responses=NOT_FOUND, dependencies=[needs(Scope.JOBS_READ)])
def get_job(job_id: JobId, tracking: UseTracking) -> WrittenJson:
    """A job with its payload, result and error."""
    return WrittenJson(tracking.queries.get_json(job_id))


@router.get(
    "/{job_id}/with-subjobs",
    response_model=JobTree,
    responses=NOT_FOUND,
    dependencies=[needs(Scope.JOBS_READ, Reach.TREE)],
)
def get_job_with_sub_jobs(job_id: JobId, tracking: UseTracking) -> Response:
    """A job and everything below it. The answer for a large tree is a stream.

    Of a Celery group's id: its first 500 members, below a job of the type `celery.group` that stands for all of them.
    """
    return written(tracking.queries.tree_or_group_json(job_id))


@router.get("/{job_id}/explain", responses=NOT_FOUND, dependencies=[needs(Scope.JOBS_READ, Reach.TREE)])
def explain_job(job_id: JobId, explainer: UseExplainer) -> Explanation:
    """Why a job is not done, or why it ended as it did: a `code` for programs, a `summary` for people, and the facts.

    The facts are: where its message is (its place in the queue, or which worker has it), whether its worker lives,
    what it waits for, and an estimate of its end. If the broker or a worker does not answer in time, the fact is null
    and named in `unavailable`.

    Of a Celery group's id: how many of its jobs have each status (`group`), and what the first open ones wait for.
    """
    return explainer.explain(job_id)


@router.get("/{job_id}/history", responses=NOT_FOUND, dependencies=[needs(Scope.JOBS_READ)])
def get_job_history(job_id: JobId, tracking: UseTracking) -> list[HistoryEntry]:
    """What happened to a job, oldest first: each run, delivery, attempt and cancel, and how it ended.

    Only the last hundred deliveries, attempts and requests are kept.
    """
    return tracking.queries.history(job_id)


@router.get("/{job_id}/logs", responses=NOT_FOUND, dependencies=[needs(Scope.JOBS_READ)])
def get_job_log(
    job_id: JobId,
    tracking: UseTracking,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    after: Annotated[
        str | None,
        Query(
            pattern="^[0-9]{1,19}-[0-9]{1,19}$",
            description="Lines after the line with this id; `0-0`: from the beginning.",
        ),
    ] = None,
) -> list[LogLine]:
    """The last lines of the job's own log, oldest first.

    With `after`: the first lines after that one. Send the id of the last line each time: no line is lost or doubled.
    """
    tracking.queries.record(job_id)
    return tracking.queries.log(job_id, after=after, most=limit)


@router.get(
    "/{job_id}/payload",
    response_class=Response,
    responses=VALUE,
    openapi_extra=_HEADERS,
    dependencies=[needs(Scope.JOBS_READ)],
)
async def get_job_payload(job_id: JobId, tracking: UseTracking, asked: Asked) -> Response:
    """The payload of a job as JSON, however large it is. Masked values stay masked."""
    return await value_response(lambda: tracking.stored_values.of(job_id, "payload"), asked)


@router.get(
    "/{job_id}/args",
    response_class=Response,
    responses=VALUE,
    openapi_extra=_HEADERS,
    dependencies=[needs(Scope.JOBS_READ)],
)
async def get_job_args(job_id: JobId, tracking: UseTracking, asked: Asked) -> Response:
    """The positional arguments of a job's task as JSON, however large they are."""
    return await value_response(lambda: tracking.stored_values.of(job_id, "args"), asked)


@router.get(
    "/{job_id}/result",
    response_class=Response,
    responses=VALUE,
    openapi_extra=_HEADERS,
    dependencies=[needs(Scope.JOBS_READ)],
)
async def get_job_result(job_id: JobId, tracking: UseTracking, asked: Asked) -> Response:
    """The result of a job as JSON, however large it is.

    It is as Celery's serializer writes it: a date, a UUID or a decimal is `{"__type__": …, "__value__": …}`.
    """
    return await value_response(lambda: tracking.stored_values.of(job_id, "result"), asked)


@router.put(
    "/{job_id}",
    response_model=Job,
    responses={**NOT_ALLOWED, **UNREADABLE},
    dependencies=[needs(Scope.JOBS_CONTROL, Reach.TREE)],
)
def update_job(job_id: JobId, wanted: JobUpdate, tracking: UseTracking) -> WrittenJson:
    """Change a job's name and tags; before it is started also its priority and payload.

    This also reports on a job that runs outside of Celery and was never started here: first status `running`, then
    progress, then `completed` with a result or `failed` with an error.
    """
    tracking.jobs.update(job_id, wanted)
    return WrittenJson(tracking.queries.get_json(job_id))


@router.delete(
    "/{job_id}", status_code=204, responses=NOT_ALLOWED, dependencies=[needs(Scope.JOBS_DELETE, Reach.TREE)]
)
def delete_job(job_id: JobId, tracking: UseTracking) -> None:
    """Remove a job with its sub-jobs, once it has ended or before it was started."""
    tracking.jobs.delete(job_id)


@router.post(
    "/{job_id}/start",
    response_model=Job,
    responses={**NOT_ALLOWED, **UNREADABLE},
    dependencies=[needs(Scope.JOBS_CONTROL, Reach.TREE)],
)
def start_job(job_id: JobId, tracking: UseTracking, how: Annotated[Start | None, Body()] = None) -> WrittenJson:
    """Send a job, with its sub-jobs, to Celery. A second start is a 409.

    `eta` or `countdown`, `expires` and `queue` are for its own task, and count more than those it was created with.
    """
    _, is_to_do = still_to_do(tracking, lambda: job_id)
    if is_to_do:
        tracking.jobs.start(job_id, how)
    return WrittenJson(tracking.queries.get_json(job_id))


@router.post(
    "/{job_id}/cancel",
    response_model=Job,
    responses={**NOT_ALLOWED, **UNREADABLE},
    dependencies=[needs(Scope.JOBS_CONTROL, Reach.TREE)],
)
def cancel_job(job_id: JobId, tracking: UseTracking, how: Annotated[Cancel | None, Body()] = None) -> WrittenJson:
    """Cancel a job and its sub-jobs. Jobs that wait are cancelled at once.

    A running task is asked to stop (`cancel_requested_at`). With `"terminate": true` it is killed. The pools
    `threads` and `solo` can't kill a task: it is asked to stop, and the job's `reason` says so.
    """
    how = how or Cancel()
    if is_still_to_cancel(tracking, job_id):
        tracking.jobs.cancel(job_id, reason=how.reason, terminate=how.terminate)
    return WrittenJson(tracking.queries.get_json(job_id))


@router.post(
    "/{job_id}/retry",
    response_model=Job,
    responses={**NOT_ALLOWED, **UNREADABLE},
    dependencies=[needs(Scope.JOBS_CONTROL, Reach.TREE)],
)
def retry_job(job_id: JobId, tracking: UseTracking, what: Annotated[Retry | None, Body()] = None) -> WrittenJson:
    """Run a failed or cancelled job again. Of a parent, only the sub-jobs that did not complete run again.

    The parent's own task then gets all results, old and new, in order.

    A job of a chain gets the result of the job before it, and the rest of the chain runs after it. If an earlier job
    of the chain did not complete, the answer is a 409 that names that job. With `"from_failed": true` that job runs
    again instead. The answer is the job that runs again.
    """
    what = what or Retry()
    first, is_to_do = still_to_do(
        tracking, lambda: tracking.jobs.first_to_retry(job_id, from_failed=what.from_failed).id
    )
    if is_to_do:
        first = tracking.jobs.retry(job_id, from_failed=what.from_failed)
    return WrittenJson(tracking.queries.get_json(first))
