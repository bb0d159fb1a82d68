"""All of jobtracker on one machine: an embedded Redis, a worker, the API, Flower if wanted, each a child process."""

import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from jobtracker.local.child_process import ChildProcess, ProcessError
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.extras import need_flower, need_server
from jobtracker.local.ports import free_port, need_free_port
from jobtracker.local.supervisor import Supervisor
from jobtracker.settings import Settings

_SAMPLE_APP = "workers/app.py"
_HEALTH_PATH = "/api/tracking/health"  # which, unlike /api/health, asks for workers too
_WORKERS_PATH = "/api/tracking/worker-stats"
_WORKER = "local@"
_LEASE_PATIENCE_S = 5
_OTHER_SERVERS = {"REDIS_DB", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"}
_OTHER_SERVERS |= {f"{name}_FILE" for name in Settings.secrets()}
"""Variables that would lead Celery or jobtracker elsewhere."""
_FLOWER_HOST = "127.0.0.1"
_ANSWER_TIMEOUT_S = 5
_WILDCARD_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- only read, to know where to ask


class LocalStack:
    """An embedded Redis, a Celery worker and the API, started together, watched, and ended together.

    What is stored lies in `data_dir` and is there again with the next stack on it; the logs lie in its folder `logs`.
    If one of them ends, `supervisor` notices it and ends the others too.

    The embedded Redis is the tracking Redis, Celery's broker and its result backend at once. The worker of `app` uses
    it in place of those in the app's own configuration: Celery prefers the environment, which names them.

    Args:
        data_dir: The folder for data and logs.
        app: The Celery app whose worker runs, as `celery -A` takes it, importable from the current folder. By default
            the sample project of the repository, which is there in a checkout only.
        api_host: The address the API listens on.
        api_port: Its port; a free one by default.
        redis_port: The port of Redis, on the loopback interface; a free one by default.
        flower_port: The port of Flower, on the loopback interface; without it Flower is not started.
        queues: The queues that the worker consumes, separated by commas; by default those that the app names.
        concurrency: How many tasks the worker runs at a time.
        start_timeout_s: Seconds until the API must answer and find the worker consuming.
        worker_timeout_s: Seconds that running tasks may take to finish at the end, before they are cut off.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        app: str | None = None,
        api_host: str = "127.0.0.1",
        api_port: int | None = None,
        redis_port: int | None = None,
        flower_port: int | None = None,
        queues: str | None = None,
        concurrency: int = 2,
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
        self._queues = queues
        self._concurrency = concurrency
        self._app = app
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

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables by which another process publishes to this stack, and is tracked in it."""
        url = f"{self.redis.url}/0"
        return {
            "REDIS_URL": url,
            "CELERY_BROKER_URL": url,
            "CELERY_RESULT_BACKEND": url,
            "OBJECTS_DIR": str(self.data_dir / "objects"),
            "JOBTRACKER_ENABLED": "true",
        }

    def start(self) -> None:
        """Start everything and wait until the API finds the worker consuming, and Flower answers.

        Raises:
            ProcessError: Something is missing or did not come up; the message says what to do, or ends with a log.
            StopRequestedError: The supervisor was asked to stop meanwhile.
        """
        folder = None if self._app else find_sample_project()
        need_server()
        if self._flower_port is not None:
            need_flower()
        need_free_port(self._api_port, self._api_host, instead="choose another one by --api-port or API_PORT")
        try:
            self.redis.start(on_wait=self.supervisor.check)
            self.supervisor.add(self.redis)
            # The worker comes last, for what starts last ends first: it still needs the others to finish its tasks.
            processes = [self._api(), *self._flower(), self._worker(folder)]
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

    def _api(self) -> ChildProcess:
        own = {"API_HOST": self._api_host, "API_PORT": str(self._api_port)}
        return ChildProcess(
            "API",
            [sys.executable, "-m", "jobtracker.server"],
            log_path=self.logs_dir / "api.log",
            env={**self._environment(), **own},
            stop_steps=[(signal.SIGTERM, 5)],
        )

    def _flower(self) -> list[ChildProcess]:
        if self._flower_port is None:
            return []
        own = {"FLOWER_ADDRESS": _FLOWER_HOST, "FLOWER_PORT": str(self._flower_port)}
        return [
            ChildProcess(
                "Flower",
                [sys.executable, "-m", "jobtracker.local.flower"],
                log_path=self.logs_dir / "flower.log",
                env={**self._environment(), **own},
                stop_steps=[(signal.SIGTERM, 5)],
            )
        ]

    def _worker(self, folder: Path | None) -> ChildProcess:
        options = ["--loglevel", "INFO", "--concurrency", str(self._concurrency), "--hostname", f"{_WORKER}%h"]
        # There is no other worker to ask at the start, which takes a second, or to listen to.
        options += ["--without-mingle", "--without-gossip"]
        if self._queues:
            options += ["--queues", self._queues]
        program = ["celery", "-A", self._app, "worker"] if self._app else ["workers"]
        return ChildProcess(
            "worker",
            [sys.executable, "-m", *program, *options],
            log_path=self.logs_dir / "worker.log",
            cwd=folder,
            env=self._environment(),
            # Celery's warm shutdown, then its cold one, which gives back the tasks that are acknowledged late.
            stop_steps=[(signal.SIGTERM, self._worker_timeout_s), (signal.SIGQUIT, 3)],
        )

    def _environment(self) -> dict[str, str]:
        """This process's environment, in which all that Celery and jobtracker need is the embedded Redis."""
        kept = {name: value for name, value in os.environ.items() if name not in _OTHER_SERVERS}
        return {**kept, **self.settings, "PYTHONUNBUFFERED": "1"}

    def _wait_until_healthy(self, processes: Sequence[ChildProcess]) -> None:
        said: dict[str, str] = {}
        consuming_since_s: list[float] = []

        def are_healthy() -> bool:
            # What waits in queues of other people's workers is no reason to wait for them here.
            _, said["API"] = _ask(self._reachable_host(), self._api_port, _HEALTH_PATH)
            healthy = _has_our_worker(said["API"])
            if healthy and not self._is_tracked():
                consuming_since_s.append(time.monotonic())
                if consuming_since_s[-1] - consuming_since_s[0] > _LEASE_PATIENCE_S:
                    raise ProcessError(
                        f"The worker of {self._app} runs and is not tracked: add `Tracker(app)` (from jobtracker "
                        "import Tracker) where that Celery app is made."
                    )
                healthy = False
            if self._flower_port is not None:
                status, said["Flower"] = _ask(_FLOWER_HOST, self._flower_port, "/healthcheck")
                healthy &= status == http.client.OK
            return healthy

        if not self.supervisor.watch(until=are_healthy, timeout_s=self._start_timeout_s):
            answers = "".join(f" {name} said: {answer}" for name, answer in said.items())
            logs = "\n".join(process.log_tail() for process in processes)
            raise ProcessError(f"Not everything was healthy after {self._start_timeout_s:g} s.{answers}\n{logs}")

    def _is_tracked(self) -> bool:
        """Whether the stack's worker has a lease, which a tracked one has before it answers."""
        _, workers = _ask(self._reachable_host(), self._api_port, _WORKERS_PATH)
        try:
            return any(each["lease"] for each in json.loads(workers) if each["name"].startswith(_WORKER))
        except (ValueError, LookupError, TypeError):  # the API has something else to say
            return False

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


def find_sample_project() -> Path:
    """The folder that holds the sample project `workers/`: the checkout this package lies in, or the current folder.

    Raises:
        ProcessError: There is none; the installed package does not have it.
    """
    for candidate in (Path(__file__).resolve().parents[2], Path.cwd()):
        if (candidate / _SAMPLE_APP).is_file():
            return candidate
    raise ProcessError(
        "The sample project workers/ is not here: it is in a checkout of the repository only, not in the installed "
        "package; name a Celery app of your own with -A, or run this in a checkout."
    )
