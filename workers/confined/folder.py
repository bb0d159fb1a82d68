"""Temporary folders that go with who made them, even where that was killed."""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_PREFIX = "jobtracker-work-"
_YOUNG_S = 60
"""A folder may be so old before it is locked."""


class LockedFolder:
    """A folder for temporary files of this process, or of one that it starts; may be used as a context manager.

    It is locked as long as a process has its descriptor. What a process left that was killed, the next one that makes
    such a folder on this machine removes.

    Attributes:
        path: Where it is.
        lock: The descriptor that keeps it locked; for a process that is to keep it too.

    Raises:
        OSError: It can't be made.
    """

    def __init__(self) -> None:
        _remove_left_folders()
        with ExitStack() as undo:  # where one of these fails
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            undo.callback(shutil.rmtree, self.path, ignore_errors=True)
            self.lock = os.open(self.path, os.O_RDONLY)
            undo.callback(os.close, self.lock)
            fcntl.flock(self.lock, fcntl.LOCK_EX)
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Remove it, with all that is in it."""
        self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _remove_left_folders() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or just removed
            if time.time() - folder.stat().st_mtime > _YOUNG_S and _is_unlocked(folder):
                shutil.rmtree(folder)


def _is_unlocked(folder: Path) -> bool:
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
