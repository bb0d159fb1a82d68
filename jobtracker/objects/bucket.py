"""A bucket of Google Cloud Storage as an object store."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Any, TypeVar

from jobtracker.connection.google_cloud import Bucket, BucketAwayError, BucketMissingError
from jobtracker.objects.object_store import (
    CHUNK_BYTES,
    ObjectInfo,
    ObjectMissingError,
    ObjectStoreAwayError,
    ObjectStoreError,
    need_name,
)

T = TypeVar("T")

_PART_BYTES = 8 * CHUNK_BYTES
"""What one request sends or reads at most; all of it must be sent within `timeout_s`, and is in memory meanwhile."""

_PAGE = 1000
"""How many objects one request lists at most, which is Google's own limit."""


class BucketStore:
    """Objects in a bucket.

    Google shows an object once all of it is there. What a process that was killed has sent of one is never shown;
    Google removes it after a week. The objects of one process share connections. A process that was forked opens its
    own; threads may use one store together.

    Args:
        bucket: The bucket's name.
        project: The project that a missing bucket is made in; None: the one that the credentials name.
        location: Where a missing bucket is made, e.g. `US` or `europe-west1`.
        emulator_host: The URL of an emulator, which needs no credentials; None: what STORAGE_EMULATOR_HOST says.
        timeout_s: How long one request may take to connect, to send and to answer, each.
        retry_s: For how long a request that has failed in a passing way is repeated. A request of at most
            2 MiB takes at most `retry_s` and three times `timeout_s` then; a large object takes several.

    Raises:
        MissingExtraError: The extra `gcp` is not installed.
    """

    def __init__(
        self,
        bucket: str,
        *,
        project: str | None = None,
        location: str = "US",
        emulator_host: str | None = None,
        timeout_s: float = 10.0,
        retry_s: float = 10.0,
    ) -> None:
        self._bucket = Bucket(
            bucket,
            project=project,
            location=location,
            emulator_host=emulator_host,
            timeout_s=timeout_s,
            retry_s=retry_s,
        )

    def __str__(self) -> str:
        return str(self._bucket)

    def put(self, name: str, chunks: Iterable[bytes]) -> int:
        """As `ObjectStore.put`."""
        need_name(name)
        source = _Source(chunks)
        first = source.read(_PART_BYTES)
        try:
            if len(first) < _PART_BYTES:
                blob, body = self._blob(name), BytesIO(first)
                self._ask("written to", lambda: blob.upload_from_file(body, size=len(first), **self._limits))
            else:
                source.unread(first)
                # Not `blob.open("wb")`: what it returns completes an object, half as it is, where it is forgotten.
                blob = self._blob(name, chunk_size=_PART_BYTES)
                self._ask("written to", lambda: blob.upload_from_file(source, **self._limits))
        except ObjectStoreError:
            if source.error is not None:
                raise source.error from None
            raise
        return source.size_bytes

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """As `ObjectStore.read`. One that is replaced meanwhile is an ObjectStoreError."""
        found = self._found(name)
        end = found.size if end is None else min(end, found.size)
        # That which was found, under an address of our own: an emulator's may lead to another version, and host.
        return self._pieces(self._bucket.handle.blob(name, generation=found.generation), start, end)

    def _pieces(self, blob: Any, start: int, end: int) -> Iterator[bytes]:
        for first in range(start, end, _PART_BYTES):
            last = min(first + _PART_BYTES, end) - 1  # both are read
            download = partial(blob.download_as_bytes, start=first, end=last, raw_download=True, checksum=None)
            part: bytes = self._ask(
                "read",
                partial(download, **self._limits),
                f"{blob.name!r} was removed or replaced while it was read from {self}. Read it again.",
            )
            for at in range(0, len(part), CHUNK_BYTES):
                yield part[at : at + CHUNK_BYTES]

    def info(self, name: str) -> ObjectInfo | None:
        """As `ObjectStore.info`."""
        try:
            return _info(self._found(name))
        except ObjectMissingError:
            return None

    def delete(self, name: str) -> None:
        """As `ObjectStore.delete`."""
        blob = self._blob(name)
        with suppress(ObjectMissingError):
            self._ask("written to", lambda: blob.delete(**self._limits), f"There is no {name!r} in {self}.")

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """As `ObjectStore.list`."""
        fields = "items(name,size,updated),nextPageToken"
        found = self._ask(
            "read",
            lambda: iter(
                self._bucket.client.list_blobs(
                    self._bucket.name, prefix=prefix, page_size=_PAGE, fields=fields, **self._limits
                )
            ),
        )
        while blob := self._ask("read", lambda: next(found, None)):
            yield _info(blob)

    def check(self) -> None:
        """As `ObjectStore.check`. A bucket that does not exist is made, where that is allowed."""
        probe = f".probe-{secrets.token_hex(4)}"
        try:
            self._try_out(probe)
        except ObjectStoreError as error:
            if not isinstance(error.__cause__, BucketMissingError):
                raise
            self._ask("made", self._bucket.create)
            self._try_out(probe)

    def _try_out(self, probe: str) -> None:
        self.put(probe, [b"probe"])
        for _ in self.read(probe):
            pass
        self.delete(probe)

    @property
    def _limits(self) -> dict[str, Any]:
        return self._bucket.limits

    def _blob(self, name: str, chunk_size: int | None = None) -> Any:
        need_name(name)
        return self._ask("used", lambda: self._bucket.handle.blob(name, chunk_size))

    def _found(self, name: str) -> Any:
        """The object with what Google knows of it."""
        blob = self._blob(name)
        try:
            self._ask("read", lambda: blob.reload(**self._limits), f"There is no {name!r} in {self}.")
        except ObjectMissingError:
            # Google's answer is the same where the bucket is missing, which few roles may ask for itself.
            listed = self._bucket.client.list_blobs(self._bucket.name, max_results=1, **self._limits)
            self._ask("read", lambda: list(listed))
            raise
        return blob

    def _ask(self, what: str, question: Callable[[], T], missing: str | None = None) -> T:
        """Ask Google.

        Args:
            what: What can't be done to the bucket if it fails: a participle.
            question: Asks it.
            missing: What it means that there is no such object; None: it is the bucket that is missing.
        """
        from google.api_core.exceptions import NotFound

        try:
            return question()
        except NotFound as error:
            if missing is not None:
                raise ObjectMissingError(missing) from error
            found = self._bucket.failure(error, what)
        except Exception as error:  # noqa: BLE001 (Google's libraries have many)
            found = self._bucket.failure(error, what)
        kind = ObjectStoreAwayError if isinstance(found, BucketAwayError) else ObjectStoreError
        raise kind(str(found)) from found


class _Source:
    """Chunks as a file that is read once, from its begin to its end.

    Args:
        chunks: The chunks.

    Attributes:
        size_bytes: How much of them was taken.
        error: What they have raised.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = bytearray()
        self._read = 0
        self.size_bytes = 0
        self.error: Exception | None = None

    def read(self, size: int) -> bytes:
        """The next bytes: as many as wanted, and fewer at the end only."""
        try:
            while len(self._buffer) < size and (chunk := next(self._chunks, None)) is not None:
                self._buffer += chunk
                self.size_bytes += len(chunk)
        except Exception as error:
            self.error = error
            raise
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._read += len(piece)
        return piece

    def unread(self, piece: bytes) -> None:
        """Have what was read last be the next again."""
        self._buffer[:0] = piece
        self._read -= len(piece)

    def tell(self) -> int:
        """How much was read."""
        return self._read


def _info(blob: Any) -> ObjectInfo:
    return ObjectInfo(blob.name, blob.size, int(blob.updated.timestamp() * 1000))
