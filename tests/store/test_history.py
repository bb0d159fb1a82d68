"""The course of a job: from the record alone where it is simple, and from what is kept beside it where not."""

import uuid

import pytest
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, create_in, create_job, create_parent, report
from support.workers_under_test import eventually, every_broker, every_broker_but_quorum

from jobtracker import Status
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.errors import JobNotFoundError
from jobtracker.schemas.history import HistoryEntry, Step


def steps(entries: list[HistoryEntry]) -> list[str]:
    return [str(entry.step) for entry in entries]


def kept(project, job_id: str) -> int:
    return int(project.client.llen(project.keys("history", job_id)))


@every_broker
def test_of_a_job_that_starts_and_completes_the_record_says_all(project):
    job_id = project.send("ok")
    project.expect_settled(job_id)
    created, queued, started, completed = project.queries.history(job_id)
    assert steps([created, queued, started, completed]) == ["created", "queued", "started", "completed"]
    assert created.at == queued.at <= started.at <= completed.at
    assert started.worker == completed.worker == project.job(job_id).worker
    assert kept(project, job_id) == 0


@every_broker_but_quorum
def test_each_attempt_stands_there_with_the_reason_for_the_next(project):
    job_id = project.send("flaky", 2)
    # A process may say that there will be another attempt after that has ended.
    wanted = ["created", "queued", *["started", "retrying"] * 2, "started", "completed"]
    eventually(lambda: steps(project.queries.history(job_id)) == wanted)
    found = project.queries.history(job_id)
    assert [entry.attempt for entry in found if entry.step is Step.STARTED] == [0, 1, 2]
    retries = [entry for entry in found if entry.step is Step.RETRYING]
    assert {entry.reason for entry in retries} == {"ConnectionError: not yet"}
    assert all(entry.worker and entry.not_before and entry.not_before > found[0].at for entry in retries)


@every_broker
def test_a_second_delivery_stands_there(project):
    job_id = project.send("rejected", True)
    project.expect_settled(job_id)
    found = project.queries.history(job_id)
    assert steps(found) == ["created", "queued", "started", "requeued", "started", "completed"]
    assert found[3].reason == "the task gave its message back to the queue"


def test_who_cancelled_and_what_came_of_an_earlier_run_are_kept(project):
    project.announce()
    gate = uuid.uuid4().hex
    job_id = project.launch("hold_and_look", {"gate": gate})
    project.expect_status(job_id, Status.RUNNING)
    project.jobs.cancel(job_id, reason="Ada does not want it any more")
    project.expect_settled(job_id)
    project.diary.open_gate(gate)
    project.jobs.retry(job_id)
    project.expect_status(job_id, Status.COMPLETED)
    found = project.queries.history(job_id)
    assert [(entry.step, entry.run) for entry in found] == [
        (Step.CREATED, None),
        *[(step, 1) for step in (Step.QUEUED, Step.STARTED, Step.CANCEL_REQUESTED, Step.CANCELLED)],
        *[(step, 2) for step in (Step.QUEUED, Step.STARTED, Step.COMPLETED)],
    ]
    assert {entry.reason for entry in found[3:5]} == {"Ada does not want it any more"}
    assert all(entry.worker for entry in found if entry.step in {Step.STARTED, Step.CANCELLED, Step.COMPLETED})


def test_what_waited_when_it_was_cancelled_has_one_entry_for_it(own_project):
    own_project.announce()
    job_id = own_project.launch("ok")
    own_project.jobs.cancel(job_id, reason="too late")
    found = own_project.queries.history(job_id)
    assert steps(found) == ["created", "queued", "cancelled"]
    assert found[-1].reason == "too late"
    assert kept(own_project, job_id) == 0


def test_a_verdict_that_was_presumed_and_its_correction_both_stand_there(store, queries, client, keys):
    job_id = create_in(store, Status.RUNNING, worker="w@h")
    store.apply(Event.LOSE, job_id, fields={"reason": "w@h was lost"}, at_ms=START_MS + 10)
    store.apply(Event.COMPLETE, job_id, at_ms=START_MS + 20)
    found = queries.history(job_id)
    assert steps(found) == ["created", "queued", "started", "failed", "corrected", "completed"]
    failed, corrected, completed = found[-3:]
    assert (failed.inferred, failed.reason, completed.inferred) == (True, "w@h was lost", False)
    assert (corrected.reason, corrected.worker) == (None, "w@h")
    assert recount(client, keys) == []


def test_that_a_parent_failed_by_its_sub_jobs_is_not_presumed(store, queries):
    parent, [sub] = create_parent(store, 1)
    report(store, parent, sub, Event.FAIL, run=1)
    last = queries.history(parent)[-1]
    assert (last.step, last.inferred) == (Step.FAILED, False)


def test_a_delivery_after_the_end_is_told_from_one_that_counts(store, queries):
    job_id = create_in(store, Status.COMPLETED)
    change = store.apply(Event.START, job_id, run=1, attempt=0, fields={"worker": "other@h"}, at_ms=START_MS + 5)
    assert change.outcome is Outcome.STALE
    last = queries.history(job_id)[-1]
    assert (last.step, last.worker, last.run) == (Step.STARTED_AGAIN, "other@h", 1)


@pytest.mark.parametrize(
    "before",
    [[Event.RELAUNCH], [Event.FAIL, Event.RERUN], [Event.UNENQUEUE], [Event.CANCELLED], [Event.QUARANTINE]],
    ids=lambda before: before[-1],
)
def test_a_message_whose_task_must_not_begin_is_told(store, queries, before):
    status = Status.PENDING if before == [Event.UNENQUEUE] else Status.RUNNING
    job_id = create_in(store, status)
    for event in before:
        assert store.apply(event, job_id, run=1, at_ms=START_MS + 1).applied
    execution = f"{START_MS + 5}-late-1"
    job = queries.get(job_id)
    store.apply(
        Event.START,
        job_id,
        run=1,
        attempt=0,
        execution=execution,
        fields={"worker": "late@h"},
        at_ms=START_MS + 5,
    )
    refused = [entry for entry in queries.history(job_id) if entry.step is Step.REFUSED]
    assert [(entry.worker, entry.run) for entry in refused] == [("late@h", 1)]
    assert queries.get(job_id) == job


def test_a_start_that_failed_is_told(store, queries):
    job_id = create_job(store)
    store.apply(Event.ENQUEUE, job_id, at_ms=START_MS + 1)
    store.apply(Event.UNENQUEUE, job_id, run=1, at_ms=START_MS + 2)
    assert steps(queries.history(job_id)) == ["created", "not_sent"]


def test_what_is_kept_has_an_end_and_goes_with_the_job(store, queries, client, keys):
    job_id = create_in(store, Status.RUNNING)
    for n in range(150):
        store.apply(Event.REQUEUE, job_id, fields={"reason": f"time {n}"}, at_ms=START_MS + n)
        store.apply(Event.START, job_id, at_ms=START_MS + n)
    found = queries.history(job_id)
    assert client.llen(keys("history", job_id)) == 100
    assert (len(found), found[-1].step) == (103, Step.STARTED)
    store.apply(Event.FAIL, job_id)
    assert recount(client, keys) == []
    store.delete(job_id)
    assert not [key for key in keys_of(client, keys) if "history" in key]
    with pytest.raises(JobNotFoundError):
        queries.history(job_id)
