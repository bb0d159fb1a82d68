"""Errors as RFC 9457 problem details: one shape for all of them."""

import json
import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from jobtracker.connection.write_rejection import write_rejection_of
from jobtracker.errors import (
    ApiKeyNotFoundError,
    ArgumentsUnavailableError,
    BrokerUnavailableError,
    ExaminationError,
    FailureGroupNotFoundError,
    ForbiddenError,
    IdempotencyKeyReusedError,
    IllegalTransitionError,
    InvalidJobError,
    InvalidPayloadError,
    InvalidWebhookError,
    IssuerUnavailableError,
    JobNotFoundError,
    JobTrackerError,
    NotAuthenticatedError,
    NotRecordedError,
    OutdatedSchemaError,
    PartitionsError,
    QueueMissingError,
    ReleaseNotFoundError,
    RepartitionInProgressError,
    RequestInProgressError,
    RestoreUnfinishedError,
    ResultUnavailableError,
    TooManyApiKeysError,
    TooManyRequestsError,
    TooManyViewersError,
    UniqueKeyTakenError,
    UnknownJobTypeError,
    ValueUnavailableError,
    WebhookNotFoundError,
    WorkerNotFoundError,
    without_prefix,
)
from jobtracker.jobs.bulk import TooManyBulkRunsError
from jobtracker.logging import request_id_var
from jobtracker.objects.object_store import ObjectStoreError
from jobtracker.schemas import problems
from jobtracker.schemas.problems import FieldProblem, Problem
from jobtracker.schemas.query_language import InvalidQueryError
from jobtracker.server.encoded_paths import path_as_asked

logger = logging.getLogger("jobtracker.server")

RETRY_AFTER_S = 5

_QUERY_IN = {"GET": "query.q", "HEAD": "query.q", "POST": "body.filter"}
"""Where a request has a query."""

_MOST_FIELDS = 50
"""How many wrong fields an answer names. A request of ten megabytes may have a million."""

_KINDS: dict[type[JobTrackerError], tuple[int, str, str]] = {
    NotAuthenticatedError: (401, problems.NOT_AUTHENTICATED, "The caller is not known"),
    IssuerUnavailableError: (503, "about:blank", "The issuer of tokens is away"),
    TooManyRequestsError: (429, problems.TOO_MANY_REQUESTS, "Too many requests"),
    ForbiddenError: (403, problems.FORBIDDEN, "Not allowed"),
    ApiKeyNotFoundError: (404, problems.API_KEY_NOT_FOUND, "No such API key"),
    TooManyApiKeysError: (409, "about:blank", "Too many API keys"),
    JobNotFoundError: (404, problems.JOB_NOT_FOUND, "No such job"),
    FailureGroupNotFoundError: (404, "about:blank", "No such group of failures"),
    WorkerNotFoundError: (404, problems.WORKER_NOT_FOUND, "No such worker"),
    ReleaseNotFoundError: (404, problems.RELEASE_NOT_FOUND, "No such release"),
    WebhookNotFoundError: (404, "about:blank", "No such webhook"),
    InvalidWebhookError: (422, "about:blank", "The webhook can't be"),
    UniqueKeyTakenError: (409, problems.UNIQUE_KEY_TAKEN, "There is one already"),
    IllegalTransitionError: (409, problems.ILLEGAL_TRANSITION, "Not in this status"),
    ArgumentsUnavailableError: (409, problems.ARGUMENTS_UNAVAILABLE, "Its arguments are unavailable"),
    QueueMissingError: (409, problems.QUEUE_MISSING, "No such queue"),
    ResultUnavailableError: (409, problems.RESULT_UNAVAILABLE, "A result is unavailable"),
    ValueUnavailableError: (404, problems.VALUE_UNAVAILABLE, "No such value"),
    ObjectStoreError: (503, "about:blank", "The object store is away"),
    ExaminationError: (409, problems.EXAMINATION, "No examination now"),
    RequestInProgressError: (409, problems.REQUEST_IN_PROGRESS, "It is being answered"),
    IdempotencyKeyReusedError: (422, problems.KEY_REUSED, "The key was another request's"),
    InvalidQueryError: (422, problems.INVALID_QUERY, "The query can't be read"),
    UnknownJobTypeError: (422, problems.UNKNOWN_JOB_TYPE, "Unknown job type"),
    InvalidPayloadError: (422, problems.INVALID_PAYLOAD, "The payload does not fit"),
    InvalidJobError: (422, problems.INVALID_JOB, "The job can't be"),
    BrokerUnavailableError: (503, problems.BROKER_AWAY, "The broker is away"),
    NotRecordedError: (503, "about:blank", "Nothing was recorded"),
    PartitionsError: (503, "about:blank", "The store has other partitions"),
    RepartitionInProgressError: (503, "about:blank", "The store is being moved"),
    RestoreUnfinishedError: (503, "about:blank", "The store is being restored"),
    OutdatedSchemaError: (503, "about:blank", "The store is of an earlier release"),
    TooManyBulkRunsError: (503, "about:blank", "Too many bulk runs"),
    TooManyViewersError: (503, "about:blank", "Too many live streams"),
    JobTrackerError: (422, "about:blank", "The request can't be answered"),
}


