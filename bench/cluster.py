"""A Redis Cluster on this machine, of embedded servers: for measurements, and for tests."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from jobtracker.connection.client import RedisClient, connect
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port

_HOST = "127.0.0.1"
_TOGETHER_WITHIN_S = 60


class Cluster:
    """A Redis Cluster of embedded servers, none of which has a replica.

    Args:
        folder: Where all of it lies.
        size: How many servers.
        config: More settings, by their names in valkey.conf.
    """

    def __init__(
        self,
        folder: Path,
        size: int = 3,
        *,
        config: Mapping[str, str] | None = None,
    ) -> None:
        share = -(-_SLOTS // size)
        self._first_slots = [*range(0, size * share, share), _SLOTS]
        self.nodes = [
            EmbeddedRedis(
                folder / f"node-{n}", config={**_CONFIG, **(config or {}), "cluster-port": str(free_port())}
            )
            for n in range(size)
        ]

    @property
    def url(self) -> str:
        """Its address, by each of its nodes."""
        return ";".join(node.url.replace("redis:", "redis+cluster:") for node in self.nodes)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as started:
            for node in self.nodes:
                started.enter_context(node)
            self._join()
            self._started = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._started.close()

    def _join(self) -> None:
        clients = [connect(node.url, 10) for node in self.nodes]
        for n, client in enumerate(clients):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", n + 1)
            client.execute_command("CLUSTER ADDSLOTSRANGE", self._first_slots[n], self._first_slots[n + 1] - 1)
            for node in self.nodes[:n]:
                port = node.config["cluster-port"]
                client.execute_command("CLUSTER MEET", _HOST, node.port, port)
        deadline = time.monotonic() + _TOGETHER_WITHIN_S
        while not all(_is_whole(client, len(clients)) for client in clients):
            if time.monotonic() > deadline:
                raise TimeoutError("The cluster did not come together.")
            time.sleep(0.05)
        for client in clients:
            client.close()


_SLOTS = 16384
_CONFIG = {"cluster-enabled": "yes", "cluster-node-timeout": "5000", "appendfsync": "no"}


def _is_whole(client: RedisClient, size: int) -> bool:
    info = client.execute_command("CLUSTER INFO")
    text = dict(info) if isinstance(info, dict) else dict(line.split(":", 1) for line in info.split("\r\n") if line)
    return text["cluster_state"] == "ok" and int(text["cluster_known_nodes"]) == size
