"""Connections to the tracking Redis: a server, the one that Sentinels name, or a cluster."""

import functools
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import Connection, ConnectionPool, parse_url
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ClusterError,
    ConnectionError,  # noqa: A004 (redis-py's own name)
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TimeoutError,  # noqa: A004 (redis-py's own name)
    TryAgainError,
)
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection

from jobtracker.connection.circuit_breaker import Circuit
from jobtracker.connection.cluster import ClusterClient
from jobtracker.connection.urls import SentinelAddress, is_cluster, is_sentinel, plain_urls

RedisClient: TypeAlias = Any
"""A `redis.Redis`, or a `ClusterClient`, that decodes its responses.

redis-py types every answer as bytes or text, so Any is more honest.
"""

_NO_LIMIT = 2**31

_KEPT_S = 0.1
"""How long connections are used again before redis-py looks at them."""

_UNREACHABLE = (ConnectionError, TimeoutError)
_UNABLE = (
    ReadOnlyError,
    OutOfMemoryError,
    ClusterDownError,
    ClusterError,
    RedisClusterException,  # no node has that slot
    TryAgainError,
    AskError,  # and MovedError: a slot is being moved, or was moved
)
_UNABLE_CODES = ("MISCONF ", "NOREPLICAS ", "BUSY ")
"""Errors that redis-py has no class for: it can't persist, lacks replicas, is held up by somebody's script."""


_SCANNED = 1000
"""Keys that the server looks at with each call of SCAN: less than a millisecond."""


