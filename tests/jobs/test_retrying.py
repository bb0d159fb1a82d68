"""Running failed and cancelled jobs again: only what did not complete, and the parent with old and new results."""

import threading
import uuid

import pytest
from celery import chain
from support.workers_under_test import every_broker, job

from jobtracker import Status
from jobtracker.core.lifecycle import Event
from jobtracker.errors import ArgumentsUnavailableError, IllegalTransitionError, ResultUnavailableError
from jobtracker.schemas.job_types import JobType

RAN = ["began", "returned"]


@pytest.fixture
def gate(project, request):
    """The name of a gate that no other test has."""
    return f"{project.name}-{request.node.name}"


def failed(project, job_id):
    """Wait until a job and all below it have settled, the job as failed."""
    project.expect_settled(*project.queries.families(job_id))
    project.expect_status(job_id, Status.FAILED)


@every_broker
def test_a_retry_is_a_new_run_of_the_same_job(project, gate):
    job_id = project.launch("mended", {"name": gate, "value": 7})
    project.expect(job_id, Status.FAILED, "FAILURE", ["began"])
    project.diary.open_gate(gate)
    project.jobs.retry(job_id)
    done = project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.run, done.task_id, done.result, done.error) == (2, f"{job_id}~2", 7, None)
    assert project.did(job_id, run=1) == ["began"]
    assert project.state(job_id, run=1) == "FAILURE"


def test_a_retry_may_fail_and_be_retried_again(project, gate):
    job_id = project.launch("mended", {"name": gate})
    for run in (1, 2):
        assert project.expect(job_id, Status.FAILED, "FAILURE", ["began"]).run == run
        project.jobs.retry(job_id)
        project.expect_did(job_id, "began", run=run + 1)
    project.expect(job_id, Status.FAILED, "FAILURE", ["began"])
    project.diary.open_gate(gate)
    project.jobs.retry(job_id)
    assert project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).run == 4


@every_broker
def test_of_a_tree_only_what_did_not_complete_runs_again(project, gate):
    good = job("ok", {"value": "old"})
    mended = job("mended", {"name": gate, "value": "new"})
    inner = job("collect", sub_jobs=[good, mended])
    whole = job("collect", sub_jobs=[good, good])
    root = project.launch("collect", sub_jobs=[whole, inner, good])
    failed(project, root)
    project.diary.open_gate(gate)
    project.jobs.retry(root)
    done = project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert done.result == [["old", "old"], ["old", "new"], "old"]
    inner_id = project.subs(root)[1]
    runs = {each: project.job(each).run for each in project.queries.families(root)}
    again = {root, inner_id, project.subs(inner_id)[1]}
    assert runs == {each: 2 if each in again else 1 for each in runs}
    for each in runs.keys() - again:
        assert project.did(each, run=2) == []
        project.expect(each, Status.COMPLETED, "SUCCESS", RAN)
    for each in again:
        project.expect(each, Status.COMPLETED, "SUCCESS", RAN)
    assert project.did(root, run=1) == project.did(inner_id, run=1) == []
    assert done.sub_job_counts.completed == 3


def test_a_parent_whose_own_task_failed_runs_again_alone(project, gate):
    root = project.launch("mended_parent", {"name": gate}, sub_jobs=[job("ok", {"value": n}) for n in range(3)])
    project.expect(root, Status.FAILED, "FAILURE", ["began"])
    project.diary.open_gate(gate)
    project.jobs.retry(root)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [0, 1, 2]
    assert [project.job(sub).run for sub in project.subs(root)] == [1, 1, 1]


def test_a_retry_that_fails_again_fails_the_tree_again(project, gate):
    root = project.launch("collect", sub_jobs=[job("collect", sub_jobs=[job("mended", {"name": gate})]), job("ok")])
    failed(project, root)
    project.jobs.retry(root)
    inner = project.subs(root)[0]
    (leaf,) = project.subs(inner)
    project.expect_did(leaf, "began", run=2)
    failed(project, root)
    assert [project.job(each).run for each in (root, inner, leaf)] == [2, 2, 2]
    project.diary.open_gate(gate)
    project.jobs.retry(root)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [[None], None]


def test_a_cancelled_tree_runs_again_from_where_it_was(single):
    blocker = single.send("hold", "cancelled tree")
    single.expect(blocker, Status.RUNNING, "STARTED", ["began"])
    root = single.launch("collect", sub_jobs=[job("ok", {"value": n}) for n in range(2)])
    single.jobs.cancel(root)
    single.jobs.retry(root)
    single.diary.open_gate("cancelled tree")
    done = single.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.result, done.cancel_requested_at) == ([0, 1], None)
    for each in single.queries.families(root):
        assert single.did(each, run=1) == []


def test_a_tree_that_was_cancelled_before_it_was_started_runs_by_a_retry(project):
    root = project.create("collect", sub_jobs=[job("ok", {"value": 1})])
    project.jobs.cancel(root)
    project.jobs.retry(root)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [1]


