"""A Redis behind three Sentinels, of embedded servers: what one finds in production where a failover is wanted."""

import contextlib
import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from redis import Redis, RedisError

from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis, find_binary
from jobtracker.local.ports import free_port
from support.servers import PASSWORD
from support.serving import eventually

_HOST = "127.0.0.1"
_SERVICE = "shop"
_SENTINELS = 3
_THEIR_PASSWORD = "of the sentinels"


class Sentinels:
    """A master, its replica, and Sentinels that watch them; both kinds want to hear a password.

    Args:
        folder: Where all of it lies.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = [free_port() for _ in range(_SENTINELS)]
        self.master = EmbeddedRedis(folder / "master", config={"masterauth": PASSWORD})
        self.replica: EmbeddedRedis | None = None
        self._sentinels: list[ChildProcess] = []

    def url(self, db: int) -> str:
        """The address of a database. Login, database and options stand once, at the first and the last of them."""
        hosts = ";sentinel://".join(f"{_HOST}:{port}" for port in self._ports)
        options = f"master_name={_SERVICE}&sentinel_password={quote(_THEIR_PASSWORD)}"
        return f"sentinel://:{quote(PASSWORD, safe='')}@{hosts}/{db}?{options}"

    def kill_master(self) -> None:
        """Kill it: a second later the Sentinels have noticed, and make the replica the master.

        That has what was written before; in production the last writes of a master may be lost with it.
        """
        assert self.master.pid is not None
        written = self._told(self.master)["master_repl_offset"]
        eventually(lambda: self._told(self.replica)["slave_repl_offset"] >= written)
        os.kill(self.master.pid, signal.SIGKILL)

    def hang_one(self) -> None:
        """Have the Sentinel that is asked first not answer any more."""
        assert self._sentinels[0].pid is not None
        os.kill(self._sentinels[0].pid, signal.SIGSTOP)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as started:
            started.enter_context(self.master)
            followed = {"masterauth": PASSWORD, "replicaof": f"{_HOST} {self.master.port}"}
            self.replica = started.enter_context(EmbeddedRedis(self._folder / "replica", config=followed))
            for server in (self.master, self.replica):
                with Redis(port=server.port) as client:
                    client.config_set("requirepass", PASSWORD)
            # Sentinels ask when they start, and then every ten seconds.
            eventually(lambda: self._told(self.master)["connected_slaves"] == 1)
            self._sentinels = [self._sentinel(port) for port in self._ports]
            for sentinel in self._sentinels:
                sentinel.start()
                started.callback(sentinel.stop)
            eventually(lambda: all(map(self._is_ready, self._ports)))
            self._started = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._started.close()

    @staticmethod
    def _told(server: EmbeddedRedis | None) -> Any:
        assert server is not None
        with Redis(port=server.port, password=PASSWORD) as client:
            return client.info("replication")

    def _sentinel(self, port: int) -> ChildProcess:
        folder = self._folder / f"sentinel-{port}"
        folder.mkdir(parents=True)
        lines = [
            f"bind {_HOST}",
            f"port {port}",
            f'dir "{folder}"',
            f'requirepass "{_THEIR_PASSWORD}"',
            f'sentinel sentinel-pass "{_THEIR_PASSWORD}"',
            f"sentinel monitor {_SERVICE} {_HOST} {self.master.port} 2",
            f'sentinel auth-pass {_SERVICE} "{PASSWORD}"',
            f"sentinel down-after-milliseconds {_SERVICE} 1000",
            f"sentinel failover-timeout {_SERVICE} 2000",
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines))
        command = [str(find_binary()), str(folder / "sentinel.conf"), "--sentinel"]
        return ChildProcess("Sentinel", command, log_path=folder / "log", stop_steps=[])

    def _is_ready(self, port: int) -> bool:
        """Whether a Sentinel knows the replica, and all others."""
        try:
            with Redis(port=port, password=_THEIR_PASSWORD, decode_responses=True) as sentinel:
                [found] = [each for each in sentinel.sentinel_masters().values() if each["name"] == _SERVICE]
        except RedisError:
            return False
        return bool(found["num-slaves"] == 1 and found["num-other-sentinels"] == _SENTINELS - 1)
