"""What it costs to create and to change many jobs: one request for all of them beside one for each.

All through one API process and its Redis, on the loopback interface. The processor's time is that of both together.
"""

import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from bench import cpu
from bench.serving import Connection, serving_api
from jobtracker.connection.client import RedisClient, connect
from jobtracker.core.declarations import payload_schema
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.schemas.job_types import JobType
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import Keys
from workers.app import app

TITLE = "creating and changing so many jobs by one request, and creating some of them one by one"
SIZE = 10_000
_ONE_BY_ONE = 10
"""Of so many jobs one is created by a request of its own."""
_AT_ONCE = 8
_TYPE = "document_analysis"
_CHANGES: dict[str, dict[str, Any]] = {
    "tag": {"action": "tag", "tags": ["bench"]},
    "cancel": {"action": "cancel"},
    "delete": {"action": "delete"},
}

Figures = dict[str, dict[str, float]]


def run(jobs: int, rounds: int) -> Figures:
    """Measure; of each way the jobs per second, and milliseconds of a processor for a thousand of them."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(EmbeddedRedis(folder / "redis", config={"appendonly": "no"}))
        client = stack.enter_context(connect(server.url, 5))
        app.loader.import_default_modules()
        schema = payload_schema(app.tasks[_TYPE])
        Registry(client, Keys("bulk")).announce(JobType(name=_TYPE, task=_TYPE, payload_schema=schema))
        api = stack.enter_context(serving_api(server, "bulk", folder, API_CLIENT_TIMEOUT_S="120"))
        http = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{api.port}", timeout=120))
        _post(http, "/api/jobs/batch", {"jobs": [_job(n) for n in range(1000)]})  # its process is started with it
        measured = [_measure(api, http, client, jobs) for _ in range(rounds)]
    return {
        way: {name: round(statistics.median(each[way][name] for each in measured), 1) for name in measured[0][way]}
        for way in measured[0]
    }


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    head = ("", "jobs per second", "CPU of API and Redis, ms per 1000 jobs")
    return [head, *((way, f"{f['per_second']:,.0f}", f"{f['cpu_ms']:,.0f}") for way, f in figures.items())]


def _measure(api: Connection, http: httpx.Client, client: RedisClient, jobs: int) -> Figures:
    def one_by_one() -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda n: _post(http, "/api/jobs/", _job(n)), range(jobs // _ONE_BY_ONE)))

    def batch() -> None:
        _post(http, "/api/jobs/batch", {"jobs": [_job(n) for n in range(jobs)]})

    found = {
        "created by POST /api/jobs/, 8 at once": _timed(api, client, jobs // _ONE_BY_ONE, one_by_one),
        "created by POST /api/jobs/batch": _timed(api, client, jobs, batch),
    }
    there = jobs + jobs // _ONE_BY_ONE
    for name, change in _CHANGES.items():
        found[f"bulk run: {name}"] = _timed(api, client, there, partial(_change, http, change))
    return found


def _timed(api: Connection, client: RedisClient, jobs: int, act: Callable[[], None]) -> dict[str, float]:
    before, began = _cpu_s(api, client), time.perf_counter()
    act()
    elapsed = time.perf_counter() - began
    return {"per_second": jobs / elapsed, "cpu_ms": (_cpu_s(api, client) - before) * 1e6 / jobs}


def _cpu_s(api: Connection, client: RedisClient) -> float:
    assert api.pid is not None
    return cpu.of_process(api.pid) + cpu.of_children(api.pid) + cpu.of_server(client)


def _change(http: httpx.Client, change: dict[str, Any]) -> None:
    """Do a bulk run to its end."""
    run_id = _post(http, "/api/jobs/bulk", {**change, "filter": f"type:{_TYPE}"})["id"]
    while (found := http.get(f"/api/jobs/bulk/{run_id}").json())["status"] in {"pending", "running"}:
        time.sleep(0.05)
    if found["status"] != "completed" or found["refused"]:
        raise RuntimeError(json.dumps(found))


def _post(http: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = http.post(path, json=body)
    if answer.status_code not in {201, 202}:
        raise RuntimeError(f"{answer.status_code}: {answer.text[:500]}")
    found: dict[str, Any] = answer.json()
    return found


def _job(number: int) -> dict[str, Any]:
    payload = {"document_id": f"doc{number}", "analysis_type": "full"}
    return {"job_type": _TYPE, "name": f"Document {number}", "tags": ["spring"], "payload": payload}
