"""The page in a real Chromium: its budgets, beside Flower's list of tasks and a node graph of the same tree.

The lists of a store with a hundredth of the jobs, of one with all of them, and Flower's take turns, each visit in a
browser that knows nothing of the page. The tree is one that a worker has worked off. Changes are made as a worker's
reports make them, through the store's own verbs, while one page shows the list.
"""

import contextlib
import itertools
import math
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import toolchain
from support.browser import Browsing, a_browser

from bench import cpu, trees
from bench.events import CHANGES_PER_S, change
from bench.filling import Filled, Plan, courses, serving_filled
from bench.flowers import FLOWERS_TASKS, serving_flower
from bench.graphs import serving_graph
from bench.in_browser import Look, looking, wait_for_stream
from jobtracker.connection.client import connect
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.store.changes import NewJob
from jobtracker.store.writer import JobStore

TITLE = "the page in Chromium; that many jobs are the most there are"
SIZE = 1_000_000
VISITS = 8
"""Of each list in a round, after one that does not count; fewer where there are few jobs."""
TREE = 10_000
SHOWN = 20
"""Jobs whose changes are watched for: so many rows are in sight; fewer where there are few jobs."""
BETWEEN_S = 0.3
"""Between two changes, on average."""
WATCHED_S = 6.0
HOUR_S = 3600
HOURS_RATE = 20
"""Changes a second, of an hour's worth."""
SENT_RATE = 400
"""So many are sent a second, so that it takes three minutes."""
LOOKS = 20
"""How often in that time somebody asks for the newer rows."""

BUDGETS = {
    "first load": 180_000,
    "list": 300,
    "tree: first rows": 1000,
    "tree: longest frame": 100,
    "tree: heap": 30,
    "change": 500,
}

Figures = dict[str, Any]


