"""Worker leases: a worker that lives says so every few seconds."""

import logging
import threading
import time
from typing import Any

from pydantic import BaseModel, Field

from jobtracker.connection import RedisClient
from jobtracker.keys import Keys
from jobtracker.store import now_ms

logger = logging.getLogger(__name__)


class Worker(BaseModel):
    """A worker process group, as it describes itself."""

    incarnation: str = Field(description="New at every start.")
    name: str = Field(description="Celery's name of it, e.g. celery@host.")
    host: str
    pid: int = Field(description="Of its main process.")
    pool: str = Field(description="prefork, threads, solo, gevent …")
    concurrency: int = Field(description="Tasks it runs at once.")
    queues: list[str]
    version: str = Field(description="Of celery-jobtracker.")
    started_at_ms: int = Field(description="When it was ready, milliseconds since the epoch.")


class Leases:
    """The leases of one store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        lost_s: A worker that has not renewed for so long is lost, in seconds.
    """

    def __init__(self, client: RedisClient, keys: Keys, lost_s: float) -> None:
        self.client = client
        self.keys = keys
        self.lost_s = lost_s

    def renew(self, worker: Worker) -> None:
        """Say that a worker lives."""
        pipe = self.client.pipeline(transaction=True)
        ttl_ms = int(self.lost_s * 1000)
        pipe.set(self.keys("lease", worker.incarnation), worker.model_dump_json(), px=ttl_ms)
        pipe.zadd(self.keys("leases"), {worker.incarnation: now_ms() + ttl_ms})
        pipe.execute()

    def release(self, incarnation: str) -> None:
        """Say that a worker has stopped."""
        pipe = self.client.pipeline(transaction=True)
        pipe.delete(self.keys("lease", incarnation))
        pipe.zrem(self.keys("leases"), incarnation)
        pipe.execute()

    def live(self) -> list[Worker]:
        """The workers that live, by name."""
        names = self.client.zrange(self.keys("leases"), now_ms(), "+inf", byscore=True)
        found = self.client.mget([self.keys("lease", name) for name in names]) if names else []
        return sorted((Worker.model_validate_json(text) for text in found if text), key=lambda w: w.name)

    def forget_lost(self) -> None:
        """Drop the entries of workers that are long gone."""
        self.client.zremrangebyscore(self.keys("leases"), "-inf", now_ms() - 3_600_000)


class Repeater:
    """Does something every few seconds in a thread of its own, until it is stopped.

    A thread, not a timer of Celery's: the main process of a solo worker is blocked while a task runs.
    """

    def __init__(self, name: str, interval_s: float, step: Any) -> None:
        self._interval_s = interval_s
        self._step = step
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"jobtracker-{name}", daemon=True)

    def start(self) -> None:
        """Begin, with the first step at once."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End; waits for a step that is under way, at most `timeout_s` seconds."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        failing = False
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._step()
                failing = False
            except Exception as error:
                if not failing:  # once per trouble, not every few seconds
                    logger.warning("%s: %s", self._thread.name, error, exc_info=True)
                failing = True
            self._stop.wait(max(0.0, self._interval_s - (time.monotonic() - began)))
