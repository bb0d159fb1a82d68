"""Worker leases: a live worker renews its lease every few seconds."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from jobtracker.connection.client import RedisClient, server_ms
from jobtracker.core.clock import now_ms
from jobtracker.schemas.workers import Worker
from jobtracker.store.decode import read
from jobtracker.store.keys import Keys, Partition

logger = logging.getLogger(__name__)


_REMEMBERED_MS = 86_400_000
"""So long it is known who had a lease. That it ran out is known for an hour: `acquire_leadership` removes it then."""

MOST_REMEMBERED = 1000
"""Incarnations that are known at most, the latest: a platform may replace its workers every minute."""


class LostLease(NamedTuple):
    """A lease that ran out, and was not given back."""

    incarnation: str
    ended_ms: int
    worker: Worker | None
    """Who had it, as it described itself last."""


class KnownWorker(NamedTuple):
    """A worker that lives, or that went within a day."""

    worker: Worker
    heard_ms: int
    """When it last renewed its lease, or gave it back, by the server's clock."""
    ended_ms: int | None
    """When its lease ran out, or it gave it back; None: it lives."""

    @property
    def is_lost(self) -> bool:
        """It went without a word."""
        return self.ended_ms is not None and self.worker.stopped_at_ms is None


class Leases:
    """The leases of one store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys. Each partition has all leases, because a Lua function sees only its own
            partition. To know which workers live, ask the first.
        lost_s: A worker that has not renewed for so long is lost, in seconds.
    """

    def __init__(self, client: RedisClient, keys: Keys, lost_s: float) -> None:
        self.client = client
        self.keys = keys
        self.lost_s = lost_s
        self._first = keys.parts[0]

    def renew(self, worker: Worker) -> None:
        """Say that a worker lives. When its lease ends is told by the server's clock: the worker's may be wrong."""
        ttl_ms, by_server_ms = int(self.lost_s * 1000), server_ms(self.client, self._first("leases"))
        told = worker.model_copy(update={"clock_ahead_ms": now_ms() - by_server_ms}).model_dump_json()

        def renew(pipe: Any, part: Partition) -> None:
            pipe.set(part("lease", worker.incarnation), told, px=ttl_ms)
            pipe.zadd(part("leases"), {worker.incarnation: by_server_ms + ttl_ms})
            if part is self._first:
                pipe.set(part("worker", worker.incarnation), told, px=ttl_ms + _REMEMBERED_MS)
                _remember(pipe, part, worker.incarnation, by_server_ms)

        self._in_each(renew)

    def release(self, incarnation: str) -> None:
        """Say that a worker has stopped."""
        now, told = now_ms(), None
        try:
            now = server_ms(self.client, self._first("leases"))
            if worker := _worker(self.client.get(self._first("worker", incarnation))):
                told = worker.model_copy(update={"stopped_at_ms": now}).model_dump_json()
        except RedisError:  # its other leases are given back all the same
            logger.debug("The first partition's server does not answer", exc_info=True)

        def release(pipe: Any, part: Partition) -> None:
            pipe.delete(part("lease", incarnation))
            pipe.zrem(part("leases"), incarnation)
            if part is self._first and told:
                pipe.set(part("worker", incarnation), told, px=_REMEMBERED_MS)
                _remember(pipe, part, incarnation, now)

        self._in_each(release)

    def _in_each(self, write: Callable[[Any, Partition], None]) -> None:
        """Write into all partitions at once; where a server does not answer, into those of the others."""
        try:
            self._write(write, self.keys.parts)
        except Exception:
            if len(self.keys.parts) == 1:
                raise
            failures = []
            for part in self.keys.parts:
                try:
                    self._write(write, [part])
                except Exception as error:  # noqa: BLE001 (raised below)
                    failures.append(error)
            if failures:
                raise failures[0] from None

    def _write(self, write: Callable[[Any, Partition], None], parts: Iterable[Partition]) -> None:
        pipe = self.client.pipeline(transaction=len(self.keys.parts) == 1)
        for part in parts:
            write(pipe, part)
        pipe.execute()

    def live(self) -> list[Worker]:
        """The workers that live, by name: the server ends their leases, by its clock."""
        names = self.client.zrange(self._first("leases"), 0, -1)
        found = self.client.mget([self._first("lease", name) for name in names]) if names else []
        return sorted(filter(None, map(_worker, found)), key=lambda w: w.name)

    def known(self) -> list[KnownWorker]:
        """The workers that live or went within a day, those of which was heard last first."""
        key = self._first("workers")
        found = self.client.zrange(key, 0, -1, desc=True, withscores=True)
        names = [name for name, _ in found]
        told = self.client.mget([self._first("worker", name) for name in names]) if names else []
        held = self.held(names)
        return [
            KnownWorker(worker, int(heard), None if name in held else _ended_ms(worker, int(heard), self.lost_s))
            for (name, heard), worker in zip(found, map(_worker, told), strict=True)
            if worker is not None
        ]

    def held(self, incarnations: Iterable[str]) -> set[str]:
        """Those of some incarnations that live, by the server's clock."""
        names = list(incarnations)
        if not names:
            return set()
        pipe = self.client.pipeline(transaction=False)
        for part in self.keys.parts:  # where a server was away its own ran out
            pipe.execute_command("MGET", *(part("lease", name) for name in names))  # as redis-py wants it
        return {name for found in pipe.execute() for name, text in zip(names, found, strict=True) if text}

    def all_held(self) -> set[str]:
        """The incarnations of all live workers, by the server's clock."""
        return self.held(self.client.zrange(self._first("leases"), 0, -1))

    def ends_ms(self, incarnations: Iterable[str]) -> dict[str, int]:
        """When these workers' leases end or have ended, by incarnation; of those that did so within an hour."""
        names = list(incarnations)
        scores = self.client.zmscore(self._first("leases"), names) if names else []
        return {name: int(score) for name, score in zip(names, scores, strict=True) if score is not None}

    def lost(self, most: int) -> list[LostLease]:
        """Leases that ran out within an hour and that their workers had not given back, the latest first."""
        found = self._ended(most)
        told = self.client.mget([self._first("worker", name) for name, _ in found]) if found else []
        return [LostLease(name, at, _worker(text)) for (name, at), text in zip(found, told, strict=True)]

    def last_lost_ms(self) -> int | None:
        """When the last lease ran out that its worker had not given back, in milliseconds; None: none did lately."""
        lost = self._ended(1)
        return lost[0][1] if lost else None

    def _ended(self, most: int) -> list[tuple[str, int]]:
        """The leases that ran out last: the incarnations, and when (ms)."""
        key = self._first("leases")
        now = server_ms(self.client, key)
        found = self.client.zrange(key, now, "-inf", byscore=True, desc=True, offset=0, num=most, withscores=True)
        return [(name, int(at)) for name, at in found]

    def silent_ms(self, incarnations: Iterable[str]) -> dict[str, int]:
        """For how long these workers have not renewed their leases, by the server's clock; of those that live."""
        names = list(incarnations)
        pipe = self.client.pipeline(transaction=False)
        for name in names:
            pipe.pttl(self._first("lease", name))
        left = zip(names, pipe.execute() if names else [], strict=True)
        return {name: max(int(self.lost_s * 1000) - left_ms, 0) for name, left_ms in left if left_ms > 0}

    def pools(self, incarnations: Iterable[str]) -> dict[str, str]:
        """The pools of these workers, by incarnation; of those that live."""
        names = list(incarnations)
        found = self.client.mget([self._first("lease", name) for name in names]) if names else []
        workers = zip(names, map(_worker, found), strict=True)
        return {name: worker.pool for name, worker in workers if worker}

    def skews_ms(self) -> dict[str, int]:
        """How far the clocks of workers are ahead of the server's, by their names: as they measure it."""
        return {worker.name: worker.clock_ahead_ms for worker in self.live()}


def _remember(pipe: Any, first: Partition, incarnation: str, now: int) -> None:
    key = first("workers")
    pipe.zadd(key, {incarnation: now})
    pipe.zremrangebyscore(key, "-inf", now - _REMEMBERED_MS)
    pipe.zremrangebyrank(key, 0, -MOST_REMEMBERED - 1)


def _ended_ms(worker: Worker, heard_ms: int, lost_s: float) -> int:
    return worker.stopped_at_ms or heard_ms + int(lost_s * 1000)


def _worker(lease: str | None) -> Worker | None:
    return read(Worker, lease) if lease else None
