"""Celery projects of other people, run as their teams run them, each beside an API that has never imported it."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis
from support.serving import PATIENCE_S, ROOT, Api, environment, running, running_api

FOREIGN = ROOT / "tests" / "foreign"


class Site(NamedTuple):
    """A project, beside an API that does not know it."""

    api: Api
    folder: Path
    settings: dict[str, Any]

    def run(self, *command: str) -> str:
        """What a Python program of the project prints."""
        done = subprocess.run(
            [sys.executable, *command], cwd=self.folder, env=environment(self.settings), capture_output=True,
            text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    @contextlib.contextmanager
    def celery(self, app: str, *command: str) -> Iterator[ChildProcess]:
        """A Celery process of the project, as teams start it; a worker is ready."""
        with self._process(app, command, {}) as process:
            if command[0] == "worker":
                _wait_until_ready(process)
            yield process

    @contextlib.contextmanager
    def workers(self, app: str, **names: tuple[Sequence[str], dict[str, Any]]) -> Iterator[dict[str, ChildProcess]]:
        """Workers that are ready, by their names here, each with Celery's options and settings of its own."""
        with contextlib.ExitStack() as stack:
            started = {
                name: stack.enter_context(self._process(app, ["worker", *options], settings))
                for name, (options, settings) in names.items()
            }
            for process in started.values():
                _wait_until_ready(process)
            yield started
            for process in started.values():  # all at once, before each is waited for
                if process.exit_status() is None and process.pid is not None:
                    os.kill(process.pid, signal.SIGTERM)

    def _process(
        self, app: str, command: Sequence[str], settings: dict[str, Any]
    ) -> contextlib.AbstractContextManager[ChildProcess]:
        name = "-".join([app, command[0], *(each.partition("@")[2] for each in command if "@" in each)])
        log_path = self.api.process.log_path.with_name(f"{name}-{self.api.settings.api_port}.log")
        argv = ["celery", "--workdir", str(self.folder), "-A", app, *command, "--loglevel", "INFO"]
        return running(name, argv, log_path, {**self.settings, **settings})


@contextlib.contextmanager
def site_beside_api(server: EmbeddedRedis, log_dir: Path, folder: Path, db: int, **settings: Any) -> Iterator[Site]:
    """A project's settings, and an API for the same store and broker."""
    with running_api(log_dir, command=("jobtracker.server",), redis_url=server.url, redis_db=db) as api:
        shared = {"redis_url": server.url, "redis_db": db, "tracking_namespace": api.settings.tracking_namespace}
        yield Site(api, folder, {**shared, "pythonpath": folder, **settings})


def _wait_until_ready(process: ChildProcess) -> None:
    process.wait_until_ready(lambda: "ready." in process.log_tail(200), timeout_s=PATIENCE_S)
