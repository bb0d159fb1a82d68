"""Compares the object store with the jobs: objects that no job names, and names without an object."""

from collections.abc import Callable, Iterator

from jobtracker.connection.client import keys_from
from jobtracker.core.clock import now_ms
from jobtracker.jobs.large_values import read_place
from jobtracker.maintenance.objects import unnamed_objects
from jobtracker.objects.object_store import ObjectStore, ObjectStoreError
from jobtracker.runtime import Tracking
from jobtracker.schemas.examination import Flaw
from jobtracker.store.keys import PREFIXES, Partition
from jobtracker.store.verification import Difference

_ON_ITS_WAY_MS = 3_600_000
"""The report that names a younger object may be on its way."""


class ObjectCheck:
    """The object store of one recount.

    Args:
        tracking: The store, and its object store.
        repair: Remove objects that no job names. What is lost can't be brought back.
        step: Called after each piece. What it raises ends the check.

    Attributes:
        unchecked: What could not be looked at, and why.
    """

    def __init__(self, tracking: Tracking, *, repair: bool, step: Callable[[], None]) -> None:
        self.tracking = tracking
        self.repair = repair
        self._step = step
        self.unchecked: list[str] = []

    def run(self) -> list[Difference]:
        """Look at everything; nothing is different where there is no object store."""
        objects = self.tracking.large_values.objects
        if objects is None:
            return []
        try:
            parts = self.tracking.keys.parts
            return [*self._left_over(), *(each for part in parts for each in self._lost(part, objects))]
        except ObjectStoreError as error:
            self.unchecked.append(f"objects: {error}")
            return []

    def _left_over(self) -> list[Difference]:
        found = []
        for each in unnamed_objects(self.tracking, now_ms() - _ON_ITS_WAY_MS):
            if self.repair:
                self.tracking.large_values.remove(each.name)
            self._step()
            found.append(
                Difference(Flaw.LEFT_OVER, "objects", each.name, f"{each.size_bytes:,} bytes", "", self.repair)
            )
        return found

    def _lost(self, part: Partition, objects: ObjectStore) -> list[Difference]:
        found = []
        for job_ids in self._job_ids(part):
            self._step()
            for job_id, texts in zip(job_ids, self.tracking.object_names.named_by(job_ids), strict=True):
                for text in texts:
                    named = read_place(text)
                    there = objects.info(named.object)
                    if (there is None or there.size_bytes != named.bytes) and self._is_named(job_id, text):
                        size = f"{there.size_bytes:,} bytes" if there else ""
                        wanted = f"{named.bytes:,} bytes in {named.object}"
                        found.append(Difference(Flaw.LOST_VALUE, "objects", job_id, size, wanted, is_repaired=False))
        return found

    def _is_named(self, job_id: str, text: str) -> bool:
        """Whether a job still names an object: it may have been deleted meanwhile."""
        return text in self.tracking.object_names.named_by([job_id])[0]

    def _job_ids(self, part: Partition) -> Iterator[list[str]]:
        """The jobs of a partition that have data, some at a time."""
        head = part.prefix + PREFIXES["data"]
        for keys in keys_from(self.tracking.client, head):
            yield [key.removeprefix(head) for key in keys]
