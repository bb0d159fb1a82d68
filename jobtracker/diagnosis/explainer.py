"""Why is a job not done? Asks the record, the leases, the broker and the workers, as far as each has to be asked.

The work is bounded: some thousand messages, ten sub-jobs, a time limit for workers and broker. Facts that can't be
found out are named in the answer; they are not errors.
"""

import math
import time
from collections.abc import Iterable, Sequence

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.diagnosis.collector import Collector
from jobtracker.diagnosis.conclusions import Conclusion, taken_by
from jobtracker.diagnosis.group_rules import explanation_of, members_that_matter
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.observations import Job, Observations
from jobtracker.diagnosis.rules import conclude
from jobtracker.diagnosis.taken_slots import WAITS_FOR_A_SLOT, holders_of
from jobtracker.errors import JobNotFoundError
from jobtracker.jobs.relaunch import NEVER
from jobtracker.jobs.resend_policy import resending_of
from jobtracker.runtime import Tracking
from jobtracker.schemas.explanation import Code, Estimate, Explanation, SubJobState
from jobtracker.schemas.stats import Performance
from jobtracker.store.groups import Group
from jobtracker.store.reader import HOUR_MS
from jobtracker.store.schema import JobRecord

_NAMED = 10
"""Sub-jobs that are named."""
_SECOND_LOOK_S = 0.2
"""After so long it is looked again for a message that was on its way from one place to another, perhaps."""
_QUICK_S = 0.5
"""Workers that took so long to answer are not asked twice."""
_WINDOW_HOURS = 24
_FEWEST = 5
"""Jobs that have to have settled before an estimate is made of them."""
_LEAST_SHARE = 0.01
"""Progress of less than that says too little."""
_MOST_RUNNING = 500
"""Running jobs among which those are looked for that have the slots, the ones that run longest."""
_MOST_TYPES = 20
"""Types of jobs ahead whose figures are read for an estimate."""


