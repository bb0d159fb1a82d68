"""Removes objects from the object store that no job needs: what was discarded, and what dying processes have left."""

import logging
import time
from collections.abc import Iterator

from jobtracker.core.clock import now_ms
from jobtracker.jobs.large_values import job_of, read_place
from jobtracker.maintenance.leadership import Leadership
from jobtracker.objects.object_store import ObjectInfo, ObjectStoreError
from jobtracker.runtime import Tracking
from jobtracker.store.pipeline import batched

logger = logging.getLogger(__name__)

_AT_ONCE = 100
_SEARCH_EVERY_S = 6 * 3600.0
"""How often all objects are compared with the jobs."""


class ObjectRemover:
    """Removes objects that nobody needs.

    Args:
        leadership: Tells the store.
    """

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership
        self._searched_at = time.monotonic()  # a process that is started again and again does not search each time

    def remove_discarded(self) -> int:
        """Remove the objects that were discarded; returns how many. One that dies in between is repeated."""
        tracking, removed = self._leadership.tracking, 0
        objects = tracking.large_values.objects
        if objects is None:
            return 0
        ends_at = time.monotonic() + tracking.settings.maintenance_interval_s
        for part in tracking.queries.parts:
            while time.monotonic() < ends_at and (names := tracking.object_names.discarded(part, _AT_ONCE)):
                for name in names:
                    objects.delete(name)
                tracking.object_names.forget(part, names)
                removed += len(names)
        return removed

    def search(self) -> int:
        """Remove objects that no job names, a few times a day; returns how many.

        Only those that are older than jobs stay: the report that names a younger one may be on its way.
        """
        if time.monotonic() - self._searched_at < _SEARCH_EVERY_S:
            return 0
        self._searched_at = time.monotonic()
        tracking = self._leadership.tracking
        before_ms = now_ms() - tracking.settings.retention_ms
        removed = 0
        for each in unnamed_objects(tracking, before_ms):
            tracking.large_values.remove(each.name)
            removed += 1
        if removed:
            logger.info("Removed %d objects that no job names", removed)
        return removed

    def step(self) -> None:
        """Both; an object store that does not answer is asked again in the next round."""
        try:
            self.remove_discarded()
            self.search()
        except ObjectStoreError as error:
            logger.warning("Objects that no job needs were not removed: %s", error)


def unnamed_objects(tracking: Tracking, before_ms: int) -> Iterator[ObjectInfo]:
    """The objects of this store that no job names, nor wants to have removed, of those written before a time.

    Raises:
        ObjectStoreError: The object store does not answer.
    """
    values = tracking.large_values
    if values.objects is None:
        return
    old = (each for each in values.objects.list(values.root()) if each.changed_at_ms < before_ms)
    for some in batched(old, _AT_ONCE):
        named = tracking.object_names.named_by([job_of(each.name) for each in some])
        for each, texts in zip(some, named, strict=True):
            if all(read_place(text).object != each.name for text in texts):
                yield each
