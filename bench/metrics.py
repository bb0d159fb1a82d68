"""What a scrape of `/metrics` costs: of a hundredth, a tenth and all of the jobs, and of few and many types.

Each scrape is found out anew: the API's own answers are kept for some seconds. Messages wait in the broker's queue,
so that their age is looked for too. The look at what needs somebody, which goes on beside scrapes, is not part of it.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from celery import Celery

from bench.cpu import of_server
from bench.filling import TYPES, Plan, fill
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.diagnosis.attention import AttentionDesk
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.queue_desk import QueueDesk
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.runtime import Tracking
from jobtracker.server.metrics.facts import FactFinder
from jobtracker.server.metrics.families import families
from jobtracker.server.metrics.high_water import HighWater
from jobtracker.server.metrics.text import as_text
from jobtracker.settings import Settings
from jobtracker.store.changes import NewJob
from jobtracker.store.keys import MOST_NAMED, Keys

TITLE = "what a scrape takes; that many jobs are the most there are"
SIZE = 1_000_000
INTERVAL_S = 15
"""Between scrapes."""
_TYPES = 50, MOST_NAMED
_SCRAPES = 60
_WAITING = 100


class _NothingNeeded(AttentionDesk):
    """Needs nobody."""

    def latest(self, renew_s: float, old_s: float) -> None:
        """Nothing."""


def run(jobs: int, rounds: int) -> dict[str, dict[str, float]]:
    """Measure; by number of jobs and of types."""
    sizes = sorted({max(jobs // 100, 100), max(jobs // 10, 100), jobs})
    cases = [*((size, len(TYPES)) for size in sizes), *((sizes[0], types) for types in _TYPES)]
    return {f"{size:,} jobs, {types} types": _of_size(size, rounds, types) for size, types in cases}


def rows(figures: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    head = (
        "",
        "ms",
        "of it writing, ms",
        "the API's CPU, ms",
        "server's CPU, ms",
        "% of the server at one in 15 s",
        "lines",
        "growth",
    )
    first = next(iter(figures.values()))
    return [
        head,
        *(
            (
                name,
                f"{of['ms']:.1f}",
                f"{of['writing_ms']:.1f}",
                f"{of['api_ms']:.1f}",
                f"{of['server_ms']:.2f}",
                f"{of['server_percent']:.3f}",
                f"{of['lines']:,.0f}",
                f"{of['ms'] / first['ms']:.2f}",
            )
            for name, of in figures.items()
        ),
    ]


def _of_size(jobs: int, rounds: int, types: int) -> dict[str, float]:
    keys = Keys("bench")
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(Path(folder), config={"appendonly": "no"}) as server:
        fill(server.port, keys, Plan(jobs=jobs))
        settings = Settings.model_validate({"redis_url": server.url, "tracking_namespace": keys.namespace})
        app = Celery("bench", broker=server.url)
        tracking = Tracking.connect(settings, app)
        with tracking.client as client:
            for n in range(types - len(TYPES)):
                _done(tracking, f"type {n}", n)
            for _ in range(_WAITING):
                app.send_task("nobody", queue="celery")
            for part in keys.parts:
                while tracking.store.fold_totals(part)[1]:
                    pass
            inspector = Inspector(tracking)
            finder = FactFinder(inspector, QueueDesk(inspector), _NothingNeeded(inspector))
            measured = [_round(client, finder) for _ in range(rounds)]
    return {name: round(statistics.median(each[name] for each in measured), 3) for name in measured[0]}


def _done(tracking: Tracking, job_type: str, n: int) -> None:
    """Some jobs of a type, with run times of all kinds."""
    for m in range(20):
        job_id, at_ms = f"{n}-{m}", now_ms() - 7_200_000 * (m % 2)
        fields = {"name": job_type, "type": job_type, "task": job_type, "priority": "normal"}
        tracking.store.create(NewJob(id=job_id, fields=fields), at_ms=at_ms)
        tracking.store.apply(Event.ENQUEUE, job_id, at_ms=at_ms)
        tracking.store.apply(Event.START, job_id, at_ms=at_ms + 2**m)
        tracking.store.apply(Event.COMPLETE, job_id, at_ms=at_ms + 2**m + n * m * 10)


def _round(client: Any, finder: FactFinder) -> dict[str, float]:
    high, whole, writing, lines = HighWater(), [], [], 0
    before, began_cpu = of_server(client), time.process_time()
    for _ in range(_SCRAPES):
        began = time.perf_counter()
        facts = finder.find()
        found = time.perf_counter()
        lines = as_text(families(facts, high), openmetrics=True).count(b"\n")
        high.end()
        ended = time.perf_counter()
        whole.append(ended - began)
        writing.append(ended - found)
    api_s = (time.process_time() - began_cpu) / _SCRAPES
    server_s = (of_server(client) - before) / _SCRAPES
    return {
        "ms": statistics.median(whole) * 1000,
        "writing_ms": statistics.median(writing) * 1000,
        "api_ms": api_s * 1000,
        "server_ms": server_s * 1000,
        "server_percent": server_s / INTERVAL_S * 100,
        "lines": lines,
    }
