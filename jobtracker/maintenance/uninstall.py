"""Removes what jobtracker has in Redis: all keys of a namespace, and the function libraries that it has used."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from jobtracker.connection.client import RedisClient, keys_from
from jobtracker.errors import JobTrackerError, RestoreUnfinishedError
from jobtracker.jobs.large_values import LargeValues
from jobtracker.objects.object_store import ObjectInfo, ObjectStore
from jobtracker.store.keys import PREFIXES, Keys, Partition
from jobtracker.store.leases import Leases
from jobtracker.store.libraries import Libraries
from jobtracker.store.object_names import ObjectNames
from jobtracker.store.partitions import partitions_of

_NAMES = {prefix: name for name, prefix in PREFIXES.items()}


class ObjectStoreUnknownError(JobTrackerError):
    """The namespace has objects, and this process is not told where."""

    def __init__(self, namespace: str) -> None:
        super().__init__(
            f"The namespace {namespace!r} was not removed: it has used an object store, and its name there goes with "
            "its keys. Set OBJECTS_DIR or GCS_BUCKET_NAME as the API has it."
        )


class StillInUseError(JobTrackerError):
    """Workers or the API use the namespace, and would write their keys again."""

    def __init__(self, namespace: str, workers: list[str]) -> None:
        users = f"these workers use it: {', '.join(workers)}" if workers else "an API, or a worker, uses it"
        super().__init__(
            f"The namespace {namespace!r} was not removed: {users}. Stop the workers, the API and all publishers "
            "first, and try again half a minute later: a process that was killed counts as alive until then."
        )


@dataclass(frozen=True)
class Contents:
    """What there is to be removed.

    Attributes:
        keys: How many keys there are, by their names in `keys.PREFIXES`.
        libraries: The names of the function libraries.
        objects: How many objects there are in the object store.
    """

    keys: dict[str, int]
    libraries: list[str]
    objects: int

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing."""
        return not self.keys and not self.libraries


class Uninstall:
    """The removal of one namespace.

    Args:
        client: A client of its Redis, which decodes responses.
        namespace: Its name.
        lost_s: How long a lease lasts, in seconds.
        objects: The object store with its large values; None: there is none.

    Raises:
        RepartitionInProgressError: The store is being moved to another number of partitions.
    """

    def __init__(
        self, client: RedisClient, namespace: str, lost_s: float, objects: ObjectStore | None = None
    ) -> None:
        self._client = client
        try:
            partitions = partitions_of(client, Keys(namespace)) or 1
        except RestoreUnfinishedError as error:  # what there is of it can be removed
            partitions = error.partitions
        self._keys = Keys(namespace, partitions)
        self._leases = Leases(client, self._keys, lost_s)
        self._libraries = Libraries(client, self._keys, names=set())
        self._values = LargeValues(objects, ObjectNames(client, self._keys).store_id, 0)

    def contents(self) -> Contents:
        """What there is to be removed.

        Raises:
            StillInUseError: Workers or the API use it.
            ObjectStoreUnknownError: It has used an object store, and `objects` is None.
            ObjectStoreError: The object store does not answer.
        """
        self._expect_unused()
        counts = Counter(
            _name_of(key, part)
            for part in self._keys.parts
            for keys in keys_from(self._client, part.prefix)
            for key in keys
        )
        return Contents(dict(sorted(counts.items())), self._libraries.used(), sum(1 for _ in self._objects()))

    def run(self) -> int:
        """Remove it all; returns how many keys. May be broken off at any moment: called again it goes on.

        Raises:
            StillInUseError: Workers or the API use it.
            ObjectStoreUnknownError: It has used an object store, and `objects` is None.
            ObjectStoreError: The object store does not answer; nothing else is removed then.
        """
        self._expect_unused()
        libraries = self._libraries.used()
        for each in self._objects():  # first: their name goes with the keys
            self._values.remove(each.name)
        removed = 0
        for part in self._keys.parts[::-1]:  # the first one last: it says how many there are
            for keys in keys_from(self._client, part.prefix):
                removed += self._client.unlink(*keys) if keys else 0
        self._libraries.remove(libraries)
        return removed

    def _expect_unused(self) -> None:
        workers = [worker.name for worker in self._leases.live()]
        # One of the processes that live, the API's too, leads maintenance.
        if workers or any(self._client.exists(part("leader")) for part in self._keys.parts):
            raise StillInUseError(self._keys.namespace, workers)

    def _objects(self) -> Iterator[ObjectInfo]:
        if not self._client.exists(self._keys("store_id")):
            return
        if self._values.objects is None:
            raise ObjectStoreUnknownError(self._keys.namespace)
        yield from self._values.objects.list(self._values.root())


def _name_of(key: str, part: Partition) -> str:
    head, colon, _ = key.removeprefix(part.prefix).partition(":")
    return _NAMES.get(head + colon, "others")
