"""The totals of all time, as numbers that can be compared."""

from collections import Counter
from typing import Any

from jobtracker.store.histograms import SUMMED, TOTALS
from jobtracker.store.reader import JobQueries
from jobtracker.store.totals import Totals, cuts_of

CUTS = cuts_of((0.01, 1, 60))


def totals_of(queries: JobQueries) -> dict[str, Totals]:
    """The totals of all partitions by label."""
    found: dict[str, Totals] = {}
    for part in queries.parts:
        for label, totals in queries.totals(part, CUTS)[0].items():
            if label in found:
                found[label].add(totals)
            else:
                found[label] = totals
    return found


def numbers(queries: JobQueries) -> Counter[Any]:
    """All of them as numbers by name; what is zero is left out."""
    found: Counter[Any] = Counter()
    for label, totals in totals_of(queries).items():
        found[label, "created"] = totals.created
        found[label, "retried"] = totals.retried
        for name in TOTALS[:SUMMED]:
            found[label, name] = totals.deliveries if name == "deliveries" else totals[name]
        for name, counts in (("wait", totals.wait), ("run", totals.run)):
            for n in range(len(counts)):
                found[label, name, n] = sum(counts[: n + 1])
        for error, count in totals.failures.items():
            found[label, "failed", error] = count
    return +found


def sum_up(found: Counter[Any]) -> Counter[Any]:
    """Of all labels together."""
    sums: Counter[Any] = Counter()
    for (_, *name), count in found.items():
        sums[name[0] if len(name) == 1 else tuple(name)] += count
    return sums
