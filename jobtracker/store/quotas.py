"""How many jobs each principal has pending, and how many bytes these take: so that nobody fills Redis."""

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from jobtracker.connection.client import RedisClient
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Status
from jobtracker.errors import TooManyRequestsError
from jobtracker.store.functions import batched
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord

_KEPT_S = 30 * 86_400
_BEING_RECORDED_MS = 180_000
"""A job that is not there after so long will not be: the request that was to record it is over."""

_CLEARED_EVERY_S = 1.0
_AT_ONCE = 500
"""Records of one round trip."""

_RETRY_S = 10.0


class _Held(NamedTuple):
    """What is counted of a job."""

    bytes: int
    since_ms: int

    @classmethod
    def read(cls, text: str) -> "_Held":
        size, _, since = text.partition(":")
        return cls(int(size), int(since))


class Quotas:
    """Counts the jobs that each creates, as long as they are pending.

    New jobs are counted before they are recorded, and those that are not pending any more are left out when a limit
    is reached. So however many processes create jobs, a limit is never exceeded by pending jobs that were created
    here; a request may be refused because another one, which is refused too, was counted at that moment.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        queries: Knows which jobs are pending.
        most_jobs: How many jobs each may have pending; 0: any number.
        most_bytes: How many bytes their payloads may have together; 0: any number.
    """

    def __init__(self, client: RedisClient, keys: Keys, queries: JobQueries, most_jobs: int, most_bytes: int) -> None:
        self._client = client
        self._part = keys.parts[0]
        self._queries = queries
        self._most_jobs = most_jobs
        self._most_bytes = most_bytes
        self._cleared: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return bool(self._most_jobs or self._most_bytes)

    def admit(self, name: str, jobs: Sequence[tuple[str, int]]) -> None:
        """Count jobs that somebody is about to create.

        Args:
            name: Who creates them.
            jobs: The id of each, and the bytes of its payload.

        Raises:
            TooManyRequestsError: They would have too much pending. Nothing is counted then.
        """
        now, key = now_ms(), self._part("quota", name)
        pipe = self._client.pipeline(transaction=True)
        pipe.hset(key, mapping={job_id: f"{size}:{now}" for job_id, size in jobs})
        pipe.expire(key, _KEPT_S)
        pipe.execute()
        excess = self._excess(name)
        if excess and self._clear(name, {job_id for job_id, _ in jobs}):
            excess = self._excess(name)
        if excess:
            for some in batched([job_id for job_id, _ in jobs], _AT_ONCE):
                self._client.hdel(key, *some)
            raise TooManyRequestsError(
                f"{name} would have {excess}. Wait until some have begun, or cancel some, or ask for a higher limit.",
                _RETRY_S,
            )

    def _excess(self, name: str) -> str | None:
        """What is too much; None: nothing."""
        key = self._part("quota", name)
        if self._most_jobs and (count := self._client.hlen(key)) > self._most_jobs:
            return f"{count:,} pending jobs, more than {self._most_jobs:,} (API_PENDING_JOBS)"
        if self._most_bytes:
            size = sum(_Held.read(text).bytes for text in self._client.hvals(key))
            if size > self._most_bytes:
                return f"pending jobs with {size:,} bytes, more than {self._most_bytes:,} (API_PENDING_BYTES)"
        return None

    def _clear(self, name: str, new: set[str]) -> bool:
        """Leave out jobs that are not pending any more; False: that was done a moment ago."""
        with self._lock:
            if time.monotonic() - self._cleared.get(name, float("-inf")) < _CLEARED_EVERY_S:
                return False
            if len(self._cleared) > _AT_ONCE:
                self._cleared.clear()
            self._cleared[name] = time.monotonic()
        key, now = self._part("quota", name), now_ms()
        held = {job_id: _Held.read(text) for job_id, text in self._client.hgetall(key).items() if job_id not in new}
        for some in batched(held, _AT_ONCE):
            statuses = self._queries.fields(some, JobRecord.status)
            over = [
                job_id
                for job_id, status in zip(some, statuses, strict=True)
                if status not in {None, Status.PENDING}
                or (status is None and now - held[job_id].since_ms > _BEING_RECORDED_MS)
            ]
            if over:
                self._client.hdel(key, *over)
        return True
