"""The only reader: jobs, pages, trees, figures. Nothing here writes."""

import copy
import heapq
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import msgpack
from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient, server_ms
from jobtracker.core.clock import from_ms
from jobtracker.core.job import job_and_run_of
from jobtracker.core.lifecycle import SETTLED, Priority, Status
from jobtracker.core.masking import ArgumentRule
from jobtracker.errors import JobNotFoundError
from jobtracker.schemas.filters import JobFilter, Sort
from jobtracker.schemas.history import HistoryEntry, history_of
from jobtracker.schemas.jobs import Job, JobPage, JobSummary, JobTree, LogLine
from jobtracker.schemas.stats import FlowPoint, JobCount, Performance
from jobtracker.store.functions import Library, batched
from jobtracker.store.job_json import failed_page_json, page_json, to_json
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import MOST_QUEUES, Keys, Partition
from jobtracker.store.list_plan import Cursor, Plan, plan
from jobtracker.store.lists import SCAN_BUDGET, Pages, Place
from jobtracker.store.performance import performance_of
from jobtracker.store.records import Row, ask, fetch, read, record_of

_PIECE_BYTES = 1 << 18
"""Of an answer that comes in pieces."""

_BATCH = 500
"""Records that one round trip fetches where there may be many."""

_COUNTED = 50
"""Kinds of jobs that one call counts, each in one moment: the server has others to serve meanwhile."""

_SKEW_MS = 60_000
"""How far the clocks of two machines may be apart."""

Loaded = tuple[dict[str, str], dict[str, str]]
"""A record and its bulky part."""

_NEVER_MS = 1 << 53


class SentQueues(NamedTuple):
    """The queues that jobs were sent to."""

    names: list[str]
    some_left_out: bool
    """There were more of them than are kept: `keys.MOST_QUEUES`."""


_STATUSES = frozenset(Status)
_PRIORITIES = frozenset(Priority)

HOUR_MS = 3_600_000
MINUTE_MS = 60_000