def connect(url: str, timeout_s: float, *, circuit: Circuit | None = None) -> RedisClient:
    """A client that decodes responses, gives up after `timeout_s` and tries once: its callers know when to repeat.

    With a `circuit` a server that does not answer is tried by one of many threads, and the others don't wait for it.

    It opens as many connections as are in use at once: a pool of threads or greenlets may be larger than the hundred
    that redis-py allows by default (redis/connection.py), and what exceeds that is refused, not queued.
    """
    options: dict[str, Any] = {
        "decode_responses": True,
        "encoding_errors": "replace",  # half a surrogate pair in an error's text must not lose the report
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "client_name": "jobtracker",
        "max_connections": _NO_LIMIT,
        # Else redis-py takes an answer that nobody has read for such a notification, and the next call gets it.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }

    def kind(connection_class: Any) -> Any:
        return _watched(connection_class, circuit, is_of_several=is_cluster(url)) if circuit else connection_class

    if is_sentinel(url):
        return _of_sentinels(url, options, kind)
    first, *others = plain_urls(url)
    of_url = parse_url(first).get("connection_class", Connection)  # type: ignore[no-untyped-call]
    options["connection_class"] = kind(of_url)
    if is_cluster(url):
        nodes = [
            ClusterNode(parts.hostname, parts.port or 6379)  # type: ignore[no-untyped-call]
            for parts in map(urlsplit, others)
        ]
        # As an address without TLS, or redis-py would take its own kind of connection.
        url = f"redis{first[first.index(':') :]}"
        return ClusterClient(url=url, startup_nodes=nodes, connection_pool_class=_Pool, **options)
    return Redis.from_pool(_Pool.from_url(first, retry=Retry(NoBackoff(), 0), health_check_interval=0, **options))


class _Pool(ConnectionPool):
    """Hands out a connection that was used a moment ago, without a check.

    redis-py checks each time whether the connection was closed, and counts its connections: as much work as the call
    itself. A server can't restart in such a short time.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        self._kept: list[Any] = []
        self._kept_until = 0.0
        super().__init__(*args, **options)

    def get_connection(self, *args: Any, **options: Any) -> Any:
        if time.monotonic() >= self._kept_until or self.pid != os.getpid():
            self._keep_none()
            self._kept_until = time.monotonic() + _KEPT_S
        try:
            return self._kept.pop()
        except IndexError:
            return super().get_connection(*args, **options)

    def keep(self, connection: Any) -> None:
        """Take back a connection all of whose answers were read."""
        self._kept.append(connection)

    def check_all(self) -> None:
        """Check each connection before it is used again: one has failed, and others may have been closed with it."""
        self._kept_until = 0.0

    def disconnect(self, inuse_connections: bool = True) -> None:
        self._keep_none()
        super().disconnect(inuse_connections)

    def _keep_none(self) -> None:
        with suppress(IndexError):  # another thread may be faster
            while self._kept:
                self.release(self._kept.pop())


class _SentinelPool(_Pool, SentinelConnectionPool):
    """The same pool, for the server that Sentinels name."""


def give_back(connection: Any, pool: Any, *, broken: bool = False) -> None:
    """Give a pool's connection back.

    Args:
        connection: The connection.
        pool: Its pool.
        broken: Not all that was asked on it is answered, or it can't be used any more: it is closed.
    """
    is_ours = isinstance(pool, _Pool)
    if is_ours and not broken:
        pool.keep(connection)
        return
    if broken:
        connection.disconnect()
        if is_ours:
            pool.check_all()
    pool.release(connection)


def _of_sentinels(url: str, options: dict[str, Any], kind: Any) -> RedisClient:
    """A client of the server that Sentinels name as the master, whenever it connects."""
    of = SentinelAddress.read(url)
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        of.sentinels, sentinel_kwargs=how_to_ask(of, options["socket_timeout"])
    )
    pool = _SentinelPool(
        of.service,
        sentinels,
        retry=Retry(NoBackoff(), 0),
        **{**of.options, **options, "connection_class": kind(SentinelManagedConnection)},
    )
    return Redis(connection_pool=pool)


def how_to_ask(of: SentinelAddress, timeout_s: float) -> dict[str, Any]:
    """Options of the connections to Sentinels: of several that are asked in turn one may hang in that time.

    They are JSON, for a worker tells its own. No `retry` is none (redis/connection.py), where its default is three.
    """
    limits = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), timeout_s / 2)
    return {**limits, "retry": None, **of.sentinel_options}


def _watched(connection_class: Any, circuit: Circuit, *, is_of_several: bool) -> Any:
    """A kind of connection that asks a circuit first, and tells it what has become of each call."""

    class Watched(connection_class):  # type: ignore[misc] # known when it is called
        @functools.cached_property
        def _circuit(self) -> Circuit:
            return circuit.of((self.host, self.port)) if is_of_several else circuit

        def connect(self) -> None:
            self._ask()
            try:
                super().connect()
            except _UNREACHABLE:
                self._circuit.failed()
                raise

        def send_packed_command(self, *args: Any, **options: Any) -> None:
            self._ask()
            super().send_packed_command(*args, **options)

        def read_response(self, *args: Any, **options: Any) -> Any:
            try:
                response = super().read_response(*args, **options)
            except _UNREACHABLE:
                self._circuit.failed()
                raise
            self._circuit.answered()
            return response

        def _ask(self) -> None:
            if not self._circuit.admits():
                raise ConnectionError("it did not answer a moment ago")

    return Watched


def server_of(client: RedisClient, key: str) -> RedisClient:
    """A client of the one server that has a key, for commands that name none: SCAN, INFO."""
    return client.server_of(key) if isinstance(client, ClusterClient) else client


def keys_from(client: RedisClient, prefix: str) -> Iterator[list[str]]:
    """All keys that begin with a prefix and lie on one server, some at a time; one may come twice (SCAN)."""
    match = re.sub(r"([*?\[\]\\^])", r"\\\1", prefix) + "*"
    server, cursor = server_of(client, prefix), 0
    while True:
        cursor, keys = server.scan(cursor, match=match, count=_SCANNED)
        yield keys
        if not cursor:
            return


def server_ms(client: RedisClient, key: str) -> int:
    """The time by the clock of the server that has a key, ms: the one clock that several processes have in common."""
    seconds, micros = server_of(client, key).time()
    return int(seconds) * 1000 + int(micros) // 1000


def connect_anew(client: RedisClient) -> None:
    """Let go of connections that nobody uses: a server's successor is found by connecting again."""
    if isinstance(client, ClusterClient):
        client.look_anew()
        return
    client.connection_pool.disconnect(inuse_connections=False)


def is_unreachable(error: BaseException) -> bool:
    """Whether a call failed because the server did not answer; it may have been carried out all the same."""
    return isinstance(error, _UNREACHABLE)


def is_away(error: BaseException) -> bool:
    """Whether a call failed for what will pass: the same call later, or to the server's successor, may succeed.

    Beside a server that does not answer that is one which loads its data, has become a replica, has no memory left.
    """
    if isinstance(error, ResponseError) and str(error).startswith(_UNABLE_CODES):
        return True
    return isinstance(error, (*_UNREACHABLE, *_UNABLE))
