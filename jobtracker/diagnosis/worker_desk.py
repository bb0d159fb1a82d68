"""How workers do, beside each other: looked at when somebody asks, once for all who ask at about the same time."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import Event, Status
from jobtracker.core.statistics import LEVEL
from jobtracker.diagnosis.conclusions import moment
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.kept import Kept
from jobtracker.diagnosis.slow_workers import Comparison, Pair, compare, quantile
from jobtracker.errors import BrokerUnavailableError
from jobtracker.schemas.worker_figures import (
    RunningJob,
    RunTimes,
    WorkerFigures,
    WorkerReport,
    WorkerRunTimes,
    WorkerStateName,
)
from jobtracker.schemas.workers import WorkerStats
from jobtracker.store.leases import KnownWorker
from jobtracker.store.schema import JobRecord

MOST_SETTLED = 5000
"""Settled jobs that are looked at."""
_MOST_RUNNING = 1000
"""Running jobs that are looked at."""
_NAMED = 100
_WINDOW_MS = 3_600_000
_KEPT_S = 5.0
"""An answer that is younger does."""


@dataclass
class _Sample:
    """What was found out of the jobs of all workers."""

    since_ms: int
    looked_at: int
    settled: int
    run_s: dict[Pair, list[float]] = field(default_factory=dict)
    """Run times of completed jobs, sorted."""
    of_type: dict[str, list[float]] = field(default_factory=dict)
    jobs: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    compared: dict[Pair, Comparison] = field(default_factory=dict)


class WorkerDesk:
    """Finds out how workers do.

    Args:
        inspector: Asks them.
    """

    def __init__(self, inspector: Inspector) -> None:
        self._inspector = inspector
        self._tracking = inspector.tracking
        self._kept = Kept(self.look, _KEPT_S)

    def report(self) -> WorkerReport:
        """How the workers do that live or went within a day; at most some seconds old.

        Raises:
            redis.exceptions.RedisError: The tracking Redis does not answer.
        """
        return self._kept.get()

    def look(self) -> WorkerReport:
        """Find it out now.

        Raises:
            redis.exceptions.RedisError: The tracking Redis does not answer.
        """
        unavailable: list[str] = []
        answers = self._answers(unavailable)
        queries = self._tracking.queries
        now_ms = queries.server_ms()
        sample = sample_of(*queries.settled_since(now_ms - _WINDOW_MS, MOST_SETTLED), now_ms - _WINDOW_MS)
        running, is_all = queries.open_records(Status.RUNNING, _MOST_RUNNING)
        runs: dict[str, list[JobRecord]] = {}
        for record in running:
            if record.executing and record.worker:
                runs.setdefault(record.worker, []).append(record)
        known: dict[str, list[KnownWorker]] = {}
        for each in self._tracking.leases.known():  # the one of which was heard last comes first
            known.setdefault(each.worker.name, []).append(each)
        minutes = max(now_ms - sample.since_ms, 1) / 60_000
        workers = [
            _figures(name, known.get(name, []), answers.get(name), sample, minutes, runs.get(name, []))
            for name in sorted(known.keys() | answers.keys())
        ]
        return WorkerReport(
            at=moment(now_ms),
            since=moment(sample.since_ms),
            looked_at=sample.looked_at,
            settled=sample.settled,
            running_looked_at=len(running),
            running_complete=is_all,
            level=LEVEL,
            tested=len(sample.compared),
            fleet={name: _run_times(times) for name, times in sorted(sample.of_type.items())},
            workers=workers,
            unavailable=unavailable,
        )

    def _answers(self, unavailable: list[str]) -> dict[str, WorkerStats]:
        try:
            return {worker.name: worker for worker in self._inspector.workers()}
        except BrokerUnavailableError as error:
            unavailable.append(f"whether the workers answer, and what they have prefetched: {error}")
            return {}


def sample_of(records: Sequence[JobRecord], settled: int, since_ms: int) -> _Sample:
    """What the jobs that settled last say of workers.

    Args:
        records: These jobs, the latest first.
        settled: How many settled in the window.
        since_ms: Where it begins, if these are all of it.
    """
    if records and settled > len(records):
        since_ms = records[-1].finished or since_ms
    sample = _Sample(since_ms, len(records), settled)
    for record in records:
        worker = record.worker
        if not worker:
            continue
        sample.jobs[worker] += 1
        if record.status is Status.FAILED:
            sample.failed[worker] += 1
            sample.lost[worker] += record.inferred in {Event.LOSE, Event.QUARANTINE}
        began, finished = record.attempt_began, record.finished
        if record.status is Status.COMPLETED and began is not None and finished is not None and record.execution:
            seconds = max(finished - began, 0) / 1000
            sample.run_s.setdefault((worker, record.type), []).append(seconds)
            sample.of_type.setdefault(record.type, []).append(seconds)
    for times in (*sample.run_s.values(), *sample.of_type.values()):
        times.sort()
    sample.compared = compare(sample.run_s)
    return sample


def _figures(
    name: str,
    known: Sequence[KnownWorker],
    answer: WorkerStats | None,
    sample: _Sample,
    minutes: float,
    runs: Sequence[JobRecord],
) -> WorkerFigures:
    alive = [each for each in known if each.ended_ms is None]
    last = max(alive or known, key=lambda each: each.worker.started_at_ms, default=None)
    lease = last.worker if last else None
    by_type = {
        job_type: _beside(times, sample.of_type[job_type], sample.compared.get((worker, job_type)))
        for (worker, job_type), times in sorted(sample.run_s.items())
        if worker == name
    }
    is_answering = answer is not None and answer.online
    return WorkerFigures(
        name=name,
        state=_state(last, is_answering=is_answering),
        is_drained=answer is not None and answer.drain is not None,
        incarnation=lease.incarnation if lease else None,
        host=lease.host if lease else None,
        pid=lease.pid if lease else None,
        pool=lease.pool if lease else None,
        concurrency=lease.concurrency if lease else None,
        queues=answer.queues if answer and answer.queues else lease.queues if lease else [],
        release=lease.release or None if lease else None,
        started_at=from_ms(lease.started_at_ms) if lease else None,
        heard_at=from_ms(last.heard_ms) if last else None,
        ended_at=from_ms(last.ended_ms) if last else None,
        memory_bytes=lease.memory_bytes if lease else None,
        processes=lease.processes if lease else None,
        cpu_cores=lease.cpu_cores if lease else None,
        restarts=max(len(known) - 1, 0),
        times_lost=sum(each.is_lost for each in known),
        jobs=sample.jobs[name],
        jobs_per_minute=round(sample.jobs[name] / minutes, 3),
        failed=sample.failed[name],
        lost=sample.lost[name],
        by_type=by_type,
        slow_types=[job_type for job_type, times in by_type.items() if times.is_slow],
        running=_running(runs),
        running_total=len(runs),
        prefetched=len(answer.reserved) + len(answer.scheduled) if answer and is_answering else None,
    )


def _state(last: KnownWorker | None, *, is_answering: bool) -> WorkerStateName:
    if last is None:
        return WorkerStateName.NOT_TRACKED
    if last.ended_ms is not None:
        return WorkerStateName.LOST if last.is_lost else WorkerStateName.STOPPED
    return WorkerStateName.ONLINE if is_answering else WorkerStateName.SILENT


def _running(runs: Iterable[JobRecord]) -> list[RunningJob]:
    ordered = sorted(runs, key=lambda record: record.attempt_began or 0)[:_NAMED]
    return [
        RunningJob(
            job_id=record.id,
            name=record.title,
            job_type=record.type,
            started_at=moment(record.attempt_began or record.status_changed_at),
        )
        for record in ordered
    ]


def _beside(times: Sequence[float], everywhere: Sequence[float], compared: Comparison | None) -> WorkerRunTimes:
    others = Counter(everywhere)
    others.subtract(times)
    elsewhere = sorted(others.elements())
    return WorkerRunTimes(
        here=_run_times(times),
        elsewhere=_run_times(elsewhere) if elsewhere else None,
        is_slow=compared is not None and compared.is_slow,
        p_value=compared.p_value if compared else None,
    )


def _run_times(ordered: Sequence[float]) -> RunTimes:
    return RunTimes(count=len(ordered), p50_s=quantile(ordered, 0.5), p95_s=quantile(ordered, 0.95))
