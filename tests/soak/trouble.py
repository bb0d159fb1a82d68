"""What is done to a stack meanwhile, and when."""

import contextlib
import json
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import httpx
from support.compose_stack import Stack

from soak.load import Chain, Refusal

REPLICAS = {"WORKERS": "2", "API_REPLICAS": "2"}
ENGINE, API = "engine restart", "API killed"

_BACK_S = 240
"""So long all may take to be back."""
_AROUND_S = 1.0
"""A request that is cut may have been asked so long after the process that had it was killed."""
_KILLS_EVERY_S = (60, 240)
"""Between two kills of a worker, at the least and at the most."""

# To all that this process may reach: all but the container's first one, which then ends too. The engine starts the
# container again; after `docker kill` it would not, for that counts as wanted.
_KILL_ALL = ("sh", "-c", "kill -KILL -1")

_SEND = """
import json, sys
from celery import chain
from workers.tasks.custom import checksum
for links in json.loads(sys.argv[1]):
    chain(*(checksum.si(text=text).set(task_id=job_id) for job_id, text in links)).apply_async()
"""


class Hit(NamedTuple):
    """Something that was done."""

    what: str
    begin_s: float
    """Seconds since the epoch."""
    end_s: float
    """When all was as before."""


class Trouble:
    """Does it.

    Args:
        stack: To what.
        minutes: How long it lasts.
        restart_engine: The command that restarts the engine; None: it is not restarted.
        seed: Decides which containers are hit.

    Attributes:
        hits: What was done.
        problems: What was not back in time.
    """

    def __init__(self, stack: Stack, minutes: float, restart_engine: str | None, seed: int) -> None:
        self.hits: list[Hit] = []
        self.problems: list[str] = []
        self._stack, self._minutes, self._restart_engine = stack, minutes, restart_engine
        self._dice = random.Random(seed)
        self._sources = 0

    def run(self, say: Callable[[str], None]) -> None:
        """Do all of it, each at its time. The second half has only killed workers, so that memory can be seen."""
        length_s = self._minutes * 60
        began = time.monotonic()
        every_s = min(max(length_s / 10, _KILLS_EVERY_S[0]), _KILLS_EVERY_S[1])
        plan = [(0.08, self.upgrade), (0.18, self.kill_api), (0.36, self.upgrade)]
        if self._restart_engine:
            plan.append((0.24, self.restart_engine))
        times = [(share * length_s, what) for share, what in plan]
        times += [(n * every_s, self.kill_worker) for n in range(1, int(length_s / every_s))]
        for at_s, what in sorted(times, key=lambda each: each[0]):
            time.sleep(max(began + at_s - time.monotonic(), 0))
            what()
            if self.hits:
                say(f"{self.hits[-1].what}: {self.hits[-1].end_s - self.hits[-1].begin_s:.0f} s")
        time.sleep(max(began + length_s - time.monotonic(), 0))

    def upgrade(self) -> None:
        """Replace API and workers by images with another label."""
        self._sources += 1
        with self._noted("upgrade"):
            self._stack.make("upgrade", JOBTRACKER_SOURCE=f"https://git.example/{self._sources}", **REPLICAS)

    def kill_worker(self) -> None:
        """Kill all processes of a worker's container."""
        self._kill("worker", "worker killed")

    def kill_api(self) -> None:
        """Kill all processes of one API container."""
        self._kill("api", API)

    def restart_engine(self) -> None:
        """Restart the engine, and wait until all is healthy again; requests are refused until the API answers."""
        containers = self._stack.containers()
        with self._noted(ENGINE):
            subprocess.run(str(self._restart_engine), shell=True, check=True)
            self._wait_until(self._answers, "the API does not answer after the engine's restart")
        self._wait_until(lambda: all(map(self._healthy, containers)), "not all is healthy after the engine's restart")

    def forgives(self, refusal: Refusal) -> str | None:
        """What a request was refused for, if something was done that may do that."""
        for what, begin_s, end_s in self.hits:
            if what == ENGINE and refusal.asked_s <= end_s and refusal.failed_s >= begin_s:
                return what
            if (
                what == API
                and refusal.is_cut
                and begin_s <= refusal.failed_s
                and refusal.asked_s <= end_s + _AROUND_S
            ):
                return what
        return None

    def send_chains(self, chains: list[Chain]) -> bool:
        """Send chains by plain Celery code, in a worker's container; False if it may have failed."""
        with contextlib.suppress(AssertionError, IndexError):
            container = self._dice.choice(self._stack.containers("worker"))
            self._stack.run("docker", "exec", container, "python", "-c", _SEND, json.dumps(chains))
            return True
        return False

    def _kill(self, service: str, what: str) -> None:
        container = self._dice.choice(self._stack.containers(service))
        began = self._started(container)
        begin_s = time.time()
        subprocess.run(["docker", "exec", container, *_KILL_ALL], check=False, capture_output=True)
        killed_s = time.time()

        def is_back() -> bool:
            return self._started(container) != began and self._healthy(container)

        self._wait_until(is_back, f"the container of {what} has not come back")
        # What a killed API was asked is cut at once; what comes later goes to the others.
        self.hits.append(Hit(what, begin_s, killed_s if what == API else time.time()))

    @contextlib.contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        begin_s = time.time()
        try:
            yield
        except (AssertionError, subprocess.CalledProcessError) as error:
            self.problems.append(f"{what}: {str(error)[-2000:]}")
        self.hits.append(Hit(what, begin_s, time.time()))

    def _wait_until(self, condition: Callable[[], bool], problem: str) -> None:
        until = time.monotonic() + _BACK_S
        while time.monotonic() < until:
            with contextlib.suppress(AssertionError, httpx.TransportError):
                if condition():
                    return
            time.sleep(0.5)
        self.problems.append(f"{problem} in {_BACK_S} s")

    def _started(self, container: str) -> str:
        return self._stack.run("docker", "inspect", "--format", "{{.State.StartedAt}}", container)

    def _healthy(self, container: str) -> bool:
        state = "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}"
        return self._stack.docker("inspect", "--format", state, container)[0] in {"healthy", "running"}

    def _answers(self) -> bool:
        return self._stack.http.get("/api/health").status_code == httpx.codes.OK
