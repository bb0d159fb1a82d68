"""Parents with many sub-jobs that do nothing, created and started over the API, beside plain Celery chords of them.

A worker of each, idle until then, works them off in turns, on one server. A plain chord is sent by a process of its
own, a tree by the API or, where it is large, by the worker. A tree is accepted when the answer begins, with its id
(the answer is the whole tree); dispatched when the last sub-job is with the broker; finished when its parent has
completed, as a chord is when its body has. Then the first page of its sub-jobs, and the whole tree, are asked for.
Of a processor's time is counted what the sender, the worker and its children, and the server have taken until then.
A chain and a group are sent by plain Celery code on both sides. `held` is the longest call of ours: as long as that
takes, the server serves nobody else.
"""

import contextlib
import functools
import http.client
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from redis import Redis

from bench import cpu
from jobtracker.connection.client import RedisClient, connect
from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port
from jobtracker.store.keys import Keys
from jobtracker.store.records import fetch

ROOT = Path(__file__).resolve().parent.parent
TITLE = "parents with many sub-jobs, and a tree 6 deep"
SIZE = 10_000
SIZES = (10, 100, 1000)
"""Smaller ones that are measured too."""
CHILDREN, LEVELS = 4, 5
"""Of a deep tree: sub-jobs of each parent, and levels of them; fewer where the size is small."""
CHAIN_SHARE = 10
"""A chain has this part of the size: each message of it holds what is left of the chain."""
PAGES = 30
_HELD_US = 500
"""Calls that take longer are in the server's slow log."""
CONCURRENCY = 2
NOOP = {"job_type": "bench.noop"}


def run(size: int, rounds: int) -> dict[str, Any]:
    """Measure; times in seconds, those of pages in milliseconds, `ratio` to the plain chord's time to finish."""
    sizes = sorted({*(each for each in SIZES if each < size), size})
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(EmbeddedRedis(Path(folder), config={"slowlog-log-slower-than": str(_HELD_US)}))
        plain = Plain(server, Path(folder), stack)
        tracked = Tracked(server, Path(folder), stack)
        sides: list[Plain | Tracked] = [plain, tracked]
        for each in sides:
            each.measure(10)
        measured: dict[str, list[dict[str, float]]] = {}
        for number in range(rounds):
            for jobs in sizes:
                found = {type(each): each.measure(jobs) for each in (sides if number % 2 else reversed(sides))}
                measured.setdefault(str(jobs), []).append(_compared(found[Tracked], found[Plain]))
            for shape, jobs in (("chain", math.ceil(size / CHAIN_SHARE)), ("group", size)):
                both = {type(each): each.sent(shape, jobs) for each in (sides if number % 2 else reversed(sides))}
                measured.setdefault(f"{shape} of {jobs}", []).append(_compared(both[Tracked], both[Plain]))
            measured.setdefault("deep", []).append(tracked.measure_deep(size))
    return {
        name: {what: round(statistics.median(each[what] for each in found), 3) for what in found[0]}
        for name, found in measured.items()
    }


def _compared(ours: dict[str, float], plain: dict[str, float]) -> dict[str, float]:
    ratio = ours["finished_s"] / plain["finished_s"]
    return ours | {f"plain_{name}": value for name, value in plain.items()} | {"ratio": ratio}


