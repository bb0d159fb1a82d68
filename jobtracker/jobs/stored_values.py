"""The payload, the arguments or the result of one job as bytes, wherever it is stored."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from jobtracker.core.json_text import is_json
from jobtracker.core.masking import ArgumentRule
from jobtracker.errors import ValueUnavailableError
from jobtracker.jobs.large_values import LargeValues, place_of
from jobtracker.schemas.jobs import LargeValue
from jobtracker.store.decode import job_values
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord

ValueName: TypeAlias = Literal["payload", "args", "result"]

_Piece: TypeAlias = bytes | tuple[str, LargeValue]


@dataclass(frozen=True)
class StoredValue:
    """The JSON of a value, which is read in pieces.

    Attributes:
        job_id: Whose it is.
        parts: What it is made of: bytes, or values in the object store with their names.
        large_values: Reads these.
    """

    job_id: str
    parts: tuple[_Piece, ...]
    large_values: LargeValues

    @cached_property
    def size_bytes(self) -> int:
        """How long it is."""
        return sum(map(_size_of, self.parts))

    @cached_property
    def is_json(self) -> bool:
        """False: it has NaN or Infinity, which JSON does not have; Python's parser reads them."""
        return all(is_json(part) if isinstance(part, bytes) else part[1].is_json for part in self.parts)

    @cached_property
    def digest(self) -> str:
        """Differs where the value does; hexadecimal."""
        parts = [part if isinstance(part, bytes) else part[1].sha256.encode() for part in self.parts]
        if len(parts) == 1 and not isinstance(self.parts[0], bytes):
            return parts[0].decode()
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def pieces(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Its bytes from `start` up to `end`, in pieces. The first piece is looked up at once.

        Raises:
            ValueUnavailableError: The object store does not have it any more.
            ObjectStoreError: The object store does not answer.
        """
        end = self.size_bytes if end is None else min(end, self.size_bytes)
        opened, at = [], 0
        for part in self.parts:
            size = _size_of(part)
            first, last = max(start - at, 0), min(end - at, size)
            if first < last:
                opened.append(
                    iter([part[first:last]])
                    if isinstance(part, bytes)
                    else self.large_values.pieces(self.job_id, *part, first, last)
                )
            at += size
        return (piece for pieces in opened for piece in pieces)


def _size_of(part: _Piece) -> int:
    return len(part) if isinstance(part, bytes) else part[1].bytes


@dataclass(frozen=True)
class StoredValues:
    """Finds values of jobs."""

    queries: JobQueries
    large_values: LargeValues

    def of(self, job_id: str, value: ValueName) -> StoredValue:
        """A value of a job, as `Job` shows it, masked where that masks it.

        Raises:
            JobNotFoundError: There is no such job.
            ValueUnavailableError: It has none, or it is stored nowhere.
        """
        [(record, data)] = self.queries.load([job_id])
        rule = self.queries.rule_of(record)
        parts: list[_Piece | None]
        if value != "result" and rule and rule.masks_any:
            parts = [_masked(record, self.large_values.with_arguments(job_id, data), value, rule)]
        elif value == "payload" and data.get("custom_task"):
            parts = self._custom(data)
        else:
            parts = [self._part(data, value)]
        if None in parts:
            raise ValueUnavailableError(job_id, value, _why_not(record, data, value))
        return StoredValue(job_id, tuple(part for part in parts if part is not None), self.large_values)

    @staticmethod
    def _part(data: Mapping[str, str], value: str) -> _Piece | None:
        if found := place_of(data, value):
            return value, found
        text = data.get(value)
        return text.encode(errors="surrogatepass") if text else None

    def _custom(self, data: Mapping[str, str]) -> list[_Piece | None]:
        """The payload of a custom job, of its pieces (`custom_payload`)."""
        parts: list[_Piece | None] = [f'{{"task": {json.dumps(data["custom_task"])}'.encode()]
        if (args := self._part(data, "args")) and args != b"[]":
            parts += [b', "args": ', args]
        if kwargs := self._part(data, "payload"):
            parts += [b', "kwargs": ', kwargs]
        return [*parts, b"}"]


def _masked(record: JobRecord, data: Mapping[str, str], value: ValueName, rule: ArgumentRule) -> bytes | None:
    shown: Any = job_values(record, data, rule)[value]
    return None if shown is None else json.dumps(shown).encode()


def _why_not(record: JobRecord, data: Mapping[str, str], value: ValueName) -> str:
    if value == "result" and data.get("result_omitted"):
        size = int(data["result_omitted"])
        why = data.get("result_omitted_reason") or "there is no object store: set OBJECTS_DIR or GCS_BUCKET_NAME"
        return f"it has {size:,} bytes, more than MAX_RESULT_BYTES. {why.rstrip('.')}. Celery's result backend has it"
    if value == "result" and not record.is_settled:
        return f"the job is {record.nearest_status}"
    if value == "result" and record.status != "completed":
        return f"the job has {record.nearest_status}"
    if value == "result":
        return "its type stores no results, or JSON can't carry it"
    return "its type does not store it; see store_arguments"
