"""Payloads, arguments and results that are too large for Redis: written to the object store, and read there."""

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

from jobtracker.core.json_text import is_json
from jobtracker.errors import ArgumentsUnavailableError, BrokerUnavailableError, ValueUnavailableError
from jobtracker.objects.object_store import CHUNK_BYTES, ObjectMissingError, ObjectStore, ObjectStoreError
from jobtracker.schemas.jobs import LargeValue
from jobtracker.store.schema import OBJECT_FIELDS

logger = logging.getLogger(__name__)

_ROOT = ".jobtracker"
"""What the names of all objects begin with. Names of documents can't: no part of them begins with a dot."""

_ARGUMENTS = ("payload", "args")

_SLOW_S, _LEFT_ALONE_S = 1.0, 30.0
"""A write that has taken so long to fail is not tried again for a while: tasks wait for it when they end."""

_CHARS_IN_A_FOLDER = 200
"""Of a long job id: the name of a file has at most 255 bytes."""


def place_of(data: Mapping[str, str], value: str) -> LargeValue | None:
    """Where a value of a job is; None: not in the object store.

    Args:
        data: The job's data.
        value: `payload`, `args` or `result`.
    """
    text = data.get(OBJECT_FIELDS[value])
    return read_place(text) if text else None


def read_place(text: str) -> LargeValue:
    """Where a value is, as a job's data has it: JSON."""
    return LargeValue.model_validate_json(text)


