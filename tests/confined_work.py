"""Work for confined processes, and what tests ask about these."""

import os
from pathlib import Path

from liveness import is_alive, processes_below

LONG_TEXT = "Helena Wrenfield of Gannet Ltd paid 400 pounds on 3 May 2031 in Ellery. " * 40_000
"""A text in which it takes long to look for entities."""


def confined_processes(pid: int | None = None) -> set[int]:
    """Those below a process, by default below this one."""
    found = set()
    for each in processes_below(pid or os.getpid()):
        command = Path(f"/proc/{each}/cmdline")
        if command.exists() and b"workers.confined" in command.read_bytes() and is_alive(each):
            found.add(each)
    return found
