"""Celery projects for tests: the test publishes, real worker processes run, and three witnesses are compared.

A project has a namespace, a queue and broker keys that no other has, so that all can share one server.
"""

import contextlib
import functools
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from celery import Signature, chord
from project.application import create_app
from project.diary import Diary

from jobtracker import Settings, Status, Tracker
from jobtracker.core.job import task_id_of
from jobtracker.core.lifecycle import SETTLED
from jobtracker.local.child_process import ChildProcess
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.schemas.jobs import Job
from jobtracker.schemas.requests import SubJobCreate
from jobtracker.schemas.workers import Worker as Lease
from jobtracker.store.schema import JobRecord
from jobtracker.testing.apps import disconnect
from support.raw_records import alter, stored
from support.recount import recount
from support.servers import RabbitMQ

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 40


class Account(NamedTuple):
    """What the three witnesses say of a job."""

    status: str
    """The tracker."""
    state: str
    """Celery's result backend."""
    did: list[str]
    """The task itself."""


class Worker:
    """A running worker process with its pool."""

    def __init__(self, process: ChildProcess, lease: Lease | None) -> None:
        self.process = process
        self.lease = lease

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its main process."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """Kill it with its whole pool, as a machine that loses its power would."""
        assert self.process.pid is not None
        os.killpg(self.process.pid, signal.SIGKILL)

    def wait_for_exit(self) -> None:
        """Wait until its main process has ended."""
        eventually(lambda: self.process.exit_status() is not None)


class Project:
    """A Celery project.

    Args:
        server: The Redis server for all of it.
        log_dir: Where workers log.
        track: What its trackers track.
        like: A project whose queues, results and diary are this one's too.
        conf: Celery settings on top of the project's own, JSON.
        settings: Settings of jobtracker.
    """

    def __init__(
        self,
        server: EmbeddedRedis,
        log_dir: Path,
        *,
        track: Literal["all", "declared"] = "all",
        like: "Project | None" = None,
        conf: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.name: str = like.name if like else f"project-{uuid.uuid4().hex[:12]}"
        self.queue = f"{self.name}-queue"
        self.log_dir = log_dir
        self.settings = Settings.model_validate(
            {
                "redis_url": server.url,
                "tracking_namespace": self.name,
                "celery_broker_url": f"{server.url}/1",
                "celery_result_backend": f"{server.url}/2",
                "tracking_timeout_s": 5,
                "report_spool_dir": str(log_dir / "spool"),
                **settings,
            }
        )
        transport = (conf or {}).pop("broker_transport_options", {})
        if not self.settings.broker_is_amqp:  # there it has a virtual host of its own
            transport = {"global_keyprefix": f"{self.name}:", **transport}
        self.conf = {
            "task_default_queue": self.queue,
            "broker_transport_options": transport,
            "result_backend_transport_options": {"global_keyprefix": f"{self.name}:"},
            "diary_url": f"{server.url}/3",
            "diary_key": self.name,
            **(conf or {}),
        }
        self.track: Literal["all", "declared"] = track
        self.app = create_app(self.settings, self.conf)
        self.tracker = Tracker(self.app, self.settings, track=track)
        self.tracking = self.tracker.tracking
        self.jobs = self.tracking.jobs
        self.queries = self.tracking.queries
        self.client, self.keys = self.tracking.client, self.tracking.keys
        self.diary = Diary(self.app)
        self.leases = self.tracking.leases
        self.verdicts: dict[str, Account] = {}
        self._results: set[str] = set()

    def close(self) -> None:
        """Let go of Celery and of all connections."""
        self.tracker.detach()
        disconnect(self.app)
        self.app.close()
        self.client.close()

    # -- workers ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def worker(
        self,
        name: str = "worker",
        *,
        concurrency: int = 2,
        pool: str = "prefork",
        queues: list[str] | None = None,
        blind: bool = False,
        **settings: Any,
    ) -> Iterator[Worker]:
        """A worker that has begun to consume; it ends with all its children when the context does.

        Args:
            name: The first part of its name.
            concurrency: Its processes or threads.
            pool: Celery's name of its pool.
            queues: What it consumes; default: the project's queue.
            blind: Its tracking Redis does not answer, so that nobody waits for its lease.
            settings: Settings of jobtracker that differ from the project's.
        """
        hostname = f"{name}-{uuid.uuid4().hex[:6]}@test"
        options = ["-P", pool, "-c", str(concurrency), "-n", hostname, "-Q", ",".join(queues or [self.queue])]
        process = ChildProcess(
            name,
            [sys.executable, "-m", "project", *options, *_QUIET],
            log_path=self.log_dir / f"{hostname}.log",
            cwd=ROOT,
            env=self._environment(settings),
            stop_steps=[],  # killed with its pool at once: those that are to end in another way have done so by then
        )
        process.start()
        try:
            found: list[Lease] = []

            def is_ready() -> bool:
                found[:] = [lease for lease in self.leases.live() if lease.name == hostname]
                return bool(found) or (blind and f"{hostname} ready." in process.log_tail(1000))

            process.wait_until_ready(is_ready, timeout_s=PATIENCE_S)
            yield Worker(process, found[0] if found else None)
        except BaseException:
            print(process.log_tail(60))  # noqa: T201 (pytest shows it with the failure)
            raise
        finally:
            process.stop()

    @contextlib.contextmanager
    def beat(self, schedule_file: Path) -> Iterator[ChildProcess]:
        """A process of Celery's scheduler, which sends by the schedule in the project's configuration."""
        log_path = self.log_dir / f"beat-{uuid.uuid4().hex[:6]}.log"
        options = ["--schedule", str(schedule_file), "--pidfile", "", "--loglevel", "INFO"]
        process = ChildProcess(
            "beat",
            [sys.executable, "-m", "celery", "-A", "project.worker", "beat", *options],
            log_path=log_path,
            cwd=ROOT,
            env=self._environment({}),
            stop_steps=[(signal.SIGTERM, 5)],
        )
        process.start()
        try:
            yield process
        except BaseException:
            print(process.log_tail(60))  # noqa: T201 (pytest shows it with the failure)
            raise
        finally:
            process.stop()

    def announce(self) -> None:
        """Make the project's job types known, as a worker does when it starts."""
        self.tracking.registry.announce(*self.tracker.job_types())

    def _environment(self, settings: dict[str, Any]) -> dict[str, str]:
        wanted = self.settings.model_copy(update=settings).model_dump(exclude_none=True)
        return {
            **{name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields},
            **{name.upper(): str(value) for name, value in wanted.items()},
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
            "PROJECT_CONF": json.dumps(self.conf),
            "PROJECT_TRACK": self.track,
        }

    # -- plain Celery -----------------------------------------------------------------------------------------------

    def signature(self, task: str, *args: Any, **options: Any) -> Signature:
        """A task's signature."""
        return self.app.tasks[task].signature(args, options=options)

    def send(self, task: str, *args: Any, **options: Any) -> str:
        """Publish a task; returns its id."""
        return str(self.app.tasks[task].apply_async(args, **options).id)

    def chord(self, header: list[Signature], body: Signature) -> str:
        """Publish a chord; returns the id of its body."""
        return str(chord(header, body, app=self.app).apply_async().id)

    def revoke(self, task_id: str, **options: Any) -> None:
        """Revoke a task the plain way; returns once the workers know."""
        self.app.control.revoke(task_id, **options)
        names = [lease.name for lease in self.leases.live()]
        inspect = self.app.control.inspect(destination=names, timeout=PATIENCE_S)
        eventually(lambda: all(task_id in revoked for revoked in (inspect.revoked() or {}).values()))

    def consume(self, queue: str) -> None:
        """Let the workers consume one more queue."""
        # Celery declares a queue that the worker does not know yet as if there were no settings for it.
        declared = self.app.amqp.queues[queue]
        self.app.control.add_consumer(
            queue,
            exchange=declared.exchange.name,
            exchange_type=declared.exchange.type,
            options={"queue_arguments": declared.queue_arguments},
        )

    def expect_reserved(self, task_id: str) -> None:
        """Wait until a worker has fetched a task's message and has no process free for it."""
        inspect = self.app.control.inspect(destination=[lease.name for lease in self.leases.live()])
        eventually(lambda: task_id in str(inspect.reserved()))

    # -- jobs through the service -----------------------------------------------------------------------------------

    def create(self, job_type: str, payload: dict[str, Any] | None = None, **fields: Any) -> str:
        """Record a job, or with `sub_jobs=[job(…), …]` a tree; returns its id."""
        return self.jobs.create(job(job_type, payload, **fields))

    def launch(self, job_type: str, payload: dict[str, Any] | None = None, **fields: Any) -> str:
        """Record a job or a tree and start it; returns its id."""
        job_id = self.create(job_type, payload, **fields)
        self.jobs.start(job_id)
        return job_id

    # -- witnesses --------------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        """A job as the tracker knows it."""
        return self.queries.get(job_id)

    def subs(self, job_id: str) -> list[str]:
        """The ids of a parent's sub-jobs, in order."""
        return self.queries.sub_ids(job_id)

    def did(self, job_id: str, run: int = 1) -> list[str]:
        """What the task of a run really did."""
        return self.diary.read(task_id_of(job_id, run))

    def state(self, job_id: str, run: int = 1) -> str:
        """Celery's own state of a run."""
        return str(self.app.AsyncResult(task_id_of(job_id, run)).state)

    def account(self, job_id: str) -> Account:
        """What the three say now, of the job's current run."""
        record = [stored(self.queries.client, self.keys, job_id).get(field) for field in ("status", "run")]
        run = int(record[1] or 1)
        return Account(record[0] or "missing", self.state(job_id, run), self.did(job_id, run))

    def expect(self, job_id: str, status: Status | str, state: str, did: list[str]) -> Job:
        """Wait until all three witnesses say so. What is settled must still stand when the project is done."""
        wanted = Account(status, state, did)
        eventually(lambda: self.account(job_id) == wanted, lambda: f"{self.account(job_id)} instead of {wanted}")
        if status in SETTLED:
            self.verdicts[job_id] = wanted
        return self.job(job_id)

    def expect_untracked(self, task_id: str, state: str, did: list[str]) -> None:
        """Wait until a task has come to its end, of which the tracker knows nothing."""
        wanted = Account("missing", state, did)
        eventually(lambda: self.account(task_id) == wanted, lambda: f"{self.account(task_id)} instead of {wanted}")

    def expect_status(self, job_id: str, status: Status) -> Job:
        """Wait until the tracker says so."""
        eventually(
            lambda: self.queries.field(job_id, JobRecord.status) == status,
            lambda: f"{job_id} is {self.queries.field(job_id, JobRecord.status)}, not {status}",
        )
        return self.job(job_id)

    def expect_did(self, job_id: str, *did: str, run: int = 1) -> None:
        """Wait until the task has done so."""
        eventually(lambda: self.did(job_id, run) == list(did), lambda: f"it did {self.did(job_id, run)}")

    def expect_settled(self, *job_ids: str) -> list[str]:
        """Wait until jobs have settled; returns their statuses."""
        statuses: list[str] = []

        def all_settled() -> bool:
            statuses[:] = [str(self.queries.field(job_id, JobRecord.status)) for job_id in job_ids]
            return all(status in SETTLED for status in statuses)

        eventually(all_settled, lambda: f"they are {statuses}")
        return statuses

    def check(self) -> None:
        """Every verdict still stands, and the counters equal a recount."""
        changed = {i: (was, now) for i, was in self.verdicts.items() if (now := self.account(i)) != was}
        assert not changed
        assert recount(self.client, self.keys) == []


