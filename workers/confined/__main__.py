"""A confined process: does one piece of work after the other, as its worker asks, each within its budget.

On Linux the kernel keeps it to its budget (setrlimit(2)): an allocation beyond `RLIMIT_AS` fails, and beyond
`RLIMIT_CPU` the process is killed by SIGXCPU. macOS does not enforce a limit of the address space.
"""

import errno
import importlib
import logging
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, TypeVar

from workers.confined.frames import read_message, write_message
from workers.errors import DISK_FULL, InputError, OverBudgetError

T = TypeVar("T")

_PACKAGE = "workers.work."
_MIB = 1024**2
_PROGRESS_S = 0.2
_MOST_LOG_LINES = 100
"""Lines of the libraries' own logs for each job: a damaged file may give one for each of its objects."""
_MOST_KEPT = 0.25
"""The share of a job's memory that may stay in use after it; with more the process ends, and that is free again."""


class _Outbox(logging.Handler):
    """Sends what a job reports, and what the libraries log, to the worker."""

    def __init__(self, fd: int) -> None:
        super().__init__(logging.WARNING)
        self._fd = fd
        self.lines_left = 0

    def send(self, kind: str, **message: Any) -> None:
        write_message(self._fd, {"kind": kind, **message})

    def emit(self, record: logging.LogRecord) -> None:
        if self.lines_left:
            self.lines_left -= 1
            self.send("logged", logger=record.name, level=record.levelno, message=record.getMessage()[:2000])


class _Job:
    """The job that is being worked on, as the work sees it (`workers.progress.Job`)."""

    def __init__(self, outbox: _Outbox) -> None:
        self._outbox = outbox
        self._sent_at = float("-inf")

    def progress(self, done: float, total: float, note: str = "") -> None:
        now = time.monotonic()
        if done >= total or now - self._sent_at >= _PROGRESS_S:
            self._sent_at = now
            self._outbox.send("progress", done=done, total=total, note=note)

    def log(self, message: str, level: str = "info") -> None:
        self._outbox.send("log", message=message, level=level)

    def track(self, items: Iterable[T], total: int | None = None, note: str = "") -> Iterator[T]:
        if total is None and isinstance(items, Sized):
            total = len(items)
        for done, item in enumerate(items, start=1):
            yield item
            if total:
                self.progress(done, total, note)


def main() -> None:
    """Work until the worker has gone, or too much memory stays in use."""
    requests, answers = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a library prints
    outbox = _Outbox(answers)
    logging.getLogger().addHandler(outbox)
    is_light = True
    while is_light and (request := read_message(requests)) is not None:
        answer = _answer(request, outbox)
        is_light = _kept_bytes() <= answer.pop("before") + _MOST_KEPT * request["memory_mb"] * _MIB
        is_light &= answer["kind"] in {"result", "refused"}  # after anything else nobody knows what state it is in
        outbox.send(**answer, is_last=not is_light)


def _answer(request: Mapping[str, Any], outbox: _Outbox) -> dict[str, Any]:
    """What the work ends with, and how much memory was in use `before`."""
    outbox.lines_left = _MOST_LOG_LINES
    before = None
    try:
        function = _prepared(request["work"])
        before = _kept_bytes()
        outbox.send("prepared")
        _limit(request["memory_mb"], request["cpu_s"])
        try:
            answer = {"kind": "result", "result": function(_Job(outbox), **request["arguments"])}
        finally:
            _limit(None, None)
    except MemoryError:
        answer = {"kind": "memory"}
    except InputError as error:
        answer = _refusal(error)
    except Exception as error:  # noqa: BLE001 -- the worker raises it
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            answer = _refusal(OverBudgetError(DISK_FULL))
        else:
            answer = _failure(error, says_why=before is None)
    return {**answer, "before": before or 0}


def _refusal(error: InputError) -> dict[str, Any]:
    return {"kind": "refused", "error": type(error).__name__, "message": str(error)}


def _failure(error: Exception, *, says_why: bool) -> dict[str, Any]:
    """What nobody foresaw; not what it says of the input, which may be a part of somebody's document."""
    name = type(error).__name__
    message = f"{name}: {error}" if says_why else name
    return {
        "kind": "failed",
        "message": message,
        "traceback": "".join([*traceback.format_tb(error.__traceback__), name]),
    }


def _prepared(work: str) -> Any:
    """The function of that name, its module and what that needs loaded: this is no part of the job's memory."""
    module_name, _, name = work.partition(":")
    module = importlib.import_module(_PACKAGE + module_name)
    getattr(module, "prepare", lambda: None)()
    return getattr(module, name)


def _limit(memory_mb: int | None, cpu_s: int | None) -> None:
    """Keep this process to so much more than it uses now; None: to nothing of ours."""
    if sys.platform == "linux":
        _set_limit(resource.RLIMIT_AS, None if memory_mb is None else _address_space_bytes() + memory_mb * _MIB)
    _set_limit(resource.RLIMIT_CPU, None if cpu_s is None else int(time.process_time()) + 1 + cpu_s)


def _set_limit(kind: int, limit: int | None) -> None:
    hard = resource.getrlimit(kind)[1]
    if limit is None or limit > hard != resource.RLIM_INFINITY:
        limit = hard
    resource.setrlimit(kind, (limit, hard))


def _address_space_bytes() -> int:
    return _memory_pages()[0] * resource.getpagesize()


def _kept_bytes() -> int:
    """The memory in use; where the system does not show it (macOS), the most that it ever was."""
    if sys.platform == "linux":
        return _memory_pages()[1] * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _memory_pages() -> list[int]:
    return [int(pages) for pages in Path("/proc/self/statm").read_text().split()]


if __name__ == "__main__":
    main()
