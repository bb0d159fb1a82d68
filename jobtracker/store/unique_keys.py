"""The locks of unique keys, for calls that are about to be sent. Else commands write them (`lua/lib/unique.lua`)."""

from jobtracker.connection.client import RedisClient
from jobtracker.store.keys import Keys

RESERVED_MS = 5_000
"""So long a lock waits for the job that it is reserved for."""


class UniqueKeys:
    """The locks of one store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def reserve(self, digest: str, job_id: str) -> str | None:
        """Reserve a lock for a job that is about to be recorded; returns the job that has it, if one does."""
        key = self._keys("unique", digest)
        holder: str | None = self._client.set(key, job_id, nx=True, get=True, px=RESERVED_MS)
        return holder

    def let_go(self, digest: str, job_id: str) -> None:
        """Let go of a lock whose job was not recorded."""
        key = self._keys("unique", digest)
        if self._client.get(key) == job_id and not self._client.exists(self._keys("job", job_id)):
            self._client.delete(key)
