"""Which workers are slow: run times of one worker against those of all others, by type.

The test is that of Mann and Whitney (1947): it compares ranks, so neither the form of the distribution nor a few very
long jobs matter. With 20 values on each side its normal approximation, corrected for ties, is close. Many workers and
types are compared at once: Holm's correction keeps the chance to call any of them slow that is not at `LEVEL`. The
test takes jobs to be independent. What slows several of a worker's jobs down at once, as a busy hour on its machine
does, is found too, as it should be.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jobtracker.core.statistics import FEWEST, LEVEL, holm, rank_test

RATIO = 1.2
"""Of the medians: a smaller difference is not slow, however certain it is."""

Pair = tuple[str, str]
"""A worker and a job type."""


class Comparison(NamedTuple):
    """One worker against all others, for one type."""

    p_value: float
    """Corrected for all comparisons."""
    is_slow: bool


def compare(run_times: Mapping[Pair, Sequence[float]]) -> dict[Pair, Comparison]:
    """Compare each worker's run times with those of the others, wherever both sides have `FEWEST`."""
    of_type: dict[str, list[float]] = {}
    for (_, job_type), times in run_times.items():
        of_type.setdefault(job_type, []).extend(times)
    ranked = {job_type: sorted(times) for job_type, times in of_type.items()}
    found = {
        pair: p_value_of_longer(times, ranked[pair[1]])
        for pair, times in run_times.items()
        if min(len(times), len(ranked[pair[1]]) - len(times)) >= FEWEST
    }
    return {
        pair: Comparison(p, p < LEVEL and is_longer_by_far(run_times[pair], ranked[pair[1]]))
        for pair, p in holm(found).items()
    }


def p_value_of_longer(times: Sequence[float], everything: Sequence[float]) -> float:
    """How likely it is by chance that some values rank so high among the others; arguments as below.

    Half of the two-sided test's: only a worker that is slower than the others is of interest.
    """
    all_of, of_these = Counter(everything), Counter(times)
    values = sorted(all_of)
    test = rank_test([all_of[each] - of_these[each] for each in values], [of_these[each] for each in values])
    return test.p_value / 2 if test.b_is_longer > 0.5 else 1 - test.p_value / 2 if test.b_is_longer < 0.5 else 1.0


def is_longer_by_far(times: Sequence[float], everything: Sequence[float]) -> bool:
    """Whether the median of some values is `RATIO` times that of the others.

    Args:
        times: The values.
        everything: These and all others, sorted.
    """
    others = Counter(everything)
    others.subtract(times)
    return quantile(sorted(times), 0.5) >= RATIO * quantile(sorted(others.elements()), 0.5)


def quantile(ordered: Sequence[float], q: float) -> float:
    """By nearest rank: the smallest value that at least this share of all does not exceed."""
    return ordered[max(math.ceil(q * len(ordered)), 1) - 1]
