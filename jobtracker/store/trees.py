"""Reading trees: the sub-jobs of parents, to any depth."""

from collections.abc import Container, Iterable, Iterator, Sequence

from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.schemas.jobs import JobTree
from jobtracker.store.job_reader import JobReader, Loaded
from jobtracker.store.merge import SCAN_BUDGET
from jobtracker.store.records import ask, fetch
from jobtracker.store.schema import JobRecord, decode

_PIECE_BYTES = 1 << 18
"""Of an answer that comes in pieces."""

_BATCH = 500
"""Records that one round trip fetches where there may be many."""


class TreeReader(JobReader):
    """Reads the sub-jobs of parents."""

    def sub_ids(self, job_id: str, most: int = 0) -> list[str]:
        """The ids of a parent's sub-jobs, in order: the first `most`, 0: all."""
        return list(self.client.zrange(self.keys("subs", job_id), 0, most - 1))

    def some_subs(self, job_id: str, statuses: Container[str], most: int) -> list[JobRecord]:
        """The records of the first sub-jobs with such a status; looks at a bounded number."""
        found: list[JobRecord] = []
        for first in range(0, SCAN_BUDGET, _BATCH):
            ids = self.client.zrange(self.keys("subs", job_id), first, first + _BATCH - 1)
            wanted = [record for record in fetch(self.client, self.keys, ids) if record.status in statuses]
            found += wanted[: most - len(found)]
            if len(found) >= most or len(ids) < _BATCH:
                break
        return found

    def unnotified_subs(self, job_id: str) -> list[tuple[str, int, Status]]:
        """The sub-jobs that have settled, or are open again, without their parent knowing: id, run, status.

        Those that are open come first: a parent that hears of the others alone would take all for settled.
        """
        subs = self.sub_ids(job_id)
        pipe = self.client.pipeline(transaction=False)
        pipe.hgetall(self.keys("outcomes", job_id))
        for sub in subs:
            ask(pipe, self.keys, sub)
        outcomes, *records = pipe.execute()
        told = {sub: as_notified(outcome) for sub, outcome in outcomes.items()}
        found = [
            (record.id, record.run, record.status)
            for record in map(decode, subs, records)
            if record.status and told.get(record.id) != f"{record.run}:{record.status}"
        ]
        news = [each for each in found if SETTLED & {each[2], told.get(each[0], "").partition(":")[2]}]
        return sorted(news, key=lambda each: each[2] in SETTLED)

    def tree(self, job_id: str) -> JobTree:
        """A job with its sub-jobs to any depth: two round trips for each level.

        Raises:
            JobNotFoundError: There is none with that id.
        """
        [(record, data)] = self.load([job_id])
        root = JobTree.model_validate(self._values(record, data))
        level = [root]
        while parents := [job for job in level if job.sub_job_counts]:
            pipe = self.client.pipeline(transaction=False)
            for parent in parents:
                pipe.zrange(self.keys("subs", parent.id), 0, -1)
            level = []
            families: list[list[str]] = pipe.execute()
            loaded = iter(self.load([sub for family in families for sub in family], missing_ok=True))
            for parent, family in zip(parents, families, strict=True):
                for _ in family:
                    record, data = next(loaded)
                    if record.exists:
                        parent.sub_jobs.append(JobTree.model_validate(self._values(record, data)))
                level += parent.sub_jobs
        return root

    def tree_json(self, job_id: str) -> Iterator[bytes]:
        """The same as JSON, in pieces: however large the tree is, some hundred of its jobs are held at a time.

        Raises:
            JobNotFoundError: There is none with that id; at once, not with the first piece.
        """
        return joined(self._nested([self.load([job_id])]))

    def _nested(self, batches: Iterable[Sequence[Loaded]]) -> Iterator[bytes]:
        comma = b""
        for batch in batches:
            for record, data in batch:
                if not record.exists:
                    continue
                yield comma + self.loaded_json(record, data)[:-1] + b',"sub_jobs":['
                if record.subs:
                    yield from self._nested(self._load_subs(record.id))
                yield b"]}"
                comma = b","

    def _load_subs(self, job_id: str) -> Iterator[list[Loaded]]:
        key, first = self.keys("subs", job_id), 0
        while ids := self.client.zrange(key, first, first + _BATCH - 1):
            yield self.load(ids, missing_ok=True)
            first += len(ids)
            if len(ids) < _BATCH:
                break

    def families(self, job_id: str) -> dict[str, list[str]]:
        """The sub-jobs' ids of a job and of all below it, in order; parents stand before their sub-jobs."""
        found: dict[str, list[str]] = {}
        level = [job_id]
        while level:
            pipe = self.client.pipeline(transaction=False)
            for parent in level:
                pipe.zrange(self.keys("subs", parent), 0, -1)
            found.update(zip(level, pipe.execute(), strict=True))
            level = [sub for parent in level for sub in found[parent]]
        return found


def as_notified(outcome: str) -> str:
    """The run and status that a parent was told, "<run>:<status>" (`keys.PREFIXES["outcomes"]`)."""
    run, colon, status = outcome.partition(":")
    return run.partition(".")[0] + colon + status


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces that are worth being sent each."""
    gathered, size = [], 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _PIECE_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)
