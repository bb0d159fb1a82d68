"""What is sent, what is done to the workers meanwhile, and what has become of it in the end."""

import itertools
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from celery import Signature, chain, chord, states
from celery.result import AsyncResult

from jobtracker.local.child_process import ChildProcess
from jobtracker.store.schema import JobRecord
from parity import application as project

app = project.app

LEASE_LOST_S = 2.0
"""Of the tracker, where it is attached: what waits in this workload waits longer."""
LOOK_S = 0.5
"""So often it looks."""
_BEYOND_LEASE_S = LEASE_LOST_S + 3 * LOOK_S
_PATIENCE_S = 45.0


class Kind(NamedTuple):
    """How a worker is started."""

    pool: str
    prefetch: int
    slots: tuple[str, ...]
    queues: str


def kinds(pool: str) -> dict[str, Kind]:
    """The workers by their names. `pool` is that of the one whose tasks wait for their turn in its own process."""
    return {
        "zero": Kind(pool, 0, ("-c", "2"), "zero"),
        "one": Kind("prefork", 1, ("--autoscale=3,1",), "one,paused"),
        "four": Kind("prefork", 4, ("-c", "2"), "four"),
    }


@dataclass
class Outcome:
    """What became of a side.

    Attributes:
        executions: How often each task was executed, by its key.
        states: What Celery says of it in the end.
        results: What it returned.
        statuses: What the tracker says of it, where it is attached.
    """

    executions: dict[str, int]
    states: dict[str, str]
    results: dict[str, Any]
    statuses: dict[str, str] = field(default_factory=dict)


