"""What the store's verbs cost the server: many at once, and one at a time, beside a function that does nothing.

Many at once: the calls are packed before, sent together on one connection, and their answers not looked at. One at a
time: as a hook makes them, in turns with the empty call. CPU times are the server's own (INFO). It keeps no
append-only file, as redis-server without a configuration; one further round has one.
"""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.filling import Plan, courses
from bench.pipelining import NotSentError, Packer, send
from jobtracker.connection import RedisClient, connect
from jobtracker.embedded import EmbeddedRedis
from jobtracker.keys import Keys
from jobtracker.lifecycle import Status
from jobtracker.scripts import Library
from jobtracker.store import JobStore, NewJob

TITLE = "calls of the store, each of them for that many jobs"
SIZE = 20_000
EMPTY, SETTLE = "empty call", "settle"
COURSE = ("create", "start", "end")
VERBS = (EMPTY, *COURSE, SETTLE)
FAMILY = 100
"""Sub-jobs of each parent, which is told of them."""
ONE_OF = 20
"""Of so many jobs one has its calls made one at a time."""

Figures = dict[str, dict[str, float]]
Call = Callable[[JobStore], Any]
"""Calls a verb, or begins to: then it returns what is to be called for the answer."""


def run(jobs: int, rounds: int) -> Figures:
    """Measure; rates in calls per second, times in microseconds per call. The transitions: create, start, end."""
    measured = list(_rounds(jobs, rounds, {"appendonly": "no"}))
    with_aof = next(_rounds(jobs, 1, {"appendonly": "yes"}))
    figures: Figures = {
        verb: {name: statistics.median(found[verb][name] for found in measured) for name in measured[0][verb]}
        for verb in VERBS
    }
    for verb in VERBS:
        figures[verb]["cpu_us_with_aof"] = with_aof[verb]["cpu_us"]
    each = [figures[verb] for verb in COURSE]
    figures["transitions"] = {name: statistics.mean(found[name] for found in each) for name in each[0]}
    figures["transitions"]["per_second"] = statistics.harmonic_mean(found["per_second"] for found in each)
    return figures


def rows(figures: Figures) -> list[tuple[str, ...]]:
    """The figures as a table, its head first."""
    head = (
        "",
        "at once, per s",
        "server's CPU, µs",
        "with AOF, µs",
        "round trip, µs",
        "of the empty call's",
        "commands",
    )
    empty_us = figures[EMPTY]["round_trip_us"]
    body = [
        (
            verb,
            f"{found['per_second']:,.0f}",
            f"{found['cpu_us']:.1f}",
            f"{found['cpu_us_with_aof']:.1f}",
            f"{found['round_trip_us']:.0f}",
            f"{found['round_trip_us'] / empty_us:.2f}",
            f"{found['round_trips']:.2f}",
        )
        for verb, found in figures.items()
    ]
    return [head, *body]


class _Empty(Library):
    """A verb that does nothing."""

    def __init__(self) -> None:
        self.name = "bench"
        self.source = "#!lua name=bench\nredis.register_function('bench_nothing', function() return 'nothing' end)"

    def call_once(self, store: JobStore) -> None:
        part = store.keys.of("none")
        self.call(store.client, "nothing", part("job", "none"), [part.prefix])


_EMPTY = _Empty()


def _rounds(jobs: int, rounds: int, config: dict[str, str]) -> Iterator[Figures]:
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedRedis(Path(folder), config=config) as server,
        connect(server.url, timeout_s=60) as client,
    ):
        _EMPTY.load(client)
        for number in range(rounds + 1):
            at_once = _at_once(client, server.port, jobs, number)
            one_by_one = _one_by_one(client, max(jobs // ONE_OF, FAMILY), number)
            if number > 0:  # the first one warms up
                yield {verb: at_once[verb] | one_by_one[verb] for verb in VERBS}


def _at_once(client: RedisClient, port: int, jobs: int, number: int) -> Figures:
    store, calls = _prepared(client, Keys(f"at-once-{number}"), jobs, number)
    packer = Packer()
    packing = JobStore(packer, store.keys)
    figures: Figures = {}
    for verb in VERBS:
        for call in calls[verb]:
            with contextlib.suppress(NotSentError):
                call(packing)
        commands = packer.take()
        cpu_s, began = _cpu_s(client), time.perf_counter()
        send(port, commands)
        took_s = time.perf_counter() - began
        figures[verb] = {"per_second": jobs / took_s, "cpu_us": (_cpu_s(client) - cpu_s) / jobs * 1e6}
    return figures


def _one_by_one(client: RedisClient, jobs: int, number: int) -> Figures:
    store, calls = _prepared(client, Keys(f"one-by-one-{number}"), jobs, number)
    took_ns: dict[str, list[int]] = {verb: [] for verb in VERBS}
    messages = _messages(client)
    for course in zip(*(calls[verb] for verb in VERBS), strict=True):
        for verb, call in zip(VERBS, course, strict=True):
            began = time.perf_counter_ns()
            call(store)
            took_ns[verb].append(time.perf_counter_ns() - began)
    per_call = (_messages(client) - messages - 1) / (jobs * len(VERBS))  # but for the question itself
    return {
        verb: {"round_trip_us": statistics.median(values) / 1000, "round_trips": per_call}
        for verb, values in took_ns.items()
    }


def _prepared(client: RedisClient, keys: Keys, jobs: int, seed: int) -> tuple[JobStore, dict[str, list[Call]]]:
    """A store with parents for as many jobs, and the calls of each verb."""
    store = JobStore(client, keys)
    by_job = list(courses(Plan(jobs=jobs, open_share=0, seed=seed)))
    calls: dict[str, list[Call]] = {EMPTY: [_EMPTY.call_once] * jobs}
    for verb, of_verb in zip(COURSE, zip(*by_job, strict=True), strict=True):
        calls[verb] = [call.make for call in of_verb]
    calls[SETTLE] = []
    ids = [course[0].job_id for course in by_job]
    for first in range(0, jobs, FAMILY):
        parent, family = f"parent-{first}", ids[first : first + FAMILY]
        fields: dict[str, str | int] = {"name": "parent", "type": "parent", "priority": "normal", "run": 1}
        store.create(NewJob(id=parent, fields=fields, subs=dict(enumerate(family))))
        calls[SETTLE] += [partial(_tell, parent, sub) for sub in family]
    return store, calls


def _tell(parent: str, sub: str, store: JobStore) -> None:
    store.settle(parent, sub, 1, Status.COMPLETED)


def _cpu_s(client: RedisClient) -> float:
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


def _messages(client: RedisClient) -> int:
    """How often the server has read from a connection; a call that was sent alone is one."""
    return int(client.info("stats")["total_reads_processed"])
