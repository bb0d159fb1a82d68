"""The folder of results that are too large for a job's record, or that are wanted as files."""

import hashlib
import os
import secrets
import stat
import tempfile
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self, TypeAlias, get_args
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from workers.errors import NotFoundError, ResultNotKeptError, TooLargeError
from workers.folder import find_file
from workers.limits import document_max_bytes
from workers.tables.settings import TableSettings

FileFormat: TypeAlias = Literal["jsonl", "csv", "parquet"]
SCHEME = "result:"
"""What the document_id of such a file begins with."""

MARK = ".result."
"""In the name of each file, before its format: nothing else in the folder is ever removed."""
_PART = MARK + "part"
_STALE_S = 3_600
"""So long after it was last written to, a file that was not finished is a killed worker's."""

_MAX_NAME = 150


class Output(BaseModel):
    """What a payload says of the result as a file."""

    model_config = ConfigDict(extra="forbid")

    format: FileFormat = Field(
        description="jsonl has one object a line, as `rows` has them; csv has the names of the columns in its first "
        "line; parquet keeps all types as they are."
    )


class ResultFile(BaseModel):
    """A result as a file in RESULTS_DIR, or in the bucket where GCS_BUCKET_NAME names one."""

    document_id: str = Field(description="By this name other data_processing jobs read it: result:, the job's id, …")
    file: str = Field(description="Its name in RESULTS_DIR; gs://… where it is in the bucket.")
    format: FileFormat = Field(description="How it is written.")
    bytes: int = Field(description="Its size.")
    rows: int = Field(description="How many rows it has: all of the result.")
    sha256: str = Field(description="The digest of its bytes, hexadecimal.")


class ResultFolder(BaseModel):
    """The folder, which all workers share that read each other's results.

    Attributes:
        path: Where it is.
        private: It must be this user's alone: it is in a folder where everybody may write.
        max_file_bytes: The most that one file may take: what could not be read again is not written.
        max_bytes: The most that all of them may take.
        keep_s: Older ones go when the next one is written; their jobs have left the tracker.
        place: What the names of its files begin with in records. Not empty: it is a worker's temporary folder, and
            the worker takes the files from there to that place.
    """

    model_config = ConfigDict(frozen=True)

    path: Path
    private: bool
    max_file_bytes: int
    max_bytes: int
    keep_s: float
    place: str = ""

    @classmethod
    def of_settings(cls, keep_s: float = 7 * 86_400) -> Self:
        """The folder that RESULTS_DIR names."""
        settings = TableSettings.from_env()
        path = settings.results_dir
        if path is None:
            owner = f"jobtracker-{os.geteuid()}" if hasattr(os, "geteuid") else "jobtracker"
            path = Path(tempfile.gettempdir()) / owner / "results"
        return cls(
            path=path,
            private=settings.results_dir is None,
            max_file_bytes=document_max_bytes(),
            max_bytes=settings.results_max_bytes,
            keep_s=keep_s,
        )

    def write(self, job_id: str, format_: FileFormat, rows: int, chunks: Iterable[bytes]) -> ResultFile:
        """Keep a result. One that the job has left before is replaced as a whole, or not at all.

        Args:
            job_id: The job.
            format_: How it is written.
            rows: How many rows it has.
            chunks: Its bytes.

        Raises:
            TooLargeError: It is larger than DOCUMENT_MAX_BYTES allows.
            ResultNotKeptError: The folder can't be written to, or is full.
            OSError: The same of a temporary folder.
        """
        stem = file_stem(job_id)
        name = file_name(stem, format_)
        try:
            self._open()
            left_bytes = self.max_bytes - self._tidy(but_for=name)
            part = self.path / f".{secrets.token_hex(8)}{_PART}"
            try:
                size_bytes, sha256 = self._fill(part, chunks, left_bytes)
                part.replace(self.path / name)
                self._remove(stem, but_for=format_)  # a job has one result
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            if self.place:
                raise
            raise ResultNotKeptError(
                f"the result can't be written to RESULTS_DIR ({error.strerror or error}): set it to a folder that "
                "all workers can write to, or take fewer rows"
            ) from error
        return ResultFile(
            document_id=f"{SCHEME}{stem}.{format_}",
            file=self.place + name,
            format=format_,
            bytes=size_bytes,
            rows=rows,
            sha256=sha256,
        )

    def forget(self, job_id: str) -> None:
        """Remove what an earlier run of a job has left: its last one leaves nothing.

        Raises:
            ResultNotKeptError: It can't be removed.
        """
        if not job_id or not self.path.exists():
            return
        with suppress(OSError):  # in a folder that is not ours alone nobody finds it
            self._open()
            try:
                self._remove(file_stem(job_id))
            except OSError as error:
                raise ResultNotKeptError(
                    f"what an earlier run left in RESULTS_DIR can't be removed ({error.strerror or error}): set "
                    "it to a folder that all workers can write to"
                ) from error

    def _remove(self, stem: str, but_for: FileFormat | None = None) -> None:
        for format_ in set(get_args(FileFormat)) - {but_for}:
            path = self.path / file_name(stem, format_)
            if (
                path.is_symlink() or path.exists()
            ):  # a folder that can only be read refuses to remove what is not there
                path.unlink(missing_ok=True)

    def find(self, document_id: str) -> Path:
        """Find the file of a result by its document_id, with or without its suffix.

        Raises:
            InputError: As find_file; NotFoundError also where there is no folder.
        """
        stem, format_ = stem_and_format(document_id)
        name = f"{stem}{MARK.rstrip('.') if format_ is None else MARK + format_}"
        try:
            if self.path.exists():
                self._open()
                return find_file(name, [self.path], [f".{each}" for each in get_args(FileFormat)])
        except (OSError, NotFoundError):  # OSError: the folder is not ours alone
            pass
        raise no_result(document_id, "RESULTS_DIR")

    def _open(self) -> None:
        """Make the folder where it is missing; refuse one that others may write to where that must not be.

        Raises:
            OSError: It can't be made, or is refused.
        """
        folders = [self.path.parent, self.path] if self.private else [self.path]
        if not self.private:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        for folder in folders:
            with suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            if self.private:
                _expect_private(folder)

    def _tidy(self, but_for: str) -> int:
        """Remove what is too old; give how many bytes the rest takes, without the file of that name."""
        now, size_bytes = time.time(), 0
        with os.scandir(self.path) as entries:
            for entry in entries:
                with suppress(OSError):  # gone, or another user's in a folder that is shared
                    state = entry.stat(follow_symlinks=False)
                    if MARK not in entry.name or not stat.S_ISREG(state.st_mode):
                        continue
                    if now - state.st_mtime > (_STALE_S if entry.name.endswith(_PART) else self.keep_s):
                        Path(entry.path).unlink()
                    elif entry.name != but_for:
                        size_bytes += state.st_size
        return size_bytes

    def _fill(self, part: Path, chunks: Iterable[bytes], left_bytes: int) -> tuple[int, str]:
        digest, size_bytes = hashlib.sha256(), 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            for chunk in chunks:
                size_bytes += len(chunk)
                check_result_size(size_bytes, self.max_file_bytes)
                if size_bytes > left_bytes:
                    raise ResultNotKeptError(
                        f"the results in RESULTS_DIR would take more than RESULTS_MAX_BYTES allows, "
                        f"{self.max_bytes:,} bytes: raise it, or delete files there"
                    )
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        return size_bytes, digest.hexdigest()


