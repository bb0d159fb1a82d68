"""A scrape: found out and written once for all who ask within some seconds."""

from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as OPENMETRICS

from jobtracker.diagnosis.attention import AttentionDesk
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.kept import Kept
from jobtracker.diagnosis.queue_desk import QueueDesk
from jobtracker.server.live.hub import Hub
from jobtracker.server.metrics.celery_names import celery_families
from jobtracker.server.metrics.facts import FactFinder, Facts
from jobtracker.server.metrics.families import families
from jobtracker.server.metrics.high_water import HighWater
from jobtracker.server.metrics.text import Family, as_text

KEPT_S = 5.0
"""So old an answer may be."""


class Answer(NamedTuple):
    """Metrics as text."""

    body: bytes
    content_type: str


class _Collected(NamedTuple):
    """Metrics of one moment, and how they have been written, by content type."""

    families: list[Family]
    written: dict[str, bytes]


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
        _, wanted = choose_encoder(accept)
        openmetrics = wanted.startswith("application/openmetrics-text")
        content_type = OPENMETRICS if openmetrics else CONTENT_TYPE_PLAIN_0_0_4
        collected = self._kept.get()
        body = collected.written.get(content_type)
        if body is None:
            body = collected.written[content_type] = as_text(collected.families, openmetrics=openmetrics)
        return Answer(body, content_type)

    def _collect(self) -> _Collected:
        facts = self._finder.find()
        facts.viewers = self._hub.viewer_count
        found = [*families(facts, self._high), *self._of_celery(facts)]
        self._high.end()
        return _Collected(found, {})

    def _of_celery(self, facts: Facts) -> Iterable[Family]:
        if not self._celery_names:
            return []
        tracking = self._tracking
        types = tracking.registry.all() if all(facts.up.values()) else {}
        return celery_families(facts, types, str(tracking.app.conf.task_default_queue), self._high)
