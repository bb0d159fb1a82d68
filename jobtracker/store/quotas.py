"""How many jobs each principal has pending, and how many bytes these take: so that nobody fills Redis."""

import threading
import time
from collections.abc import Collection, Sequence
from itertools import chain

from jobtracker.connection.client import RedisClient
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Status
from jobtracker.errors import TooManyRequestsError
from jobtracker.store.functions import Library, batched
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord

_KEPT_S = 30 * 86_400
_BEING_RECORDED_MS = 180_000
"""A job that is not there after so long will not be: the request that was to record it is over."""

_CLEARED_EVERY_S = 1.0
_AT_ONCE = 500
"""Records of one round trip."""
_LOOKED_AT = 5000
"""So many of the jobs that are counted are looked at in one go; the next go looks at others."""

_RETRY_S = 10.0
_TOTAL = ""
"""The field of a quota that has all bytes together (`lua/lib/quota.lua`)."""


class Quotas:
    """Counts the jobs that each creates, as long as they are pending.

    New jobs are counted before they are recorded, and those that are not pending any more are left out when a limit
    is reached. So however many processes create jobs, a limit is never exceeded by pending jobs that were created
    here. What it costs does not depend on how many jobs there are.

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
        self._functions = Library(("hold_pending", "release_pending"))
        self._cleared: dict[str, tuple[float, int]] = {}
        """By account: when it was looked through, and where that goes on."""
        self._lock = threading.Lock()

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return bool(self._most_jobs or self._most_bytes)

    def of(self, account: str, name: str) -> "Quota":
        """What is counted for somebody.

        Args:
            account: Stands for them, and nobody else.
            name: What they are called.
        """
        return Quota(self, account, name)

    def hold(self, account: str, name: str, jobs: Sequence[tuple[str, int]]) -> None:
        """Count jobs that somebody is about to create, or to give other payloads.

        Args:
            account: Whose they are.
            name: What these are called.
            jobs: The id of each, and the bytes of its payload.

        Raises:
            TooManyRequestsError: They would have too much pending. Nothing is counted then.
        """
        excess = self._hold(account, jobs)
        if excess:
            self._clear(account, max(_LOOKED_AT, 2 * len(jobs)))
            excess = self._hold(account, jobs)
        if excess:
            raise TooManyRequestsError(
                f"{name} would have {excess}. Wait until some have begun, or cancel some, or ask for a higher limit.",
                _RETRY_S,
            )

    def release(self, account: str, job_ids: Collection[str]) -> None:
        """Count jobs no more that are not pending, or were not recorded."""
        key = self._part("quota", account)
        for some in batched(job_ids, _AT_ONCE):
            self._functions.call(self._client, "release_pending", key, [self._part.prefix, *some])

    def release_unrecorded(self, account: str, job_ids: Collection[str]) -> None:
        """Count those of some jobs no more that are not recorded, and will not be."""
        for some in batched(job_ids, _AT_ONCE):
            statuses = self._queries.fields(some, JobRecord.status)
            self.release(account, [each for each, status in zip(some, statuses, strict=True) if status is None])

    def _hold(self, account: str, jobs: Sequence[tuple[str, int]]) -> str | None:
        """Count jobs; returns what is too much, None: nothing."""
        args: list[str | int] = [self._part.prefix, self._most_jobs, self._most_bytes, now_ms(), _KEPT_S]
        args += chain.from_iterable(jobs)
        found = self._functions.call(self._client, "hold_pending", self._part("quota", account), args)
        if not found:
            return None
        count, size = map(int, found)
        if self._most_jobs and count > self._most_jobs:
            return f"{count:,} pending jobs, more than {self._most_jobs:,} (API_PENDING_JOBS)"
        return f"pending jobs with {size:,} bytes, more than {self._most_bytes:,} (API_PENDING_BYTES)"

    def _clear(self, account: str, most: int) -> None:
        """Leave out jobs that are not pending any more, of about `most`, unless that was done a moment ago."""
        with self._lock:
            cleared_at, cursor = self._cleared.get(account, (float("-inf"), 0))
            if time.monotonic() - cleared_at < _CLEARED_EVERY_S:
                return
            if len(self._cleared) > _AT_ONCE:
                self._cleared.clear()
            self._cleared[account] = time.monotonic(), cursor
        key, looked_at = self._part("quota", account), 0
        while looked_at < most:
            cursor, found = self._client.hscan(key, cursor, count=_AT_ONCE)
            found.pop(_TOTAL, None)
            self._leave_out(account, found)
            looked_at += max(len(found), 1)
            if not cursor:
                break
        with self._lock:
            self._cleared[account] = time.monotonic(), cursor

    def _leave_out(self, account: str, held: dict[str, str]) -> None:
        """Leave out those of some jobs that are not pending."""
        now = now_ms()
        for some in batched(held, _AT_ONCE):
            statuses = self._queries.fields(some, JobRecord.status)
            over = [
                job_id
                for job_id, status in zip(some, statuses, strict=True)
                if status not in {None, Status.PENDING}
                or (status is None and now - int(held[job_id].partition(":")[2]) > _BEING_RECORDED_MS)
            ]
            if over:
                self.release(account, over)


class Quota:
    """What is counted for somebody in one request (`core.access.Admission`).

    Args:
        quotas: Counts it.
        account: Stands for them, and nobody else.
        name: What they are called.
    """

    def __init__(self, quotas: Quotas, account: str, name: str) -> None:
        self._quotas = quotas
        self._account = account
        self._name = name
        self._held: list[str] = []

    def admit(self, jobs: Sequence[tuple[str, int]]) -> None:
        """Count jobs, as `Quotas.hold`."""
        self._quotas.hold(self._account, self._name, jobs)
        self._held += [job_id for job_id, _ in jobs]

    def release(self, job_ids: Collection[str]) -> None:
        """Count jobs no more that are not pending, or were not recorded."""
        self._quotas.release(self._account, job_ids)

    def release_unrecorded(self) -> None:
        """Count those that were admitted and are not recorded no more: they will not be."""
        self._quotas.release_unrecorded(self._account, self._held)