_QUIET = ["--loglevel", "INFO", "--without-mingle", "--without-gossip", "--without-heartbeat"]


def job(job_type: str, payload: dict[str, Any] | None = None, **fields: Any) -> SubJobCreate:
    """A job to be."""
    return SubJobCreate(name=fields.pop("name", job_type), job_type=job_type, payload=payload or {}, **fields)


def eventually(condition: Any, explain: Any = lambda: "it did not come true in time") -> None:
    """Fail unless a condition comes true in time."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(explain())
        time.sleep(0.01)


LONG_AGO_MS = 1_700_000_000_000


def age(project: Project, job_id: str) -> None:
    """Make a job look as if it had been where it is for long."""
    record = project.queries.record(job_id)
    alter(project.client, project.keys, job_id, {"queued": LONG_AGO_MS, "status_changed_at": LONG_AGO_MS})
    index = ("entered", record.nearest_status, record.priority, record.type)
    project.client.zadd(project.keys(*index), {job_id: LONG_AGO_MS})


@contextlib.contextmanager
def new_project(server: EmbeddedRedis, log_dir: Path, **options: Any) -> Iterator[Project]:
    """A project that lets go of everything in the end; what it settled is checked once more then."""
    project = Project(server, log_dir, **options)
    try:
        yield project
        project.check()
    finally:
        project.close()


@pytest.fixture(scope="session")
def worker_log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="session")
def results_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """A project's settings for the result backend that the tests are run with, besides those for Redis."""
    if request.config.getoption("--results") == "redis":
        return {}
    found: dict[str, str] = request.getfixturevalue("results_in_bucket")
    return found


