"""Gathers facts about the configuration, without importing task code.

The records, the workers' own answers (Celery's `inspect`), the broker, and what the Redis servers say of themselves.
The work is bounded: some thousand jobs, one answer of each worker. Facts that can't be found out are listed.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from redis.exceptions import RedisError, ResponseError

from jobtracker.broker.config import is_amqp
from jobtracker.broker.message_search import UnackedMessage
from jobtracker.connection.client import RedisClient, connect
from jobtracker.connection.urls import AMQP_SCHEMES, is_sentinel, scheme_of
from jobtracker.connection.write_rejection import WriteRejection, find_write_rejection, in_words
from jobtracker.core.clock import now_ms
from jobtracker.core.job import job_and_run_of
from jobtracker.core.lifecycle import SETTLED, UNDER_WAY, Status
from jobtracker.diagnosis.health import HealthCheck
from jobtracker.diagnosis.held_messages import HeldMessages
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.doctor.inspect_parsing import ASKED_OF_TASKS, ASKED_SETTINGS, TaskInfo, seconds
from jobtracker.errors import BrokerUnavailableError
from jobtracker.runtime import Tracking
from jobtracker.schemas.filters import JobFilter
from jobtracker.schemas.job_types import JobType
from jobtracker.schemas.stats import Performance
from jobtracker.schemas.workers import QueueDepths
from jobtracker.store.partitions import servers_of
from jobtracker.store.reader import HOUR_MS
from jobtracker.store.schema import JobRecord

_MOST_JOBS = 5000
"""Waiting jobs, and open parents, that are looked at."""
_LATEST = 100
"""Jobs of a type that are looked at for whether they are sub-jobs."""
_WINDOW_HOURS = 24
_TIMEOUT_S = 2.0
_NEW_MS = 3000
"""Of a message that was fetched so lately its worker may not know yet."""

DEFAULT_VISIBILITY_S = 3600.0
"""kombu/transport/redis.py: Channel.visibility_timeout."""


@dataclass(frozen=True)
class Server:
    """A Redis server.

    Attributes:
        roles: What is kept there: "the tracking Redis", "the broker", "the result backend".
        info: Its INFO.
        save: When it writes snapshots; None where it does not tell.
        rejection: Why it takes no writes; None where it does.
    """

    roles: tuple[str, ...]
    info: Mapping[str, Any]
    save: str | None
    rejection: WriteRejection | None = None

    @property
    def name(self) -> str:
        """Its roles in words."""
        *others, last = self.roles
        return f"{', '.join(others)} and {last}" if others else last


@dataclass
class Evidence:
    """What was found out.

    Attributes:
        now_ms: When.
        broker_is_amqp: The broker is RabbitMQ.
        types: The announced job types.
        settings: Celery's settings, of each worker that answered.
        tasks: What each of them says of its tasks.
        visibility_s: After how long the broker delivers again what is not acknowledged, by whom it is configured so;
            empty on AMQP.
        figures: How the jobs of each type did in the last 24 hours.
        waiting: Records of jobs that wait for a time.
        open_parents: Records of parents that have not settled, the longest-running first.
        sub_job_types: Types of which some of the latest jobs were sub-jobs.
        queues: How much waits; None where the broker does not answer.
        unconsumed: How many messages wait in queues that nobody consumes.
        abandoned: Messages with workers that are gone, whose tasks are to run, and are not sent again.
        workers: Names of the workers that live.
        silent: Those of them that do not answer.
        skews_ms: How far the clocks of the workers are ahead of the tracking Redis's.
        servers: The Redis servers.
        unchecked: What could not be found out, and why.
    """

    now_ms: int
    broker_is_amqp: bool
    types: dict[str, JobType] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, list[TaskInfo]] = field(default_factory=dict)
    visibility_s: dict[str, float] = field(default_factory=dict)
    figures: dict[str, Performance] = field(default_factory=dict)
    waiting: list[JobRecord] = field(default_factory=list)
    open_parents: list[JobRecord] = field(default_factory=list)
    sub_job_types: set[str] = field(default_factory=set)
    queues: QueueDepths | None = None
    unconsumed: dict[str, int] = field(default_factory=dict)
    abandoned: list[UnackedMessage] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    skews_ms: dict[str, int] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """Note what can't be found out where the broker or a server does not answer or refuses."""
        try:
            yield
        except (BrokerUnavailableError, RedisError) as error:
            self.unchecked.append(f"{what}: {in_words(error)}")

    def setting(self, name: str) -> dict[str, Any]:
        """A setting of Celery by worker."""
        return {worker: conf.get(name) for worker, conf in self.settings.items()}


def gather(tracking: Tracking, inspector: Inspector) -> Evidence:
    """Find out what there is to know.

    Raises:
        redis.exceptions.RedisError: The tracking Redis does not answer.
    """
    found = Evidence(now_ms(), is_amqp(tracking.app), types=tracking.registry.all(fresh=True))
    _read_jobs(found, tracking)
    found.skews_ms = tracking.leases.skews_ms()
    _ask_workers(found, tracking, inspector)
    _ask_broker(found, inspector)
    _find_abandoned(found, tracking, inspector)
    _ask_servers(found, tracking)
    return found