def test_of_two_retries_at_once_one_wins(project, gate):
    root = project.launch("collect", sub_jobs=[job("mended", {"name": gate}), job("ok")])
    failed(project, root)
    project.diary.open_gate(gate)
    start, refused = threading.Barrier(4), []

    def retry():
        start.wait()
        try:
            project.jobs.retry(root)
        except IllegalTransitionError as error:
            refused.append(error)

    threads = [threading.Thread(target=retry) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert project.job(root).run == 2
    assert project.did(project.subs(root)[0], run=2) == RAN
    assert project.did(root, run=3) == []


def test_a_cancel_that_comes_amidst_a_retry_leaves_nothing_running(project, monkeypatch):
    root = project.create("collect", sub_jobs=[job("collect", sub_jobs=[job("ok")]), job("ok")])
    project.jobs.cancel(root)
    store, families = project.tracking.store, project.queries.families(root)
    apply_many = store.apply_many

    def cancel_first(event, *args):
        if event is Event.RERUN:  # of all but the root, which comes before
            project.jobs.cancel(root)
        return apply_many(event, *args)

    monkeypatch.setattr(store, "apply_many", cancel_first)
    project.jobs.retry(root)
    project.expect(project.send("ok"), Status.COMPLETED, "SUCCESS", RAN)
    assert [project.account(each)[::2] for each in families] == [(Status.CANCELLED, [])] * len(families)


def test_a_retry_that_comes_amidst_a_cancel_leaves_nothing_running(project, monkeypatch):
    looking = job("hold_and_look", {"gate": "never opened"})
    root = project.create("collect", sub_jobs=[looking, looking])
    project.jobs.cancel(root)
    store, families = project.tracking.store, project.queries.families(root)
    apply_many = store.apply_many

    def retry_amidst(event, jobs, *args):
        if event is not Event.CANCEL:
            return apply_many(event, jobs, *args)
        monkeypatch.undo()
        changes = apply_many(event, {each: jobs[each] for each in project.subs(root)})
        project.jobs.retry(root)
        return changes | apply_many(event, {root: jobs[root]})

    monkeypatch.setattr(store, "apply_many", retry_amidst)
    project.jobs.cancel(root)
    assert project.expect_settled(*families) == [Status.CANCELLED] * 3


def test_a_sub_job_is_retried_while_its_parent_still_waits(project, gate):
    slow = job("hold", {"gate": f"{gate} 2", "value": 2})
    root = project.launch("collect", sub_jobs=[job("mended", {"name": gate, "value": 1}), slow])
    bad = project.subs(root)[0]
    project.expect(bad, Status.FAILED, "FAILURE", ["began"])
    project.diary.open_gate(gate)
    project.jobs.retry(bad)
    project.expect(bad, Status.COMPLETED, "SUCCESS", RAN)
    assert project.job(root).status is Status.RUNNING
    project.diary.open_gate(f"{gate} 2")
    done = project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.result, done.run) == ([1, 2], 1)


@every_broker
def test_a_sub_job_deep_down_is_retried_while_the_root_still_waits(project, gate):
    inner = job("collect", sub_jobs=[job("mended", {"name": gate, "value": 1}), job("ok", {"value": 2})])
    root = project.launch("collect", sub_jobs=[inner, job("hold", {"gate": f"{gate} 2", "value": 3})])
    inner_id, _ = project.subs(root)
    failed(project, inner_id)
    project.diary.open_gate(gate)
    project.jobs.retry(inner_id)
    project.expect(inner_id, Status.COMPLETED, "SUCCESS", RAN)
    project.diary.open_gate(f"{gate} 2")
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [[1, 2], 3]


def test_a_sub_job_whose_parent_has_ended_is_retried_through_its_parent(project):
    root = project.launch("collect", sub_jobs=[job("fail")])
    failed(project, root)
    with pytest.raises(IllegalTransitionError, match="Retry that"):
        project.jobs.retry(project.subs(root)[0])


def test_what_is_on_its_way_or_completed_can_not_be_retried(project, gate):
    job_id = project.create("hold", {"gate": gate})
    with pytest.raises(IllegalTransitionError, match="failed or cancelled"):
        project.jobs.retry(job_id)
    project.jobs.start(job_id)
    project.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    with pytest.raises(IllegalTransitionError, match="failed or cancelled"):
        project.jobs.retry(job_id)
    project.diary.open_gate(gate)
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    with pytest.raises(IllegalTransitionError, match="failed or cancelled"):
        project.jobs.retry(job_id)


def test_a_plain_celery_job_is_retried_where_its_arguments_are_stored(project, gate):
    parent = project.chord([project.signature("mended_and_kept", gate, 1)], project.signature("collect"))
    failed(project, parent)
    project.diary.open_gate(gate)
    project.jobs.retry(parent)
    assert project.expect(parent, Status.COMPLETED, "SUCCESS", RAN).result == [1]


