"""Changing what people may change of a job, and its log."""

import pytest
from support.raw_records import stored
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, create_in, create_job, create_parent, report

from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.schemas.stats import JobCount
from jobtracker.store.writer import JobStore


def test_an_edit_changes_the_record_and_the_data(client, keys, store, queries):
    job = create_job(store)
    assert store.update(job, fields={"name": "new"}, data={"payload": '{"a": 1}'}) is Outcome.APPLIED
    assert queries.get(job).name == "new"
    assert queries.get(job).payload == {"a": 1}
    assert recount(client, keys) == []


@pytest.mark.parametrize("status", Status)
def test_a_change_of_priority_moves_the_job_in_the_counters(client, keys, store, queries, status):
    job = create_in(store, status)
    assert store.update(job, fields={"name": "new", "priority": "critical"}) is Outcome.APPLIED
    assert queries.counts() == [JobCount(status=status, priority="critical", job_type="custom", count=1)]
    assert recount(client, keys) == []


def test_a_parent_whose_task_was_called_is_not_called_again_because_somebody_else_is_to_call_it(store):
    parent, (sub,) = create_parent(store, 1, policy="continue")
    assert report(store, parent, sub, Event.FAIL).verdict == "due"
    store.update(parent, fields={"callback_mode": "own"})
    assert store.notify_parent(parent, sub, 1, Status.FAILED).verdict == "waiting"


def test_a_change_to_the_priority_that_it_has_leaves_the_counters(client, keys, store):
    job = create_job(store)
    store.update(job, fields={"priority": "normal"})
    assert recount(client, keys) == []


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
def test_what_must_not_change_once_it_was_sent_or_began_does_not(client, keys, store, status, sent):
    job = create_in(store, status, sent=sent)
    record = stored(client, keys, job)
    outcome = store.update(job, fields={"priority": "low"}, data={"payload": "{}"}, unsent_only=True)
    if status is Status.PENDING and not sent:
        assert outcome is Outcome.APPLIED
    else:
        assert outcome is Outcome.ILLEGAL
        assert stored(client, keys, job) == record
        assert not client.exists(keys("data", job))
    assert recount(client, keys) == []


def test_an_edit_or_a_log_line_of_an_unknown_job_is_missing_and_leaves_nothing(client, keys, store):
    assert store.update("nobody", fields={"name": "x"}, data={"payload": "{}"}) is Outcome.MISSING
    assert store.append_log("nobody", [(START_MS, "info", "hello")]) is Outcome.MISSING
    assert keys_of(client, keys) == []


def test_an_edit_or_a_log_line_of_a_deleted_job_is_dropped(client, keys, store):
    job = create_job(store)
    store.delete(job)
    assert store.update(job, fields={"name": "x"}) is Outcome.DELETED
    assert store.append_log(job, [(START_MS, "info", "hello")]) is Outcome.DELETED
    assert recount(client, keys) == []


def test_log_lines_come_back_as_they_were_written_oldest_first(client, keys, store, queries):
    job = create_job(store)
    store.append_log(job, [(START_MS, "info", "one"), (START_MS + 1500, "warning", "two\nlines")])
    store.append_log(job, [(START_MS + 2000, "error", "drei: äöü")])
    lines = queries.log(job)
    assert [(line.level, line.message) for line in lines] == [
        ("info", "one"),
        ("warning", "two\nlines"),
        ("error", "drei: äöü"),
    ]
    assert [round(line.at.timestamp() * 1000) for line in lines] == [START_MS, START_MS + 1500, START_MS + 2000]
    assert recount(client, keys) == []


def test_the_last_lines_of_a_long_log_are_the_ones_that_are_read(store, queries):
    job = create_job(store)
    store.append_log(job, [(START_MS, "info", str(n)) for n in range(50)])
    assert [line.message for line in queries.log(job, most=3)] == ["47", "48", "49"]


def test_a_log_is_read_on_from_any_line_without_losing_or_doubling_one(store, queries):
    job = create_job(store)
    store.append_log(job, [(START_MS, "info", str(n)) for n in range(7)])
    read, after = [], "0-0"
    while lines := queries.log(job, after=after, most=3):
        read += [line.message for line in lines]
        after = lines[-1].id
    assert read == [str(n) for n in range(7)]
    store.append_log(job, [(START_MS, "info", "later")])
    assert [line.message for line in queries.log(job, after=after)] == ["later"]


def test_a_log_does_not_grow_without_end(client, keys, queries):
    store = JobStore(client, keys, max_log_lines=100)
    job = create_job(store)
    for _ in range(5):
        store.append_log(job, [(START_MS, "info", str(n)) for n in range(100)])
    # Redis trims whole nodes of a stream only, so it may keep some more.
    assert 100 <= client.xlen(keys("log", job)) < 300
    assert queries.log(job, most=1)[0].message == "99"


def test_a_job_without_a_log_has_no_lines(store, queries):
    assert queries.log(create_job(store)) == []


def test_an_edit_leaves_what_events_have_written(client, keys, store, queries):
    job = create_job(store)
    store.apply(Event.ENQUEUE, job)
    store.update(job, fields={"name": "new"})
    assert (queries.record(job).as_texts()["run"], queries.record(job).as_texts()["name"]) == ("1", "new")
