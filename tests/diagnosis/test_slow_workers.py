"""Which workers are slow: the test, its level, and what it must not find."""

import random

import pytest

from jobtracker.core.statistics import FEWEST, LEVEL
from jobtracker.diagnosis.slow_workers import compare, p_value_of_longer


def run_times(dice, n, *, median_s=1.0, spread=0.5):
    return [dice.lognormvariate(0, spread) * median_s for _ in range(n)]


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("is_whole", [True, False], ids=["with ties", "without"])
def test_the_p_value_is_that_of_shuffled_values(shift, is_whole):
    dice = random.Random(f"{shift} {is_whole}")
    times = [dice.gauss(shift, 1) for _ in range(25)]
    values = times + [dice.gauss(0, 1) for _ in range(40)]
    values = [float(round(2 * value)) for value in values] if is_whole else values
    ranks = [sum(other < value for other in values) + sum(other == value for other in values) / 2 for value in values]
    least, tries = sum(ranks[:25]), 4000
    by_chance = sum(sum(dice.sample(ranks, 25)) >= least for _ in range(tries)) / tries
    assert p_value_of_longer(values[:25], sorted(values)) == pytest.approx(by_chance, abs=0.02)


def test_values_that_are_all_the_same_say_nothing():
    assert p_value_of_longer([1.0] * 30, [1.0] * 60) == 1.0


def test_a_worker_that_takes_twice_as_long_is_found_and_no_other():
    dice = random.Random(3)
    times = {(f"w{n}", kind): run_times(dice, 60) for n in range(8) for kind in ("a", "b")}
    times["w5", "b"] = run_times(dice, 60, median_s=2)
    found = compare(times)
    assert len(found) == 16
    assert {pair for pair, each in found.items() if each.is_slow} == {("w5", "b")}
    assert found["w5", "b"].p_value < LEVEL


def test_a_difference_that_is_certain_and_small_is_not_slow():
    dice = random.Random(4)
    times = {
        ("a", "t"): run_times(dice, 2000, spread=0.1),
        ("b", "t"): run_times(dice, 2000, median_s=1.05, spread=0.1),
    }
    found = compare(times)["b", "t"]
    assert found.p_value < LEVEL
    assert not found.is_slow


def test_few_jobs_are_not_compared():
    dice = random.Random(5)
    times = {("a", "t"): run_times(dice, FEWEST - 1, median_s=50), ("b", "t"): run_times(dice, 500)}
    assert compare(times) == {}


def test_equal_workers_are_rarely_called_slow():
    dice, alarms = random.Random(6), 0
    for _ in range(300):
        times = {(f"w{n}", "t"): run_times(dice, 25) for n in range(6)}
        alarms += any(each.is_slow for each in compare(times).values())
    assert alarms <= 9  # 3 of 300 by the level; more than 9 come once in a thousand times
