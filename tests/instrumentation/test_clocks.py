"""Processes whose clocks differ, and reports that come late: what decides does not depend on whose clock is wrong."""

import pytest
from support.recount import recount
from support.sample_jobs import START_MS, create_job, create_parent
from support.workers_under_test import eventually

from jobtracker import Status
from jobtracker.core.lifecycle import Event, Outcome

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_a_worker_whose_clock_is_wrong_lives_and_works(own_project, monkeypatch, ahead_s):
    monkeypatch.setenv("PROJECT_CLOCK_AHEAD_S", str(ahead_s))
    with own_project.worker(lease_lost_s=4, lease_renew_s=0.5, maintenance_interval_s=0.2) as worker:
        [lease] = own_project.leases.live()
        assert abs(own_project.leases.skews_ms()[lease.name] - ahead_s * 1000) < 1500
        server_ms = own_project.queries.server_ms()
        assert 0 < own_project.leases.ends_ms([lease.incarnation])[lease.incarnation] - server_ms <= 20_000
        gate = f"{own_project.name} {ahead_s}"
        held, waiting = own_project.launch("hold", {"gate": gate}), own_project.create("ok")
        own_project.expect_did(held, "began")
        # Its maintenance takes neither for overdue what was just sent, nor for lost what it runs.
        own_project.client.zadd(own_project.keys("unconfirmed"), {waiting: server_ms})
        eventually(lambda: own_project.queries.server_ms() > server_ms + 1500)
        assert own_project.queries.are_unconfirmed([waiting]) == {waiting}
        assert (own_project.job(held).status, own_project.job(held).run) == (Status.RUNNING, 1)
        own_project.client.zrem(own_project.keys("unconfirmed"), waiting)
        own_project.diary.open_gate(gate)
        done = own_project.expect(held, Status.COMPLETED, "SUCCESS", ["began", "returned"])
        assert done.deliveries == 1
        assert worker.lease


BEFORE, CANCELLED, AFTER = START_MS + 100, START_MS + 200, START_MS + 300
EXECUTION = f"{BEFORE}-w1-a"


def cancelled(store, **fields):
    job = create_job(store, **fields)
    store.apply(Event.ENQUEUE, job, at_ms=START_MS)
    store.apply(Event.CANCEL, job, at_ms=CANCELLED, fields={"reason": "cancelled by request"})
    return job


def report(store, event, job, at_ms, **more):
    return store.apply(event, job, run=1, attempt=0, execution=EXECUTION, at_ms=at_ms, **more)


@pytest.mark.parametrize(("event", "status"), [(Event.COMPLETE, Status.COMPLETED), (Event.FAIL, Status.FAILED)])
def test_a_job_that_had_ended_before_its_cancel_has_ended_so(client, keys, store, queries, event, status):
    job = cancelled(store)
    late = report(store, Event.START, job, BEFORE)
    assert (late.outcome, queries.record(job).as_texts()["deliveries"]) == (Outcome.STALE, "1")  # it ran, and counts
    assert report(store, event, job, CANCELLED - 1, data={"result": "1"}).after is status
    record = queries.record(job).as_texts()
    assert (record["finished"], record["started"], record["deliveries"]) == (str(CANCELLED - 1), str(BEFORE), "1")
    assert "reason" not in record
    assert "corrected" in [each.step for each in queries.history(job)]
    assert recount(client, keys) == []


def test_a_job_that_ended_after_its_cancel_stays_cancelled(client, keys, store, queries):
    job = cancelled(store)
    assert report(store, Event.START, job, AFTER).outcome is Outcome.DUPLICATE
    assert "deliveries" not in queries.record(job).as_texts()  # its worker has refused it
    assert report(store, Event.COMPLETE, job, AFTER).outcome is Outcome.STALE
    assert queries.record(job).as_texts()["status"] == "cancelled"
    assert recount(client, keys) == []


def test_a_sub_job_that_ended_before_the_cancel_of_its_tree_is_completed(client, keys, store, queries):
    parent, subs = create_parent(store, 2)
    for each in [*subs, parent]:
        store.apply(Event.CANCEL, each, at_ms=CANCELLED)
    for each in subs:
        store.notify_parent(parent, each, 1, Status.CANCELLED)
    change = store.report(
        store.call_of(Event.COMPLETE, subs[0], run=1, attempt=0, execution=EXECUTION, at_ms=CANCELLED - 1)
    )
    if change.verdict is None and change.parent:
        store.notify_parent(parent, subs[0], 1, Status.COMPLETED)
    record = queries.record(parent).as_texts()
    assert (record["status"], record["subs_completed"], record["subs_cancelled"]) == ("cancelled", "1", "1")
    assert recount(client, keys) == []


def test_a_chord_body_that_begins_before_it_was_sent_keeps_its_run(client, keys, store, queries):
    parent, _ = create_parent(store, 1)
    sent = START_MS + 90_000  # by a clock that is right
    for n, ended in ((1, Outcome.APPLIED), (2, Outcome.STALE)):
        execution = f"{START_MS + n}-w{n}-a"
        of = {"run": 1, "attempt": 0, "sent": sent, "execution": execution}
        assert store.apply(Event.START, parent, **of, at_ms=START_MS + n).outcome is ended
        store.apply(Event.COMPLETE, parent, **of, at_ms=START_MS + n)
    job = queries.get(parent)
    assert (job.status, job.run, job.deliveries, job.double_runs) == (Status.COMPLETED, 1, 2, 1)
    assert recount(client, keys) == []