def _schema() -> dict[str, Any]:
    """The JSON Schema of `Problem` in one piece. Inside an OpenAPI document, "#/$defs/…" would point nowhere."""
    schema = Problem.model_json_schema()
    [(name, definition)] = schema.pop("$defs").items()
    text = json.dumps(schema).replace(json.dumps({"$ref": f"#/$defs/{name}"}), json.dumps(definition))
    whole: dict[str, Any] = json.loads(text)
    return whole


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {"application/problem+json": {"schema": _schema()}}}
    for status, text in {
        400: "The body is not JSON in UTF-8, nests many hundred levels deep, or has a number with "
        "thousands of digits.",
        401: "The caller is not known: send an API key, `Authorization: Bearer jt_…`.",
        403: "The caller may not do that; or a page of another site requests a change.",
        404: "There is no such job.",
        409: "The job's status does not allow it.",
        408: "The body did not arrive in time.",
        413: "The request is too large.",
        416: "The value has no such bytes; `Content-Range` says how many it has.",
        421: "The API does not answer to this name (the Host header): see `API_ALLOWED_HOSTS`.",
        422: "The request is not valid, or has an unknown parameter or field; `errors` names the first 50.",
        429: "The caller has asked too often, or has too much under way; try again after `Retry-After` seconds.",
        503: "Redis or the broker is away, or the store can't be used; try again after `Retry-After` seconds.",
    }.items()
}


TO_EXPECT: dict[int | str, dict[str, Any]] = {
    status: RESPONSES[status] for status in (401, 403, 408, 413, 421, 422, 429)
}
"""Problems that any route may answer."""


def problem(request: Request, status: int, title: str, detail: str, **more: Any) -> JSONResponse:
    """A problem as a response. `more` are further fields of `Problem`."""
    body = Problem(
        title=title,
        status=status,
        detail=detail,
        instance=path_as_asked(request.scope),
        request_id=request_id_var.get(),
        **more,
    )
    headers = {503: {"Retry-After": str(RETRY_AFTER_S)}, 401: {"WWW-Authenticate": "Bearer"}}.get(status)
    return JSONResponse(
        body.model_dump(exclude_none=True), status, headers=headers, media_type="application/problem+json"
    )


def _allowed(request: Request, given: str) -> str:
    """All methods of a path. Each method is a route of its own, and Starlette names only those of one route."""
    path, routes = request.scope["path"], [each for each in request.app.routes if isinstance(each, Route)]
    exact = [each for each in routes if each.path in {path, f"{path}/"}]
    matching = exact or [each for each in routes if each.path_regex.match(path)]
    methods = {method for each in matching for method in each.methods or ()} | set(filter(None, given.split(", ")))
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def unexpected(request: Request, error: Exception, *, debug: bool) -> JSONResponse:
    """An unexpected error. With `debug` the answer says which."""
    detail = f"{type(error).__name__}: {error}" if debug else "It has been logged with this request id."
    return problem(request, 500, "Unexpected error", detail)


def _details(request: Request, error: JobTrackerError) -> dict[str, Any]:
    """What a problem says of an error beside its text."""
    more: dict[str, Any] = {"job_id": getattr(error, "job_id", None)}
    if isinstance(error, IllegalTransitionError):
        more |= {"job_status": error.status, "action": error.action}
    if isinstance(error, InvalidQueryError):
        more |= {"position": error.position, "end": error.end}
        more["errors"] = [FieldProblem(field=_QUERY_IN[request.method], message=str(error))]
    if isinstance(error, InvalidJobError):
        more["errors"] = [
            FieldProblem(field=".".join(map(str, ["body", *path])), message=message)
            for path, message in error.problems
        ]
    return more


def refusal(request: Request, error: JobTrackerError) -> JSONResponse:
    """An expected error as a response."""
    status, kind, title = next(_KINDS[kind] for kind in type(error).__mro__ if kind in _KINDS)
    response = problem(request, status, title, str(error), type=kind, **_details(request, error))
    if isinstance(error, TooManyRequestsError):
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, RequestInProgressError):
        response.headers["Retry-After"] = "1"
    return response


def redis_away(request: Request, error: RedisError) -> JSONResponse:
    """The response where Redis does not answer, or refuses."""
    logger.warning("redis_unavailable", extra={"error": str(error)})
    if refused := write_rejection_of(error):
        return problem(request, 503, "Redis takes no writes", f"Redis takes no writes: {refused}.")
    detail = f"Redis does not answer as it should ({type(error).__name__}). Try again shortly."
    if getattr(request.state, "may_be_done", False):
        detail += " The request may be done. Sent again with the same Idempotency-Key, it is done once."
        return problem(request, 503, "Redis is away", detail, type=problems.MAY_BE_DONE)
    return problem(request, 503, "Redis is away", detail)


def install(app: FastAPI) -> None:
    """Turn expected errors into problem details. `RequestContext` answers unexpected ones."""

    @app.exception_handler(JobTrackerError)
    async def job_tracker_error(request: Request, error: JobTrackerError) -> JSONResponse:
        return refusal(request, error)

    @app.exception_handler(RequestValidationError)
    async def validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        errors = [
            FieldProblem(field=".".join(map(str, e["loc"])), message=without_prefix(e["msg"]))
            for e in found[:_MOST_FIELDS]
        ]
        detail = "; ".join(f"{e.field}: {e.message}" for e in errors)
        if len(found) > len(errors):
            detail += f"; and {len(found) - len(errors)} more"
        return problem(request, 422, "The request is not valid", detail, errors=errors)

    @app.exception_handler(RedisError)
    async def redis_error(request: Request, error: RedisError) -> JSONResponse:
        return redis_away(request, error)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        detail = f"{error.detail}: {request.method} {path_as_asked(request.scope)}. All routes are listed at /docs."
        if error.status_code == 416:
            detail = f"The range that was asked for is not there. {error.detail}"
        if error.status_code == 400:
            detail = str(RESPONSES[400]["description"])
        title = "No such range" if error.status_code == 416 else str(error.detail)
        response = problem(request, error.status_code, title, detail)
        response.headers.update(error.headers or {})
        if error.status_code == 405:
            response.headers["Allow"] = _allowed(request, response.headers.get("Allow", ""))
        return response
