"""Recounts what the store keeps besides its records: indexes, parents with their sub-jobs, and rests of deleted jobs.

It may run while everything else does. Each piece is one look of `Verification`, some hundred jobs at one moment.
What lies between two jobs, a sub-job that has settled and a parent that does not know yet, is checked twice
(`tree_check.py`).
Time series and histograms can't be recounted: they outlive the records.
"""

import time
from collections.abc import Callable, Iterator

from jobtracker.connection.client import keys_from
from jobtracker.doctor.object_check import ObjectCheck
from jobtracker.doctor.tree_check import TreeCheck
from jobtracker.runtime import Tracking
from jobtracker.schemas.examination import Flaw
from jobtracker.store.keys import OF_ONE_JOB, PREFIXES, Partition
from jobtracker.store.libraries import Libraries
from jobtracker.store.verification import Difference, TooManyToAddUpError, Verification

PIECE = 100
"""Keys, index entries or jobs that one call looks at: one or two milliseconds of the server's time."""

_CHECKED = OF_ONE_JOB - {"answer", "answering"} | {"failure"}
"""Names of the keys that are checked one by one; answers to requests belong to no job."""
_INDEXES = {"type", "entered", "failed_by"}
_OF_GROUPS = {"failures", "failure_counts"}
"""Indexes of groups of failures."""
_NAMES = {prefix: name for name, prefix in PREFIXES.items()}


class Recount:
    """One recount of one store.

    Args:
        tracking: The store.
        repair: Mend what differs, each in the call that sees it.
        apart_s: Seconds between the beginning and the second check of differences between jobs, at least.
        step: Called after each piece. What it raises ends the recount.

    Attributes:
        differences: What was found, each once.
        jobs: How many records were looked at.
        unchecked: What could not be looked at, and why.
    """

    def __init__(
        self,
        tracking: Tracking,
        *,
        repair: bool,
        apart_s: float = 1.0,
        step: "Callable[[Recount], None] | None" = None,
    ) -> None:
        self.tracking = tracking
        self.repair = repair
        self.apart_s = apart_s
        self.differences: dict[tuple[Flaw, str, str], Difference] = {}
        self.jobs = 0
        self.unchecked: list[str] = []
        self._checks = {part: Verification(tracking.client, part) for part in tracking.keys.parts}
        self._call = step
        self._families = TreeCheck(tracking, self._checks, repair=repair, step=self._step)

    def run(self) -> None:
        """Look at everything."""
        Libraries(self.tracking.client, self.tracking.keys).renew()  # its own has to be removed some day
        began = time.monotonic()
        indexes = {part: self._look_at_keys(part) for part in self._checks}
        self._families.look()
        for part, own in indexes.items():
            for index in sorted(own):
                self._look_at_index(part, index)
        self._add(self._families.settle(began + self.apart_s))
        objects = ObjectCheck(self.tracking, repair=self.repair, step=self._step)
        self._add(objects.run())
        self.unchecked += objects.unchecked

    def _step(self) -> None:
        if self._call:
            self._call(self)

    def _look_at_keys(self, part: Partition) -> set[tuple[str, ...]]:
        """Look at all that belongs to jobs; returns the indexes that are there."""
        indexes: set[tuple[str, ...]] = set()
        for keys in self._keys(part):
            self._look_at(part, keys, indexes)
        return indexes

    def _keys(self, part: Partition) -> Iterator[list[str]]:
        """All keys of a partition, some at a time; one may come twice."""
        for keys in keys_from(self.tracking.client, part.prefix):
            yield [key.removeprefix(part.prefix) for key in keys]

    def _look_at(self, part: Partition, keys: list[str], indexes: set[tuple[str, ...]]) -> None:
        named: list[tuple[str, str]] = []
        for key in keys:
            head, colon, rest = key.partition(":")
            name = _NAMES.get(head + colon)
            if name in _CHECKED:
                named.append((name, rest))
                self.jobs += name == "job"
            elif name in _INDEXES:
                indexes.add((name, *rest.split(":", 2 if name == "entered" else 0)))
            elif name in _OF_GROUPS:
                groups = self.tracking.client.zrange(part(name), 0, -1)
                named += [("failure", group) for group in groups]
            elif name == "quota":
                self._look_at_quota(part, rest)
            elif name is None:
                self._add([Difference(Flaw.UNKNOWN, "keys", key, "there", "", is_repaired=False)], part)
        for first in range(0, len(named), PIECE):
            found = self._checks[part].jobs(named[first : first + PIECE], repair=self.repair)
            self._add(self._families.note(found), part)
            self._step()

    def _look_at_quota(self, part: Partition, account: str) -> None:
        try:
            found = self._checks[part].quota(account, repair=self.repair)
        except TooManyToAddUpError as error:
            self.unchecked.append(str(error))
        else:
            self._add([found] if found else [], part)

    def _look_at_index(self, part: Partition, index: tuple[str, ...]) -> None:
        cursor = 0
        while True:
            cursor, entries = self.tracking.client.zscan(part(*index), cursor, count=PIECE)
            ids = [job_id for job_id, _ in entries]
            for first in range(0, len(ids), PIECE):
                self._add(self._checks[part].index(index, ids[first : first + PIECE], repair=self.repair), part)
                self._step()
            if not cursor:
                return

    def _add(self, differences: list[Difference], part: Partition | None = None) -> None:
        for each in differences:
            where = f"{each.where} of partition {part.number}" if part and len(self._checks) > 1 else each.where
            self.differences[each.flaw, where, each.subject] = each._replace(where=where)