def rows(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    names = {
        "jobs": "jobs",
        "sent_s": "sent s",
        "accepted_s": "accepted s",
        "answered_s": "answered s",
        "dispatched_s": "dispatched s",
        "finished_s": "finished s",
        "plain_sent_s": "chord sent s",
        "plain_finished_s": "chord finished s",
        "ratio": "ratio",
        "cpu_us": "CPU µs a job",
        "plain_cpu_us": "chord's",
        "held_ms": "held ms",
        "page_p50_ms": "page p50 ms",
        "page_p95_ms": "p95",
        "tree_s": "whole tree s",
        "tree_mb": "MB",
    }
    body = [
        (size, *(f"{found[name]:.3g}" if name in found else "" for name in list(names)[1:]))
        for size, found in figures.items()
    ]
    return [tuple(names.values()), *body]


class Plain:
    """A Celery project that is not tracked."""

    def __init__(self, server: EmbeddedRedis, folder: Path, stack: contextlib.ExitStack) -> None:
        self._environ = _environ(server, "plain", 1)
        self._results = stack.enter_context(Redis(port=server.port, db=1))
        self._worker = stack.enter_context(_worker(self._environ, folder))

    def measure(self, jobs: int) -> dict[str, float]:
        """Send a chord and wait until its body has run; until it was sent, and that."""
        return self.sent("chord", jobs)

    def sent(self, shape: str, jobs: int) -> dict[str, float]:
        """Send a shape of `bench.chords` by plain Celery code, and wait until all of it has run."""
        return _sent(shape, jobs, self._environ, self._results, self._worker)


class Tracked:
    """The same, tracked, with an API."""

    def __init__(self, server: EmbeddedRedis, folder: Path, stack: contextlib.ExitStack) -> None:
        environ = self._environ = _environ(server, "tracked", 3)
        self._results = stack.enter_context(Redis(port=server.port, db=3))
        self._port = free_port()
        self._client = stack.enter_context(connect(f"redis://127.0.0.1:{server.port}/2", 10))
        [self._keys] = Keys("bench").parts
        self._worker = stack.enter_context(_worker(environ, folder))
        _wait(lambda: bool(self._client.exists(self._keys("leases"))))
        environ = {**environ, "API_PORT": str(self._port)}
        self._api = stack.enter_context(_process("api", ["-m", "api.main"], environ, folder))
        _wait(self._answers)

    def measure(self, jobs: int) -> dict[str, float]:
        """Create and start a parent with so many sub-jobs, wait until it has completed, and look at it."""
        tree = {"job_type": "bench.collect", "sub_jobs": [NOOP] * jobs, "start": True}
        spent, api_s = _Spent(self._client, self._worker), cpu.of_process(self._api)
        self._client.slowlog_reset()
        root, found = self._submit(tree)
        found |= spent.each(jobs, sender_s=cpu.of_process(self._api) - api_s) | {"held_ms": self._held_ms()}
        pages = sorted(self._timed(f"/api/jobs/?parent={root}&page_size=100")[0] for _ in range(PAGES))
        found |= {"page_p50_ms": pages[PAGES // 2] * 1000, "page_p95_ms": pages[PAGES * 95 // 100] * 1000}
        found["tree_s"], body = self._timed(f"/api/jobs/{root}/with-subjobs")
        return {**found, "tree_mb": len(body) / 1e6}

    def sent(self, shape: str, jobs: int) -> dict[str, float]:
        """As `Plain.sent`; until all of it is recorded as completed too."""
        self._client.slowlog_reset()
        found = _sent(shape, jobs, self._environ, self._results, self._worker)
        return found | {"held_ms": self._held_ms()}

    def _held_ms(self) -> float:
        """How long our longest call took since the server's slow log was emptied; 0 if it is not in there."""
        calls = [each for each in self._results.slowlog_get(128) if each["command"].startswith(b"FCALL")]
        return max((each["duration"] / 1000 for each in calls), default=0.0)

    def measure_deep(self, size: int) -> dict[str, float]:
        """The same of a tree that is six deep, of fewer jobs than `size`."""
        children = CHILDREN if size > CHILDREN**LEVELS else 1
        tree: dict[str, Any] = NOOP
        for _ in range(LEVELS):
            tree = {"job_type": "bench.collect", "sub_jobs": [tree] * children}
        return self._submit({**tree, "start": True})[1]

    @property
    def url(self) -> str:
        """The address of the API, and of the page."""
        return f"http://127.0.0.1:{self._port}"

    def finished(self, width: int) -> str:
        """The id of the root of a tree whose jobs have all completed: `width` squared of them, on three levels."""
        groups = [{"job_type": "bench.collect", "sub_jobs": [NOOP] * width}] * (width - 1)
        return self._submit({"job_type": "bench.collect", "sub_jobs": groups, "start": True})[0]

    def _submit(self, tree: dict[str, Any]) -> tuple[str, dict[str, float]]:
        body = json.dumps(tree).encode()
        began = time.perf_counter()
        with self._answer("POST", "/api/jobs/with-subjobs", body) as answer:
            found = {"accepted_s": time.perf_counter() - began}
            root = json.loads(answer.read())["id"]
        found["answered_s"] = time.perf_counter() - began
        _wait(lambda: not self._client.exists(self._keys("unsent"), self._keys("unconfirmed")))
        found["dispatched_s"] = time.perf_counter() - began
        _wait(lambda: fetch(self._client, Keys("bench"), [root])[0].status == "completed")
        found["finished_s"] = time.perf_counter() - began
        return root, found

    def _timed(self, path: str) -> tuple[float, bytes]:
        began = time.perf_counter()
        body = self._ask("GET", path)
        return time.perf_counter() - began, body

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        with self._answer(method, path, body) as answer:
            return answer.read()

    @contextlib.contextmanager
    def _answer(self, method: str, path: str, body: bytes | None) -> Iterator[http.client.HTTPResponse]:
        """An answer that has begun."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {answer.read()[:500]!r}")
            yield answer

    def _answers(self) -> bool:
        try:
            return bool(self._ask("GET", "/api/health"))
        except OSError:
            return False


def _sent(shape: str, jobs: int, environ: dict[str, str], results: "Redis", worker: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.chords", shape, str(jobs)]
    spent = _Spent(results, worker)
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        sent = json.loads(process.stdout.readline())
        for each in reversed(sent["ids"]):  # the last ones come last, more or less
            _wait(functools.partial(_is_stored, results, each))
        found = {"sent_s": sent["sent_s"], "finished_s": time.time() - sent["began_at"]}
    return found | spent.each(jobs, sender_s=sent["cpu_s"])


def _is_stored(results: "Redis", task_id: str) -> bool:
    return bool(results.exists(f"celery-task-meta-{task_id}"))


class _Spent:
    """What is taken of a processor's time from now on, by a worker and the server."""

    def __init__(self, client: RedisClient, worker: int) -> None:
        self._each: dict[str, Callable[[], float]] = {
            "main": lambda: cpu.of_process(worker),
            "children": lambda: cpu.of_children(worker),
            "server": lambda: cpu.of_server(client),
        }
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        return {name: read() for name, read in self._each.items()}

    def each(self, jobs: int, *, sender_s: float) -> dict[str, float]:
        """So far, in microseconds for each job; the sender's is told."""
        spent = {name: now - self._before[name] for name, now in self._now().items()} | {"sender": sender_s}
        figures = {f"cpu_{name}_us": of / jobs * 1e6 for name, of in spent.items()}
        return {"cpu_us": sum(figures.values()), **figures}


def _environ(server: EmbeddedRedis, variant: str, database: int) -> dict[str, str]:
    url = f"redis://127.0.0.1:{server.port}"
    own = {
        "BENCH_VARIANT": variant,
        "BENCH_CELERY_URL": f"{url}/{database}",
        "REDIS_URL": url,
        "REDIS_DB": "2",
        "TRACKING_NAMESPACE": "bench",
        "CELERY_BROKER_URL": f"{url}/{database}",
        "CELERY_RESULT_BACKEND": f"{url}/{database}",
        "API_HOST": "127.0.0.1",
    }
    return {**os.environ, **own}


@contextlib.contextmanager
def _worker(environ: dict[str, str], folder: Path) -> Iterator[int]:
    command = ["-m", "celery", "-A", "bench.noop", "worker", "-P", "prefork", "-c", str(CONCURRENCY)]
    command += ["-l", "ERROR", "--without-gossip", "--without-mingle"]
    with _process(environ["BENCH_VARIANT"], command, environ, folder) as pid:
        yield pid


@contextlib.contextmanager
def _process(name: str, command: list[str], environ: dict[str, str], folder: Path) -> Iterator[int]:
    process = ChildProcess(
        name, [sys.executable, *command], log_path=folder / f"{name}.log", cwd=ROOT, env=environ, stop_steps=[]
    )
    process.start()
    assert process.pid is not None
    try:
        yield process.pid
    finally:
        process.stop()


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + 600
    while not condition():
        if time.perf_counter() > deadline:
            raise TimeoutError("it did not come to its end within ten minutes")
        time.sleep(0.002)
