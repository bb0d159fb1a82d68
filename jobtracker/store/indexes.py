"""Reads the indexes for the background services."""

import heapq
from collections.abc import Sequence
from itertools import chain, islice
from typing import NamedTuple

from jobtracker.core.job import job_and_run_of
from jobtracker.core.lifecycle import Status
from jobtracker.store.job_reader import JobReader
from jobtracker.store.keys import MOST_QUEUES, Partition
from jobtracker.store.list_plan import Index

_NEVER_MS = 1 << 53


class SentQueues(NamedTuple):
    """The queues that jobs were sent to."""

    names: list[str]
    some_left_out: bool
    """There were more of them than are kept: `keys.MOST_QUEUES`."""


class IndexReader(JobReader):
    """Reads which jobs wait for somebody to look at them, and the queues that jobs were sent to."""

    def entered_before(self, status: Status, before_ms: int, offset: int, most: int) -> list[str]:
        """Ids of jobs that came to a status before a time, the oldest first."""
        return [job_id for job_id, _ in self.entered_between(status, 0, before_ms, offset, most)]

    def entered_between(
        self, status: Status, since_ms: int, before_ms: int, offset: int, most: int
    ) -> list[tuple[str, int]]:
        """Jobs that came to a status at a time or later, and before another: ids, and when (ms); the oldest first."""
        index = Index(name="entered", statuses=(status,))
        places = self._pages.oldest(self.parts, index, str(since_ms), before_ms, offset, most)
        return [(place.id, int(place.score)) for place in places]

    def unnotified(self, before_ms: int, most: int) -> list[str]:
        """Ids of jobs of which those who wait for them may not know, since before a time; oldest first."""
        return self._oldest(("unnotified",), before_ms, most)

    def unconfirmed(self, before_ms: int, most: int) -> list[str]:
        """Task ids that were recorded as sent before a time, and whose sender has not said so since; oldest first."""
        return self._oldest(("unconfirmed",), before_ms, most)

    def are_unconfirmed(self, task_ids: Sequence[str]) -> set[str]:
        """Those of the runs whose sender has not said yet that they were sent."""
        return self._among("unconfirmed", task_ids)

    def unanswered(self, most: int) -> list[str]:
        """Jobs that were taken for lost while Celery's result backend did not answer; oldest first."""
        return self._oldest(("unanswered",), _NEVER_MS, most)

    def unsent(self, before_ms: int, most: int) -> list[str]:
        """Task ids that have waited since before a time for somebody to send them; oldest first."""
        return self._oldest(("unsent",), before_ms, most)

    def outbox(self) -> tuple[int, int | None]:
        """How many runs wait to be sent or to be confirmed, and since when (ms) the oldest does, if any."""
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            for index in ("unconfirmed", "unsent"):
                pipe.zcard(part(index))
                pipe.zrange(part(index), 0, 0, withscores=True)
        found = pipe.execute()
        oldest = [int(score) for entries in found[1::2] for _, score in entries]
        return sum(found[::2]), min(oldest, default=None)

    def are_unsent(self, task_ids: Sequence[str]) -> set[str]:
        """Those of the runs that wait for somebody to send them."""
        return self._among("unsent", task_ids)

    def expiring(self, before_ms: int, most: int) -> list[str]:
        """Ids of jobs that are not started after a time before this one, and may not have settled; oldest first."""
        return self._oldest(("expiring",), before_ms, most)

    def drafts(self, most: int) -> list[str]:
        """The names of drafts that are committed and not recorded to the end, oldest first."""
        return self._oldest(("drafts",), 2**53, most)

    def trash(self, most: int) -> list[str]:
        """Ids of jobs whose parent was deleted."""
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.srandmember(part("trash"), most)
        return list(dict.fromkeys(job_id for ids in pipe.execute() for job_id in ids))[:most]

    def queues(self) -> SentQueues:
        """The queues that jobs were sent to, `keys.MOST_QUEUES` at most: those where something was sent to last."""
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.zrange(part("queues"), 0, -1, withscores=True)
        last: dict[str, float] = {}
        for name, sent_ms in chain.from_iterable(pipe.execute()):
            last[name] = max(sent_ms, last.get(name, 0))
        some_left_out = last.pop("", None) is not None or len(last) > MOST_QUEUES
        latest = sorted(last, key=lambda name: (-last[name], name))[:MOST_QUEUES]
        return SentQueues(sorted(latest), some_left_out)

    def queues_before(self, part: Partition, before_ms: int) -> list[str]:
        """The queues of a partition's jobs to which nothing was sent since a time; "" as `keys.PREFIXES` has it."""
        return list(self.client.zrange(part("queues"), "-inf", before_ms - 1, byscore=True))

    def kinds(self, part: Partition) -> set[str]:
        """The priorities and types of the jobs that a partition has had: "<priority>:<type>"."""
        return set(self.client.smembers(part("kinds")))

    def _oldest(self, index: tuple[str, ...], before_ms: int, most: int, offset: int = 0) -> list[str]:
        """Ids of an index that is scored by times, of those before a time, the oldest first."""
        if len(self.parts) == 1:
            key, end = self.parts[0](*index), f"({before_ms}"
            return list(self.client.zrange(key, "-inf", end, byscore=True, offset=offset, num=most))
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.zrange(
                part(*index), "-inf", f"({before_ms}", byscore=True, withscores=True, offset=0, num=offset + most
            )
        merged = heapq.merge(*pipe.execute(), key=lambda entry: (entry[1], entry[0]))
        return [job_id for job_id, _ in islice(merged, offset, offset + most)]

    def _among(self, index: str, task_ids: Sequence[str]) -> set[str]:
        shares = self.keys.share_out(task_ids, lambda task_id: job_and_run_of(task_id)[0])
        pipe = self.client.pipeline(transaction=False)
        for part, own in shares.items():
            pipe.zmscore(part(index), own)
        found = zip(shares.values(), pipe.execute(), strict=True)
        return {
            task_id for own, scores in found for task_id, score in zip(own, scores, strict=True) if score is not None
        }
