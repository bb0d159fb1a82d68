"""Recording many jobs together, part by part: large trees, and batches."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from jobtracker.core.lifecycle import Outcome
from jobtracker.errors import NotRecordedError
from jobtracker.store.changes import NewJob
from jobtracker.store.job_writer import JobWriter, outcomes_of
from jobtracker.store.pipeline import Call, batched

_PLANTED = 200
"""Jobs that are recorded in one go: it takes the server a few milliseconds."""

_ATTACHED = 1000
"""Sub-jobs that are attached to their parents in one go, for the same reason."""

DRAFT_MS = 10_000
"""So long a draft waits for its next part, or its commit: that follows at once, unless its process has died."""


class DraftWriter(JobWriter):
    """Records what is too much for one call, all of it or nothing.

    It is a draft first, which is no job and expires. Once that is whole it is committed: its first part is recorded,
    and then the rest. If this process dies, the leader records it. Neighbours whose records are equal cost about a
    third of what `create` does.
    """

    def bulk_create(self, jobs: Sequence[NewJob], *, at_ms: int, started: bool) -> Outcome:
        """Record a large tree: its root first, and parents before their sub-jobs.

        Args:
            jobs: Its jobs, each after its sub-jobs, the root last; they lie in one partition.
            at_ms: When it is made.
            started: Its first runs are recorded too. Those of jobs without sub-jobs wait to be claimed.

        Returns:
            Applied; duplicate (its root is there, so the rest is, or will be), or deleted (that must not come back):
            then nothing is recorded.

        Raises:
            NotRecordedError: It took too long: nothing is recorded.
            UniqueKeyTakenError: Another job has the unique key of its root: nothing is recorded.
        """
        root = jobs[-1].id
        above_first = [*(job for job in reversed(jobs) if job.subs), *(job for job in jobs if not job.subs)]
        unique = str(jobs[-1].fields.get("unique", ""))
        what = f"The tree of job {root}"
        return self._record(root, above_first, what, at_ms, started=started, is_tree=True, unique=unique)

    def create_batch(self, jobs: Sequence[NewJob], *, at_ms: int, started: bool) -> Outcome:
        """Record jobs without sub-jobs, in their order.

        Args:
            jobs: The jobs; they lie in one partition.
            at_ms: When they are made.
            started: Their first runs are recorded too, and wait to be claimed.

        Returns:
            As `bulk_create`, of the first one.

        Raises:
            NotRecordedError: It took too long: nothing is recorded.
        """
        return self._record(jobs[0].id, jobs, "The batch", at_ms, started=started, is_tree=False)

    def bulk_create_next(self, name: str) -> int:
        """Record the next part of a draft that is committed; returns how many are left.

        Args:
            name: The root of its tree, or the first job of its batch.
        """
        part = self.keys.of(name)
        return int(self._functions.call(self.client, "bulk_create", part("draft", name), [part.prefix, name]))

    def drop_draft(self, name: str) -> None:
        """Record no further part of a draft: what was recorded of it is taken back.

        Args:
            name: As for `bulk_create_next`.
        """
        part = self.keys.of(name)
        pipe = self.client.pipeline(transaction=True)
        pipe.zrem(part("drafts"), name)
        pipe.unlink(part("draft", name))
        pipe.execute()

    def _record(
        self,
        name: str,
        jobs: Iterable[NewJob],
        what: str,
        at_ms: int,
        *,
        started: bool,
        is_tree: bool,
        unique: str = "",
    ) -> Outcome:
        part = self.keys.of(name)
        draft = part("draft", name)
        head = [at_ms, int(started), int(is_tree)]
        texts = [_part_of(some, head) for some in _parts(jobs)]
        calls: Iterator[Call] = (
            (draft, [part.prefix, number, DRAFT_MS, text, name]) for number, text in enumerate(texts, start=1)
        )
        self._functions.call_all(self.client, "add_draft", calls)
        args: list[str | int | float] = [part.prefix, name, at_ms, len(texts), unique]
        [outcome] = outcomes_of([self._functions.call(self.client, "commit_draft", draft, args)])
        if outcome is Outcome.MISSING:
            raise NotRecordedError(what)
        if outcome is not Outcome.APPLIED:
            return outcome
        self._functions.call_all(self.client, "bulk_create", [(draft, [part.prefix, name])] * (len(texts) - 1))
        return Outcome.APPLIED


def _parts(jobs: Iterable[NewJob]) -> Iterator[list[NewJob]]:
    """Jobs in parts, in order."""
    part: list[NewJob] = []
    attached = 0
    for job in _with_some_subs(jobs):
        if len(part) == _PLANTED or (part and attached + len(job.subs) > _ATTACHED):
            yield part
            part, attached = [], 0
        part.append(job)
        attached += len(job.subs)
    yield part


def _with_some_subs(jobs: Iterable[NewJob]) -> Iterator[NewJob]:
    """Jobs, each with the first of its sub-jobs; behind it, without fields, those that are too many for a call."""
    for job in jobs:
        if job.subs:
            first, *others = batched(job.subs.items(), _ATTACHED)
            yield replace(job, fields={**job.fields, "subs": len(first)}, subs=dict(first))
            yield from (NewJob(id=job.id, fields={}, subs=dict(some)) for some in others)
        else:
            yield job


def _part_of(jobs: Iterable[NewJob], head: list[int]) -> str:
    """Jobs as `lua/commands/bulk_create.lua` reads them: equal records of neighbours stand once."""
    alike = [
        [_texts(fields), [[each.id, _texts(each.data), _texts(each.subs)] for each in some]]
        for fields, some in groupby(jobs, lambda job: job.fields)
    ]
    return json.dumps([*head, *alike], ensure_ascii=False)


def _texts(mapping: Mapping[Any, str | int]) -> list[str]:
    return [str(part) for pair in mapping.items() for part in pair]
