"""Observations about jobs that are not done: from their records, the leases, the broker and the workers."""

from dataclasses import dataclass, field
from typing import NamedTuple

from jobtracker.broker.message_search import BrokerObservations
from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.schemas.workers import Holding, Worker, WorkerStats
from jobtracker.store.schema import JobRecord


class Holder(NamedTuple):
    """The worker that says that it has a message."""

    worker: str
    """Its name."""
    where: str
    """As `schemas.workers.Holding.held` has it."""


@dataclass
class Observations:
    """What was found out.

    Attributes:
        now_ms: When.
        leases: The live workers by incarnation.
        lease_ends_ms: When the leases of the jobs' workers ran out, by incarnation; only those that ran out recently.
        silent_ms: For workers whose renewal is overdue: the time since the last one, by incarnation.
        fates: What will become of jobs whose worker is lost, by id: "the job …".
        broker: What was observed there; None: it was not asked, or does not answer.
        last_lost_ms: When the last lease ran out without being given back; None: none did recently.
        workers: What they answer; None if they were not asked, or do not answer.
        holdings: What the live workers that answered say of the jobs' messages, by incarnation.
        unconfirmed: Task ids of runs that somebody is about to send.
        unsent: Task ids of runs that wait for a worker to send them.
        unavailable: What could not be found out, and why.
    """

    now_ms: int
    leases: dict[str, Worker]
    lease_ends_ms: dict[str, int] = field(default_factory=dict)
    silent_ms: dict[str, int] = field(default_factory=dict)
    fates: dict[str, str] = field(default_factory=dict)
    broker: BrokerObservations | None = None
    last_lost_ms: int | None = None
    workers: list[WorkerStats] | None = None
    holdings: dict[str, Holding] = field(default_factory=dict)
    unconfirmed: set[str] = field(default_factory=set)
    unsent: set[str] = field(default_factory=set)
    unavailable: list[str] = field(default_factory=list)

    @property
    def workers_answered(self) -> bool:
        """All that live have said what they hold. Of two that have one name nobody knows whose answer is known."""
        if self.workers is None or len({lease.name for lease in self.leases.values()}) < len(self.leases):
            return False
        return all(worker.online for worker in self.workers) and self.leases.keys() <= self.holdings.keys()

    def holder_of(self, task_id: str) -> Holder | None:
        """Who says that it has a task's message."""
        for incarnation, holding in self.holdings.items():
            if where := holding.held.get(task_id):
                return Holder(self.leases[incarnation].name, where)
        # Those of an older release, and those that are not tracked.
        for worker in self.workers or []:
            if any(task.get("id") == task_id for task in worker.active):
                return Holder(worker.name, "active")
            if any(task.get("id") == task_id for task in worker.reserved):
                return Holder(worker.name, "reserved")
            if any((task.get("request") or {}).get("id") == task_id for task in worker.scheduled):
                return Holder(worker.name, "scheduled")
        return None

    def ended_by(self, job: "Job") -> str | None:
        """The worker that has acknowledged a job's message and does not have it any more, by its name."""
        record = job.record
        if record.replaced or record.also_sent or record.reused == record.run:
            return None  # it may be another message with the same id
        attempt = record.attempt + (job.status is Status.RETRYING)
        for incarnation, holding in self.holdings.items():
            if holding.ended.get(job.task_id, -1) >= attempt:
                return self.leases[incarnation].name
        return None

    def is_opaque(self, job: "Job") -> bool:
        """Some worker can't tell whether it has a job's message."""
        return any(job.record.task in holding.opaque for holding in self.holdings.values())

    def consumers_of(self, queue: str) -> list[str]:
        """The live workers that consume a queue: what they say counts, or what they said when they started."""
        said = {worker.name: worker.queues for worker in self.workers or [] if worker.online}
        said = {lease.name: lease.queues for lease in self.leases.values()} | said
        return sorted(name for name, queues in said.items() if queue in queues)

    def slots_of(self, queue: str) -> int:
        """How many tasks those run at once."""
        names = set(self.consumers_of(queue))
        return sum(lease.concurrency for lease in self.leases.values() if lease.name in names)

    def visibility_ms(self) -> float | None:
        """After how long messages come back: by what the workers say, which counts, or this process's settings."""
        if self.broker is None or self.broker.visibility_timeout_s is None:
            return None
        for worker in self.workers or []:
            options = ((worker.stats or {}).get("broker") or {}).get("transport_options") or {}
            if options.get("visibility_timeout"):
                return float(options["visibility_timeout"]) * 1000
        return self.broker.visibility_timeout_s * 1000


class Job:
    """A record, read for this purpose.

    Args:
        record: Its record.
        default_queue: Where it is sent if it does not say.
    """

    def __init__(self, record: JobRecord, default_queue: str) -> None:
        self.record = record
        self.id = record.id
        self.status = record.nearest_status
        self.run = record.run
        self.task_id = record.task_id
        self.queue = record.actual_queue or record.queue or default_queue
        self.subs_settled = record.subs_settled
        self.subs_open = record.subs - self.subs_settled
        self.is_settled = self.status in SETTLED
        self.is_executing = bool(record.executing) and not self.is_settled

    @property
    def waits_for_a_chain(self) -> bool:
        """It was announced ahead by the job before it, and not sent yet."""
        return not self.record.queued and self.run > 0

    @property
    def has_message(self) -> bool:
        """It matters where its message is."""
        if self.is_settled or not self.run or self.waits_for_a_chain or self.subs_open > 0:
            return False
        return not self.is_executing

    @property
    def began_ms(self) -> int | None:
        """Since when it has been running: not what was lost before."""
        return self.record.began or self.record.started

    @property
    def attempt_began_ms(self) -> int | None:
        """When the attempt began that runs, or ran at last."""
        execution = self.record.execution  # its id begins so: lua/lib/executions.lua
        return int(execution.partition("-")[0]) if execution else self.began_ms

    @property
    def has_begun(self) -> bool:
        """A worker has begun its task in this run, perhaps an attempt before this one."""
        return bool(self.record.worker)
