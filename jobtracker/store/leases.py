"""Worker leases: a worker that lives says so every few seconds."""

import _thread
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from jobtracker.connection.client import RedisClient, server_ms
from jobtracker.schemas.reports import Worker, read
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.writer import now_ms

logger = logging.getLogger(__name__)


class Leases:
    """The leases of one store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys. Each partition has all leases: a script sees those of its own. Who only wants to
            know who lives asks the first.
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

        self._in_each(renew)

    def release(self, incarnation: str) -> None:
        """Say that a worker has stopped."""

        def release(pipe: Any, part: Partition) -> None:
            pipe.delete(part("lease", incarnation))
            pipe.zrem(part("leases"), incarnation)

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

    def held(self, incarnations: Iterable[str]) -> set[str]:
        """Those of some incarnations that live, whatever their leases say: by the server's clock."""
        names = list(incarnations)
        if not names:
            return set()
        pipe = self.client.pipeline(transaction=False)
        for part in self.keys.parts:  # where a server was away its own ran out
            pipe.execute_command("MGET", *(part("lease", name) for name in names))  # as redis-py wants it
        return {name for found in pipe.execute() for name, text in zip(names, found, strict=True) if text}

    def all_held(self) -> set[str]:
        """The incarnations of all workers that live, likewise."""
        return self.held(self.client.zrange(self._first("leases"), 0, -1))

    def ends_ms(self, incarnations: Iterable[str]) -> dict[str, int]:
        """When these workers' leases end or have ended, by incarnation; of those that did so within an hour."""
        names = list(incarnations)
        scores = self.client.zmscore(self._first("leases"), names) if names else []
        return {name: int(score) for name, score in zip(names, scores, strict=True) if score is not None}

    def last_lost_ms(self) -> int | None:
        """When the last lease ran out that its worker had not given back, in milliseconds; None: none did lately."""
        found = self.client.zrange(
            self._first("leases"),
            server_ms(self.client, self._first("leases")),
            "-inf",
            byscore=True,
            desc=True,
            offset=0,
            num=1,
            withscores=True,
        )
        return int(found[0][1]) if found else None

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


def _worker(lease: str | None) -> Worker | None:
    return read(Worker, lease) if lease else None


class Repeater:
    """Does something every few seconds in a thread of its own, until it is stopped.

    A thread, not a timer of Celery's: the main process of a solo worker is blocked while a task runs.

    Args:
        name: What messages call it.
        interval_s: From the beginning of one step to that of the next, in seconds.
        step: What to do; its failures are logged.
        system_thread: Under gevent, which makes greenlets of threads, a real one all the same: a task that computes
            without a pause holds up every greenlet. Such a step shares no connection with anybody else.
    """

    def __init__(
        self, name: str, interval_s: float, step: Callable[[], object], *, system_thread: bool = False
    ) -> None:
        threads = _thread_functions(before_gevent=system_thread)
        self._start_thread = threads.start_new_thread
        self._stop, self._stepped, self._ended = (threads.allocate_lock() for _ in range(3))
        for until in (self._stop, self._stepped, self._ended):
            until.acquire()
        self._name = f"jobtracker-{name}"
        self._interval_s = interval_s
        self._step = step

    def start(self, wait_s: float = 0.0) -> None:
        """Begin, with the first step at once; waits for that, at most `wait_s` seconds."""
        self._start_thread(self._run, ())
        self._stepped.acquire(timeout=wait_s)

    def stop(self, timeout_s: float = 2.0) -> None:
        """End; waits for a step that is under way, at most `timeout_s` seconds. May be called again."""
        if self._stop.locked():
            self._stop.release()
        if self._ended.acquire(timeout=timeout_s):
            self._ended.release()

    def _run(self) -> None:
        threading.current_thread().name = self._name
        failing = stepped = False
        wait_s = 0.0
        while not self._stop.acquire(timeout=wait_s):
            began = time.monotonic()
            try:
                self._step()
                failing = False
            except Exception as error:
                if not failing:  # once per trouble, not every few seconds
                    logger.warning("%s: %s", self._name, error, exc_info=True)
                failing = True
            if not stepped:
                self._stepped.release()
                stepped = True
            wait_s = max(0.0, self._interval_s - (time.monotonic() - began))
        self._ended.release()


class _ThreadFunctions(NamedTuple):
    """The functions of `_thread` that a repeater needs."""

    start_new_thread: Any
    allocate_lock: Any


def _thread_functions(*, before_gevent: bool) -> _ThreadFunctions:
    monkey = sys.modules.get("gevent.monkey") if before_gevent else None
    if monkey is not None:
        return _ThreadFunctions(*(monkey.get_original("_thread", name) for name in _ThreadFunctions._fields))
    return _ThreadFunctions(_thread.start_new_thread, _thread.allocate_lock)
