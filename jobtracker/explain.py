"""Why is a job not done? Asks the record, the leases, the broker and the workers, as far as each has to be asked.

Bounded, whatever the broker holds and whoever does not answer: some thousand messages, ten sub-jobs, the workers'
time limit. What can't be found out is said, and is no error.
"""

import time
from collections.abc import Iterable, Mapping

from redis.exceptions import RedisError

from jobtracker.brokers import connected
from jobtracker.errors import BrokerUnavailableError
from jobtracker.explanations import Code, Estimate, Explanation, SubJobState
from jobtracker.figures import Performance
from jobtracker.findings import Findings, Job
from jobtracker.inspection import Inspection
from jobtracker.lifecycle import SETTLED, Status
from jobtracker.models import from_ms
from jobtracker.queries import HOUR_MS
from jobtracker.store import now_ms
from jobtracker.tracking import Tracking
from jobtracker.verdicts import Verdict, verdict_of
from jobtracker.whereabouts import look_for

_NAMED = 10
"""Sub-jobs that are named."""
_BROKER_S = 1.0
"""How long the broker may take to connect, and to answer."""
_SCAN_S = 0.3
"""How long messages are looked for at the broker."""
_SECOND_LOOK_S = 0.2
"""After so long it is looked again for a message that was on its way from one place to another, perhaps."""
_QUICK_S = 0.5
"""Workers that took so long to answer are not asked twice."""
_WINDOW_HOURS = 24
_FEWEST = 5
"""Jobs that have to have settled before an estimate is made of them."""
_MOST_TYPES = 20
"""Types of jobs ahead whose figures are read for an estimate."""


