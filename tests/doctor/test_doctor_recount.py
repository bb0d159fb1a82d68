"""Damage of every kind is seen, named and mended; `recount.py`, which knows nothing of the doctor, is the witness."""

import random
import threading
import uuid
from typing import Self

import pytest
from celery import Celery
from support.raw_records import alter, stored
from support.recount import recount
from support.sample_jobs import START_MS, bring_to, create_in, create_job, create_parent, new_job, report

from jobtracker.connection.client import connect
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Priority, Status
from jobtracker.doctor.recount import Recount
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.runtime import Tracking
from jobtracker.settings import Settings
from jobtracker.store.schema import JobRecord

pytestmark = [pytest.mark.long, pytest.mark.thorough]


@pytest.fixture(scope="module")
def url(redis_server: EmbeddedRedis) -> str:
    """A database that other tests don't fill: a recount goes through all of it."""
    return f"{redis_server.url}/7"


@pytest.fixture(scope="module")
def client(url):
    with connect(url, timeout_s=10) as client:
        yield client


@pytest.fixture
def tracking(url, keys):
    """All parts over the test's own namespace."""
    settings = Settings(redis_url=url, tracking_namespace=keys.namespace, tracking_timeout_s=20)
    app = Celery("doctor", broker="memory://", set_as_current=False)
    tracking = Tracking.connect(settings, app)
    yield tracking
    tracking.client.connection_pool.disconnect()
    app.close()


@pytest.fixture
def job(store):
    return create_in(store, Status.COMPLETED)


@pytest.fixture
def parent(store):
    """A parent of three, of which one has completed and one has failed."""
    parent, subs = create_parent(store, 3)
    report(store, parent, subs[0], Event.COMPLETE, at_ms=START_MS)
    report(store, parent, subs[1], Event.FAIL, at_ms=START_MS)
    return parent


def look(tracking: Tracking, *, repair: bool = False) -> list[tuple[str, str, str]]:
    """What a doctor finds: what, where, and the job or counter."""
    found = Recount(tracking, repair=repair, apart_s=0)
    found.run()
    assert not repair or all(each.is_repaired for each in found.differences.values())
    return sorted(found.differences)


def test_nothing_differs_in_a_store_that_nobody_meddled_with(tracking, job, parent):
    assert look(tracking) == []
    assert look(tracking, repair=True) == []


def test_the_queue_of_an_open_job_that_is_not_known_any_more_is_told_and_mended(tracking, store, keys):
    store.create(new_job("sent", run=1, queued=now_ms(), queue="mail"))
    store.create(new_job("settled", run=1, queued=now_ms(), queue="other"))
    store.apply(Event.COMPLETE, "settled", run=1)
    store.client.delete(keys("queues"))
    missing = [("missing", "queues", "mail")]
    assert look(tracking) == missing
    assert look(tracking, repair=True) == missing
    assert tracking.queries.queues().names == ["mail"]
    assert look(tracking) == []


