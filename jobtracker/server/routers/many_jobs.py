"""Many jobs at once: batches of new jobs, and bulk runs, which change many jobs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict

from jobtracker.core.access import Scope, acting
from jobtracker.errors import ForbiddenError
from jobtracker.logging import request_id_var
from jobtracker.schemas.bulk import BulkAction, BulkPreview, BulkRefusals, BulkRequest, BulkRun
from jobtracker.schemas.requests import BatchCreate, BatchCreated
from jobtracker.server.access.limits import limited
from jobtracker.server.access.needs import Reach, needs
from jobtracker.server.auditing import note_audit
from jobtracker.server.dependencies import JobId, UseSettings, UseTracking
from jobtracker.server.idempotency import first_id, ids_to_create
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(
    route_class=ThreadRoute,
    prefix="/api/jobs",
    tags=["jobs"],
    responses={**TO_EXPECT, 403: RESPONSES[403], 503: RESPONSES[503]},
)

_CREATES = [needs(Scope.JOBS_CREATE, Reach.LIMITED)]
_CHANGES = [needs(Scope.JOBS_CONTROL, Reach.LIMITED)]
_READS = [needs(Scope.JOBS_READ, Reach.LIMITED)]


class CreateBatch(BatchCreate):
    """Jobs to create together."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "jobs": [
                    {"job_type": "document_analysis", "payload": {"document_id": "doc123"}},
                    {"job_type": "entity_extraction", "payload": {"document_id": "doc123"}, "tags": ["spring"]},
                ],
                "start": True,
            }
        }
    )


@router.post(
    "/batch",
    status_code=201,
    response_model=BatchCreated,
    responses={400: RESPONSES[400], 409: RESPONSES[409]},
    dependencies=_CREATES,
)
@router.post("/batch/", status_code=201, include_in_schema=False, dependencies=_CREATES)
def create_jobs(batch: CreateBatch, tracking: UseTracking) -> WrittenJson:
    """Create up to 10,000 jobs without sub-jobs: all of them, or none.

    All are checked first: `errors` names those that can't be created by their places, `body.jobs.17.payload.text`.
    The request may have `MAX_REQUEST_BYTES`: by default 10 MB, which is 1 kB for each of 10,000 jobs. Up to 50
    started jobs are sent at once. Workers send the jobs of a larger batch.

    A job may have a `unique` key. Where another job has it, that one's id is in `ids`, and `joined` has its place. A
    batch with unique keys has up to 200 jobs.
    """
    note_audit(count=len(batch.jobs))
    made = tracking.jobs.create_batch(
        batch.jobs, start=batch.start, request_id=request_id_var.get(), ids=ids_to_create(tracking)
    )
    return WrittenJson.of(BatchCreated(ids=made.ids, joined=made.joined), status_code=201)


@router.post(
    "/bulk",
    status_code=202,
    response_model=BulkRun,
    responses={
        200: {"model": BulkPreview, "description": "With `dry_run`: what would be changed."},
        400: RESPONSES[400],
    },
    dependencies=_CHANGES,
)
@router.post("/bulk/", status_code=202, include_in_schema=False, dependencies=_CHANGES)
def change_many(wanted: BulkRequest, tracking: UseTracking, settings: UseSettings) -> Response:
    """Cancel, retry, delete, tag or reprioritise many jobs: those with these `ids`, or those that `filter` finds.

    The answer is a bulk run: a job of the type `jobtracker.bulk`, which the API does. It has progress, can be
    cancelled, and goes on if an API process dies. It changes jobs that match now and do so still when it is their
    turn, the oldest first, and each of them once. With `dry_run` the answer says which jobs these are, and nothing
    changes. To delete jobs, the scope `jobs:delete` is needed too.
    """
    chosen = (
        {"query": wanted.filter} if wanted.filter else {"all": True} if wanted.all else {"ids": len(wanted.ids or ())}
    )
    note_audit(filter={"action": wanted.action, "dry_run": wanted.dry_run, **chosen})
    _check_may_delete(wanted)
    if wanted.dry_run:
        return WrittenJson.of(tracking.jobs.bulk.preview(wanted, narrowed=limited))
    run = tracking.jobs.bulk.begin(wanted, narrowed=limited, request_id=request_id_var.get(), run_id=first_id())
    note_audit(target=run.id, count=run.total)
    response = WrittenJson.of(run, status_code=202)
    response.headers["Location"] = f"{settings.api_root_path}/api/jobs/bulk/{run.id}"
    return response


@router.get("/bulk/{job_id}", response_model=BulkRun, responses={404: RESPONSES[404]}, dependencies=_READS)
def get_bulk_run(job_id: JobId, tracking: UseTracking) -> WrittenJson:
    """A bulk run: how far it is, and what became of the jobs."""
    return WrittenJson.of(tracking.jobs.bulk.get(job_id))


@router.get(
    "/bulk/{job_id}/refused", response_model=BulkRefusals, responses={404: RESPONSES[404]}, dependencies=_READS
)
def get_refused_jobs(
    job_id: JobId,
    tracking: UseTracking,
    cursor: Annotated[int, Query(ge=0, le=1_000_000, description="`next_cursor` of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> WrittenJson:
    """The jobs that a bulk run could not change, each with the reason. They are kept as long as its job."""
    return WrittenJson.of(tracking.jobs.bulk.refused(job_id, cursor, limit))


def _check_may_delete(wanted: BulkRequest) -> None:
    principal = acting.get()
    if wanted.action is BulkAction.DELETE and principal and Scope.JOBS_DELETE not in principal.scopes:
        raise ForbiddenError(f"{principal.name} may not delete jobs: it needs the scope {Scope.JOBS_DELETE}.")
