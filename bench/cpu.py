"""How much of a processor's time processes and servers have taken. Linux only: it reads `/proc`."""

import os
from pathlib import Path

from jobtracker.connection.client import RedisClient

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
"""In so many seconds the kernel counts, so a difference says something from about a second on."""


def of_process(pid: int) -> float:
    """The time of a process and its threads, in seconds, without its children's."""
    utime, stime = _stat(pid)[11:13]
    return (int(utime) + int(stime)) * _TICK_S


def of_children(pid: int) -> float:
    """The time of the processes that a process, any thread of it, has started and that still run, in seconds."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return sum(of_process(int(child)) for thread in threads for child in thread.read_text().split())


def of_server(client: RedisClient) -> float:
    """The time of a Redis server, in seconds."""
    used = client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def _stat(pid: int) -> list[str]:
    """What `/proc/<pid>/stat` says behind the name: the state, the parent, and more (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
