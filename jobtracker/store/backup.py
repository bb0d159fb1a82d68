"""A backup: a copy of the store that is taken while everything runs.

The records are the truth, so a backup has them, and nothing that follows from them: indexes, counters and the locks
of unique keys are made anew by a restore (`restore.py`).

Each job is read at one moment, with all that is kept of it. All jobs are read once. Then those are read again that
have come to another status since, and their parents, until a round takes no time worth mentioning: the backup stands
for the moment at which the last round began. What is not of jobs is read at the end, but for the kept answers: a job
that one of them names must be in the backup.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from jobtracker.connection.client import RedisClient, keys_from, server_ms
from jobtracker.core.lifecycle import Status
from jobtracker.core.version import package_version
from jobtracker.errors import JobTrackerError
from jobtracker.store.backup_file import Entry, Jobs, OtherKeys
from jobtracker.store.functions import Library, batched
from jobtracker.store.keys import PREFIXES, Keys, Partition
from jobtracker.store.libraries import Libraries
from jobtracker.store.partitions import expect_partitions
from jobtracker.store.schema import SCHEMA

WITH_JOBS = frozenset({"job", "data", "log", "history", "executions", "subs", "outcomes", "bulk"})
"""Keys that are read with their job."""

MADE_ANEW = frozenset(
    {
        *("type", "entered", "kinds", "failed_by", "failures", "failure_counts", "unique"),
        *("unsent", "unconfirmed", "unnotified", "expiring", "unanswered"),  # a job is read with its entries in these
        "announcing",
    }
)
"""Keys that a restore makes of what it has read."""

LEFT_OUT = frozenset(
    {
        # Of processes: the next ones write them again.
        *("leases", "lease", "worker", "workers", "drain", "leader", "terms", "watched", "watching", "hints"),
        "maintained",
        *("libraries", "examining", "examined", "quota", "webhook_lock", "answering", "draft", "drafts", "probe"),
        *("partitions", "moved"),
        "session",  # a restore would bring back those that were logged out
        # Messages to others: a restore would send them twice.
        *("announcements", "unannounced", "webhook_deliveries", "webhook_pending", "webhook_log"),
        *("webhook_lanes", "webhook_due", "webhook_claims"),
    }
)
"""Keys that are in no backup."""

KEPT_FIRST = frozenset({"answers", "answer"})

KEPT_TOGETHER = frozenset({"total", "unfolded", "named", "labels", "counted"})
"""The totals, and which series they do not have yet: what they say holds at one moment only."""

KEPT = (
    KEPT_FIRST
    | KEPT_TOGETHER
    | {
        *("tombstone", "failure", "flow", "settled", "released", "release_index", "queues", "at_queue", "sent_to"),
        *("ended_at", "trash", "discarded", "store_id", "types", "releases", "release_first", "release_workers"),
        *("api_keys", "api_keys_used", "audit", "audit_ends", "audit_cut", "webhooks", "webhook_state"),
        "webhooks_disabled",
        *("webhook_conditions", "dropped"),
    }
)
"""Keys that are read as they are. Each name in `keys.PREFIXES` is in one of these sets."""

_JOBS_AT_ONCE = 50
_BYTES_AT_ONCE = 256 * 1024
"""Jobs of one call, or bytes after which it stops: it takes the server a millisecond or two."""
_KEYS_AT_ONCE = 50


class _AtOnce(NamedTuple):
    """How much of other keys one call reads, at most."""

    keys: int
    items: int
    bytes: int


_APART = _AtOnce(_KEYS_AT_ONCE, 500, _BYTES_AT_ONCE)
_TOGETHER = _AtOnce(10_000, 10_000, 4 * 1024 * 1024)
"""Of the totals: there are some hundred, of some KB each."""

_CHANGED_AT_ONCE = 1000

_MOST_PARENTS = 10_000
"""Of jobs that have changed: so many are remembered, to be read once."""

_SKEW_MS = 2000
"""By so much a report may be dated back: workers' clocks differ, and reports take time."""
_LATE_MS = 3_600_000
"""And by so much where Redis was away: reports that waited have the times of their events. The first round looks back
so far: it finds those that came while all jobs were read."""
_MOST_ROUNDS = 8
_LAST_ROUND_S = 0.5
"""A round that takes no longer is the last one."""
_SHORTER = 0.7
"""And so is one that was not shorter than so much of the one before."""

