"""Verdicts by presumption: they give way to what the worker itself reports, and leave no trace in any figure."""

import pytest
from support.raw_records import stored
from support.recount import recount
from support.sample_jobs import START_MS, create_in, create_parent, report
from support.time_series import Settled, expected_series, stored_series

from jobtracker.core.lifecycle import MATRIX, REPORTED, SETTLED, Event, Outcome, Status

HOUR_MS = 3_600_000
LOST_MS = START_MS + 3 * HOUR_MS
TRUE_MS = START_MS + 5 * HOUR_MS


@pytest.fixture
def lost(store):
    """A job of which nobody heard, inferred lost three hours after it started."""
    job = create_in(store, Status.RUNNING)
    change = store.apply(
        Event.LOSE, job, run=1, fields={"reason": "its worker is gone"}, data={"error": '{"type": "WorkerLost"}'},
        at_ms=LOST_MS,
    )  # fmt: skip
    assert change.after is Status.FAILED
    return job


def test_a_presumed_verdict_says_what_it_rests_on(client, keys, queries, lost):
    record = queries.record(lost).as_texts()
    assert (record["inferred"], record["finished"], "executing" in record) == ("lose", str(LOST_MS), False)
    assert recount(client, keys) == []


@pytest.mark.parametrize("event", sorted(REPORTED))
def test_evidence_is_applied_as_if_the_job_still_ran(client, keys, store, queries, lost, event):
    change = store.apply(event, lost, run=1, attempt=0, at_ms=TRUE_MS)
    after = MATRIX[event][Status.RUNNING]
    assert (change.outcome, change.before, change.after) == (Outcome.APPLIED, Status.FAILED, after)
    record = queries.record(lost).as_texts()
    assert "inferred" not in record
    assert "reason" not in record
    assert record["status_changed_at"] == str(TRUE_MS)
    assert record.get("finished") == (str(TRUE_MS) if after in SETTLED else None)
    assert client.hget(keys("data", lost), "error") is None
    assert recount(client, keys) == []


@pytest.mark.parametrize("event", sorted(REPORTED))
def test_a_correction_leaves_the_time_series_as_if_nothing_had_been_presumed(
    client, keys, store, queries, lost, event
):
    store.apply(event, lost, run=1, at_ms=TRUE_MS)
    record = queries.record(lost).as_texts()
    settled = [Settled.of(record)] if record["status"] in SETTLED else []
    assert stored_series(client, keys) == expected_series([START_MS], settled)


def test_the_longest_time_is_not_that_of_a_verdict_that_was_taken_back(store, queries, lost):
    store.apply(Event.COMPLETE, lost, run=1, at_ms=START_MS + 60_000)
    run = queries.performance(START_MS, TRUE_MS, ["custom"])[""].run
    assert run.max_s == pytest.approx(60, rel=0.041)
    assert run.mean_s == 60


@pytest.mark.parametrize("event", [Event.START, Event.PROGRESS])
def test_a_job_that_turns_out_to_run_is_executing_again_and_can_be_presumed_lost_again(
    client, keys, store, queries, lost, event
):
    store.apply(event, lost, run=1, at_ms=TRUE_MS)
    assert queries.record(lost).as_texts()["executing"] == "1"
    assert store.apply(Event.LOSE, lost, run=1, at_ms=TRUE_MS + 1).after is Status.FAILED
    assert stored_series(client, keys) == expected_series([START_MS], [Settled.of(queries.record(lost).as_texts())])


@pytest.mark.parametrize("event", sorted(REPORTED))
def test_evidence_of_an_older_attempt_corrects_nothing(client, keys, store, event):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.START, job, run=1, attempt=1)
    store.apply(Event.LOSE, job, run=1, attempt=1)
    record = stored(client, keys, job)
    assert store.apply(event, job, run=1, attempt=0).outcome is Outcome.STALE
    assert stored(client, keys, job) == record


@pytest.mark.parametrize("event", sorted(REPORTED))
def test_evidence_of_the_lost_run_corrects_nothing_once_a_new_run_was_sent(store, lost, event):
    store.apply(Event.RERUN, lost)
    change = store.apply(event, lost, run=1)
    assert (change.outcome, change.after) == (Outcome.STALE, Status.PENDING)


@pytest.mark.parametrize("event", [Event.COMPLETE, Event.FAIL, Event.CANCELLED])
def test_what_evidence_has_settled_is_corrected_no_more(client, keys, store, lost, event):
    after = store.apply(event, lost).after
    for late in sorted(REPORTED | {Event.LOSE}):
        change = store.apply(late, lost)
        assert not change.applied
        assert change.after is after
    assert recount(client, keys) == []


def test_a_lost_job_that_was_to_be_cancelled_is_cancelled_when_it_starts_again(client, keys, store):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.CANCEL, job)
    store.apply(Event.LOSE, job)
    assert store.apply(Event.START, job).after is Status.CANCELLED
    assert recount(client, keys) == []


def test_a_loss_is_not_taken_back_by_a_word_about_sub_jobs(store, lost):
    assert store.apply(Event.REOPEN, lost).outcome is Outcome.ILLEGAL


def test_a_failure_that_its_worker_reported_is_not_reopened(store):
    parent, subs = create_parent(store, 1)
    store.apply(Event.FAIL, parent)
    report(store, parent, subs[0], Event.COMPLETE)
    assert store.apply(Event.REOPEN, parent)[:3] == (Outcome.ILLEGAL, Status.FAILED, Status.FAILED)


def test_a_presumed_failure_can_be_run_again(client, keys, store, queries, lost):
    change = store.apply(Event.RERUN, lost)
    assert (change.outcome, change.after, change.run) == (Outcome.APPLIED, Status.PENDING, 2)
    assert "inferred" not in queries.record(lost).as_texts()
    assert recount(client, keys) == []


@pytest.mark.parametrize("event", sorted(REPORTED))
def test_a_parent_that_failed_by_its_sub_jobs_follows_its_own_task_when_that_runs_after_all(
    client, keys, store, queries, event
):
    parent, subs = create_parent(store, 1)
    report(store, parent, subs[0], Event.FAIL)
    assert queries.record(parent).as_texts()["inferred"] == "subs_failed"
    change = store.apply(event, parent, run=1)
    assert (change.outcome, change.after) == (Outcome.APPLIED, MATRIX[event][Status.RUNNING])
    assert recount(client, keys) == []


def test_a_parent_that_failed_by_a_sub_job_is_open_again_when_that_was_only_presumed(client, keys, store, queries):
    parent, subs = create_parent(store, 1)
    store.apply(Event.START, subs[0])
    assert report(store, parent, subs[0], Event.LOSE).status is Status.FAILED
    assert client.hget(keys("data", parent), "error") is not None
    verdict = report(store, parent, subs[0], Event.COMPLETE)
    assert (verdict.verdict, verdict.status) == ("settled", Status.RUNNING)
    record = queries.record(parent).as_texts()
    assert not {"inferred", "finished", "reason"} & record.keys()
    assert client.hget(keys("data", parent), "error") is None
    assert recount(client, keys) == []


def test_opening_a_parent_again_takes_its_failure_back_in_the_time_series(client, keys, store):
    parent, subs = create_parent(store, 1)
    store.apply(Event.START, subs[0], at_ms=START_MS)
    report(store, parent, subs[0], Event.LOSE, at_ms=LOST_MS)
    report(store, parent, subs[0], Event.START, at_ms=TRUE_MS)
    assert stored_series(client, keys) == expected_series([START_MS, START_MS], [])
