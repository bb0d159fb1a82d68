"""Work for confined processes, and what tests ask about these."""

import os
from pathlib import Path

from support.liveness import is_alive, processes_below

LONG_TEXT = "Helena Wrenfield of Gannet Ltd paid 400 pounds on 3 May 2031 in Ellery. " * 40_000
"""A text in which it takes long to look for entities."""


def confined_processes(worker: int | None = None) -> set[int]:
    """Those of a worker, by its process id; by default those that this process has started itself."""
    found = set()
    for each in processes_below(worker or os.getpid()):
        try:
            command = Path(f"/proc/{each}/cmdline").read_bytes()
            parent = int(Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"workers.confined" in command and is_alive(each) and (worker or parent == os.getpid()):
            found.add(each)
    return found
