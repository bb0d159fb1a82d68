"""Requests with an Idempotency-Key: done once, and answered the same however often they are sent.

The order is what makes it safe (`store/kept_answers.py` has the strings):

1. The request is written down, with the id from which the ids of what it creates follow.
2. A route that is to do something to a job notes first which run that job has (`still_to_do`).
3. It is done, and the answer is kept.

A refusal that comes before anything is done, because of what the request says or who sends it, leaves nothing behind.

A process that dies between two of these leaves a request without an answer. The next process to get the request finds
by those ids, or by the run, what was done, and makes the answer of it.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from redis.exceptions import RedisError

from jobtracker.core.access import acting
from jobtracker.core.idempotency_key import HEADER, RULE, is_key
from jobtracker.errors import DeletedIdError, JobTrackerError
from jobtracker.runtime import Tracking
from jobtracker.schemas.history import Step
from jobtracker.schemas.problems import ANSWER_NOT_KEPT
from jobtracker.server.problems import problem, refusal
from jobtracker.server.responses import WrittenJson, written
from jobtracker.store.following_ids import FollowingIds
from jobtracker.store.kept_answers import (
    LARGEST_ALONE_BYTES,
    LARGEST_BYTES,
    Attempt,
    KeptAnswer,
    KeptAnswers,
)

logger = logging.getLogger("jobtracker.server")

REPLAYED = "Idempotent-Replayed"
"""The header that says that an answer was given before."""

_KEPT_HEADERS = ("location", "content-type", "retry-after", "existing-job")

_KEPT_REFUSALS = {404, 409}
"""Statuses of refusals that are kept: they say how a job was then. With others the request may be mended, and sent
again with its key: nothing was done."""

F = TypeVar("F", bound=Callable[..., Any])


class _Asked:
    """A request that bears a key, while it is answered."""

    def __init__(self, attempt: Attempt, answers: KeptAnswers) -> None:
        self.attempt = attempt
        self.answers = answers
        self.job_id: str | None = None
        self.is_tree = False
        self.did_nothing = False
        """It was refused before anything was done, and nobody has tried before."""


_asked: ContextVar[_Asked | None] = ContextVar("jobtracker_asked", default=None)


def ids_to_create(tracking: Tracking) -> FollowingIds | None:
    """The ids that what the request creates must have; None: any. Call it once for each request."""
    asked = _asked.get()
    return FollowingIds(tracking.keys, asked.attempt.first_id) if asked else None


def still_to_do(tracking: Tracking, find: Callable[[], str]) -> tuple[str, bool]:
    """The job that a request is about, and whether what it wants of that is still to be done.

    For requests that give the job another run, or take it back from the one that it has. If somebody has given it
    another run since the request came first, that was this request, or it comes too late.

    Args:
        tracking: Where the job is.
        find: Finds the job's id. Its answer is noted, so a later attempt is about the same job.

    Raises:
        JobNotFoundError: There is no such job.
    """
    asked = _asked.get()
    if asked is None:
        return find(), True
    attempt = asked.attempt
    noted, _, job_id = (attempt.note or "").partition(" ")
    job_id = job_id or find()
    asked.job_id = job_id
    record = tracking.queries.record(job_id)
    asked_for = str(record.run - record.relaunched)  # runs that nobody has asked for do not count
    if not noted:
        asked.answers.note(attempt, f"{asked_for} {job_id}")
    return job_id, noted in {"", asked_for}


def is_still_to_cancel(tracking: Tracking, job_id: str) -> bool:
    """The same of a cancel: a job that was started, and not cancelled, meanwhile is still to be cancelled."""
    _, is_to_do = still_to_do(tracking, lambda: job_id)
    return is_to_do or all(entry.step is not Step.CANCELLED for entry in tracking.queries.history(job_id))


def tells_of(job_id: str, *, is_tree: bool = False) -> None:
    """Note of which job the answer tells: if it is too large to be kept, it is made again of that."""
    if asked := _asked.get():
        asked.job_id, asked.is_tree = job_id, is_tree


def first_id() -> str | None:
    """An id that is the same each time that the request is sent; None: it bears no key."""
    asked = _asked.get()
    return asked.attempt.first_id if asked else None


def has_secret(endpoint: F) -> F:
    """Mark a route whose answer has a secret: that is not kept, and a second request is refused."""
    endpoint.has_secret = True  # type: ignore[attr-defined] # read by `answered_once`
    return endpoint


def answered_once(
    request: Request, body: bytes, endpoint: Callable[..., Any], arguments: Mapping[str, Any], status: int
) -> Response:
    """Answer a request that bears a key.

    Args:
        request: The request.
        body: Its body.
        endpoint: Answers it.
        arguments: For the endpoint.
        status: Of its answer, if the endpoint returns no response.

    Raises:
        RequestValidationError: The key is none.
        IdempotencyKeyReusedError: It was that of another request.
        RequestInProgressError: Another process is about to answer it.
    """
    answers: KeptAnswers = request.app.state.kept_answers
    begun = answers.begin(_who_asks(), key_of(request), _fingerprint(request, body))
    if isinstance(begun, KeptAnswer):
        return _again(request, begun)
    asked = _Asked(begun, answers)
    token = _asked.set(asked)
    try:
        response = _answer(asked, lambda: endpoint(**arguments), request, status)
    except BaseException as error:
        request.state.may_be_done = isinstance(error, RedisError)
        with suppress(RedisError):  # its lease ends by itself
            (answers.forget if asked.did_nothing else answers.give_up)(begun)
        raise
    finally:
        _asked.reset(token)
    return response


def _answer(asked: _Asked, answer: Callable[[], Any], request: Request, status: int) -> Response:
    attempt, answers = asked.attempt, asked.answers
    try:
        try:
            response = _as_response(answer(), status)
        except DeletedIdError:
            answers.begin_anew(attempt)
            response = _as_response(answer(), status)
    except JobTrackerError as error:
        response = refusal(request, error)
        if response.status_code >= 500:  # it was not done, or was taken back
            answers.begin_anew(attempt)
        if response.status_code not in _KEPT_REFUSALS:
            asked.did_nothing = response.status_code < 500 and not attempt.is_repeated
            raise
    is_secret = hasattr(request.scope["endpoint"], "has_secret") and response.status_code < 400
    _keep(asked, response, is_secret=is_secret)
    return response


def _keep(asked: _Asked, response: Response, *, is_secret: bool) -> None:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    text = None
    if not is_secret and (body := getattr(response, "body", None)) is not None:  # a stream has none
        most = LARGEST_BYTES if asked.job_id else LARGEST_ALONE_BYTES
        text = bytes(body).decode() if len(body) <= most else None
    elif is_secret:
        text = ""
    if text is None and asked.job_id is None:  # it can only be done again
        asked.answers.give_up(asked.attempt)
        return
    answer = KeptAnswer(response.status_code, headers, text, asked.job_id, asked.is_tree, is_secret)
    try:
        asked.answers.keep(asked.attempt, answer)
    except RedisError as error:  # it was done: the next one finds what is there
        logger.warning("answer_not_kept", extra={"error": str(error)})


def _again(request: Request, kept: KeptAnswer) -> Response:
    """The response that was given before."""
    headers = {**kept.headers, REPLAYED: "true"}
    if kept.is_secret:
        detail = (
            "It was done. Its answer had a secret, which is not kept. Remove what it has made, and send the request "
            "with another Idempotency-Key."
        )
        return problem(request, 409, "The answer is not kept", detail, type=ANSWER_NOT_KEPT)
    if kept.body is None and kept.job_id is not None:
        queries = request.app.state.tracking.queries
        if kept.is_tree:
            return written(queries.tree_json(kept.job_id), kept.status, headers)
        return WrittenJson(queries.get_json(kept.job_id), kept.status, headers)
    if kept.status >= 400:
        told = json.loads(kept.body or "{}")
        more = {name: value for name, value in told.items() if name not in {"title", "status", "detail"}}
        for name in ("instance", "request_id"):
            more.pop(name, None)
        response = problem(request, kept.status, told["title"], told["detail"], **more)
        response.headers.update(headers)
        return response
    return Response(kept.body, kept.status, headers)


def _who_asks() -> str | None:
    """For whom an answer is kept: who may see other jobs by another key gets no answer of this one."""
    principal = acting.get()
    return json.dumps([principal.account, principal.job_types, principal.tags]) if principal else None


def key_of(request: Request) -> str:
    """The key of a request, without the quotes that it may have (it is a string of RFC 8941).

    Raises:
        RequestValidationError: It is none.
    """
    given = request.headers.getlist(HEADER)
    key = given[0].strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(given) > 1 or not is_key(key):
        where = ("header", HEADER.lower())
        text = f"give one, of {RULE}, for example a UUID"
        raise RequestValidationError([{"type": "value_error", "loc": where, "msg": text}])
    return key


def _fingerprint(request: Request, body: bytes) -> str:
    path = request.scope["path"].rstrip("/")
    asked = [request.method, path, request.scope["query_string"].decode("latin-1")]
    return hashlib.sha256(json.dumps(asked).encode() + body).hexdigest()[:32]


def _as_response(answer: Any, status: int) -> Response:
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, BaseModel):
        return WrittenJson(answer.model_dump_json(), status)
    return Response(status_code=status) if answer is None else WrittenJson(json.dumps(answer), status)
