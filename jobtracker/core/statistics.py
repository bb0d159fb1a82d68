"""Comparing two samples: failure rates and durations, with p-values and what a sample could have shown at all.

All tests are two-sided. Sources: Fisher's exact test and the test of Mann and Whitney (1947) with its normal
approximation, corrected for ties and continuity, as in Conover, Practical Nonparametric Statistics; Holm (1979) for
many tests at once; the sample size of two proportions as in Fleiss, Levin, Paik, Statistical Methods for Rates and
Proportions.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple, TypeVar

K = TypeVar("K")

LEVEL = 0.01
"""The chance of any false alarm among all comparisons that are made at once."""
FEWEST = 20
"""Values on each side that a comparison needs."""
POWER = 0.8
"""The chance with which a difference that is said to be detectable would have been found."""

_NORMAL = NormalDist()
_NEGLIGIBLE = 1e-17
"""A probability, in relation to the highest one, behind which no term matters any more."""
_SAME = 1 + 1e-7
"""Probabilities that differ by less are the same: they are rounded."""


def fisher_p_value(failed_a: int, total_a: int, failed_b: int, total_b: int) -> float:
    """How likely two failure rates are so different by chance: Fisher's exact test.

    The sum of the probabilities of all tables with these margins that are no more likely than this one. It takes
    about as many steps as there are tables that are not negligibly unlikely: some thousands for millions of jobs.
    """
    failed, total = failed_a + failed_b, total_a + total_b
    low, high = max(0, failed - total_b), min(failed, total_a)
    if low == high:
        return 1.0
    mode = min(max((failed + 1) * (total_a + 1) // (total + 2), low), high)
    observed, sum_all, sum_as_unlikely = None, 0.0, 0.0
    terms = dict(_hypergeometric(mode, low, high, failed, total_a, total_b))
    observed = terms.get(failed_a, 0.0)
    for term in terms.values():
        sum_all += term
        if term <= observed * _SAME:
            sum_as_unlikely += term
    return min(sum_as_unlikely / sum_all, 1.0)


def _hypergeometric(
    mode: int, low: int, high: int, failed: int, total_a: int, total_b: int
) -> Iterator[tuple[int, float]]:
    """The likelihood of each number of failures in a, in relation to that of the mode."""
    rest = total_b - failed
    yield mode, 1.0
    term, k = 1.0, mode
    while k < high and term > _NEGLIGIBLE:
        term *= (total_a - k) * (failed - k) / ((k + 1) * (rest + k + 1))
        k += 1
        yield k, term
    term, k = 1.0, mode
    while k > low and term > _NEGLIGIBLE:
        term *= k * (rest + k) / ((total_a - k + 1) * (failed - k + 1))
        k -= 1
        yield k, term


class RankTest(NamedTuple):
    """The test of Mann and Whitney."""

    p_value: float
    b_is_longer: float
    """The chance that a value of b is higher than one of a; of two that are equal each counts half."""


def rank_test(a: Sequence[int], b: Sequence[int]) -> RankTest:
    """Compare durations that are counted in buckets, as ranks: values in one bucket are tied.

    Args:
        a: How many values are in each bucket, the lowest bucket first.
        b: The same of the other sample, with the same buckets.
    """
    n_a, n_b = sum(a), sum(b)
    if not n_a or not n_b:
        return RankTest(1.0, 0.5)
    total, below, greater, ties = n_a + n_b, 0, 0.0, 0
    for at in range(max(len(a), len(b))):
        in_a, in_b = (sample[at] if at < len(sample) else 0 for sample in (a, b))
        greater += in_b * (below + in_a / 2)
        below += in_a
        ties += (in_a + in_b) ** 3 - (in_a + in_b)
    variance = n_a * n_b / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return RankTest(1.0, 0.5)
    distance = max(abs(greater - n_a * n_b / 2) - 0.5, 0)
    return RankTest(math.erfc(distance / math.sqrt(2 * variance)), greater / (n_a * n_b))


def holm(p_values: Mapping[K, float]) -> dict[K, float]:
    """P-values corrected for their number (Holm 1979): the chance of any false alarm stays at the level."""
    corrected, highest = {}, 0.0
    for n, (key, p) in enumerate(sorted(p_values.items(), key=lambda entry: entry[1])):
        highest = max(highest, min(p * (len(p_values) - n), 1.0))
        corrected[key] = highest
    return corrected


def smallest_higher_rate(rate: float, total_a: int, total_b: int, level: float) -> float | None:
    """The lowest failure rate of b that these sample sizes would have told from a's `rate`, with a chance of `POWER`.

    None: even if all of b had failed, they would not.
    """

    def is_enough(other: float) -> bool:
        both = (rate * total_a + other * total_b) / (total_a + total_b)
        under_none = math.sqrt(both * (1 - both) * (1 / total_a + 1 / total_b))
        under_this = math.sqrt(rate * (1 - rate) / total_a + other * (1 - other) / total_b)
        needed = _NORMAL.inv_cdf(1 - level / 2) * under_none + _NORMAL.inv_cdf(POWER) * under_this
        return other - rate >= needed

    if not is_enough(1.0):
        return None
    low, high = rate, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def smallest_shift(a: Sequence[int], n_b: int, level: float, most: int) -> int | None:
    """By how many buckets b would have to lie higher to be told from a, with a chance of `POWER`.

    Args:
        a: How many values are in each bucket.
        n_b: How many values b has; they are taken to be spread as those of a.
        level: Of the test.
        most: Buckets that are tried.

    Returns:
        None if even `most` would not be enough.
    """
    n_a = sum(a)
    if not n_a or not n_b:
        return None
    ties = sum(count**3 for count in a) / n_a**3
    deviation = math.sqrt((n_a + n_b + 1) / (12 * n_a * n_b) * (1 - ties)) if ties < 1 else 0.0
    needed = 0.5 + (_NORMAL.inv_cdf(1 - level / 2) + _NORMAL.inv_cdf(POWER)) * deviation
    return next((shift for shift in range(1, most + 1) if _longer_if_shifted(a, shift) >= min(needed, 1.0)), None)


def _longer_if_shifted(a: Sequence[int], shift: int) -> float:
    """The chance that a value of a, so many buckets higher, is higher than one of a."""
    below, greater, n = 0, 0.0, sum(a)
    for at in range(len(a) + shift):
        own = a[at] if at < len(a) else 0
        greater += (a[at - shift] if at >= shift else 0) * (below + own / 2)
        below += own
    return greater / n**2
