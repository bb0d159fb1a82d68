"""Which jobs are above a job: a hint names its parent only."""

from collections.abc import Callable, Iterable, Sequence

from jobtracker.store.reader import Hint

MOST_KNOWN = 50_000
"""Parents that are remembered."""

_DEEPEST = 100
"""Levels. Deeper trees are not made."""


class Lineage:
    """Remembers the parents of jobs.

    Args:
        parents_of: Reads the parents of jobs; "" or None where one has none.
    """

    def __init__(self, parents_of: Callable[[Sequence[str]], Iterable[str | None]]) -> None:
        self._parents_of = parents_of
        self._parents: dict[str, str] = {}

    def above(self, hints: Sequence[Hint]) -> list[frozenset[str]]:
        """Of each hint the ids of its job and of all above it."""
        if len(self._parents) > MOST_KNOWN:
            self._parents.clear()
        for hint in hints:
            if hint.id and (hint.parent or hint.id in self._parents):
                self._parents[hint.id] = hint.parent
        level = {hint.parent or hint.root for hint in hints} - {""}
        for _ in range(_DEEPEST):
            unknown = sorted(each for each in level if each not in self._parents)
            if unknown:
                found = zip(unknown, self._parents_of(unknown), strict=True)
                self._parents.update((job_id, parent or "") for job_id, parent in found)
            level = {self._parents[each] for each in level} - {""}
            if not level:
                break
        return [self._of(hint) for hint in hints]

    def _of(self, hint: Hint) -> frozenset[str]:
        found = {hint.id} if hint.id else set()
        job_id = hint.parent or hint.root
        while job_id and job_id not in found:
            found.add(job_id)
            job_id = self._parents.get(job_id, "")
        return frozenset(found)
