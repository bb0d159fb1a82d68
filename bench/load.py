"""How much an API of one process and of two can answer, while a worker does the jobs that are created.

Sixteen clients ask as fast as they are answered: that is the most it can do. Then requests come at 70 % of that rate,
each at its own time, with and without those that create jobs. A process of its own asks (`bench/asking.py`), on the
same machine as API, server and worker.

What a machine can do changes from one second to the next, and the rate follows from what it could do just before: so
both are measured in short turns, many of them.
"""

import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.asking import JOB_TYPE
from bench.filling import Plan, fill
from bench.serving import ROOT, Connection, serving_api
from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.store.keys import Keys

TITLE = "requests per second of a mixed load, and their latency at 70 % of the most; so many requests are made"
SIZE = 5000
PROCESSES = (1, 2)
SHARE = 0.7
CREATES = 10
"""Beside ninety requests that read."""
TURNS = 5
"""In each round: so many parts of the requests."""
_JOBS_OF_EACH_REQUEST = 4

Figures = dict[str, dict[str, float]]


def run(requests: int, rounds: int) -> Figures:
    """Measure; by the number of processes the rate per second, latencies in milliseconds, answers that are no 2xx."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(EmbeddedRedis(folder / "redis", config={"appendonly": "no"}))
        ids = folder / "ids"
        ids.write_text("\n".join(fill(server.port, Keys("load"), Plan(jobs=requests * _JOBS_OF_EACH_REQUEST))))
        apis = {n: stack.enter_context(serving_api(server, "load", folder, processes=n)) for n in PROCESSES}
        stack.enter_context(_worker(server, apis[1], folder))
        each = math.ceil(requests / TURNS)
        measured = [{n: _measure(api, each, ids) for n, api in apis.items()} for _ in range(rounds * TURNS)]
    return {
        str(n): {name: round(statistics.median(found[n][name] for found in measured), 2) for name in measured[0][n]}
        for n in PROCESSES
    }


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    head = (
        "API processes",
        "most per second",
        "at 70 %: p50, ms",
        "p99, ms",
        "p99 / p50",
        "reads alone: p50, ms",
        "their p99, ms",
        "their p99 / p50",
        "not 2xx",
    )
    body = [
        (
            processes,
            f"{found['most_per_second']:,.0f}",
            f"{found['p50_ms']:.1f}",
            f"{found['p99_ms']:.1f}",
            f"{found['p99_to_p50']:.1f}",
            f"{found['reads_p50_ms']:.1f}",
            f"{found['reads_p99_ms']:.1f}",
            f"{found['reads_p99_to_p50']:.1f}",
            f"{found['not_2xx']:.0f}",
        )
        for processes, found in figures.items()
    ]
    return [head, *body]


def _measure(api: Connection, requests: int, ids: Path) -> dict[str, float]:
    most = _ask(api.port, requests, 0, ids)
    steady = _ask(api.port, requests, SHARE * most["per_second"], ids)
    reads = _ask(api.port, requests, SHARE * most["per_second"], ids, creates=0)
    return {
        "most_per_second": most["per_second"],
        "p50_ms": steady["p50_ms"],
        "p99_ms": steady["p99_ms"],
        "p99_to_p50": steady["p99_ms"] / steady["p50_ms"],
        "reads_p50_ms": reads["p50_ms"],
        "reads_p99_ms": reads["p99_ms"],
        "reads_p99_to_p50": reads["p99_ms"] / reads["p50_ms"],
        "not_2xx": most["not_2xx"] + steady["not_2xx"] + reads["not_2xx"],
    }


def _ask(port: int, requests: int, rate: float, ids: Path, *, creates: int = CREATES) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.asking", *map(str, (port, requests, rate, ids, creates))]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=600)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@contextlib.contextmanager
def _worker(server: EmbeddedRedis, api: Connection, folder: Path) -> Iterator[None]:
    """A worker that does what is asked for; the API knows its job type."""
    environ = {
        **os.environ,
        "BENCH_VARIANT": "tracked",
        "BENCH_CELERY_URL": f"{server.url}/0",
        "REDIS_URL": server.url,
        "REDIS_DB": "0",
        "TRACKING_NAMESPACE": "load",
    }
    command = [sys.executable, "-m", "celery", "-A", "bench.noop", "worker", "-c", "1", "-l", "ERROR"]
    worker = ChildProcess(
        "worker",
        [*command, "--without-gossip", "--without-mingle", "--queues", "celery,jobtracker"],
        log_path=folder / "worker.log",
        cwd=ROOT,
        env=environ,
        stop_steps=[],
    )
    worker.start()
    try:
        worker.wait_until_ready(lambda: _knows(api), timeout_s=60)
        yield
    finally:
        worker.stop()


def _knows(api: Connection) -> bool:
    time.sleep(0.1)
    return any(each["name"] == JOB_TYPE for each in json.loads(api.get("/api/tracking/job-types")))
