"""What questions cost over HTTP, at a hundredth, a tenth and all of the jobs.

Each store has a server and an API process of its own, all of them at the same time. Every question is asked of each
in turn, on one connection, again and again. Beside them, in the same turns, Flower is asked for a page of its tasks,
and a FastAPI route that does nothing but answer the bytes of the list.

A list is asked for as a page that is looked at again is, and once as one that nobody has asked for before.
"""

import contextlib
import functools
import json
import os
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.filling import TYPES, serving_filled
from bench.flowers import FLOWERS_TASKS, serving_flower
from bench.serving import Connection, serving
from jobtracker.local.ports import free_port

TITLE = "milliseconds that questions take over HTTP; that many jobs are the most there are"
SIZE = 1_000_000
PAGE = 100
FEW = 20
"""Jobs that run, or more, are there at any size: an answer that grows tells nothing of what an answer costs."""
ASKED = 60
"""How often each question is asked in a round."""

_PLAIN = {
    "stats": "/api/tracking/stats",
    "performance": "/api/tracking/performance",
    "throughput": "/api/tracking/throughput",
    "active": f"/api/tracking/active-jobs?limit={FEW}",
    "failed": f"/api/tracking/failed-jobs?page_size={PAGE}",
    "queue depth": "/api/tracking/queue-depth",
    "queue series": "/api/tracking/queue-series?hours=6",
    "workers": "/api/tracking/workers",
}
_SEARCHED = {
    "queue:": "queue:celery",
    "worker:": "worker:celery@worker-3",
    "release:": "release:2026.11.3",
    "tag:, none has it": "tag:none",
    "name:": "name:invoice",
    "text": '"can\'t be reached"',
    "text, none has it": "nowhere",
    "error:": "error:ConnectionError",
    "failure:, none has it": "failure:none",
    "origin:": "origin:plain",
    "schedule:, none has it": "schedule:nightly",
    "since:": "since:1h",
    "started:": "started:1h",
    "finished:": "finished:1h",
    "running_at:": "running_at:1h",
    "run:": "run:>2s",
    "wait:": "wait:>2s",
    "retries:, none has it": "retries:>0",
    "losses:, none has it": "losses:>0",
    "has:log, none has it": "has:log",
    "sent_by:": "sent_by:nobody",
    "group:, none has it": "group:nothing",
    "priority:": "priority:critical",
    "status:, two": "status:failed,cancelled",
    "type:, two": "type:shop.tasks.send_invoice,crm.tasks.import_contacts",
    "-type:": "-type:shop.tasks.send_invoice",
    "-status:": "-status:completed",
    "failed, of a worker": "status:failed worker:celery@worker-3",
    "failed since": "status:failed since:24h",
}
"""Queries, one for each filter of a list: what none has is looked for in as many jobs as a page may look at."""
_SUGGESTED = ("", "status:", "type:s", "worker:", "tag:")
LIST, NEW_PAGE, CURSOR, NUMBER = "list", "list, a new page", "list, deep by cursor", "list, deep by number"
TIMELINE, TIMELINE_OF_WORKER = "timeline of an hour", "timeline of a worker"
FLOWER, SAME_BYTES = "Flower's tasks", "the list's bytes"

Times = dict[str, float]
"""p50_ms and p95_ms."""


