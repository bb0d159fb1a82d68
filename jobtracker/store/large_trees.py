"""Recording large trees, part by part."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from jobtracker.errors import TreeNotRecordedError
from jobtracker.store.changes import NewJob
from jobtracker.store.job_writer import JobWriter
from jobtracker.store.pipeline import Call, batched

_PLANTED = 200
"""Jobs that are recorded in one go: it takes the server a few milliseconds."""

DRAFT_MS = 10_000
"""So long a draft waits for its next part, or its commit: that follows at once, unless its process has died."""


class LargeTreeWriter(JobWriter):
    """Records trees that are too large for one call."""

    def bulk_create(self, jobs: Sequence[NewJob], *, at_ms: int, started: bool) -> None:
        """Record a large tree under ids that are new, all of it or nothing.

        It is a draft first, which is no job and expires. Once that is whole it is committed: its root is recorded,
        and then, parents before their sub-jobs, the rest. If this process dies, the leader records it. Neighbours
        whose records are equal cost about a third of what `create` does.

        Args:
            jobs: Its jobs, each after its sub-jobs, the root last; they lie in one partition.
            at_ms: When it is made.
            started: Its first runs are recorded too. Those of jobs without sub-jobs wait to be claimed.

        Raises:
            TreeNotRecordedError: It took too long: nothing is recorded.
        """
        root = jobs[-1].id
        part = self.keys.of(root)
        draft = part("draft", root)
        above_first = [*(job for job in reversed(jobs) if job.subs), *(job for job in jobs if not job.subs)]
        texts = [_part_of(some, at_ms, started=started) for some in batched(above_first, _PLANTED)]
        calls: Iterator[Call] = (
            (draft, [part.prefix, number, DRAFT_MS, text]) for number, text in enumerate(texts, start=1)
        )
        self._functions.call_all(self.client, "add_draft", calls)
        if not self._functions.call(self.client, "commit_draft", draft, [part.prefix, root, at_ms, len(texts)]):
            raise TreeNotRecordedError(root)
        self._functions.call_all(self.client, "bulk_create", [(draft, [part.prefix, root])] * (len(texts) - 1))

    def bulk_create_next(self, root: str) -> int:
        """Record the next part of a tree whose draft is committed; returns how many are left."""
        part = self.keys.of(root)
        return int(self._functions.call(self.client, "bulk_create", part("draft", root), [part.prefix, root]))


def _part_of(jobs: Iterable[NewJob], at_ms: int, *, started: bool) -> str:
    """Jobs as `lua/commands/bulk_create.lua` reads them: equal records of neighbours stand once."""
    alike = [
        [
            _texts({**fields, "subs": count} if count else fields),
            [[each.id, _texts(each.data), _texts(each.subs)] for each in some],
        ]
        for (fields, count), some in groupby(jobs, lambda job: (job.fields, len(job.subs)))
    ]
    return json.dumps([at_ms, int(started), *alike], ensure_ascii=False)


def _texts(mapping: Mapping[Any, str | int]) -> list[str]:
    return [str(part) for pair in mapping.items() for part in pair]
