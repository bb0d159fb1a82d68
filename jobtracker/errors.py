"""The errors of jobtracker. Each message says what to do."""

import math
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Self

__all__ = [
    "ArgumentsUnavailableError",
    "BrokerUnavailableError",
    "ForbiddenError",
    "IllegalTransitionError",
    "InvalidJobError",
    "InvalidPayloadError",
    "JobNotFoundError",
    "JobTrackerError",
    "MissingExtraError",
    "NotAuthenticatedError",
    "NotKilledError",
    "NotRecordedError",
    "OutdatedSchemaError",
    "PartialDispatchError",
    "PartitionsError",
    "QueueMissingError",
    "ReleaseNotFoundError",
    "RepartitionInProgressError",
    "ResendingDisabledError",
    "RestoreUnfinishedError",
    "ResultUnavailableError",
    "StoreMismatchError",
    "SubJobsError",
    "TrackingDisabledError",
    "UnknownJobTypeError",
    "ValueUnavailableError",
    "WorkerNotFoundError",
]

_NAMED = 5
"""How many jobs an error names."""


class JobTrackerError(Exception):
    """Base of all errors of jobtracker."""


class MissingExtraError(JobTrackerError, ImportError):
    """A part of jobtracker needs a package that is not installed; an extra brings it.

    Args:
        part: What needs it, as a sentence begins with it, e.g. "The API".
        package: The package.
        extra: The extra of `celery-jobtracker` that brings it.
    """

    def __init__(self, part: str, package: str, extra: str) -> None:
        super().__init__(f"{part} needs the package {package}: pip install 'celery-jobtracker[{extra}]'")
        self.extra = extra


def need_packages(part: str, extra: str, *packages: str) -> None:
    """Do nothing where these packages are installed.

    Args:
        part: What needs them, as a sentence begins with it.
        extra: The extra of `celery-jobtracker` that brings them.
        packages: Their names for `import`.

    Raises:
        MissingExtraError: One is not.
    """
    for package in packages:
        try:
            found = find_spec(package)
        except ModuleNotFoundError:  # what it is in is missing too
            found = None
        if found is None:
            raise MissingExtraError(part, package, extra)


class TrackingDisabledError(JobTrackerError):
    """Nothing is tracked in this process, so there is no store to ask; the message says why."""


class JobNotFoundError(JobTrackerError):
    """There is no job with that id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id!r}. It may have been deleted, or left after its retention time.")
        self.job_id = job_id


class FailureGroupNotFoundError(JobTrackerError):
    """There is no group of failures with that id."""

    def __init__(self, group: str) -> None:
        super().__init__(
            f"There is no group of failures {group!r}. Of more than 10,000 those are forgotten that were seen the "
            "longest ago."
        )


class WorkerNotFoundError(JobTrackerError):
    """There is no live tracked worker of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no worker {name!r}: it has stopped, its lease has run out, or it is not tracked. "
            "`jobtracker workers` lists those that live."
        )


class ReleaseNotFoundError(JobTrackerError):
    """There is no release of that name."""

    def __init__(self, release: str) -> None:
        super().__init__(
            f"There is no release {release!r}: no worker had that RELEASE_LABEL lately, and no job that is counted. "
            "`jobtracker releases` lists them."
        )


class ApiKeyNotFoundError(JobTrackerError):
    """There is no API key with that id."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no API key {key_id!r}. `jobtracker keys list` shows them all.")


class TooManyApiKeysError(JobTrackerError):
    """There are as many API keys as there may be."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"There are {most:,} API keys already. Remove old ones: `jobtracker keys revoke --forget ID`."
        )


class NotAuthenticatedError(JobTrackerError):
    """The API does not know who the caller is, and must."""


class IssuerUnavailableError(JobTrackerError):
    """The keys of the issuer of tokens can't be read."""

    def __init__(self, issuer: str, reason: str) -> None:
        super().__init__(
            f"The keys of the issuer {issuer} (API_OIDC_ISSUER) can't be read: {reason.rstrip('.')}. Tokens can't be "
            "checked; API keys can."
        )


class ForbiddenError(JobTrackerError):
    """The caller may not do that."""


