"""What requests with large bodies take, and how long others wait meanwhile.

Each turn: a client asks for short lists, first alone, then while so many large requests are sent at once: payloads of
9.9 MB that are checked against their schema, one in three of them deeply nested, all of them valid but for one field.
"""

import contextlib
import json
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from bench.serving import Connection, serving_api
from jobtracker.connection.client import connect
from jobtracker.core.declarations import payload_schema
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.schemas.job_types import JobType
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import Keys
from workers.app import app

TITLE = "answers to others while large requests are under way; so many of these at once"
SIZE = 12
BODY_BYTES = 9_900_000
ALONE_S = 2.0

Figures = dict[str, float]


def run(requests: int, rounds: int) -> Figures:
    """Measure; times in milliseconds."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(EmbeddedRedis(folder / "redis", config={"appendonly": "no"}))
        _announce(server)
        api = stack.enter_context(serving_api(server, "large", folder, API_CLIENT_TIMEOUT_S="120"))
        bodies = [_body(nested=n % 3 == 2) for n in range(requests)]
        measured = [_measure(api, bodies) for _ in range(rounds)]
    return {name: round(statistics.median(found[name] for found in measured), 2) for name in measured[0]}


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    return [("", "ms"), *((name, f"{value:,.1f}") for name, value in figures.items())]


def _measure(api: Connection, bodies: list[bytes]) -> Figures:
    alone = _lists_until(api, time.monotonic() + ALONE_S)
    one = _post(api.port, bodies[0])
    meanwhile: list[float] = []
    done = threading.Event()
    asker = threading.Thread(target=lambda: meanwhile.extend(_lists_until(Connection(api.port), done)))
    asker.start()
    with ThreadPoolExecutor(len(bodies)) as pool:
        took = list(pool.map(lambda body: _post(api.port, body), bodies))
    done.set()
    asker.join()
    return {
        "a list, alone: p50": statistics.median(alone),
        "a list, alone: p99": _p99(alone),
        "a list, meanwhile: p50": statistics.median(meanwhile),
        "a list, meanwhile: p99": _p99(meanwhile),
        "a large request, alone": one,
        "large requests at once: the first": min(took),
        "large requests at once: the last": max(took),
    }


def _lists_until(api: Connection, end: float | threading.Event) -> list[float]:
    found = []
    while not (end.is_set() if isinstance(end, threading.Event) else time.monotonic() > end):
        found.append(api.timed("/api/jobs/?page_size=1")[0])
        time.sleep(0.005)
    return found


def _p99(times: list[float]) -> float:
    return sorted(times)[int(0.99 * (len(times) - 1))]


def _post(port: int, body: bytes) -> float:
    began = time.perf_counter()
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"http://127.0.0.1:{port}/api/jobs/", content=body, headers=headers, timeout=120)
    if answer.status_code != 422:
        raise RuntimeError(f"{answer.status_code}: {answer.text[:500]}")
    return (time.perf_counter() - began) * 1000


def _body(*, nested: bool) -> bytes:
    """A request that creates a job of tables; the last thing in it is wrong, so that nothing is stored."""
    row = {"name": "x" * 40, "n": 1.5, "more": [None, 1]}
    payload: dict[str, Any] = {"rows": [row] * (BODY_BYTES // len(json.dumps(row)))}
    if nested:
        value: Any = {"column": "n"}
        while len(json.dumps(value)) < BODY_BYTES // 2:
            value = {"op": "add", "args": [value, value]}
        payload = {"rows": [row], "steps": [{"step": "derive", "column": "a", "value": value}]}
    return json.dumps(
        {"name": "large", "job_type": "data_processing", "payload": payload | {"max_rows": -1}}
    ).encode()


def _announce(server: EmbeddedRedis) -> None:
    """Make the schema known that a worker of the sample tasks would."""
    app.loader.import_default_modules()
    schema = payload_schema(app.tasks["data_processing"])
    with connect(server.url, 5) as client:
        Registry(client, Keys("large")).announce(
            JobType(name="data_processing", task="data_processing", payload_schema=schema)
        )
