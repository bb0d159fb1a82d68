"""Totals of all time: they never go back, whatever is corrected, deleted, expires, comes late, or is moved."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, WEEK_MS, move, new_job
from support.totals import CUTS, numbers, sum_up, totals_of

from jobtracker.core.lifecycle import SETTLED, Event
from jobtracker.maintenance.totals_keeper import names
from jobtracker.store.keys import MOST_COUNTED, MOST_LABELS, MOST_NAMED, Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.totals import OTHERS, UnfoldedError
from jobtracker.store.writer import JobStore

HOUR_MS = 3_600_000


def fresh(client, partitions):
    keys = Keys(f"test-totals-{random.getrandbits(64):x}", partitions)
    client.set(keys.parts[0]("partitions"), partitions)
    return keys, JobStore(client, keys), JobQueries(client, keys)


def fold(store, *, all_of_them=False):
    for part in store.keys.parts:
        while store.fold_totals(part, all_of_them=all_of_them)[1]:
            pass


def done(store, job_id, at_ms=START_MS, end=Event.COMPLETE, wait_ms=0, run_ms=0, **fields):
    """A job that was sent, began and ended."""
    store.create(new_job(job_id, **fields), at_ms=at_ms)
    store.apply(Event.ENQUEUE, job_id, at_ms=at_ms)
    store.apply(Event.START, job_id, at_ms=at_ms + wait_ms, execution=f"{at_ms + wait_ms}-w-{job_id}")
    error = {"error_type": "ValueError"} if end is Event.FAIL else {}
    store.apply(end, job_id, at_ms=at_ms + wait_ms + run_ms, fields=error)


def test_the_totals_are_what_was_counted_whether_it_is_folded_or_not(store, queries):
    done(store, "a", wait_ms=5, run_ms=500)
    done(store, "b", end=Event.FAIL, wait_ms=2000, run_ms=70_000)
    done(store, "c", type="other type", at_ms=START_MS + HOUR_MS)
    before = numbers(queries)
    fold(store)
    assert numbers(queries) == before
    fold(store)
    assert numbers(queries) == before
    found = totals_of(queries)["custom"]
    assert (found.created, found["completed"], found["failed"], found.failures) == (2, 1, 1, {"ValueError": 1})
    assert (found["wait_sum"], found["run_sum"]) == (2005, 70_500)
    assert (found.wait, found.run) == ([1, 0, 1, 0], [0, 1, 0, 1])
    assert totals_of(queries)["other type"].created == 1


def test_a_series_expires_only_when_the_totals_have_it(client, store, queries):
    done(store, "a")
    [series] = [key for key in keys_of(client, store.keys) if "}:settled:" in key]
    assert client.ttl(series) == -1
    fold(store)
    assert client.ttl(series) == pytest.approx(WEEK_MS // 1000 + 86_400, abs=5)
    before = numbers(queries)
    client.delete(series)
    assert numbers(queries) == before


def test_what_comes_late_is_counted_once_before_and_after_the_series_has_expired(client, store, queries):
    done(store, "a")
    fold(store)
    done(store, "b")
    assert totals_of(queries)["custom"]["completed"] == 2
    assert queries.performance(START_MS, START_MS, ["custom"])[""].completed == 2
    client.delete(*[key for key in keys_of(client, store.keys) if "}:settled:" in key])
    done(store, "c")
    assert totals_of(queries)["custom"]["completed"] == 3
    fold(store)
    assert totals_of(queries)["custom"]["completed"] == 3


@pytest.mark.parametrize("is_folded", [False, True])
def test_a_verdict_that_is_corrected_stays_and_the_new_one_counts_too(client, store, queries, is_folded):
    store.create(new_job("a"), at_ms=START_MS)
    store.apply(Event.START, "a", at_ms=START_MS, execution=f"{START_MS}-w-1")
    store.apply(Event.LOSE, "a", at_ms=START_MS + 10, fields={"error_type": "WorkerLostError"})
    if is_folded:
        fold(store)
    store.apply(Event.COMPLETE, "a", run=0, at_ms=START_MS + 20, execution=f"{START_MS}-w-1")
    performance = queries.performance(START_MS, START_MS, ["custom"])[""]
    assert (performance.completed, performance.failed) == (1, 0)
    for _ in range(2):
        found = totals_of(queries)["custom"]
        assert (found["completed"], found["failed"], found.failures) == (1, 1, {"WorkerLostError": 1})
        assert (sum(found.run), found["run_sum"]) == (1, 20)
        fold(store)
    assert recount(client, store.keys) == []


def test_a_correction_of_what_has_expired_takes_nothing_back(client, store, queries):
    done(store, "a", run_ms=30, end=Event.FAIL)
    fold(store)
    client.delete(*[key for key in keys_of(client, store.keys) if "}:settled:" in key])
    store.apply(Event.RERUN, "a", at_ms=START_MS + 50)
    store.apply(Event.START, "a", run=2, at_ms=START_MS + 60)
    store.apply(Event.COMPLETE, "a", run=2, at_ms=START_MS + 90)
    found = totals_of(queries)["custom"]
    assert (found["failed"], found["completed"], sum(found.run), found["run_sum"]) == (1, 1, 2, 60)


@pytest.mark.parametrize("mode", ["delete", "trash", "undo"])
def test_deleted_jobs_were_created_all_the_same(store, queries, mode):
    done(store, "a")
    done(store, "b")
    store.delete("a", "b", "b", "never", mode=mode)
    assert totals_of(queries)["custom"].created == 2
    done(store, "c")
    assert totals_of(queries)["custom"].created == 3


def test_celerys_retries_are_counted(store, queries):
    store.create(new_job("a"), at_ms=START_MS)
    for attempt in range(3):
        store.apply(Event.START, "a", attempt=attempt, at_ms=START_MS)
        assert store.apply(Event.RETRY, "a", attempt=attempt, at_ms=START_MS).applied
    store.apply(Event.RETRY, "a", attempt=2, at_ms=START_MS)
    assert totals_of(queries)["custom"].retried == 3


def test_types_beyond_the_first_two_hundred_are_counted_together(client, partitions):
    keys, store, queries = fresh(client, 1)
    for n in range(MOST_NAMED + 3):
        done(store, f"j{n}", type=f"type {n:03}")
    found = totals_of(queries)
    assert len(found) == MOST_NAMED + 1
    assert (found[OTHERS].created, found[OTHERS]["completed"]) == (3, 3)
    client.delete(*keys_of(client, keys))


@pytest.mark.parametrize("is_folded", [False, True])
def test_a_type_that_gets_a_name_or_loses_it_takes_nothing_along(client, store, queries, is_folded):
    for n in range(3):
        done(store, f"j{n}", type="a")
    if is_folded:
        fold(store)
    before = numbers(queries)
    for part in queries.parts:
        store.name_types(part, [], ["a"])
    assert OTHERS in totals_of(queries)
    for n in range(5):
        done(store, f"k{n}", type="a")
    found = totals_of(queries)[OTHERS]
    assert (found.created, found["completed"]) == (5, 5)
    store.delete("j0", "k0")
    for part in queries.parts:
        store.name_types(part, ["a"])
    found = totals_of(queries)
    assert (found["a"].created, found["a"]["completed"]) == (3, 3)
    assert (found[OTHERS].created, found[OTHERS]["completed"]) == (5, 5)
    assert {name: n for name, n in numbers(queries).items() if name[0] == "a"} == before
    assert all("a" in queries.totals(part, CUTS)[1] for part in queries.parts)
    assert recount(client, store.keys) == []


def test_the_busiest_types_get_the_names():
    jobs = {"a": 100, "b": 10, "c": 30, "d": 19, "": 5}
    assert names(jobs, {"a", "b"}, most=2) == {"a", "c"}
    assert names(jobs, {"a", "gone"}, most=2) == {"a", "c"}
    assert names(jobs, {"a", "c"}, most=2) == {"a", "c"}
    assert names(jobs, {"a"}, most=3) == {"a", "c", "d"}
    assert names({"a": 19, "b": 10}, {"b"}, most=1) == {"b"}
    assert names(jobs, {"a", "b", "c"}, most=2) == {"a", "c"}


def test_names_change_hands_only_so_often(client):
    keys, store, queries = fresh(client, 1)
    [part] = keys.parts
    for n in range(2 * MOST_LABELS):
        store.name_types(part, [f"t{n}"], [f"t{n - 1}"])
    assert client.scard(part("labels")) == MOST_LABELS
    assert queries.named(part) == set()
    client.delete(*keys_of(client, keys))


def test_errors_with_made_up_names_are_counted_without(client, keys, store, queries):
    part = keys.of("a")
    client.hset(part("counted"), mapping={f"failed:E{n}:custom": 1 for n in range(MOST_COUNTED)})
    done(store, "a", end=Event.FAIL)
    assert client.hlen(part("counted")) <= MOST_COUNTED + 2
    assert totals_of(queries)["custom"].failures[""] == 1


def test_so_many_series_are_not_read_at_once_but_can_be_folded(client, keys, store, queries, monkeypatch):
    monkeypatch.setattr("jobtracker.store.totals.MOST_UNFOLDED", 3)
    part = keys.of("a")
    ids = [f"a{n}" for n in range(500) if keys.of(f"a{n}") is part][:4]
    for n, job_id in enumerate(ids):
        done(store, job_id, at_ms=START_MS + n * HOUR_MS)
    with pytest.raises(UnfoldedError, match="4 series"):
        queries.totals(part, CUTS)
    fold(store)
    assert totals_of(queries)["custom"]["completed"] == 4


@pytest.mark.parametrize(("of", "to"), [(1, 3), (3, 1), (3, 2)])
def test_a_store_that_is_moved_keeps_its_totals(client, of, to):
    keys, store, queries = fresh(client, of)
    for n in range(40):
        done(store, f"j{n}", type=f"t{n % 3}", end=Event.FAIL if n % 4 == 0 else Event.COMPLETE, run_ms=n)
    store.name_types(keys.parts[-1], [], ["t1"])
    fold(store)
    for n in range(40, 60):
        done(store, f"j{n}", type=f"t{n % 3}", at_ms=START_MS + HOUR_MS)
    store.delete("j1", "j2", "j3")
    before = sum_up(numbers(queries))
    move(client, keys, to)
    moved = Keys(keys.namespace, to)
    after = JobQueries(client, moved)
    assert sum_up(numbers(after)) == before
    assert recount(client, moved) == []
    done(JobStore(client, moved), "new", type="t1")
    assert sum_up(numbers(after))["created"] == before["created"] + 1
    client.delete(*keys_of(client, moved))


STEPS = st.lists(
    st.tuples(
        st.sampled_from([*Event, "create", "delete", "undo", "fold", "expire", "name", "unname", "move"]),
        st.integers(0, 5),
        st.integers(0, 5 * HOUR_MS),
    ),
    max_size=60,
)


@pytest.mark.thorough
@settings(max_examples=150)
@given(STEPS)
def test_nothing_ever_goes_back(client, steps):
    walk(client, steps)


def test_nothing_goes_back_in_a_long_course(client):
    dice = random.Random(7)
    verbs = ["create", Event.ENQUEUE, Event.START, Event.COMPLETE, Event.FAIL, Event.RERUN, Event.LOSE, Event.RETRY]
    verbs += ["fold", "expire", "delete", "name", "unname"]
    walk(client, [(dice.choice(verbs), dice.randrange(6), dice.randrange(5 * HOUR_MS)) for _ in range(400)])


def walk(client, steps):
    """Take steps; after each of them every number of every label is at least what it was."""
    keys, store, queries = fresh(client, 2)
    high, created, settled = Counter(), 0, 0
    for n, (what, number, at) in enumerate(steps):
        job_id, at_ms, partitions = f"j{number}", START_MS + at, len(keys.parts)
        if what == "create":
            created += store.create(new_job(job_id, type=f"t{number % 3}"), at_ms=at_ms) == ["applied"]
        elif what in {"delete", "undo"}:
            store.delete(job_id, mode=what)
        elif what == "fold":
            fold(store)
        elif what == "expire":
            series = [key for key in keys_of(client, keys) if "}:settled:" in key and client.ttl(key) > 0]
            client.delete(*series) if series else None
        elif what in {"name", "unname"}:
            names = [f"t{number % 3}"]
            part = keys.parts[at % partitions]
            store.name_types(part, *((names, []) if what == "name" else ([], names)))
        elif what == "move":
            before = sum_up(numbers(queries))
            move(client, keys, 3 - partitions)
            keys = Keys(keys.namespace, 3 - partitions)
            store, queries = JobStore(client, keys), JobQueries(client, keys)
            assert sum_up(numbers(queries)) >= before
        else:
            fields = {"error_type": f"E{number}"} if what in {Event.FAIL, Event.LOSE, Event.QUARANTINE} else {}
            change = store.apply(what, job_id, at_ms=at_ms, execution=f"{at_ms}-w-{number}", fields=fields)
            settled += change.applied and change.after in SETTLED
        shown = numbers(queries)
        if what != "move":  # labels become equal in all partitions
            gone_back = {name: (was, shown[name]) for name, was in high.items() if shown[name] < was}
            assert not gone_back, (n, what, gone_back)
        high = shown
        assert all(value >= 0 for value in shown.values())
    sums = sum_up(numbers(queries))
    assert sums["created"] == created
    assert sums["completed"] + sums["failed"] + sums["cancelled"] == settled
    assert recount(client, keys) == []
    client.delete(*keys_of(client, keys), "none")
