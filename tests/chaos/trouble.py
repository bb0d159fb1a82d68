"""What goes wrong, and when: a plan that the seed decides before the run, and its execution."""

import heapq
import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from chaos.stack import LEASE_LOST_S, Stack

WEIGHTS = {"child": 8, "worker": 4, "stop": 2, "api": 3, "redis": 2, "pause": 2}
"""The kinds of faults, and how often each comes compared with the others."""

LABELS = {
    "child": "pool children killed",
    "worker": "workers killed",
    "stop": "workers told to end",
    "api": "API killed",
    "redis": "Redis killed",
    "pause": "workers paused beyond their lease",
}
"""What reports call them."""

_QUIET_S = 2.0
"""At the beginning, so that there is something to lose."""


_COLD_BELOW_S = 1.5
"""A worker that is given less time than this is told to end at once."""


class Fault(NamedTuple):
    """Something that goes wrong."""

    at_s: float
    """Seconds after the beginning."""
    kind: str
    """child: a pool child is killed | worker, api, redis: all of it is, and is started again after a while | stop: a
    worker is told to end, and is killed where it has not done so | pause: a worker stands still for longer than its
    lease."""
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
        longest_s = {"redis": 2.0, "api": 1.5, "worker": 3.0, "stop": 4.0}.get(kind, 0.0)
        for_s = LEASE_LOST_S + dice.uniform(0.5, 2.5) if kind == "pause" else dice.uniform(0.05, 1) * longest_s
        faults.append(Fault(round(at_s, 2), kind, dice.random(), round(for_s, 2)))
    return faults


class Trouble:
    """Makes trouble by a plan.

    Args:
        stack: For whom.
        faults: The plan.
    """

    def __init__(self, stack: Stack, faults: Sequence[Fault]) -> None:
        self.made: Counter[str] = Counter()
        """How many faults of each kind there were; where there was nothing to hit, there was none."""
        self._stack = stack
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
        children = [pid for worker in self._stack.workers if worker.is_up for pid in worker.children()]
        if children:
            with suppress(ProcessLookupError):
                os.kill(children[int(fault.whom * len(children))], signal.SIGKILL)
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
        number = int(fault.whom * self._stack.servers)
        self._stack.kill_server(number)
        self._afterwards(fault, lambda: self._stack.start_server(number))
        return True

    def _hit_pause(self, fault: Fault) -> bool:
        worker = self._stack.workers[int(fault.whom * len(self._stack.workers))]
        worker.pause()
        self._afterwards(fault, worker.resume)
        return worker.is_up