class Explainer:
    """Explains jobs.

    Args:
        tracking: Whose.
        inspector: Asks their workers.
    """

    def __init__(self, tracking: Tracking, inspector: Inspector) -> None:
        self.tracking = tracking
        self.collector = Collector(tracking, inspector)

    def explain(self, job_id: str) -> Explanation:
        """Why a job is not done, or why it ended as it did. Of a Celery group: what holds it up.

        Raises:
            JobNotFoundError: There is neither with that id.
        """
        began = time.monotonic()
        try:
            found = self._look(job_id, fresh=False)
        except JobNotFoundError:
            return self._explain_group(self.tracking.queries.group(job_id))
        if found.code is Code.MESSAGE_MISSING:
            took_s = time.monotonic() - began  # long where a worker did not answer, and would not do so again
            time.sleep(_SECOND_LOOK_S)
            found = self._look(job_id, fresh=took_s < _QUICK_S)
        return found

    def _explain_group(self, group: Group) -> Explanation:
        members = [self.job(record) for record in members_that_matter(group, _NAMED)]
        found = self.collector.collect(members, fresh=False)
        return explanation_of(group, found, [self._state(member, found) for member in members])

    def _look(self, job_id: str, *, fresh: bool) -> Explanation:
        queries = self.tracking.queries
        job = self.job(queries.record(job_id))
        subs = [self.job(record) for record in self._subs_that_matter(job)]
        found = self.collector.collect([job, *subs], fresh=fresh)
        states = [self._state(sub, found) for sub in subs]
        conclusion = self.conclusion(job, found, states)
        holders = self._holders(job, conclusion, found)
        not_before_ms = job.record.eta
        return Explanation(
            job_id=job_id,
            status=job.status,
            at=from_ms(found.now_ms),
            not_before=from_ms(not_before_ms) if not_before_ms and not_before_ms > found.now_ms else None,
            sub_jobs_open=job.subs_open,
            sub_jobs=states,
            slot_job_ids=[each.id for each in holders[:_NAMED]],
            finish=self._estimate(job, conclusion, found, holders),
            traceparent=job.record.traceparent,
            trace_url=queries.trace_url(job.record),
            unavailable=found.unavailable,
            **vars(conclusion),
        )

    def job(self, record: JobRecord) -> Job:
        """A record, read to be explained."""
        default = self.tracking.registry.queue_of(record, self.tracking.app.conf.task_default_queue)
        return Job(record, default)

    def _holders(self, job: Job, conclusion: Conclusion, found: Observations) -> list[Job]:
        """The jobs that have all slots for which one waits, as far as that is certain; the summary names some."""
        if conclusion.code not in WAITS_FOR_A_SLOT:
            return []
        records, _ = self.tracking.queries.open_records(Status.RUNNING, _MOST_RUNNING)
        running = [each for each in map(self.job, records) if each.is_executing]
        worker = conclusion.worker.name if conclusion.worker else None
        holders = holders_of(job.queue, running, found, worker=worker) or []
        if holders:
            conclusion.summary += taken_by(holders, found)
        return holders

    def _subs_that_matter(self, job: Job) -> list[JobRecord]:
        if not job.record.subs or job.status is Status.COMPLETED:
            return []
        statuses = {Status.FAILED, Status.CANCELLED} if job.is_settled else set(Status) - SETTLED
        return self.tracking.queries.some_subs(job.id, statuses, _NAMED)

    def conclusion(
        self, job: Job, found: Observations, subs: Sequence[SubJobState] = (), *, advised: bool = True
    ) -> Conclusion:
        """What a job waits for and, if `advised`, what is done about it or helps where nobody can run it."""
        conclusion = conclude(job, found, subs)
        if conclusion.code is Code.BEING_SENT and not self.tracking.relauncher.resends:
            since_ms = max(job.record.queued or 0, job.record.status_changed_at or 0)
            if found.now_ms - since_ms > self.tracking.settings.lease_lost_s * 1000:
                conclusion.code = Code.UNKNOWN
                conclusion.summary = (
                    f"It was recorded as sent to queue {job.queue!r}, and whether it was is not known: "
                    f"its sender has died. It is not sent again: {NEVER}. To have it run, cancel it, then retry it."
                )
        if advised:
            self.advise(job, conclusion)
        return conclusion

    def advise(self, job: Job, conclusion: Conclusion) -> None:
        """Add to a summary what is done about a job that nobody can run, or what helps."""
        if conclusion.code not in {Code.MESSAGE_MISSING, Code.WAITING_FOR_REDELIVERY}:
            return
        if self.tracking.relauncher.resends and _is_given_back(job, conclusion):
            conclusion.summary += " Before that it is given back to its queue, within seconds."
            return
        [(record, data)] = self.tracking.queries.load([job.id], missing_ok=True)
        by_itself = conclusion.code is Code.MESSAGE_MISSING or not job.has_begun
        advice = resending_of(self.tracking.relauncher, record, data).advice(conclusion.code, by_itself=by_itself)
        conclusion.summary += f" {advice}"

    def _state(self, sub: Job, found: Observations) -> SubJobState:
        conclusion = self.conclusion(sub, found)
        name = sub.record.title
        return SubJobState(id=sub.id, name=name, status=sub.status, code=conclusion.code, summary=conclusion.summary)

    # -- when it may be done ----------------------------------------------------------------------------------------

    def _estimate(
        self, job: Job, conclusion: Conclusion, found: Observations, holders: Sequence[Job]
    ) -> Estimate | None:
        """By its progress, if one that runs reports it, else by the run times of its type.

        Of a job without sub-jobs only, for the times of parents contain theirs.
        """
        if job.is_settled or job.record.subs:
            return None
        match conclusion.code:
            case Code.RUNNING if began_ms := job.began_ms:
                return _finish_by_progress(job, found.now_ms) or self._finish(job, began_ms, found.now_ms)
            case Code.QUEUED:
                return self._finish_of_queued(job, found, holders)
            case Code.WAITING_FOR_ETA if eta_ms := job.record.eta:
                return self._finish_of_waiting(eta_ms, self._performance([job.record.type])[job.record.type])
        return None

    def estimate_running(self, records: Iterable[JobRecord]) -> dict[str, Estimate]:
        """When jobs that run may be done, by id; those of which it is not known are left out, as parents are."""
        now, found = self.tracking.queries.server_ms(), {}
        for job in (self.job(record) for record in records if not record.subs):
            if job.began_ms and (estimate := self._finish(job, job.began_ms, now)):
                found[job.id] = estimate
        return found

    def _finish(self, job: Job, began_ms: int, now: int) -> Estimate | None:
        """Of one that runs: by the median, or now where that is over. None where p95 is over too."""
        figures = self._performance([job.record.type])[job.record.type]
        times = [figures.run.p50_s, figures.run.p95_s]
        if figures.count < _FEWEST or None in times:
            return None
        ends = [began_ms + int(seconds * 1000) for seconds in times if seconds is not None]
        if ends[1] < now:
            return None
        return Estimate(at=from_ms(max(ends[0], now)), late_at=from_ms(ends[1]), based_on=figures.count)

    def _finish_of_queued(self, job: Job, found: Observations, holders: Sequence[Job]) -> Estimate | None:
        """Of one that waits: the work ahead, by the mean run times of its types, on all slots that consume the queue.

        If `holders` have all slots, each slot counts from when its job may be done; None: that is not known of one.
        What the workers have fetched is not counted.
        """
        queue = found.broker.queues.get(job.queue) if found.broker else None
        waiting = queue.waiting.get(job.task_id) if queue else None
        slots = found.slots_of(job.queue)
        if waiting is None or waiting.tasks_ahead is None or not slots or len(waiting.tasks_ahead) > _MOST_TYPES:
            return None
        types = {task: self._type_of(task) for task in waiting.tasks_ahead}
        figures = self._performance([job.record.type, *types.values()])
        ahead_s = 0.0
        for task, number in waiting.tasks_ahead.items():
            run = figures[types[task]].run.mean_s
            if run is None or figures[types[task]].count < _FEWEST:
                return None
            ahead_s += number * run
        free = [self._free_ms(each, found.now_ms) for each in holders] or [found.now_ms] * slots
        if None in free:
            return None
        start_ms = _through_ms([each for each in free if each is not None], ahead_s * 1000)
        return self._finish_of_waiting(start_ms, figures[job.record.type])

    def _free_ms(self, holder: Job, now: int) -> int | None:
        """When a running job may leave its slot: late, if half of its type would be done by now; None: not known."""
        if holder.record.subs or (began_ms := holder.began_ms) is None:
            return None
        found = _finish_by_progress(holder, now) or self._finish(holder, began_ms, now)
        if found is None:
            return None
        at_ms = int(found.at.timestamp() * 1000)
        if found.late_at is None or at_ms > now:
            return at_ms
        return int(found.late_at.timestamp() * 1000)

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


