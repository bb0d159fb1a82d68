"""A call of the API as a value: what is sent, and how its answer is read. Nothing here does input or output."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from jobtracker.client.errors import ApiError, ApiUnavailableError, error_of
from jobtracker.errors import InvalidJobError, JobNotFoundError
from jobtracker.schemas.problems import MAY_BE_DONE, REQUEST_IN_PROGRESS, Problem

T = TypeVar("T")

_AWAY = frozenset({429, 502, 503, 504})
"""Statuses that say "not now", our own API's and those of what may stand before it."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request and the type of its answer.

    Attributes:
        method: The HTTP method.
        path: The path below the API's address.
        answer: The type of the answer.
        params: The query; what is None is left out.
        body: What is sent as JSON.
        answers_503: A 503 is an answer too, and no problem.
        is_stored_value: The answer is what a task was given or returned, as Python has written it: with NaN, Infinity
            and half characters, which strict parsers refuse.
        most_s: It may take no longer, in seconds; the client's own limit holds as well.
        key: Its Idempotency-Key.
    """

    method: str
    path: str
    answer: type[T]
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    answers_503: bool = False
    is_stored_value: bool = False
    most_s: float = float("inf")
    key: str | None = None

    @property
    def query(self) -> dict[str, Any]:
        """The query as it is sent."""
        query = {name: to_jsonable_python(value) for name, value in self.params.items() if value is not None}
        return {name: _printable_value(value) for name, value in query.items()}

    @property
    def content(self) -> bytes | None:
        """The body as it is sent.

        Raises:
            InvalidJobError: It can't be written as JSON.
        """
        try:
            return None if self.body is None else to_json(self.body)
        except PydanticSerializationError as error:
            raise InvalidJobError(f"The job can't be written as JSON: {error}", []) from error

    def read(self, url: str, status: int, headers: Mapping[str, str], content: bytes) -> T:
        """What the API at `url` answered.

        Raises:
            ApiError: It refused, or it is not jobtracker's API; `error_of` says which error that is.
            ApiUnavailableError: It says that it, or what it stands on, is away.
        """
        if 200 <= status < 300 or (status == 503 and self.answers_503):
            try:
                adapter = _adapter(self.answer)
                answer: T = (
                    adapter.validate_python(json.loads(content))  # it may have NaN
                    if self.is_stored_value
                    else adapter.validate_json(content or b"null")
                )
            except (ValueError, RecursionError) as error:  # pydantic's and json's are ValueErrors
                raise self._strange(url, status) from error
            return answer
        try:
            problem = Problem.model_validate_json(content)
        except ValidationError:
            problem = None
        in_progress = problem is not None and problem.type == REQUEST_IN_PROGRESS
        in_doubt = problem is None or problem.type in {REQUEST_IN_PROGRESS, MAY_BE_DONE}
        if status in _AWAY or in_progress:
            says = problem.detail if problem else f"it answers {status}"
            if in_doubt and self.key:
                says += f" The Idempotency-Key is {self.key}."
            wait = headers.get("retry-after", "")
            raise ApiUnavailableError(
                f"The API at {url} can't answer now: {says}",
                problem,
                float(wait) if wait.isdecimal() else None,
                may_be_done=in_doubt or status in {502, 504},
            )
        raise error_of(problem) if problem else self._strange(url, status)

    def unanswered(self, url: str, reason: str, *, sent: bool, broke_off: bool = False) -> ApiUnavailableError:
        """The error that there was no answer.

        Args:
            url: Of the API.
            reason: What happened.
            sent: The request may have arrived.
            broke_off: An answer began, and did not come to its end.
        """
        doubt = ""
        if sent and self.method != "GET":
            doubt = f" Whether {self.method} {self.path} was done is not known."
        if sent and self.key:
            doubt += f" Sent again with the Idempotency-Key {self.key}, it is done once."
        if broke_off:
            part = ", or fetch it in parts, with the header Range" if self.is_stored_value else ""
            return ApiUnavailableError(
                f"The answer of the API at {url} to {self.method} {self.path} broke off half way ({reason}). The API "
                "was stopped, its object store failed (the API's log says so), or a proxy gave up: ask again"
                f"{part}.{doubt}",
                may_be_done=True,
            )
        return ApiUnavailableError(
            f"The API at {url} does not answer ({reason}): start it with `jobtracker up`, or set JOBTRACKER_URL to "
            f"where it is.{doubt}",
            may_be_done=sent,
        )

    def _strange(self, url: str, status: int) -> ApiError:
        return ApiError(
            f"{self.method} {url}{self.path} answers {status}, and not as jobtracker's API does: is that "
            "address (JOBTRACKER_URL) right, and the API of this version?"
        )


def job_path(job_id: str, rest: str = "", *, under: str = "/api/jobs") -> str:
    """The path of a job.

    Raises:
        JobNotFoundError: No job can have that id, which would lead to another path.
    """
    if job_id in {"", ".", ".."}:
        raise JobNotFoundError(job_id)
    return f"{under}/{quote(_printable(job_id), safe='')}{rest}"


def _printable_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_printable_value(each) for each in value]
    return _printable(value) if isinstance(value, str) else value


def _printable(text: str) -> str:
    """The text, with question marks for what is none: bytes of the command line that are no UTF-8."""
    return text.encode(errors="replace").decode()


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
