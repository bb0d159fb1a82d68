"""The processes of a run: the store, the API, the workers; and what can be done to them."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple, Self

from chaos.application import DEADLY_QUEUE, QUEUE
from chaos.journal import VARIABLE
from jobtracker.connection import connect
from jobtracker.embedded import EmbeddedRedis, free_port
from jobtracker.keys import Keys
from jobtracker.leases import Leases
from jobtracker.processes import ChildProcess, ProcessError
from jobtracker.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

LEASE_LOST_S = 4.0
_START_TIMEOUT_S = 60


class WorkerKind(NamedTuple):
    """How a worker is started."""

    name: str
    pool: str
    concurrency: int
    queues: str


WORKERS = (
    WorkerKind("prefork-1", "prefork", 2, f"{QUEUE},{DEADLY_QUEUE}"),
    WorkerKind("prefork-2", "prefork", 2, f"{QUEUE},{DEADLY_QUEUE}"),
    WorkerKind("threads-1", "threads", 2, QUEUE),
)


class Pause(NamedTuple):
    """A time in which processes stood still."""

    begin_s: float
    """Seconds since the epoch."""
    end_s: float
    pids: frozenset[int]


class Part:
    """A process that is started again, with all that it starts, however it has ended.

    Args:
        name: What reports call it.
        start: Starts it.
    """

    def __init__(self, name: str, start: Callable[[], ChildProcess]) -> None:
        self.name = name
        self.ended_by_itself = 0
        """How often it did."""
        self._start = start
        self._process: ChildProcess | None = None
        self.pauses: list[Pause] = []
        """When it stood still and went on."""
        self._paused_s: float | None = None
        self._is_ending = False

    @property
    def is_up(self) -> bool:
        """It was started and not killed since."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Its process id, which is its group's."""
        pid = self._process.pid if self._process else None
        if pid is None:
            raise ProcessError(f"{self.name} does not run.")
        return pid

    @property
    def is_ending(self) -> bool:
        """It was told to end."""
        return self._is_ending

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process is None:
            self._process = self._start()

    def kill(self) -> None:
        """Kill it with all that it has started, as a machine that loses its power would."""
        process, self._process = self._process, None
        self._paused_s, self._is_ending = None, False
        if process is not None and process.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.stop()

    def tell_to_end(self, number: signal.Signals) -> None:
        """Tell it to end; from then on nobody wonders that it does."""
        if self._process is not None:
            self._is_ending = True
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def pause(self) -> None:
        """Stop it and all that it has started, as a machine that hangs would be."""
        if self._process is not None:
            os.killpg(self.pid, signal.SIGSTOP)
            self._paused_s = time.time()

    def resume(self) -> None:
        """Let it go on."""
        if self._process is not None and self._paused_s is not None:
            self.pauses.append(Pause(self._paused_s, time.time(), frozenset([self.pid, *self.children()])))
            os.killpg(self.pid, signal.SIGCONT)
            self._paused_s = None

    def children(self) -> list[int]:
        """Process ids of what its main process has started, in order."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[1]) == self.pid:
                    found.append(int(stat.parent.name))
        return sorted(found)

    def start_again_if_it_has_ended(self) -> None:
        """Start it again where it has ended and nobody has killed it."""
        if self._process is not None and not self._is_ending and self._process.exit_status() is not None:
            self.ended_by_itself += 1
            self.kill()
            self.start()


class Stack:
    """All the processes of a run; they end when the context does.

    Args:
        folder: Where the store keeps its data, the tasks their journal, and each process its log.
        tracking_apart: Give the tracking a store of its own, apart from Celery's broker and result backend.
    """

    def __init__(self, folder: Path, *, tracking_apart: bool = False) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        # SIGKILL loses nothing that was written to the kernel, and so each write goes there before it is answered. It
        # would not with Redis's default `everysec`, which puts writes off while the file is being synced.
        config = {"appendfsync": "no"}
        self._servers = [EmbeddedRedis(folder / "store", config=config, log_path=folder / "store.log")]
        if tracking_apart:
            self._servers.append(EmbeddedRedis(folder / "celery", config=config, log_path=folder / "celery.log"))
        self._killed_servers: set[int] = set()
        self.outages: list[tuple[float, float]] = []
        """When a store was away: from and until, in seconds since the epoch."""
        self._down_at: dict[int, float] = {}
        self._port = free_port()
        self._logs = 0
        self.api = Part("api", self._start_api)
        self.workers = [Part(kind.name, lambda kind=kind: self._start_worker(kind)) for kind in WORKERS]  # type: ignore[misc]
        self._endings = ExitStack()

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def settings(self) -> Settings:
        """What workers and senders are told."""
        return Settings.model_validate(
            {
                "redis_url": self._servers[0].url,
                "celery_broker_url": f"{self._servers[-1].url}/1",
                "celery_result_backend": f"{self._servers[-1].url}/2",
                "lease_renew_s": 1,
                "lease_lost_s": LEASE_LOST_S,
                "reap_interval_s": 1,
                "progress_interval_s": 0.2,
            }
        )

    @property
    def servers(self) -> int:
        """How many stores there are."""
        return len(self._servers)

    @property
    def parts(self) -> list[Part]:
        """The API and the workers."""
        return [self.api, *self.workers]

    @property
    def pauses(self) -> list[Pause]:
        """When workers stood still and went on."""
        return [pause for part in self.parts for pause in part.pauses]

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._endings.callback(self._stop)
            for server in self._servers:
                server.start()
            for part in self.parts:
                part.start()
            self._wait_until_all_work()
        except BaseException:
            self._endings.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._endings.close()

    def kill_server(self, number: int) -> None:
        """Kill a store."""
        server = self._servers[number]
        if server.pid is not None:
            self._down_at[number] = time.time()
            os.kill(server.pid, signal.SIGKILL)
            server.stop()

    def start_server(self, number: int) -> None:
        """Start a store, with what it has kept; returns when it answers."""
        if self._servers[number].pid is None:
            self._servers[number].start()
            self.outages.append((self._down_at.pop(number), time.time()))

    def check(self) -> None:
        """Start again what has ended by itself; a store may not."""
        for server in self._servers:
            server.check()
        for part in self.parts:
            part.start_again_if_it_has_ended()

    def heal(self) -> None:
        """Start what does not run, and let go on what is paused; returns when all workers work."""
        for number in range(len(self._servers)):
            self.start_server(number)
        for part in self.parts:
            part.resume()
            if part.is_ending:
                part.kill()
            part.start()
        self._wait_until_all_work()

    def _stop(self) -> None:
        for part in self.parts:
            part.kill()
        for server in self._servers:
            server.stop(is_urgent=lambda: True)

    def _wait_until_all_work(self) -> None:
        settings = self.settings
        client = connect(settings.tracking_url, settings.tracking_timeout_s)
        leases = Leases(client, Keys(settings.tracking_namespace), LEASE_LOST_S)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not {part.pid for part in self.workers} <= {worker.pid for worker in leases.live()}:
            self.check()
            if time.monotonic() > deadline:
                raise ProcessError(f"The workers were not ready after {_START_TIMEOUT_S} s: see {self.folder}.")
            time.sleep(0.1)
        client.close()

    def _start_api(self) -> ChildProcess:
        return self._run("api", ["api.main"], API_HOST="127.0.0.1", API_PORT=str(self._port))

    def _start_worker(self, kind: WorkerKind) -> ChildProcess:
        options = ["-P", kind.pool, "-c", str(kind.concurrency), "-Q", kind.queues, "-n", f"{kind.name}@chaos"]
        options += ["--loglevel", "INFO", "--without-mingle", "--without-gossip", "--without-heartbeat"]
        return self._run(kind.name, ["celery", "-A", "chaos.application", "worker", *options])

    def _run(self, name: str, module: list[str], **more: str) -> ChildProcess:
        self._logs += 1
        ours = self.settings.model_dump(exclude_none=True)
        known = {field.upper() for field in Settings.model_fields}
        process = ChildProcess(
            name,
            [sys.executable, "-m", *module],
            log_path=self.folder / f"{name}.{self._logs:03}.log",
            cwd=ROOT,
            env={
                **{variable: value for variable, value in os.environ.items() if variable not in known},
                **{field.upper(): str(value) for field, value in ours.items()},
                VARIABLE: str(self.journal),
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
                **more,
            },
            stop_steps=[],
        )
        process.start()
        return process
