"""The function libraries of a namespace. Each process notes which it uses; unused ones are removed.

A server has its libraries for all namespaces and databases, and each of them makes every call slower. Not every
process says which it uses: a publisher does not, one of another namespace says so elsewhere, and what has ended says
nothing. So one that nobody has named here is removed too, but seldom: who uses it loads it again with its next call
(`functions.Library`).
"""

import logging
import time

from redis.exceptions import ResponseError

from jobtracker.connection.client import RedisClient, server_ms
from jobtracker.store.keys import Keys
from jobtracker.store.partitions import servers_of

logger = logging.getLogger(__name__)

made_here: set[str] = set()
"""Names of the libraries that this process has rendered. `functions.Library` adds them."""

UNUSED_S = 120
"""A library is removed after so many seconds in which no process has said that it uses it. Each says so every few
seconds."""

STRANGE_S = 3600
"""So long one is left alone that no process of this namespace has named."""

_LOOKED_EVERY_S = 600


class Libraries:
    """The libraries of one namespace.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
        names: The libraries that this process uses; default: all that it has rendered by the time of a call.
    """

    def __init__(self, client: RedisClient, keys: Keys, names: set[str] | None = None) -> None:
        self._client = client
        self._keys = keys
        self._key = keys("libraries")
        self._names = made_here if names is None else names
        self._strange: dict[str, float] = {}
        self._look_at = 0.0

    def renew(self) -> None:
        """Say that this process uses its libraries; at the latest every `UNUSED_S` / 2 seconds."""
        if self._names:
            self._client.zadd(self._key, dict.fromkeys(self._names, server_ms(self._client, self._key)))

    def used(self) -> list[str]:
        """The names of the libraries that processes of this namespace have used and that are loaded now."""
        names = {*self._client.zrange(self._key, 0, -1), *self._names}
        return sorted(names & self._loaded())

    def remove_unused(self, *, after_s: float = UNUSED_S) -> list[str]:
        """Remove the libraries that no process has used for so long; returns their names.

        Their processes have ended: one that lives on without a word, a publisher, loads its library again.
        """
        until_ms = server_ms(self._client, self._key) - int(after_s * 1000)
        unused = list(self._client.zrange(self._key, "-inf", until_ms, byscore=True))
        self.remove(unused)
        return unused

    def remove_strange(self, *, after_s: float = STRANGE_S) -> list[str]:
        """Remove the libraries that this object has found for so long and nobody has named; returns their names.

        It looks for them now and then only. All of them are of jobtracker, by their names.
        """
        now_s = time.monotonic()
        if now_s < self._look_at:
            return []
        self._look_at = now_s + min(_LOOKED_EVERY_S, after_s)
        strange = self._loaded() - {*self._client.zrange(self._key, 0, -1), *self._names}
        self._strange = {name: self._strange.get(name, now_s) for name in strange}
        old = sorted(name for name, since_s in self._strange.items() if now_s - since_s >= after_s)
        self.remove(old)
        return old

    def remove(self, names: list[str]) -> None:
        """Remove libraries from each server of the store."""
        for server in servers_of(self._client, self._keys):
            for name in names:
                _delete(server, name)
        if names:
            self._client.zrem(self._key, *names)
            logger.info("jobtracker: removed the function libraries %s", ", ".join(names))

    def _loaded(self) -> set[str]:
        found = set()
        for server in servers_of(self._client, self._keys):
            for library in server.function_list("jobtracker_*"):
                pairs = iter(library)
                found.add(dict(zip(pairs, pairs, strict=True))["library_name"])
        return found


def _delete(server: RedisClient, name: str) -> None:
    try:
        server.function_delete(name)
    except ResponseError as error:
        if "Library not found" not in str(error):
            raise