def _through_ms(free_ms: Sequence[int], work_ms: float) -> int:
    """When so much work is done by slots that are free from these times on, each as soon as it is."""
    at, slots = 0.0, 0
    for free in sorted(free_ms):
        work_ms -= (free - at) * slots
        if work_ms <= 0 and slots:
            return int(free + work_ms / slots)
        at, slots = float(free), slots + 1
    return int(at + work_ms / slots)


def _finish_by_progress(job: Job, now: int) -> Estimate | None:
    """As if it went on as fast as since its attempt began; None: it reports no progress, or too little of it."""
    done, total, began_ms = job.record.progress_done or 0, job.record.progress_total or 0, job.attempt_began_ms
    if began_ms is None or not (math.isfinite(done) and math.isfinite(total) and total > 0):
        return None
    share = done / total
    if not _LEAST_SHARE <= share <= 1:
        return None
    left_ms = max(now - began_ms, 0) * (1 - share) / share
    return Estimate(by="progress", at=from_ms(now + int(left_ms)), late_at=None, based_on=1)


def _is_given_back(job: Job, conclusion: Conclusion) -> bool:
    """Whether maintenance gives the message of a lost execution back, as `AbandonedMessages` does."""
    if not job.has_begun or job.status is not Status.PENDING or not job.record.execution:
        return False
    taken_at, began_ms = conclusion.message.taken_at if conclusion.message else None, job.attempt_began_ms
    return taken_at is not None and began_ms is not None and taken_at.timestamp() * 1000 <= began_ms