class Explainer:
    """Explains jobs.

    Args:
        tracking: Whose.
        inspection: Asks their workers.
    """

    def __init__(self, tracking: Tracking, inspection: Inspection) -> None:
        self.tracking = tracking
        self.inspection = inspection

    def explain(self, job_id: str) -> Explanation:
        """Why a job is not done, or why it ended as it did.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        began = time.monotonic()
        found = self._look(job_id, fresh=False)
        if found.code is Code.MESSAGE_MISSING:
            took_s = time.monotonic() - began  # long where a worker did not answer, and would not do so again
            time.sleep(_SECOND_LOOK_S)
            found = self._look(job_id, fresh=took_s < _QUICK_S)
        return found

    def _look(self, job_id: str, *, fresh: bool) -> Explanation:
        queries = self.tracking.queries
        job = self._job(queries.record(job_id))
        subs = [self._job(record) for record in self._subs_that_matter(job)]
        found = self._find_out([job, *subs], fresh=fresh)
        states = [self._state(sub, found) for sub in subs]
        verdict = verdict_of(job, found, states)
        not_before_ms = job.ms("eta")
        return Explanation(
            job_id=job_id,
            status=job.status,
            at=from_ms(found.now_ms),
            not_before=from_ms(not_before_ms) if not_before_ms and not_before_ms > found.now_ms else None,
            sub_jobs_open=job.subs_open,
            sub_jobs=states,
            finish=self._estimate(job, verdict, found),
            unknown=found.unknown,
            **vars(verdict),
        )

    def _job(self, record: Mapping[str, str]) -> Job:
        return Job(record, self.tracking.app.conf.task_default_queue)

    def _subs_that_matter(self, job: Job) -> list[dict[str, str]]:
        if not job.record.get("subs") or job.status is Status.COMPLETED:
            return []
        statuses = {Status.FAILED, Status.CANCELLED} if job.is_settled else set(Status) - SETTLED
        return self.tracking.queries.some_subs(job.id, statuses, _NAMED)

    @staticmethod
    def _state(sub: Job, found: Findings) -> SubJobState:
        verdict = verdict_of(sub, found)
        name = sub.record.get("name") or sub.id
        return SubJobState(id=sub.id, name=name, status=sub.status, code=verdict.code, sentence=verdict.sentence)

    # -- asking -----------------------------------------------------------------------------------------------------

    def _find_out(self, jobs: Iterable[Job], *, fresh: bool) -> Findings:
        open_jobs = [job for job in jobs if not job.is_settled]
        leases = self.tracking.leases
        found = Findings(now_ms(), {worker.incarnation: worker for worker in leases.live()} if open_jobs else {})
        lost = {job.record["lease"] for job in open_jobs if job.record.get("lease")} - found.leases.keys()
        found.lease_ends_ms = leases.ends_ms(lost)
        wanted: dict[str, set[str]] = {}
        for job in open_jobs:
            if job.has_message:
                wanted.setdefault(job.queue, set()).add(job.task_id)
        if wanted:
            found.unconfirmed = self.tracking.queries.are_unconfirmed(sorted(set().union(*wanted.values())))
            self._ask_broker(found, wanted)
        if found.broker is not None and self._needs_workers(found, wanted):
            self._ask_workers(found, fresh=fresh)
        return found

    def _ask_broker(self, found: Findings, wanted: dict[str, set[str]]) -> None:
        try:
            with connected(self.tracking.app, _BROKER_S, read_timeout_s=_BROKER_S) as connection:
                found.broker = look_for(connection, wanted, _SCAN_S)
        except BrokerUnavailableError as error:
            found.unknown.append(f"where its message is: {error}")

    @staticmethod
    def _needs_workers(found: Findings, wanted: dict[str, set[str]]) -> bool:
        """A message does not wait in its queue, or does so where nobody seems to come for it."""
        for name, ids in wanted.items():
            queue = found.broker.queues[name] if found.broker else None
            if queue is None or not ids <= queue.waiting.keys():
                return True
            if not found.consumers_of(name):
                return True
        return False

    def _ask_workers(self, found: Findings, *, fresh: bool) -> None:
        try:
            found.workers = self.inspection.workers(fresh=fresh)
        except (BrokerUnavailableError, RedisError) as error:
            found.unknown.append(f"what the workers hold: {error}")
        else:
            silent = [worker.name for worker in found.workers if not worker.online]
            if silent:
                found.unknown.append(f"what these workers hold, which do not answer: {', '.join(silent)}")

    # -- when it may be done ----------------------------------------------------------------------------------------

    def _estimate(self, job: Job, verdict: Verdict, found: Findings) -> Estimate | None:
        """By the run times of its type; of a job without sub-jobs only, for those of parents contain theirs."""
        if job.is_settled or job.record.get("subs"):
            return None
        match verdict.code:
            case Code.RUNNING if started_ms := job.ms("started"):
                return self._finish(job, started_ms, found.now_ms)
            case Code.QUEUED:
                return self._finish_of_queued(job, found)
            case Code.WAITING_FOR_ETA if eta_ms := job.ms("eta"):
                return self._finish_of_waiting(eta_ms, self._performance([job.record["type"]])[job.record["type"]])
        return None

    def _finish(self, job: Job, started_ms: int, now: int) -> Estimate | None:
        """Of one that runs: by the median, or now where that is over. None where p95 is over too."""
        figures = self._performance([job.record["type"]])[job.record["type"]]
        times = [figures.run.p50_s, figures.run.p95_s]
        if figures.count < _FEWEST or None in times:
            return None
        ends = [started_ms + int(seconds * 1000) for seconds in times if seconds is not None]
        if ends[1] < now:
            return None
        return Estimate(at=from_ms(max(ends[0], now)), late_at=from_ms(ends[1]), based_on=figures.count)

    def _finish_of_queued(self, job: Job, found: Findings) -> Estimate | None:
        """Of one that waits: the work ahead, by the mean run times of its types, on all slots that consume the queue.

        What runs now, and what the workers have fetched, is not counted.
        """
        queue = found.broker.queues.get(job.queue) if found.broker else None
        waiting = queue.waiting.get(job.task_id) if queue else None
        slots = found.slots_of(job.queue)
        if waiting is None or waiting.tasks_ahead is None or not slots or len(waiting.tasks_ahead) > _MOST_TYPES:
            return None
        types = {task: self._type_of(task) for task in waiting.tasks_ahead}
        figures = self._performance([job.record["type"], *types.values()])
        ahead_s = 0.0
        for task, number in waiting.tasks_ahead.items():
            run = figures[types[task]].run.mean_s
            if run is None or figures[types[task]].count < _FEWEST:
                return None
            ahead_s += number * run
        return self._finish_of_waiting(found.now_ms + int(ahead_s * 1000 / slots), figures[job.record["type"]])

    @staticmethod
    def _finish_of_waiting(start_ms: int, figures: Performance) -> Estimate | None:
        if figures.count < _FEWEST or figures.run.p50_s is None:
            return None
        at = from_ms(start_ms + int(figures.run.p50_s * 1000))
        return Estimate(at=at, late_at=None, started_at=from_ms(start_ms), based_on=figures.count)

    def _type_of(self, task: str) -> str:
        announced = self.tracking.registry.type_of_task(task)
        return announced.name if announced else task

    def _performance(self, job_types: Iterable[str]) -> dict[str, Performance]:
        now = now_ms()
        return self.tracking.queries.performance(now - (_WINDOW_HOURS - 1) * HOUR_MS, now, sorted(set(job_types)))
