"""What the live stream costs an API process: so many viewers, each of whom hears of every change; then so many pages.

A client records jobs at a steady rate. The viewers are connections of one process, which reads and drops what comes;
one of them notes when each job is named. Pages also ask what a page asks that shows the list (`bench.viewers`). The
CPU time is that of the API process, and that of the Redis server.
"""

import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

from bench import cpu
from bench.serving import Connection, serving_api
from bench.viewers import watching
from jobtracker.connection.client import connect
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.store.changes import NewJob
from jobtracker.store.keys import Keys
from jobtracker.store.writer import JobStore

TITLE = "the live stream, with that many viewers"
SIZE = 200
CHANGES_PER_S = 100
SECONDS = 10.0
_RAMP_S = 1.0

Figures = dict[str, dict[str, float]]


def run(viewers: int, rounds: int) -> Figures:
    """Measure; shares of a core in percent, times in milliseconds, by the viewers."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(EmbeddedRedis(folder / "redis", config={"appendonly": "no"}))
        client = stack.enter_context(connect(server.url, timeout_s=10))
        api = stack.enter_context(serving_api(server, "events", folder, API_MAX_VIEWERS=str(viewers + 1)))
        store = JobStore(client, Keys("events"))
        kinds = {
            "0": (0, False),
            "1": (1, False),
            str(viewers): (viewers, False),
            f"{viewers} pages": (viewers, True),
        }
        measured = [{name: _measure(api, store, *kind) for name, kind in kinds.items()} for _ in range(rounds)]
    return {
        kind: {name: round(statistics.median(found[kind][name] for found in measured), 2) for name in of}
        for kind, of in measured[0].items()
    }


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    shares, rates = ("API, % of a core", "Redis, % of a core"), ("events/s each", "answers/s")
    head = ("viewers", *shares, *rates, "until named: p50, ms", "p99, ms")
    return [head, *((viewers, *(f"{value:,.1f}" for value in of.values())) for viewers, of in figures.items())]


def _measure(api: Connection, store: JobStore, viewers: int, pages: bool) -> dict[str, float]:
    with watching(api.port, viewers, pages=pages) as heard:
        written: dict[int, float] = {}
        change(store, written, _RAMP_S)
        written.clear()
        before, began, events = _cpu_s(store), time.monotonic(), heard.events
        answers = heard.answers
        change(store, written, SECONDS)
        used_s = [now - then for now, then in zip(_cpu_s(store), before, strict=True)]
        took_s, events = time.monotonic() - began, heard.events - events
        answers = heard.answers - answers
        deadline = time.monotonic() + 10
        while viewers and not written.keys() <= heard.at.keys() and time.monotonic() < deadline:
            time.sleep(0.05)
        times = sorted((heard.at[job] - at) * 1000 for job, at in written.items() if job in heard.at) or [0.0]
        if viewers and len(times) < len(written):
            raise RuntimeError(f"{len(written) - len(times)} of {len(written)} jobs were never named")
    return {
        "api_percent": 100 * used_s[0] / took_s,
        "redis_percent": 100 * used_s[1] / took_s,
        "events_per_s": events / took_s / max(viewers, 1),
        "answers_per_s": answers / took_s,
        "named_p50_ms": statistics.median(times),
        "named_p99_ms": times[int(0.99 * (len(times) - 1))],
    }


_numbers = iter(range(10**9))


def change(store: JobStore, written: dict[int, float], seconds: float) -> None:
    """Record jobs at a steady rate."""
    began = time.monotonic()
    for n in range(int(seconds * CHANGES_PER_S)):
        time.sleep(max(0.0, began + n / CHANGES_PER_S - time.monotonic()))
        number = next(_numbers)
        written[number] = time.monotonic()
        store.create(NewJob(id=str(number), fields={"name": "a job", "type": "report", "priority": "normal"}))


def _cpu_s(store: JobStore) -> tuple[float, float]:
    """Of the API, and of Redis: they are the only children of this process."""
    redis_s = cpu.of_server(store.client)
    return cpu.of_children(os.getpid()) - redis_s, redis_s
