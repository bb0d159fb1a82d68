"""What happens at queues: counted when it happens, and waits without what was asked for."""

import random

import pytest
from support.sample_jobs import START_MS, create_job, move, new_job

from jobtracker.core.lifecycle import Event
from jobtracker.store.histograms import ERROR
from jobtracker.store.keys import MOST_QUEUES, Keys
from jobtracker.store.queue_series import KEEP_S, SLOT_MS, total_of
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

SLOTS = range(START_MS // SLOT_MS, START_MS // SLOT_MS + 3)


def at_queue(queries, queue="mail", slots=SLOTS):
    return total_of(queries.at_queues([queue], slots)[queue])


def heads(found):
    return found.sent, found.started, found.ended, found.waits.count


def send(store, at_ms=START_MS, queue="mail", **fields):
    return create_job(store, at_ms=at_ms, queue=queue, run=1, queued=at_ms, **fields)


def test_messages_are_counted_when_they_are_sent_taken_and_done(store, queries):
    job = send(store)
    assert heads(at_queue(queries)) == (1, 0, 0, 0)
    store.apply(Event.START, job, at_ms=START_MS + 1000)
    assert heads(at_queue(queries)) == (1, 1, 0, 1)
    store.apply(Event.COMPLETE, job, at_ms=START_MS + 3000)
    found = at_queue(queries)
    assert heads(found) == (1, 1, 1, 1)
    assert found.waits.quantile(0.5) == pytest.approx(1000, rel=ERROR)


def test_a_report_that_comes_twice_counts_once(store, queries):
    job = send(store)
    for _ in range(2):
        store.apply(Event.START, job, at_ms=START_MS + 10, run=1, attempt=0, execution=f"{START_MS + 10}-w-1")
        store.apply(Event.COMPLETE, job, at_ms=START_MS + 20, run=1, attempt=0, execution=f"{START_MS + 10}-w-1")
    assert heads(at_queue(queries)) == (1, 1, 1, 1)


def test_an_eta_that_was_asked_for_is_no_wait_and_neither_is_the_pause_before_a_retry(store, queries):
    job = send(store, eta=START_MS + 60_000)
    store.apply(Event.START, job, at_ms=START_MS + 60_100)
    retry = {"eta": START_MS + 100_000}
    store.apply(Event.RETRY, job, at_ms=START_MS + 61_000, run=1, attempt=0, fields=retry)
    store.apply(Event.START, job, at_ms=START_MS + 100_500, run=1, attempt=1)
    store.apply(Event.COMPLETE, job, at_ms=START_MS + 101_000, run=1, attempt=1)
    found = at_queue(queries)
    assert heads(found) == (2, 2, 1, 2)
    assert found.waits.quantile(0) == pytest.approx(100, rel=ERROR)
    assert found.waits.quantile(1) == pytest.approx(500, rel=ERROR)
    told = queries.get(job)
    assert (told.due_at - told.queued_at).total_seconds() == 60
    wait = queries.performance(START_MS, START_MS + 200_000, ["custom"])["custom"].wait
    assert (wait.p50_s, wait.max_s) == (pytest.approx(0.1, rel=ERROR), 0.1)


def test_a_job_says_from_when_it_waits_before_and_after_its_start(store, queries):
    job, plain = send(store, eta=START_MS + 5000), send(store)
    before = queries.record(job).waits_from
    store.apply(Event.START, job, at_ms=START_MS + 5100)
    assert (before, queries.record(job).waits_from) == (START_MS + 5000, START_MS + 5000)
    assert queries.record(plain).waits_from == START_MS
    store.apply(Event.FAIL, job, at_ms=START_MS + 6000)
    store.apply(Event.RERUN, job, at_ms=START_MS + 7000)
    assert queries.record(job).waits_from == START_MS + 7000


def test_quantiles_of_waits_are_within_two_percent(store, queries):
    dice = random.Random(1)
    waits = sorted(int(dice.lognormvariate(7, 2)) for _ in range(200))
    for wait in waits:
        store.apply(Event.START, send(store), at_ms=START_MS + wait)
    found = at_queue(queries, slots=range(SLOTS[0], SLOTS[0] + 3000))
    for q, exact in ((0.5, waits[99]), (0.95, waits[189])):
        assert found.waits.quantile(q) == pytest.approx(exact, rel=ERROR, abs=1)


def test_a_queue_of_another_name_is_another_one_and_slots_are_apart(store, queries):
    send(store, queue="mail")
    send(store, queue="mail:1", at_ms=START_MS + SLOT_MS)
    found = queries.at_queues(["mail", "mail:1", "none"], SLOTS)
    assert {name: [point.sent for point in points] for name, points in found.items()} == {
        "mail": [1, 0, 0], "mail:1": [0, 1, 0], "none": [0, 0, 0],
    }  # fmt: skip


def test_so_many_queues_have_strings_and_the_others_share_one(client, keys, store, queries):
    names = [f"q{n}" for n in range(MOST_QUEUES + 3)]
    store.create(*map(_sent_to, names), at_ms=START_MS)
    found = queries.at_queues([*names, ""], SLOTS[:1])
    if len(keys.parts) == 1:
        assert found[""][0].sent == 3
        assert sum(points[0].sent for points in found.values()) == len(names)
    [key] = client.keys(keys.parts[0]("sent_to", SLOTS[0], "q1")) or [None]
    assert key is None or 0 < client.ttl(key) <= KEEP_S


def _sent_to(queue):
    return new_job(queue=queue, run=1, queued=START_MS)


def test_a_move_to_other_partitions_keeps_the_sums(client, keys, partitions):
    if partitions > 1:
        pytest.skip("it brings partitions of its own")
    three = Keys(keys.namespace, 3)
    store = JobStore(client, three)
    client.set(three.parts[0]("partitions"), 3)
    for n in range(30):
        job = send(store)
        store.apply(Event.START, job, at_ms=START_MS + n)
        if n % 2:
            store.apply(Event.COMPLETE, job, at_ms=START_MS + n)
    before = at_queue(JobQueries(client, three))
    move(client, three, 1)
    after = at_queue(JobQueries(client, keys))
    assert heads(before) == heads(after) == (30, 30, 15, 30)
    assert [n for n in before.waits.buckets if n] == [n for n in after.waits.buckets if n]
