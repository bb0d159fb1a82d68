"""What a worker's processes use: memory and CPU time, read from Linux's /proc.

It is read when the worker renews its lease: some files of a few hundred bytes for each process of its pool. Elsewhere
nothing is known: `resource` tells the highest memory there ever was, not what is used now.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple

_MOST_PROCESSES = 1000
"""Processes that are looked at."""


class Usage(NamedTuple):
    """What a process and all below it use."""

    memory_bytes: int
    """Resident memory; what they share counts for each."""
    cpu_s: float
    """CPU time until now, that of children included that have ended."""
    processes: int


class UsageMeter:
    """Measures a process and all below it.

    Args:
        pid: The process.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before: tuple[float, float] | None = None

    def measure(self) -> dict[str, int | float]:
        """What is used now, as fields of `schemas.workers.Worker`; {} where that is not known."""
        found = usage_of(self._pid)
        if found is None:
            return {}
        now, before = time.monotonic(), self._before
        self._before = now, found.cpu_s
        told: dict[str, int | float] = {"memory_bytes": found.memory_bytes, "processes": found.processes}
        if before and now > before[0]:
            # Where a child was killed, nobody may have counted its time: it is missing then.
            told["cpu_cores"] = round(max(found.cpu_s - before[1], 0.0) / (now - before[0]), 3)
        return told


def usage_of(pid: int) -> Usage | None:
    """What a process and all below it use; None where the system does not say."""
    memory = processes = 0
    ticks = 0
    pids, seen = [pid], 0
    while pids and seen < _MOST_PROCESSES:
        each = pids.pop()
        seen += 1
        try:
            folder = Path(f"/proc/{each}")
            # Behind the name, which may contain anything: state is field 3, utime field 14 (man 5 proc_pid_stat).
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            memory += int((folder / "statm").read_text().split()[1])
            ticks += int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])
            pids += _children(folder)
        except (OSError, ValueError, IndexError):
            if each == pid:
                return None
            continue  # it has ended meanwhile
        processes += 1
    return Usage(memory * os.sysconf("SC_PAGE_SIZE"), ticks / os.sysconf("SC_CLK_TCK"), processes)


def _children(folder: Path) -> list[int]:
    """Of all threads of a process: each has its own."""
    found: list[int] = []
    for thread in (folder / "task").iterdir():
        found += map(int, (thread / "children").read_text().split())
    return found
