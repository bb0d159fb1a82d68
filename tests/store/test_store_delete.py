"""Deleting: what may go, what goes with it, and what comes in late."""

import pytest
from support.recount import keys_of, names_of, recount
from support.sample_jobs import START_MS, bring_to, create_in, create_job, create_parent, new_job, report

from jobtracker.core.lifecycle import SETTLED, Event, Outcome, Status
from jobtracker.store.changes import NewJob, SettledIndex
from jobtracker.store.keys import PREFIXES
from jobtracker.store.writer import REMOVED_AT_ONCE

LATER_MS = START_MS + 1000
MODES = ["delete", "expire", "trash", "undo"]


def names_left(client, keys):
    """The names of all keys but series, totals, groups of failures and kinds, which keep what was."""
    stay = tuple(
        PREFIXES[name]
        for name in (
            *("flow", "settled", "kinds", "failure", "failures", "failure_counts"),
            *("unfolded", "named", "labels", "counted"),
        )
    )
    return {name for name in names_of(client, keys) if not name.startswith(stay)}


def drain_trash(store, queries):
    """Delete what is in the trash, as the pruner does; returns how many rounds it took."""
    rounds = 0
    while ids := queries.trash(100):
        store.delete(*ids, mode="trash")
        rounds += 1
        assert rounds < 50, "the trash does not get empty"
    return rounds


@pytest.fixture
def family(store):
    """A parent that has failed, with two settled sub-jobs that have data and a log."""
    parent, subs = create_parent(store, 2)
    report(store, parent, subs[0], Event.COMPLETE, data={"result": "1"})
    report(store, parent, subs[1], Event.FAIL, data={"error": "{}"})
    for job in (parent, *subs):
        store.append_log(job, [(START_MS, "info", "hello")])
    return parent, subs


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("mode", MODES)
def test_a_job_may_be_deleted_where_its_mode_allows_its_status(client, keys, store, mode, status, sent):
    job = create_in(store, status, sent=sent)
    allowed = {
        "delete": status in SETTLED or (status is Status.PENDING and not sent),
        "expire": status in SETTLED,
        "trash": True,
        "undo": True,
    }[mode]
    outcome = store.delete(job, mode=mode, finished_before_ms=LATER_MS)[0]
    assert outcome is (Outcome.APPLIED if allowed else Outcome.ILLEGAL)
    assert client.exists(keys("job", job)) == (not allowed)
    assert recount(client, keys) == []


@pytest.mark.parametrize("mode", MODES)
def test_deleting_an_unknown_job_is_missing(client, keys, store, mode):
    assert store.delete("nobody", mode=mode) == [Outcome.MISSING]
    assert keys_of(client, keys) == []


@pytest.mark.parametrize(
    ("mode", "left"), [("delete", {"tombstone:j"}), ("trash", {"tombstone:j"}), ("expire", set()), ("undo", set())]
)
def test_nothing_is_left_of_a_job_but_a_tombstone_where_late_reports_may_come(client, keys, store, mode, left):
    store.create(NewJob(id="j", fields={"type": "t", "priority": "low"}, data={"payload": "{}"}))
    store.append_log("j", [(START_MS, "info", "hello")])
    store.apply(Event.COMPLETE, "j", at_ms=START_MS, data={"result": "1"})
    store.delete("j", mode=mode, finished_before_ms=LATER_MS)
    assert names_left(client, keys) == left


@pytest.mark.parametrize("mode", ["expire", "undo"])
def test_nothing_is_left_of_what_few_jobs_have(client, keys, store, mode):
    for execution in ("1-one-a", "2-two-b"):  # delivered again: its history and its executions tell
        store.apply(Event.START, create_job(store, "twice"), run=1, execution=execution, at_ms=START_MS)
    bring_to(store, "twice", Status.COMPLETED)
    for job in ("again", "logged"):
        create_in(store, Status.FAILED, job_id=job)
    store.append_log("logged", [(START_MS, "info", "hello")])
    store.confirm("again")
    store.apply(Event.RERUN, "again", at_ms=START_MS)  # its second run is unconfirmed
    store.apply(Event.COMPLETE, "again", run=2, at_ms=START_MS)
    create_in(store, Status.COMPLETED, job_id="unnotified", parent="gone")
    left = {name.partition(":")[0] for name in names_left(client, keys)}
    assert left >= {"history", "executions", "log", "unconfirmed", "unnotified"}
    jobs = ["twice", "again", "logged", "unnotified", create_in(store, Status.COMPLETED)]
    assert set(store.delete(*jobs, mode=mode, finished_before_ms=LATER_MS)) == {Outcome.APPLIED}
    assert names_left(client, keys) == set()


