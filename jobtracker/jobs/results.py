"""Results of jobs: as they are stored here, or as Celery's result backend has them."""

import logging
from collections.abc import Sequence
from typing import Any

from celery import Task, states
from kombu.utils.json import JSONEncoder, loads

from jobtracker.core.declarations import DEFAULT, declaration_of
from jobtracker.core.lifecycle import Status
from jobtracker.core.masking import NOTHING, Stored
from jobtracker.errors import BrokerUnavailableError, ResultUnavailableError, ValueUnavailableError
from jobtracker.jobs.large_values import LargeValues
from jobtracker.jobs.result_backend import ResultBackend, Silence, is_of_run_before
from jobtracker.objects.object_store import ObjectStoreError
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord

logger = logging.getLogger(__name__)


class JobResults:
    """Reads the results of jobs that others need: parents, and the next of a chain.

    Args:
        queries: Where the jobs are read.
        backend: Celery's result backend, for results that are not stored here.
        large_values: Has the results that are too large for Redis.
    """

    def __init__(self, queries: JobQueries, backend: ResultBackend, large_values: LargeValues) -> None:
        self.queries = queries
        self._backend = backend
        self._large_values = large_values

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
        if (text := self._stored(record, data)) is not None:
            return loads(text)
        kept = self._backend.kept_of(record.task_id)
        if kept is Silence.NO_ANSWER:
            raise BrokerUnavailableError(
                f"Celery's result backend does not answer, and the result of job {record.id} is only there."
            )
        if isinstance(kept, Silence) or kept["status"] != states.SUCCESS or is_of_run_before(record, kept):
            raise ResultUnavailableError(record.id, record.reason)
        return kept["result"]

    def _stored(self, record: JobRecord, data: dict[str, str]) -> str | None:
        """The result as it is stored here; None: only Celery's result backend may have it."""
        try:
            return self._large_values.read(record.id, data, "result")
        except ValueUnavailableError as error:
            logger.warning("%s", error)
            return None
        except ObjectStoreError as error:
            raise BrokerUnavailableError(f"A result can't be read. {error}") from error


def stored_result(task: Task, job_id: str, result: object, large_values: LargeValues) -> Stored:
    """What is stored of a task's result, as `as_stored`; nothing if its type stores no results."""
    return as_stored(job_id, result, large_values) if (declaration_of(task) or DEFAULT).store_result else NOTHING


def as_stored(job_id: str, result: object, large_values: LargeValues) -> Stored:
    """A result as fields of a job's record and data.

    That is its JSON or, if it is large, where the object store has it. If there is no object store, or it can't be
    written to, it is only its size in bytes, and why.
    """
    try:
        text = "null" if result is None else _as_json(result)  # most results: the encoder takes long to begin
    except Exception:  # noqa: BLE001 (a result's own code may raise anything, and the task has completed)
        return NOTHING  # another serializer carries what JSON can't; Celery's backend has it
    if len(text) <= large_values.most_bytes:
        return Stored({}, {"result": text})
    try:
        written = large_values.write(job_id, "result", text)
    except ObjectStoreError as error:
        return Stored({}, {"result_omitted": str(len(text)), "result_omitted_reason": str(error)})
    return Stored({"large": "1"}, {"result_object": written.model_dump_json()})


_as_json = JSONEncoder().encode
"""As `dumps`, which makes an encoder for each text; these are ASCII: a character is a byte."""
