"""Moves a store to another number of partitions, and if wanted to another server or cluster.

The store is locked by a mark (`keys.PREFIXES["partitions"]`). Clients that use it check the mark every
`CHECKED_EVERY_S` seconds and stop. A partition is copied first, and removed when all of it is copied. So the move can
be interrupted at any moment; called again, it goes on.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient, keys_from
from jobtracker.core.job import job_and_run_of
from jobtracker.errors import JobTrackerError, RepartitionInProgressError
from jobtracker.store.failure_move import OF_GROUPS, move_groups
from jobtracker.store.functions import CHECKED_EVERY_S, batched
from jobtracker.store.keys import OF_ENDPOINTS, OF_ONE_JOB, PREFIXES, Keys, Partition
from jobtracker.store.leases import Leases
from jobtracker.store.partitions import partitions_of
from jobtracker.store.series_move import SERIES, complete_totals, move_series
from jobtracker.store.writer import JobStore

_AT_ONCE = 200
"""Keys, or entries, of one round trip."""

_OF_JOBS = {
    "type",
    "entered",
    "failed_by",
    "unnotified",
    "unsent",
    "unconfirmed",
    "expiring",
    "unanswered",
    "answers",
}
"""Sorted sets of jobs, or of their runs, or of what else decides in which partition it lies."""

_OF_THE_STORE = (
    "types",
    "dropped",
    "store_id",
    "releases",
    "release_first",
    "api_keys",
    "api_keys_used",
    "audit",
    "audit_ends",
    "audit_cut",
    "webhooks",
    "webhooks_disabled",
    "webhook_conditions",
)

_OF_PROCESSES = {
    "leases",
    "lease",
    "worker",
    "drain",
    "release_workers",
    "workers",
    "leader",
    "terms",
    "watched",
    "watching",
    "hints",
    "libraries",
    "examining",
    "examined",
    "session",
    "quota",
    "webhook_lock",
    "maintained",
}
"""Keys that are not moved: the next process that uses the store writes them again."""

_OF_ONE_PARTITION = (
    "kinds",
    "named",
    "labels",
    "counted",
    "unfolded",
    "queues",
    "discarded",
    "release_index",
    "announcing",
    "announcements",
    "unannounced",
)
"""Further keys that go with a partition when it goes as a whole."""

_NAMES = {prefix: name for name, prefix in PREFIXES.items()}


class RepartitionError(JobTrackerError):
    """The store can't be moved now; the message says what to do first."""


