"""Reading single jobs: their records, their bulky parts, logs and histories."""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

import msgpack

from jobtracker.connection.client import RedisClient, server_ms
from jobtracker.core.access import shows_masked
from jobtracker.core.clock import from_ms
from jobtracker.core.job import digest_in
from jobtracker.core.lifecycle import Status
from jobtracker.core.masking import ArgumentRule
from jobtracker.core.traceparent import trace_url
from jobtracker.errors import JobNotFoundError
from jobtracker.schemas.history import HistoryEntry
from jobtracker.schemas.jobs import Job, LogLine
from jobtracker.store.decode import job_values
from jobtracker.store.fields import Field
from jobtracker.store.functions import Library
from jobtracker.store.history import history_of
from jobtracker.store.job_json import to_json
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.merge import Pages
from jobtracker.store.pipeline import read_keys
from jobtracker.store.records import fetch
from jobtracker.store.schema import JobRecord, decode

T = TypeVar("T")

Loaded = tuple[JobRecord, dict[str, str]]
"""A record and its bulky part."""


class JobReader:
    """Reads single jobs.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        registry: The job types that workers announced: they say what may be shown.
        check: Called before the first list is read, and again as in `Library`; where it raises none is.
        trace_url_template: Of the URLs of traces (`TRACE_URL_TEMPLATE`).

    Attributes:
        parts: The partitions of which lists and figures tell.
    """

    def __init__(
        self,
        client: RedisClient,
        keys: Keys | None = None,
        registry: Registry | None = None,
        *,
        check: Callable[[], None] | None = None,
        trace_url_template: str = "",
    ) -> None:
        self.client = client
        self.keys = keys or Keys()
        self.parts = self.keys.parts
        self.registry = registry or Registry(client, self.keys)
        self._trace_url_template = trace_url_template
        self._functions = Library(
            ["list_jobs", "list_ids", "count_jobs", "get_history", "read_totals"], reads_only=True, check=check
        )
        self._pages = Pages(client, self.keys, self._functions)

    def within(self, parts: Sequence[Partition]) -> Self:
        """The same, but that lists and figures tell of these partitions only."""
        within = copy.copy(self)
        within.parts = tuple(parts)
        return within

    def get(self, job_id: str) -> Job:
        """A job with all that is known of it.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        return self.get_many([job_id])[0]

    def get_json(self, job_id: str) -> bytes:
        """The same as JSON.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        return self.loaded_json(*self.load([job_id])[0])

    def loaded_json(self, record: JobRecord, data: dict[str, str]) -> bytes:
        """The JSON of a job that was read already."""
        return to_json(self._values(record, data))

    def get_many(self, job_ids: Sequence[str]) -> list[Job]:
        """Jobs in the order of their ids, in one round trip.

        Raises:
            JobNotFoundError: One of them is not there.
        """
        return [Job.model_validate(self._values(*loaded)) for loaded in self.load(job_ids)]

    def _values(self, record: JobRecord, data: dict[str, str]) -> dict[str, Any]:
        """What is shown of a job."""
        return job_values(record, data, self.rule_of(record), self._trace_url_template)

    def load(self, job_ids: Sequence[str], *, missing_ok: bool = False) -> list[Loaded]:
        """The records and bulky parts (`DATA_FIELDS`), in one round trip.

        Raises:
            JobNotFoundError: One of them is not there, unless `missing_ok`: then `exists` is False on its record.
        """
        commands = []
        for job_id in job_ids:
            commands += [("GET", self.keys("job", job_id)), ("HGETALL", self.keys("data", job_id))]
        answers = read_keys(self.client, commands) if job_ids else []
        found = []
        for job_id, packed, data in zip(job_ids, answers[::2], answers[1::2], strict=True):
            if not packed and not missing_ok:
                raise JobNotFoundError(job_id)
            found.append((decode(job_id, packed), _texts(data)))
        return found

    def rule_of(self, record: JobRecord) -> ArgumentRule | None:
        """What may be shown: of what Celery code sent no more is stored."""
        if record.origin != "api" or record.masked or shows_masked.get():
            return None
        return self.registry.rule_of(record)

    def trace_url(self, record: JobRecord) -> str | None:
        """The URL of the trace of a job; None where it has none that can be looked at."""
        return trace_url(self._trace_url_template, record.traceparent)

    def record(self, job_id: str) -> JobRecord:
        """The record of a job.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        [record] = fetch(self.client, self.keys, [job_id])
        if not record.exists:
            raise JobNotFoundError(job_id)
        return record

    def records(self, job_ids: Iterable[str]) -> list[JobRecord]:
        """The records of many jobs, in one round trip; `exists` is False on one that is not there."""
        return fetch(self.client, self.keys, job_ids)

    def field(self, job_id: str, field: Field[T]) -> T:
        """One field of a record (`JobRecord.lease`, say); its default where there is no such job."""
        [value] = self.fields([job_id], field)
        return value

    def fields(self, job_ids: Iterable[str], field: Field[T]) -> list[T]:
        """One field of many records, as `field`, in one round trip."""
        return [field.__get__(record, JobRecord) for record in fetch(self.client, self.keys, job_ids)]

    def unique_holder(self, record: JobRecord) -> str | None:
        """The other job that has the unique key of a job; None: there is none, or the job has no such key."""
        if not record.unique:
            return None
        holder: str | None = self.client.get(self.keys("unique", digest_in(record.unique)))
        return holder if holder != record.id else None

    def unique_holders(self, digests: Sequence[str]) -> list[str]:
        """The jobs that have some unique keys, of those that one has; the keys lie in one partition."""
        found = self.client.mget([self.keys("unique", digest) for digest in digests]) if digests else []
        return [job_id for job_id in found if job_id]

    def state(self, job_id: str) -> tuple[int, Status] | None:
        """A job's run and status; None where there is no such job, or its status is one of a newer release."""
        [record] = fetch(self.client, self.keys, [job_id])
        return (record.run, record.status) if record.status else None

    def has_logged(self, job_id: str, at_ms: int, level: str, message: str) -> bool:
        """Whether a line is among the last of a job's log."""
        line = {"at": str(at_ms), "level": level, "message": message}
        return any(fields == line for _, fields in self.client.xrevrange(self.keys("log", job_id), count=100))

    def dropped(self) -> int:
        """How many reports have been given up, ever: of some jobs not all is known."""
        return int(self.client.hget(self.keys("dropped"), "reports") or 0)

    def log(self, job_id: str, *, after: str | None = None, most: int = 1000) -> list[LogLine]:
        """The last lines of a job's own log, oldest first; or the first ones behind the line of that id."""
        key = self.keys("log", job_id)
        if after is None:
            entries = self.client.xrevrange(key, count=most)[::-1]
        else:
            entries = self.client.xrange(key, min=f"({after}", count=most)
        return [LogLine.model_validate({**line, "id": id_, "at": from_ms(line["at"])}) for id_, line in entries]

    def history(self, job_id: str) -> list[HistoryEntry]:
        """The course of a job, oldest first; of what the record does not say the last hundred entries.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        call = self.keys("job", job_id), [self.keys.of(job_id).prefix, job_id]
        [answer] = self._functions.begin(self.client, "get_history", [call]).answers(decoded=False)
        packed, kept = msgpack.unpackb(answer, raw=True)
        if not packed:
            raise JobNotFoundError(job_id)
        return history_of(decode(job_id, packed), kept)

    def server_ms(self) -> int:
        """The time by the server's clock: what is overdue does not depend on whose clock is wrong."""
        return server_ms(self.client, self.keys.parts[0]("probe"))


def _texts(answer: Mapping[bytes, bytes] | Sequence[bytes]) -> dict[str, str]:
    """What HGETALL answers: a map, or a list of names and values in RESP2."""
    pairs = answer.items() if isinstance(answer, Mapping) else zip(answer[::2], answer[1::2], strict=True)
    return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in pairs}
