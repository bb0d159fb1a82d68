"""How the logic of a task reports its progress without knowing of jobs."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Iterates over items, telling someone how far it is; `jobtracker.current_job().track` is one."""

    def __call__(self, items: Iterable[T], total: int | None = None, note: str = "") -> Iterator[T]:
        """Yield the items; total is how many they are, note what is being done with them."""


def untracked(items: Iterable[T], total: int | None = None, note: str = "") -> Iterator[T]:  # noqa: ARG001
    """Iterate without telling anyone."""
    yield from items
