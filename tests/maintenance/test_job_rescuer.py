"""Jobs of lost and stopped workers are rescued."""

import pytest
from support.recount import recount
from support.sample_jobs import a_worker, begin, create_parent

from jobtracker import Status
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.instrumentation.current_job import CurrentJob
from jobtracker.maintenance import job_rescuer
from jobtracker.store.keys import LET_GO

pytestmark = pytest.mark.thorough


def test_only_jobs_of_workers_without_a_lease_are_lost(own_project, store, runner, leases, now_ms):
    leases.renew(a_worker("alive"))
    lost = begin(store, "dead", now_ms - 60_000)
    held = begin(store, "alive", now_ms - 60_000)
    just_begun = begin(store, "dead too", now_ms)
    assert runner.rescuer.rescue_lost() == 1
    assert [own_project.account(each).status for each in (lost, held, just_begun)] == ["failed", "running", "running"]


def test_a_worker_whose_clock_is_behind_is_not_lost(own_project, store, runner, leases, now_ms):
    leases.renew(a_worker("alive"))
    own_project.client.zadd(own_project.keys("leases"), {"alive": now_ms - 60_000})
    held = begin(store, "alive", now_ms - 60_000)
    assert runner.rescuer.rescue_lost() == 0
    assert own_project.job(held).status is Status.RUNNING


def test_a_lost_job_whose_message_comes_back_waits_for_it(own_project, store, runner, now_ms):
    lost = begin(store, "dead", now_ms - 60_000, acks_late="1")
    assert runner.rescuer.rescue_lost() == 1
    assert own_project.job(lost).reason == "w@test was lost; the broker will deliver the message again"
    assert own_project.job(lost).status is Status.PENDING


def test_jobs_of_a_stopped_worker_are_settled_and_those_of_others_not(own_project, store, runner, now_ms):
    late = begin(store, "stopped", now_ms, acks_late="1")
    early = begin(store, "stopped", now_ms)
    others = begin(store, "another", now_ms, acks_late="1")
    assert runner.rescuer.rescue_stopped("stopped") == 2
    assert own_project.job(late).reason == "w@test has shut down; the broker will deliver the message again"
    assert own_project.job(early).error.type == "WorkerShutdown"
    assert [own_project.job(each).status for each in (late, early, others)] == ["pending", "failed", "running"]


def test_a_job_that_another_worker_took_on_is_not_lost_with_the_first(own_project, store, now_ms):
    job_id = begin(store, "first", now_ms, acks_late="1")
    store.apply(Event.START, job_id, run=1, attempt=0, fields={"lease": "second"})
    assert store.apply(Event.REQUEUE, job_id, run=1, lease="first").outcome is Outcome.STALE
    assert own_project.job(job_id).status is Status.RUNNING
    assert store.apply(Event.REQUEUE, job_id, run=1, lease="second").applied


def test_a_worker_that_was_only_silent_corrects_the_inferred_outcome(own_project, store, runner, now_ms):
    lost = begin(store, "dead", now_ms - 60_000)
    runner.rescuer.rescue_lost()
    assert own_project.job(lost).status is Status.FAILED
    store.apply(Event.COMPLETE, lost, run=1, attempt=0)
    assert (own_project.job(lost).status, own_project.job(lost).error) == (Status.COMPLETED, None)
    assert recount(own_project.client, own_project.keys) == []


@pytest.mark.parametrize("sign", ["a start", "progress"])
def test_a_parent_is_open_again_when_its_lost_sub_job_turns_out_to_run(own_project, store, sign):
    root, (inner,) = create_parent(store, 1)
    inner, (sub,) = create_parent(store, 1, name=inner)
    follow = own_project.tracking.propagation.propagate
    store.apply(Event.START, sub, run=1)
    follow(sub, store.apply(Event.LOSE, sub, run=1, fields={"reason": "its worker was lost"}))
    assert [own_project.job(each).status for each in (root, inner)] == [Status.FAILED, Status.FAILED]
    if sign == "progress":
        CurrentJob(own_project.tracking, None, sub, 1, 0).progress(1, 2)
    else:
        follow(sub, store.apply(Event.START, sub, run=1))
    jobs = [own_project.job(each) for each in (root, inner)]
    assert [(each.status, each.reason, each.error) for each in jobs] == [(Status.RUNNING, None, None)] * 2
    follow(sub, store.apply(Event.COMPLETE, sub, run=1))
    assert own_project.job(inner).sub_job_counts.completed == 1
    assert recount(own_project.client, own_project.keys) == []


def test_a_lost_sub_job_fails_its_parent(own_project, store, runner, now_ms):
    root, (sub,) = create_parent(store, 1)
    store.apply(Event.START, sub, at_ms=now_ms - 60_000, fields={"lease": "dead", "worker": "w@test"})
    runner.rescuer.rescue_lost()
    assert own_project.job(root).status is Status.FAILED
    assert "w@test was lost" in own_project.job(root).error.message


def test_more_lost_jobs_than_a_batch_holds_are_all_settled(own_project, store, runner, leases, now_ms):
    leases.renew(a_worker("alive"))
    for n in range(600):
        begin(store, "dead" if n % 2 else "alive", now_ms - 60_000 + n)
    assert runner.rescuer.rescue_lost() == 300
    assert runner.rescuer.rescue_lost() == 0
    assert recount(own_project.client, own_project.keys) == []


def test_a_round_looks_at_some_running_jobs_unless_a_worker_has_gone(
    own_project, store, runner, leases, now_ms, monkeypatch
):
    for name in ("_LOOKED_AT", "_BATCH"):
        monkeypatch.setattr(job_rescuer, name, 50)
    leases.renew(a_worker("alive"))
    for n in range(200):
        begin(store, "alive", now_ms - 60_000 + n // 30)
    assert runner.rescuer.rescue_lost() == 0
    runner.rescuer._lost_some_at = float("-inf")  # long ago
    begin(store, LET_GO, now_ms - 30_000)
    assert [runner.rescuer.rescue_lost() for _ in range(6)] == [0, 0, 0, 0, 1, 0]
    leases.release("alive")
    assert runner.rescuer.rescue_lost() == 200
    assert recount(own_project.client, own_project.keys) == []