def test_jobs_are_deleted_in_order_and_answered_in_order(client, keys, store):
    jobs = [create_in(store, status) for status in (Status.COMPLETED, Status.RUNNING, Status.FAILED)]
    outcomes = store.delete(*jobs, "nobody")
    assert outcomes == [Outcome.APPLIED, Outcome.ILLEGAL, Outcome.APPLIED, Outcome.MISSING]
    assert recount(client, keys) == []


@pytest.mark.parametrize(("before_ms", "outcome"), [(START_MS, Outcome.ILLEGAL), (START_MS + 1, Outcome.APPLIED)])
def test_retention_takes_only_what_settled_before_its_time(store, before_ms, outcome):
    job = create_in(store, Status.COMPLETED, at_ms=START_MS)
    assert store.delete(job, mode="expire", finished_before_ms=before_ms) == [outcome]


# -- late reports ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", Event)
def test_a_late_report_of_a_deleted_job_is_dropped(client, keys, store, event):
    job = create_in(store, Status.COMPLETED)
    store.delete(job)
    left = keys_of(client, keys)
    change = store.apply(event, job, fields={"worker": "w"}, data={"result": "1"})
    assert (change.outcome, change.before, change.after) == (Outcome.DELETED, None, None)
    assert keys_of(client, keys) == left


def test_a_deleted_job_can_not_be_created_again(client, keys, store):
    job = create_in(store, Status.COMPLETED)
    store.delete(job)
    left = keys_of(client, keys)
    assert store.create(NewJob(id=job, fields={"type": "t", "priority": "low"}, subs={0: "s"})) == [Outcome.DELETED]
    assert keys_of(client, keys) == left


@pytest.mark.parametrize("mode", ["expire", "undo"])
def test_a_job_that_left_without_a_tombstone_can_be_created_again(client, keys, store, mode):
    job = create_in(store, Status.COMPLETED)
    store.delete(job, mode=mode, finished_before_ms=LATER_MS)
    assert store.apply(Event.START, job).outcome is Outcome.MISSING
    assert store.create(new_job(job)) == [Outcome.APPLIED]
    assert recount(client, keys) == []


def test_a_tombstone_expires(client, keys, store):
    job = create_in(store, Status.COMPLETED)
    store.delete(job)
    assert 86_400 - 60 < client.ttl(keys("tombstone", job)) <= 86_400


# -- families --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["delete", "expire"])
def test_a_sub_job_is_not_deleted_without_its_parent(client, keys, store, family, mode):
    _, subs = family
    assert store.delete(*subs, mode=mode, finished_before_ms=2**53) == [Outcome.ILLEGAL, Outcome.ILLEGAL]
    assert recount(client, keys) == []


@pytest.mark.parametrize("mode", ["delete", "expire"])
def test_a_sub_job_whose_parent_is_gone_may_go(client, keys, store, queries, mode):
    job = create_in(store, Status.COMPLETED, parent="gone")
    assert store.delete(job, mode=mode, finished_before_ms=LATER_MS) == [Outcome.APPLIED]


@pytest.mark.parametrize("mode", ["delete", "expire"])
def test_a_parent_takes_its_sub_jobs_with_it_by_way_of_the_trash(client, keys, store, queries, family, mode):
    parent, subs = family
    assert store.delete(parent, mode=mode, finished_before_ms=2**53) == [Outcome.APPLIED]
    assert set(queries.trash(10)) == set(subs)
    assert recount(client, keys) == []
    drain_trash(store, queries)
    assert {name for name in names_left(client, keys) if not name.startswith("tombstone:")} == set()
    assert recount(client, keys) == []


@pytest.mark.parametrize("mode", ["delete", "expire"])
def test_a_parent_stays_while_a_sub_job_has_not_settled(client, keys, store, mode):
    parent, subs = create_parent(store, 2)
    report(store, parent, subs[0], Event.COMPLETE)
    store.apply(Event.CANCEL, parent)
    assert store.delete(parent, mode=mode, finished_before_ms=2**53) == [Outcome.ILLEGAL]
    report(store, parent, subs[1], Event.COMPLETE)
    assert store.delete(parent, mode=mode, finished_before_ms=2**53) == [Outcome.APPLIED]
    assert recount(client, keys) == []


def test_a_tree_that_was_never_sent_may_be_deleted(client, keys, store, queries):
    parent, _ = create_parent(store, 3, sent=False)
    assert store.delete(parent) == [Outcome.APPLIED]
    drain_trash(store, queries)
    assert recount(client, keys) == []
    assert queries.counts() == []


