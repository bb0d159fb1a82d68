"""Performance and throughput: exact, or within the promised two percent."""

import math
import random
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.recount import keys_of
from support.sample_jobs import START_MS, create_in, create_job
from support.time_series import counters

from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import Event, Status
from jobtracker.store.histograms import ERROR, GAMMA, Histogram
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

pytestmark = pytest.mark.thorough

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
WHAT = ("created", "completed", "failed", "cancelled")


def fresh(client, partitions):
    keys = Keys(f"test-figures-{random.getrandbits(64):x}", partitions)
    return keys, JobStore(client, keys), JobQueries(client, keys)


def exact_quantile(values, q):
    """By nearest rank: the smallest value that at least this share of all does not exceed."""
    return sorted(values)[max(math.ceil(q * len(values)), 1) - 1]


def check(durations, values_ms):
    """The figures of a performance against the values that they are of."""
    for q, figure in [(0.50, durations.p50_s), (0.95, durations.p95_s), (0.99, durations.p99_s)]:
        exact = exact_quantile(values_ms, q) / 1000
        assert abs(figure - exact) <= ERROR * exact + 1e-6, (q, figure, exact)
    assert durations.mean_s == pytest.approx(sum(values_ms) / len(values_ms) / 1000, abs=1e-6)
    assert durations.max_s == max(values_ms) / 1000


DURATIONS = st.one_of(st.integers(0, 60), st.integers(0, 10_000), st.integers(0, 30 * DAY_MS))


@settings(max_examples=25)
@example(jobs=[(0, 0, True)])
@example(jobs=[(ms, ms + 1, True) for ms in range(30, 60)])
@given(jobs=st.lists(st.tuples(DURATIONS, DURATIONS, st.booleans()), min_size=1, max_size=40))
def test_quantiles_are_within_two_percent_and_mean_and_max_exact(client, partitions, jobs):
    keys, store, queries = fresh(client, partitions)
    until_ms = START_MS + len(jobs) * MINUTE_MS + max(wait_ms + run_ms for wait_ms, run_ms, _ in jobs)
    for n, (wait_ms, run_ms, well) in enumerate(jobs):
        job, at_ms = create_job(store, f"j{n}", type=f"t{n % 2}"), START_MS + n * MINUTE_MS
        store.apply(Event.ENQUEUE, job, at_ms=at_ms)
        store.apply(Event.START, job, at_ms=at_ms + wait_ms)
        store.apply(Event.COMPLETE if well else Event.FAIL, job, at_ms=at_ms + wait_ms + run_ms)
    found = queries.performance(START_MS, until_ms, ["t0", "t1", "never"])
    for job_type, of_type in {"": jobs, "t0": jobs[::2], "t1": jobs[1::2]}.items():
        if of_type:
            check(found[job_type].wait, [wait_ms for wait_ms, _, _ in of_type])
            check(found[job_type].run, [run_ms for _, run_ms, _ in of_type])
        well = sum(well for *_, well in of_type)
        assert (found[job_type].count, found[job_type].completed) == (len(of_type), well)
        assert found[job_type].success_rate == (well / len(of_type) if of_type else None)
    assert set(found["never"].run.model_dump().values()) == {None}
    client.delete(*keys_of(client, keys))


