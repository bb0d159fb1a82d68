"""A confined process as its worker has it: started, asked, and killed with all that it keeps."""

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from jobtracker.local import exec_with_parent as tether
from jobtracker.settings import Settings
from workers.confined.folder import LockedFolder
from workers.confined.frames import Inbox, packed

MAX_ANSWER_BYTES = 64 * 1024**2
"""The longest answer: a result of that size is stored nowhere."""

_ROOT = Path(__file__).resolve().parents[2]
_CHUNK_BYTES = 1 << 20
_KEPT_BACK = (
    "CELERY_", "CLOUDSDK_", "DOCUMENT_BUCKETS", "FIRESTORE_", "FLOWER_", "GCE_", "GCLOUD_", "GCP_", "GCS_", "GOOGLE_",
    "REDIS_", "STORAGE_EMULATOR_",
)  # fmt: skip
"""What the variables begin with that no confined process gets."""


class ProcessGoneError(Exception):
    """A confined process has ended on its own.

    Attributes:
        status: Its exit status, negative for the signal that killed it.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"ended with status {status}")
        self.status = status


class ConfinedProcess:
    """A process that does one piece of work at a time, and ends with the thread that started it (Linux: prctl(2)).

    It has a folder of its own for temporary files, which goes with it (`LockedFolder`).
    """

    def __init__(self) -> None:
        with ExitStack() as undo:  # where one of these fails
            folder = undo.enter_context(LockedFolder())
            with ExitStack() as its:
                its_requests, self._requests = os.pipe()
                its.callback(os.close, its_requests)
                undo.callback(os.close, self._requests)
                self._answers, its_answers = os.pipe()
                its.callback(os.close, its_answers)
                undo.callback(os.close, self._answers)
                self._process = _start(its_requests, its_answers, folder)
            self._undo = undo.pop_all()
        for fd in (self._requests, self._answers):
            os.set_blocking(fd, False)
        self._inbox = Inbox(MAX_ANSWER_BYTES)

    def exchange(self, request: Any, tick_s: float) -> Iterator[Any]:
        """Send a request, and yield each message that comes; None at least every `tick_s` seconds.

        Raises:
            ProcessGoneError: It has ended.
            FrameTooLargeError: A message is longer than `MAX_ANSWER_BYTES`.
        """
        left = memoryview(packed(request))
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            selector.register(self._requests, selectors.EVENT_WRITE)
            yielded_at = time.monotonic()
            while True:
                for key, _ in selector.select(tick_s):
                    if key.fd == self._answers:
                        self._receive()
                    else:
                        left = left[self._send(left) :]
                        if not left:
                            selector.unregister(self._requests)
                while (message := self._inbox.pop()) is not None:
                    yield message
                if time.monotonic() - yielded_at >= tick_s:
                    yield None
                    yielded_at = time.monotonic()

    def _send(self, data: memoryview) -> int:
        try:
            return os.write(self._requests, data[:_CHUNK_BYTES])
        except BlockingIOError:
            return 0
        except BrokenPipeError as error:
            raise ProcessGoneError(self._process.wait()) from error

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._answers, _CHUNK_BYTES)
            if not data:
                raise ProcessGoneError(self._process.wait())
            self._inbox.add(data)

    @property
    def is_alive(self) -> bool:
        """It has not ended."""
        return self._process.poll() is None

    def close(self) -> None:
        """Kill it, wait until it is gone, and remove its folder."""
        self._process.kill()
        self._process.wait()
        self._undo.close()


def _start(requests: int, answers: int, folder: LockedFolder) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "workers.confined"]
    if sys.platform == "linux":
        command = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command]
    return subprocess.Popen(  # noqa: S603 -- no shell, and nothing of a job
        command,
        stdin=requests,
        stdout=answers,
        pass_fds=[folder.lock],  # locked as long as either of both is there
        env=_environment(folder.path),
        start_new_session=True,  # a terminal's Ctrl-C is for the worker, which ends when its jobs are done
    )


def _environment(folder: Path) -> dict[str, str]:
    """This process's environment, without what a job has no use for: where Redis and buckets are, and their keys."""
    own = {name.upper() for name in Settings.model_fields} | {f"{name}_FILE" for name in Settings.secrets()}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() not in own and not name.upper().startswith(_KEPT_BACK)
    }
    path = os.pathsep.join(filter(None, [str(_ROOT), kept.get("PYTHONPATH")]))
    # Each further arena and thread takes 64 MiB of addresses, used or not (mallopt(3)).
    return {**kept, "PYTHONPATH": path, "TMPDIR": str(folder), "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
