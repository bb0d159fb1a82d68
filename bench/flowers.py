"""Flower, which has seen the events of many tasks."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from celery import Celery

from bench.serving import Connection, serving
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port

FLOWERS_TASKS = 20_000
"""The most that it is asked to remember."""


@contextlib.contextmanager
def serving_flower(folder: Path, tasks: int) -> Iterator[Connection]:
    """Flower, which has seen the events of so many tasks."""
    port = free_port()
    with EmbeddedRedis(folder / "flowers-redis", config={"appendonly": "no"}) as server:
        environ = {"BENCH_VARIANT": "plain", "BENCH_CELERY_URL": server.url, "FLOWER_UNAUTHENTICATED_API": "true"}
        options = ["--address=127.0.0.1", f"--port={port}", "--inspect_timeout=100"]
        command = ["celery", "-A", "bench.noop", "flower", *options]
        with serving("flower", command, folder, environ, port, "/healthcheck") as connection:
            _send_events(server.url, tasks, connection)
            yield connection


def _send_events(url: str, tasks: int, flower: Connection) -> None:
    """Send what workers send of tasks that succeed, no faster than Flower follows."""
    with Celery(broker=url) as app, app.connection_for_write() as broker:
        sender = app.events.Dispatcher(broker, hostname="celery@worker-1")
        for n in range(tasks):
            task = {"uuid": f"task-{n}"}
            sender.send("task-received", **task, name="bench.noop", args="()", kwargs='{"order_id": 1}', retries=0)
            sender.send("task-started", **task)
            sender.send("task-succeeded", **task, result='{"saved": 1}', runtime=0.1)
            if n % 1000 == 999 or n == tasks - 1:
                _wait_until_known(flower, f"task-{n}")


def _wait_until_known(flower: Connection, task: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(RuntimeError):
            if json.loads(flower.get(f"/api/task/info/{task}"))["state"] == "SUCCESS":
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"Flower does not know of {task}")
        time.sleep(0.05)
