"""The results of tables in a bucket, where one is set: the task puts them there, not the confined process."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self, get_args

from pydantic import ValidationError

from jobtracker.objects.object_store import CHUNK_BYTES, ObjectInfo, ObjectStore, ObjectStoreError
from workers.buckets import Found, unusable
from workers.errors import ResultNotKeptError, WorkFailedError
from workers.folder import check_name
from workers.limits import document_max_bytes
from workers.tables.results import (
    MARK,
    FileFormat,
    ResultFile,
    ResultFolder,
    check_result_size,
    file_name,
    file_stem,
    no_result,
    stem_and_format,
)
from workers.tables.settings import TableSettings
from workers.transfers import Transfer

PREFIX = ".jobtracker/tables/"
"""What the names of the objects begin with. No payload can name them: a part of theirs begins with a dot."""

_MOST_REMOVED = 100
"""So many old results go with a new one, each by a request; the others go with the next ones."""

_NOT_AS_SAID = "the result is not what the process says that did the work"


class ResultBucket:
    """A bucket, which all workers share that read each other's results.

    Args:
        store: The bucket.
        max_file_bytes: The most that one object may take: what could not be read again is not written.
        max_bytes: The most that all of them may take.
        keep_s: Older ones go when the next one is written; their jobs have left the tracker.
    """

    def __init__(self, store: ObjectStore, *, max_file_bytes: int, max_bytes: int, keep_s: float) -> None:
        self._store = store
        self._max_file_bytes = max_file_bytes
        self._max_bytes = max_bytes
        self._keep_s = keep_s

    @classmethod
    def of_settings(cls, store: ObjectStore, keep_s: float) -> Self:
        """A bucket with the limits that the settings name."""
        max_bytes = TableSettings.from_env().results_max_bytes
        return cls(store, max_file_bytes=document_max_bytes(), max_bytes=max_bytes, keep_s=keep_s)

    def scratch(self, path: Path) -> ResultFolder:
        """A folder for the confined process to leave a result in, whose record says where it will be."""
        return ResultFolder(
            path=path,
            private=False,
            max_file_bytes=self._max_file_bytes,
            max_bytes=self._max_file_bytes,
            keep_s=self._keep_s,
            place=f"{self._store}/{PREFIX}",
        )

    def keep(self, job_id: str, folder: Path, file: Any, transfer: Transfer) -> None:
        """Keep what a job has left, and nothing that it has left before.

        Args:
            job_id: The job.
            folder: The path of its `scratch`.
            file: What the confined process says of it, a ResultFile as JSON; None: it has left nothing.
            transfer: Told how far it is.

        Raises:
            TooLargeError: It is larger than DOCUMENT_MAX_BYTES allows.
            ResultNotKeptError: All together would be larger than RESULTS_MAX_BYTES allows.
            BucketUnusableError: The bucket can't be used.
            WorkFailedError: It is not what the confined process says.
        """
        stem, name = file_stem(job_id), None
        transfer.moves("keeping the result in the bucket")
        try:
            earlier = [info.name for info in self._of(stem)]
            if file is not None:
                name = self._put(stem, folder, file, transfer)
            for each in earlier:
                if each != name:
                    self._store.delete(each)
        except (OSError, ValidationError) as error:
            raise WorkFailedError(_NOT_AS_SAID) from error
        except ObjectStoreError as error:
            raise unusable("the result can't be kept in the bucket", error) from error

    def find(self, document_id: str) -> Found:
        """Find a result by its document_id, with or without its suffix.

        Raises:
            InputError: As ResultFolder.find.
            ObjectStoreError: The bucket can't be asked.
        """
        stem, format_ = stem_and_format(document_id)
        check_name(stem)
        infos = self._of(stem) if "/" not in stem else []
        found = [info for info in infos if format_ in {None, info.name.rpartition(".")[2]}]
        if not found:
            raise no_result(document_id, str(self._store))
        # There are two while a job that has run again replaces the first.
        return Found(self._store, max(found, key=lambda info: info.changed_at_ms))

    def _of(self, stem: str) -> list[ObjectInfo]:
        names = {PREFIX + file_name(stem, format_) for format_ in get_args(FileFormat)}
        return [info for info in self._store.list(f"{PREFIX}{stem}{MARK}") if info.name in names]

    def _put(self, stem: str, folder: Path, said: Any, transfer: Transfer) -> str:
        file = ResultFile.model_validate(said)
        name = PREFIX + file_name(stem, file.format)
        # What has parsed hostile bytes may have put a link there.
        fd = os.open(folder / file_name(stem, file.format), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as data:
            state = os.fstat(data.fileno())
            digest = hashlib.file_digest(data, "sha256").hexdigest() if stat.S_ISREG(state.st_mode) else None
            if (state.st_size, digest) != (file.bytes, file.sha256):
                raise WorkFailedError(_NOT_AS_SAID)
            check_result_size(state.st_size, self._max_file_bytes)
            if state.st_size > self._max_bytes - self._tidy(name, transfer):
                raise ResultNotKeptError(
                    f"the results below {self._store}/{PREFIX} would take more than RESULTS_MAX_BYTES allows, "
                    f"{self._max_bytes:,} bytes: raise it, or delete objects there"
                )
            data.seek(0)
            self._store.put(name, _pieces(data, transfer))
        return name

    def _tidy(self, but_for: str, transfer: Transfer) -> int:
        """Remove what is too old; give how many bytes the rest takes, without the object of that name."""
        oldest_ms, size_bytes, removed = (time.time() - self._keep_s) * 1000, 0, 0
        for info in self._store.list(PREFIX):
            transfer.moves()
            if info.name == but_for or MARK not in info.name:
                continue
            if info.changed_at_ms < oldest_ms and removed < _MOST_REMOVED:
                self._store.delete(info.name)
                removed += 1
            else:
                size_bytes += info.size_bytes
        return size_bytes


def _pieces(data: BinaryIO, transfer: Transfer) -> Iterator[bytes]:
    while piece := data.read(CHUNK_BYTES):
        transfer.moves()
        yield piece