DAMAGES = {
    "a type's index lacks a job": (lambda c, k: c.zrem(k("type", "custom"), "j"), ("missing", "type:custom", "j")),
    "a status's index lacks a job": (
        lambda c, k: c.delete(k("entered", "completed", "normal", "custom")),
        ("missing", "entered:completed:normal:custom", "j"),
    ),
    "a kind of jobs is not known": (
        lambda c, k: c.srem(k("kinds"), "normal:custom"),
        ("missing", "kinds", "normal:custom"),
    ),
    "an index has a job at a wrong place": (
        lambda c, k: c.zadd(k("type", "custom"), {"j": START_MS + 1}),
        ("score", "type:custom", "j"),
    ),
    "an index has a job that is none": (
        lambda c, k: c.zadd(k("type", "custom"), {"gone": 1}),
        ("stray", "type:custom", "gone"),
    ),
    "a type has a job of another": (lambda c, k: c.zadd(k("type", "a:b"), {"j": 1}), ("stray", "type:a:b", "j")),
    "a status has a job of another": (
        lambda c, k: c.zadd(k("entered", "failed", "normal", "custom"), {"j": 1}),
        ("stray", "entered:failed:normal:custom", "j"),
    ),
    "a priority has a job of another": (
        lambda c, k: c.zadd(k("entered", "completed", "low", "custom"), {"j": 1}),
        ("stray", "entered:completed:low:custom", "j"),
    ),
    "a status and type has a job of another": (
        lambda c, k: c.zadd(k("entered", "completed", "normal", "a:b"), {"j": 1}),
        ("stray", "entered:completed:normal:a:b", "j"),
    ),
    "a parent counts too few sub-jobs": (
        lambda c, k: alter(c, k, "parent", {"subs": 2}),
        ("family", "subs", "parent"),
    ),
    "a parent counts too many that completed": (
        lambda c, k: alter(c, k, "parent", {"subs_completed": 3}),
        ("family", "subs_completed", "parent"),
    ),
    "a parent counts too few that failed": (
        lambda c, k: alter(c, k, "parent", {"subs_failed": None}),
        ("family", "subs_failed", "parent"),
    ),
    "a parent counts one that was cancelled": (
        lambda c, k: alter(c, k, "parent", {"subs_cancelled": 1}),
        ("family", "subs_cancelled", "parent"),
    ),
    "a parent was told of a stranger": (
        lambda c, k: c.hset(k("outcomes", "parent"), "stranger", "1:running"),
        ("stranger", "outcomes", "parent"),
    ),
    "a settled job has finished at another time": (
        lambda c, k: alter(c, k, "j", {"finished": "1"}),
        ("record", "finished", "j"),
    ),
    "a settled job executes": (lambda c, k: alter(c, k, "j", {"executing": "1"}), ("record", "executing", "j")),
    "a settled job waits": (lambda c, k: alter(c, k, "j", {"eta": "1"}), ("record", "eta", "j")),
    "an open job has finished": (
        lambda c, k: alter(c, k, "parent", {"finished": "1"}),
        ("record", "finished", "parent"),
    ),
    "an open job's verdict is inferred": (
        lambda c, k: alter(c, k, "parent.2", {"inferred": "lose"}),
        ("record", "inferred", "parent.2"),
    ),
    "data is left over": (lambda c, k: c.hset(k("data", "gone"), "payload", "{}"), ("left_over", "data", "gone")),
    "a log is left over": (lambda c, k: c.xadd(k("log", "gone"), {"at": 1}), ("left_over", "log", "gone")),
    "a history is left over": (lambda c, k: c.rpush(k("history", "gone"), "{}"), ("left_over", "history", "gone")),
    "sub-jobs are left over": (lambda c, k: c.zadd(k("subs", "gone"), {"j": 0}), ("left_over", "subs", "gone")),
    "outcomes are left over": (
        lambda c, k: c.hset(k("outcomes", "gone"), "j", "1:completed"),
        ("left_over", "outcomes", "gone"),
    ),
    "a tombstone of a job that is there": (
        lambda c, k: c.set(k("tombstone", "j"), "1"),
        ("left_over", "tombstone", "j"),
    ),
    "a parent's memory of a sub-job is gone": (
        lambda c, k: (c.hdel(k("outcomes", "parent"), "parent.0"), alter(c, k, "parent", {"subs_completed": 0})),
        ("unnotified", "outcome of parent.0", "parent"),
    ),
    "a sub-job does not name its parent": (
        lambda c, k: alter(c, k, "parent.2", {"parent": None}),
        ("unnotified", "parent of parent.2", "parent"),
    ),
    "a parent does not list a sub-job": (
        lambda c, k: c.zrem(k("subs", "parent"), "parent.2"),
        ("unnotified", "place of parent.2", "parent"),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_mended(client, keys, store, tracking, parent, damage):
    create_job(store, "j", run=1)
    bring_to(store, "j", Status.COMPLETED)
    do, expected = DAMAGES[damage]
    do(client, keys)
    assert expected in look(tracking)
    assert expected in look(tracking, repair=True)
    assert recount(client, keys) == []
    assert look(tracking) == []


# -- what lies between jobs ------------------------------------------------------------------------------------------


def test_a_parent_that_was_never_told_is_told_and_settles(client, keys, store, queries, tracking):
    parent, subs = create_parent(store, 2)
    for sub in subs:
        store.apply(Event.FAIL, sub, at_ms=START_MS)
    assert look(tracking) == [("unnotified", f"outcome of {sub}", parent) for sub in subs]
    look(tracking, repair=True)
    assert queries.field(parent, JobRecord.status) == Status.FAILED
    assert "2 of 2 sub-jobs did not complete" in queries.field(parent, JobRecord.reason)
    assert look(tracking) == recount(client, keys) == []


def test_a_parent_whose_status_does_not_follow_from_what_it_was_notified_is_looked_at_anew(
    client, keys, store, queries, tracking
):
    parent, subs = create_parent(store, 2)
    for sub in subs:
        store.apply(Event.FAIL, sub, at_ms=START_MS)
        client.hset(keys("outcomes", parent), sub, "1:failed")
    alter(client, keys, parent, {"subs_failed": 2})
    assert look(tracking) == [("unnotified", "status", parent)]
    look(tracking, repair=True)
    assert queries.field(parent, JobRecord.status) == Status.FAILED
    assert look(tracking) == recount(client, keys) == []


def test_what_has_only_just_come_about_is_not_judged(store, tracking):
    _, subs = create_parent(store, 2)
    store.apply(Event.FAIL, subs[0])
    assert look(tracking) == []


def test_a_parent_of_a_sub_job_that_is_nowhere_counts_the_others(client, keys, store, queries, tracking):
    parent, subs = create_parent(store, 2)
    report(store, parent, subs[0], Event.FAIL, at_ms=START_MS)
    store.delete(subs[1], mode="undo")
    client.zrem(keys("subs", parent), subs[1])
    assert look(tracking) == [("family", "subs", parent)]
    look(tracking, repair=True)
    assert queries.field(parent, JobRecord.status) == Status.FAILED
    assert look(tracking) == recount(client, keys) == []


def test_sub_jobs_whose_order_is_lost_and_one_of_two_parents_are_named_and_left_alone(client, keys, store, tracking):
    parent, subs = create_parent(store, 3)
    client.zrem(keys("subs", parent), *subs[:2])
    other, _ = create_parent(store, 1, name="other")
    client.zadd(keys("subs", other), {subs[2]: 0})
    alter(client, keys, other, {"subs": 2})
    found = Recount(tracking, repair=True, apart_s=0)
    found.run()
    assert {key: each.is_repaired for key, each in found.differences.items()} == {
        ("unnotified", f"place of {subs[0]}", parent): False,
        ("unnotified", f"place of {subs[1]}", parent): False,
        ("unnotified", f"parent of {subs[2]}", other): False,
    }
    assert stored(client, keys, parent).get("subs") == "3"


def test_a_record_from_which_fields_are_gone_and_a_key_that_nobody_knows_are_named_and_left_alone(
    client, keys, tracking, job
):
    alter(client, keys, job, {"type": None})
    client.set(keys.parts[0].prefix + "nonsense", "1")
    found = Recount(tracking, repair=True, apart_s=0)
    found.run()
    assert {("broken", "job", job), ("unknown", "keys", "nonsense")} <= found.differences.keys()
    assert client.exists(keys("job", job), keys("data", job), keys.parts[0].prefix + "nonsense") == 2


# -- while everything moves ------------------------------------------------------------------------------------------


class Traffic:
    """Writers at full speed: jobs and trees are made, run, fail, run again, change and are deleted."""

    def __init__(self, tracking: Tracking, writers: int = 3) -> None:
        self.tracking = tracking
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(random.Random(n),)) for n in range(writers)]
        self._errors: list[Exception] = []
        self.rounds = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self._errors == []
        assert self.rounds > len(self._threads), "they wrote next to nothing"

    def _write(self, dice: random.Random) -> None:
        try:
            while not self._stop.is_set():
                self._round(dice)
                self.rounds += 1
        except Exception as error:  # noqa: BLE001 (the test's own thread raises it)
            self._errors.append(error)

    def _round(self, dice: random.Random) -> None:
        store = self.tracking.store
        # Everywhere in the order of creation, before and behind where a recount is.
        job = new_job(
            uuid.uuid4().hex, run=1, priority=dice.choice(list(Priority)), type=dice.choice(["custom", "a:b"])
        )
        store.create(job, at_ms=START_MS + dice.randrange(5000))
        store.apply(Event.START, job.id)
        store.apply(dice.choice([Event.COMPLETE, Event.FAIL, Event.RETRY]), job.id)
        store.update(job.id, fields={"priority": dice.choice(list(Priority))})
        store.apply(Event.RERUN, job.id)
        parent, subs = create_parent(store, 3, name=uuid.uuid4().hex)
        for sub in subs:
            store.apply(Event.START, sub, at_ms=START_MS)
            store.apply(Event.SUB_START, parent, at_ms=START_MS)
            change = store.apply(dice.choice([Event.COMPLETE, Event.FAIL]), sub, at_ms=START_MS)
            self.tracking.propagation.propagate(sub, change)
        old = self.tracking.client.zrandmember(self.tracking.keys("type", "custom"))
        store.apply(dice.choice([Event.START, Event.COMPLETE, Event.FAIL]), old)
        store.delete(old)
        self.tracking.jobs.empty_trash()


