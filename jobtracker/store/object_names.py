"""What the store keeps of objects in the object store: by which id their names begin, and which nobody needs."""

import time
import uuid
from collections.abc import Sequence

from redis.exceptions import ConnectionError, RedisError  # noqa: A004 (redis-py's own name)

from jobtracker.connection.client import RedisClient
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.schema import OBJECT_FIELDS

_PAUSE_S = 5.0
"""A Redis that does not answer is not asked again for so long: each time a task would wait for it."""


class ObjectNames:
    """Names of objects.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._store_id: str | None = None
        self._asked_again_at = float("-inf")

    def store_id(self) -> str:
        """The id of this store, made when it is asked for the first time.

        A store that was emptied gets a new one: it must not take objects of jobs that it does not know for its own.
        So it is asked for each time. Where Redis does not answer it is the one before.

        Raises:
            redis.exceptions.RedisError: Redis does not answer, and has not before.
        """
        if time.monotonic() < self._asked_again_at:
            if self._store_id is None:
                raise ConnectionError("it did not answer a moment ago")
            return self._store_id
        try:
            self._store_id = self._ask()
        except RedisError:
            self._asked_again_at = time.monotonic() + _PAUSE_S
            if self._store_id is None:
                raise
        return self._store_id

    def _ask(self) -> str:
        key = self._keys("store_id")
        known = self._client.get(key)
        if known is None:
            self._client.set(key, uuid.uuid4().hex[:12], nx=True)
            known = self._client.get(key)
        return str(known)

    def discarded(self, part: Partition, most: int) -> list[str]:
        """Names of objects that no job of a partition needs any more, the oldest first."""
        return list(self._client.zrange(part("discarded"), 0, most - 1))

    def forget(self, part: Partition, names: Sequence[str]) -> None:
        """Note that discarded objects are gone."""
        if names:
            self._client.zrem(part("discarded"), *names)

    def named_by(self, job_ids: Sequence[str]) -> list[list[str]]:
        """What each job's data says of its objects: JSON of `LargeValue`, one for each."""
        pipe = self._client.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.hmget(self._keys("data", job_id), [*OBJECT_FIELDS.values()])
        return [[text for text in found if text] for found in (pipe.execute() if job_ids else [])]
