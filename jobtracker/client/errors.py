"""Errors between a program and the API. The client also raises the errors of the library."""

from jobtracker.core.lifecycle import Status
from jobtracker.errors import (
    ForbiddenError,
    IllegalTransitionError,
    InvalidJobError,
    JobNotFoundError,
    JobTrackerError,
    NotAuthenticatedError,
)
from jobtracker.schemas.problems import FORBIDDEN, ILLEGAL_TRANSITION, JOB_NOT_FOUND, NOT_AUTHENTICATED, Problem


class ApiError(JobTrackerError):
    """The API refused the request, or its answer can't be used.

    Attributes:
        problem: What it said: status, title, detail, the wrong fields, the request's id; None if its answer
            could not be read.
    """

    def __init__(self, text: str, problem: Problem | None = None) -> None:
        JobTrackerError.__init__(
            self, text
        )  # the subclasses have errors of the library between, with texts of their own
        self.problem = problem


class ApiUnavailableError(ApiError):
    """The API, Redis or the broker does not answer.

    Attributes:
        retry_after_s: After how many seconds to ask again; None if the API did not say.
        may_be_done: The request may have arrived, or another process answers it now.
    """

    def __init__(
        self,
        text: str,
        problem: Problem | None = None,
        retry_after_s: float | None = None,
        *,
        may_be_done: bool = False,
    ) -> None:
        super().__init__(text, problem)
        self.retry_after_s = retry_after_s
        self.may_be_done = may_be_done


class ApiJobNotFoundError(ApiError, JobNotFoundError):
    """The API knows no job with that id."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, problem)
        self.job_id = problem.job_id or ""


class ApiTransitionError(ApiError, IllegalTransitionError):
    """The job's status does not allow the request."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, problem)
        self.job_id, self.status, self.action = problem.job_id or "", problem.job_status or "", problem.action or ""


class ApiInvalidJobError(ApiError, InvalidJobError):
    """The job or the request is not valid; `problem.errors` names the fields."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, problem)
        self.problems = [(list(error.field.split(".")), error.message) for error in problem.errors or []]


class JobTimeoutError(JobTrackerError, TimeoutError):
    """The job did not settle in time. It goes on.

    Attributes:
        job_id: The job.
        status: Its last known status; None if it was never read.
    """

    def __init__(self, job_id: str, status: Status | None, timeout_s: float) -> None:
        super().__init__(
            f"Job {job_id} has not settled within {timeout_s:g} s: it is {status}. It goes on; wait again."
            if status
            else f"Whether job {job_id} has settled is not known: the API has not answered for {timeout_s:g} s."
        )
        self.job_id = job_id
        self.status = status


class ApiNotAuthenticatedError(ApiError, NotAuthenticatedError):
    """The API does not know who the caller is: there is no key, or it is not accepted."""


class ApiForbiddenError(ApiError, ForbiddenError):
    """The caller may not do that."""


def error_of(problem: Problem) -> ApiError:
    """The error that a problem is."""
    if problem.type == JOB_NOT_FOUND:
        return ApiJobNotFoundError(problem)
    if problem.type == ILLEGAL_TRANSITION:
        return ApiTransitionError(problem)
    if problem.type == NOT_AUTHENTICATED:
        return ApiNotAuthenticatedError(problem.detail, problem)
    if problem.type == FORBIDDEN:
        return ApiForbiddenError(problem.detail, problem)
    if problem.status == 422:
        return ApiInvalidJobError(problem)
    return ApiError(problem.detail, problem)