class JobQueries:
    """Reads jobs.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        registry: The job types that workers announced: they say what may be shown.

        check: Called before the first list is read, and again as in `Library`; where it raises none is.

    Attributes:
        parts: The partitions of which lists and figures tell.
    """

    def __init__(
        self,
        client: RedisClient,
        keys: Keys | None = None,
        registry: Registry | None = None,
        *,
        check: Callable[[], None] | None = None,
    ) -> None:
        self.client = client
        self.keys = keys or Keys()
        self.parts = self.keys.parts
        self.registry = registry or Registry(client, self.keys)
        self._verbs = Library(["page", "entries", "counts", "course"], reads_only=True, check=check)
        self._pages = Pages(client, self.keys, self._verbs)

    def within(self, parts: Sequence[Partition]) -> "JobQueries":
        """The same, but that lists and figures tell of these partitions only."""
        within = copy.copy(self)
        within.parts = tuple(parts)
        return within

    def get(self, job_id: str) -> Job:
        """A job with all that is known of it.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        return self.get_many([job_id])[0]

    def get_json(self, job_id: str) -> bytes:
        """The same as JSON.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        return self.loaded_json(*self.load([job_id])[0])

    def loaded_json(self, record: dict[str, str], data: dict[str, str]) -> bytes:
        """The JSON of a job that was read already."""
        return to_json(Job.all_values_of(record, data, self._rule(record)))

    def get_many(self, job_ids: Sequence[str]) -> list[Job]:
        """Jobs in the order of their ids, in one round trip.

        Raises:
            JobNotFoundError: One of them is not there.
        """
        return [Job.from_store(*loaded, self._rule(loaded[0])) for loaded in self.load(job_ids)]

    def load(self, job_ids: Sequence[str], *, missing_ok: bool = False) -> list[Loaded]:
        """The records (`keys.RECORD_FIELDS`, with the id) and bulky parts (`keys.DATA_FIELDS`), in one round trip.

        Raises:
            JobNotFoundError: One of them is not there, unless `missing_ok`: then its record holds the id alone.
        """
        pipe = self.client.pipeline(transaction=False)
        for job_id in job_ids:
            ask(pipe, self.keys, job_id)
            pipe.hgetall(self.keys("data", job_id))
        answers = pipe.execute() if job_ids else []
        found = []
        for job_id, packed, data in zip(job_ids, answers[::2], answers[1::2], strict=True):
            if not packed and not missing_ok:
                raise JobNotFoundError(job_id)
            found.append(({**read(packed), "id": job_id}, data))
        return found

    def _rule(self, record: Mapping[str, str]) -> ArgumentRule | None:
        """What may be shown: of what Celery code sent no more is stored."""
        return self.registry.rule_of(record) if record.get("origin") == "api" and not record.get("masked") else None

    def record(self, job_id: str) -> dict[str, str]:
        """The fields of a record (`keys.RECORD_FIELDS`) and its id.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        [record] = fetch(self.client, self.keys, [job_id])
        if not record:
            raise JobNotFoundError(job_id)
        return {**record, "id": job_id}

    def records(self, job_ids: Sequence[str]) -> list[dict[str, str]]:
        """The records, with their ids, in one round trip; of one that is not there the id alone."""
        found = fetch(self.client, self.keys, job_ids)
        return [{**record, "id": job_id} for job_id, record in zip(job_ids, found, strict=True)]

    def field(self, job_id: str, name: str) -> str | None:
        """One field of a record, None where it is not set or there is no such job."""
        [value] = self.fields([job_id], name)
        return value

    def fields(self, job_ids: Iterable[str], name: str) -> list[str | None]:
        """One field of many records, as `field`, in one round trip."""
        return [record.get(name) for record in fetch(self.client, self.keys, job_ids)]

    def state(self, job_id: str) -> tuple[int, Status] | None:
        """A job's run and status; None where there is no such job, or its status is one of a newer release."""
        [record] = fetch(self.client, self.keys, [job_id])
        return (int(record["run"]), Status(record["status"])) if record.get("status") in _STATUSES else None

    def has_logged(self, job_id: str, at_ms: int, level: str, message: str) -> bool:
        """Whether a line is among the last of a job's log."""
        line = {"at": str(at_ms), "level": level, "message": message}
        return any(fields == line for _, fields in self.client.xrevrange(self.keys("log", job_id), count=100))

    def dropped(self) -> int:
        """How many reports have been given up, ever: of some jobs not all is known."""
        return int(self.client.hget(self.keys("dropped"), "reports") or 0)

    def sub_ids(self, job_id: str) -> list[str]:
        """The ids of a parent's sub-jobs, in order."""
        return list(self.client.zrange(self.keys("subs", job_id), 0, -1))

    def some_subs(self, job_id: str, statuses: Container[str], most: int) -> list[dict[str, str]]:
        """The records, with their ids, of the first sub-jobs with such a status; looks at a bounded number."""
        found: list[dict[str, str]] = []
        for first in range(0, SCAN_BUDGET, _BATCH):
            ids = self.client.zrange(self.keys("subs", job_id), first, first + _BATCH - 1)
            stated = zip(ids, self.fields(ids, "status"), strict=True)
            wanted = [sub for sub, status in stated if status in statuses]
            found += [record for record, _ in self.load(wanted[: most - len(found)], missing_ok=True)]
            if len(found) >= most or len(ids) < _BATCH:
                break
        return [record for record in found if record.get("status") in statuses]

    def untold(self, before_ms: int, most: int) -> list[str]:
        """Ids of jobs of which those who wait for them may not know, since before a time; oldest first."""
        return self._oldest(("untold",), before_ms, most)

    def untold_subs(self, job_id: str) -> list[tuple[str, int, Status]]:
        """The sub-jobs that have settled, or are open again, without their parent knowing: id, run, status.

        Those that are open come first: a parent that hears of the others alone would take all for settled.
        """
        subs = self.sub_ids(job_id)
        pipe = self.client.pipeline(transaction=False)
        pipe.hgetall(self.keys("outcomes", job_id))
        for sub in subs:
            ask(pipe, self.keys, sub)
        outcomes, *records = pipe.execute()
        told = {sub: as_told(outcome) for sub, outcome in outcomes.items()}
        states = [
            (sub, record["run"], record["status"])
            for sub, record in zip(subs, map(read, records), strict=True)
            if record
        ]
        found = [
            (sub, int(run), Status(status))
            for sub, run, status in states
            if status in _STATUSES and told.get(sub) != f"{run}:{status}"
        ]
        news = [each for each in found if SETTLED & {each[2], told.get(each[0], "").partition(":")[2]}]
        return sorted(news, key=lambda each: each[2] in SETTLED)

    def tree(self, job_id: str) -> JobTree:
        """A job with its sub-jobs to any depth: two round trips for each level.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        [(record, data)] = self.load([job_id])
        root = JobTree.from_store(record, data, self._rule(record))
        level = [root]
        while parents := [job for job in level if job.sub_job_counts]:
            pipe = self.client.pipeline(transaction=False)
            for parent in parents:
                pipe.zrange(self.keys("subs", parent.id), 0, -1)
            level = []
            families: list[list[str]] = pipe.execute()
            loaded = iter(self.load([sub for family in families for sub in family], missing_ok=True))
            for parent, family in zip(parents, families, strict=True):
                for _ in family:
                    record, data = next(loaded)
                    if record.get("status"):
                        parent.sub_jobs.append(JobTree.from_store(record, data, self._rule(record)))
                level += parent.sub_jobs
        return root

    def tree_json(self, job_id: str) -> Iterator[bytes]:
        """The same as JSON, in pieces: however large the tree is, some hundred of its jobs are held at a time.

        Raises:
            JobNotFoundError: There is none with that id; at once, not with the first piece.
        """
        return _joined(self._nested([self.load([job_id])]))

    def _nested(self, batches: Iterable[Sequence[Loaded]]) -> Iterator[bytes]:
        comma = b""
        for batch in batches:
            for record, data in batch:
                if not record.get("status"):
                    continue
                yield comma + self.loaded_json(record, data)[:-1] + b',"sub_jobs":['
                if record.get("subs"):
                    yield from self._nested(self._load_subs(record["id"]))
                yield b"]}"
                comma = b","

    def _load_subs(self, job_id: str) -> Iterator[list[Loaded]]:
        key, first = self.keys("subs", job_id), 0
        while ids := self.client.zrange(key, first, first + _BATCH - 1):
            yield self.load(ids, missing_ok=True)
            first += len(ids)
            if len(ids) < _BATCH:
                break

    def families(self, job_id: str) -> dict[str, list[str]]:
        """The sub-jobs' ids of a job and of all below it, in order; parents stand before their sub-jobs."""
        found: dict[str, list[str]] = {}
        level = [job_id]
        while level:
            pipe = self.client.pipeline(transaction=False)
            for parent in level:
                pipe.zrange(self.keys("subs", parent), 0, -1)
            found.update(zip(level, pipe.execute(), strict=True))
            level = [sub for parent in level for sub in found[parent]]
        return found

    def page(
        self, wanted: JobFilter, *, size: int = 50, number: int | None = None, cursor: str | None = None
    ) -> JobPage:
        """One page of a list, by number (from 1) or by cursor.

        Where an index covers the filter the cost does not depend on the number of jobs or the depth of the page,
        and the total is exact. Otherwise the page looks at `SCAN_BUDGET` entries at most, may come back short, and
        has a cursor to go on from.

        Raises:
            BadCursorError: The cursor is none, or of another list.
            UnsupportedSortError: By change of status, without a status.
        """
        rows, about = self._page(wanted, size, number, cursor)
        return JobPage(jobs=[JobSummary.from_record(record_of(row)) for row in rows], **about)

    def page_json(
        self, wanted: JobFilter, *, size: int = 50, number: int | None = None, cursor: str | None = None
    ) -> bytes:
        """The same as the JSON of a `JobPage`."""
        rows, about = self._page(wanted, size, number, cursor)
        return page_json(rows, about)

    def failed_json(
        self, job_type: str | None, *, size: int = 50, number: int | None = None, cursor: str | None = None
    ) -> bytes:
        """The JSON of a `FailedJobPage`: the failed jobs, the latest first, each with its error."""
        rows, about = self._page(JobFilter(status=Status.FAILED, job_type=job_type), size, number, cursor)
        pipe = self.client.pipeline(transaction=False)
        for row in rows:
            pipe.hget(self.keys("data", row.id), "error")
        return failed_page_json(rows, pipe.execute(), about)

    def active_json(self, most: int) -> bytes:
        """The JSON of `ActiveJobs`: jobs that run or are between attempts, the longest in their status first."""
        rows: list[Row] = []
        total = 0
        for status in (Status.RUNNING, Status.RETRYING):
            found, about = self._page(JobFilter(status=status, sort=Sort.STATUS_CHANGED), most, None, None)
            rows += found
            total += about["total"]
        rows.sort(key=lambda row: int(record_of(row)["entered"]))
        return page_json(rows[:most], {"total": total})

    def _page(
        self, wanted: JobFilter, size: int, number: int | None, cursor: str | None
    ) -> tuple[list[Row], dict[str, Any]]:
        """The rows of a page, and what a `JobPage` says beside its jobs."""
        way = plan(wanted)
        if wanted.sent_by is not None:
            way = self._while_sending(way, wanted.sent_by)
        start = Cursor.read(cursor, way) if cursor else None
        place, skip = (Place(start.score, start.id), start.skip) if start else (None, ((number or 1) - 1) * size)
        rows, total, last, left, _ = self._pages.find(self.parts, way, size, place, skip)
        following = None
        if last:
            following = Cursor(signature=way.signature, score=last.score, id=last.id, skip=left).write()
        return rows, {
            "total": total,
            "page": None if cursor else number or 1,
            "page_size": size,
            "next_cursor": following,
        }

    def _while_sending(self, way: Plan, sender: str) -> Plan:
        """Look for what a job has sent only among the jobs that came to be from its creation to its end."""
        [record] = fetch(self.client, self.keys, [sender])
        if not record:
            return way
        finished = record.get("finished")
        return way.created_between(int(record["created"]) - _SKEW_MS, int(finished) + _SKEW_MS if finished else None)

    def counts(self) -> list[JobCount]:
        """The exact number of jobs for each status, priority and type that there is.

        All statuses of one priority and type are counted in one moment, those of others a moment later.
        """
        counts = []
        found: list[dict[str, int]] = []
        calls: list[tuple[str, list[str | int]]] = [(p("kinds"), [p.prefix, _COUNTED]) for p in self.parts]
        while calls:
            answers = self._verbs.begin(self.client, "counts", calls).answers(decoded=False)
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
                counts.append(JobCount(Status(status), Priority(priority), job_type, value))
        return counts

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
                pipe.hgetall(part("flow", hour))
        points: list[dict[str, Any]] = [
            {"at": from_ms(b * bucket_ms)} for b in range(first, until_ms // bucket_ms + 1)
        ]
        for hour, series in zip([*hours] * len(self.parts), pipe.execute(), strict=True):
            for name, value in series.items():
                minute, what = name.split(":")
                at = hour * HOUR_MS + int(minute) * MINUTE_MS
                bucket = at // bucket_ms - first
                if 0 <= bucket < len(points) and at <= until_ms:
                    points[bucket][what] = points[bucket].get(what, 0) + int(value)
        return [FlowPoint.model_validate(point) for point in points]

    def log(self, job_id: str, *, after: str | None = None, most: int = 1000) -> list[LogLine]:
        """The last lines of a job's own log, oldest first; or the first ones behind the line of that id."""
        key = self.keys("log", job_id)
        if after is None:
            entries = self.client.xrevrange(key, count=most)[::-1]
        else:
            entries = self.client.xrange(key, min=f"({after}", count=most)
        return [LogLine.model_validate({**line, "id": id_, "at": from_ms(line["at"])}) for id_, line in entries]

    def history(self, job_id: str) -> list[HistoryEntry]:
        """The course of a job, oldest first; of what the record does not say the last hundred entries.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        call = self.keys("job", job_id), [self.keys.of(job_id).prefix, job_id]
        [answer] = self._verbs.begin(self.client, "course", [call]).answers(decoded=False)
        packed, kept = msgpack.unpackb(answer, raw=True)
        if not packed:
            raise JobNotFoundError(job_id)
        return history_of(read(packed), kept)

    def entered_before(self, status: Status, before_ms: int, offset: int, most: int) -> list[str]:
        """Ids of jobs that came to a status before a time, the oldest first."""
        return [job_id for job_id, _ in self.entered_between(status, 0, before_ms, offset, most)]

    def entered_between(
        self, status: Status, since_ms: int, before_ms: int, offset: int, most: int
    ) -> list[tuple[str, int]]:
        """Jobs that came to a status at a time or later, and before another: ids, and when (ms); the oldest first."""
        index = ("entered", status, "", "")
        places = self._pages.oldest(self.parts, index, str(since_ms), before_ms, offset, most)
        return [(place.id, int(place.score)) for place in places]

    def _oldest(self, index: tuple[str, ...], before_ms: int, most: int, offset: int = 0) -> list[str]:
        """Ids of an index that is scored by times, of those before a time, the oldest first."""
        if len(self.parts) == 1:
            key, end = self.parts[0](*index), f"({before_ms}"
            return list(self.client.zrange(key, "-inf", end, byscore=True, offset=offset, num=most))
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.zrange(
                part(*index), "-inf", f"({before_ms}", byscore=True, withscores=True, offset=0, num=offset + most
            )
        merged = heapq.merge(*pipe.execute(), key=lambda entry: (entry[1], entry[0]))
        return [job_id for job_id, _ in islice(merged, offset, offset + most)]

    def unconfirmed(self, before_ms: int, most: int) -> list[str]:
        """Task ids that were recorded as sent before a time, and whose sender has not said so since; oldest first."""
        return self._oldest(("unconfirmed",), before_ms, most)

    def unanswered(self, most: int) -> list[str]:
        """Jobs that were taken for lost while Celery's result backend did not answer; oldest first."""
        return self._oldest(("unanswered",), _NEVER_MS, most)

    def are_unconfirmed(self, task_ids: Sequence[str]) -> set[str]:
        """Those of the runs whose sender has not said yet that they were sent."""
        return self._among("unconfirmed", task_ids)

    def unsent(self, before_ms: int, most: int) -> list[str]:
        """Task ids that have waited since before a time for somebody to send them; oldest first."""
        return self._oldest(("unsent",), before_ms, most)

    def expiring(self, before_ms: int, most: int) -> list[str]:
        """Ids of jobs that are not started after a time before this one, and may not have settled; oldest first."""
        return self._oldest(("expiring",), before_ms, most)

    def server_ms(self) -> int:
        """The time by the server's clock: what is overdue does not depend on whose clock is wrong."""
        return server_ms(self.client, self.keys.parts[0]("probe"))

    def drafts(self, most: int) -> list[str]:
        """The roots of trees that are decided on and not recorded to the end, oldest first."""
        return self._oldest(("drafts",), 2**53, most)

    def are_unsent(self, task_ids: Sequence[str]) -> set[str]:
        """Those of the runs that wait for somebody to send them."""
        return self._among("unsent", task_ids)

    def _among(self, index: str, task_ids: Sequence[str]) -> set[str]:
        shares = self.keys.share_out(task_ids, lambda task_id: job_and_run_of(task_id)[0])
        pipe = self.client.pipeline(transaction=False)
        for part, own in shares.items():
            pipe.zmscore(part(index), own)
        found = zip(shares.values(), pipe.execute(), strict=True)
        return {
            task_id for own, scores in found for task_id, score in zip(own, scores, strict=True) if score is not None
        }

    def queues(self) -> SentQueues:
        """The queues that jobs were sent to, `keys.MOST_QUEUES` at most: those where something was sent to last."""
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.zrange(part("queues"), 0, -1, withscores=True)
        last: dict[str, float] = {}
        for name, sent_ms in chain.from_iterable(pipe.execute()):
            last[name] = max(sent_ms, last.get(name, 0))
        some_left_out = last.pop("", None) is not None or len(last) > MOST_QUEUES
        latest = sorted(last, key=lambda name: (-last[name], name))[:MOST_QUEUES]
        return SentQueues(sorted(latest), some_left_out)

    def queues_before(self, part: Partition, before_ms: int) -> list[str]:
        """The queues of a partition's jobs to which nothing was sent since a time; "" as `keys.PREFIXES` has it."""
        return list(self.client.zrange(part("queues"), "-inf", before_ms - 1, byscore=True))

    def kinds(self, part: Partition) -> set[str]:
        """The priorities and types of the jobs that a partition has had: "<priority>:<type>"."""
        return set(self.client.smembers(part("kinds")))

    def trash(self, most: int) -> list[str]:
        """Ids of jobs whose parent was deleted."""
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.srandmember(part("trash"), most)
        return list(dict.fromkeys(job_id for ids in pipe.execute() for job_id in ids))[:most]


def as_told(outcome: str) -> str:
    """The run and status that a parent was told, "<run>:<status>" (`keys.PREFIXES["outcomes"]`)."""
    run, colon, status = outcome.partition(":")
    return run.partition(".")[0] + colon + status


def _sum(counters: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counters of several partitions as one."""
    total: dict[str, int] = {}
    for each in counters:
        for name, value in each.items():
            total[name] = total.get(name, 0) + value
    return total


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces that are worth being sent each."""
    gathered, size = [], 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)