def run(jobs: int, rounds: int) -> Figures:
    """Measure; times in milliseconds, memory in megabytes (10^6)."""
    toolchain.build()
    sizes = sorted({max(jobs // 100, SHOWN), jobs})
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stores = {size: stack.enter_context(serving_filled(size, folder / str(size))) for size in sizes}
        browsing = stack.enter_context(a_browser())
        return {
            "list": _lists(browsing, stores, folder, rounds * min(VISITS, max(jobs // 1000, 2))),
            "first_load_bytes": {path: _loaded(browsing, stores[jobs], path) for path in ("/", "/jobs")},
            "tree": _trees(browsing, folder, min(TREE, max(jobs // 10, 16)), rounds),
            "change": _changes(browsing, stores[jobs], min(SHOWN, max(jobs // 100, 2)), rounds),
            "viewer": _viewer(browsing, stores[jobs]),
            "hour": _hour(browsing, stores[jobs], min(HOUR_S * HOURS_RATE, jobs)),
        }


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    return [("", "measured", "budget", "beside it"), *_list_rows(figures), *_tree_rows(figures), *_live_rows(figures)]


# -- the list


def _lists(browsing: Browsing, stores: dict[int, Filled], folder: Path, visits: int) -> Figures:
    with serving_flower(folder, min(FLOWERS_TASKS, max(stores))) as flower:
        places = {str(size): (_url(store.api.port), "/jobs") for size, store in stores.items()}
        places["Flower"] = (_url(flower.port), "/tasks")
        samples: dict[str, dict[str, list[float]]] = {name: {"first": [], "again": [], "cpu": []} for name in places}
        for number in range(visits + 1):
            for name, (url, path) in places.items():
                with looking(browsing, url, path) as look:
                    found = {"first": look.usable_ms(), "cpu": look.cpu_ms(), "again": look.usable_again_ms()}
                for when, time_ms in found.items() if number else ():
                    samples[name][when].append(time_ms)
    return {name: {when: _spread(times) for when, times in of.items()} for name, of in samples.items()} | {
        "flowers_tasks": min(FLOWERS_TASKS, max(stores))
    }


def _loaded(browsing: Browsing, store: Filled, path: str) -> int:
    """Bytes of a first load, as they came over the network: the document and its files, without the API's answers."""
    with looking(browsing, _url(store.api.port), path) as look:
        look.page.get_by_role("heading", level=1).wait_for()
        look.settle()
        loaded: int = look.page.evaluate("probe.loaded()")
        return loaded


def _list_rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    for path, size in figures["first_load_bytes"].items():
        yield (f"first load of {path}", f"{size / 1000:.1f} kB", f"{BUDGETS['first load'] / 1000:.0f} kB", "")
    lists = dict(figures["list"])
    tasks, flower = lists.pop("flowers_tasks"), lists.pop("Flower")
    for when in ("first", "again"):
        for size, of in lists.items():
            beside = f"Flower, {tasks:,} tasks: {_times(flower[when])} ms"
            name = f"list at {int(size):,} jobs, {when}: usable"
            yield (name, f"{_times(of[when])} ms", f"{BUDGETS['list']} ms", beside)
    for size, of in lists.items():
        name = f"list at {int(size):,} jobs, first: the page's CPU time"
        yield (name, f"{_times(of['cpu'])} ms", "", f"Flower: {_times(flower['cpu'])} ms")


# -- the tree


def _trees(browsing: Browsing, folder: Path, jobs: int, rounds: int) -> Figures:
    width = math.isqrt(jobs)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(EmbeddedRedis(folder / "tree"))
        ours = trees.Tracked(server, folder, stack)
        root = ours.finished(width)
        graph = _url(stack.enter_context(serving_graph(folder)).port)
        places = {
            "tree": (ours.url, f"/jobs/{root}/tree?fold=off"),
            "graph": (graph, f"/?width={width}"),
            "graph, all": (graph, f"/?width={width}&all"),
        }
        samples: dict[str, list[dict[str, float]]] = {}
        for _ in range(rounds):
            for name, (url, path) in places.items():
                samples.setdefault(name, []).append(_tree(browsing, url, path))
            samples.setdefault("nothing", []).append(_nothing(browsing, graph))
    return {name: _medians(of) for name, of in samples.items()} | {"jobs": width * width}


def _tree(browsing: Browsing, url: str, path: str) -> dict[str, float]:
    with looking(browsing, url, path) as look:
        first_ms = look.usable_ms()
        look.settle()
        memory = look.memory()
        return {"first_ms": first_ms, **memory, **look.scroll(), "heap_scrolled_mb": look.memory()["heap_mb"]}


def _nothing(browsing: Browsing, url: str) -> dict[str, float]:
    """A page that only is tall: what the machine makes of scrolling at that time."""
    with looking(browsing, url, "/tall.html") as look:
        return look.scroll()


def _tree_rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    tree = dict(figures["tree"])
    jobs, nothing = tree.pop("jobs"), tree.pop("nothing")
    ours, graph, whole = tree["tree"], tree["graph"], tree["graph, all"]
    head = f"tree of {jobs:,}"
    beside = f"node graph {graph['first_ms']:,.0f} ms, all of it in sight {whole['first_ms']:,.0f} ms"
    yield (f"{head}: first rows", f"{ours['first_ms']:,.0f} ms", f"{BUDGETS['tree: first rows']} ms", beside)
    others = (graph["longest_ms"], whole["longest_ms"], nothing["longest_ms"])
    beside = "node graph {:,.0f} ms, all of it {:,.0f} ms; an empty page {:,.0f} ms".format(*others)
    yield (
        f"{head}: longest frame",
        f"{ours['longest_ms']:,.0f} ms",
        f"{BUDGETS['tree: longest frame']} ms",
        beside,
    )
    beside = "node graph {:.1f} ms, all of it {:.1f} ms; an empty page {:.1f} ms".format(
        *(of["cpu_ms_a_frame"] for of in (graph, whole, nothing))
    )
    yield (f"{head}: CPU time of a frame", f"{ours['cpu_ms_a_frame']:.1f} ms", "", beside)
    beside = f"node graph {graph['heap_mb']:.1f} MB, all of it {whole['heap_mb']:.1f} MB"
    yield (f"{head}: heap", f"{ours['heap_mb']:.1f} MB", f"{BUDGETS['tree: heap']} MB", beside)


# -- changes


def _changes(browsing: Browsing, store: Filled, shown: int, rounds: int) -> Figures:
    """How long after it was reported a change of status is on the screen."""
    times: list[float] = []
    with _writing(store) as writer:
        for _ in range(rounds):
            ids = [f"shown-{time.monotonic_ns()}-{n}" for n in range(shown)]
            for job_id in ids:
                writer.create(_new(job_id))
            with looking(browsing, _url(store.api.port), "/jobs") as look:
                look.usable_ms()
                source = wait_for_stream(look.page)
                times += _seen_after(look, writer, ids)
    return {"source": source, **_spread(times)}


def _new(job_id: str) -> NewJob:
    names = {"name": "a job", "type": "report", "task": "report", "priority": "normal"}
    return NewJob(id=job_id, fields={**names, "queued": now_ms(), "run": 1})


def _seen_after(look: Look, writer: JobStore, ids: list[str]) -> list[float]:
    dice = random.Random(1)
    reported: dict[str, float] = {}
    for event, word in ((Event.START, "running"), (Event.COMPLETE, "completed")):
        for job_id in ids:
            look.page.wait_for_timeout(dice.expovariate(1 / BETWEEN_S) * 1000)
            look.page.evaluate("([id, word]) => probe.await(id, word)", [job_id, word])
            reported[f"{job_id} {word}"] = time.time() * 1000
            writer.apply(event, job_id, run=1, attempt=0, execution=job_id)
    seen = look.seen(len(reported))
    return [seen[name] - at for name, at in reported.items()]


def _viewer(browsing: Browsing, store: Filled) -> Figures:
    """What one page that shows the list costs the API while jobs come, in percent of a core."""
    assert store.api.pid is not None
    with _writing(store) as writer:
        alone = _api_percent(store.api.pid, lambda: change(writer, {}, WATCHED_S))
        with looking(browsing, _url(store.api.port), "/jobs") as look:
            look.usable_ms()
            source = wait_for_stream(look.page)
            asked: list[str] = []
            look.page.on("request", lambda request: asked.append(request.url))
            watched = _api_percent(store.api.pid, lambda: change(writer, {}, WATCHED_S))
            look.settle()
    return {
        "source": source,
        "alone_percent": alone,
        "watched_percent": watched,
        "asked_per_s": round(len(asked) / WATCHED_S, 1),
    }


def _api_percent(pid: int, work: Callable[[], None]) -> float:
    before, began = cpu.of_process(pid), time.monotonic()
    work()
    return round(100 * (cpu.of_process(pid) - before) / (time.monotonic() - began), 2)


def _hour(browsing: Browsing, store: Filled, changes: int) -> Figures:
    """The memory of a page that shows the list, before, at half of and after so many changes."""
    plan = Plan(jobs=changes // 3, open_share=0, span_ms=60_000, seed=1)
    calls = list(itertools.chain.from_iterable(courses(plan)))
    found: list[dict[str, float]] = []
    asked: list[str] = []
    with _writing(store) as writer, looking(browsing, _url(store.api.port), "/jobs") as look:
        look.usable_ms()
        source = wait_for_stream(look.page)
        look.settle()
        look.page.on("request", lambda request: asked.append(request.url))
        found.append(look.memory())
        began = time.monotonic()
        for n, call in enumerate(calls, start=1):
            call.make(writer)
            if n % max(len(calls) // LOOKS, 1) == 0:
                look.page.keyboard.press(".")
            if n in (len(calls) // 2, len(calls)):
                look.settle()
                found.append(look.memory())
            if (wait_s := began + n / SENT_RATE - time.monotonic()) > 0.01:
                look.page.wait_for_timeout(wait_s * 1000)
        took_s = time.monotonic() - began
    before, half, after = found
    return {
        "source": source,
        "changes": len(calls),
        "took_s": round(took_s, 1),
        "asked": len(asked),
        "before": before,
        "half": half,
        "after": after,
    }


def _live_rows(figures: Figures) -> Iterator[tuple[str, ...]]:
    change, viewer, hour = figures["change"], figures["viewer"], figures["hour"]
    yield (
        f"a change is on the screen after ({change['source']})",
        f"{_times(change)} ms",
        f"{BUDGETS['change']} ms",
        "",
    )
    yield (
        f"one page on the list, {CHANGES_PER_S} changes/s ({viewer['source']})",
        f"{viewer['watched_percent']:.1f} % of the API's core, {viewer['asked_per_s']} requests/s",
        "",
        f"nobody: {viewer['alone_percent']:.1f} %",
    )
    heaps = " → ".join(f"{hour[when]['heap_mb']:.1f}" for when in ("before", "half", "after"))
    nodes = " → ".join(f"{hour[when]['nodes']:,.0f}" for when in ("before", "half", "after"))
    yield (
        f"heap before, at half of and after {hour['changes']:,} changes ({hour['source']})",
        f"{heaps} MB",
        "",
        f"{nodes} nodes; in {hour['took_s']:.0f} s, {hour['asked']:,} requests",
    )


# -- all


@contextlib.contextmanager
def _writing(store: Filled) -> Iterator[JobStore]:
    with connect(store.server.url, timeout_s=10) as client:
        yield JobStore(client, store.keys)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _spread(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "p50_ms": round(statistics.median(ordered), 1),
        "p95_ms": round(ordered[math.ceil(0.95 * len(ordered)) - 1], 1),
    }


def _times(of: dict[str, float]) -> str:
    return f"{of['p50_ms']:,.0f} / {of['p95_ms']:,.0f}"


def _medians(samples: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(each[name] for each in samples), 2) for name in samples[0]}
