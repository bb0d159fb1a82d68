"""Errors as RFC 9457 problem details: one shape for all of them."""

import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kombu.exceptions import OperationalError
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from jobtracker.errors import (
    BrokerUnavailableError,
    IllegalTransitionError,
    InvalidJobError,
    InvalidPayloadError,
    JobNotFoundError,
    JobTrackerError,
    ResultGoneError,
    UnknownJobTypeError,
)
from jobtracker.logs import request_id_var

logger = logging.getLogger("api")

RETRY_AFTER_S = 5

_STATUSES: dict[type[JobTrackerError], tuple[int, str]] = {
    JobNotFoundError: (404, "No such job"),
    IllegalTransitionError: (409, "Not in this status"),
    ResultGoneError: (409, "A result is gone"),
    UnknownJobTypeError: (422, "Unknown job type"),
    InvalidPayloadError: (422, "The payload does not fit"),
    InvalidJobError: (422, "The job can't be"),
    BrokerUnavailableError: (503, "The broker is away"),
    JobTrackerError: (422, "The request can't be answered"),
}


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="Where it stands, e.g. body.payload.document_id.")
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str = Field(description="The kind of problem.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened here, and what to do.")
    instance: str = Field(description="The path that was asked for.")
    request_id: str | None = None
    errors: list[FieldProblem] | None = Field(None, description="The fields, where some are to blame.")


def _schema() -> dict[str, Any]:
    """Problem's JSON Schema in one piece: inside an OpenAPI document its "#/$defs/…" would lead nowhere."""
    schema = Problem.model_json_schema()
    [(name, definition)] = schema.pop("$defs").items()
    text = json.dumps(schema).replace(json.dumps({"$ref": f"#/$defs/{name}"}), json.dumps(definition))
    whole: dict[str, Any] = json.loads(text)
    return whole


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/problem+json": {"schema": _schema()}}}
    for status, text in {
        404: "There is no such job.",
        409: "The job's status does not allow it.",
        413: "The request is too large.",
        422: "The request is not valid; `errors` names the fields.",
        503: "Redis or the broker is away; try again after `Retry-After` seconds.",
    }.items()
}


def problem(
    request: Request, status: int, title: str, detail: str, errors: list[FieldProblem] | None = None
) -> JSONResponse:
    """A problem as a response."""
    body = Problem(
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        request_id=request_id_var.get(),
        errors=errors,
    )
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    return JSONResponse(
        body.model_dump(exclude_none=True), status, headers=headers, media_type="application/problem+json"
    )


def unexpected(request: Request, error: Exception, *, debug: bool) -> JSONResponse:
    """What nobody thought of; with `debug` the caller is told what it is."""
    detail = f"{type(error).__name__}: {error}" if debug else "It has been logged with this request id."
    return problem(request, 500, "Unexpected error", detail)


def install(app: FastAPI) -> None:
    """Turn the errors that are expected into problem details; `RequestContext` answers the others."""

    @app.exception_handler(JobTrackerError)
    def job_tracker_error(request: Request, error: JobTrackerError) -> JSONResponse:
        status, title = next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)
        errors = None
        if isinstance(error, InvalidJobError):
            errors = [
                FieldProblem(field=".".join(map(str, ["body", *path])), message=message)
                for path, message in error.problems
            ]
        return problem(request, status, title, str(error), errors)

    @app.exception_handler(RequestValidationError)
    def validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [FieldProblem(field=".".join(map(str, e["loc"])), message=e["msg"]) for e in error.errors()]
        detail = "; ".join(f"{e.field}: {e.message}" for e in errors)
        return problem(request, 422, "The request is not valid", detail, errors)

    @app.exception_handler(OperationalError)
    def broker_error(request: Request, error: OperationalError) -> JSONResponse:
        return problem(request, 503, "The broker is away", f"The broker does not answer: {error}. Try again shortly.")

    @app.exception_handler(RedisError)
    def redis_error(request: Request, error: RedisError) -> JSONResponse:
        logger.warning("redis_unavailable", extra={"error": str(error)})
        detail = f"Redis does not answer as it should ({type(error).__name__}). Try again shortly."
        return problem(request, 503, "Redis is away", detail)

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> JSONResponse:
        detail = f"{error.detail}: {request.method} {request.url.path}. All routes are listed at /docs."
        response = problem(request, error.status_code, str(error.detail), detail)
        response.headers.update(error.headers or {})
        return response
