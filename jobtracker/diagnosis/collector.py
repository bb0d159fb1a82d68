"""Asks the leases, the broker and the workers where the messages of jobs are. It asks each only if that is needed."""

from collections.abc import Iterable, Sequence

from redis.exceptions import RedisError

from jobtracker.broker.connection import BROKER_TIMEOUT_S, connected
from jobtracker.broker.message_search import locate_messages
from jobtracker.diagnosis.held_messages import HeldMessages
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.observations import Job, Observations
from jobtracker.errors import BrokerUnavailableError
from jobtracker.runtime import Tracking

_SCAN_S = 0.3
"""How long messages are looked for at the broker."""
_LATE_RENEWALS = 2
"""A worker that has missed so many renewals of its lease is said to be silent."""


class Collector:
    """Finds out about jobs that are not done.

    Args:
        tracking: Whose.
        inspector: Asks their workers.
    """

    def __init__(self, tracking: Tracking, inspector: Inspector) -> None:
        self.tracking = tracking
        self.inspector = inspector
        self._held = HeldMessages(inspector)

    def collect(self, jobs: Iterable[Job], *, fresh: bool, most_fates: int | None = None) -> Observations:
        """Look at the broker and, where that leaves something open, ask the workers.

        Args:
            jobs: What it is about.
            fresh: What workers have answered a moment ago does not do.
            most_fates: Of so many jobs whose worker is lost it is found out what becomes of them; default: of all.
        """
        jobs = list(jobs)
        wanted = _wanted(jobs)
        found = self.look_at_broker(jobs)
        self._look_at_workers(found, [job for job in jobs if job.is_executing and job.record.lease], most_fates)
        if found.broker is not None and self._needs_workers(found, wanted):
            self.ask_workers(found, jobs, fresh=fresh)
        return found

    def look_at_broker(self, jobs: Iterable[Job], *, whole_only: bool = False) -> Observations:
        """Look for the leases of jobs, and for their messages at the broker.

        Args:
            jobs: What it is about.
            whole_only: Not in queues that are too long to look at every message.
        """
        open_jobs = [job for job in jobs if not job.is_settled]
        leases = self.tracking.leases
        live = {worker.incarnation: worker for worker in self.inspector.consuming()} if open_jobs else {}
        # The time is asked after the leases: a lease that is not among them ended before it.
        found = Observations(self.tracking.queries.server_ms(), live)
        lost = {job.record.lease for job in open_jobs if job.record.lease} - found.leases.keys()
        found.lease_ends_ms = leases.ends_ms(lost)
        found.last_lost_ms = leases.last_lost_ms() if open_jobs else None
        if wanted := _wanted(open_jobs):
            task_ids = sorted(set().union(*wanted.values()))
            found.unsent = self.tracking.queries.are_unsent(task_ids)  # which may be claimed just now
            found.unconfirmed = self.tracking.queries.are_unconfirmed(task_ids)
            try:
                with connected(self.tracking.app, BROKER_TIMEOUT_S, read_timeout_s=BROKER_TIMEOUT_S) as connection:
                    found.broker = locate_messages(connection, wanted, _SCAN_S, whole_only=whole_only)
            except BrokerUnavailableError as error:
                found.unavailable.append(f"where its message is: {error}")
        return found

    def ask_workers(self, found: Observations, jobs: Iterable[Job], *, fresh: bool) -> None:
        """Ask the workers what they hold.

        Args:
            found: What was found out so far; their answers are added.
            jobs: What it is about.
            fresh: How they were a moment ago does not do; what they hold they are always asked.
        """
        task_ids = [job.task_id for job in jobs if job.has_message or job.is_executing]
        try:
            found.workers = self.inspector.workers(fresh=fresh)
            answering = {worker.lease.incarnation for worker in found.workers if worker.online and worker.lease}
            asked = [lease for incarnation, lease in found.leases.items() if incarnation in answering]
            holdings = self._held.of_workers(asked, task_ids)
        except (BrokerUnavailableError, RedisError) as error:
            found.unavailable.append(f"what the workers hold: {error}")
        else:
            found.holdings = {each: holding for each, holding in holdings.items() if each in found.leases}
            told = {found.leases[incarnation].name for incarnation in found.holdings}
            silent = sorted({w.name for w in found.workers if not w.online} | {w.name for w in asked} - told)
            if silent:
                found.unavailable.append(f"what these workers hold, which do not say it: {', '.join(silent)}")

    def _look_at_workers(self, found: Observations, running: Sequence[Job], most_fates: int | None) -> None:
        """Look which workers of running jobs are silent, and what follows for the jobs of those that are lost."""
        workers = {job.record.lease for job in running if job.record.lease}
        silent_ms = self.tracking.leases.silent_ms(workers & found.leases.keys())
        late_ms = _LATE_RENEWALS * self.tracking.settings.lease_renew_s * 1000
        found.silent_ms = {worker: ms for worker, ms in silent_ms.items() if ms > late_ms}
        lost = [job for job in running if job.record.lease not in found.leases]
        found.fates = {job.id: self.tracking.lost_executions.outlook(job.record).text for job in lost[:most_fates]}

    @staticmethod
    def _needs_workers(found: Observations, wanted: dict[str, set[str]]) -> bool:
        """A message does not wait in its queue, or no worker seems to consume that queue."""
        for name, ids in wanted.items():
            queue = found.broker.queues[name] if found.broker else None
            if queue is None or not ids <= queue.waiting.keys():
                return True
            if not found.consumers_of(name):
                return True
        return False


def _wanted(jobs: Iterable[Job]) -> dict[str, set[str]]:
    """The task ids whose messages matter, by the queue in which each may be."""
    wanted: dict[str, set[str]] = {}
    for job in jobs:
        if job.has_message:
            wanted.setdefault(job.queue, set()).add(job.task_id)
    return wanted