@pytest.fixture
def own_project(
    redis_server: EmbeddedRedis, worker_log_dir: Path, results_settings: dict[str, str]
) -> Iterator[Project]:
    """A project of the test's own, without a worker."""
    with new_project(redis_server, worker_log_dir, **results_settings) as project:
        yield project


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A node for the whole run; it starts when it is asked for an address."""
    with RabbitMQ(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


def broker_settings(broker: str, rabbitmq: RabbitMQ) -> dict[str, Any]:
    """A project's settings for a broker, one of BROKERS."""
    if broker == "redis":
        return {}
    return {"celery_broker_url": rabbitmq.new_url(), "celery_queue_type": broker.removeprefix("rabbitmq-")}


BROKERS = ["redis", "rabbitmq-classic", "rabbitmq-quorum"]
POOLS = ["prefork", "threads", "gevent", "solo"]

# What runs on the one broker or pool runs on the others too where they may make a difference. Not on quorum queues,
# where it waits for less than a second: Celery refuses a countdown as short as that for them.
every_broker = pytest.mark.parametrize("project", BROKERS, indirect=True)
every_broker_but_quorum = pytest.mark.parametrize("project", BROKERS[:2], indirect=True)
every_pool_and_broker = pytest.mark.parametrize("pooled", [*POOLS, *BROKERS[1:]], indirect=True)
every_pool_and_broker_but_quorum = pytest.mark.parametrize("pooled", [*POOLS, BROKERS[1]], indirect=True)


