"""What the live stream costs an API process: so many viewers, each of whom hears of every change.

A client records jobs at a steady rate. The viewers are connections of one process, which reads and drops what comes;
one of them notes when each job is named. The CPU time is that of the API process, and that of the Redis server.
"""

import contextlib
import os
import re
import selectors
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import cpu
from bench.serving import Connection, serving_api
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
_ID = re.compile(rb'"id":"(\d+)"')

Figures = dict[str, dict[str, float]]


def run(viewers: int, rounds: int) -> Figures:
    """Measure; shares of a core in percent, times in milliseconds, by the number of viewers."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(EmbeddedRedis(folder / "redis", config={"appendonly": "no"}))
        client = stack.enter_context(connect(server.url, timeout_s=10))
        api = stack.enter_context(serving_api(server, "events", folder, API_MAX_VIEWERS=str(viewers + 1)))
        store = JobStore(client, Keys("events"))
        measured = [{n: _measure(api, store, n) for n in (0, 1, viewers)} for _ in range(rounds)]
    return {
        str(n): {name: round(statistics.median(found[n][name] for found in measured), 2) for name in of}
        for n, of in measured[0].items()
    }


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    head = ("viewers", "API, % of a core", "Redis, % of a core", "events/s each", "until named: p50, ms", "p99, ms")
    return [head, *((viewers, *(f"{value:,.1f}" for value in of.values())) for viewers, of in figures.items())]


def _measure(api: Connection, store: JobStore, viewers: int) -> dict[str, float]:
    with _watching(api.port, viewers) as heard:
        written: dict[int, float] = {}
        change(store, written, _RAMP_S)
        written.clear()
        before, began, events = _cpu_s(store), time.monotonic(), heard.events
        change(store, written, SECONDS)
        used_s = [now - then for now, then in zip(_cpu_s(store), before, strict=True)]
        took_s, events = time.monotonic() - began, heard.events - events
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


class _Heard:
    """What the viewers have heard: how many events, and when the first of them heard of each job."""

    def __init__(self) -> None:
        self.events = 0
        self.at: dict[int, float] = {}


@contextlib.contextmanager
def _watching(port: int, viewers: int) -> Iterator[_Heard]:
    heard, stop = _Heard(), threading.Event()
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for number in range(viewers):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            selector.register(connection, selectors.EVENT_READ, _reader(connection, heard, notes=number == 0))
        thread = threading.Thread(target=_read, args=(selector, stop))
        thread.start()
        try:
            yield heard
        finally:
            stop.set()
            thread.join()


def _reader(connection: socket.socket, heard: _Heard, *, notes: bool) -> Callable[[], None]:
    rest = b""

    def read() -> None:
        nonlocal rest
        received = connection.recv(1 << 18)
        heard.events += received.count(b"event: jobs")
        if notes:
            now = time.monotonic()
            for job in _ID.findall(rest + received):
                heard.at.setdefault(int(job), now)
            rest = received[-40:]

    return read


def _read(selector: selectors.BaseSelector, stop: threading.Event) -> None:
    while not stop.is_set():
        if not selector.get_map():
            stop.wait(0.1)
            continue
        for key, _ in selector.select(timeout=0.1):
            key.data()