class TooManyRequestsError(JobTrackerError):
    """The caller has asked too often, or has too much under way.

    Args:
        text: What is too much.
        retry_after_s: In how many seconds to ask again.
    """

    def __init__(self, text: str, retry_after_s: float) -> None:
        super().__init__(text)
        self.retry_after_s = max(math.ceil(retry_after_s), 1)


class StoreMismatchError(JobTrackerError):
    """The store does not match this process's configuration, so nothing was written or read."""


class PartitionsError(StoreMismatchError):
    """The store has another number of partitions than this process is configured for."""

    def __init__(self, found: int, wanted: int) -> None:
        super().__init__(
            f"The store has {found} partition{'s' if found > 1 else ''}, and TRACKING_PARTITIONS is {wanted} here. "
            f"Set it to {found}, or move the store: `jobtracker repartition --to {wanted}`."
        )


class OutdatedSchemaError(StoreMismatchError):
    """The store's records are those of an earlier release, which this one does not read."""

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"The jobs in the namespace {namespace!r} were recorded by an earlier version of jobtracker, which "
            "keeps them in another form. Set TRACKING_NAMESPACE to another name to begin anew beside them, or go "
            "back to that version to see them."
        )


class RepartitionInProgressError(StoreMismatchError):
    """The store is being moved to another number of partitions."""

    def __init__(self, was: int, wanted: int) -> None:
        super().__init__(
            f"The store is being moved from {was} to {wanted} partitions. Wait for the end of "
            f"`jobtracker repartition --to {wanted}`; where it was broken off, it goes on when it is called again."
        )
        self.was = was
        self.wanted = wanted


class RestoreUnfinishedError(StoreMismatchError):
    """A restore of the store has begun and has not ended: the store is not whole."""

    def __init__(self, partitions: int) -> None:
        super().__init__(
            "The store is being restored from a backup, and is not whole. Wait for the end of `jobtracker restore`; "
            "where that was broken off, begin it anew: `jobtracker restore --replace FILE`."
        )
        self.partitions = partitions
        """So many may have keys."""


class ResendingDisabledError(JobTrackerError):
    """A new run that nobody asked for is turned off by JOBTRACKER_RESEND."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job {job_id} gets no new run by itself: JOBTRACKER_RESEND is never. Retry it.")


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


class InvalidJobError(JobTrackerError):
    """A job that can't be created.

    Args:
        text: What is wrong, and what to do.
        problems: One `(path, message)` each; the path leads into the job, e.g. `["payload", "document_id"]`.
    """

    def __init__(self, text: str, problems: list[tuple[list[str | int], str]]) -> None:
        super().__init__(text)
        self.problems = problems

    def under(self, *where: str | int) -> Self:
        """The same error, of a job that stands there in a tree, e.g. `under("sub_jobs", 1)`."""
        self.problems = [([*where, *path], message) for path, message in self.problems]
        return self


class UnknownJobTypeError(InvalidJobError):
    """No worker has announced the job type, and the API does not expect it."""

    def __init__(self, job_type: str, known: list[str]) -> None:
        text = f"Unknown job type {job_type!r}. Known are: {', '.join(known)}."
        super().__init__(text, [(["job_type"], text)])


class SubJobsError(InvalidJobError):
    """A job has sub-jobs and its task takes no results; or its task needs results and it has no sub-jobs."""

    def __init__(self, job_type: str, *, has_sub_jobs: bool) -> None:
        if has_sub_jobs:
            text = (
                f"A job of type {job_type!r} can't have sub-jobs: its task takes no results. Give the function a "
                "first parameter `results`."
            )
        else:
            text = (
                f"A job of type {job_type!r} needs sub-jobs: its task takes their results. Give its parameter a "
                "default (`results=None`) if it is to run alone."
            )
        super().__init__(text, [(["sub_jobs"], text)])


class InvalidPayloadError(InvalidJobError):
    """The payload does not fit the job type's schema.

    Args:
        job_type: The type whose schema it is.
        problems: One `(path, message)` each; the path leads into the payload.
    """

    def __init__(self, job_type: str, problems: list[tuple[list[str | int], str]]) -> None:
        text = "; ".join(f"{'.'.join(map(str, path)) or 'payload'}: {message}" for path, message in problems)
        super().__init__(
            f"The payload does not fit job type {job_type!r}: {text}",
            [(["payload", *path], message) for path, message in problems],
        )


class NotRecordedError(JobTrackerError):
    """Recording many jobs together, `what`, was interrupted for too long. None of them exists."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} was not recorded: its draft in the tracking Redis had expired, as this process or Redis stood "
            "still for too long. Nothing of it is there. Send it again."
        )