def _expect_private(folder: Path) -> None:
    """Raise OSError where a folder is not this user's alone."""
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o077:
        raise PermissionError("its default is a folder that others can write to")


def check_result_size(size_bytes: int, limit_bytes: int) -> None:
    """Raise TooLargeError when a result of that size could not be read again."""
    if size_bytes > limit_bytes:
        raise TooLargeError(
            f"the result takes more than DOCUMENT_MAX_BYTES allows, {limit_bytes:,} bytes: raise it, take fewer rows "
            "or columns, or give only a part of it (max_rows)"
        )


def file_name(stem: str, format_: FileFormat) -> str:
    """The name of a result as a file."""
    return f"{stem}{MARK}{format_}"


def stem_and_format(document_id: str) -> tuple[str, str | None]:
    """What the document_id of a result says: whose it is, and its format if it says that."""
    stem, dot, format_ = document_id.removeprefix(SCHEME).rpartition(".")
    return (stem, format_) if dot else (format_, None)


def no_result(document_id: str, place: str) -> NotFoundError:
    """What is raised where there is no such result."""
    return NotFoundError(f"there is no {document_id!r} in {place}; results stay as long as their jobs")


def file_stem(job_id: str) -> str:
    """A name for each job that no other has, and safe in a folder: an id may be any text that a caller chose."""
    if not job_id:  # not a tracked task
        return uuid.uuid4().hex
    data = job_id.encode(errors="surrogatepass")
    name = quote(data, safe="").replace(".", "%2E")
    # quote writes "%" before two digits only, so this is nobody else's name
    return name if len(name) <= _MAX_NAME else "%sha256-" + hashlib.sha256(data).hexdigest()
