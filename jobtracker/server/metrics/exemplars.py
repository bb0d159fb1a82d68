"""Names a job for buckets of the histograms: one that ran lately, for a look at why it took so long.

Nothing is kept for this when a job ends. A scrape reads some records of jobs that settled since the scrape before.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from jobtracker.core import traceparent
from jobtracker.core.lifecycle import Event, Status
from jobtracker.schemas.stats import JobCount
from jobtracker.server.metrics.catalog import BOUNDS_S
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord
from jobtracker.store.totals import Totals

_MOST_READ = 200
"""So many records are read for one scrape: some milliseconds."""
_LATELY_MS = 3_600_000
"""Older jobs are named no more: they may be gone."""
_LATE_MS = 60_000
"""So late a report may come: a look looks so far behind the one before."""
_MOST_CHARS = 128
"""Of the names and values of an exemplar's labels together, by OpenMetrics."""
_TIMED = {Status.COMPLETED, Status.FAILED}
_UNKNOWN_END = {Event.LOSE, Event.QUARANTINE}
"""Of these it is inferred when a job ended."""


class Exemplar(NamedTuple):
    """A job in a bucket.

    Attributes:
        labels: What names it.
        value_s: Its time, in seconds.
        at_ms: When it ended.
    """

    labels: Mapping[str, str]
    value_s: float
    at_ms: int


Exemplars = Mapping[int, Exemplar]
"""By the numbers of buckets."""


class ExemplarFinder:
    """Finds them, and keeps the last one of each bucket: at most some MB."""

    def __init__(self) -> None:
        self._found: defaultdict[tuple[str, str], dict[int, Exemplar]] = defaultdict(dict)
        self._ended: dict[str, int] = {}
        self._looked_ms = 0

    def find(
        self, queries: JobQueries, totals: Mapping[str, Totals], counts: Iterable[JobCount], now: int
    ) -> Mapping[tuple[str, str], Exemplars]:
        """Those of all types that have names, by type and "wait" or "run".

        Args:
            queries: Read the records.
            totals: By label.
            counts: Which jobs there are.
            now: The time (ms).
        """
        ended = {label: of["completed"] + of["failed"] for label, of in totals.items() if label}
        grown = {label for label, count in ended.items() if count != self._ended.get(label, 0)}
        kinds = [each for each in counts if each.job_type in grown and each.status in _TIMED]
        if kinds:
            for record in queries.last_settled(max(self._looked_ms - _LATE_MS, now - _LATELY_MS), kinds, _MOST_READ):
                self._add(record)
        self._ended, self._looked_ms = ended, now
        for key, exemplars in [*self._found.items()]:
            old = [n for n, each in exemplars.items() if each.at_ms < now - _LATELY_MS]
            for n in old:
                del exemplars[n]
            if not exemplars or key[0] not in ended:
                del self._found[key]
        return self._found

    def _add(self, record: JobRecord) -> None:
        labels, at_ms = _labels(record), record.finished
        if labels is None or at_ms is None:
            return
        for what, ms in _times(record):
            of_buckets, bucket = self._found[record.type, what], bisect_left(BOUNDS_S, ms / 1000)
            if bucket not in of_buckets or of_buckets[bucket].at_ms < at_ms:
                of_buckets[bucket] = Exemplar(labels, ms / 1000, at_ms)


def _times(record: JobRecord) -> Iterator[tuple[str, int]]:
    """Its times in milliseconds, as the store counts them (`lua/lib/metrics.lua`)."""
    started, finished = record.started, record.finished
    if not started or not finished:
        return
    if record.queued:
        yield "wait", max(started - max(record.queued, record.due or 0), 0)
    if record.inferred not in _UNKNOWN_END:
        yield "run", max(finished - (record.began or started), 0)


def _labels(record: JobRecord) -> dict[str, str] | None:
    """What names a job; None: its id is too long."""
    labels = {"job_id": record.id}
    trace = traceparent.read(record.traceparent)
    if trace is not None and trace.is_sampled:
        labels["trace_id"] = trace.trace_id
    while labels and sum(len(name) + len(value) for name, value in labels.items()) > _MOST_CHARS:
        labels.popitem()
    return labels or None
