"""Releases of the user's project (`RELEASE_LABEL`): which there are, who runs them, and how their jobs did."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from redis.client import NEVER_DECODE

from jobtracker.connection.client import RedisClient, server_ms
from jobtracker.schemas.workers import Worker
from jobtracker.store.histograms import Histogram, Settled
from jobtracker.store.keys import MOST_RELEASE_SERIES, MOST_RELEASE_WORKERS, MOST_RELEASES, Keys, Partition

_AT_ONCE = 500
"""Series of one MGET."""
_NO_MAXIMUM_MS = 2**53
"""The series keep no longest time: it is that of the highest bucket."""


class KnownRelease(NamedTuple):
    """A release that workers run or ran."""

    release: str
    first_ms: int
    last_ms: int
    workers: dict[str, int]
    """When each worker ran it last (ms), by name."""


class Outcomes(NamedTuple):
    """How the jobs of a release and a type ended."""

    completed: int
    failed: int
    cancelled: int
    run: Histogram

    @property
    def tried(self) -> int:
        """Those that completed or failed."""
        return self.completed + self.failed

    @classmethod
    def of(cls, strings: Iterable[bytes | None]) -> "Outcomes":
        """The sum of some strings of the store (`keys.PREFIXES["released"]`)."""
        totals, _, run = Settled.of(strings)
        # A correction may concern a day whose series had to go.
        completed, failed, cancelled = (max(totals[name], 0) for name in ("completed", "failed", "cancelled"))
        return cls(completed, failed, cancelled, Histogram(run.buckets, totals["run_sum"], _NO_MAXIMUM_MS))


class ReleaseLog:
    """The releases of one store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        keep_s: How long a release is known after its last worker, in seconds: as long as its jobs.
    """

    def __init__(self, client: RedisClient, keys: Keys, keep_s: int) -> None:
        self._client = client
        self._parts = keys.parts
        self._first = keys.parts[0]
        self._keep_s = keep_s

    def note(self, worker: Worker) -> None:
        """Note that a worker runs its release; one without a label is not noted."""
        if not worker.release:
            return
        part, release = self._first, worker.release
        now = server_ms(self._client, part("releases"))
        pipe: Any = self._client.pipeline(transaction=False)
        pipe.zadd(part("releases"), {release: now}, gt=True)
        pipe.zadd(part("release_first"), {release: now}, nx=True)
        pipe.zadd(part("release_workers", release), {worker.name: now}, gt=True)
        pipe.zremrangebyrank(part("release_workers", release), 0, -MOST_RELEASE_WORKERS - 1)
        pipe.expire(part("release_workers", release), self._keep_s)
        pipe.zrange(part("releases"), 0, now - self._keep_s * 1000, byscore=True)
        pipe.zrange(part("releases"), 0, -MOST_RELEASES - 1)
        *_, old, surplus = pipe.execute()
        if gone := {*old, *surplus} - {release}:
            for name in ("releases", "release_first"):
                self._client.zrem(part(name), *gone)

    def known(self, most: int) -> tuple[list[KnownRelease], int]:
        """The releases that were seen last, the newest (by when it was seen first) first; and how many there are."""
        part = self._first
        pipe: Any = self._client.pipeline(transaction=False)
        pipe.zrange(part("releases"), 0, most - 1, desc=True, withscores=True)
        pipe.zcard(part("releases"))
        pipe.zrange(part("release_first"), 0, -1, withscores=True)
        last, count, first = pipe.execute()
        firsts = dict(first)
        pipe = self._client.pipeline(transaction=False)
        for release, _ in last:
            pipe.zrange(part("release_workers", release), 0, -1, withscores=True)
        found = [
            KnownRelease(release, int(firsts.get(release, at)), int(at), {name: int(seen) for name, seen in workers})
            for (release, at), workers in zip(last, pipe.execute() if last else [], strict=True)
        ]
        return sorted(found, key=lambda each: (-each.first_ms, each.release)), int(count)

    def outcomes(self, releases: Collection[str]) -> dict[str, dict[str, Outcomes]]:
        """How the jobs of releases ended, by release and type; types without jobs are left out.

        Those count that settled within the retention time. It is exact, and reads as many strings as there are days
        with jobs of each release and type.
        """
        strings: dict[tuple[str, str], list[bytes | None]] = defaultdict(list)
        for part in self._parts:
            names = [
                name for name in self._client.zrange(part("release_index"), 0, -1) if _parsed(name)[0] in releases
            ]
            for first in range(0, len(names), _AT_ONCE):
                some = names[first : first + _AT_ONCE]
                for name, text in zip(some, self._read(part, some), strict=True):
                    strings[_parsed(name)].append(text)
        found: dict[str, dict[str, Outcomes]] = {release: {} for release in releases}
        for (release, job_type), texts in strings.items():
            outcomes = Outcomes.of(texts)
            if outcomes.tried + outcomes.cancelled:
                found[release][job_type] = outcomes
        return found

    def _read(self, part: Partition, names: Iterable[str]) -> list[bytes | None]:
        pipe: Any = self._client.pipeline(transaction=False)
        pipe.execute_command("MGET", *(part("released", name) for name in names), **{NEVER_DECODE: True})
        [answers] = pipe.execute()
        return list(answers)

    def is_cut(self) -> bool:
        """Whether there are so many series that the oldest had to go."""
        return any(self._client.zcard(part("release_index")) >= MOST_RELEASE_SERIES for part in self._parts)


def _parsed(name: str) -> tuple[str, str]:
    """The release and the type in the name of a series (`keys.PREFIXES["released"]`)."""
    _, size, rest = name.split(":", 2)
    raw = rest.encode(errors="surrogateescape")
    return raw[: int(size)].decode(errors="replace"), raw[int(size) + 1 :].decode(errors="replace")


def counted(outcomes: Mapping[str, Outcomes]) -> tuple[int, int, int]:
    """How many jobs of all types completed, failed and were cancelled."""
    each = outcomes.values()
    return sum(o.completed for o in each), sum(o.failed for o in each), sum(o.cancelled for o in each)
