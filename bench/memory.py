"""Bytes in Redis per settled job, with everything: indexes, time series, a payload of 60 bytes, a result of 20.

Beside it what RQ keeps of such a job, and Celery's own record alone, with `result_extended` and no index: of fewer
jobs, for it does not depend on their number. Each has a server of its own. What counts is how `used_memory` grows.
"""

import contextlib
import shutil
import subprocess
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from celery import Celery
from celery.app.task import Context

from bench.filling import TYPES, Plan, fill
from bench.peers import python_of_peers
from jobtracker.connection.client import RedisClient, connect
from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port
from jobtracker.store.keys import Keys

TITLE = "bytes in Redis for each of that many settled jobs"
SIZE = 1_000_000
MOST_OF_PEERS = 1_000
SAMPLE = 1_000
"""Keys of each kind that are looked at one by one."""
WEEK_S = 7 * 86_400


def run(jobs: int, rounds: int) -> dict[str, Any]:
    """Measure, on the embedded Valkey and on redis-server where that is installed."""
    del rounds  # it is always the same
    kinds: dict[str, Callable[[], contextlib.AbstractContextManager[int]]] = {"Valkey": _valkey}
    if shutil.which("redis-server"):
        kinds["Redis"] = _redis
    figures: dict[str, Any] = {}
    for name, server in kinds.items():
        with server() as port, connect(f"redis://127.0.0.1:{port}", timeout_s=600) as client:
            fill(port, Keys("before"), Plan(jobs=100, open_share=0))  # what is there once
            before = _used(client)
            keys = Keys()
            fill(port, keys, Plan(jobs=jobs, open_share=0))
            ours = (_used(client) - before) / jobs
            figures[name] = {
                "version": client.info("server")[f"{name.lower()}_version"],
                "jobtracker": round(ours, 1),
                "of that": {what: round(n / jobs, 1) for what, n in _by_key(client, keys).items()},
            }
        with server() as port:
            few = min(jobs, MOST_OF_PEERS)
            figures[name] |= _of_rq(port, few)
        with server() as port:
            figures[name]["celery"] = round(_of_celery(port, few), 1)
    return figures


def rows(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    servers = list(figures.values())
    body = [("jobtracker", *(f"{found['jobtracker']:,.0f}" for found in servers))]
    body += [
        (f"  of that: {what}", *(f"{found['of that'].get(what, 0):,.0f}" for found in servers))
        for what in servers[0]["of that"]
    ]
    body += [
        (f"RQ {servers[0]['rq_version']}", *(f"{found['rq']:,.0f}" if found["rq"] else "" for found in servers)),
        ("Celery's record, no index", *(f"{found['celery']:,.0f}" for found in servers)),
    ]
    return [("bytes per job", *(f"{name} {found['version']}" for name, found in figures.items())), *body]


def _used(client: RedisClient) -> int:
    return int(client.info("memory")["used_memory"])


@contextlib.contextmanager
def _valkey() -> Iterator[int]:
    config = {"appendonly": "no"}
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder), config=config) as server:
        yield server.port


@contextlib.contextmanager
def _redis() -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
        process = ChildProcess("redis-server", command, log_path=Path(folder) / "server.log")
        process.start()
        try:
            with connect(f"redis://127.0.0.1:{port}", timeout_s=5) as client:
                process.wait_until_ready(lambda: _answers(client, process.pid), timeout_s=30)
            yield port
        finally:
            process.stop()


def _answers(client: RedisClient, pid: int | None) -> bool:
    with contextlib.suppress(Exception):
        return bool(client.info("server")["process_id"] == pid)
    return False


def _by_key(client: RedisClient, keys: Keys) -> dict[str, float]:
    """How many bytes the keys of each kind take, as the server estimates them (MEMORY USAGE)."""
    [part] = keys.parts
    sizes: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for key in client.scan_iter(match=f"{part.prefix}*", count=1000):
        kind = key.removeprefix(part.prefix).partition(":")[0]
        numbers[kind] += 1
        if numbers[kind] <= SAMPLE:
            sizes[kind] += client.memory_usage(key, samples=SAMPLE)
    found = {kind: size * numbers[kind] / min(numbers[kind], SAMPLE) for kind, size in sizes.items()}
    return dict(Counter(found).most_common())


def _of_rq(port: int, jobs: int) -> dict[str, Any]:
    try:
        python = python_of_peers()
    except subprocess.CalledProcessError:  # which says why: there is no package index, say
        return {"rq_version": "is not installed", "rq": None}
    command = [python, str(Path(__file__).with_name("rq_jobs.py")), str(port), str(jobs)]
    version, size = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return {"rq_version": version, "rq": round(float(size), 1)}


def _of_celery(port: int, tasks: int) -> float:
    app = Celery("memory", backend=f"redis://127.0.0.1:{port}")
    app.conf.update(result_extended=True, result_expires=WEEK_S)
    name = next(iter(TYPES))
    with connect(f"redis://127.0.0.1:{port}", timeout_s=60) as client:
        for number in range(-20, tasks):  # the first ones are what is there once
            if number == 0:
                before = _used(client)
            payload = {"order_id": 10**8 + number, "customer": f"c-{number:06}", "copies": 1}
            context = Context(
                task=name,
                args=[],
                kwargs=payload,
                hostname="celery@worker-1",
                retries=0,
                delivery_info={"routing_key": "celery"},
            )
            result = {"saved": payload["order_id"]}
            app.backend.store_result(str(uuid.uuid4()), result, "SUCCESS", request=context)
        return (_used(client) - before) / tasks
