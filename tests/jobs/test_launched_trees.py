"""Jobs and trees that are sent by the service: how they run, and how they are called off."""

import pytest
from support.sample_jobs import create_parent
from support.workers_under_test import eventually, every_broker, job

from jobtracker import Status
from jobtracker.core.lifecycle import Event
from jobtracker.errors import IllegalTransitionError, JobNotFoundError
from jobtracker.jobs.tree_sender import changed_places
from jobtracker.schemas.requests import JobUpdate

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]


@pytest.fixture
def gate(project, request):
    """The name of a gate that no other test has."""
    return f"{project.name}-{request.node.name}"


# -- run ------------------------------------------------------------------------------------------------------------


@every_broker
def test_a_job_waits_until_it_is_started(project):
    job_id = project.create("ok", {"value": 7}, name="Seven", tags=["a"], priority="high")
    created = project.expect(job_id, Status.PENDING, "PENDING", [])
    assert (created.run, created.queued_at, created.task_id) == (0, None, None)
    project.jobs.start(job_id)
    done = project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.result, done.name, done.tags, done.priority) == (7, "Seven", ["a"], "high")
    assert (done.run, done.task_id, done.queue) == (1, job_id, project.queue)


@every_broker
def test_a_parent_gets_the_results_of_nested_sub_jobs_in_order(project):
    def level(depth, value):
        if depth == 0:
            return job("ok", {"value": value})
        return job("collect", {"label": f"{depth}.{value}"}, sub_jobs=[level(depth - 1, n) for n in range(2)])

    root = project.jobs.create(level(3, 0))
    project.jobs.start(root)
    pairs = [{"label": f"1.{n}", "results": [0, 1]} for n in range(2)]
    halves = [{"label": f"2.{n}", "results": pairs} for n in range(2)]
    done = project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert done.result == {"label": "3.0", "results": halves}
    for each in project.queries.families(root):
        project.expect(each, Status.COMPLETED, "SUCCESS", RAN)


def test_a_job_is_started_once(project, gate):
    job_id = project.launch("hold", {"gate": gate})
    with pytest.raises(IllegalTransitionError, match="started already"):
        project.jobs.start(job_id)
    project.diary.open_gate(gate)
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    with pytest.raises(IllegalTransitionError, match="retry"):
        project.jobs.start(job_id)


def test_a_sub_job_is_started_by_its_parent_only(project):
    root = project.create("collect", sub_jobs=[job("ok")])
    (sub,) = project.subs(root)
    with pytest.raises(IllegalTransitionError, match="start its parent"):
        project.jobs.start(sub)
    project.expect(sub, Status.PENDING, "PENDING", [])


def test_a_job_that_is_not_there_can_not_be_started(project):
    for action in (project.jobs.start, project.jobs.cancel, project.jobs.retry, project.jobs.delete):
        with pytest.raises(JobNotFoundError):
            action("nobody")


def test_a_custom_job_runs_an_announced_task_with_its_arguments(project):
    done = project.expect(
        project.launch("custom", {"task": "add", "args": [3], "kwargs": {"other": 4}}), "completed", "SUCCESS", RAN
    )
    assert (done.result, done.task, done.job_type) == (7, "add", "custom")


def test_all_above_a_task_run_once_it_has_begun(project, gate):
    inner = job("collect", sub_jobs=[job("hold", {"gate": gate})])
    root = project.launch("collect", sub_jobs=[job("collect", sub_jobs=[inner])])
    *above, leaf = project.queries.families(root)
    project.expect(leaf, Status.RUNNING, "STARTED", ["began"])
    for each in above:
        project.expect_status(each, Status.RUNNING)
    project.diary.open_gate(gate)
    project.expect(root, Status.COMPLETED, "SUCCESS", RAN)


# -- failure policies -----------------------------------------------------------------------------------------------


@every_broker
def test_fail_lets_all_sub_jobs_end_before_the_parent_fails(project, gate):
    root = project.launch("collect", sub_jobs=[job("fail"), job("hold", {"gate": gate})])
    bad, slow = project.subs(root)
    project.expect(bad, Status.FAILED, "FAILURE", ["began"])
    project.expect(slow, Status.RUNNING, "STARTED", ["began"])
    assert project.job(root).status is Status.RUNNING
    project.diary.open_gate(gate)
    project.expect(slow, Status.COMPLETED, "SUCCESS", RAN)
    project.expect(root, Status.FAILED, "FAILURE", [])


@every_broker
def test_fail_fast_asks_running_sub_jobs_to_stop(project, gate):
    running = job("hold_and_look", {"gate": "never opened"})
    root = project.launch(
        "collect", failure_policy="fail_fast", sub_jobs=[job("hold_and_fail", {"gate": gate}), running]
    )
    bad, looking = project.subs(root)
    project.expect(looking, Status.RUNNING, "STARTED", ["began"])
    project.diary.open_gate(gate)
    stopped = project.expect(looking, Status.CANCELLED, "REVOKED", ["began", "stopped"])
    assert "fail_fast" in stopped.reason
    project.expect(root, Status.FAILED, "FAILURE", [])
    eventually(lambda: bad in project.job(root).error.message)


