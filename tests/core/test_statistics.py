"""Statistics against known values: of textbooks, of SciPy 1.17, and of counting everything."""

import math
import random

import pytest

from jobtracker.core.statistics import (
    fisher_p_value,
    holm,
    rank_test,
    smallest_higher_rate,
    smallest_shift,
)


@pytest.mark.parametrize(
    ("table", "p_value"),
    [
        ((3, 4, 1, 4), 0.4857142857),  # Fisher's lady who tastes tea
        ((8, 10, 1, 6), 0.0349650350),  # SciPy's documentation: [[8, 2], [1, 5]]
        ((0, 10, 0, 20), 1.0),
        ((10, 10, 20, 20), 1.0),
        ((10, 10, 0, 10), 1.0825e-05),  # 2 / C(20, 10)
        ((2, 15, 10, 13), 0.0016242653),  # SciPy 1.17, as those below
        ((37, 1200, 61, 1150), 0.0072762868),
        ((5, 20, 40, 4000), 1.91541e-06),
    ],
)
def test_fishers_exact_test(table, p_value):
    assert fisher_p_value(*table) == pytest.approx(p_value, rel=1e-4)
    failed_a, total_a, failed_b, total_b = table
    assert fisher_p_value(failed_b, total_b, failed_a, total_a) == pytest.approx(p_value, rel=1e-4)
    assert fisher_p_value(total_a - failed_a, total_a, total_b - failed_b, total_b) == pytest.approx(
        p_value, rel=1e-4
    )


def test_fishers_exact_test_is_the_sum_over_all_tables():
    dice = random.Random(4)
    for _ in range(50):
        total_a, total_b = dice.randint(1, 40), dice.randint(1, 40)
        failed_a, failed_b = dice.randint(0, total_a), dice.randint(0, total_b)
        failed = failed_a + failed_b
        ways = {k: math.comb(total_a, k) * math.comb(total_b, failed - k) for k in range(failed + 1)}
        exact = sum(n for n in ways.values() if n <= ways[failed_a]) / math.comb(total_a + total_b, failed)
        assert fisher_p_value(failed_a, total_a, failed_b, total_b) == pytest.approx(exact, rel=1e-6)


def test_fishers_exact_test_of_a_million_jobs_is_that_of_the_normal_distribution():
    failed_a, failed_b, total = 50_000, 50_700, 1_000_000
    both = (failed_a + failed_b) / (2 * total)
    z = (failed_b - failed_a - 1) / total / math.sqrt(both * (1 - both) * 2 / total)
    assert fisher_p_value(failed_a, total, failed_b, total) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.01)
    assert fisher_p_value(10, total, 10_000, total) < 1e-12


def test_the_rank_test_has_the_known_value_without_ties():
    # The permeability constants of Hollander and Wolfe; SciPy: mannwhitneyu(y, x, method="asymptotic")
    x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    y = [1.15, 0.88, 0.90, 0.74, 1.21]
    found = rank_test(*counts_of(x, y))
    assert found.b_is_longer == pytest.approx(1 - 35 / 50)
    assert found.p_value == pytest.approx(0.24462360512698333)


def test_the_rank_test_has_the_known_value_with_ties():
    found = rank_test([3, 9, 14, 20, 11, 5, 2, 0, 1], [1, 4, 9, 18, 16, 12, 6, 3, 2])
    assert found == pytest.approx((0.0005372371787187984, 0.6690140845070423))  # SciPy, as above
    found = rank_test(*counts_of([1, 2, 2, 3, 3, 3, 4, 5], [2, 3, 4, 4, 5, 5, 6, 6]))
    assert found == pytest.approx((0.054457160064589755, 50.5 / 64))


def test_the_rank_test_is_near_the_exact_one():
    x, y = [float(v) for v in range(0, 30, 2)], [v + 5.1 for v in range(0, 30, 2)]
    assert rank_test(*counts_of(x, y)).p_value == pytest.approx(0.16068547253720922, rel=0.02)  # method="exact"


@pytest.mark.parametrize(("a", "b"), [([], [1]), ([5], [7]), ([0, 3], [])])
def test_nothing_to_rank_shows_nothing(a, b):
    assert rank_test(a, b) == (1.0, 0.5)


def test_equal_samples_are_rarely_called_different():
    dice, wrong, times = random.Random(7), 0, 400
    for _ in range(times):
        a, b = ([int(10 * math.log(dice.lognormvariate(3, 1)) + 50) for _ in range(60)] for _ in range(2))
        wrong += rank_test(*counts_of(a, b)).p_value < 0.05
    assert 5 <= wrong <= 35  # 20 are expected; beyond, one in 5,000 seeds


def test_holms_correction_has_the_known_values():
    assert holm({"a": 0.01, "b": 0.02, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.04, "c": 0.04, "d": 0.02}
    )
    assert holm({}) == {}


def test_the_smallest_rate_that_could_have_been_shown_is_the_one_of_the_tables():
    # Fleiss, table A.4 without correction, and R: power.prop.test(p1=.1, p2=.2, power=.8, sig.level=.05)$n is 199
    assert smallest_higher_rate(0.1, 199, 199, 0.05) == pytest.approx(0.2, abs=0.002)
    assert smallest_higher_rate(0.5, 3, 3, 0.01) is None
    assert smallest_higher_rate(0.0, 10**6, 10**6, 0.01) < 3e-5


def test_a_difference_that_is_said_to_be_detectable_is_found_as_often_as_is_said():
    dice, n, found = random.Random(1), 150, 0
    rate = smallest_higher_rate(0.05, n, n, 0.05)
    for _ in range(400):
        failed_a, failed_b = (sum(dice.random() < p for _ in range(n)) for p in (0.05, rate))
        found += fisher_p_value(failed_a, n, failed_b, n) < 0.05
    assert 0.68 <= found / 400 <= 0.9  # Fisher's test is a little too careful


def test_a_shift_that_is_said_to_be_detectable_is_found_as_often_as_is_said():
    dice, n, found = random.Random(2), 100, 0
    shift = smallest_shift(counts_of([int(dice.gauss(100, 10)) for _ in range(n)])[0], n, 0.05, 200)
    assert shift in {3, 4, 5}
    for _ in range(400):
        a, b = ([dice.gauss(100 + up, 10) for _ in range(n)] for up in (0, shift))
        found += rank_test(*counts_of([int(v) for v in a], [int(v) for v in b])).p_value < 0.05
    assert 0.6 <= found / 400 <= 0.97
    assert smallest_shift([5], 5, 0.05, 0) is None
    assert smallest_shift([], 5, 0.05, 9) is None


def counts_of(*samples):
    """How often each value is in each sample, the lowest value first."""
    values = sorted({value for sample in samples for value in sample})
    return [[sample.count(value) for value in values] for sample in samples]
