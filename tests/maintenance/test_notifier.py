"""Parents, and the next of chains, are notified if the process that was about to do so has died."""

import pytest
from support.maintenance import DAY_MS, begun_parent, left
from support.sample_jobs import create_job, create_parent

from jobtracker import Status
from jobtracker.core.lifecycle import Event
from jobtracker.maintenance.runner import MaintenanceRunner

pytestmark = pytest.mark.thorough


def test_a_parent_that_was_not_notified_of_its_sub_job_is_notified(own_project, store, runner, now_ms):
    root, sub = begun_parent(own_project, now_ms)
    store.apply(Event.FAIL, sub, fields={"reason": "no ink"}, at_ms=now_ms - 60_000)  # and then the process died
    assert runner.notifier.notify() == 1
    assert own_project.job(root).status is Status.FAILED
    assert "no ink" in own_project.job(root).error.message
    assert runner.notifier.notify() == 0


def test_a_parent_that_waits_for_a_parent_is_notified_of_it(own_project, store, runner, now_ms):
    root, (inner,) = create_parent(store, 1)
    inner, (sub,) = create_parent(store, 1, name=inner)
    long_ago_ms = now_ms - 60_000
    change = store.apply(Event.CANCEL, sub, at_ms=long_ago_ms)
    assert store.notify_parent(inner, sub, change.run, Status.CANCELLED, at_ms=long_ago_ms).verdict == "settled"
    assert runner.notifier.notify() == 1  # of the parent: whoever was about to do so has died
    assert [own_project.job(each).status for each in (inner, root)] == [Status.FAILED, Status.FAILED]


def test_the_next_of_a_chain_is_notified_that_the_job_before_failed(own_project, store, runner, now_ms):
    before, following, last = (f"chain.{n}" for n in range(3))
    create_job(store, before, at_ms=now_ms - 60_000, run=1, queued=now_ms - 60_000, next=following)
    for each, sender, then in ((following, before, {"next": last}), (last, following, {})):
        create_job(store, each, at_ms=now_ms - 60_000, run=1, sent_by=sender, **then)
    store.apply(Event.FAIL, before, at_ms=now_ms - 60_000)  # and then the process died
    assert runner.notifier.notify() == 1
    assert [own_project.job(each).status for each in (following, last)] == [Status.CANCELLED] * 2
    assert runner.notifier.notify() == 0


def test_a_parent_is_open_again_though_nobody_reported_its_lost_sub_job(own_project, store, runner, now_ms):
    root, sub = begun_parent(own_project, now_ms)
    start = {"run": 1, "attempt": 0, "at_ms": now_ms - 60_000}
    store.apply(Event.START, sub, **start)
    own_project.tracking.propagation.propagate(sub, store.apply(Event.LOSE, sub, run=1))
    assert own_project.job(root).status is Status.FAILED
    store.apply(Event.START, sub, **start)  # and then the process died
    assert runner.notifier.notify() == 1
    assert own_project.job(root).status is Status.RUNNING


def test_a_parent_whose_task_nobody_called_is_called(own_project, store, runner, now_ms):
    root, sub = begun_parent(own_project, now_ms, failure_policy="continue")
    change = store.apply(Event.FAIL, sub)
    assert store.notify_parent(root, sub, change.run, Status.FAILED).verdict == "due"  # and then the process died
    own_project.client.zadd(own_project.keys("unconfirmed"), {root: now_ms - 60_000})
    assert [runner.relay.send() for _ in range(3)] == [1, 0, 0]
    with own_project.worker():
        assert own_project.expect(root, Status.COMPLETED, "SUCCESS", ["began", "returned"]).result == [None]


def test_a_parent_that_waits_for_a_sub_job_is_left_alone(own_project, runner, now_ms):
    root, _ = begun_parent(own_project, now_ms)
    assert runner.notifier.notify() == 0
    assert own_project.job(root).status is Status.RUNNING


def test_a_settled_parent_is_notified_too_or_it_could_never_be_removed(own_project, store, runner, now_ms):
    root, (sub,) = create_parent(store, 1)
    for each in (sub, root):
        store.apply(Event.CANCEL, each, at_ms=now_ms - 8 * DAY_MS)  # and then the process died
    assert runner.pruner.prune() == 0
    assert runner.notifier.notify() == 1
    assert MaintenanceRunner(own_project.tracking).pruner.prune() == 2  # as each does when it begins anew
    assert left(own_project) == 0
