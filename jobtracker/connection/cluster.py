"""A client of a Redis Cluster that connects on its first call, like a client of a single server."""

import threading
from collections.abc import Callable
from typing import Any, Self

from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import (
    ConnectionError,  # noqa: A004 (redis-py's own name)
    RedisClusterException,
)
from redis.retry import Retry


class ClusterClient:
    """Wraps `redis.cluster.RedisCluster`. After an error of a node it reads again which node has which slots.

    Args:
        options: The arguments of `RedisCluster`.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._cluster: Any = None
        self._is_stale = False
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connected(), name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections; it connects again when it is asked again."""
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.close()

    def connected(self) -> Any:
        """The cluster's client.

        Raises:
            redis.exceptions.ConnectionError: No node answers.
        """
        cluster = self._cluster
        if cluster is None:
            with self._lock:
                if self._cluster is None:
                    self._cluster = self._connect()
                cluster = self._cluster
        if self._is_stale:
            self._is_stale = False
            cluster.nodes_manager.initialize()
        return cluster

    def look_anew(self) -> None:
        """Ask which node has what before the next call: one has not answered, or has it no more."""
        self._is_stale = True

    def server_of(self, key: str) -> Any:
        """A client of the node that has a key."""
        cluster = self.connected()
        return cluster.get_redis_connection(cluster.get_node_from_key(key))

    def _connect(self) -> Any:
        try:
            cluster = RedisCluster(retry=Retry(NoBackoff(), 0), require_full_coverage=False, **self._options)
        except RedisClusterException as error:
            raise ConnectionError(str(error)) from error
        manager: Any = cluster.nodes_manager
        manager.initialize = _as_unreachable(manager.initialize)
        return cluster


def _as_unreachable(initialize: Callable[..., None]) -> Callable[..., None]:
    def asked(*args: Any, **options: Any) -> None:
        try:
            initialize(*args, **options)
        except RedisClusterException as error:  # which is none of redis-py's errors of a server
            raise ConnectionError(str(error)) from error

    return asked
