"""What can go wrong, each error with a sentence that says what to do."""


class JobTrackerError(Exception):
    """Base of all errors of jobtracker."""


class JobNotFoundError(JobTrackerError):
    """There is no job with that id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id!r}. It may have been deleted, or left after its retention time.")
        self.job_id = job_id


class IllegalTransitionError(JobTrackerError):
    """The job's status does not allow what was asked for.

    Args:
        job_id: The job.
        status: The status it has.
        action: What was asked for, a verb.
        why: A sentence: why not, and what to do instead.
    """

    def __init__(self, job_id: str, status: str, action: str, why: str) -> None:
        super().__init__(f"Can't {action} job {job_id}, which is {status}: {why}")
        self.job_id = job_id
        self.status = status
        self.action = action


class UnknownJobTypeError(JobTrackerError):
    """No worker has announced the job type, and it is none of the documented ones."""

    def __init__(self, job_type: str, known: list[str]) -> None:
        super().__init__(f"Unknown job type {job_type!r}. Known are: {', '.join(known)}.")
        self.job_type = job_type
        self.known = known


class InvalidPayloadError(JobTrackerError):
    """The payload does not fit the job type's schema.

    Args:
        job_type: The type whose schema it is.
        problems: One `(path, message)` each; the path leads into the payload.
    """

    def __init__(self, job_type: str, problems: list[tuple[list[str | int], str]]) -> None:
        text = "; ".join(f"{'.'.join(map(str, path)) or 'payload'}: {message}" for path, message in problems)
        super().__init__(f"The payload does not fit job type {job_type!r}: {text}")
        self.job_type = job_type
        self.problems = problems


class StoreUnavailableError(JobTrackerError):
    """The tracking Redis does not answer."""


class BrokerUnavailableError(JobTrackerError):
    """The message broker does not answer."""


class ResultGoneError(JobTrackerError):
    """A sub-job completed, and its result is neither stored nor in Celery's result backend any more."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"The result of sub-job {job_id} is gone: it was too large to store here, and Celery's result_expires has"
            " passed. Create the job anew."
        )
        self.job_id = job_id
