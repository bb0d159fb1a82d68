"""The recount itself: it must see each kind of damage, or the tests that trust it prove nothing."""

import pytest
from support.raw_records import alter, stored
from support.recount import recount
from support.sample_jobs import START_MS, create_in, create_job, create_parent, report

from jobtracker.core.lifecycle import Event, Status
from jobtracker.store.schema import FIELDS


@pytest.fixture
def job(store):
    return create_in(store, Status.COMPLETED)


@pytest.fixture
def family(store):
    parent, subs = create_parent(store, 2)
    report(store, parent, subs[0], Event.COMPLETE)
    return parent


def test_a_store_that_nobody_meddled_with_has_no_differences(client, keys, job, family):
    assert recount(client, keys) == []


@pytest.mark.parametrize("index", [("type", "custom"), ("entered", "completed", "normal", "custom")])
def test_a_missing_entry_a_wrong_score_and_a_stray_entry_are_seen_in_every_index(client, keys, job, index):
    client.zrem(keys.of(job)(*index), job)
    assert len(recount(client, keys)) == 1
    client.zadd(keys.of(job)(*index), {job: START_MS + 1})
    assert len(recount(client, keys)) == 1
    client.zadd(keys.of(job)(*index), {job: START_MS, "stray": START_MS})
    assert len(recount(client, keys)) == 1


@pytest.mark.parametrize(
    "index",
    [
        ("type", "other"),
        ("entered", "failed", "normal", "custom"),
        ("entered", "completed", "low", "custom"),
        ("entered", "completed", "normal", "other"),
    ],
)
def test_a_job_in_an_index_where_it_does_not_belong_is_seen(client, keys, job, index):
    client.zadd(keys.of(job)(*index), {job: START_MS})
    assert len(recount(client, keys)) == 1


def test_a_kind_that_is_not_known_is_seen(client, keys, job):
    client.srem(keys.of(job)("kinds"), "normal:custom")
    assert recount(client, keys) == ["kind normal:custom is not known"]


@pytest.mark.parametrize("field", ["subs", "subs_completed", "subs_failed", "subs_cancelled"])
def test_a_wrong_count_of_sub_jobs_is_seen(client, keys, family, field):
    wrong = int(stored(client, keys, family).get(field, 0)) + 1
    alter(client, keys, family, {field: wrong})
    assert len(recount(client, keys)) == 1


def test_an_outcome_of_a_stranger_is_seen(client, keys, family):
    client.hset(keys("outcomes", family), "stranger", "1:running")
    assert len(recount(client, keys)) == 1


@pytest.mark.parametrize("name", ["data", "log", "subs", "outcomes"])
def test_what_is_left_over_of_a_job_is_seen(client, keys, job, name):
    key = keys(name, "gone")
    leave = {
        "data": lambda: client.hset(key, "payload", "{}"),
        "log": lambda: client.xadd(key, {"message": "hello"}),
        "subs": lambda: client.zadd(key, {"sub": 0}),
        "outcomes": lambda: client.hset(key, "sub", "1:running"),
    }
    leave[name]()
    assert recount(client, keys) == [f"{name} of gone is there, its record is not"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("executing", "1"), ("eta", "1"), ("finished", "1"), (len(FIELDS), "1"), ("status_changed_at", "1")],
)
def test_a_record_that_contradicts_itself_is_seen(client, keys, job, field, value):
    alter(client, keys, job, {field: value})
    assert recount(client, keys) != []


def test_a_key_that_nobody_knows_is_seen(client, keys):
    client.set(keys.parts[0].prefix + "nonsense", "1")
    assert recount(client, keys) == ["key nonsense is not in keys.PREFIXES"]


@pytest.mark.parametrize("ledger", ["1 0 5", "1 1 6", "9 1 5"])
def test_a_ledger_that_is_not_what_is_known_of_the_executions_is_seen(client, keys, store, ledger):
    job = create_job(store)
    for n, event in enumerate([Event.START, Event.START, Event.COMPLETE, Event.COMPLETE]):
        store.apply(event, job, execution=f"{START_MS + n % 2}-w-{n % 2}", at_ms=START_MS + n * 2)
    assert stored(client, keys, job).get("ledger") == "1 1 5"
    alter(client, keys, job, {"ledger": ledger})
    assert len(recount(client, keys)) == 1