def test_fail_fast_keeps_waiting_sub_jobs_from_starting(single):
    first = job("hold_and_fail", {"gate": "fail fast"})
    waiting = [job("ok"), job("collect", sub_jobs=[job("ok"), job("ok")])]
    root = single.launch("collect", failure_policy="fail_fast", sub_jobs=[first, *waiting])
    bad, *rest = single.subs(root)
    single.expect(bad, Status.RUNNING, "STARTED", ["began"])
    single.diary.open_gate("fail fast")
    single.expect_status(root, Status.FAILED)
    for each in [*rest, *single.subs(rest[1])]:
        assert single.expect_status(each, Status.CANCELLED).reason is not None
    single.expect(single.send("ok"), Status.COMPLETED, "SUCCESS", RAN)  # behind them all in the queue
    assert [single.did(each) for each in single.queries.families(root)] == [[], ["began"], [], [], [], []]


@every_broker
def test_continue_runs_the_parent_with_what_there_is(project):
    subs = [job("ok", {"value": 1}), job("fail", {"message": "no ink"}), job("ok", {"value": 3})]
    root = project.launch("collect_errors", failure_policy="continue", sub_jobs=subs)
    done = project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert done.result == {"results": [1, None, 3], "errors": [None, "no ink", None]}


@every_broker
def test_continue_in_the_middle_of_a_tree(project):
    tolerant = job("collect_errors", failure_policy="continue", sub_jobs=[job("fail"), job("ok", {"value": 2})])
    root = project.launch("collect", sub_jobs=[tolerant, job("ok", {"value": 3})])
    done = project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert done.result == [{"results": [None, 2], "errors": ["as asked", None]}, 3]


def test_a_tree_fails_up_to_its_root(project):
    middle = job("collect", sub_jobs=[job("collect", sub_jobs=[job("fail"), job("ok")]), job("ok")])
    root = project.launch("collect", sub_jobs=[middle, job("ok")])
    project.expect_settled(*project.queries.families(root))
    assert project.job(root).status is Status.FAILED
    statuses = [project.job(each).status.value for each in project.queries.families(root)]
    assert statuses == ["failed", "failed", "completed", "failed", "completed", "failed", "completed"]


# -- cancel ---------------------------------------------------------------------------------------------------------


def test_a_tree_that_is_cancelled_before_it_is_started_can_not_be_started(project):
    root = project.create("collect", sub_jobs=[job("ok"), job("ok")])
    project.jobs.cancel(root, reason="changed my mind")
    for each in project.queries.families(root):
        assert project.expect(each, Status.CANCELLED, "PENDING", []).reason == "changed my mind"
    with pytest.raises(IllegalTransitionError):
        project.jobs.start(root)


def test_a_tree_that_is_cancelled_while_it_is_queued_never_runs(single):
    blocker = single.send("hold", "queued tree")
    single.expect(blocker, Status.RUNNING, "STARTED", ["began"])
    root = single.launch("collect", sub_jobs=[job("ok"), job("collect", sub_jobs=[job("ok")])])
    single.jobs.cancel(root)
    for each in single.queries.families(root):
        single.expect_status(each, Status.CANCELLED)
    single.diary.open_gate("queued tree")
    single.expect(single.send("ok"), Status.COMPLETED, "SUCCESS", RAN)
    assert not any(single.did(each) for each in single.queries.families(root))


def test_a_worker_that_starts_after_the_cancel_does_not_run_it_either(own_project):
    own_project.announce()
    root = own_project.launch("collect", sub_jobs=[job("ok"), job("ok")])
    alone = own_project.launch("ok")
    own_project.jobs.cancel(root)
    own_project.jobs.cancel(alone)
    with own_project.worker():
        for each in [alone, *own_project.subs(root)]:
            own_project.expect(each, Status.CANCELLED, "REVOKED", [])
        own_project.expect(root, Status.CANCELLED, "FAILURE", [])


def test_a_tree_that_is_cancelled_while_sub_jobs_run_stops_when_they_have(project):
    looking = [job("hold_and_look", {"gate": "never opened"}) for _ in range(2)]
    root = project.launch("collect", sub_jobs=[job("ok"), job("collect", sub_jobs=looking)])
    done, inner = project.subs(root)
    for each in project.subs(inner):
        project.expect(each, Status.RUNNING, "STARTED", ["began"])
    project.expect(done, Status.COMPLETED, "SUCCESS", RAN)
    project.jobs.cancel(root)
    assert project.job(root).cancel_requested_at is not None
    for each in project.subs(inner):
        project.expect(each, Status.CANCELLED, "REVOKED", ["began", "stopped"])
    project.expect_status(inner, Status.CANCELLED)
    project.expect_status(root, Status.CANCELLED)
    assert project.did(root) == project.did(inner) == []


