"""What goes wrong, and when: a plan that the seed decides before the run, and its execution."""

import heapq
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from chaos.proxy import Mood
from chaos.stack import LEASE_LOST_S, Stack, clock_library

WEIGHTS = {
    "child": 7,
    "worker": 4,
    "stop": 2,
    "api": 2,
    "redis": 2,
    "pause": 2,
    "backend": 2,
    "proxy": 3,
    "post": 2,
    "clock": 1,
}
"""The kinds of faults, and how often each comes compared with the others."""

LABELS = {
    "child": "pool children killed",
    "worker": "workers killed",
    "stop": "workers told to end",
    "api": "API killed",
    "redis": "Redis killed",
    "pause": "workers paused beyond their lease",
    "backend": "result backend killed",
    "proxy": "times with dropped answers of Redis",
    "post": "API killed amid a large tree",
    "clock": "workers with a clock that is behind",
}
"""What reports call them."""

_FOR_S = {
    "redis": (0.1, 2.0),
    "api": (0.1, 1.5),
    "worker": (0.15, 3.0),
    "stop": (0.2, 4.0),
    "pause": (LEASE_LOST_S + 0.5, LEASE_LOST_S + 2.5),
    "backend": (0.5, LEASE_LOST_S + 5),
    "proxy": (0.3, 2.0),
    "post": (0.02, 0.8),
    "clock": (6.0, 12.0),
}
"""How long each lasts, at least and at most; of a post until the API is killed."""

_DOWN_AFTER_POST_S = 1.0
_BAD_WAY = {"drops": 0.2, "refuses": 0.2, "delays_s": 0.05}

_QUIET_S = 2.0
"""At the beginning, so that there is something to lose."""


_NOTICED_AFTER_S = 1.0

_COLD_BELOW_S = 1.5
"""A worker that is given less time than this is told to end at once."""


class Fault(NamedTuple):
    """Something that goes wrong."""

    at_s: float
    """Seconds after the beginning."""
    kind: str
    """child: a pool child is killed | worker, api, redis, backend: all of it is, and is started again after a while |
    stop: a worker is told to end, and is killed where it has not done so | pause: a worker stands still for longer
    than its lease | proxy: requests to the tracking Redis are executed and not answered | post: the API is killed
    while it is asked for a large tree | clock: a worker is started again with a clock that is behind."""
    whom: float
    """Which of those that there are, from 0 to 1."""
    for_s: float
    """How long it lasts."""


def plan(seed: int, seconds: float, every_s: float, kinds: Sequence[str]) -> list[Fault]:
    """The faults of a run: the same for the same arguments.

    Args:
        seed: Decides.
        seconds: How long the trouble lasts.
        every_s: About how much time lies between two faults.
        kinds: Which there are.
    """
    dice = random.Random(seed)
    faults, at_s = [], _QUIET_S
    while kinds and (at_s := at_s + dice.expovariate(1 / every_s)) < seconds:
        kind = dice.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        shortest_s, longest_s = _FOR_S.get(kind, (0.0, 0.0))
        for_s = dice.uniform(shortest_s, longest_s)
        faults.append(Fault(round(at_s, 2), kind, dice.random(), round(for_s, 2)))
    return faults


class Trouble:
    """Makes trouble by a plan.

    Args:
        stack: For whom.
        faults: The plan.
        post_large: Asks the API for a large tree, and returns at once.
    """

    def __init__(self, stack: Stack, faults: Sequence[Fault], post_large: Callable[[], object]) -> None:
        self.made: Counter[str] = Counter()
        """How many faults of each kind there were; where there was nothing to hit, there was none."""
        self._stack = stack
        self._post_large = post_large
        self._began_s = time.monotonic()
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        for fault in faults:
            self._at(fault.at_s, lambda fault=fault: self._make(fault))  # type: ignore[misc]

    def step(self) -> None:
        """Do what is due."""
        while self._due and self._due[0][0] <= time.monotonic() - self._began_s:
            heapq.heappop(self._due)[2]()

    def _at(self, at_s: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._due, (at_s, next(self._numbers), do))

    def _make(self, fault: Fault) -> None:
        if getattr(self, f"_hit_{fault.kind}")(fault):
            self.made[fault.kind] += 1

    def _afterwards(self, fault: Fault, do: Callable[[], object]) -> None:
        self._at(time.monotonic() - self._began_s + fault.for_s, do)

    def _hit_child(self, fault: Fault) -> bool:
        children = [(worker, pid) for worker in self._stack.workers if worker.is_up for pid in worker.children()]
        if children:
            worker, pid = children[int(fault.whom * len(children))]
            worker.kill_child(pid)
        return bool(children)

    def _hit_worker(self, fault: Fault) -> bool:
        worker = self._stack.workers[int(fault.whom * len(self._stack.workers))]
        was_up = worker.is_up
        worker.kill()
        self._afterwards(fault, worker.start)
        return was_up

    def _hit_stop(self, fault: Fault) -> bool:
        worker = self._stack.workers[int(fault.whom * len(self._stack.workers))]
        was_up = worker.is_up
        worker.tell_to_end(signal.SIGTERM if fault.for_s > _COLD_BELOW_S else signal.SIGQUIT)

        def start_again() -> None:
            worker.kill()
            worker.start()

        self._afterwards(fault, start_again)
        return was_up

    def _hit_api(self, fault: Fault) -> bool:
        api = self._stack.api
        was_up = api.is_up
        api.kill()
        self._afterwards(fault, api.start)
        return was_up

    def _hit_redis(self, fault: Fault) -> bool:
        return self._hit_server(self._stack.servers[int(fault.whom * len(self._stack.servers))], fault)

    def _hit_backend(self, fault: Fault) -> bool:
        hit = self._hit_server("backend", fault)
        # A threads worker of Celery's fetches no more messages after that, tracked or not: somebody has to notice.
        for worker in self._stack.threads_workers:
            self._afterwards(fault, worker.kill)
            self._afterwards(fault._replace(for_s=fault.for_s + _NOTICED_AFTER_S), worker.start)
        return hit

    def _hit_server(self, name: str, fault: Fault) -> bool:
        self._stack.kill_server(name)
        self._afterwards(fault, lambda: self._stack.start_server(name))
        return True

    def _hit_proxy(self, fault: Fault) -> bool:
        self._stack.disturb_way(Mood(for_s=fault.for_s, **_BAD_WAY))
        return True

    def _hit_post(self, fault: Fault) -> bool:
        api = self._stack.api
        if not api.is_up:
            return False
        self._post_large()
        self._afterwards(fault, api.kill)
        self._afterwards(fault._replace(for_s=fault.for_s + _DOWN_AFTER_POST_S), api.start)
        return True

    def _hit_clock(self, fault: Fault) -> bool:
        if clock_library() is None:
            return False
        worker = self._stack.workers[int(fault.whom * len(self._stack.workers))]
        self._stack.turn_back_clock(worker)
        self._afterwards(fault, lambda: self._stack.set_clock_right(worker))
        return True

    def _hit_pause(self, fault: Fault) -> bool:
        worker = self._stack.workers[int(fault.whom * len(self._stack.workers))]
        worker.pause()
        self._afterwards(fault, worker.resume)
        return worker.is_up
