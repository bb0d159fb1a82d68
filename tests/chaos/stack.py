"""The processes of a run: the servers, the API, the workers; and what can be done to them."""

import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Self

from support.servers import RabbitMQ

from chaos.application import CALLED_QUEUE, DEADLY_QUEUE, LIMITED_QUEUE, PREFETCH_VARIABLE, QUEUE
from chaos.journal import EPOCH_VARIABLE, VARIABLE, epoch_s
from chaos.proxy import Mood, put_into
from jobtracker.connection.client import connect
from jobtracker.local.child_process import ChildProcess, ProcessError
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.local.ports import free_port, is_port_free
from jobtracker.settings import Settings
from jobtracker.store.keys import Keys
from jobtracker.store.leases import Leases

ROOT = Path(__file__).resolve().parents[2]

LEASE_LOST_S = 4.0
BEHIND_S = 90.0
"""So far a clock is behind that is wrong."""
_START_TIMEOUT_S = 60

Broker = Literal["redis", "rabbitmq"]
BROKERS: tuple[Broker, ...] = ("redis", "rabbitmq")


class WorkerKind(NamedTuple):
    """How a worker is started."""

    name: str
    pool: str
    concurrency: int
    prefetch: int
    queues: tuple[str, ...]
    options: tuple[str, ...] = ()


WORKERS = (
    WorkerKind("prefork-1", "prefork", 2, 2, (QUEUE, DEADLY_QUEUE)),
    WorkerKind("prefork-2", "prefork", 2, 2, (QUEUE, DEADLY_QUEUE), ("--max-tasks-per-child", "4")),
    WorkerKind("threads-1", "threads", 2, 2, (QUEUE, CALLED_QUEUE)),
    WorkerKind("limited-1", "prefork", 1, 5, (LIMITED_QUEUE,)),
)


def consumers_of(queue: str) -> set[str]:
    """The names of the workers that consume a queue."""
    return {kind.name for kind in WORKERS if queue in kind.queues}


class Pause(NamedTuple):
    """A time in which processes stood still."""

    begin_s: float
    """Seconds since the epoch."""
    end_s: float
    pids: frozenset[int]


class Outage(NamedTuple):
    """A time in which a server was away."""

    begin_s: float
    """Seconds since the epoch."""
    end_s: float
    roles: frozenset[str]
    """What it is: tracking, broker, backend."""


class Hit(NamedTuple):
    """Something was done to a process by which it may have lost what it held."""

    begin_s: float
    """Seconds since the epoch."""
    end_s: float
    """It was as it should be again."""
    name: str
    """Of the part."""
    pid: int | None
    """Of the child that it was done to alone; None: to all of the part."""


class WrongClock(NamedTuple):
    """A time in which a worker's clock was behind."""

    begin_s: float
    """Seconds since the epoch."""
    end_s: float
    name: str
    """Of the worker."""


@dataclass(frozen=True)
class Harm:
    """All that was done in a run.

    Attributes:
        outages: When a server was away, or the way to it.
        hits: What was done to workers and to the API.
        pauses: When processes stood still.
        wrong_clocks: When a worker's clock was behind.
        began_s: No clock that is right has said less, in seconds since the epoch.
        redelivers: The broker delivers a message again that was not acknowledged for `VISIBILITY_TIMEOUT_S`.
    """

    outages: Sequence[Outage] = ()
    hits: Sequence[Hit] = ()
    pauses: Sequence[Pause] = ()
    wrong_clocks: Sequence[WrongClock] = ()
    began_s: float = 0.0
    redelivers: bool = True


def clock_library() -> Path | None:
    """What gives a process another time, where it is installed."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


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
        self.hits: list[Hit] = []
        """What was done to it."""
        self._start = start
        self._process: ChildProcess | None = None
        self._down_s: float | None = None
        """Since when it has been down, or told to end."""
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
            if self._down_s is not None:
                self.hits.append(Hit(self._down_s, time.time(), self.name, None))
                self._down_s = None

    def kill(self) -> None:
        """Kill it with all that it has started, as a machine that loses its power would."""
        process, self._process = self._process, None
        self._down_s = self._down_s or self._paused_s or time.time()
        self._paused_s, self._is_ending = None, False
        if process is not None and process.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.stop()

    def tell_to_end(self, number: signal.Signals) -> None:
        """Tell it to end; from then on nobody wonders that it does."""
        if self._process is not None:
            self._is_ending = True
            self._down_s = self._down_s or time.time()
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def pause(self) -> None:
        """Stop it and all that it has started, as a machine that hangs would be."""
        if self._process is not None:
            os.killpg(self.pid, signal.SIGSTOP)
            self._paused_s = time.time()

    def kill_child(self, pid: int) -> None:
        """Kill one of those that it has started."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.hits.append(Hit(time.time(), time.time(), self.name, pid))

    def resume(self) -> None:
        """Let it go on."""
        if self._process is not None and self._paused_s is not None:
            self.pauses.append(Pause(self._paused_s, time.time(), frozenset([self.pid, *self.children()])))
            self.hits.append(Hit(self._paused_s, time.time(), self.name, None))
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
            self._down_s = time.time() - 1  # it is looked at all the time
            self.kill()
            self.start()