@pytest.fixture
def crowd(store):
    """Enough jobs for a recount in many pieces."""
    for first in range(0, 5000, 1000):
        store.create(*[new_job(uuid.uuid4().hex, run=1) for _ in range(1000)], at_ms=START_MS + first)


@pytest.mark.usefixtures("crowd")
def test_nothing_differs_and_nothing_is_spoilt_while_everything_moves(client, keys, tracking):
    with Traffic(tracking):
        for repair in (False, True, True, False):
            found = Recount(tracking, repair=repair, apart_s=0.3)
            found.run()
            assert found.jobs > 5000
            assert (list(found.differences.values()), found.unchecked) == ([], [])
    assert recount(client, keys) == []


@pytest.mark.usefixtures("crowd")
def test_damage_is_mended_to_the_right_values_while_everything_moves(client, keys, tracking):
    with Traffic(tracking):
        client.delete(keys("kinds"))
        client.zremrangebyrank(keys("entered", "pending", "normal", "custom"), 0, 99)
        client.zremrangebyrank(keys("type", "custom"), 1000, 1099)
        client.zadd(keys("type", "custom"), {f"gone-{n}": n for n in range(100)})
        found = Recount(tracking, repair=True, apart_s=0.3)
        found.run()
        assert len(found.differences) > 250
        assert all(each.is_repaired for each in found.differences.values())
        again = Recount(tracking, repair=False, apart_s=0.3)
        again.run()
        assert (list(again.differences.values()), again.unchecked) == ([], [])
    assert recount(client, keys) == []
