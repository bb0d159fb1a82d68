"""Keeps the reports of an outage buffer on disk too, so that they survive their process.

Each process with waiting reports has its own file: a journal of the reports that came and were sent. It holds a lock
on the file while it lives. A journal without a lock belongs to a process that has ended, and another process takes it
over. Only its user can read the folder. There is no fsync: journals survive the end of a process, not a power
failure.
"""

import hashlib
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jobtracker.reporting.journal_entries import Unwritten, read_entries

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".reports"
_MODE = 0o600


class Spool:
    """The folder of journals of all processes of one user on one machine that report to one store.

    Args:
        folder: Its parent folder; None: the system's temporary folder.
        store: A text that tells the store from others.
    """

    def __init__(self, folder: str | None, store: str) -> None:
        self._base = folder
        self._store = hashlib.sha256(store.encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Where it is."""
        owner = f"jobtracker-{os.geteuid()}" if hasattr(os, "geteuid") else "jobtracker"
        return Path(self._base or tempfile.gettempdir()) / owner / self._store

    def new_file(self) -> tuple[int, Path]:
        """Make a new file and lock it. Others see it once its name ends with the suffix of journals.

        Raises:
            OSError: It can't be made, or the folder is not this user's alone.
        """
        if fcntl is None:
            raise OSError("this system has no locks that end with their process")
        folder = self.folder
        if self._base:
            Path(self._base).mkdir(parents=True, exist_ok=True)
        for each in (folder.parent, folder):
            with suppress(FileExistsError):
                each.mkdir(mode=0o700)
            _expect_private(each)
        path = folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.new"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, _MODE)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(fd)
            raise
        return fd, path

    def has_journals(self) -> bool:
        """Whether reports of any process wait here: the store was away a moment ago."""
        return next(self._files(), None) is not None

    def is_usable(self) -> bool:
        """Whether journals can be made here: otherwise nobody else sees the reports that wait in a process."""
        try:
            fd, path = self.new_file()
        except OSError:
            return False
        path.unlink(missing_ok=True)
        os.close(fd)
        return True

    def abandoned(self) -> Iterator["AbandonedJournal"]:
        """The journals of processes that have ended, the oldest first, each locked while it is looked at."""
        for path in sorted(self._files(), key=_changed_at):
            found = AbandonedJournal.take(path)
            if found is not None:
                try:
                    yield found
                finally:
                    found.close()

    def _files(self) -> Iterator[Path]:
        folder = self.folder
        try:
            _expect_private(folder)
            paths = list(folder.iterdir())
        except OSError:  # no report has had to wait yet
            return
        yield from (path for path in paths if path.suffix == _SUFFIX)


class AbandonedJournal:
    """A journal whose process has ended."""

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self._path = path

    @classmethod
    def take(cls, path: Path) -> "AbandonedJournal | None":
        """Lock a journal; None where its process lives, or another process was faster."""
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            status = os.fstat(fd)
            if status.st_nlink and status.st_uid == os.geteuid() and stat.S_ISREG(status.st_mode):
                return cls(fd, path)
        except OSError:
            pass
        os.close(fd)
        return None

    def read(self) -> Unwritten:
        """What was not written to the store."""
        with open(self._fd, "rb", closefd=False) as file:
            return read_entries(file)

    def remove(self) -> None:
        """Remove it: its reports were taken over or written."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Unlock it."""
        os.close(self._fd)


class Journal:
    """The waiting reports of one process, on disk. If they can't be written, they are in memory only.

    Args:
        spool: The folder.

    Attributes:
        error: Why nothing can be written, since the last `clear`.
        size: Bytes that were written.
    """

    def __init__(self, spool: Spool) -> None:
        self.error: Exception | None = None
        self.size = 0
        self._spool = spool
        self._fd = -1
        self._path = Path()

    def append(self, *entries: bytes) -> bool:
        """Write entries; False where that failed, and none was written."""
        if not entries:
            return True
        try:
            if self._fd < 0:
                if self.error is not None:
                    return False
                self._open(b"".join(entries))
            else:
                _write(self._fd, b"".join(entries), self.size)
        except OSError as error:
            self.error = error
            return False
        self.size += sum(map(len, entries))
        return True

    def rewrite(self, *entries: bytes) -> bool:
        """Replace all that was written by these entries; False where that failed."""
        fd, path, size = self._fd, self._path, self.size
        self._fd, self.size = -1, 0
        if not self.append(*entries):
            self._fd, self._path, self.size = fd, path, size
            return False
        if fd >= 0:
            path.unlink(missing_ok=True)
            os.close(fd)
        return True

    def _open(self, text: bytes) -> None:
        fd, new = self._spool.new_file()
        path = new.with_suffix(_SUFFIX)
        try:
            _write(fd, text, 0)
            new.rename(path)
        except BaseException:
            new.unlink(missing_ok=True)
            os.close(fd)
            raise
        self._fd, self._path = fd, path

    def clear(self) -> None:
        """Remove the file: nothing waits any more."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
        self.release()
        self.error = None

    def release(self) -> None:
        """Leave the file to other processes; in a process that was forked it is its parent's."""
        fd, self._fd, self.size = self._fd, -1, 0
        if fd >= 0:
            os.close(fd)


def _write(fd: int, text: bytes, size: int) -> None:
    try:
        written = 0
        while written < len(text):
            written += os.write(fd, text[written:])
    except OSError:
        with suppress(OSError):
            os.ftruncate(fd, size)  # half an entry says nothing
        raise


def _expect_private(folder: Path) -> None:
    """Check that a folder is this user's alone: what is in it is believed, and may be confidential.

    Raises:
        OSError: It is not.
    """
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a folder of this user's alone")


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