def _read_jobs(found: Evidence, tracking: Tracking) -> None:
    queries, until_ms = tracking.queries, found.now_ms + 1
    since_ms = found.now_ms - (_WINDOW_HOURS - 1) * HOUR_MS
    found.figures = queries.performance(since_ms, found.now_ms, sorted(found.types))
    found.figures.pop("", None)

    def some(status: Status, wanted: Callable[[JobRecord], object]) -> list[JobRecord]:
        ids = queries.entered_before(status, until_ms, 0, _MOST_JOBS)
        if len(ids) == _MOST_JOBS:
            found.unchecked.append(f"all {status} jobs: only the first {_MOST_JOBS:,} were looked at")
        records = [
            record for first in range(0, len(ids), 500) for record in queries.records(ids[first : first + 500])
        ]
        return [record for record in records if wanted(record)]

    for status in (Status.PENDING, Status.RETRYING):
        found.waiting += some(status, lambda record: record.eta and record.run)
    for status in UNDER_WAY:
        found.open_parents += some(status, lambda record: record.subs)
    for name in found.types:
        latest = queries.page(JobFilter(job_type=(name,)), size=_LATEST).jobs
        if any(job.parent_id for job in latest):
            found.sub_job_types.add(name)


def _ask_workers(found: Evidence, tracking: Tracking, inspector: Inspector) -> None:
    with found.trying("the workers' settings"):
        workers = inspector.workers(fresh=True)
        found.workers = [worker.name for worker in workers if worker.online or worker.lease]
        online = [worker.name for worker in workers if worker.online]
        found.silent = [worker.name for worker in workers if not worker.online]
        if found.silent:
            found.unchecked.append(f"the settings of workers that do not answer: {', '.join(found.silent)}")
        if not found.workers:
            found.unchecked.append("the workers' settings: no worker runs")
        if online:
            found.settings, answers = inspector.configurations(online, ASKED_SETTINGS, ASKED_OF_TASKS)
            found.tasks = {name: TaskInfo.read(told) for name, told in answers.items()}
    if not found.broker_is_amqp:
        options = tracking.app.conf.broker_transport_options or {}
        found.visibility_s["this process"] = float(options.get("visibility_timeout") or DEFAULT_VISIBILITY_S)
        for name, conf in found.settings.items():
            told = (conf.get("broker_transport_options") or {}).get("visibility_timeout")
            found.visibility_s[name] = seconds(told) or DEFAULT_VISIBILITY_S


def _ask_broker(found: Evidence, inspector: Inspector) -> None:
    with found.trying("the queues"):
        found.queues = inspector.queue_depths()
        found.unconsumed = HealthCheck(inspector).unconsumed()
        if found.queues.some_left_out:
            found.unchecked.append("all queues: calls have named more of them than are kept")


def _find_abandoned(found: Evidence, tracking: Tracking, inspector: Inspector) -> None:
    if found.silent:
        return  # they may have them
    with found.trying("who holds what is not acknowledged"):
        taken = [each for each in HeldMessages(inspector).abandoned() if found.now_ms - each.taken_ms > _NEW_MS]
        records = tracking.queries.records([job_and_run_of(each.task_id)[0] for each in taken])
        found.abandoned = [
            each
            for each, record in zip(taken, records, strict=True)
            if not record.exists or (record.status not in SETTLED and record.task_id == each.task_id)
        ]


def _ask_servers(found: Evidence, tracking: Tracking) -> None:
    settings = tracking.settings
    clients: list[tuple[str, RedisClient, str]] = []
    with found.trying("the tracking Redis"):
        own = servers_of(tracking.client, tracking.keys)
        clients = [("the tracking Redis", server, key) for server, key in own.items()]
    key = tracking.keys.parts[0]("probe")
    for role, url in (
        ("the broker", settings.celery_broker_url),
        ("the result backend", settings.celery_result_backend),
    ):
        where = url or settings.tracking_url
        first = where if is_sentinel(where) else where.split(";")[0]
        if is_sentinel(first) or scheme_of(first) in {"redis", "rediss", "unix"}:
            clients.append((role, connect(first, _TIMEOUT_S), key))
        elif scheme_of(first) not in AMQP_SCHEMES:
            found.unchecked.append(f"{role}: nothing is known of {scheme_of(first) or 'such an address'}")
    by_run: dict[str, Server] = {}
    for role, client, key in clients:
        with found.trying(role):
            server = _ask_server(found, role, client, key)
            run_id = str(server.info.get("run_id"))
            known = by_run.get(run_id)
            by_run[run_id] = replace(known, roles=(*known.roles, role)) if known else server
        if role != "the tracking Redis":
            client.close()
    found.servers = list(by_run.values())


def _ask_server(found: Evidence, role: str, client: RedisClient, key: str) -> Server:
    info = client.info()
    try:
        save = client.config_get("save").get("save")
    except ResponseError as error:  # managed servers forbid CONFIG, and so may an ACL
        save = None
        if not info.get("aof_enabled"):
            found.unchecked.append(f"whether {role} writes snapshots: it does not tell its configuration ({error})")
    return Server((role,), info, save, find_write_rejection(client, key, info))
