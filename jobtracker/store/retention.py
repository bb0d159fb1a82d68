"""Removing jobs: by request, and by retention."""

from collections.abc import Sequence

from jobtracker.core.lifecycle import Outcome
from jobtracker.store.changes import Expired, SettledIndex
from jobtracker.store.job_writer import JobWriter
from jobtracker.store.keys import Partition
from jobtracker.store.pipeline import batched
from jobtracker.store.records import ask
from jobtracker.store.schema import decode

REMOVED_AT_ONCE = 30
"""Jobs of one call: it takes the server less than a millisecond, in which nobody else is served."""


class RetentionWriter(JobWriter):
    """Removes jobs with all that belongs to them."""

    def delete(self, *job_ids: str, mode: str = "delete", finished_before_ms: int = 0) -> list[Outcome]:
        """Remove jobs, some with each call; the modes are in lua/delete.lua. Their sub-jobs are in the trash then."""
        if len(self.keys.parts) > 1 and job_ids:
            return self._delete_across(job_ids, mode, finished_before_ms)
        return self._delete(job_ids, mode, finished_before_ms)

    def _delete(self, job_ids: Sequence[str], mode: str, finished_before_ms: int) -> list[Outcome]:
        outcomes: dict[str, Outcome] = {}
        for part, own in self.keys.share_out(job_ids).items():
            for some in batched(own, REMOVED_AT_ONCE):
                args: list[str | int | float] = [part.prefix, mode, finished_before_ms, self.tombstone_s, *some]
                found = self._functions.call(self.client, "delete", part("job", some[0]), args)
                outcomes |= zip(some, map(Outcome, found), strict=True)
        return [outcomes[job_id] for job_id in job_ids]

    def _delete_across(self, job_ids: Sequence[str], mode: str, finished_before_ms: int) -> list[Outcome]:
        """Remove jobs whose parents and sub-jobs may lie in other partitions, which no script sees."""
        keys, pipe = self.keys, self.client.pipeline(transaction=False)
        for job_id in job_ids:
            ask(pipe, keys, job_id)
            pipe.zrange(keys("subs", job_id), 0, -1)
        answers = pipe.execute()
        parents = {
            job_id: decode(job_id, packed).parent for job_id, packed in zip(job_ids, answers[::2], strict=True)
        }
        subs = dict(zip(job_ids, answers[1::2], strict=True))
        parts = [job_id for job_id in job_ids if parents[job_id] and mode in {"delete", "expire"}]
        for job_id in parts:
            pipe.exists(keys("job", parents[job_id]))
        kept = {job_id for job_id, has_parent in zip(parts, pipe.execute(), strict=True) if has_parent}
        rest = [job_id for job_id in job_ids if job_id not in kept]
        gone = dict(zip(rest, self._delete(rest, mode, finished_before_ms), strict=True))
        trash = [
            sub for each, done in gone.items() if done is Outcome.APPLIED and mode != "undo" for sub in subs[each]
        ]
        for part, own in keys.share_out(trash).items():
            pipe.sadd(part("trash"), *own)
        for part in keys.parts if mode == "trash" else ():
            pipe.srem(part("trash"), *job_ids)
        pipe.execute()
        return [gone.get(job_id, Outcome.ILLEGAL) for job_id in job_ids]

    def prune(self, part: Partition, indexes: Sequence[SettledIndex], *, finished_before_ms: int) -> Expired:
        """Remove some jobs that settled before a time, from indexes of a partition one after the other: one call."""
        across = int(len(self.keys.parts) > 1)
        args: list[str | int | float] = [part.prefix, finished_before_ms, REMOVED_AT_ONCE, across]
        args += [each for index in indexes for each in index]
        removed, through, has_trash, apart, reached = self._functions.call(self.client, "prune", part("kinds"), args)
        found = list(indexes)
        for number, score, job_id in batched(reached, 3):
            found[number] = found[number]._replace(score=score, job_id=job_id)
        return Expired(removed, found[:through], found[through:], bool(has_trash), apart)
