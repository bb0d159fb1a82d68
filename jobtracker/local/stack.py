"""All of jobtracker on one machine: an embedded Redis, a worker, the API, Flower if wanted, each a child process."""

import http.client
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from jobtracker.local.child_process import ChildProcess, ProcessError
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port, need_free_port
from jobtracker.local.supervisor import Supervisor

_APPLICATIONS = ("api/main.py", "workers/app.py")
_HEALTH_PATH = "/api/tracking/health"  # which, unlike /api/health, asks for workers too
_WORKER = "local@"
_FLOWER_HOST = "127.0.0.1"
_ANSWER_TIMEOUT_S = 5
_WILDCARD_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- only read, to know where to ask


class LocalStack:
    """An embedded Redis, a Celery worker and the API, started together, watched, and ended together.

    What is stored lies in `data_dir` and is there again with the next stack on it; the logs lie in its folder `logs`.
    When one of them ends, `supervisor` notices and the others are ended too.

    Args:
        data_dir: The folder for data and logs.
        api_host: The address the API listens on.
        api_port: Its port; a free one by default.
        redis_port: The port of Redis, on the loopback interface; a free one by default.
        flower_port: The port of Flower, on the loopback interface; without it Flower is not started.
        concurrency: How many tasks the worker runs at a time.
        applications_dir: The folder that holds `api/` and `workers/`; looked for by default.
        start_timeout_s: Seconds until the API must answer and find the worker consuming.
        worker_timeout_s: Seconds that running tasks may take to finish at the end, before they are cut off.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        api_host: str = "127.0.0.1",
        api_port: int | None = None,
        redis_port: int | None = None,
        flower_port: int | None = None,
        concurrency: int = 2,
        applications_dir: Path | None = None,
        start_timeout_s: float = 60,
        worker_timeout_s: float = 10,
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.logs_dir = self.data_dir / "logs"
        self.supervisor = Supervisor()
        self.redis = EmbeddedRedis(self.data_dir / "redis", port=redis_port, log_path=self.logs_dir / "redis.log")
        self._api_host = api_host
        self._api_port = api_port or free_port()
        self._flower_port = flower_port
        self._concurrency = concurrency
        self._applications_dir = applications_dir
        self._start_timeout_s = start_timeout_s
        self._worker_timeout_s = worker_timeout_s

    @property
    def api_url(self) -> str:
        """Where the API answers, as seen from this machine."""
        host = self._reachable_host()
        return f"http://{f'[{host}]' if ':' in host else host}:{self._api_port}"

    @property
    def flower_url(self) -> str | None:
        """Where Flower answers; None where it was not asked for."""
        return None if self._flower_port is None else f"http://{_FLOWER_HOST}:{self._flower_port}"

    def start(self) -> None:
        """Start everything and wait until the API finds the worker consuming, and Flower answers.

        Raises:
            ProcessError: Something is missing or did not come up; the message says what to do, or ends with a log.
            StopRequestedError: The supervisor was asked to stop meanwhile.
        """
        directory = self._applications_dir or find_applications_dir()
        need_free_port(self._api_port, self._api_host, instead="choose another one by --api-port or API_PORT")
        try:
            self.redis.start(on_wait=self.supervisor.check)
            self.supervisor.add(self.redis)
            # The worker comes last, for what starts last ends first: it still needs the others to finish its tasks.
            processes = [self._api(directory), *self._flower(directory), self._worker(directory)]
            for process in processes:
                process.start()
                self.supervisor.add(process)
            self._wait_until_healthy(processes)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End everything: the worker once its running tasks are done, the API, Redis last."""
        self.supervisor.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _api(self, directory: Path) -> ChildProcess:
        own = {"API_HOST": self._api_host, "API_PORT": str(self._api_port)}
        return ChildProcess(
            "API",
            [sys.executable, "-m", "jobtracker.server"],
            log_path=self.logs_dir / "api.log",
            cwd=directory,
            env={**self._environment(), **own},
            stop_steps=[(signal.SIGTERM, 5)],
        )

    def _flower(self, directory: Path) -> list[ChildProcess]:
        if self._flower_port is None:
            return []
        own = {"FLOWER_ADDRESS": _FLOWER_HOST, "FLOWER_PORT": str(self._flower_port)}
        return [
            ChildProcess(
                "Flower",
                [sys.executable, "-m", "jobtracker.local.flower"],
                log_path=self.logs_dir / "flower.log",
                cwd=directory,
                env={**self._environment(), **own},
                stop_steps=[(signal.SIGTERM, 5)],
            )
        ]

    def _worker(self, directory: Path) -> ChildProcess:
        options = ["--loglevel", "INFO", "--concurrency", str(self._concurrency), "--hostname", f"{_WORKER}%h"]
        # There is no other worker to ask at the start, which takes a second, or to listen to.
        options += ["--without-mingle", "--without-gossip"]
        return ChildProcess(
            "worker",
            [sys.executable, "-m", "workers", *options],
            log_path=self.logs_dir / "worker.log",
            cwd=directory,
            env=self._environment(),
            # Celery's warm shutdown, then its cold one, which gives back the tasks that are acknowledged late.
            stop_steps=[(signal.SIGTERM, self._worker_timeout_s), (signal.SIGQUIT, 3)],
        )

    def _environment(self) -> dict[str, str]:
        # The broker and the result backend follow REDIS_URL, unless the caller's environment has others.
        others = {"CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"}
        kept = {name: value for name, value in os.environ.items() if name not in others}
        return {**kept, "REDIS_URL": self.redis.url, "REDIS_DB": "0", "PYTHONUNBUFFERED": "1"}

    def _wait_until_healthy(self, processes: Sequence[ChildProcess]) -> None:
        said: dict[str, str] = {}

        def are_healthy() -> bool:
            # What waits in queues of other people's workers is no reason to wait for them here.
            _, said["API"] = _ask(self._reachable_host(), self._api_port, _HEALTH_PATH)
            healthy = _has_our_worker(said["API"])
            if self._flower_port is not None:
                status, said["Flower"] = _ask(_FLOWER_HOST, self._flower_port, "/healthcheck")
                healthy &= status == http.client.OK
            return healthy

        if not self.supervisor.watch(until=are_healthy, timeout_s=self._start_timeout_s):
            answers = "".join(f" {name} said: {answer}" for name, answer in said.items())
            logs = "\n".join(process.log_tail() for process in processes)
            raise ProcessError(f"Not everything was healthy after {self._start_timeout_s:g} s.{answers}\n{logs}")

    def _reachable_host(self) -> str:
        return _WILDCARD_HOSTS.get(self._api_host, self._api_host)


def _ask(host: str, port: int, path: str) -> tuple[int, str]:
    """The status and the text of an HTTP answer; 0 where there is none."""
    connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, "nothing"
    finally:
        connection.close()


def _has_our_worker(health: str) -> bool:
    """Whether the stack's worker is among those that consume, by the API's health."""
    try:
        consuming = json.loads(health)["components"]["workers"]["facts"]["consuming"]
    except (ValueError, LookupError):  # the API is not there yet, or its broker is not
        return False
    return any(name.startswith(_WORKER) for name in consuming)


def find_applications_dir() -> Path:
    """The folder that holds `api/` and `workers/`: the checkout this package lies in, or the current folder.

    Raises:
        ProcessError: There is none; the installed package alone does not have them.
    """
    candidates = [Path(__file__).resolve().parents[2], Path.cwd()]
    for candidate in candidates:
        if all((candidate / path).is_file() for path in _APPLICATIONS):
            return candidate
    raise ProcessError(
        "There is no folder api/ and workers/ here: these applications are part of the repository, not of the "
        "installed package. Run this in a checkout of the repository."
    )
