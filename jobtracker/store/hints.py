"""Hints of what changed, for those who watch (`lua/lib/hints.lua`).

A partition has a stream of hints as long as somebody renews it with `watch`. Readers remember the entry that they
have read last, their position. If that entry is still in the stream, no hint behind it is missing. Otherwise the
stream was trimmed, has expired in between, or is of a server that has lost it: then nobody knows what changed.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jobtracker.connection.client import server_of
from jobtracker.store.job_reader import JobReader
from jobtracker.store.job_writer import JobWriter
from jobtracker.store.keys import Partition
from jobtracker.store.pipeline import Call

WATCH_MS = 60_000
"""So long hints are written after they were last asked for: an API that is started again finds them."""


class Hint(NamedTuple):
    """Says that a job has changed. Its record says how it is now."""

    what: str
    """created, status, progress, changed, log, deleted."""
    id: str
    """The job; "" where it stands for several."""
    status: str = ""
    """Of the job, when that was written."""
    before: str = ""
    """The status that it has left, if that is what changed."""
    job_type: str = ""
    parent: str = ""
    root: str = ""
    """The tree that several jobs belong to."""
    jobs: int = 1
    """So many jobs."""


class HintWriter(JobWriter):
    """Has hints written."""

    def watch(self, parts: Sequence[Partition], *, lifetime_ms: int = WATCH_MS) -> dict[Partition, str]:
        """Have hints written for a while, from now on or on; returns the position behind all that there is by now."""
        calls: list[Call] = [(part("hints"), [part.prefix, lifetime_ms]) for part in parts]
        return dict(zip(parts, self._functions.begin(self.client, "watch", calls).answers(), strict=True))


class HintReader(JobReader):
    """Reads hints."""

    def next_hints(
        self, positions: Mapping[Partition, str], *, block_ms: int, most: int
    ) -> dict[Partition, tuple[str, list[Hint], int]]:
        """Wait for hints behind some positions; returns of each its new position, the hints, and how many entries.

        Args:
            positions: Of partitions on one server.
            block_ms: How long to wait for the first one.
            most: How many entries to read of each at most.
        """
        parts = {part("hints"): part for part in positions}
        server = server_of(self.client, next(iter(parts)))
        found = server.xread({part("hints"): at for part, at in positions.items()}, count=most, block=block_ms)
        return {parts[key]: (entries[-1][0], _hints(entries), len(entries)) for key, entries in found or ()}

    def hints_between(self, part: Partition, after: str, until: str, most: int) -> list[Hint] | None:
        """The hints between two positions; None where some may be missing, or there are more than `most` entries."""
        server = server_of(self.client, part("hints"))
        entries = server.xrange(part("hints"), min=after, max=until, count=most + 1)
        if not entries or entries[0][0] != after or entries[-1][0] != until:
            return None
        return _hints(entries[1:])

    def is_position(self, part: Partition, position: str) -> bool:
        """Whether no hint behind a position is missing."""
        return bool(server_of(self.client, part("hints")).xrange(part("hints"), min=position, max=position))


def _hints(entries: Sequence[tuple[str, Mapping[str, str]]]) -> list[Hint]:
    return [_hint(each) for _, fields in entries for each in json.loads(fields["hints"] or "[]")]


def _hint(given: Mapping[str, Any]) -> Hint:
    return Hint(
        given["what"],
        given.get("id", ""),
        given.get("status", ""),
        given.get("before", ""),
        given.get("type", ""),
        given.get("parent", ""),
        given.get("root", ""),
        given.get("count", 1),
    )
