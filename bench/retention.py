"""How fast settled jobs leave whose time is over, and what it is to those who report meanwhile.

Reporters, each a process, take jobs through their course at a steady pace, each report one call. In turns nothing is
removed, and the pruner removes from a backlog as fast as it can; how long the reports took is told of both.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from celery import Celery

from bench.filling import Plan, fill
from jobtracker.connection.client import RedisClient
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.runtime import Tracking
from jobtracker.settings import Settings
from jobtracker.store.keys import Keys

ROOT = Path(__file__).resolve().parent.parent
TITLE = "removed jobs per second while others report, of so many jobs whose time is over"
SIZE = 100_000
REPORTERS = 2
PACE_S = 0.001
"""A reporter begins its next report so long after the one before it, at the earliest."""

Figures = dict[str, float]


def run(jobs: int, rounds: int) -> Figures:
    """Measure; rates per second, times in milliseconds, CPU in microseconds of the server per removed job."""
    keys = Keys("bench")
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder)) as server:
        fill(server.port, keys, Plan(jobs=jobs))
        settings = Settings.model_validate(
            {
                "redis_url": server.url,
                "tracking_namespace": keys.namespace,
                "job_retention_days": 1
                / 24,  # the jobs of the backlog are of the last days, the reported ones of now
                "maintenance_interval_s": max(0.2, jobs / rounds / 40_000),  # a part of the backlog for each round
            }
        )
        tracking = Tracking.connect(settings, Celery("bench", broker="memory://"))
        runner = MaintenanceRunner(tracking)
        with tracking.client as client, _reporting(server.url, keys) as reporters:
            measured = [_round(client, runner, reporters, settings.maintenance_interval_s) for _ in range(rounds)]
    return {name: round(statistics.median(found[name] for found in measured), 3) for name in measured[0]}


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    head = ("reports", "per second", "p50, ms", "p99, ms", "p99 to alone", "removed per second", "server's CPU, µs")
    body = [
        (
            how,
            f"{figures[f'{how}_per_second']:,.0f}",
            f"{figures[f'{how}_p50_ms']:.2f}",
            f"{figures[f'{how}_p99_ms']:.2f}",
            f"{figures[f'{how}_p99_ms'] / figures['alone_p99_ms']:.2f}",
            *(
                (f"{figures['removed_per_second']:,.0f}", f"{figures['removed_cpu_us']:.1f}")
                if how == "removing"
                else ("", "")
            ),
        )
        for how in ("alone", "removing")
    ]
    return [head, *body]


def _round(client: RedisClient, runner: MaintenanceRunner, reporters: "_Reporters", span_s: float) -> Figures:
    reporters.begin()
    cpu_s = _cpu_s(client)
    time.sleep(span_s)
    alone_cpu_s, alone = _cpu_s(client) - cpu_s, reporters.end()
    reporters.begin()
    cpu_s, began = _cpu_s(client), time.perf_counter()
    removed = runner.pruner.prune()
    took_s = time.perf_counter() - began
    cpu_s, beside = _cpu_s(client) - cpu_s, reporters.end()
    of_reports_s = alone_cpu_s * len(beside) / max(len(alone), 1)
    return {
        **_of_reports("alone", alone, span_s),
        **_of_reports("removing", beside, took_s),
        "removed_per_second": removed / took_s,
        "removed_cpu_us": (cpu_s - of_reports_s) / max(removed, 1) * 1e6,
    }


def _of_reports(how: str, took_ms: list[float], span_s: float) -> Figures:
    cuts = statistics.quantiles(took_ms, n=100)
    return {f"{how}_per_second": len(took_ms) / span_s, f"{how}_p50_ms": cuts[49], f"{how}_p99_ms": cuts[98]}


class _Reporters:
    """Processes that report when they are told to."""

    def __init__(self, processes: list["subprocess.Popen[str]"]) -> None:
        self._processes = processes

    def begin(self) -> None:
        """Let them report."""
        self._tell("begin")

    def end(self) -> list[float]:
        """Let them stop; returns how long each report took, in milliseconds."""
        self._tell("end")
        return [took for line in self._lines() for took in json.loads(line)]

    def wait(self) -> None:
        """Wait until they are ready."""
        assert all(line == "ready\n" for line in self._lines())

    def _lines(self) -> list[str]:
        return [process.stdout.readline() for process in self._processes if process.stdout]

    def _tell(self, what: str) -> None:
        for process in self._processes:
            assert process.stdin
            print(what, file=process.stdin, flush=True)


@contextlib.contextmanager
def _reporting(url: str, keys: Keys) -> Iterator[_Reporters]:
    command = [sys.executable, "-m", "bench.reporting", url, keys.namespace]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [
        subprocess.Popen([*command, str(seed), str(PACE_S)], cwd=ROOT, **pipes) for seed in range(1, REPORTERS + 1)
    ]
    try:
        reporters = _Reporters(processes)
        reporters.wait()
        yield reporters
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _cpu_s(client: RedisClient) -> float:
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])