_STATUSES = tuple(map(str, Status))
_NAMES = {prefix: name for name, prefix in PREFIXES.items()}


class StoreChangedError(JobTrackerError):
    """The store was emptied or moved while it was read."""


@dataclass
class BackupFigures:
    """How far a backup is, and what is in it.

    Attributes:
        total: Jobs in the store when it began.
        jobs: Jobs that were read once.
        again: How many were read in later rounds, because they had changed or were new.
        rounds: Later rounds.
        keys: Other keys, or pieces of them.
        with_objects: How many times a job was read that names values in an object store.
        moment_ms: When the last round began, by the server's clock.
    """

    total: int = 0
    jobs: int = 0
    again: int = 0
    rounds: int = 0
    keys: int = 0
    with_objects: int = 0
    moment_ms: int = 0


class Backup:
    """One backup of one store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        step: Called after each piece.

    Attributes:
        figures: How far it is.
    """

    def __init__(self, client: RedisClient, keys: Keys, *, step: Callable[[], None] = lambda: None) -> None:
        self._client = client
        self._keys = keys
        self._step = step
        check = functools.partial(expect_partitions, client, keys)
        self._functions = Library(("export_jobs", "export_keys"), reads_only=True, check=check)
        self.figures = BackupFigures()

    def header(self) -> dict[str, Any]:
        """What the file begins with.

        Raises:
            StoreMismatchError: The store has another number of partitions, or is being moved or restored.
        """
        expect_partitions(self._client, self._keys)
        with contextlib.suppress(RedisError):  # a server that takes no writes can be read all the same
            Libraries(self._client, self._keys).renew()  # its own has to be removed some day
        self.figures.total = self._count_jobs()
        return {
            "schema": SCHEMA,
            "made_by": f"jobtracker {package_version()}",
            "namespace": self._keys.namespace,
            "partitions": len(self._keys.parts),
            "began_ms": self._now_ms(),
        }

    def entries(self) -> Iterator[Entry]:
        """All that is in it, in the order in which a restore can write it.

        Raises:
            StoreMismatchError: The store is moved or restored meanwhile.
            StoreChangedError: It was emptied meanwhile.
            redis.exceptions.RedisError: Redis does not answer.
        """
        self.figures.moment_ms = self._now_ms()
        for part in self._keys.parts:
            yield from self._read_keys(part, KEPT_FIRST)
        for part in self._keys.parts:
            for some in batched(self._ids(part), _JOBS_AT_ONCE):
                yield from self._export(part, some, set(), again=False)
        yield from self._catch_up()
        for part in self._keys.parts:
            yield from self._export_keys(part, self._totals(part), at_once=_TOGETHER)
            yield from self._read_keys(part, KEPT - KEPT_FIRST - KEPT_TOGETHER)
        expect_partitions(self._client, self._keys)
        if self.figures.total and not any(self._client.exists(part("kinds")) for part in self._keys.parts):
            raise StoreChangedError(
                "The store was emptied while it was read, so there is no backup of it. If that was no purpose of "
                "yours, look at what has happened to its Redis."
            )

    def end(self) -> dict[str, Any]:
        """What the file ends with."""
        return {**vars(self.figures), "ended_ms": self._now_ms()}

    # -- jobs -------------------------------------------------------------------------------------------------------

    def _catch_up(self) -> Iterator[Entry]:
        """Read again what has changed since, until that takes no time, or as long as the last time."""
        took_s = float("inf")
        while self.figures.rounds < _MOST_ROUNDS:
            self.figures.rounds += 1
            back_ms = _SKEW_MS if self.figures.rounds > 1 else _LATE_MS
            since_ms, began = self.figures.moment_ms - back_ms, time.monotonic()
            self.figures.moment_ms = self._now_ms()
            parents: set[str] = set()
            for part in self._keys.parts:
                for some in batched(self._changed(part, since_ms), _JOBS_AT_ONCE):
                    yield from self._export(part, some, parents, again=True)
                    if len(parents) >= _MOST_PARENTS:
                        yield from self._read_parents(parents)
            yield from self._read_parents(parents)
            is_recording = any(self._client.exists(part("drafts")) for part in self._keys.parts)
            before_s, took_s = took_s, time.monotonic() - began
            if not is_recording and (took_s <= _LAST_ROUND_S or took_s > before_s * _SHORTER):
                return

    def _read_parents(self, parents: set[str]) -> Iterator[Entry]:
        """Read parents, and empty the set: they may list more sub-jobs by now."""
        for part, own in self._keys.share_out(sorted(parents)).items():
            for some in batched(own, _JOBS_AT_ONCE):
                yield from self._export(part, some, set(), again=True)
        parents.clear()

    def _export(self, part: Partition, ids: list[str], parents: set[str], *, again: bool) -> Iterator[Entry]:
        """Read some jobs, and add their parents to a set."""
        left = ids
        while left:
            looked, large, above, apart, *packed = self._call("export_jobs", part, [_BYTES_AT_ONCE, *left])
            left = left[looked:]
            parents.update(each.decode() for each in above)
            if again:
                self.figures.again += len(packed)
            else:
                self.figures.jobs += len(packed)
            self.figures.with_objects += large
            if packed:
                yield Jobs(part.number, packed)
            yield from self._export_keys(part, (each.decode() for each in apart))
            self._step()

    def _ids(self, part: Partition) -> Iterator[str]:
        head = part("job", "")
        seen: set[str] = set()
        for found in keys_from(self._client, head):  # one may come twice, mostly at once
            yield from (key.removeprefix(head) for key in found if key not in seen)
            seen = set(found)

    def _changed(self, part: Partition, since_ms: int) -> Iterator[str]:
        """The jobs that have come to their status since then."""
        head = part("entered", "")
        for kind in sorted(self._client.smembers(part("kinds"))):
            for status in _STATUSES:
                yield from self._changed_in(f"{head}{status}:{kind}", since_ms)

    def _changed_in(self, index: str, since_ms: int) -> Iterator[str]:
        most, low = _CHANGED_AT_ONCE, float(since_ms)
        while True:
            found = self._client.zrange(index, low, "+inf", byscore=True, offset=0, num=most, withscores=True)
            yield from (job_id for job_id, _ in found)
            if len(found) < most:
                return
            if found[-1][1] > low:
                most, low = _CHANGED_AT_ONCE, found[-1][1]  # those of that very moment come twice
            else:
                most *= 2  # more of one moment than were asked for

    def _count_jobs(self) -> int:
        total = 0
        for part in self._keys.parts:
            types = {kind.partition(":")[2] for kind in self._client.smembers(part("kinds"))}
            for some in batched(types, _KEYS_AT_ONCE):
                pipe = self._client.pipeline(transaction=False)
                for each in some:
                    pipe.zcard(part("type", each))
                total += sum(pipe.execute())
        return total

    # -- other keys -------------------------------------------------------------------------------------------------

    def _read_keys(self, part: Partition, wanted: frozenset[str] | set[str]) -> Iterator[Entry]:
        """Read the keys of these names. One may come twice (SCAN), and a piece of it be written twice: no harm."""
        for found in keys_from(self._client, part.prefix):
            names = (key.removeprefix(part.prefix) for key in found)
            yield from self._export_keys(part, (each for each in names if name_of(each) in wanted))
            self._step()

    def _totals(self, part: Partition) -> list[str]:
        names = [part(name) for name in sorted(KEPT_TOGETHER - {"total"})]
        names += [part("total", label) for label in ("", *sorted(self._client.smembers(part("labels"))))]
        return [name.removeprefix(part.prefix) for name in names]

    def _export_keys(
        self, part: Partition, names: Iterable[str], *, at_once: "_AtOnce | None" = None
    ) -> Iterator[Entry]:
        how = at_once or _APART
        for some in batched(names, how.keys):
            left, cursor = some, "0"
            while left:
                done, at, *packed = self._call("export_keys", part, [how.items, how.bytes, cursor, *left])
                left, cursor = left[done:], at.decode()
                self.figures.keys += len(packed)
                if packed:
                    yield OtherKeys(part.number, packed)

    def _call(self, command: str, part: Partition, args: list[Any]) -> Any:
        call = (part("kinds"), [part.prefix, *args])
        [answer] = self._functions.begin(self._client, command, [call]).answers(decoded=False)
        return answer

    def _now_ms(self) -> int:
        return server_ms(self._client, self._keys.parts[0]("probe"))


def name_of(rest: str) -> str:
    """The name in `keys.PREFIXES` of a key, which is given without the prefix of its partition; "": none of ours."""
    head, colon, _ = rest.partition(":")
    return _NAMES.get(head + colon, "")
