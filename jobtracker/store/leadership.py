"""Who runs the background services: the leader, and the fence of its writes."""

from collections.abc import Iterable

from jobtracker.store.changes import Term
from jobtracker.store.job_writer import JobWriter
from jobtracker.store.keys import Partition
from jobtracker.store.pipeline import Call


class LeadershipWriter(JobWriter):
    """Elects the leader, and rejects the writes of one whose term is over."""

    def acquire_leadership(self, leader: str, *, lock_ms: int, mark_ms: int) -> dict[Partition, Term]:
        """Take the leader's lock of each partition, or keep it.

        Args:
            leader: The process that asks; each has a name of its own.
            lock_ms: How long it has the lock.
            mark_ms: How long it is remembered that one was here.
        """
        parts = self.keys.parts
        calls: list[Call] = [(part("leader"), [part.prefix, leader, lock_ms, mark_ms]) for part in parts]
        answers = self._functions.call_many(self.client, "acquire_leadership", calls)
        terms = (Term(fence or None, watched_ms) for fence, watched_ms in answers)
        return dict(zip(parts, terms, strict=True))

    def note_maintained(self, parts: Iterable[Partition], *, at_ms: int) -> None:
        """Note that a round of maintenance has ended in some partitions."""
        pipe = self.client.pipeline(transaction=False)
        for part in parts:
            pipe.set(part("maintained"), at_ms)
        pipe.execute()
