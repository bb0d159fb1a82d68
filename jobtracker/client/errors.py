"""What can go wrong between a program and the API. What the library raises itself is raised over HTTP as well."""

from jobtracker.core.lifecycle import Status
from jobtracker.errors import IllegalTransitionError, InvalidJobError, JobNotFoundError, JobTrackerError
from jobtracker.schemas.problems import ILLEGAL_TRANSITION, JOB_NOT_FOUND, Problem


class ApiError(JobTrackerError):
    """The API refused, or did not answer as it should.

    Attributes:
        problem: What it said: status, title, detail, the fields that are to blame, the request's id; None where it
            said nothing that could be read.
    """

    def __init__(self, text: str, problem: Problem | None = None) -> None:
        JobTrackerError.__init__(
            self, text
        )  # the subclasses have errors of the library between, with texts of their own
        self.problem = problem


class ApiUnavailableError(ApiError):
    """The API, or what it stands on, is away.

    Attributes:
        retry_after_s: When it wants to be asked again, in seconds; None where it did not say.
    """

    def __init__(self, text: str, problem: Problem | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(text, problem)
        self.retry_after_s = retry_after_s


class ApiJobNotFoundError(ApiError, JobNotFoundError):
    """The API knows no job with that id."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, problem)
        self.job_id = problem.job_id or ""


class ApiTransitionError(ApiError, IllegalTransitionError):
    """The job's status does not allow what the API was asked for."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, problem)
        self.job_id, self.status, self.action = problem.job_id or "", problem.job_status or "", problem.action or ""


class ApiInvalidJobError(ApiError, InvalidJobError):
    """The API takes no such job, or no such request; `problem.errors` names the fields."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail, problem)
        self.problems = [(list(error.field.split(".")), error.message) for error in problem.errors or []]


class JobTimeoutError(JobTrackerError, TimeoutError):
    """The job had not settled in time; it goes on.

    Attributes:
        job_id: The job.
        status: The last that was seen of it; None: nothing.
    """

    def __init__(self, job_id: str, status: Status | None, timeout_s: float) -> None:
        super().__init__(
            f"Job {job_id} has not settled within {timeout_s:g} s: it is {status}. It goes on; wait again."
            if status
            else f"Whether job {job_id} has settled is not known: the API has not answered for {timeout_s:g} s."
        )
        self.job_id = job_id
        self.status = status


def error_of(problem: Problem) -> ApiError:
    """The error that a problem is."""
    if problem.type == JOB_NOT_FOUND:
        return ApiJobNotFoundError(problem)
    if problem.type == ILLEGAL_TRANSITION:
        return ApiTransitionError(problem)
    if problem.status == 422:
        return ApiInvalidJobError(problem)
    return ApiError(problem.detail, problem)
