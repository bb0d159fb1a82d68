"""Two releases on one store: each with its own library, and with fields, values and entries new to the other."""

import json
import random
from typing import Any

import pytest
from support.raw_records import alter, places, stored
from support.recount import recount
from support.sample_jobs import START_MS, a_worker, create_in, create_job, create_parent

from jobtracker.core.lifecycle import Event, Outcome, Priority, Status
from jobtracker.core.masking import ArgumentRule
from jobtracker.schemas.filters import JobFilter
from jobtracker.schemas.job_types import JobType
from jobtracker.schemas.stats import JobCount
from jobtracker.store.job_types import Registry
from jobtracker.store.leases import Leases
from jobtracker.store.schema import FIELDS, PLACES, SCHEMA
from jobtracker.store.writer import JobStore

pytestmark = pytest.mark.thorough

SHINE = len(FIELDS) + 3
"""The place of a field that this release does not know."""
NEWER: dict[Any, Any] = {"schema": 2, SHINE: "very"}
COURSE = [
    *[Event.START, Event.PROGRESS, Event.REQUEUE, Event.START, Event.RETRY, Event.START, Event.LOSE, Event.START],
    *[Event.FAIL, Event.RERUN, Event.START, Event.CANCEL, Event.COMPLETE],
]


@pytest.fixture
def other_store(client, keys, store):
    """The store as another release sees it: its library is rendered differently."""
    other = JobStore(client, keys, retention_ms=3 * 86_400_000)
    assert other._functions.name != store._functions.name
    return other


def test_a_record_says_which_schema_it_has(store, queries):
    assert queries.record(create_job(store)).schema == SCHEMA


@pytest.mark.parametrize("seed", range(10))
def test_two_libraries_take_turns_on_one_job_and_its_tree_and_every_counter_is_right(
    client, keys, store, other_store, queries, seed
):
    dice = random.Random(seed)
    parent, subs = create_parent(store, 3)
    for n in range(60):
        event, job = dice.choice(list(Event)), dice.choice([parent, *subs, *subs])
        execution = f"{START_MS + n}-w-{dice.randrange(4)}" if event in COURSE else None
        change = dice.choice([store, other_store]).apply(event, job, execution=execution, at_ms=START_MS + n)
        if change.applied and change.parent and change.after:
            dice.choice([store, other_store]).notify_parent(parent, job, change.run, change.after, at_ms=START_MS + n)
        assert recount(client, keys) == []
    assert {library["library_name"] for library in map(_pairs, client.function_list("jobtracker_*"))} >= {
        store._functions.name,
        other_store._functions.name,
    }


def _pairs(flat):
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))


@pytest.mark.parametrize("fields", [NEWER, {}], ids=["newer", "without a number"])
def test_a_record_of_another_schema_takes_the_same_course_and_keeps_what_is_unknown(
    client, keys, store, queries, fields
):
    job = create_job(store, run=1, queued=START_MS)
    alter(client, keys, job, {"schema": None})
    if fields:
        alter(client, keys, job, fields)
    for n, event in enumerate(COURSE):
        assert store.apply(event, job, at_ms=START_MS + n).applied, event
    store.update(job, fields={"name": "edited"})
    kept = places(client, keys, job)
    assert (kept.get(PLACES.get("schema")), kept.get(SHINE)) == (fields.get("schema"), fields.get(SHINE))
    assert queries.record(job).as_texts()["status"] == "completed"
    assert [found.id for found in queries.page(JobFilter(status=Status.COMPLETED)).jobs] == [job]
    assert queries.get(job).status is Status.COMPLETED
    alter(client, keys, job, {SHINE: None})
    assert recount(client, keys) == []


@pytest.mark.parametrize("field", ["finished", "lease"])
def test_a_record_that_says_what_follows_is_read_as_one_that_does_not(client, keys, store, queries, field):
    job, now = create_job(store), START_MS + 10
    known = {"run": 0, "attempt": 0, "execution": f"{START_MS}-w-1"}
    store.apply(Event.START, job, **known, at_ms=START_MS, fields={"lease": "w"})
    store.apply(Event.LOSE, job, run=0, at_ms=now)
    record, place = queries.record(job).as_texts(), PLACES.get(field)
    assert place not in places(client, keys, job)
    alter(client, keys, job, {field: {"finished": str(now), "lease": "w"}[field]})
    assert (queries.record(job).as_texts()["finished"], record["finished"]) == (str(now), str(now))
    assert recount(client, keys) == []
    assert store.apply(Event.PROGRESS, job, **known, at_ms=now + 1).after is Status.RUNNING
    assert (queries.record(job).as_texts()["lease"], queries.record(job).as_texts().get("finished")) == ("w", None)
    assert store.apply(Event.COMPLETE, job, **known, at_ms=now + 2).applied
    assert (queries.record(job).as_texts()["finished"], place in places(client, keys, job)) == (str(now + 2), False)
    assert recount(client, keys) == []


