"""Jobs of which there is one at a time: who has the lock of a unique key, and when it is free again."""

import uuid

import pytest
from support.recount import recount
from support.sample_jobs import START_MS, new_job

from jobtracker.connection.client import server_ms
from jobtracker.core.job import unique_id
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.errors import UniqueKeyTakenError
from jobtracker.store.verification import Verification

OPEN = "pending,running,retrying"


@pytest.fixture
def digest():
    return uuid.uuid4().hex[:20]


@pytest.fixture
def create(store, digest):
    def create(statuses=OPEN, ends=0, **fields):
        job = new_job(unique_id(str(uuid.uuid4()), digest), unique=f"{digest} {statuses} {ends}", **fields)
        assert store.create(job, at_ms=START_MS) == [Outcome.APPLIED]
        return job.id

    return create


def holder(client, keys, digest):
    return client.get(keys("unique", digest))


ENDS = {
    "completed": (Event.START, Event.COMPLETE),
    "failed": (Event.START, Event.FAIL),
    "cancelled": (Event.CANCEL,),
    "worker lost": (Event.START, Event.LOSE),
    "quarantined": (Event.START, Event.QUARANTINE),
}


@pytest.mark.parametrize("how", [*ENDS, "deleted", "undone", "expired"])
def test_the_key_is_free_again_however_the_job_ends(create, store, client, keys, digest, how):
    first = create(run=0 if how == "deleted" else 1)
    with pytest.raises(UniqueKeyTakenError) as raised:
        create()
    assert raised.value.job_id == first
    for event in ENDS.get(how, ()) or ((Event.CANCEL,) if how == "expired" else ()):
        assert store.apply(event, first, at_ms=START_MS + 1).applied
    if how == "expired":
        assert holder(client, keys, digest) is None
    if how in {"deleted", "undone", "expired"}:
        mode = {"deleted": "delete", "undone": "undo", "expired": "expire"}[how]
        assert store.delete(first, mode=mode, finished_before_ms=2**53) == [Outcome.APPLIED]
    second = create()
    assert holder(client, keys, digest) == second
    assert recount(client, keys) == []


def test_a_running_a_retrying_and_a_relaunched_job_keep_it(create, store, client, keys, digest):
    first = create(run=1)
    for event in (Event.START, Event.RETRY, Event.START, Event.RELAUNCH):
        assert store.apply(event, first, at_ms=START_MS + 1).applied
        assert holder(client, keys, digest) == first
        with pytest.raises(UniqueKeyTakenError):
            create()


def test_a_second_job_leaves_no_trace(create, store, client, keys, queries):
    create()
    with pytest.raises(UniqueKeyTakenError):
        create()
    assert sum(count.count for count in queries.counts()) == 1
    assert recount(client, keys) == []


def test_only_the_statuses_that_were_named_count(create, store, client, keys, digest):
    waiting = create("pending", run=1)
    store.apply(Event.START, waiting, at_ms=START_MS)
    done = create("pending,completed", run=1)
    store.apply(Event.START, done, at_ms=START_MS)
    store.apply(Event.COMPLETE, done, at_ms=START_MS)
    with pytest.raises(UniqueKeyTakenError):
        create()
    assert holder(client, keys, digest) == done
    assert recount(client, keys) == []


def test_it_is_free_when_its_time_is_over(create, store, client, keys, digest):
    now = int(server_ms(client, keys("unique", digest)))
    first = create(ends=now + 60_000)
    assert 0 < client.pttl(keys("unique", digest)) <= 60_000
    client.pexpire(keys("unique", digest), 1)
    while holder(client, keys, digest):
        pass
    second = create(ends=now + 60_000)
    assert holder(client, keys, digest) == second
    create(ends=1, name="its time was over before")
    assert store.apply(Event.CANCEL, first, at_ms=START_MS).applied
    assert holder(client, keys, digest) == second


def test_a_retry_takes_it_again_or_is_refused(create, store, client, keys, digest, queries):
    first = create(run=1)
    store.apply(Event.CANCEL, first, at_ms=START_MS)
    second = create(run=1)
    assert store.apply(Event.RERUN, first, at_ms=START_MS).outcome is Outcome.ILLEGAL
    assert queries.unique_holder(queries.record(first)) == second
    store.apply(Event.CANCEL, second, at_ms=START_MS)
    assert store.apply(Event.RERUN, first, at_ms=START_MS).applied
    assert holder(client, keys, digest) == first
    assert recount(client, keys) == []


def test_what_goes_on_although_it_was_taken_for_ended_is_not_unique_any_more(create, store, client, keys, digest):
    first = create(run=1)
    store.apply(Event.START, first, run=1, attempt=0, execution="1-w-a", at_ms=START_MS)
    store.apply(Event.LOSE, first, at_ms=START_MS + 1)
    second = create(run=1)
    assert store.apply(Event.PROGRESS, first, run=1, attempt=0, execution="1-w-a", at_ms=START_MS + 2).applied
    assert holder(client, keys, digest) == second
    store.apply(Event.COMPLETE, first, run=1, attempt=0, execution="1-w-a", at_ms=START_MS + 3)
    assert holder(client, keys, digest) == second
    assert recount(client, keys) == []


def test_a_lock_that_nobody_is_to_have_is_found_and_removed(create, store, client, keys, digest):
    lost = create()
    locks = [("unique", digest), ("job", lost)]
    verification = Verification(client, keys.of(digest))
    assert verification.jobs(locks, repair=False).differences == []
    client.delete(keys("unique", digest))
    [missing] = verification.jobs(locks, repair=True).differences
    assert (missing.flaw, missing.where, missing.subject, missing.is_repaired) == ("missing", "unique", lost, True)
    assert holder(client, keys, digest) == lost
    client.set(keys("unique", digest), "nobody")
    flaws = [(each.flaw, each.where) for each in verification.jobs(locks, repair=True).differences]
    assert flaws == [("left_over", "unique"), ("missing", "unique")]
    assert holder(client, keys, digest) == lost
    assert verification.jobs(locks, repair=False).differences == []


def test_a_lock_that_was_reserved_is_let_go_unless_its_job_is_there(create, store, client, keys, digest):
    one, other = (unique_id(str(uuid.uuid4()), digest) for _ in range(2))
    assert [store.reserve_unique(digest, each) for each in (one, other)] == [None, one]
    store.let_go_unique(digest, other)
    assert holder(client, keys, digest) == one
    store.let_go_unique(digest, one)
    assert holder(client, keys, digest) is None
    recorded = create()
    store.let_go_unique(digest, recorded)
    assert holder(client, keys, digest) == recorded


def test_it_lies_where_its_lock_does(keys, digest):
    for _ in range(20):
        assert keys.of(unique_id(str(uuid.uuid4()), digest)) is keys.of(digest)
