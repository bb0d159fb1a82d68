"""Writing the indexes of what is still to be done for a job: sending it, or looking at it again."""

from collections.abc import Iterable, Sequence

from jobtracker.core.clock import now_ms
from jobtracker.core.job import job_and_run_of
from jobtracker.store.job_writer import JobWriter
from jobtracker.store.keys import Partition
from jobtracker.store.pipeline import Call, batched

_INDEXED = 500
"""Entries of an index that one command writes."""


class OutboxIndexWriter(JobWriter):
    """Keeps the outbox, and what is to be looked at later."""

    def confirm(self, *task_ids: str) -> None:
        """Note that these runs, recorded as sent, were; or that nothing was to be sent."""
        for some in batched(task_ids, _INDEXED):
            pipe = self.client.pipeline(transaction=False)
            for part, own in self.keys.share_out(some, _job_of).items():
                pipe.zrem(part("unconfirmed"), *own)
            pipe.execute()

    def hand_over(self, task_ids: Iterable[str], *, at_ms: int | None = None) -> None:
        """Note that these runs are recorded as sent, and that the process which claims them sends them."""
        at_ms = now_ms() if at_ms is None else at_ms
        for some in batched(task_ids, _INDEXED):
            pipe = self.client.pipeline(transaction=False)
            for part, own in self.keys.share_out(some, _job_of).items():
                pipe.zadd(part("unsent"), dict.fromkeys(own, at_ms))
                pipe.zrem(part("unconfirmed"), *own)
            pipe.execute()

    def claim(self, task_ids: Sequence[str]) -> list[str]:
        """Take on the sending of runs that were handed over; returns those that nobody else has taken on."""
        calls: list[Call] = [
            (part("unsent"), [part.prefix, now_ms(), *own])
            for part, own in self.keys.share_out(task_ids, _job_of).items()
        ]
        return [each for claimed in self._functions.call_many(self.client, "claim", calls) for each in claimed]

    def forget_queues(self, part: Partition, names: Sequence[str], *, before_ms: int) -> int:
        """Forget names of queues to which nothing was sent since a time; returns how many."""
        return int(
            self._functions.call(self.client, "forget_queues", part("queues"), [part.prefix, before_ms, *names])
        )

    def look_at_expiry(self, later: Sequence[str], never: Sequence[str], *, at_ms: int) -> None:
        """Note when jobs that have expired are to be looked at again.

        Args:
            later: These at that time, ...
            never: ... and these not any more.
            at_ms: The time.
        """
        pipe = self.client.pipeline(transaction=False)
        for part, own in self.keys.share_out(later, str).items():
            pipe.zadd(part("expiring"), dict.fromkeys(own, at_ms), xx=True)
        for part, own in self.keys.share_out(never, str).items():
            pipe.zrem(part("expiring"), *own)
        pipe.execute()

    def answered(self, *job_ids: str) -> None:
        """Note that Celery's result backend has answered about jobs that were taken for lost without it."""
        for part, own in self.keys.share_out(job_ids).items():
            self.client.zrem(part("unanswered"), *own)

    def count_dropped(self, reports: int) -> None:
        """Note that reports were given up, however many: their jobs are not as they say."""
        pipe = self.client.pipeline(transaction=True)
        pipe.hincrby(self.keys("dropped"), "reports", reports)
        pipe.hset(self.keys("dropped"), "last", now_ms())
        pipe.execute()


def _job_of(task_id: str) -> str:
    return job_and_run_of(task_id)[0]
