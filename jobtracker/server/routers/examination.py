"""The doctor, for the page: examinations in the background."""

from typing import Any

from fastapi import APIRouter

from jobtracker.core.access import Scope
from jobtracker.schemas.examination import ExaminationRun, ExaminationStatus, RepairRequest
from jobtracker.server.access.needs import needs
from jobtracker.server.dependencies import UseBackgroundDoctor
from jobtracker.server.idempotency import first_id
from jobtracker.server.problems import RESPONSES, TO_EXPECT
from jobtracker.server.responses import WrittenJson
from jobtracker.server.thread_route import ThreadRoute

router = APIRouter(
    route_class=ThreadRoute,
    prefix="/api/tracking/examination",
    tags=["tracking"],
    responses={**TO_EXPECT, 503: RESPONSES[503]},
)
_CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {**RESPONSES[409], "description": "Another examination runs; or there is none to repair after."}
}


@router.get("", response_model=ExaminationStatus, dependencies=[needs(Scope.JOBS_READ)])
def examination(doctor: UseBackgroundDoctor) -> WrittenJson:
    """The running examination and the last one that has ended, with its findings. Any API process may run it."""
    return WrittenJson.of(doctor.status())


@router.post(
    "", status_code=202, response_model=ExaminationRun, responses=_CONFLICT, dependencies=[needs(Scope.JOBS_CONTROL)]
)
def examine(doctor: UseBackgroundDoctor) -> WrittenJson:
    """Start an examination: recount every counter and index, and check settings that cause trouble later.

    It runs in the background, and reads everything: about three seconds for each ten thousand jobs.
    """
    return WrittenJson(doctor.examine(first_id()).model_dump_json(), 202)


@router.post(
    "/repair",
    status_code=202,
    response_model=ExaminationRun,
    responses={**_CONFLICT, 400: RESPONSES[400]},
    dependencies=[needs(Scope.JOBS_CONTROL)],
)
def repair(doctor: UseBackgroundDoctor, what: RepairRequest) -> WrittenJson:
    """Start a repair of what the last examination has shown.

    It examines again and repairs what differs then: jobs go on meanwhile, so numbers may differ from those shown.
    """
    return WrittenJson(doctor.repair(what.examination_id, first_id()).model_dump_json(), 202)
