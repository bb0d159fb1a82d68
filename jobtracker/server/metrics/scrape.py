"""A scrape: found out and written once for all who ask within some seconds."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from jobtracker.diagnosis.attention import AttentionDesk
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.kept import Kept
from jobtracker.diagnosis.queue_desk import QueueDesk
from jobtracker.server.live.hub import Hub
from jobtracker.server.metrics.celery_names import celery_families
from jobtracker.server.metrics.facts import FactFinder, Facts
from jobtracker.server.metrics.families import families
from jobtracker.server.metrics.high_water import HighWater

KEPT_S = 5.0
"""So old an answer may be."""


class Answer(NamedTuple):
    """Metrics as text."""

    body: bytes
    content_type: str


class _Collected(NamedTuple):
    """Metrics of one moment, and how they have been written, by content type."""

    metrics: list[Metric]
    written: dict[str, bytes]


class _Fixed:
    """A collector of what is known already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """The metrics."""
        return self._metrics


class Scrape:
    """Answers Prometheus.

    Args:
        inspector: Asks the broker.
        queue_desk: Knows the queues.
        attention_desk: Knows what needs somebody.
        hub: Has the viewers.
        celery_names: Tell it by the names of celery-exporter too.
    """

    def __init__(
        self,
        inspector: Inspector,
        queue_desk: QueueDesk,
        attention_desk: AttentionDesk,
        hub: Hub,
        *,
        celery_names: bool,
    ) -> None:
        self._finder = FactFinder(inspector, queue_desk, attention_desk)
        self._tracking = inspector.tracking
        self._hub = hub
        self._celery_names = celery_names
        self._high = HighWater()
        self._kept = Kept(self._collect, KEPT_S)

    def answer(self, accept: str) -> Answer:
        """The metrics in the format that is asked for: Prometheus' text, or OpenMetrics; at most some seconds old."""
        encode: Callable[..., bytes]
        encode, content_type = choose_encoder(accept)
        collected = self._kept.get()
        body = collected.written.get(content_type)
        if body is None:
            registry = CollectorRegistry()
            registry.register(_Fixed(collected.metrics))
            body = collected.written[content_type] = encode(registry)
        return Answer(body, content_type)

    def _collect(self) -> _Collected:
        facts = self._finder.find()
        facts.viewers = self._hub.viewer_count
        metrics = [*families(facts, self._high), *self._of_celery(facts)]
        self._high.end()
        return _Collected(metrics, {})

    def _of_celery(self, facts: Facts) -> Iterable[Metric]:
        if not self._celery_names:
            return []
        tracking = self._tracking
        types = tracking.registry.all() if all(facts.up.values()) else {}
        return celery_families(facts, types, str(tracking.app.conf.task_default_queue), self._high)
