"""How the work of a task reports how far it is, without knowing of jobs."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Iterates over items, telling someone how far it is; `Job.track` is one."""

    def __call__(self, items: Iterable[T], total: int | None = None, note: str = "") -> Iterator[T]:
        """Yield the items; total is how many they are, note what is being done with them."""


class Job(Protocol):
    """The job that is being worked on; `jobtracker.current_job()` is one too."""

    track: Track

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Tell how far it is: units that are done, and units in all."""

    def log(self, message: str, level: str = "info") -> None:
        """Write a line into the job's own log."""


def untracked(items: Iterable[T], total: int | None = None, note: str = "") -> Iterator[T]:  # noqa: ARG001
    """Iterate without telling anyone."""
    yield from items