class BrokerUnavailableError(JobTrackerError):
    """The message broker, or Celery's result backend, does not answer."""


class NotKilledError(BrokerUnavailableError):
    """A cancel with terminate is recorded, and the message that would kill the task was not sent."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"The cancel of job {job_id} is recorded: what has not begun will not, and a running task stops when it "
            "looks. It was not killed, for the broker does not answer. Repeat the request when it does."
        )


class PartialDispatchError(BrokerUnavailableError):
    """The broker or the result backend stopped answering when part of a tree had been sent."""


class ArgumentsUnavailableError(JobTrackerError):
    """A job can't run again: arguments of it, or of jobs below it that have to run again too, are not stored.

    Args:
        reasons: Of each such job why not.
    """

    def __init__(self, reasons: Mapping[str, str]) -> None:
        named = [f"those of {job_id} ({reason})" for job_id, reason in list(reasons.items())[:_NAMED]]
        more = f", and of {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
        super().__init__(f"Arguments are not stored: {'; '.join(named)}{more}. Create the job anew.")


class QueueMissingError(JobTrackerError):
    """The broker has no such queue, and would drop a message to it."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"The broker has no queue {queue!r}, so nothing was sent. Start a worker that consumes it.")
        self.queue = queue


class ResultUnavailableError(JobTrackerError):
    """A job's result, which another one needs, is neither stored nor in Celery's result backend any more."""

    def __init__(self, job_id: str, reason: str | None = None) -> None:
        why = reason or (
            "it is not stored here (too large, its type keeps none, or the job was deleted), nor in Celery's result "
            "backend (result_expires, ignore_result)"
        )
        super().__init__(f"The result of job {job_id} is gone: {why.rstrip('.')}. Create the job anew.")
        self.job_id = job_id


class ValueUnavailableError(JobTrackerError):
    """A payload or result was written to the object store, and can't be read from there."""

    def __init__(self, job_id: str, value: str, reason: str) -> None:
        super().__init__(f"The {value} of job {job_id} can't be read: {reason.rstrip('.')}.")
        self.job_id = job_id


class TooManyViewersError(JobTrackerError):
    """The API process has as many live streams as it may have."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"This API process has {most} live streams already (API_MAX_VIEWERS). Close some, raise the limit, or "
            "ask from time to time."
        )
        self.most = most


class WebhookNotFoundError(JobTrackerError):
    """There is no such endpoint of webhooks, or no such delivery."""

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no {what}.")


class InvalidWebhookError(JobTrackerError):
    """An endpoint of webhooks can't be like this; the message says why."""


class ExaminationError(JobTrackerError):
    """An examination can't begin now, or a repair has no examination that showed what it would repair."""


class IdempotencyKeyReusedError(JobTrackerError):
    """The Idempotency-Key of a request was that of another one."""

    def __init__(self) -> None:
        super().__init__(
            "Another request had this Idempotency-Key: another body, or another route. Take a new key for each "
            "request, and the same one only to send the same request again."
        )


class RequestInProgressError(JobTrackerError):
    """Another process is about to answer a request with the same Idempotency-Key."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The request with the Idempotency-Key {key!r} is being answered. Send it again in a moment, with the "
            "same key."
        )


class UniqueKeyTakenError(JobTrackerError):
    """Another job has the unique key of a job.

    Args:
        job_id: The job that has it.
    """

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The job {job_id} has the same unique key, and no second one may be there meanwhile.")
        self.job_id = job_id


class DeletedIdError(JobTrackerError):
    """A job can't be recorded under this id: it was, and it was deleted."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The job {job_id} was deleted. Create it anew.")
        self.job_id = job_id


def without_prefix(message: str) -> str:
    """A message of pydantic's, without the words that it puts before those of a validator of ours."""
    return message.removeprefix("Value error, ")
