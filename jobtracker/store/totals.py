"""What was counted of jobs of all time: it never goes back, and never expires (`lua/lib/totals.lua`)."""

import math
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from operator import add

import msgpack

from jobtracker.errors import JobTrackerError
from jobtracker.store.histograms import GAMMA, SUMMED, TOTALS
from jobtracker.store.job_reader import JobReader
from jobtracker.store.job_writer import JobWriter
from jobtracker.store.keys import Partition
from jobtracker.store.pipeline import Call

OTHERS = ""
"""The label of all types without a name of their own."""

MOST_UNFOLDED = 2000
"""Series that one look reads beside the totals: some MB. Where maintenance works each type has one or two."""
_FOLDED_AT_ONCE = 10
"""It takes the server some milliseconds, in which nobody else is served."""


class UnfoldedError(JobTrackerError):
    """The totals lack too many series: `TotalsWriter.fold_totals` comes first."""


def cuts_of(bounds_s: Iterable[float]) -> list[int]:
    """How many buckets of a histogram lie below each bound: those whose middle does, so within 2 % of it."""
    return [math.floor(math.log(bound_s * 1000 * (GAMMA + 1) / 2, GAMMA) + 1e-9) + 2 for bound_s in bounds_s]


@dataclass
class Totals:
    """What was counted under one label.

    Attributes:
        created: Jobs that were created.
        retried: Celery's retries.
        failures: How often jobs failed, by the error's type.
        sums: The sums of `histograms.TOTALS`, in their order.
        wait: How many waits lie between two bounds, each with the one before; the last are above all bounds.
        run: The same of run times.
    """

    created: int
    retried: int
    failures: dict[str, int]
    sums: list[int]
    wait: list[int]
    run: list[int]

    @property
    def is_used(self) -> bool:
        """Anything was counted."""
        return bool(self.created or any(self.sums))

    def __getitem__(self, name: str) -> int:
        """One of the sums."""
        return self.sums[_PLACE[name]]

    def copy(self) -> "Totals":
        """The same, to be added to."""
        return replace(self, failures=dict(self.failures))

    def add(self, other: "Totals") -> None:
        """Count what another partition has too."""
        self.created += other.created
        self.retried += other.retried
        for name, count in other.failures.items():
            self.failures[name] = self.failures.get(name, 0) + count
        self.sums, self.wait, self.run = (
            list(map(add, a, b)) for a, b in ((self.sums, other.sums), (self.wait, other.wait), (self.run, other.run))
        )

    @property
    def deliveries(self) -> int:
        """How many there were: of each verdict one, and those beyond it."""
        return self["completed"] + self["failed"] + self["cancelled"] + self["deliveries"]


_PLACE = {name: n for n, name in enumerate(TOTALS[:SUMMED])}


class TotalsReader(JobReader):
    """Reads them."""

    def totals(self, part: Partition, cuts: Sequence[int]) -> tuple[dict[str, Totals], set[str]]:
        """Those of a partition by label, `OTHERS` among them, all of one moment.

        Args:
            part: The partition.
            cuts: The bounds of the histograms (`cuts_of`).

        Returns:
            The totals, and the types that are named now: other labels had been names, and take part in sums only.

        Raises:
            UnfoldedError: They lack too many series.
        """
        call: Call = part("unfolded"), [part.prefix, MOST_UNFOLDED]
        [answer] = self._functions.begin(self.client, "read_totals", [call]).answers(decoded=False)
        found = msgpack.unpackb(answer, raw=True)
        if len(found) == 1:
            raise UnfoldedError(f"The totals of partition {part.number} lack {found[0]:,} series.")
        names, strings, unfolded, series, counted, there, now_named = found
        named = set(map(_text, now_named))
        labels = [_text(name) for name in names]
        totals: dict[str, Totals] = {}
        for label, string, count in zip(labels, strings, there, strict=True):
            _add(totals, label, Totals(count, 0, {}, *_read(string, 8, cuts)))
        for name, string in zip(unfolded, series, strict=True):
            label = _text(name.partition(b":")[2])
            more = Totals(0, 0, {}, *_read(string, 4, cuts))
            _add(totals, label if label in named else OTHERS, more)
        for name, value in zip(map(_text, counted[::2]), counted[1::2], strict=True):
            _count(totals, name, int(value))
        return totals, named

    def named(self, part: Partition) -> set[str]:
        """The types that are counted by name."""
        return set(self.client.smembers(part("named")))

    def maintained_ms(self) -> int | None:
        """When a round of maintenance ended last in the partition where that is longest ago; None: nowhere yet."""
        pipe = self.client.pipeline(transaction=False)
        for part in self.parts:
            pipe.get(part("maintained"))
        found = [int(at or 0) for at in pipe.execute()]
        return min(found) or None


class TotalsWriter(JobWriter):
    """Keeps them."""

    def fold_totals(self, part: Partition, *, all_of_them: bool = False) -> tuple[int, int]:
        """Enter some series of hours that are over into the totals, or of any hour.

        Returns:
            How many were, and how many are left.
        """
        args: list[str | int | float] = [part.prefix, _FOLDED_AT_ONCE, int(all_of_them)]
        folded, left = self._functions.call(self.client, "fold_totals", part("unfolded"), args)
        return int(folded), int(left)

    def name_types(self, part: Partition, named: Sequence[str], others: Sequence[str] = ()) -> int:
        """Count types by name from now on, as long as there is room, and others no more; returns how many changed."""
        args: list[str | int | float] = [part.prefix, len(others), *others, *named]
        return int(self._functions.call(self.client, "name_types", part("named"), args))


def sum_of(strings: Iterable[bytes]) -> bytes:
    """Some totals of the store as one."""
    numbers = [_numbers(each.ljust(len(each) + -len(each) % 8, b"\0"), "q") for each in strings]
    sums = array("q", map(sum, zip_longest(*numbers, fillvalue=0)))
    if sys.byteorder == "little":
        sums.byteswap()
    return sums.tobytes()


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _add(totals: dict[str, Totals], label: str, more: Totals) -> None:
    if label in totals:
        totals[label].add(more)
    else:
        totals[label] = more


def _read(string: bytes, size: int, cuts: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """The sums and both histograms of a string with counters of 8 or 4 bytes; the sums always have 8."""
    head = 8 * len(TOTALS)
    sums = _numbers(string[:head].ljust(head, b"\0"), "q")
    rest = string[head:]
    buckets = _numbers(rest.ljust(len(rest) + -len(rest) % size, b"\0"), "q" if size == 8 else "I")
    return list(sums[:SUMMED]), _between(buckets[::2], cuts), _between(buckets[1::2], cuts)


def _numbers(text: bytes, code: str) -> "array[int]":
    numbers = array(code, text)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _between(buckets: "array[int]", cuts: Sequence[int]) -> list[int]:
    return [sum(buckets[first:end]) for first, end in pairwise((0, *cuts, len(buckets)))]


def _count(totals: Mapping[str, Totals], name: str, value: int) -> None:
    """Enter one field of "counted"."""
    what, _, label = name.partition(":")
    error = None
    if what == "failed":
        error, _, label = label.partition(":")
    of = totals.get(label)
    if of is None:
        return
    if error is not None:
        of.failures[error] = of.failures.get(error, 0) + value
    elif what == "created":
        of.created += value
    elif what == "retried":
        of.retried += value
