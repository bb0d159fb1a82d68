"""What it costs to say who asks: requests with an API key beside requests without one.

One API process has a store without keys, another one a store with a key. Both are on one Redis, and asked in turns.
The processor's time is that of the API process.
"""

import contextlib
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx

from bench import cpu
from bench.serving import Connection, serving_api
from jobtracker.connection.client import connect
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.schemas.api_keys import Grant
from jobtracker.schemas.job_types import JobType
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import Keys

TITLE = "so many requests of each kind with an API key and without one"
SIZE = 2_000
_TURNS = 10
"""The requests of a kind are asked in so many parts, in turns."""
_JOBS = 50
_TYPE = "bench.noop"

Figures = dict[str, dict[str, float]]


def run(requests: int, rounds: int) -> Figures:
    """Measure; of each kind of request milliseconds of CPU for 1000, and those with a key by those without."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(EmbeddedRedis(folder / "redis", config={"appendonly": "no"}))
        client = stack.enter_context(connect(server.url, 5))
        asked: dict[str, tuple[Connection, httpx.Client]] = {}
        for name in ("without", "with"):
            Registry(client, Keys(name)).announce(JobType(name=_TYPE, task=_TYPE))
            headers = {}
            if name == "with":
                key = ApiKeys(client, Keys(name)).create(Grant(owner="bench", role="operator")).key
                headers["Authorization"] = f"Bearer {key}"
            api = stack.enter_context(serving_api(server, name, folder, API_RATE_PER_S="1000000"))
            url = f"http://127.0.0.1:{api.port}"
            asked[name] = api, stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=60))
        return _measure(asked, max(requests // _TURNS, 1), rounds)


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    head = ("", "without, ms of CPU for 1000", "with a key", "ratio")
    return [
        head,
        *((kind, f"{f['without']:,.0f}", f"{f['with']:,.0f}", f"{f['ratio']:.2f}") for kind, f in figures.items()),
    ]


def _measure(asked: dict[str, tuple[Connection, httpx.Client]], requests: int, rounds: int) -> Figures:
    jobs = {name: [_create(http) for _ in range(_JOBS)] for name, (_, http) in asked.items()}
    kinds: dict[str, Callable[[str, httpx.Client], object]] = {
        "a job": lambda name, http: _ok(http.get(f"/api/jobs/{jobs[name][0]}")),
        "a list of 50 jobs": lambda _, http: _ok(http.get("/api/jobs/", params={"page_size": _JOBS})),
        "a create": lambda _, http: _create(http),
    }
    found: Figures = {}
    for kind, ask in kinds.items():
        spent: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(rounds):
            sums = dict.fromkeys(asked, 0.0)
            for turn in range(_TURNS):
                for name in asked if turn % 2 else reversed(asked):
                    api, http = asked[name]
                    assert api.pid is not None
                    before = cpu.of_process(api.pid)
                    for _ in range(requests):
                        ask(name, http)
                    sums[name] += cpu.of_process(api.pid) - before
            for name, seconds in sums.items():
                spent[name].append(seconds * 1e6 / (requests * _TURNS))
        ratio = statistics.median(w / o for w, o in zip(spent["with"], spent["without"], strict=True) if o)
        found[kind] = {**{name: round(statistics.median(each), 1) for name, each in spent.items()}, "ratio": ratio}
    return found


def _create(http: httpx.Client) -> str:
    return str(_ok(http.post("/api/jobs/", json={"job_type": _TYPE})).json()["id"])


def _ok(answer: httpx.Response) -> httpx.Response:
    if answer.status_code not in {200, 201}:
        raise RuntimeError(f"{answer.status_code}: {answer.text[:500]}")
    return answer
