"""The file of a backup: a gzip of MessagePack values, one behind the other.

    ["jobtracker backup", {"format": 1, "schema": 1, "made_by": …, "namespace": …, "partitions": …, "began_ms": …}]
    ["jobs", partition, [job, …]]           each job is MessagePack itself, as `lua/commands/export_jobs.lua` says
    ["keys", partition, [piece, …]]         other keys, as `lua/commands/export_keys.lua` says
    ["end", {"moment_ms": …, …}, digest]    the SHA-256 of all that is before it, and nothing behind it

A job may come more than once: it has changed meanwhile, and the last one counts.
"""

import contextlib
import gzip
import hashlib
import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgpack

from jobtracker.errors import JobTrackerError

MARK, FORMAT = "jobtracker backup", 1
JOBS, KEYS, END = "jobs", "keys", "end"

_LEVEL = 3
"""Of gzip: the next ones save a few per cent, and take twice the time."""
_READ_AT_ONCE = 1 << 18
_LARGEST = 1 << 29
"""Bytes of one value: no string of Redis is larger."""


class BackupFileError(JobTrackerError):
    """A file is no whole backup, or can't be written; the message says why."""


class Jobs(NamedTuple):
    """Some jobs of a partition."""

    partition: int
    packed: list[bytes]


class OtherKeys(NamedTuple):
    """Some other keys of a partition, or pieces of them."""

    partition: int
    packed: list[bytes]


Entry = Jobs | OtherKeys


class BackupWriter:
    """Writes a backup into a stream.

    Args:
        stream: Where its bytes go.
        header: What is known before it begins.
    """

    def __init__(self, stream: IO[bytes], header: dict[str, Any]) -> None:
        self._stream = _Counted(stream)
        self._zip = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=self._stream, mtime=0)
        self._digest = hashlib.sha256()
        self._pack = msgpack.Packer()
        self._write([MARK, {"format": FORMAT, **header}])

    @property
    def written(self) -> int:
        """How many bytes have been written."""
        return self._stream.written

    def add(self, entry: Entry) -> None:
        """Write some jobs or keys."""
        self._write([JOBS if isinstance(entry, Jobs) else KEYS, *entry])

    def end(self, told: dict[str, Any]) -> None:
        """Write the end mark: without it the file is not whole."""
        self._zip.write(self._pack.pack([END, told, self._digest.digest()]))
        self._zip.close()

    def _write(self, value: list[Any]) -> None:
        packed = self._pack.pack(value)
        self._digest.update(packed)
        self._zip.write(packed)


class _Counted:
    """Passes bytes on, and counts them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.written = 0

    def write(self, data: bytes) -> int:
        self.written += len(data)
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()


class BackupReader:
    """Reads a backup from a stream, once.

    Args:
        stream: Where its bytes come from.
        name: What errors call it.

    Attributes:
        header: What was known before it began.
        told: What its end says; empty until all entries were read.

    Raises:
        BackupFileError: It is no backup, or one of another format.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._name = name
        self._zip = gzip.GzipFile(fileobj=stream, mode="rb")
        self._unpacker = msgpack.Unpacker(raw=True, max_buffer_size=_LARGEST, strict_map_key=False)
        self._digest = hashlib.sha256()
        self._fed = bytearray()  # what was given to the unpacker and is not in the digest
        self._taken = 0
        self.told: dict[str, Any] = {}
        first = self._next()
        if not isinstance(first, list) or len(first) != 2 or first[0] != MARK.encode():
            raise BackupFileError(f"{name} is no backup of jobtracker.")
        self._take()
        self.header: dict[str, Any] = _texts(first[1])
        if self.header.get("format") != FORMAT:
            raise BackupFileError(
                f"{name} has the format {self.header.get('format')}, and this release reads the format {FORMAT}. "
                f"Restore it with the release that wrote it: {self.header.get('made_by')}."
            )

    def entries(self) -> Iterator[Entry]:
        """All jobs and keys, in their order. That it is whole is known only when the last one was read.

        Raises:
            BackupFileError: It was cut off, or its bytes are not those that were written.
        """
        while True:
            value = self._next()
            kind = value[0] if isinstance(value, list) and value else None
            if kind == JOBS.encode() and len(value) == 3:
                self._take()
                yield Jobs(*value[1:])
            elif kind == KEYS.encode() and len(value) == 3:
                self._take()
                yield OtherKeys(*value[1:])
            elif kind == END.encode() and len(value) == 3:
                return self._end(_texts(value[1]), value[2])
            else:
                raise self._damaged("it holds something that no backup has")

    def _end(self, told: dict[str, Any], digest: bytes) -> None:
        if digest != self._digest.digest():
            raise self._damaged("its checksum is wrong")
        if len(self._fed) > self._unpacker.tell() - self._taken or self._read():
            raise self._damaged("it goes on behind its end")
        self.told = told

    def _next(self) -> Any:
        while True:
            try:
                return self._unpacker.unpack()
            except msgpack.OutOfData:
                chunk = self._read()
                if not chunk:
                    raise self._damaged("it was cut off") from None
                self._fed += chunk
                try:
                    self._unpacker.feed(chunk)
                except msgpack.BufferFull:
                    raise self._damaged("one of its values is too large") from None
            except (ValueError, msgpack.UnpackException) as error:
                raise self._damaged("it is no MessagePack") from error

    def _take(self) -> None:
        """Add the value that was read last to the digest."""
        n = self._unpacker.tell() - self._taken
        self._digest.update(self._fed[:n])
        del self._fed[:n]
        self._taken += n

    def _read(self) -> bytes:
        try:
            return self._zip.read(_READ_AT_ONCE)
        except EOFError:
            raise self._damaged("it was cut off") from None
        except gzip.BadGzipFile as error:
            if str(error).startswith("CRC"):
                raise self._damaged("its checksum is wrong") from None
            raise BackupFileError(f"{self._name} is no backup of jobtracker: it is no gzip.") from None
        except zlib.error:
            raise self._damaged("its bytes are not those that were written") from None
        except OSError as error:
            raise BackupFileError(f"{self._name} can't be read: {error.strerror or error}.") from error

    def _damaged(self, why: str) -> BackupFileError:
        return BackupFileError(f"{self._name} is damaged: {why}. Take another backup.")


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file for a backup. It gets its name when all of it is on the disk; only its owner may read it.

    Raises:
        BackupFileError: It can't be written. Nothing is left of it, and a file that had its name is as it was.
    """
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise BackupFileError(f"{path} is no regular file. Write the backup to standard output instead: -")
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        with os.fdopen(descriptor, "wb") as stream:  # mode 0600
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
        temporary = None
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise BackupFileError(f"{path} was not written: {error.strerror or error}.") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()


def _texts(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        return {}
    return {
        str(name, "utf-8", "replace"): value.decode(errors="replace") if isinstance(value, bytes) else value
        for name, value in told.items()
    }
