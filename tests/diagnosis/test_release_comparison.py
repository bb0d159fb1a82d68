"""Comparing two releases: what is worse is called so, what is not is not, and what can't be said is said."""

import math
import random

import pytest

from jobtracker.core.statistics import LEVEL
from jobtracker.diagnosis.release_desk import compare
from jobtracker.schemas.releases import Verdict
from jobtracker.store.histograms import GAMMA, Histogram
from jobtracker.store.releases import Outcomes


def outcomes(completed=0, failed=0, *, ms=1000.0, spread=0.5, seed=1):
    """Jobs whose run times are lognormal around so many milliseconds."""
    dice, count = random.Random(seed), completed + failed
    buckets = [0] * 600
    total = 0
    for _ in range(count):
        each = ms * math.exp(dice.gauss(0, spread))
        buckets[math.ceil(math.log(each) / math.log(GAMMA)) + 1] += 1
        total += round(each)
    return Outcomes(completed, failed, 0, Histogram(buckets, total, 2**53))


def compared(a, b, job_type="t"):
    [found] = compare("old", "new", {job_type: a}, {job_type: b}).by_type
    return found


def test_a_release_that_fails_more_often_is_worse():
    found = compare("old", "new", {"t": outcomes(980, 20)}, {"t": outcomes(930, 70, seed=2)})
    assert (found.verdict, found.summary) == (Verdict.WORSE, "new is worse than old: t.")
    [each] = found.by_type
    assert (each.failures.count_a, each.failures.failed_b, each.failures.rate_a) == (1000, 70, 0.02)
    assert each.failures.p_value < LEVEL
    assert "More jobs fail: 2.00% of 1,000 jobs failed before, 7.00% of 1,000 now (p = " in each.failures.text
    assert each.run_times.verdict is Verdict.NO_DIFFERENCE
    back = compare("new", "old", {"t": outcomes(930, 70, seed=2)}, {"t": outcomes(980, 20)})
    assert back.verdict is Verdict.BETTER


def test_a_release_whose_jobs_take_longer_is_worse():
    found = compared(outcomes(300, ms=1000), outcomes(300, ms=1400, seed=2))
    assert (found.verdict, found.failures.verdict) == (Verdict.WORSE, Verdict.NO_DIFFERENCE)
    assert found.run_times.text.startswith("They take longer: median ")
    assert found.run_times.b_is_longer > 0.6
    assert compared(outcomes(300, ms=1400), outcomes(300, ms=1000, seed=2)).run_times.verdict is Verdict.BETTER


def test_a_certain_difference_that_is_too_small_to_matter_is_none():
    found = compared(outcomes(20_000, spread=0.1), outcomes(20_000, ms=1050, spread=0.1, seed=2)).run_times
    assert (found.verdict, found.p_value < LEVEL) == (Verdict.NO_DIFFERENCE, True)
    assert "too small to matter" in found.text


def test_no_difference_says_what_the_sample_could_have_detected():
    found = compared(outcomes(190, 10), outcomes(189, 11, seed=2))
    assert found.verdict is Verdict.NO_DIFFERENCE
    assert 0.14 < found.failures.detectable_rate < 0.22
    assert f"a rate of {found.failures.detectable_rate:.1%} would have been detected" in found.failures.text
    assert 1.1 < found.run_times.detectable_ratio < 1.4
    assert "times as long would have been detected" in found.run_times.text
    more = compared(outcomes(19_000, 1000), outcomes(18_990, 1010, seed=2))
    assert more.failures.detectable_rate < 0.07
    assert more.run_times.detectable_ratio < found.run_times.detectable_ratio


@pytest.mark.parametrize(("a", "b"), [((19,), (500,)), ((500,), (19,)), ((0,), (500,))])
def test_too_few_jobs_say_nothing(a, b):
    found = compared(outcomes(*a), outcomes(*b, seed=2))
    assert (found.verdict, found.failures.p_value, found.run_times.detectable_ratio) == (Verdict.TOO_FEW, None, None)
    assert f"{a[0]:,} and {b[0]:,}; each release needs 20" in found.failures.text
    assert compare("old", "new", {}, {}).verdict is Verdict.TOO_FEW


def test_types_are_not_added_up():
    """The new release runs more of what fails often anyway: over all types it fails more, and is not worse."""
    old = {"easy": outcomes(990, 10), "hard": outcomes(80, 20)}
    new = {"easy": outcomes(99, 1, seed=2), "hard": outcomes(800, 200, seed=2)}
    assert compare("old", "new", old, new).verdict is Verdict.NO_DIFFERENCE


def test_many_equal_types_are_not_called_worse():
    dice, false_alarms = random.Random(5), 0
    for _ in range(30):
        old, new = ({f"t{n}": drawn(dice) for n in range(6)} for _ in range(2))
        false_alarms += compare("old", "new", old, new).verdict in {Verdict.WORSE, Verdict.BETTER}
    assert false_alarms <= 2  # 0.3 are expected at most


def test_the_worse_types_come_first_and_the_others_by_jobs():
    old = {"a": outcomes(100), "b": outcomes(500), "c": outcomes(480, 20)}
    new = {"a": outcomes(100, seed=2), "b": outcomes(500, seed=2), "c": outcomes(400, 100, seed=2)}
    found = compare("old", "new", old, new)
    assert [each.job_type for each in found.by_type] == ["c", "b", "a"]
    assert found.comparisons == 6


def drawn(dice):
    """Jobs of which one in twenty fails."""
    failed = sum(dice.random() < 0.05 for _ in range(60))
    return outcomes(60 - failed, failed, seed=dice.random())
