"""A local folder as an object store. All machines that share it must see the same folder."""

import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from jobtracker.objects.object_store import (
    CHUNK_BYTES,
    ObjectInfo,
    ObjectMissingError,
    ObjectStoreAwayError,
    ObjectStoreError,
    need_name,
)

_PART_MARK = ".part-"
"""In the name of a file that is being written."""

_STALE_S = 3600
"""A part that was not written to for so long is that of a process that was killed."""


class FolderStore:
    """Objects as files in a folder.

    A file gets its name once it is complete and on the disk, so it is whole or not there.

    Args:
        path: The folder. It is made with the first object, for this user only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def put(self, name: str, chunks: Iterable[bytes]) -> int:
        """As `ObjectStore.put`."""
        path, size_bytes = self._path_of(name), 0
        part = path.with_name(f"{path.name}{_PART_MARK}{secrets.token_hex(4)}")
        try:
            try:
                with os.fdopen(_create(part), "wb") as file:
                    for chunk in chunks:
                        size_bytes += file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(path)
                _sync_folder(path.parent)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise self._failure("written to", error) from error
        return size_bytes

    def read(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """As `ObjectStore.read`."""
        try:
            file = open(self._path_of(name), "rb", opener=_open_no_link)  # noqa: SIM115 (_pieces closes it)
        except (FileNotFoundError, NotADirectoryError) as error:
            self._need_mounted(name, error)
            raise ObjectMissingError(f"There is no {name!r} in {self.path}.") from error
        except OSError as error:
            raise self._failure("read", error) from error
        pieces = self._pieces(file, start, end)
        next(pieces)  # only a generator that has begun closes its file when nobody reads on
        return pieces

    def _pieces(self, file: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
        with file:
            yield b""
            try:
                file.seek(start)
                left = None if end is None else end - start
                while piece := file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
                    yield piece
                    left = None if left is None else left - len(piece)
            except OSError as error:
                raise self._failure("read", error) from error

    def info(self, name: str) -> ObjectInfo | None:
        """As `ObjectStore.info`."""
        try:
            state = self._path_of(name).lstat()
        except (FileNotFoundError, NotADirectoryError) as error:
            self._need_mounted(name, error)
            return None
        except OSError as error:
            raise self._failure("read", error) from error
        return ObjectInfo(name, state.st_size, int(state.st_mtime * 1000))

    def delete(self, name: str) -> None:
        """As `ObjectStore.delete`. The folders that held only that object go too.

        But for the topmost: without it the folder would seem to be another one (`read`).
        """
        path = self._path_of(name)
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError) as error:
            self._need_mounted(name, error)
            return
        except OSError as error:
            raise self._failure("written to", error) from error
        for folder in path.parents:
            if self.path in {folder, folder.parent} or not folder.is_relative_to(self.path):
                break
            try:
                folder.rmdir()
            except OSError:  # it holds others, or is gone
                break

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """As `ObjectStore.list`. Parts that killed processes left are removed on the way."""
        root = self._path_of(prefix + "x").parent
        if not self.path.exists():
            raise self._not_mounted()
        for folder, _, files in os.walk(root, onerror=self._not_listed):
            for file in files:
                path = Path(folder, file)
                with suppress(OSError):  # removed meanwhile
                    state = path.lstat()
                    if _PART_MARK in file:
                        if time.time() - state.st_mtime > _STALE_S:
                            path.unlink()
                        continue
                    name = path.relative_to(self.path).as_posix()
                    if name.startswith(prefix) and stat.S_ISREG(state.st_mode):
                        yield ObjectInfo(name, state.st_size, int(state.st_mtime * 1000))

    def check(self) -> None:
        """As `ObjectStore.check`."""
        probe = f".probe-{secrets.token_hex(4)}"
        self.put(probe, [b"probe"])
        self.delete(probe)

    def _path_of(self, name: str) -> Path:
        need_name(name)
        return self.path / name

    def _need_mounted(self, name: str, error: OSError) -> None:
        """Do nothing where an object is not there; what has written it has made the topmost of its folders."""
        if not (self.path / name.rpartition("/")[0].split("/", maxsplit=1)[0]).exists():
            raise self._not_mounted() from error

    def _not_mounted(self) -> ObjectStoreAwayError:
        return ObjectStoreAwayError(
            f"The folder {self.path} has no objects of ours. Is it mounted? OBJECTS_DIR must name the folder that "
            "the process has which wrote them."
        )

    def _not_listed(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # removed meanwhile
            raise self._failure("read", error) from error

    def _failure(self, what: str, error: OSError) -> ObjectStoreError:
        return ObjectStoreError(
            f"The folder {self.path} can't be {what} ({error.strerror or error}). OBJECTS_DIR must name a folder "
            "that the API and all workers can write to, with room on its disk."
        )


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _sync_folder(path: Path) -> None:
    """Without this the name of a new file may be lost when the machine loses its power."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _create(part: Path) -> int:
    """Create a file and its folder, which a delete of its last object may remove meanwhile."""
    for attempts_left in range(99, -1, -1):
        try:
            part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except (FileNotFoundError, FileExistsError):  # the latter where it goes while mkdir looks whether it is one
            if not attempts_left:
                raise
    raise AssertionError