class Side:
    """One run of the workload.

    Args:
        folder: For the workers' logs.
        pool: As for `kinds`.
        seed: Decides the priorities.
    """

    def __init__(self, folder: Path, pool: str, seed: int) -> None:
        self._folder = folder
        self._kinds = kinds(pool)
        self._dice = random.Random(seed)
        self._workers: dict[str, ChildProcess] = {}
        self._starts = itertools.count()
        self._sent: dict[str, AsyncResult] = {}
        self._expected: Counter[str] = Counter()

    def run(self) -> Outcome:
        """Send everything, pause and restart workers, and wait until nothing more can come of it."""
        with ExitStack() as endings:
            endings.callback(lambda: [worker.stop() for worker in self._workers.values()])
            for name in self._kinds:
                self._start(name)
            for name in self._kinds:
                self._wait_until_ready(name)
            app.control.cancel_consumer("paused", destination=["one@parity"], reply=True)
            self._send_to_zero()
            self._send_to_four()
            self._send_to_one()
            self._send_to_paused()
            began = time.monotonic()
            self._restart_four()
            time.sleep(max(0.0, began + _BEYOND_LEASE_S - time.monotonic()))
            app.control.add_consumer("paused", destination=["one@parity"], reply=True)
            self._wait()
            return self._outcome()

    # -- what is sent: each waits in a place of its own --------------------------------------------------------------

    def _send(self, key: str, task: Any, *args: Any, executions: int = 1, **options: Any) -> None:
        self._add(key, task.apply_async((key, *args), **options), executions)

    def _add(self, key: str, result: AsyncResult, executions: int = 1) -> None:
        self._sent[key] = result
        if executions:
            self._expected[key] = executions

    def _send_to_zero(self) -> None:
        """All is fetched at once: it waits for tokens, for its time, for a free slot."""
        for number in range(10):
            self._send(f"rate limit {number}", project.limited, queue="zero")
            self._send(f"rate limit late {number}", project.limited_late, queue="zero")
        self._send("expired while it waits for a token", project.limited, queue="zero", expires=3, executions=0)
        for number in range(3):
            task = project.late if number % 2 else project.early
            self._send(f"countdown {number}", task, queue="zero", countdown=_BEYOND_LEASE_S + number / 2)
        for number in range(14):
            task = project.late if number % 2 else project.early
            self._send(f"backlog {number}", task, 0.5, queue="zero")

    def _send_to_one(self) -> None:
        """The pool grows and shrinks, and all but a few messages wait at the broker."""
        for number in range(10):
            task = project.late if number % 2 else project.early
            self._send(f"priority {number}", task, 0.4, queue="one", priority=self._dice.choice((0, 3, 6, 9)))
        self._send("expires in time", project.early, queue="one", expires=60)
        self._send("fails", project.failing, queue="one")
        self._send("is retried", project.retried, 2, queue="one", executions=3)
        links = [project.early.s("chain 0", 0.1), project.link.s("chain 1"), project.link.s("chain 2")]
        last: AsyncResult | None = chain(self._to_one(*links), app=app).apply_async(queue="one")
        for number in reversed(range(3)):
            assert last is not None
            self._add(f"chain {number}", last)
            last = last.parent
        header = self._to_one(*(project.late.s(f"chord {number}", 0.2) for number in range(3)))
        body = chord(header, app=app)(project.collect.s("chord body").set(queue="one"))
        self._add("chord body", body)
        for number, result in enumerate(body.parent.results):
            self._add(f"chord {number}", result)

    @staticmethod
    def _to_one(*signatures: Signature) -> list[Signature]:
        return [signature.set(queue="one") for signature in signatures]

    def _send_to_paused(self) -> None:
        """Nobody consumes it for longer than a lease."""
        for number in range(4):
            self._send(f"paused consumer {number}", project.late if number % 2 else project.early, queue="paused")
        self._send("expired while nobody consumes", project.early, queue="paused", expires=1, executions=0)

    def _send_to_four(self) -> None:
        """Its worker is told to end when it has fetched all of them and begun two."""
        for number in range(4):
            task = project.late if number % 2 else project.early
            self._send(f"shutdown {number}", task, 1.2, queue="four")
        self._send("shutdown rate limit 0", project.limited, queue="four")
        self._send("shutdown rate limit 1", project.limited_late, queue="four")
        self._send("shutdown countdown", project.early, queue="four", countdown=2 * _BEYOND_LEASE_S)

    # -- what is done to the workers ---------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        kind = self._kinds[name]
        options = ["-P", kind.pool, *kind.slots, "-Q", kind.queues, "-n", f"{name}@parity", "--loglevel", "INFO"]
        options += ["--without-mingle", "--without-gossip", "--without-heartbeat"]
        worker = ChildProcess(
            name,
            [sys.executable, "-m", "parity.worker", *options],
            log_path=self._folder / f"{name}.{next(self._starts)}.log",
            env={**os.environ, project.PREFETCH_VARIABLE: str(kind.prefetch)},  # the option takes 0 for not given
            stop_steps=[],
        )
        worker.start()
        self._workers[name] = worker

    def _wait_until_ready(self, name: str) -> None:
        worker = self._workers[name]
        worker.wait_until_ready(lambda: f"{name}@parity ready." in worker.log_path.read_text(), timeout_s=_PATIENCE_S)

    def _restart_four(self) -> None:
        """A warm shutdown with messages that were fetched and not begun; nobody is there for longer than a lease."""
        begun = {f"shutdown {number}" for number in range(4)}
        self._until(lambda: sum(key in begun for key in self._journal()) >= 2)
        worker = self._workers["four"]
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGTERM)
        self._until(lambda: worker.exit_status() is not None)
        ended = time.monotonic()
        time.sleep(max(0.0, ended + _BEYOND_LEASE_S - time.monotonic()))
        self._start("four")
        self._wait_until_ready("four")

    # -- the end -----------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Until all has been executed, or never will be; and for so long after that as a second time would take."""
        self._until(lambda: not self._expected - Counter(self._journal()), may_fail=True)
        self._until(
            lambda: all(self._sent[key].state in states.READY_STATES for key in self._expected), may_fail=True
        )
        time.sleep(_BEYOND_LEASE_S)

    def _outcome(self) -> Outcome:
        found = Outcome(
            executions=dict(Counter(self._journal())),
            states={key: result.state for key, result in self._sent.items()},
            results={key: result.result for key, result in self._sent.items() if result.successful()},
        )
        if project.side["tracking"]:
            from jobtracker import Tracker

            tracker = Tracker.of(app)
            assert tracker is not None
            queries = tracker.tracking.queries
            found.statuses = {key: str(queries.field(each.id, JobRecord.status)) for key, each in self._sent.items()}
        return found

    def expected(self) -> dict[str, int]:
        """How often each task is executed where nothing is lost and nothing is sent again."""
        return dict(self._expected)

    def _journal(self) -> Iterator[str]:
        path = Path(project.side["journal"])
        return iter(path.read_text().splitlines() if path.exists() else [])

    @staticmethod
    def _until(condition: Any, *, may_fail: bool = False) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                if may_fail:
                    return
                raise TimeoutError("It did not come true in time.")
            time.sleep(0.05)


def run(folder: Path, pool: str, seed: int) -> dict[str, Any]:
    """One side; returns what became of it, and what is expected."""
    side = Side(folder, pool, seed)
    outcome = side.run()
    return {**asdict(outcome), "expected": side.expected()}
