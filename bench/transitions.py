"""What the store's verbs cost the server: many at once, and one at a time, beside a function that does nothing.

Many at once: the calls are packed before, sent together on one connection, and their answers not looked at. One at a
time: as a hook makes them. The empty call has the same arguments, and an answer of the same form; the two take turns.
CPU times are the server's own (INFO). It keeps no append-only file, as redis-server without a configuration; one
further round has one.
"""

import contextlib
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.filling import Plan, courses
from bench.pipelining import NotSentError, Packer, send
from jobtracker.connection.client import RedisClient, connect
from jobtracker.core.lifecycle import Status
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.store.changes import NewJob
from jobtracker.store.functions import Library
from jobtracker.store.keys import Keys
from jobtracker.store.writer import JobStore

TITLE = "calls of the store, each of them for that many jobs"
SIZE = 20_000
COURSE = ("create", "start", "end")
SETTLE = "settle"
VERBS = (*COURSE, SETTLE)
FAMILY = 100
"""Sub-jobs of each parent, which is told of them."""
ONE_OF = 20
"""Of so many jobs one has its calls made one at a time."""

Figures = dict[str, dict[str, float]]
Call = Callable[[JobStore], Any]


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
    head = ("", "at once per s", "CPU µs", "empty", "with AOF", "round trip µs", "empty", "ratio", "round trips")
    body = [
        (
            verb,
            f"{found['per_second']:,.0f}",
            f"{found['cpu_us']:.1f}",
            f"{found['empty_cpu_us']:.1f}",
            f"{found['cpu_us_with_aof']:.1f}",
            f"{found['round_trip_us']:.0f}",
            f"{found['empty_round_trip_us']:.0f}",
            f"{found['ratio']:.2f}",
            f"{found['round_trips']:.2f}",
        )
        for verb, found in figures.items()
    ]
    return [head, *body]


class _Empty(Library):
    """The store's verbs, but that they do nothing."""

    ANSWERS = (
        ("create", "'applied'"),
        ("transition", "'applied pending running 1 0 0 0 0 0 0 0'"),
        ("notify_parent", "{'waiting', '', 1, 'pending'}"),
    )

    def __init__(self) -> None:
        super().__init__([])
        functions = [f"redis.register_function('bench_{v}', function() return {a} end)" for v, a in self.ANSWERS]
        self.name = "bench"
        self.source = "\n".join(["#!lua name=bench", *functions])


def _empty(store: JobStore) -> JobStore:
    empty = copy.copy(store)
    empty._functions = _Empty()  # noqa: SLF001 (the same calls, of a verb that does nothing)
    return empty


def _rounds(jobs: int, rounds: int, config: dict[str, str]) -> Iterator[Figures]:
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedRedis(Path(folder), config=config) as server,
        connect(server.url, timeout_s=60) as client,
    ):
        _Empty().load(client)
        for number in range(rounds + 1):
            at_once = _at_once(client, server.port, jobs, number)
            one_by_one = _one_by_one(client, max(jobs // ONE_OF, FAMILY), number)
            if number > 0:  # the first one warms up
                yield {verb: at_once[verb] | one_by_one[verb] for verb in VERBS}


def _at_once(client: RedisClient, port: int, jobs: int, number: int) -> Figures:
    store, calls = _prepared(client, Keys(f"at-once-{number}"), jobs, number)
    packer = Packer()
    packing = JobStore(packer, store.keys)
    figures: Figures = {verb: {} for verb in VERBS}
    for verb in VERBS:
        for prefix, each in (("empty_", _empty(packing)), ("", packing)):
            for call in calls[verb]:
                with contextlib.suppress(NotSentError):
                    call(each)
            commands = packer.take()
            cpu_s, began = _cpu_s(client), time.perf_counter()
            send(port, commands)
            took_s = time.perf_counter() - began
            figures[verb][f"{prefix}cpu_us"] = (_cpu_s(client) - cpu_s) / jobs * 1e6
            figures[verb][f"{prefix}per_second"] = jobs / took_s
    return figures


def _one_by_one(client: RedisClient, jobs: int, number: int) -> Figures:
    store, calls = _prepared(client, Keys(f"one-by-one-{number}"), jobs, number)
    empty = _empty(store)
    took_ns: dict[str, list[tuple[int, int]]] = {verb: [] for verb in VERBS}
    messages = _messages(client)
    for course in zip(*(calls[verb] for verb in VERBS), strict=True):
        for verb, call in zip(VERBS, course, strict=True):
            began = time.perf_counter_ns()
            call(empty)
            between = time.perf_counter_ns()
            call(store)
            took_ns[verb].append((between - began, time.perf_counter_ns() - between))
    per_call = (_messages(client) - messages - 1) / (2 * jobs * len(VERBS))  # but for the question itself
    figures: Figures = {}
    for verb, pairs in took_ns.items():
        of_empty, of_verb = (statistics.median(values) / 1000 for values in zip(*pairs, strict=True))
        times = {"round_trip_us": of_verb, "empty_round_trip_us": of_empty, "ratio": of_verb / of_empty}
        figures[verb] = {**times, "round_trips": per_call}
    return figures


def _prepared(client: RedisClient, keys: Keys, jobs: int, seed: int) -> tuple[JobStore, dict[str, list[Call]]]:
    """A store with parents for as many jobs, and the calls of each verb."""
    store = JobStore(client, keys)
    by_job = list(courses(Plan(jobs=jobs, open_share=0, seed=seed)))
    calls: dict[str, list[Call]] = {}
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
    store.notify_parent(parent, sub, 1, Status.COMPLETED)


def _cpu_s(client: RedisClient) -> float:
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


def _messages(client: RedisClient) -> int:
    """How often the server has read from a connection; a call that was sent alone is one."""
    return int(client.info("stats")["total_reads_processed"])