def test_a_job_whose_arguments_are_not_stored_can_not_be_retried(project):
    job_id = project.send("fail", "secret")
    project.expect(job_id, Status.FAILED, "FAILURE", ["began"])
    with pytest.raises(ArgumentsUnavailableError, match="store_arguments"):
        project.jobs.retry(job_id)
    header = [project.signature("fail", "secret") for _ in range(2)]
    parent = project.chord(header, project.signature("collect"))
    failed(project, parent)
    with pytest.raises(ArgumentsUnavailableError) as refused:
        project.jobs.retry(parent)
    assert all(sub in str(refused.value) for sub in project.subs(parent))


def test_a_plain_job_without_arguments_is_retried_though_none_are_kept(project):
    job_id = project.send("fail")
    project.expect(job_id, Status.FAILED, "FAILURE", ["began"])
    project.jobs.retry(job_id)
    project.expect_did(job_id, "began", run=2)
    project.expect_status(job_id, Status.FAILED)


def test_a_retry_whose_large_result_is_gone_changes_nothing(project, gate):
    large = job("ok", {"value": "x" * 70_000})
    root = project.launch("collect", sub_jobs=[large, job("mended", {"name": gate})])
    failed(project, root)
    sub = project.subs(root)[0]
    assert project.job(sub).result_omitted_bytes > 70_000
    project.app.AsyncResult(sub).forget()
    with pytest.raises(ResultUnavailableError):
        project.jobs.retry(root)
    assert project.job(root).run == 1
    project.verdicts.pop(sub, None)


def test_a_large_result_goes_into_the_second_run_of_its_parent(project, gate):
    large = job("ok", {"value": "x" * 70_000})
    root = project.launch("collect", sub_jobs=[large, job("mended", {"name": gate, "value": 1})])
    failed(project, root)
    project.diary.open_gate(gate)
    project.jobs.retry(root)
    project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert project.app.AsyncResult(f"{root}~2").result == ["x" * 70_000, 1]


def test_a_job_whose_task_was_replaced_runs_anew_as_what_it_was(project):
    did = ["replaced by failing task", "began"]
    job_id = project.send("replaced", "failing task")
    project.expect(job_id, Status.FAILED, "FAILURE", did)
    project.jobs.retry(job_id)
    assert project.expect(job_id, Status.FAILED, "FAILURE", did).run == 2


def test_a_job_whose_task_was_replaced_by_a_group_can_not_run_anew(project):
    job_id = project.send("replaced", "failing group")
    failed(project, job_id)
    with pytest.raises(ArgumentsUnavailableError, match="put a group or chord into its place"):
        project.jobs.retry(job_id)


def test_a_late_report_of_an_earlier_run_changes_nothing(project, gate):
    job_id = project.launch("hold", {"gate": gate})
    project.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    project.jobs.cancel(job_id, terminate=True)
    project.expect(job_id, Status.CANCELLED, "REVOKED", ["began"])
    project.jobs.retry(job_id)
    project.diary.open_gate(gate)
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)


def test_a_retry_with_policy_continue_runs_failed_sub_jobs_and_parent(project, gate):
    subs = [job("mended", {"name": gate, "value": 1}), job("ok", {"value": 2})]
    root = project.launch("mended_parent", {"name": f"{gate} 2"}, failure_policy="continue", sub_jobs=subs)
    project.expect(root, Status.FAILED, "FAILURE", ["began"])
    project.diary.open_gate(gate)
    project.diary.open_gate(f"{gate} 2")
    project.jobs.retry(root)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [1, 2]


def test_an_unsent_next_of_a_chain_goes_to_the_queue_of_its_type(own_project):
    result = chain(own_project.signature("ok"), own_project.signature("mended_and_kept", "gate")).apply_async()
    first, following = result.parent.id, result.id
    own_project.jobs.cancel(following)
    own_project.tracking.store.apply(Event.COMPLETE, first, data={"result": "1"})
    cancelled = own_project.job(following)
    assert (cancelled.status, cancelled.queue, cancelled.queued_at) == (Status.CANCELLED, None, None)
    announced = JobType(name="mended_and_kept", task="mended_and_kept", queue="routed")
    own_project.tracking.registry.announce(announced)
    own_project.jobs.retry(following)
    assert own_project.job(following).queue == "routed"


def test_a_message_that_does_not_show_its_arguments_has_some_all_the_same(project):
    """Protocol 1 has no reprs of them, nor have the messages of other languages: once it was retried without any."""
    job_id = str(uuid.uuid4())
    message = project.app.amqp.as_task_v1(job_id, "fail", ("no ink",), {})
    with project.app.producer_pool.acquire() as producer:
        project.app.amqp.send_task_message(producer, "fail", message, queue=project.queue)
    assert project.expect(job_id, Status.FAILED, "FAILURE", ["began"]).arguments_repr == "('no ink',) {}"
    with pytest.raises(ArgumentsUnavailableError):
        project.jobs.retry(job_id)