@pytest.mark.parametrize("status", ["pending", "running", "failed"])
def test_values_that_a_newer_release_has_introduced_are_shown_by_the_nearest_known(
    client, keys, store, queries, status
):
    job, other = create_in(store, Status(status)), create_in(store, Status.COMPLETED)
    newer = {"status": "mended", "priority": "at once", "policy": "sleep", "origin": "a form", "subs": "1"}
    if status == "failed":
        newer["finished"] = str(START_MS)  # of a status that not everybody knows it says more than `entered`
    alter(client, keys, job, newer)
    client.zadd(keys("entered", "mended", "at once", "custom"), {job: START_MS})
    client.sadd(keys("kinds"), "at once:custom")
    listed = {found.id: found for found in queries.page(JobFilter()).jobs}
    assert (listed[job].status, listed[job].priority) == (Status(status), Priority.NORMAL)
    assert (listed[job].failure_policy, listed[job].origin) == ("fail", "celery")
    assert queries.get(job).status is queries.tree(job).status is Status(status)
    assert listed[other].status is Status.COMPLETED
    assert JobCount(status=Status.COMPLETED, priority=Priority.NORMAL, job_type="custom", count=1) in queries.counts()


def test_a_status_that_a_newer_release_has_introduced_stays(client, keys, store):
    job = create_job(store)
    alter(client, keys, job, {"status": "mended"})
    for event in Event:
        change = store.apply(event, job)
        assert change.outcome in {Outcome.ILLEGAL, Outcome.STALE}
        assert (change.before, change.after) == (None, None)
    assert stored(client, keys, job).get("status") == "mended"


def test_history_leaves_out_the_events_of_a_newer_release(client, keys, store, queries):
    job = create_in(store, Status.COMPLETED)
    before = queries.history(job)
    client.rpush(keys("history", job), json.dumps({"event": "polished", "at": START_MS, "shine": 1}))
    client.rpush(
        keys("history", job),
        json.dumps({"event": "retry", "at": START_MS, "run": 1, "attempt": 0, "shine": 1}),
    )
    assert len(queries.history(job)) == len(before) + 1


def test_leases_and_types_may_say_more_or_less_than_is_known(client, keys):
    worker = a_worker("w")
    leases, registry = Leases(client, keys, 60), Registry(client, keys)
    leases.renew(worker)
    told = worker.model_dump(exclude={"release"}) | {"shine": {"much": True}}
    client.set(keys("lease", "w"), json.dumps(told))
    assert leases.live() == [worker]
    client.hset(keys("types"), "t", json.dumps({"name": "t", "task": "t", "shine": 1, "arguments": {"shine": 1}}))
    assert registry.all(fresh=True) == {"t": JobType(name="t", task="t")}


def test_what_can_not_be_read_of_leases_and_types_does_not_hide_the_others(client, keys):
    leases, registry = Leases(client, keys, 60), Registry(client, keys)
    for name in ("known", "strange"):
        leases.renew(a_worker(name))
    client.set(keys("lease", "strange"), json.dumps({"incarnation": "strange", "concurrency": "plenty"}))
    assert [worker.incarnation for worker in leases.live()] == ["known"]
    assert leases.held(["known", "strange", "gone"]) == {"known", "strange"}
    assert leases.pools(["known", "strange"]) == {"known": "prefork"}
    assert list(leases.skews_ms()) == ["w@test"]
    strange = {"name": "s", "task": "s", "queue": "q", "on_lost": "mourn", "arguments": {"keep": "a part"}}
    client.hset(keys("types"), mapping={"s": json.dumps(strange), "t": '{"name": "t", "task": "t"}', "u": "[]"})
    shown = JobType(name="s", task="s", queue="q", arguments=ArgumentRule(keep="none"))
    assert registry.all(fresh=True) == {"s": shown, "t": JobType(name="t", task="t")}


def test_a_parent_bears_a_status_of_a_sub_job_that_a_newer_release_has_introduced(client, keys, store, queries):
    parent, subs = create_parent(store, 2)
    alter(client, keys, subs[0], {"status": "mended"})
    store.apply(Event.FAIL, subs[1])
    assert queries.state(subs[0]) is None
    assert queries.unnotified_subs(parent) == [(subs[1], 1, Status.FAILED)]
    alter(client, keys, parent, {"status": "sleeping"})
    assert store.notify_parent(parent, subs[1], 1, Status.FAILED).status is None
