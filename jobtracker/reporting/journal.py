"""Reports on disk: what a process keeps in memory while the tracking Redis is away outlives it here.

Each process that has reports waiting has a file of its own, a journal of what came and went, and holds a lock on it
as long as it lives. A journal that nobody holds was left by a process that has ended: the next one takes it over. The
folder is its user's alone. Nothing is synchronised with the disk: this is for processes that die, not for machines.
"""

import hashlib
import json
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from jobtracker.core.lifecycle import Event
from jobtracker.store.changes import NewJob, Notice, Rank, Report

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".reports"
_MODE = 0o600


class Left(NamedTuple):
    """What a process has left behind."""

    reports: list[tuple[bytes, Report]]
    """In the order in which they came, each also as text."""
    dropped: int
    """So many more were given up, and nobody was told."""


class Spool:
    """The folder of all processes of one user on one machine that report to one store.

    Args:
        folder: Where it is to be; None: in the system's temporary folder.
        store: What tells the store from others.
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
        """A new file, held by this process; it is there for others from `publish` on.

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

    def somebody_waits(self) -> bool:
        """Whether reports of any process wait here: the store was away a moment ago."""
        return next(self._files(), None) is not None

    def left(self) -> Iterator["LeftFile"]:
        """What processes have left that have ended, the oldest first, each held while it is looked at."""
        for path in sorted(self._files(), key=_changed_at):
            found = LeftFile.take(path)
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
        except OSError:  # nothing has had to wait so far
            return
        yield from (path for path in paths if path.suffix == _SUFFIX)


class LeftFile:
    """A journal that its process has left."""

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self._path = path

    @classmethod
    def take(cls, path: Path) -> "LeftFile | None":
        """Take a journal over; None where its process lives, or another one is faster."""
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

    def read(self) -> Left:
        """What is left of it."""
        with open(self._fd, "rb", closefd=False) as file:
            return _read(file)

    def remove(self) -> None:
        """It was taken over, or written."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)


class Journal:
    """What waits in a process, on disk. Where that can't be written the reports are in memory only.

    Args:
        spool: The folder.

    Attributes:
        trouble: Why nothing can be written, since the last time that nothing was left.
        size: So many bytes were written.
    """

    def __init__(self, spool: Spool) -> None:
        self.trouble: Exception | None = None
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
                if self.trouble is not None:
                    return False
                self._open(b"".join(entries))
            else:
                _write(self._fd, b"".join(entries), self.size)
        except OSError as error:
            self.trouble = error
            return False
        self.size += sum(map(len, entries))
        return True

    def rewrite(self, *entries: bytes) -> bool:
        """Put these entries in the place of all that was written; False where that failed."""
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
        """Nothing waits any more."""
        if self._fd >= 0:
            self._path.unlink(missing_ok=True)
        self.leave()
        self.trouble = None

    def leave(self) -> None:
        """Leave what was written to others; in a process that was forked it is its parent's."""
        fd, self._fd, self.size = self._fd, -1, 0
        if fd >= 0:
            os.close(fd)


# -- the entries of a journal: lines of JSON ------------------------------------------------------------------------


def entry_of(number: int, report: bytes) -> bytes:
    """That a report waits, under a number of its own."""
    return b'["report",%d,%s]\n' % (number, report)


def entry_of_end(number: int) -> bytes:
    """That it does not wait any more: it was written or given up."""
    return b'["end",%d]\n' % number


def entry_of_dropped(count: int) -> bytes:
    """That so many reports were given up; below 0, that so many were counted in the store."""
    return b'["dropped",%d]\n' % count


def _read(lines: Any) -> Left:
    reports: dict[int, tuple[bytes, Report]] = {}
    dropped = 0
    for line in lines:
        try:
            kind, value, *rest = json.loads(line)
            if kind == "report":
                text = line[line.index(b",", line.index(b",") + 1) + 1 : line.rindex(b"]")]
                reports[value] = text, _decoded(*rest)
            elif kind == "end":
                reports.pop(value, None)
            elif kind == "dropped":
                dropped += value
        except (ValueError, TypeError, KeyError, AttributeError):
            # Cut off where the process was killed; or of another release, and nobody here can write it.
            dropped += line.startswith(b'["report"')
    return Left(list(reports.values()), max(0, dropped))


_PLAIN = ("run", "attempt", "execution", "lease", "fields", "data", "created", "sent")


def encoded(report: Report) -> bytes:
    """A report as JSON; with how its job is recorded, where that is not on disk already, and of an end always."""
    start = report.start if report.start is not None else report
    whole: dict[str, Any] = {}
    if report.rank >= Rank.END or not start.is_kept:
        whole["jobs"] = [_of_job(job) for job in report.jobs]
        whole["start"] = None if report.start is None else _of_report(report.start, {"jobs": _jobs_of(report.start)})
    return json.dumps(_of_report(report, whole), separators=(",", ":")).encode()


def _jobs_of(report: Report) -> list[Any]:
    return [_of_job(job) for job in report.jobs]


def _of_report(report: Report, more: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: value for name in _PLAIN if (value := getattr(report, name)) not in (None, "", (), {}, [])}
    more = {name: value for name, value in more.items() if value}
    return {"event": report.event, "job": report.job_id, "at": report.at_ms, **said, **more}


def _of_job(job: NewJob) -> list[Any]:
    return [
        job.id,
        dict(job.fields),
        dict(job.data),
        list(job.subs.items()),
        job.sends,
        job.published,
        job.chained_anew,
    ]


def _decoded(said: dict[str, Any]) -> Report:
    event, start = said["event"], said.get("start")
    return Report(
        Notice(event) if event in _NOTICES else Event(event),
        said["job"],
        at_ms=said["at"],
        jobs=[_job(*each) for each in said.get("jobs", ())],
        start=None if start is None else _decoded(start),
        **{name: said[name] for name in _PLAIN if name in said},
    )


_NOTICES = frozenset(map(str, Notice))


def _job(job_id: str, fields: Any, data: Any, subs: Sequence[tuple[int, str]], *flags: bool) -> NewJob:
    sends, published, chained_anew = (*flags, False, False)[:3]
    return NewJob(
        id=job_id,
        fields=fields,
        data=data,
        subs=dict(subs),
        sends=sends,
        published=published,
        chained_anew=chained_anew,
    )


# -- files ----------------------------------------------------------------------------------------------------------


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
    """Go on only with a folder that is this user's alone: what is in it is believed, and may be confidential.

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