class LargeValues:
    """Keeps values of jobs in the object store.

    A value has an object of its own, which nobody ever changes: what is written again gets a new name. The store
    notes the name in the job's data, and notes it as discarded when the job goes or gets another value. An object
    that no job names is the rest of a process that died before it could report.

    Args:
        objects: The object store; None: there is none, and values stay as they are.
        store_id: Says by which id the names of this store's objects begin. May raise what Redis raises.
        most_bytes: Larger values are kept there.
    """

    def __init__(self, objects: ObjectStore | None, store_id: Callable[[], str], most_bytes: int) -> None:
        self.objects = objects
        self.most_bytes = most_bytes
        self._store_id = store_id
        self._left_alone_until = float("-inf")

    def set_apart(self, job_id: str, data: Mapping[str, str]) -> Mapping[str, str]:
        """The data of a job, with its large values written to the object store.

        If the object store does not take a value it stays where it is: Redis gets it.
        """
        large = [value for value in OBJECT_FIELDS if len(data.get(value, "")) > self.most_bytes]
        if self.objects is None or not large:
            return data
        kept = dict(data)
        for value in large:
            try:
                kept[OBJECT_FIELDS[value]] = self.write(job_id, value, kept[value]).model_dump_json()
            except ObjectStoreError as error:
                logger.warning("jobtracker: the %s of job %s is kept in Redis: %s", value, job_id, error)
            else:
                del kept[value]
        return kept

    def write(self, job_id: str, value: str, text: str) -> LargeValue:
        """Write a value to the object store.

        Args:
            job_id: Its job.
            value: `payload`, `args` or `result`.
            text: Its JSON.

        Raises:
            ObjectStoreError: It can't be written; or its name is not known, because Redis does not answer.
        """
        if self.objects is None:
            raise ObjectStoreError("There is no object store: set OBJECTS_DIR or GCS_BUCKET_NAME.")
        if time.monotonic() < self._left_alone_until:
            raise ObjectStoreError(f"{self.objects} has not answered a moment ago, and is left alone for a while.")
        content = text.encode(errors="surrogatepass")
        name = f"{self.root()}{_path_of(job_id)}/{value}-{secrets.token_hex(8)}"
        began = time.monotonic()
        try:
            self.objects.put(name, [content])
        except ObjectStoreError:
            if time.monotonic() - began > _SLOW_S:
                self._left_alone_until = time.monotonic() + _LEFT_ALONE_S
            raise
        digest = hashlib.sha256(content).hexdigest()
        return LargeValue(object=name, bytes=len(content), sha256=digest, is_json=is_json(content))

    def read(self, job_id: str, data: Mapping[str, str], value: str) -> str | None:
        """The JSON of a value, wherever it is; None: the job has none.

        Raises:
            ValueUnavailableError: The object store does not have it any more, or has something else.
            ObjectStoreError: The object store does not answer.
        """
        found = place_of(data, value)
        if found is None:
            return data.get(value)
        return b"".join(self.pieces(job_id, value, found)).decode(errors="surrogatepass")

    def with_arguments(self, job_id: str, data: Mapping[str, str]) -> Mapping[str, str]:
        """The data of a job, with its payload and arguments read from the object store. For sending the job.

        Raises:
            ArgumentsUnavailableError: The object store does not have them any more.
            BrokerUnavailableError: It does not answer.
        """
        if not any(data.get(OBJECT_FIELDS[value]) for value in _ARGUMENTS):
            return data
        try:
            found = {value: self.read(job_id, data, value) for value in _ARGUMENTS}
        except ValueUnavailableError as error:
            raise ArgumentsUnavailableError({job_id: str(error)}) from error
        except ObjectStoreError as error:
            raise BrokerUnavailableError(f"Arguments can't be read. {error}") from error
        return {**data, **{value: text for value, text in found.items() if text is not None}}

    def pieces(
        self, job_id: str, value: str, found: LargeValue, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        """The bytes of a value from `start` up to `end`, in pieces. The last piece of a whole value is its proof.

        Raises:
            ValueUnavailableError: The object store does not have it any more: raised by this call. Or it has
                something else: raised in place of the last piece, if all of it is read; by this call if it is small.
            ObjectStoreError: The object store does not answer.
        """
        if self.objects is None:
            raise ObjectStoreError(
                f"The {value} of job {job_id} is in an object store, and this process has none: set OBJECTS_DIR or "
                "GCS_BUCKET_NAME as the process that has written it."
            )
        try:
            pieces = self.objects.read(found.object, start, end)
        except ObjectMissingError as error:
            raise ValueUnavailableError(job_id, value, str(error)) from error
        is_whole = start == 0 and (end is None or end >= found.bytes)
        if not is_whole:
            return pieces
        changed = ValueUnavailableError(job_id, value, f"{found.object} in {self.objects} was changed")
        verified = _verified(pieces, found, changed)
        return iter([*verified]) if found.bytes <= CHUNK_BYTES else verified  # a small one is an error from the start

    def remove(self, name: str) -> None:
        """Remove an object.

        Raises:
            ObjectStoreError: The object store does not answer.
        """
        if self.objects is not None:
            self.objects.delete(name)

    def remove_all(self, data: Mapping[str, str]) -> None:
        """Remove the objects of data that was not stored. Those that can't be removed now, maintenance removes."""
        for value in OBJECT_FIELDS:
            if found := place_of(data, value):
                try:
                    self.remove(found.object)
                except ObjectStoreError as error:
                    logger.debug("An object that no job needs stays for a while: %s", error)

    # -- what nobody needs any more ----------------------------------------------------------------------------------

    def root(self) -> str:
        """What the names of this store's objects begin with.

        Raises:
            ObjectStoreError: Redis, which knows it, does not answer.
        """
        try:
            return f"{_ROOT}/{self._store_id()}/"
        except Exception as error:
            raise ObjectStoreError(f"The tracking Redis does not say what the store's id is ({error}).") from error


def _verified(pieces: Iterator[bytes], found: LargeValue, changed: ValueUnavailableError) -> Iterator[bytes]:
    """The pieces of a whole value; the last one only if all of them are that value."""
    digest, size_bytes, held = hashlib.sha256(), 0, b""
    for piece in pieces:
        if held:
            yield held
        digest.update(piece)
        size_bytes += len(piece)
        held = piece
    if size_bytes != found.bytes or digest.hexdigest() != found.sha256:
        raise changed
    yield held


def job_of(name: str) -> str:
    """The job that an object belongs to."""
    _root, _store_id, *path, _value = name.split("/")
    return unquote("".join(path), errors="surrogateescape")


def large_in(data: Mapping[str, str]) -> dict[str, str | int]:
    """The field of the record that goes with data: whether some of it is in the object store."""
    return {"large": "1"} if any(field in data for field in OBJECT_FIELDS.values()) else {}


def _path_of(job_id: str) -> str:
    """A path for a job: ASCII in lower case, for file systems that can't tell it from upper case."""
    quoted = re.sub(
        rb"[^a-z0-9_-]", lambda found: b"%%%02x" % found[0][0], job_id.encode(errors="surrogateescape")
    ).decode()
    return "/".join(quoted[at : at + _CHARS_IN_A_FOLDER] for at in range(0, len(quoted), _CHARS_IN_A_FOLDER))