@given(st.integers(1, 10**12))
def test_python_and_lua_file_a_duration_in_the_same_bucket(client, partitions, ms):
    keys, store, _ = fresh(client, partitions)
    job = create_job(store, "j")
    store.apply(Event.START, job, at_ms=START_MS)
    store.apply(Event.COMPLETE, job, at_ms=START_MS + ms)
    series = counters(client, keys.of(job)("settled", (START_MS + ms) // HOUR_MS, "custom"))
    (bucket,) = [int(field.removeprefix("run:")) for field in series if field.startswith("run:")]
    assert GAMMA ** (bucket - 1) * (1 - 1e-9) <= ms <= GAMMA**bucket * (1 + 1e-9)
    client.delete(*keys_of(client, keys))


def test_a_clock_that_went_back_counts_as_no_time_at_all(store, queries):
    job = create_job(store)
    store.apply(Event.ENQUEUE, job, at_ms=START_MS + 10)
    store.apply(Event.START, job, at_ms=START_MS + 5)
    store.apply(Event.COMPLETE, job, at_ms=START_MS)
    found = queries.performance(START_MS, START_MS, ["custom"])[""]
    assert (found.wait.max_s, found.run.max_s, found.wait.p50_s, found.run.mean_s) == (0, 0, 0, 0)


def test_cancelled_jobs_count_but_have_no_times(store, queries):
    create_in(store, Status.CANCELLED)
    found = queries.performance(START_MS, START_MS, ["custom"])[""]
    assert (found.count, found.cancelled, found.success_rate, found.run.max_s) == (1, 1, None, None)


def test_the_window_of_performance_is_of_whole_hours(store, queries):
    hour = START_MS - START_MS % HOUR_MS
    for at_ms in (hour - 1, hour, hour + HOUR_MS - 1, hour + HOUR_MS):
        create_in(store, Status.COMPLETED, at_ms=at_ms)
    assert queries.performance(hour, hour + 1, ["custom"])[""].completed == 2
    assert queries.performance(hour, hour + HOUR_MS, ["custom"])[""].completed == 3


def test_no_types_have_no_performance(queries):
    assert queries.performance(START_MS, START_MS, [])[""].count == 0


def test_an_empty_histogram_has_no_figures():
    histogram = Histogram()
    assert (histogram.count, histogram.quantile(0.5), histogram.mean_ms, histogram.max_ms) == (0, None, None, 0)


@pytest.fixture(scope="module")
def flow(client, partitions):
    """Jobs that were created and settled all over five hours, and what happened when."""
    keys, store, queries = fresh(client, partitions)
    dice, happened = random.Random(2), []
    for _ in range(150):
        created, settled = sorted(START_MS + dice.randrange(5 * HOUR_MS) for _ in range(2))
        event = dice.choice([Event.COMPLETE, Event.FAIL, Event.CANCELLED, None])
        job = create_job(store, at_ms=created)
        happened.append(("created", created))
        if event:
            happened.append((str(store.apply(event, job, at_ms=settled).after), settled))
    yield queries, happened
    client.delete(*keys_of(client, keys))


@example(since=2 * HOUR_MS, length=HOUR_MS, bucket_minutes=24 * 60)
@example(since=8 * MINUTE_MS, length=0, bucket_minutes=7)
@given(
    since=st.integers(-HOUR_MS, 6 * HOUR_MS),
    length=st.integers(0, 6 * HOUR_MS),
    bucket_minutes=st.sampled_from([1, 5, 7, 15, 60, 90, 24 * 60]),
)
def test_throughput_counts_what_happened_in_each_bucket_the_first_one_whole(flow, since, length, bucket_minutes):
    queries, happened = flow
    since, until, bucket_ms = START_MS + since, START_MS + since + length, bucket_minutes * MINUTE_MS
    points = queries.throughput(since, until, bucket_minutes)
    assert [point.at for point in points] == [
        from_ms(n * bucket_ms) for n in range(since // bucket_ms, until // bucket_ms + 1)
    ]
    expected = Counter(
        (what, at_ms // bucket_ms)
        for what, at_ms in happened
        if since // bucket_ms <= at_ms // bucket_ms and at_ms // MINUTE_MS <= until // MINUTE_MS
    )
    found = {(what, since // bucket_ms + n): getattr(point, what) for n, point in enumerate(points) for what in WHAT}
    assert {where: n for where, n in found.items() if n} == expected


def test_throughput_reaches_back_to_the_epoch(queries):
    assert queries.throughput(0, 1, 60)[0].at == from_ms(0)