class Repartition:
    """The move of one store.

    Args:
        source: A client of its present Redis.
        target: A client of its new Redis; the same client if only the number of partitions changes.
        namespace: What its keys begin with.
        to: The new number of partitions.
        is_elsewhere: The target is another server, or another database.
        retention_ms: How long settled jobs stay.
        patience_s: How long after the mark is set a client may still use the store, because it has not checked again.
    """

    def __init__(
        self,
        source: RedisClient,
        target: RedisClient,
        namespace: str,
        to: int,
        *,
        is_elsewhere: bool,
        retention_ms: int,
        patience_s: float = CHECKED_EVERY_S + 1,
    ) -> None:
        self.source = source
        self.target = target
        self.to = Keys(namespace, to)
        self.is_elsewhere = is_elsewhere
        self.retention_ms = retention_ms
        self.patience_s = patience_s
        self._mark = Keys(namespace)("partitions")
        self.of = Keys(namespace, self._find_out())

    def _find_out(self) -> int:
        try:
            return partitions_of(self.source, self.to) or 1
        except RepartitionInProgressError as error:
            if error.wanted != len(self.to.parts):
                raise
            return error.was

    def run(self, tell: Callable[[str], None]) -> int:
        """Move it; returns how many keys of jobs were moved.

        Args:
            tell: Is told of each partition, a sentence.

        Raises:
            RepartitionError: Workers are at work on it, or there is another store where it is to be.
        """
        if len(self.of.parts) == len(self.to.parts) and not self.is_elsewhere:
            tell(f"The store has {len(self.to.parts)} partitions already.")
            return 0
        self._expect_nobody()
        mark = f"{len(self.of.parts)}>{len(self.to.parts)}"
        for client in (self.source, self.target):
            client.set(self._mark, mark)
        time.sleep(self.patience_s)
        complete_totals(JobStore(self.source, self.of, retention_ms=self.retention_ms), self.of.parts)
        moved = 0
        for part in self.of.parts:
            count = self._move(part)
            moved += count
            tell(f"Partition {part.number}: {count:,} keys of jobs moved.")
        if self.is_elsewhere:
            first = self.of.parts[0]
            of_the_store = [first(name) for name in _OF_THE_STORE]
            of_the_store += [
                first(name, each) for each in self.source.hkeys(first("webhooks")) for name in OF_ENDPOINTS
            ]
            self._copy_as_is(of_the_store, self.to.parts[0].prefix)
            self.source.unlink(self._mark, *of_the_store)
        for part in self.to.parts:
            self.target.unlink(part("moved"))
        self.target.set(self._mark, len(self.to.parts))
        return moved

    def _expect_nobody(self) -> None:
        workers = [each.name for each in Leases(self.source, self.of, 1).live()]
        if workers:
            named = ", ".join(workers[:5]) + (f" and {len(workers) - 5} more" if len(workers) > 5 else "")
            raise RepartitionError(
                f"Workers are at work on the store: {named}. Stop them, the API and all publishers, and wait "
                "until their leases have run out (LEASE_LOST_S)."
            )
        if any(self.source.exists(part("drafts")) for part in self.of.parts):
            raise RepartitionError(
                "A large tree is not recorded to the end: its process has died. Start the API or a worker, which "
                "does the rest, stop it after `MAINTENANCE_INTERVAL_S`, and begin again."
            )
        if not self.is_elsewhere:
            return
        there = self.target.get(self._mark)
        if ">" not in (there or ">") or (there is None and self.target.exists(self.to.parts[0]("kinds"))):
            raise RepartitionError(f"There is a store already where {self.to.namespace!r} is to be: move that first.")

    # -- one partition ----------------------------------------------------------------------------------------------

    def _move(self, part: Partition) -> int:
        keys: dict[str, list[str]] = {}  # what belongs to jobs that move, and everything else, by name
        for key in self._keys(part):
            head, colon, rest = key.removeprefix(part.prefix).partition(":")
            name = _NAMES.get(head + colon, "")
            if name not in OF_ONE_JOB or self._goes(part, rest):
                keys.setdefault(name, []).append(key)
        of_jobs = [key for name in OF_ONE_JOB for key in keys.get(name, ())]
        self._copy_as_is(of_jobs, None)
        indexes = [key for name in _OF_JOBS for key in keys.get(name, ())]
        for index in indexes:
            self._copy_index(part, index)
        for name in ("trash", "kinds", "named", "labels"):
            for key in keys.get(name, ()):
                self._copy_set(name, key)
        for key in keys.get("queues", ()):
            self._copy_queues(key)
        for key in keys.get("discarded", ()):
            self._copy_names(part, key, "discarded")
        for key in keys.get("release_index", ()):
            self._copy_names(part, key, "release_index")
        goes_whole = self.is_elsewhere or part.number >= len(self.to.parts)
        self._move_announcements(part, keys)
        groups = [key.rpartition(":")[2] for key in keys.get("failure", ())]
        move_groups(self.source, self.target, part, self.to, groups, goes_whole=goes_whole)
        if goes_whole:
            place = self.to.parts[part.number % len(self.to.parts)]
            move_series(self.source, self.target, part, place, keys)
        self._remove(part, of_jobs, indexes, keys)
        return len(of_jobs)

    def _keys(self, part: Partition) -> Iterator[str]:
        seen: set[str] = set()
        for found in keys_from(self.source, part.prefix):
            yield from (key for key in found if key not in seen)
            seen.update(found)

    def _goes(self, part: Partition, job_id: str) -> bool:
        return self.is_elsewhere or self.to.of(job_id).number != part.number

    def _copy_as_is(self, keys: Iterable[str], prefix: str | None) -> None:
        """Copy keys, into the partition of the job that each belongs to, or into one with that prefix."""
        for some in batched(keys, _AT_ONCE):
            pipe = self.source.pipeline(transaction=False)
            for key in some:
                pipe.execute_command("DUMP", key, **{NEVER_DECODE: True})
                pipe.pttl(key)
            answers = pipe.execute()
            pipe = self.target.pipeline(transaction=False)
            for key, content, ttl_ms in zip(some, answers[::2], answers[1::2], strict=True):
                name = key.partition("}:")[2]
                where = prefix or self.to.of(name.partition(":")[2]).prefix
                if content is not None:
                    pipe.restore(where + name, max(ttl_ms, 0), content, replace=True)
            pipe.execute()

    def _copy_index(self, part: Partition, index: str) -> None:
        for some in self._entries(part, index):
            pipe = self.target.pipeline(transaction=False)
            for member, score in some:
                place = self.to.of(job_and_run_of(member)[0] if _is_of_runs(index) else member)
                pipe.zadd(place.prefix + index.partition("}:")[2], {member: score})
            pipe.execute()

    def _entries(self, part: Partition, index: str) -> Iterator[list[tuple[str, float]]]:
        """The entries of an index that move, some at a time."""
        cursor = 0
        while True:
            cursor, found = self.source.zscan(index, cursor, count=_AT_ONCE)
            yield [
                (member, score)
                for member, score in found
                if self._goes(part, job_and_run_of(member)[0] if _is_of_runs(index) else member)
            ]
            if not cursor:
                return

    def _copy_set(self, name: str, key: str) -> None:
        members = list(self.source.smembers(key))
        shares = dict.fromkeys(self.to.parts, members) if name != "trash" else self.to.share_out(members)
        pipe = self.target.pipeline(transaction=False)
        for place, own in shares.items():
            if own:
                pipe.sadd(place(name), *own)
        pipe.execute()

    def _copy_queues(self, key: str) -> None:
        """Let each partition know the names that one knew: those of its jobs are among them."""
        names = dict(self.source.zrange(key, 0, -1, withscores=True))
        pipe = self.target.pipeline(transaction=False)
        for place in self.to.parts:
            if names:
                pipe.zadd(place("queues"), names, gt=True)
        pipe.execute()

    def _copy_names(self, part: Partition, key: str, name: str) -> None:
        """Let a partition know which objects are to be removed, or which series of releases there are.

        Any partition can remove an object, and more than one may.
        """
        names = dict(self.source.zrange(key, 0, -1, withscores=True))
        if names:
            self.target.zadd(self.to.parts[part.number % len(self.to.parts)](name), names)

    def _move_announcements(self, part: Partition, keys: dict[str, list[str]]) -> None:
        """Let another partition have what one has announced; twice is no harm (`webhooks/announcer.py`)."""
        place = self.to.parts[part.number % len(self.to.parts)]
        if keys.get("announcing"):
            for each in self.to.parts:
                self.target.set(each("announcing"), "1")
        for key in keys.get("announcements", ()) if self.is_elsewhere or place.number != part.number else ():
            pipe = self.target.pipeline(transaction=False)
            for _, fields in self.source.xrange(key):
                pipe.xadd(place("announcements"), fields)
            pipe.execute()

    def _remove(self, part: Partition, of_jobs: list[str], indexes: list[str], keys: dict[str, list[str]]) -> None:
        for index in indexes:
            for some in self._entries(part, index):
                if some:
                    self.source.zrem(index, *(member for member, _ in some))
        rest = list(of_jobs)
        goes_whole = self.is_elsewhere or part.number >= len(self.to.parts)
        if trash := {each for each in self.source.smembers(part("trash")) if self._goes(part, each)}:
            self.source.srem(part("trash"), *trash)
        if goes_whole:
            rest += [
                key
                for name in (*SERIES, *_OF_PROCESSES, *OF_GROUPS, *_OF_ONE_PARTITION)
                for key in keys.get(name, ())
            ]
        for gone in batched(rest, _AT_ONCE):
            self.source.unlink(*gone)


def _is_of_runs(index: str) -> bool:
    return index.partition("}:")[2] in {"unsent", "unconfirmed"}
