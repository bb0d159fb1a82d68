"""How much memory each process takes, over time."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence, Sized
from typing import NamedTuple

from support.compose_stack import Stack

EVERY_S = 10


class Sample(NamedTuple):
    """What a process took at a time."""

    at_s: float
    role: str
    process: str
    """Its container and its pid."""
    mb: float


class Slope(NamedTuple):
    """How the memory of a role's processes grew."""

    role: str
    processes: int
    """How many lived for long enough."""
    hours: float
    """That were looked at, of all of them together."""
    last_mb: float
    """The median of what each had in the end."""
    most_mb: float
    mb_per_hour: float
    error_mb_per_hour: float
    """The standard error of that."""


class Memory(threading.Thread):
    """Samples all processes of a stack, and the memory of its Redis, until it is told to stop.

    Attributes:
        samples: Of the processes.
        redis: When, how much memory Redis said it uses, and how many jobs there were, by `jobs`.
        done: Set it to end.
    """

    def __init__(self, stack: Stack, jobs: Sized) -> None:
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self.redis: list[tuple[float, float, int]] = []
        self.done = threading.Event()
        self._stack, self._jobs = stack, jobs

    def run(self) -> None:
        while not self.done.wait(EVERY_S):
            try:
                self._sample()
            except AssertionError:  # a container went meanwhile, or the engine is away
                continue

    def _sample(self) -> None:
        mine = f"label=com.docker.compose.project={self._stack.name}"
        service = '{{.ID}} {{.Label "com.docker.compose.service"}}'
        running = self._stack.run("docker", "ps", "--filter", mine, "--format", service).splitlines()
        for line in running:
            container, _, name = line.partition(" ")
            at_s = time.time()
            try:
                table = self._stack.run("docker", "top", container, "-eo", "pid,rss,args").splitlines()[1:]
                if name == "redis":
                    said = self._stack.run("docker", "exec", container, "redis-cli", "info", "memory")
                    used = dict(each.split(":", 1) for each in said.split() if ":" in each)["used_memory"]
                    self.redis.append((at_s, int(used), len(self._jobs)))
            except AssertionError:
                continue
            for row in table:
                pid, rss_kb, arguments = row.split(maxsplit=2)
                if role := role_of(name, arguments):
                    self.samples.append(Sample(at_s, role, f"{container} {pid}", int(rss_kb) / 1024))


def role_of(service: str, arguments: str) -> str | None:
    """What a process is in its service; None for those that live for a moment, or are the engine's."""
    if "docker-init" in arguments or "tini" in arguments:
        return None
    for part, role in _ROLES.get(service, ()):
        if part in arguments:
            return f"{service}: {role}"
    return None


_ROLES: dict[str, Sequence[tuple[str, str]]] = {
    "api": [("api.main", "the process")],
    "listener": [("listener.py", "the process")],
    "redis": [("redis-server", "the process")],
    "worker": [
        ("workers.watchdog", "watchdog"),
        ("workers.confined", "confined process"),
        ("-m workers --", "Celery"),
    ],
}
"""What is in the arguments of each process of a service, and what it is called."""


def slopes(samples: Sequence[Sample], warm_up_s: float, least_s: float) -> list[Slope]:
    """How much each role grows in an hour, after a warm-up of each process.

    One line for all processes of a role, each with a level of its own: a process that was replaced counts too.

    Args:
        samples: What was seen.
        warm_up_s: What is left out of each process's beginning.
        least_s: Processes that lived for less than this after it are left out.
    """
    by_role: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        by_role[sample.role][sample.process].append(sample)
    return [_slope(role, processes, warm_up_s, least_s) for role, processes in sorted(by_role.items())]


def _slope(role: str, processes: dict[str, list[Sample]], warm_up_s: float, least_s: float) -> Slope:
    points: list[tuple[float, float]] = []
    lived, hours = 0, 0.0
    for each in processes.values():
        kept = [sample for sample in each if sample.at_s >= each[0].at_s + warm_up_s]
        if not kept or kept[-1].at_s - kept[0].at_s < least_s:
            continue
        lived += 1
        hours += (kept[-1].at_s - kept[0].at_s) / 3600
        middle = sum(sample.at_s for sample in kept) / len(kept), sum(sample.mb for sample in kept) / len(kept)
        points += [((sample.at_s - middle[0]) / 3600, sample.mb - middle[1]) for sample in kept]
    spread = sum(x * x for x, _ in points)
    slope = sum(x * y for x, y in points) / spread if spread else 0.0
    freedom = len(points) - lived - 1
    left = sum((y - slope * x) ** 2 for x, y in points)
    error = (left / freedom / spread) ** 0.5 if spread and freedom > 0 else 0.0
    last = sorted(each[-1].mb for each in processes.values())
    most = max(sample.mb for each in processes.values() for sample in each)
    return Slope(role, lived, hours, last[len(last) // 2], most, slope, error)


def bytes_per_job(redis: Sequence[tuple[float, float, int]]) -> float:
    """How much Redis's memory grew with each job, by linear regression."""
    if len({jobs for _, _, jobs in redis}) < 2:
        return 0.0
    mean_used = sum(used for _, used, _ in redis) / len(redis)
    mean_jobs = sum(jobs for _, _, jobs in redis) / len(redis)
    spread = sum((jobs - mean_jobs) ** 2 for _, _, jobs in redis)
    return sum((jobs - mean_jobs) * (used - mean_used) for _, used, jobs in redis) / spread