class Stack:
    """All the processes of a run; they end when the context does.

    Args:
        folder: Where the servers keep their data, the tasks their journal, and each process its log.
        broker: Celery's broker; Redis is the store of the tracking too.
        tracking_apart: Give the tracking a Redis of its own in any case.
        seed: Decides what goes wrong on the way to the tracking Redis.
    """

    def __init__(
        self, folder: Path, *, broker: Broker = "redis", tracking_apart: bool = False, seed: int = 0
    ) -> None:
        self.folder = folder
        self.journal = folder / "journal"
        self._seed = seed
        self._epoch_s = epoch_s()
        self._rabbitmq = RabbitMQ(folder / "rabbitmq") if broker == "rabbitmq" else None
        roles = {"store": {"tracking"}, "backend": {"backend"}}
        if self._rabbitmq is None:
            roles.setdefault("broker" if tracking_apart else "store", set()).add("broker")
        # SIGKILL loses nothing that was written to the kernel, and so each write goes there before it is answered. It
        # would not with Redis's default `everysec`, which puts writes off while the file is being synced.
        config = {"appendfsync": "no"}
        self._roles = {name: frozenset(of) for name, of in roles.items()}
        self._servers = {
            name: EmbeddedRedis(folder / name, config=config, log_path=folder / f"{name}.log") for name in roles
        }
        self._broker_url = ""
        self._outages: list[Outage] = []
        self._wrong_clocks: list[WrongClock] = []
        self._began_s = time.time()
        self._down_at: dict[str, float] = {}
        self._behind_since: dict[str, float] = {}
        self._port, self._proxy_port, self._control_port = (free_port() for _ in range(3))
        self._logs = 0
        self._proxy: ChildProcess | None = None
        self.api = Part("api", self._start_api)
        self.workers = [Part(kind.name, functools.partial(self._start_worker, kind)) for kind in WORKERS]
        self.threads_workers = [w for w, kind in zip(self.workers, WORKERS, strict=True) if kind.pool == "threads"]
        self._endings = ExitStack()

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def settings(self) -> Settings:
        """What workers and senders are told: the tracking Redis is behind the proxy."""
        return Settings.model_validate(
            {
                "redis_url": f"redis://127.0.0.1:{self._proxy_port}",
                "celery_broker_url": self._broker_url,
                "celery_result_backend": f"{self._servers['backend'].url}/2",
                "lease_renew_s": 1,
                "lease_lost_s": LEASE_LOST_S,
                "maintenance_interval_s": 1,
                "progress_interval_s": 0.2,
            }
        )

    @property
    def servers(self) -> list[str]:
        """The names of the Redis servers that are Celery's broker or the tracking's."""
        return [name for name in self._servers if name != "backend"]

    @property
    def parts(self) -> list[Part]:
        """The API and the workers."""
        return [self.api, *self.workers]

    @property
    def harm(self) -> Harm:
        """What was done so far."""
        return Harm(
            outages=list(self._outages),
            hits=[hit for part in self.parts for hit in part.hits],
            pauses=[pause for part in self.parts for pause in part.pauses],
            wrong_clocks=list(self._wrong_clocks),
            began_s=self._began_s,
            redelivers=self._rabbitmq is None,
        )

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._endings.callback(self._stop)
            for server in self._servers.values():
                server.start()
            self._broker_url = self._rabbitmq.new_url() if self._rabbitmq else self._redis_broker_url()
            self._proxy = self._start_proxy()
            for part in self.parts:
                part.start()
            self._wait_until_all_work()
        except BaseException:
            self._endings.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._endings.close()

    def _redis_broker_url(self) -> str:
        name = next(name for name, roles in self._roles.items() if "broker" in roles)
        return f"{self._servers[name].url}/1"

    def kill_server(self, name: str) -> None:
        """Kill a server."""
        server = self._servers[name]
        if server.pid is not None:
            self._down_at[name] = time.time()
            os.kill(server.pid, signal.SIGKILL)
            server.stop()

    def start_server(self, name: str) -> None:
        """Start a server, with what it has kept; returns when it answers."""
        if self._servers[name].pid is None:
            self._servers[name].start()
            self._outages.append(Outage(self._down_at.pop(name), time.time(), self._roles[name]))

    def disturb_way(self, mood: Mood) -> None:
        """Let things go wrong on the way to the tracking Redis."""
        self._outages.append(Outage(time.time(), time.time() + mood.for_s + 1, frozenset({"tracking"})))
        put_into(self._control_port, mood)

    def turn_back_clock(self, worker: Part) -> None:
        """Start a worker again with a clock that is behind; returns at once."""
        worker.kill()
        self._behind_since.setdefault(worker.name, time.time())
        worker.start()

    def set_clock_right(self, worker: Part) -> None:
        """Start it again with one that is right, unless it has one."""
        if worker.name in self._behind_since:
            worker.kill()
            self._wrong_clocks.append(WrongClock(self._behind_since.pop(worker.name), time.time(), worker.name))
            worker.start()

    def check(self) -> None:
        """Start again what has ended by itself; a store may not."""
        for server in self._servers.values():
            server.check()
        if self._proxy:
            self._proxy.check()
        for part in self.parts:
            part.start_again_if_it_has_ended()

    def heal(self) -> None:
        """Start what does not run, and let go on what is paused; returns when all workers work."""
        for name in self._servers:
            self.start_server(name)
        put_into(self._control_port, Mood(for_s=0, drops=0, refuses=0, delays_s=0))
        for part in self.parts:
            part.resume()
            self.set_clock_right(part)
            if part.is_ending:
                part.kill()
            part.start()
        self._wait_until_all_work()

    def _stop(self) -> None:
        for part in self.parts:
            part.kill()
        if self._proxy:
            self._proxy.stop()
        for server in self._servers.values():
            server.stop(is_urgent=lambda: True)
        if self._rabbitmq:
            self._rabbitmq.stop()

    def _wait_until_all_work(self) -> None:
        settings = self.settings
        client = connect(settings.tracking_url, settings.tracking_timeout_s)
        leases = Leases(client, Keys(settings.tracking_namespace), LEASE_LOST_S)
        deadline = time.monotonic() + _START_TIMEOUT_S
        while is_port_free(self._port) or not (
            {part.pid for part in self.workers} <= {worker.pid for worker in leases.live()}
        ):
            self.check()
            if time.monotonic() > deadline:
                raise ProcessError(f"The workers were not ready after {_START_TIMEOUT_S} s: see {self.folder}.")
            time.sleep(0.1)
        client.close()

    def _start_api(self) -> ChildProcess:
        return self._run("api", ["api.main"], API_HOST="127.0.0.1", API_PORT=str(self._port))

    def _start_proxy(self) -> ChildProcess:
        target = int(self._servers["store"].url.rpartition(":")[2])
        ports = map(str, (self._proxy_port, target, self._control_port))
        proxy = self._run("proxy", ["chaos.proxy", *ports, str(self._seed)])
        proxy.wait_until_ready(lambda: not is_port_free(self._control_port), timeout_s=_START_TIMEOUT_S)
        return proxy

    def _start_worker(self, kind: WorkerKind) -> ChildProcess:
        options = ["-P", kind.pool, "-c", str(kind.concurrency), "-Q", ",".join(kind.queues)]
        options += ["-n", f"{kind.name}@chaos", *kind.options]
        options += ["--loglevel", "INFO", "--without-mingle", "--without-gossip", "--without-heartbeat"]
        more = {PREFETCH_VARIABLE: str(kind.prefetch)}
        if kind.name in self._behind_since:
            more |= {
                "LD_PRELOAD": str(clock_library()),
                "FAKETIME": f"-{BEHIND_S:g}s",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            }
        return self._run(kind.name, ["celery", "-A", "chaos.application", "worker", *options], **more)

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
                EPOCH_VARIABLE: repr(self._epoch_s),
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
                **more,
            },
            stop_steps=[],
        )
        process.start()
        return process