def test_a_parent_whose_own_task_runs_is_cancelled_when_it_looks(project):
    root = project.launch("hold_and_look_as_parent", {"gate": "never opened"}, sub_jobs=[job("ok")])
    project.expect(root, Status.RUNNING, "STARTED", ["began"])
    project.jobs.cancel(root)
    project.expect(root, Status.CANCELLED, "REVOKED", ["began", "stopped"])


def test_a_task_that_does_not_look_completes_in_spite_of_the_cancel(project, gate):
    job_id = project.launch("hold", {"gate": gate})
    project.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    project.jobs.cancel(job_id)
    assert project.job(job_id).status is Status.RUNNING
    project.diary.open_gate(gate)
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)


@every_broker
def test_termination_kills_what_runs(project):
    held = job("hold", {"gate": "never opened"})
    root = project.launch("collect", sub_jobs=[held, held])
    for each in project.subs(root):
        project.expect(each, Status.RUNNING, "STARTED", ["began"])
    project.jobs.cancel(root, terminate=True)
    for each in project.subs(root):
        project.expect(each, Status.CANCELLED, "REVOKED", ["began"])
    project.expect_status(root, Status.CANCELLED)


def test_one_sub_job_that_is_cancelled_fails_its_parent(project, gate):
    looking = job("hold_and_look", {"gate": "never opened"})
    root = project.launch("collect", sub_jobs=[looking, job("ok")])
    sub = project.subs(root)[0]
    project.expect(sub, Status.RUNNING, "STARTED", ["began"])
    project.jobs.cancel(sub, reason="not this one")
    project.expect(sub, Status.CANCELLED, "REVOKED", ["began", "stopped"])
    project.expect_status(root, Status.FAILED)
    eventually(lambda: "cancelled" in project.job(root).error.message)


def test_an_ended_job_is_not_cancelled_a_cancelled_one_stays_so(project):
    done = project.launch("ok")
    project.expect(done, Status.COMPLETED, "SUCCESS", RAN)
    with pytest.raises(IllegalTransitionError, match="has ended"):
        project.jobs.cancel(done)
    cancelled = project.create("ok")
    project.jobs.cancel(cancelled, reason="first")
    project.jobs.cancel(cancelled, reason="second")
    assert project.job(cancelled).reason == "first"


# -- delete ---------------------------------------------------------------------------------------------------------


def test_a_tree_is_deleted_whole_once_it_has_ended(project, gate):
    root = project.launch("collect", sub_jobs=[job("hold", {"gate": gate}), job("ok")])
    everything = list(project.queries.families(root))
    with pytest.raises(IllegalTransitionError, match="Cancel it first"):
        project.jobs.delete(root)
    project.diary.open_gate(gate)
    project.expect_settled(*everything)
    with pytest.raises(IllegalTransitionError, match="delete its parent"):
        project.jobs.delete(everything[1])
    project.jobs.delete(root)
    for each in everything:
        assert project.account(each).status == "missing"


def test_a_tree_is_not_deleted_while_a_task_deep_in_it_runs(own_project):
    store, propagation = own_project.tracking.store, own_project.tracking.propagation
    root, (inner,) = create_parent(store, 1)
    inner, (leaf,) = create_parent(store, 1, name=inner)
    store.apply(Event.START, leaf, run=1, attempt=0)  # and before the news of it, a cancel
    propagation.cancellation.cancel_trees([root], reason="not any more")
    assert [own_project.job(each).status for each in (root, inner)] == [Status.CANCELLED] * 2
    with pytest.raises(IllegalTransitionError, match="has not ended"):
        own_project.jobs.delete(root)
    propagation.propagate(leaf, store.apply(Event.CANCELLED, leaf, run=1, attempt=0))
    own_project.jobs.delete(root)
    assert {own_project.account(each).status for each in (root, inner, leaf)} == {"missing"}


def test_a_job_that_was_never_started_is_deleted_at_once(project):
    root = project.create("collect", sub_jobs=[job("ok")])
    project.jobs.delete(root)
    with pytest.raises(JobNotFoundError):
        project.job(root)


# -- jobs that run outside of Celery --------------------------------------------------------------------------------


def report(project, job_id, **fields):
    project.jobs.update(job_id, JobUpdate.model_validate(fields))
    return project.job(job_id)