def test_the_trash_takes_a_deep_tree_level_by_level(client, keys, store, queries):
    for depth in range(5):
        store.create(new_job(f"d{depth}", subs=[f"d{depth + 1}", f"x{depth}"]), new_job(f"x{depth}"))
    store.create(new_job("d5"))
    store.delete("d0")
    assert drain_trash(store, queries) == 5
    assert queries.counts() == []
    assert recount(client, keys) == []


def test_the_trash_takes_many_sub_jobs_at_once(client, keys, store, queries):
    subs = [f"s{n}" for n in range(2500)]
    store.create(NewJob(id="p", fields={"type": "t", "priority": "low"}, subs=dict(enumerate(subs))))
    assert store.delete("p") == [Outcome.APPLIED]
    assert len(queries.trash(3000)) == 2500
    drain_trash(store, queries)  # none of them had a record
    assert names_left(client, keys) == {"tombstone:p"}


def test_what_dies_between_parent_and_trash_is_finished_by_the_next_round(client, keys, store, queries, family):
    parent, subs = family
    store.delete(parent)
    store.delete(subs[0], mode="trash")
    assert queries.trash(10) == [subs[1]]
    drain_trash(store, queries)
    assert queries.counts() == []


@pytest.mark.parametrize("status", [Status.PENDING, Status.FAILED])
def test_what_is_in_the_trash_is_not_sent_any_more(client, keys, store, queries, status):
    parent, subs = create_parent(store, 1, sent=False)
    for event in (Event.START, Event.FAIL) if status is Status.FAILED else ():
        report(store, parent, subs[0], event)
    assert store.delete(parent) == [Outcome.APPLIED]
    for event in (Event.ENQUEUE, Event.RERUN):
        assert store.apply(event, subs[0]).outcome is Outcome.DELETED
    drain_trash(store, queries)
    assert recount(client, keys) == []


def test_what_is_in_the_trash_and_may_not_be_deleted_by_its_user_stays_there(client, keys, store, queries):
    parent, (sub,) = create_parent(store, 1, sent=False)
    store.delete(parent)
    store.apply(Event.START, sub)
    assert store.delete(sub, "nobody") == [Outcome.ILLEGAL, Outcome.MISSING]
    assert queries.trash(10) == [sub]


def test_a_telling_to_a_deleted_parent_leaves_nothing(client, keys, store, family):
    parent, subs = family
    store.delete(parent)
    left = keys_of(client, keys)
    assert store.notify_parent(parent, subs[0], 1, Status.FAILED).verdict == "missing"
    assert keys_of(client, keys) == left


def test_a_running_job_in_the_trash_is_deleted_and_its_end_is_dropped(client, keys, store):
    job = create_job(store)
    store.apply(Event.START, job)
    store.delete(job, mode="trash")
    assert store.apply(Event.COMPLETE, job).outcome is Outcome.DELETED
    assert recount(client, keys) == []


# -- retention -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partitions", [1])
def test_retention_takes_some_of_each_index_the_oldest_first_and_says_where_to_go_on(client, keys, store):
    [part] = keys.parts
    held = create_in(store, Status.COMPLETED, parent=create_job(store), at_ms=START_MS)
    jobs = [create_in(store, Status.COMPLETED, at_ms=START_MS + 1 + n) for n in range(REMOVED_AT_ONCE)]
    failed = create_in(store, Status.FAILED, at_ms=START_MS)
    indexes = [SettledIndex(status, "normal:custom") for status in (Status.COMPLETED, Status.FAILED)]
    reached = indexes[0]._replace(score=str(START_MS), job_id=held)
    done = store.prune(part, indexes, finished_before_ms=2**53)
    assert done == (REMOVED_AT_ONCE - 1, [], [reached, indexes[1]], False, [])
    assert [client.exists(keys("job", job)) for job in (held, *jobs, failed)] == [1, *[0] * (len(jobs) - 1), 1, 1]
    done = store.prune(part, done.left, finished_before_ms=2**53)
    assert done == (2, [reached, indexes[1]], [], False, [])
    assert recount(client, keys) == []


@pytest.mark.parametrize("partitions", [1])
def test_retention_says_that_sub_jobs_are_in_the_trash(client, keys, store, queries, family):
    [part] = keys.parts
    _, subs = family
    done = store.prune(part, [SettledIndex(Status.FAILED, "normal:custom")], finished_before_ms=2**53)
    assert (done.removed, done.has_trash) == (2, True)  # the parent and, behind it, the one that has failed too
    assert queries.trash(10) == [subs[0]]
    assert recount(client, keys) == []
