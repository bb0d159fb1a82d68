"""What partitions are good for: the same jobs and questions on one, two and three of them, each on its own server.

The servers are those of a Redis Cluster. What one server has to do for a job falls as its share does; a question asks
all of them. CPU times are the servers' own (INFO), without what a cluster's server does when nobody asks.
"""

import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.cluster import Cluster
from jobtracker.connection.client import connect
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Status
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.changes import NewJob
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

TITLE = "that many jobs on one, two and three partitions"
SIZE = 20_000
PARTITIONS = (1, 2, 3)
_AT_ONCE = 200
"""Calls that each server gets together, about: what it costs to read them is the same then."""
_ASKED = 100
"""Times that each question is asked."""
_IDLE_S = 1.0

Figures = dict[str, dict[str, float]]


def run(jobs: int, rounds: int) -> dict[str, Any]:
    """Measure; for each number of partitions: CPU in microseconds per transition of a server, p50 in milliseconds.

    It also compares the busiest server's CPU with the average of all servers. That shows how evenly the work lies:
    what the servers share, such as cores, changes both alike.
    """
    found: dict[int, list[Figures]] = {n: [] for n in PARTITIONS}
    for number in range(rounds):
        first = number % len(PARTITIONS)
        for n in PARTITIONS[first:] + PARTITIONS[:first]:
            found[n].append(_measure(n, jobs))
    return {
        str(n): {
            kind: {name: statistics.median(each[kind][name] for each in measured) for name in measured[0][kind]}
            for kind in measured[0]
        }
        for n, measured in found.items()
    }


def rows(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    head = ("", *(f"{n} partition{'s' if n != '1' else ''}" for n in figures))
    body = []
    for name in figures["1"]["cpu_us"]:
        of = [found["cpu_us"][name] for found in figures.values()]
        shares = [each / of[0] * int(n) for n, each in zip(figures, of, strict=True)]
        texts = (f"{each:.1f} µs ({share:.2f} of 1/n)" for each, share in zip(of, shares, strict=True))
        body.append((f"busiest server's CPU: {name}", *texts))
    even = [f"{found['busiest_to_average']['a transition']:.2f}" for found in figures.values()]
    body.append(("a transition: the busiest server's CPU to the servers' average", *even))
    body += [
        (f"p50: {name}", *(f"{found['p50_ms'][name]:.2f} ms" for found in figures.values()))
        for name in figures["1"]["p50_ms"]
    ]
    return [head, *body]


def _measure(partitions: int, jobs: int) -> Figures:
    keys = Keys("bench", partitions)
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(Path(folder), partitions, config={"appendonly": "no"}) as cluster,
        connect(cluster.url, 30) as client,
    ):
        servers = [connect(node.url, 30) for node in cluster.nodes]
        store, queries = JobStore(client, keys), JobQueries(client, keys)
        ids = [str(uuid.UUID(int=random.Random(n).getrandbits(128))) for n in range(jobs)]
        store.create(
            NewJob(id="first", fields={"type": "bench", "priority": "normal"})
        )  # the functions are there now
        queries.page(JobFilter())
        idle = _cpu_per_s(servers)
        spent, seconds = _spent(servers, lambda: _work(store, ids))
        own_work = [cpu - own * seconds for cpu, own in zip(spent, idle, strict=True)]
        busiest, average = max(own_work), statistics.mean(own_work)
        asked = {name: _ask(ask, servers, idle) for name, ask in _questions(queries, ids).items()}
        for server in servers:
            server.close()
    return {
        "cpu_us": {"a transition": busiest * 1e6 / (3 * jobs), **{name: cpu for name, (cpu, _) in asked.items()}},
        "busiest_to_average": {"a transition": busiest / average},
        "p50_ms": {name: p50 for name, (_, p50) in asked.items()},
    }


def _work(store: JobStore, ids: list[str]) -> None:
    """Record jobs, begin and end them: three transitions of each, the calls of some jobs at once."""
    started, at_once = now_ms(), _AT_ONCE * len(store.keys.parts)
    for first in range(0, len(ids), at_once):
        some, at_ms = ids[first : first + at_once], started + first
        fields: dict[str, str | int] = {
            "type": "bench",
            "priority": "normal",
            "name": "a job",
            "run": 1,
            "queued": at_ms,
        }
        store.begin_create(*(NewJob(id=each, fields=fields) for each in some), at_ms=at_ms)()
        for event in (Event.START, Event.COMPLETE):
            store.report_all([store.call_of(event, each, 1, 0, at_ms=at_ms + 1000) for each in some])


def _questions(queries: JobQueries, ids: list[str]) -> dict[str, Callable[[], object]]:
    completed = JobFilter(status=(Status.COMPLETED,), job_type=("bench",))
    deep = queries.page(completed, size=len(ids) // 2).next_cursor
    picked = random.Random(0)
    return {
        "get": lambda: queries.get(picked.choice(ids)),
        "first page of 100": lambda: queries.page_json(completed, size=100),
        "page of 100 in the middle, by cursor": lambda: queries.page_json(completed, size=100, cursor=deep),
        "page of 100 in the middle, by number": lambda: queries.page_json(
            completed, size=100, number=len(ids) // 200
        ),
        "counts": queries.counts,
    }


def _ask(ask: Callable[[], object], servers: list[Any], idle: list[float]) -> tuple[float, float]:
    """The busiest server's CPU for a question in microseconds, and its p50 in milliseconds."""
    times = []

    def often() -> None:
        for _ in range(_ASKED):
            began = time.perf_counter()
            ask()
            times.append(time.perf_counter() - began)

    spent, seconds = _spent(servers, often)
    busiest = max(cpu - own * seconds for cpu, own in zip(spent, idle, strict=True))
    return busiest * 1e6 / _ASKED, statistics.median(times) * 1e3


def _spent(servers: list[Any], work: Callable[[], object]) -> tuple[list[float], float]:
    """The CPU of each server, in seconds, and how long it took."""
    before, began = [_cpu(server) for server in servers], time.monotonic()
    work()
    seconds = time.monotonic() - began
    return [_cpu(server) - was for server, was in zip(servers, before, strict=True)], seconds


def _cpu_per_s(servers: list[Any]) -> list[float]:
    """The CPU of each server while nobody asks."""
    spent, seconds = _spent(servers, lambda: time.sleep(_IDLE_S))
    return [each / seconds for each in spent]


def _cpu(server: Any) -> float:
    found = server.info("cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])