def run(jobs: int, rounds: int) -> dict[str, Any]:
    """Measure; times in milliseconds by question and number of jobs, and what they are compared to."""
    sizes = sorted({max(jobs // 100, PAGE), max(jobs // 10, PAGE), jobs})
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stores = {size: stack.enter_context(serving_filled(size, folder / str(size))) for size in sizes}
        asked: dict[str, dict[int, Callable[[], str]]] = {}
        for size, store in stores.items():
            for question, path in _paths(store.api, store.ids, size).items():
                asked.setdefault(question, {})[size] = path
        askers = {size: store.api for size, store in stores.items()}
        samples = {LIST: {}, NEW_PAGE: {size: _walk(askers[size]) for size in sizes}}
        flower = stack.enter_context(serving_flower(folder, min(FLOWERS_TASKS, jobs)))
        same = stack.enter_context(_same_bytes(folder, askers[jobs].get(asked[LIST][jobs]())))
        others = {FLOWER: (flower, f"/api/tasks?limit={PAGE}"), SAME_BYTES: (same, "/")}
        for _ in range(rounds):
            for question, by_size in asked.items():
                beside = others if question == LIST else {}
                _take_turns(samples, question, {s: (askers[s], p) for s, p in by_size.items()}, beside)
    times = {
        question: {str(size): _times(of) for size, of in by_size.items()} for question, by_size in samples.items()
    }
    compared = {name: times.pop(name)["0"] for name in others}
    most = str(jobs)
    return {
        "times": times,
        "growth": {question: _ratio(of[most], of[str(sizes[0])]) for question, of in times.items()},
        "beside": compared,
        "list_to": {name: _ratio(times[LIST][most], of) for name, of in compared.items()},
        "flowers_tasks": min(FLOWERS_TASKS, jobs),
    }


def rows(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    times = figures["times"]
    sizes = list(times[LIST])
    head = ("p50 / p95, ms", *(f"{int(size):,} jobs" for size in sizes), "growth of p50")
    body = [
        (question, *(_show(of[size]) for size in sizes), f"{figures['growth'][question]:.2f}")
        for question, of in times.items()
    ]
    for name, of in figures["beside"].items():
        more = f" ({figures['flowers_tasks']:,})" if name == FLOWER else ""
        ratio = f"the list's p50 is {figures['list_to'][name]:.2f} of it"
        body.append((f"{name}{more}", *[""] * (len(sizes) - 1), _show(of), ratio))
    return [head, *body]


def _take_turns(
    samples: dict[str, dict[Any, list[float]]],
    question: str,
    by_size: dict[int, tuple[Connection, Callable[[], str]]],
    beside: dict[str, tuple[Connection, str]],
) -> None:
    found = samples.setdefault(question, {})
    for _ in range(ASKED):
        for size, (connection, path) in by_size.items():
            found.setdefault(size, []).append(connection.timed(path())[0])
        for name, (connection, path_beside) in beside.items():
            samples.setdefault(name, {}).setdefault(0, []).append(connection.timed(path_beside)[0])


def _list_path(**more: object) -> str:
    filters = {"status": "completed", "job_type": next(iter(TYPES)), "page_size": PAGE, **more}
    return "/api/jobs/?" + "&".join(f"{name}={value}" for name, value in filters.items() if value)


def _paths(connection: Connection, ids: list[str], size: int) -> dict[str, Callable[[], str]]:
    """What is asked of a store, by question; of pages the one in the middle."""
    total = json.loads(connection.get(_list_path()))["total"]
    middle = json.loads(connection.get(_list_path(page=max(total // PAGE // 2, 1))))["next_cursor"]
    dice = random.Random(1)
    some = dice.sample(ids, PAGE)
    paths: dict[str, Callable[[], str]] = {
        LIST: _list_path,
        CURSOR: lambda: _list_path(cursor=middle),
        NUMBER: lambda: _list_path(job_type=None, page=max(size // PAGE // 2, 1)),
        "get": lambda: f"/api/jobs/{dice.choice(some)}",
        TIMELINE: _timeline_path,
        TIMELINE_OF_WORKER: lambda: _timeline_path(worker="celery%40worker-3"),
    }
    for name, query in _SEARCHED.items():
        paths[f"q: {name}"] = functools.partial(str, f"/api/jobs/?page_size={PAGE}&q={quote(query)}")
    for typed in _SUGGESTED:
        paths[f"suggest: {typed or 'nothing'}"] = functools.partial(str, f"/api/search/suggest?q={quote(typed)}")
    return paths | {question: (lambda path=path: path) for question, path in _PLAIN.items()}


def _timeline_path(**more: str) -> str:
    """A page of what ran in an hour of the day before."""
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    span = {"from": until - timedelta(hours=1), "to": until}
    filters = {name: at.strftime("%Y-%m-%dT%H:%M:%SZ") for name, at in span.items()} | more
    return f"/api/tracking/timeline?limit={PAGE}&" + "&".join(f"{name}={value}" for name, value in filters.items())


def _walk(connection: Connection) -> list[float]:
    """The times of pages on the way through a list, from one to the next; each of them is asked for once."""
    times, cursor = [], None
    for _ in range(ASKED):
        elapsed_ms, body = connection.timed(_list_path(cursor=cursor))
        times.append(elapsed_ms)
        cursor = json.loads(body)["next_cursor"]
        if cursor is None:
            break
    return times


@contextlib.contextmanager
def _same_bytes(folder: Path, body: bytes) -> Iterator[Connection]:
    port = free_port()
    (folder / "body").write_bytes(body)
    environ = {"BENCH_BODY": str(folder / "body"), "BENCH_PORT": str(port), **os.environ}
    with serving("same-bytes", ["bench.same_bytes"], folder, environ, port, "/") as connection:
        yield connection


def _times(samples: list[float]) -> Times:
    ordered = sorted(samples)
    return {
        "p50_ms": round(statistics.median(ordered), 3),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)], 3),
    }


def _ratio(times: Times, to: Times) -> float:
    return round(times["p50_ms"] / to["p50_ms"], 3)


def _show(times: Times) -> str:
    return f"{times['p50_ms']:.2f} / {times['p95_ms']:.2f}"
