"""Reading figures: how many jobs there are, how they did, what happened when."""

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgpack
from redis.client import NEVER_DECODE

from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import Priority, Status
from jobtracker.schemas.stats import Durations, FlowPoint, JobCount, Performance
from jobtracker.store.flow_series import counts_of
from jobtracker.store.functions import batched
from jobtracker.store.histograms import Histogram, Settled
from jobtracker.store.job_reader import JobReader
from jobtracker.store.queue_series import SERIES, AtQueue
from jobtracker.store.schema import JobRecord

HOUR_MS = 3_600_000
MINUTE_MS = 60_000

_COUNTED = 50
"""Kinds of jobs that one call counts, each in one moment: the server has others to serve meanwhile."""

# There may be hundreds of counts, and to call an enum takes four times as long as to look it up.
_STATUSES = {each.value: each for each in Status}
_PRIORITIES = {each.value: each for each in Priority}


class MetricsReader(JobReader):
    """Reads counters and time series."""

    def counts(self) -> list[JobCount]:
        """The exact number of jobs for each status, priority and type that there is.

        All statuses of one priority and type are counted in one moment, those of others a moment later.
        """
        counts = []
        found: list[dict[str, int]] = []
        calls: list[tuple[str, list[str | int]]] = [(p("kinds"), [p.prefix, _COUNTED]) for p in self.parts]
        while calls:
            answers = self._functions.begin(self.client, "count_jobs", calls).answers(decoded=False)
            unpacked = [msgpack.unpackb(answer, unicode_errors="replace") for answer in answers]
            found += [dict(zip(each[::2], each[1::2], strict=True)) for each, _ in unpacked]
            calls = [
                (key, [prefix, most, *some])
                for (key, (prefix, most, *_)), (_, left) in zip(calls, unpacked, strict=True)
                for some in batched(left, _COUNTED)
            ]
        for name, value in _sum(found).items():
            status, priority, job_type = name.split(":", 2)
            if status in _STATUSES and priority in _PRIORITIES:  # others are of a newer release
                counts.append(JobCount(_STATUSES[status], _PRIORITIES[priority], job_type, value))
        return counts

    def last_settled(self, since_ms: int, kinds: Sequence[JobCount], most: int) -> list[JobRecord]:
        """Some of the jobs that came to a status at a time or later: of each kind those that did last.

        Args:
            since_ms: The time.
            kinds: Statuses, priorities and types. If there are too many, some of them are looked at, by chance.
            most: So many records are read.
        """
        indexes = [
            part("entered", each.status, each.priority, each.job_type) for part in self.parts for each in kinds
        ]
        if len(indexes) > most:
            indexes = random.sample(indexes, most)
        pipe = self.client.pipeline(transaction=False)
        for index in indexes:
            pipe.zrange(index, "+inf", str(since_ms), desc=True, byscore=True, offset=0, num=most // len(indexes))
        return [record for record in self.records(chain.from_iterable(pipe.execute())) if record.is_settled]

    def performance(self, since_ms: int, until_ms: int, job_types: Iterable[str]) -> dict[str, Performance]:
        """How each type's jobs did that settled in a window of whole hours; the key "" is all types together."""
        hours = range(since_ms // HOUR_MS, until_ms // HOUR_MS + 1)
        job_types = list(job_types)
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts if job_types else []:
            names = [part("settled", hour, job_type) for job_type in job_types for hour in hours]
            pipe.execute_command("MGET", *names, **{NEVER_DECODE: True})
        by_type: dict[str, list[bytes | None]] = {job_type: [] for job_type in job_types}
        for answers in pipe.execute():
            for n, job_type in enumerate(job_types):
                by_type[job_type] += answers[n * len(hours) : (n + 1) * len(hours)]
        by_type[""] = list(chain.from_iterable(by_type.values()))
        return {job_type: performance_of(strings) for job_type, strings in by_type.items()}

    def series(
        self, since_ms: int, until_ms: int, bucket_hours: int, job_types: Iterable[str]
    ) -> dict[str, list[Performance]]:
        """The same in buckets of some hours each, from the hour of `since_ms` on; each type is read by itself."""
        hours = range(since_ms // HOUR_MS, until_ms // HOUR_MS + 1)
        by_type = {}
        for job_type in job_types:
            pipe = self.client.pipeline(transaction=False)
            for part in self.parts:
                names = [part("settled", hour, job_type) for hour in hours]
                pipe.execute_command("MGET", *names, **{NEVER_DECODE: True})
            answers: list[list[bytes | None]] = pipe.execute()
            firsts = range(0, len(hours), bucket_hours)
            by_type[job_type] = [
                performance_of(chain.from_iterable(strings[n : n + bucket_hours] for strings in answers))
                for n in firsts
            ]
        return by_type

    def throughput(self, since_ms: int, until_ms: int, bucket_minutes: int) -> list[FlowPoint]:
        """What happened up to `until_ms`, in buckets of whole minutes: from the one that holds `since_ms`, all of it.

        Buckets are counted from the epoch, and those in which nothing happened are there too.
        """
        bucket_ms = bucket_minutes * MINUTE_MS
        first = since_ms // bucket_ms
        hours = range(first * bucket_ms // HOUR_MS, until_ms // HOUR_MS + 1)
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            for hour in hours:
                pipe.execute_command("GET", part("flow", hour), **{NEVER_DECODE: True})
        points: list[dict[str, Any]] = [
            {"at": from_ms(b * bucket_ms)} for b in range(first, until_ms // bucket_ms + 1)
        ]
        for hour, series in zip([*hours] * len(self.parts), pipe.execute(), strict=True):
            for minute, what, count in counts_of(series or b""):
                at = hour * HOUR_MS + minute * MINUTE_MS
                bucket = at // bucket_ms - first
                if 0 <= bucket < len(points) and at <= until_ms:
                    points[bucket][what] = points[bucket].get(what, 0) + count
        return [FlowPoint.model_validate(point) for point in points]

    def at_queues(self, queues: Sequence[str], slots: Sequence[int]) -> dict[str, list[AtQueue]]:
        """What happened at each queue in each slot (`queue_series.SLOT_MS`), counted from the epoch."""
        if not queues or not slots:
            return {queue: [] for queue in queues}
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            for queue in queues:
                names = [part(name, slot, queue) for name in SERIES for slot in slots]
                pipe.execute_command("MGET", *names, **{NEVER_DECODE: True})
        answers = pipe.execute()
        found = {}
        for n, queue in enumerate(queues):
            by_name = batched(list(zip(*answers[n :: len(queues)], strict=True)), len(slots))
            found[queue] = [AtQueue.of(*each) for each in zip(*by_name, strict=True)]
        return found


def performance_of(strings: Iterable[bytes | None]) -> Performance:
    """The figures of some strings of the store (`keys.PREFIXES["settled"]`) together; None: one is not there."""
    totals, wait, run = Settled.of(strings)
    tried = totals["completed"] + totals["failed"]
    count = tried + totals["cancelled"]
    return Performance(
        count=count,
        completed=totals["completed"],
        failed=totals["failed"],
        cancelled=totals["cancelled"],
        deliveries=count + totals["deliveries"],  # the store keeps those beyond one of each job
        redeliveries=totals["redeliveries"],
        double_runs=totals["double_runs"],
        wasted_s=totals["wasted_ms"] / 1000,
        success_rate=totals["completed"] / tried if tried else None,
        wait=_durations(wait),
        run=_durations(run),
    )


def _durations(histogram: Histogram) -> Durations:
    return Durations(
        p50_s=_seconds(histogram.quantile(0.50)),
        p95_s=_seconds(histogram.quantile(0.95)),
        p99_s=_seconds(histogram.quantile(0.99)),
        mean_s=_seconds(histogram.mean_ms),
        max_s=_seconds(histogram.max_ms if histogram.count else None),
    )


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else round(ms / 1000, 6)


def _sum(counters: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counters of several partitions as one."""
    total: dict[str, int] = {}
    for each in counters:
        for name, value in each.items():
            total[name] = total.get(name, 0) + value
    return total
