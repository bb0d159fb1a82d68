"""Nodes of pytest-celery that are local processes: they have what it asks of a container."""

import os
import signal as signals
import socket
import sys
import time
from pathlib import Path
from typing import Any

from pytest_celery import CeleryWorkerContainer

from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis

_PATIENCE_S = 30


class LocalNode:
    """A process in a container's place.

    Args:
        name: What messages call it.
        log_path: Where it logs.
    """

    def __init__(self, name: str, log_path: Path) -> None:
        self.name = name
        self.id = socket.gethostname()
        self.log_path = log_path

    def ready(self) -> bool:
        """Whether it is; it was waited for when it was started."""
        return True

    def logs(self) -> str:
        """All that it has logged since it was started last."""
        return self.log_path.read_text(errors="replace")

    def reload(self) -> None:
        """Nothing: nothing is cached."""


class LocalRedis(LocalNode):
    """An embedded server."""

    def __init__(self, folder: Path) -> None:
        self.server = EmbeddedRedis(folder, config={"appendfsync": "no"})
        super().__init__(folder.name, self.server.log_path)
        self.server.start()

    @property
    def celeryconfig(self) -> dict[str, Any]:
        """Where it is; the same for workers as for the test."""
        url = f"{self.server.url}/0"
        return {"url": url, "host_url": url, "hostname": "127.0.0.1", "port": self.server.port, "vhost": "0"}

    def restart(self, timeout: float) -> None:  # noqa: ARG002 (Docker's)
        """Stop it and start it again on its port, with its data."""
        self.server.stop()
        self.server.start()

    def teardown(self) -> None:
        """Stop it; once more does no harm."""
        self.server.stop()


class LocalWorker(LocalNode):
    """A worker process with its pool.

    Args:
        folder: Where its code lies.
        command: How it is started.
        env: Its environment, on top of this process's own.
    """

    version, log_level = CeleryWorkerContainer.version, CeleryWorkerContainer.log_level
    worker_name, worker_queue = CeleryWorkerContainer.worker_name, CeleryWorkerContainer.worker_queue

    def __init__(self, folder: Path, command: list[str], env: dict[str, str]) -> None:
        super().__init__("worker", folder / "worker.log")
        others = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
        self.process = ChildProcess(
            self.name,
            [sys.executable, "-m", *command],
            log_path=self.log_path,
            cwd=folder,
            env={**others, **env, "PYTHONPATH": str(folder)},
            stop_steps=[],
        )
        self.start()

    @property
    def status(self) -> str:
        """In Docker's words."""
        return "running" if self.process.exit_status() is None else "exited"

    def start(self) -> None:
        """Start it and wait until it consumes."""
        self.process.start()
        self.process.wait_until_ready(lambda: " ready." in self.logs(), timeout_s=_PATIENCE_S)

    def kill(self, signal: str) -> None:
        """Send a signal to all its processes, as the end of a container does."""
        assert self.process.pid is not None
        os.killpg(self.process.pid, getattr(signals, signal))
        deadline = time.monotonic() + _PATIENCE_S
        while self.status == "running" and time.monotonic() < deadline:
            time.sleep(0.01)

    def restart(self, timeout: float) -> None:  # noqa: ARG002 (Docker's)
        """Stop it, if it runs, and start it again."""
        self.process.stop()
        self.start()

    def teardown(self) -> None:
        """Stop it; once more does no harm."""
        self.process.stop()
