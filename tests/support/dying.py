"""Processes that die at any command to a Redis, and what becomes of the jobs that they worked on."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from redis.connection import Connection

from jobtracker import Status
from jobtracker.core.job import task_id_of
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.testing.apps import disconnect
from support.workers_under_test import Project

SOON = {"lease_lost_s": 2, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2}
MOST_COMMANDS = 300
COMPLETED = frozenset({"completed"})


class DiedError(BaseException):
    """No handler of errors gets to see what a process has died of."""


WITHOUT_EFFECT = frozenset(
    # of connections
    {"HELLO", "AUTH", "SELECT", "CLIENT", "PING", "SUBSCRIBE", "UNSUBSCRIBE", "MULTI"}
    # reads
    | {"GET", "MGET", "EXISTS", "HGET", "HMGET", "HGETALL", "HEXISTS", "HLEN", "LLEN", "LRANGE", "SMEMBERS"}
    | {"SRANDMEMBER", "SCARD", "ZRANGE", "ZCARD", "ZRANDMEMBER", "TYPE"}
    # writes of a queue's name, which is there already, and of the diary
    | {"SADD", "RPUSH"}
)
"""Who dies before one of these has done as much as who dies before the next one that has an effect."""


@contextmanager
def dying(commands: int) -> Iterator[None]:
    """Let this thread send so many commands to any Redis; at the next one it dies, amid a pipeline too."""
    send: Any = Connection.send_packed_command
    thread, left = threading.get_ident(), commands
    is_dead = False

    def send_packed_command(self: Any, packed: Any, check_health: bool = True) -> Any:
        nonlocal left, is_dead
        if threading.get_ident() != thread:
            return send(self, packed, check_health)
        if is_dead:
            raise DiedError
        each = list(split(b"".join([packed] if isinstance(packed, bytes) else packed)))
        in_transaction = False
        for n, (name, _) in enumerate(each):
            in_transaction = name == "MULTI" or (in_transaction and name != "EXEC")
            if in_transaction or name in WITHOUT_EFFECT:
                continue
            if not left:
                is_dead = True
                if n:
                    send(self, [raw for _, raw in each[:n]], check_health)
                    for _ in range(n):
                        self.read_response(disconnect_on_error=False)
                    self.disconnect()
                raise DiedError
            left -= 1
        return send(self, packed, check_health)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "send_packed_command", send_packed_command)
        yield


def split(packed: bytes) -> Iterator[tuple[str, bytes]]:
    """The commands in what is sent to a Redis: the name and the bytes of each."""
    at = 0
    while at < len(packed):
        begin, parts = at, []
        end = packed.index(b"\r\n", at)
        count, at = int(packed[at + 1 : end]), end + 2
        for _ in range(count):
            end = packed.index(b"\r\n", at)
            length = int(packed[at + 1 : end])
            parts.append(packed[end + 2 : end + 2 + length])
            at = end + 2 + length + 2
        yield parts[0].decode().upper(), packed[begin:at]


class State(NamedTuple):
    """A job, and how often its task has begun in all its runs."""

    status: str
    run: int
    begun: int
    reason: str | None = None

    @property
    def is_unsent(self) -> bool:
        """It was created, and not started."""
        return (self.status, self.run) == ("pending", 0)


@dataclass
class Case:
    """An operation on jobs of its own, in which somebody dies.

    Attributes:
        act: The operation.
        root: The job that it is about, with all below it; None where it makes one.
        ends: What may become of each job, unless all is as it was before.
        result: The result of the root, where it has completed.
        begins: How often a task may begin.
        others: Further jobs that it is about.
        together: What becomes of them becomes of all of them.
        after: How many commands were sent before that death; None: it came to its end.
        before: What there was before, by id.
        made: The jobs that it has made.
    """

    act: Callable[[], object]
    root: str | None = None
    ends: Collection[str] = COMPLETED
    result: Any = None
    begins: int = 1
    others: Collection[str] = ()
    together: bool = False
    after: int | None = None
    before: dict[str, State] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)


OPERATIONS: dict[str, tuple[Callable[[Project, Project], Case], dict[str, Any]]] = {}


def operation(**settings: Any) -> Callable[..., Any]:
    """Register what makes a case, from a project that lives and one that is to die, which may have other settings."""

    def register(make: Callable[[Project, Project], Case]) -> Callable[[Project, Project], Case]:
        OPERATIONS[make.__name__] = make, settings
        return make

    return register


def die(
    server: EmbeddedRedis, living: Project, make: Callable[[Project, Project], Case], settings: dict[str, Any]
) -> Iterator[Case]:
    """Make a case for each command that somebody can die at, and a last one in which nobody does."""
    conf = {"broker_transport_options": {"of": make.__name__}}  # before any pool is made that others share
    with closing(Project(server, living.log_dir, like=living, conf=conf, **{**SOON, **settings})) as mortal:
        for after in range(MOST_COMMANDS):
            hang_up(mortal, f"{make.__name__} {after}")  # each time it is another process
            case = make(living, mortal)
            case.before = states(living, [case.root, *case.others] if case.root else [])
            known = set() if case.root else recorded(living)
            try:
                with dying(after):
                    case.act()
            except DiedError:
                case.after = after
            case.made = [] if case.root else sorted(recorded(living) - known)
            yield case
            if case.after is None:
                return
    pytest.fail("it does not come to its end")


def hang_up(project: Project, options: str) -> None:
    """Let go of all that has to do with servers, and of what is known of them."""
    project.tracking.reporter._batch._reports.clear()
    project.tracking.reporter._batch._has_thread = True
    project.client.connection_pool.disconnect()
    app = project.app
    disconnect(app)
    for name in ("amqp", "control"):
        vars(app).pop(name, None)
    app._pool = None
    # Apps whose connections have the same options share their pools.
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "of": options}


def recorded(project: Project) -> set[str]:
    """The ids of all jobs."""
    return {job_id for status in Status for job_id in project.queries.entered_before(status, 2**53, 0, 10_000)}


def states(project: Project, roots: Iterable[str]) -> dict[str, State]:
    """The states of jobs and all below them, by id."""
    records = project.queries.records([each for root in roots for each in project.queries.families(root)])
    pipe = project.diary.client.pipeline(transaction=False)
    for record in records:
        for run in range(1, record.run + 2):
            pipe.lrange(f"{project.diary.key}:{task_id_of(record.id, run)}", 0, -1)
    lines = iter(pipe.execute())
    found = {}
    for record in records:
        run = record.run
        begun = sum(line.startswith("began") for _ in range(run + 1) for line in next(lines))
        found[record.id] = State(record.status or "missing", run, begun, record.reason)
    return found
