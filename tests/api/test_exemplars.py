"""Jobs that are named for buckets of the histograms: which, for how long, and how many records that costs."""

import pytest
from support.sample_jobs import create_job

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.server.metrics.catalog import BOUNDS_S
from jobtracker.server.metrics.exemplars import Exemplar, ExemplarFinder
from jobtracker.server.metrics.facts import CUTS

HOUR_MS = 3_600_000
TRACE = f"{0xAB:032x}"


@pytest.fixture
def settle(store):
    """Records a job that has ended, by default now."""

    def settle(job_id, *, ended_ms=None, wait_ms=40, run_ms=2000, event=Event.COMPLETE, **fields):
        began = (ended_ms or now_ms()) - run_ms
        create_job(store, job_id, at_ms=began - wait_ms, **{"type": "letters", **fields})
        store.apply(Event.ENQUEUE, job_id, at_ms=began - wait_ms)
        store.apply(Event.START, job_id, at_ms=began)
        store.apply(event, job_id, at_ms=began + run_ms)

    return settle


@pytest.fixture
def found(queries):
    """Looks again: the jobs by type, what was measured, and bucket."""
    finder = ExemplarFinder()

    def found(now=None):
        totals, counts = {}, queries.counts()
        for part in queries.parts:
            totals |= queries.totals(part, CUTS)[0]
        exemplars = finder.find(queries, totals, counts, now or now_ms())
        return {(*key, bucket_name(n)): each for key, of in exemplars.items() for n, each in of.items()}

    return found


def bucket_name(number):
    return BOUNDS_S[number] if number < len(BOUNDS_S) else None


def test_a_job_is_named_for_the_buckets_of_its_times(settle, found):
    ended = now_ms() - 1000
    settle("a", ended_ms=ended, traceparent=f"00-{TRACE}-{1:016x}-01")
    settle("b", ended_ms=ended, event=Event.FAIL, wait_ms=2500, run_ms=4_000_000)
    a, b = {"job_id": "a", "trace_id": TRACE}, {"job_id": "b"}
    assert found() == {
        ("letters", "wait", 0.05): Exemplar(a, 0.04, ended),
        ("letters", "run", 2.5): Exemplar(a, 2.0, ended),
        ("letters", "wait", 2.5): Exemplar(b, 2.5, ended),
        ("letters", "run", None): Exemplar(b, 4000.0, ended),
    }


def test_the_last_one_is_named_and_none_that_ended_an_hour_ago(settle, found):
    now = now_ms()
    settle("long ago", ended_ms=now - HOUR_MS - 1000)
    assert found(now) == {}
    settle("first", ended_ms=now - 5000)
    settle("second", ended_ms=now - 3000)
    assert found(now)["letters", "run", 2.5].labels == {"job_id": "second"}
    settle("third", ended_ms=now + 1000)
    assert found(now + 1000)["letters", "run", 2.5].labels == {"job_id": "third"}
    assert found(now + 1001 + HOUR_MS) == {}


def test_a_trace_that_is_not_recorded_is_not_named_nor_what_is_too_long(settle, found):
    settle("a", traceparent=f"00-{TRACE}-{1:016x}-00")
    settle("b" * 120, type="long", traceparent=f"00-{TRACE}-{1:016x}-01")
    settle("c" * 123, type="too long")
    assert {key[0]: each.labels for key, each in found().items()} == {
        "letters": {"job_id": "a"},
        "long": {"job_id": "b" * 120},
    }


def test_a_lost_job_has_no_run_time(settle, found):
    settle("a", event=Event.LOSE)
    assert [what for _, what, _ in found()] == ["wait"]


def test_a_bounded_number_of_records_is_read_the_last_ones_of_some_kinds(settle, queries):
    now = now_ms()
    for n in range(60):
        settle(f"job-{n}", type=f"type {n % 20}", ended_ms=now - 1000 + n)
    kinds = [each for each in queries.counts() if each.job_type != "type 0"]
    assert len(kinds) == 19
    assert {each.id for each in queries.last_settled(now - 1000, kinds, 25)} == {f"job-{n}" for n in range(41, 60)}
    assert len({each.type for each in queries.last_settled(now - 1000, kinds, 10)}) == 10
    assert len(queries.last_settled(now - 1000, kinds, 1000)) == 57
    assert queries.last_settled(now, kinds, 1000) == []