@pytest.fixture(scope="session")
def shared_project(
    redis_server: EmbeddedRedis, rabbitmq: RabbitMQ, worker_log_dir: Path, results_settings: dict[str, str]
) -> Iterator[Callable[..., Project]]:
    """Makes, or finds, the project on a broker whose worker has such a pool."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def find(broker: str, pool: str, concurrency: int) -> Project:
            settings = {"progress_interval_s": 0.2, **results_settings, **broker_settings(broker, rabbitmq)}
            project = stack.enter_context(new_project(redis_server, worker_log_dir, **settings))
            stack.enter_context(project.worker("shared", pool=pool, concurrency=concurrency))
            return project

        yield find


@pytest.fixture
def project(shared_project: Callable[..., Project], request: pytest.FixtureRequest) -> Project:
    """A project with a worker of four processes, for all tests that do it no harm."""
    return shared_project(getattr(request, "param", "redis"), "prefork", 4)


@pytest.fixture
def single(shared_project: Callable[..., Project], request: pytest.FixtureRequest) -> Project:
    """A project with a worker of one process: what waits, waits behind what runs."""
    return shared_project(getattr(request, "param", "redis"), "prefork", 1)


@pytest.fixture(params=POOLS)
def pooled(shared_project: Callable[..., Project], request: pytest.FixtureRequest) -> Project:
    """A project whose worker has this pool, or broker; nothing that a test does to it may end the worker."""
    if request.param in BROKERS:
        return shared_project(request.param, "prefork", 4)
    return shared_project("redis", request.param, 1 if request.param == "solo" else 4)


@pytest.fixture
def other_queue(project: Project) -> str:
    """A queue that nobody consumes."""
    return f"{project.name}-{uuid.uuid4().hex[:6]}"
