"""Finds out what the metrics tell."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from redis.exceptions import RedisError

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Status
from jobtracker.diagnosis.attention import AttentionDesk
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.queue_desk import QueueBacklog, QueueDesk
from jobtracker.errors import BrokerUnavailableError, JobTrackerError
from jobtracker.schemas.attention import Attention
from jobtracker.server.metrics.catalog import BOUNDS_S, MOST_WORKERS
from jobtracker.server.metrics.exemplars import ExemplarFinder, Exemplars
from jobtracker.store.keys import Partition
from jobtracker.store.totals import OTHERS, Totals, UnfoldedError, cuts_of

CUTS = cuts_of(BOUNDS_S)

Look = tuple[dict[str, Totals], set[str]]
"""The totals of a partition by label, and the types that have names in them."""

_ATTENTION_S, _ATTENTION_OLD_S = 60.0, 300.0
"""So often it is looked what needs somebody, which costs more than all else; what was found is told for so long."""
_MOST_RUNNING = 2000
"""Running jobs that are looked at for who runs them. Of more nothing is told."""


class WorkerFacts(NamedTuple):
    """A worker that lives, or was lost within a day."""

    name: str
    is_up: bool
    slots: int
    heard_ms: int
    running: int | None


class Outbox(NamedTuple):
    """Messages that are not confirmed."""

    pending: int
    oldest_ms: int | None


@dataclass
class Facts:
    """What was found out. None, or nothing: it could not be.

    Attributes:
        up: Which partitions answer.
        totals: By label; of all partitions.
        named: The types that are named.
        jobs: How many jobs there are, by status and label.
        exemplars: Of buckets, by type and "wait" or "run".
        viewers: Live streams of this process.
    """

    up: dict[int, bool] = field(default_factory=dict)
    totals: dict[str, Totals] | None = None
    named: set[str] = field(default_factory=set)
    jobs: Counter[tuple[Status, str]] | None = None
    exemplars: Mapping[tuple[str, str], Exemplars] = field(default_factory=dict)
    queues: list[QueueBacklog] | None = None
    workers: list[WorkerFacts] | None = None
    attention: Attention | None = None
    outbox: Outbox | None = None
    maintained_ms: int | None = None
    dropped: int | None = None
    viewers: int = 0
    took_s: float = 0.0
    at_ms: int = 0


class FactFinder:
    """Finds it out, with a bounded number of round trips, however many jobs there are.

    Args:
        inspector: Asks the broker.
        queue_desk: Knows the queues.
        attention_desk: Knows what needs somebody.
    """

    def __init__(self, inspector: Inspector, queue_desk: QueueDesk, attention_desk: AttentionDesk) -> None:
        self._tracking = inspector.tracking
        self._queue_desk = queue_desk
        self._attention_desk = attention_desk
        self._exemplars = ExemplarFinder()

    def find(self) -> Facts:
        """Look now."""
        began, facts = time.perf_counter(), Facts(at_ms=now_ms())
        looks = {part.number: self._look_at(part) for part in self._tracking.queries.parts}
        facts.up = {number: look is not None for number, look in looks.items()}
        known = [look for look in looks.values() if look is not None]
        if len(known) == len(looks):  # else another process may have told more than this one knows
            self._add_totals(facts, known)
            try:
                self._add_figures(facts)
            except (RedisError, JobTrackerError):
                pass  # a partition went meanwhile: the next look tells which
            else:
                facts.attention = self._attention_desk.latest(_ATTENTION_S, _ATTENTION_OLD_S)
                try:
                    facts.queues = self._queue_desk.backlogs()
                except (BrokerUnavailableError, RedisError):
                    facts.queues = None
        facts.took_s = time.perf_counter() - began
        return facts

    def _look_at(self, part: Partition) -> Look | None:
        """The totals of a partition, and the names in them; None: it does not answer."""
        queries, store = self._tracking.queries, self._tracking.store
        try:
            for _ in range(_MOST_FOLDED):
                try:
                    return queries.totals(part, CUTS)
                except UnfoldedError:  # maintenance does not get to it
                    store.fold_totals(part)
        except (RedisError, JobTrackerError):
            return None
        return None

    def _add_totals(self, facts: Facts, looks: Iterable[Look]) -> None:
        facts.totals = {}
        for totals, named in looks:
            facts.named |= named
            for label, of_label in totals.items():
                if label in facts.totals:
                    facts.totals[label].add(of_label)
                else:
                    facts.totals[label] = of_label.copy()

    def _add_figures(self, facts: Facts) -> None:
        queries = self._tracking.queries
        facts.jobs, counts = Counter(), queries.counts()
        for count in counts:
            label = count.job_type if count.job_type in facts.named else OTHERS
            facts.jobs[count.status, label] += count.count
        facts.exemplars = self._exemplars.find(queries, facts.totals or {}, counts, facts.at_ms)
        facts.workers = self._workers(sum(n for (status, _), n in facts.jobs.items() if status is Status.RUNNING))
        facts.outbox = Outbox(*queries.outbox())
        facts.maintained_ms = queries.maintained_ms()
        facts.dropped = queries.dropped()

    def _workers(self, running: int) -> list[WorkerFacts]:
        by_worker: Counter[str] | None = None
        if running <= _MOST_RUNNING:
            records, is_all = self._tracking.queries.open_records(Status.RUNNING, _MOST_RUNNING)
            if is_all:
                by_worker = Counter(each.worker for each in records if each.executing and each.worker)
        known = defaultdict(list)
        for each in self._tracking.leases.known():  # the one of which was heard last comes first
            known[each.worker.name].append(each)
        found = []
        for name, incarnations in known.items():
            alive = [each for each in incarnations if each.ended_ms is None]
            last = (alive or incarnations)[0]
            if alive or last.is_lost:
                jobs = None if by_worker is None else by_worker[name] if alive else 0
                slots = last.worker.concurrency if alive else 0
                found.append(WorkerFacts(name, bool(alive), slots, last.heard_ms, jobs))
        return found[:MOST_WORKERS]


_MOST_FOLDED = 1000
"""So often series are folded before one look."""
