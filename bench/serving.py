"""Processes that answer over HTTP, and who asks them: one connection each, kept open, on the loopback interface."""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
_START_S = 120
_IDLE_S = 2
"""How long a connection is kept: uvicorn ends one after five seconds."""


class Connection:
    """Asks one server, one question at a time.

    Attributes:
        port: Where it listens.
        pid: Its process, if that is one of ours.
    """

    def __init__(self, port: int, pid: int | None = None) -> None:
        self.port = port
        self.pid = pid
        self._socket: socket.socket | None = None
        self._used_at = 0.0

    def get(self, path: str) -> bytes:
        """The body of an answer, which must be a 200."""
        return self.timed(path)[1]

    def timed(self, path: str) -> tuple[float, bytes]:
        """The time until an answer has come, in milliseconds, and its body."""
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        if time.monotonic() - self._used_at > _IDLE_S:
            self.close()
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        try:
            self._socket.sendall(request)
            head, body = self._read()
        except BaseException:
            self.close()
            raise
        self._used_at = time.monotonic()
        elapsed_ms = (time.perf_counter() - began) * 1000
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"{path}: {head.splitlines()[0].decode()} {body[:500].decode()}")
        return elapsed_ms, body

    def close(self) -> None:
        """End the connection; the next question opens another one."""
        if self._socket:
            self._socket.close()
            self._socket = None

    def _read(self) -> tuple[bytes, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        parts = [body]
        missing = length - len(body)
        while missing > 0:
            parts.append(self._receive())
            missing -= len(parts[-1])
        return head, b"".join(parts)

    def _receive(self) -> bytes:
        assert self._socket is not None
        received = self._socket.recv(1 << 20)
        if not received:
            raise ConnectionError("the server has ended the connection")
        return received


@contextlib.contextmanager
def serving(
    name: str, command: Sequence[str], folder: Path, environ: Mapping[str, str], port: int, path: str
) -> Iterator[Connection]:
    """A Python process that answers at a port, once it does.

    Args:
        name: For its log.
        command: The module, with its arguments.
        folder: Where its log goes.
        environ: Its environment variables beside our own.
        port: Where it listens.
        path: What it answers with a 200 when it is there.
    """
    process = ChildProcess(
        name,
        [sys.executable, "-m", *command],
        log_path=folder / f"{name}.log",
        cwd=ROOT,
        env={**os.environ, **environ},
        stop_steps=[(signal.SIGTERM, 10)],
    )
    process.start()
    connection = Connection(port, process.pid)

    def answers() -> bool:
        with contextlib.suppress(OSError, RuntimeError):
            connection.get(path)
            return True
        return False

    try:
        process.wait_until_ready(answers, timeout_s=_START_S)
        yield connection
    finally:
        connection.close()
        process.stop()


@contextlib.contextmanager
def serving_api(
    server: EmbeddedRedis, namespace: str, folder: Path, *, processes: int = 1, **settings: str
) -> Iterator[Connection]:
    """The API for a store. It runs no maintenance, so only requests keep it busy."""
    port = free_port()
    environ = {
        "REDIS_URL": server.url,
        "REDIS_DB": "0",
        "TRACKING_NAMESPACE": namespace,
        "API_HOST": "127.0.0.1",
        "API_PORT": str(port),
        "API_WORKERS": str(processes),
        "MAINTENANCE_INTERVAL_S": "86400",
        **settings,
    }
    with serving(f"api-{namespace}-{processes}", ["api.main"], folder, environ, port, "/api/health") as connection:
        yield connection