def test_an_outside_worker_reports_on_a_job_that_was_not_started(project):
    job_id = project.create("ok")
    assert report(project, job_id, status="running").status is Status.RUNNING
    halfway = report(project, job_id, progress={"done": 1, "total": 2, "note": "page 1"})
    assert (halfway.progress.percent, halfway.progress.note) == (50, "page 1")
    done = report(project, job_id, status="completed", result={"pages": 2})
    assert (done.status, done.result, done.run) == (Status.COMPLETED, {"pages": 2}, 0)
    with pytest.raises(IllegalTransitionError):
        report(project, job_id, status="failed")


def test_a_job_that_an_outside_worker_has_begun_can_not_be_started(project):
    job_id = project.create("ok")
    report(project, job_id, status="running")
    with pytest.raises(IllegalTransitionError):
        project.jobs.start(job_id)


def test_a_job_that_celery_runs_takes_no_reports(project):
    job_id = project.launch("ok")
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    with pytest.raises(IllegalTransitionError, match="Celery runs it"):
        report(project, job_id, status="failed")


def test_the_sub_jobs_of_an_outside_worker_settle_their_parent(project):
    root = project.create("collect", sub_jobs=[job("ok"), job("ok")])
    first, second = project.subs(root)
    report(project, first, status="completed", result=1)
    report(project, second, status="failed", error={"type": "PaperJam", "message": "tray 2"})
    assert project.expect_status(root, Status.FAILED).sub_job_counts.failed == 1
    assert "tray 2" in project.job(root).error.message


def test_a_cancelled_outside_job_takes_no_more_reports(project):
    job_id = project.create("ok")
    report(project, job_id, status="running")
    assert report(project, job_id, status="cancelled").status is Status.CANCELLED
    with pytest.raises(IllegalTransitionError):
        report(project, job_id, status="completed")


# -- change ---------------------------------------------------------------------------------------------------------


def test_a_payload_that_changes_during_the_start_has_its_own_task(project):
    job_id = project.create("custom", {"task": "ok", "kwargs": {"value": 1}})
    tracking = project.tracking
    places = changed_places(project.queries, tracking.registry, tracking.large_values, [job_id])
    project.jobs.update(job_id, JobUpdate(payload={"task": "add", "args": [3], "kwargs": {"other": 4}}))
    project.tracking.store.apply(Event.ENQUEUE, job_id, fields=places[job_id])
    project.tracking.dispatcher.publish({job_id: []}, {job_id: 1})
    assert project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).result == 7


def test_priority_and_payload_are_changed_before_the_start_only(project):
    job_id = project.create("ok", {"value": 1})
    changed = report(project, job_id, priority="critical", payload={"value": 2}, name="Two")
    assert (changed.priority, changed.payload, changed.name) == ("critical", {"value": 2}, "Two")
    project.jobs.start(job_id)
    assert project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).result == 2
    with pytest.raises(IllegalTransitionError, match="before it is started"):
        report(project, job_id, priority="low")
    assert report(project, job_id, tags=["kept"]).tags == ["kept"]


# -- what has ended, or has begun elsewhere, before its tree is started ---------------------------------------------


def test_a_sub_job_cancelled_before_the_start_runs_only_by_a_retry(project):
    root = project.create("collect", sub_jobs=[job("ok", {"value": 1}), job("ok", {"value": 2})])
    off, on = project.subs(root)
    project.jobs.cancel(off)
    project.jobs.start(root)
    project.expect(on, Status.COMPLETED, "SUCCESS", RAN)
    project.expect_status(root, Status.FAILED)
    project.jobs.retry(root)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [1, 2]
    project.expect(off, Status.COMPLETED, "SUCCESS", RAN)


def test_a_sub_job_that_an_outside_worker_has_done_is_not_sent(project):
    inner = job("collect", {"label": "inner"}, sub_jobs=[job("ok", {"value": 2})])
    root = project.create("collect", {"label": "root"}, sub_jobs=[job("ok", {"value": 1}), inner])
    outside, inside = project.subs(root)
    project.jobs.update(outside, JobUpdate(status=Status.COMPLETED, result="from outside"))
    project.jobs.start(root)
    done = project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert done.result == {"label": "root", "results": ["from outside", {"label": "inner", "results": [2]}]}
    project.expect(outside, Status.COMPLETED, "PENDING", [])
    project.expect(inside, Status.COMPLETED, "SUCCESS", RAN)


def test_a_sub_job_that_an_outside_worker_does_meanwhile_is_waited_for(project):
    root = project.create("collect", sub_jobs=[job("ok", {"value": 1}), job("ok", {"value": 2})])
    outside, inside = project.subs(root)
    project.jobs.update(outside, JobUpdate(status=Status.RUNNING))
    project.jobs.start(root)
    project.expect(inside, Status.COMPLETED, "SUCCESS", RAN)
    assert project.job(root).status is not Status.COMPLETED
    project.jobs.update(outside, JobUpdate(status=Status.COMPLETED, result="at last"))
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == ["at last", 2]
