"""What every object store can do, and its errors."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from jobtracker.errors import JobTrackerError

CHUNK_BYTES = 256 * 1024
"""Objects are read in pieces of at most this size."""


class ObjectStoreError(JobTrackerError):
    """The object store can't be used, or does not answer. The message names the setting to look at."""


class ObjectStoreAwayError(ObjectStoreError):
    """The object store does not answer, or says that it can't at the moment."""


class ObjectMissingError(ObjectStoreError):
    """There is no object of that name."""


class ObjectInfo(NamedTuple):
    """What is known of an object."""

    name: str
    size_bytes: int
    changed_at_ms: int
    """When it was written, UTC."""


class ObjectStore(Protocol):
    """Objects by their names. Names are paths of ASCII letters, digits and `-_.%=`, separated by `/`.

    Each call takes a bounded time. Any may raise ObjectStoreError.
    """

    def put(self, name: str, chunks: Iterable[bytes]) -> int:
        """Write an object, whole or not at all; one of that name is replaced. Returns its size in bytes."""

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes of an object from `start` up to `end` (not included; None: its end), in pieces.

        Raises:
            ObjectMissingError: There is none of that name. Raised by this call, not by the first piece.
        """

    def info(self, name: str) -> ObjectInfo | None:
        """What is known of an object; None: there is none."""

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects whose names begin with `prefix`, in any order; one that is removed meanwhile may be missing."""

    def check(self) -> None:
        """Do nothing where objects can be written and read.

        Raises:
            ObjectStoreError: They can't. It says what to set.
        """

    def __str__(self) -> str:
        """Where it is, for people: a path or `gs://bucket`."""


def need_name(name: str) -> None:
    """Do nothing if an object can have that name.

    Raises:
        ValueError: It can't.
    """
    if not name or any(part in {"", ".", ".."} for part in name.split("/")) or "\0" in name:
        raise ValueError(f"{name!r} is no name of an object")
