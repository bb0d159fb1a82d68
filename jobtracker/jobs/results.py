"""Results of jobs: as they are stored here, or as Celery's result backend has them."""

from collections.abc import Sequence
from typing import Any

from celery import Task, states
from kombu.utils.json import JSONEncoder, loads

from jobtracker.core.declarations import DEFAULT, declaration_of
from jobtracker.core.lifecycle import Status
from jobtracker.errors import BrokerUnavailableError, ResultUnavailableError
from jobtracker.jobs.result_backend import ResultBackend, Silence, is_of_run_before
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord


class JobResults:
    """Reads the results of jobs that others need: parents, and the next of a chain.

    Args:
        queries: Where the jobs are read.
        backend: Celery's result backend, for results that are not stored here.
    """

    def __init__(self, queries: JobQueries, backend: ResultBackend) -> None:
        self.queries = queries
        self._backend = backend

    def of(self, job_ids: Sequence[str]) -> list[Any]:
        """The results of jobs, in order; None for a job that did not complete.

        Raises:
            ResultUnavailableError: One completed, and its result is neither stored nor in Celery's result backend.
            BrokerUnavailableError: Only Celery's result backend has it, and does not answer.
        """
        return [self._of(record, data) for record, data in self.queries.load(job_ids)]

    def before(self, record: JobRecord) -> Any:
        """The result of the job before one in its chain.

        Raises:
            ResultUnavailableError: That job is gone, or its result is.
            BrokerUnavailableError: Only Celery's result backend has it, and does not answer.
        """
        [(before, data)] = self.queries.load([record.sent_by or ""], missing_ok=True)
        if before.status != Status.COMPLETED:
            raise ResultUnavailableError(before.id)
        return self._of(before, data)

    def _of(self, record: JobRecord, data: dict[str, str]) -> Any:
        if record.status != Status.COMPLETED:
            return None
        if "result" in data:
            return loads(data["result"])
        kept = self._backend.kept_of(record.task_id)
        if kept is Silence.NO_ANSWER:
            raise BrokerUnavailableError(
                f"Celery's result backend does not answer, and the result of job {record.id} is only there."
            )
        if isinstance(kept, Silence) or kept["status"] != states.SUCCESS or is_of_run_before(record, kept):
            raise ResultUnavailableError(record.id, record.reason)
        return kept["result"]


def stored_result(task: Task, result: object, most_bytes: int) -> dict[str, str]:
    """What is stored of a task's result, as `as_stored`; nothing if its type stores no results."""
    return as_stored(result, most_bytes) if (declaration_of(task) or DEFAULT).store_result else {}


def as_stored(result: object, most_bytes: int) -> dict[str, str]:
    """A result as fields of a job's data: JSON, or only its size in bytes if it has more than `most_bytes`."""
    try:
        text = _as_json(result)
    except Exception:  # noqa: BLE001 (a result's own code may raise anything, and the task has completed)
        return {}  # another serializer carries what JSON can't; Celery's backend has it
    return {"result": text} if len(text) <= most_bytes else {"result_omitted": str(len(text))}


_as_json = JSONEncoder().encode
"""As `dumps`, which makes an encoder for each text; these are ASCII: a character is a byte."""
