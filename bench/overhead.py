"""What tracking costs: no-op tasks through a prefork worker, plain Celery with Redis results beside the same tracked.

A third variant is plain Celery with its own task events, to which nobody listens. A fourth one asks Redis for nothing
(PING) as a message is sent and as a task begins, and waits: the least that an answer before the task's code costs.

The publisher runs first, alone; then a worker with one child works off the queue, as fast as it can; end to end is
one after the other. The variants take turns in one run, on one server; the median of the rounds' ratios counts.

Rates depend on how the processes share the cores, and on what else the machine does. So there is also the CPU time
that a task costs each process (Linux only): the publisher, and the server while tasks are published; the main process
of the worker, its child, and the server while they work.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from redis import Redis

from bench import cpu
from jobtracker.local.embedded_redis import EmbeddedRedis

ROOT = Path(__file__).resolve().parent.parent
TITLE = "no-op tasks per second, what a task costs each process, and the ratio to plain Celery"
SIZE = 5000
VARIANTS = ("plain", "tracked", "events", "round_trip")
RATES = ("publisher", "worker", "end_to_end")
CPU_TIMES = ("publisher_us", "server_publishing_us", "main_us", "child_us", "server_us")
PARTS = (*RATES, *CPU_TIMES)
WARM_UP = 200
"""Tasks at the beginning that are not counted: the worker still starts its child."""


def run(tasks: int, rounds: int) -> dict[str, Any]:
    """Measure: tasks per second and CPU µs a task; beside plain their ratio (1 means free), and what is added."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder)) as server:
        measured = [{v: measure(server, v, tasks, n) for v in _order(n)} for n in range(rounds)]
    medians = {v: {p: median(found[v][p] for found in measured) for p in PARTS} for v in VARIANTS}
    ratios = {
        v: {p: median(found[v][p] / found["plain"][p] for found in measured) for p in PARTS} for v in VARIANTS[1:]
    }
    added = {
        v: {p: median(found[v][p] - found["plain"][p] for found in measured) for p in CPU_TIMES} for v in VARIANTS[1:]
    }
    return {
        "cpu_added": added,
        "tasks_per_second": {v: {p: medians[v][p] for p in RATES} for v in VARIANTS},
        "cpu_per_task": {v: {p: medians[v][p] for p in CPU_TIMES} for v in VARIANTS},
        "ratio_to_plain": ratios,
    }


def rows(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    ratios = figures["ratio_to_plain"]
    found = {v: figures["tasks_per_second"][v] | figures["cpu_per_task"][v] for v in VARIANTS}
    added = figures["cpu_added"]
    head = ["no-op tasks per second, CPU µs a task", "plain"]
    body = [[LABELS[part], f"{found['plain'][part]:.0f}"] for part in PARTS]
    for variant in VARIANTS[1:]:
        head += [variant.replace("_", " "), "ratio, more"]
        for part, row in zip(PARTS, body, strict=True):
            more = f"{added[variant][part]:+.0f}" if part in CPU_TIMES else f"{ratios[variant][part]:.2f}"
            row += [f"{found[variant][part]:.0f}", more]
    return [tuple(row) for row in (head, *body)]


LABELS = {
    "publisher": "publisher, per second",
    "worker": "worker, per second",
    "end_to_end": "one after the other, per second",
    "publisher_us": "publisher, µs",
    "server_publishing_us": "the server while tasks are published, µs",
    "main_us": "the worker's main process, µs",
    "child_us": "its child, µs",
    "server_us": "the server while the worker works, µs",
}


def _order(number: int) -> tuple[str, ...]:
    """The variants, another one first in each round."""
    first = number % len(VARIANTS)
    return VARIANTS[first:] + VARIANTS[:first]


def measure(server: EmbeddedRedis, variant: str, tasks: int, number: int) -> dict[str, float]:
    """Publish tasks and work them off, in a variant of `bench.noop`."""
    # A database each for Celery and for the tracker, new ones for each measurement: 16 are there.
    base = f"redis://127.0.0.1:{server.port}"
    environ = {
        **os.environ,
        "BENCH_VARIANT": variant,
        "BENCH_CELERY_URL": f"{base}/1",
        "REDIS_URL": base,
        "REDIS_DB": "2",
        "TRACKING_NAMESPACE": f"{variant}-{number}",
    }
    with Redis(port=server.port, db=1) as celery_db, Redis(port=server.port, db=2) as tracking_db:
        celery_db.flushdb()  # the benchmark's own server
        tracking_db.flushdb()
        command = [sys.executable, "-m", "bench.publish", str(tasks)]
        before = cpu.of_server(celery_db)
        published = subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True)
        server_publishing_us = (cpu.of_server(celery_db) - before) * 1e6 / tasks
        of_publisher = {**json.loads(published.stdout), "server_publishing_us": server_publishing_us}
        of_worker = _work_off(celery_db, environ, tasks)
    one_after_the_other = 1 / (1 / of_publisher["publisher"] + 1 / of_worker["worker"])
    return {**of_publisher, **of_worker, "end_to_end": one_after_the_other}


def _work_off(celery_db: "Redis", environ: dict[str, str], tasks: int) -> dict[str, float]:
    """Start a worker, and time its results, once it has warmed up."""
    command = [sys.executable, "-m", "celery", "-A", "bench.noop", "worker"]
    command += ["-P", "prefork", "-c", "1", "-l", "ERROR", "--without-gossip", "--without-mingle"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        began_at = _wait_for_results(celery_db, WARM_UP)
        first, began = _results(celery_db), _cpu_times(process.pid, celery_db)
        ended_at = _wait_for_results(celery_db, tasks)
        ended = _cpu_times(process.pid, celery_db)
    finally:
        # Not by a warm shutdown: billiard may wait half a minute for messages of a child that has just been idle.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    counted = tasks - first
    times = {name: (ended[name] - began[name]) * 1e6 / counted for name in began}
    return {"worker": counted / (ended_at - began_at), **times}


def _cpu_times(worker: int, server: "Redis") -> dict[str, float]:
    """What a worker with one child, and the server, have used so far, in seconds."""
    return {
        "main_us": cpu.of_process(worker),
        "child_us": cpu.of_children(worker),
        "server_us": cpu.of_server(server),
    }


def _results(celery_db: "Redis") -> int:
    # Beside the results a few keys of the broker's; they do not change the count by more than a per mille.
    return int(celery_db.dbsize())


def _wait_for_results(celery_db: "Redis", count: int) -> float:
    deadline = time.perf_counter() + 120
    while _results(celery_db) < count:
        if time.perf_counter() > deadline:
            raise TimeoutError(f"the worker did not finish {count} tasks within 120 s")
        time.sleep(0.005)
    return time.perf_counter()


def median(values: Any) -> float:
    """The median."""
    return round(float(statistics.median(values)), 3)
