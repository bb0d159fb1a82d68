"""What each pool of Celery's can and can't do, and that the record says the same.

Prefork runs a task in a child process; threads, gevent and solo in the worker's own. The ways in which a task ends
while its worker lives are in test_celery_ends.
"""

import signal

import pytest
from support.workers_under_test import eventually, job, new_project

from jobtracker import Status

pytestmark = pytest.mark.long

RAN = ["began", "returned"]
AT_ONCE = 50


def hold(project, task, request, **options):
    """A task that runs, and the name of the gate that it waits at."""
    gate = f"{project.name}-{request.node.name}"
    job_id = project.send(task, gate, **options)
    project.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    return job_id, gate


# -- trees, and many at once ----------------------------------------------------------------------------------------


def test_a_plain_chord_is_a_tree(pooled):
    parent = pooled.chord([pooled.signature("ok", n) for n in range(3)], pooled.signature("collect"))
    assert pooled.expect(parent, Status.COMPLETED, "SUCCESS", RAN).result == [0, 1, 2]
    for value, sub in enumerate(pooled.subs(parent)):
        assert pooled.expect(sub, Status.COMPLETED, "SUCCESS", RAN).result == value


def test_a_tree_whose_sub_job_fails_is_failed_and_a_retry_completes_it(pooled, request):
    gate = f"{pooled.name}-{request.node.name}"
    parent = pooled.launch(
        "collect", sub_jobs=[job("ok", {"value": 1}), job("mended_and_kept", {"name": gate, "value": 2})]
    )
    pooled.expect_status(parent, Status.FAILED)
    pooled.diary.open_gate(gate)
    pooled.jobs.retry(parent)
    assert pooled.expect(parent, Status.COMPLETED, "SUCCESS", RAN).result == [1, 2]


def test_a_task_applied_in_place_does_not_become_the_current_job(pooled):
    job_id = pooled.send("apply_another")
    eventually(lambda: pooled.job(job_id).status is Status.COMPLETED)
    assert pooled.job(job_id).result == [job_id, "", "", job_id]


@pytest.mark.parametrize("pool", ["threads", "gevent"])
def test_jobs_that_run_at_the_same_time_in_one_process_each_keep_their_own(own_project, pool):
    ends = {
        "hold": (Status.COMPLETED, "SUCCESS", RAN),
        "halfway": (Status.COMPLETED, "SUCCESS", RAN),
        "hold_and_fail": (Status.FAILED, "FAILURE", ["began"]),
    }
    with own_project.worker(pool=pool, concurrency=AT_ONCE) as worker:
        tasks = [list(ends)[n % 3] for n in range(AT_ONCE)]
        jobs = {own_project.send(task, "all"): task for task in tasks}
        eventually(lambda: all(own_project.did(job_id) == ["began"] for job_id in jobs))
        for job_id, task in jobs.items():
            record = own_project.expect_status(job_id, Status.RUNNING)
            eventually(lambda j=job_id, t=task: (own_project.job(j).progress is not None) == (t == "halfway"))
            assert record.worker == worker.lease.name
        own_project.diary.open_gate("all")
        for job_id, task in jobs.items():
            own_project.expect(job_id, *ends[task])
        counted = [own_project.send("count", 5) for _ in range(AT_ONCE)]
        for job_id in counted:
            own_project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
            assert [line.message for line in own_project.queries.log(job_id)] == [f"item {n}" for n in range(5)]
        assert "jobtracker:" not in worker.process.log_tail(10_000)


# -- stopping a task ------------------------------------------------------------------------------------------------


def test_a_running_task_that_looks_stops_when_it_is_cancelled(pooled, request):
    pooled.announce()
    job_id, _ = hold(pooled, "hold_and_look", request)
    pooled.jobs.cancel(job_id, reason="no longer wanted")
    done = pooled.expect(job_id, Status.CANCELLED, "REVOKED", ["began", "stopped"])
    assert done.reason == "no longer wanted"


def test_a_running_task_is_terminated_or_its_job_says_why_not(pooled, request):
    (pool,) = {lease.pool for lease in pooled.leases.live()}
    job_id, gate = hold(pooled, "hold", request)
    pooled.jobs.cancel(job_id, reason="too late", terminate=True)
    if pool in {"prefork", "gevent"}:
        assert pooled.expect(job_id, Status.CANCELLED, "REVOKED", ["began"]).reason == "too late, with terminate"
        return
    asked = pooled.job(job_id)
    assert (asked.status, asked.cancel_requested_at is not None) == (Status.RUNNING, True)
    assert (
        asked.reason
        == f"too late, with terminate; a {pool} pool can't kill a task, it stops when it looks (current_job())"
    )
    pooled.diary.open_gate(gate)
    assert pooled.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).reason is None


@pytest.mark.parametrize("pooled", ["gevent"], indirect=True)
def test_gevent_keeps_a_hard_time_limit(pooled):
    done = pooled.expect(pooled.send("hold", "never opened", time_limit=0.3), Status.FAILED, "FAILURE", ["began"])
    assert done.error.type == "TimeLimitExceeded"


@pytest.mark.parametrize("pooled", ["threads", "gevent"], indirect=True)
def test_an_exit_that_celery_does_not_report_is_a_failure_all_the_same(pooled):
    done = pooled.expect(pooled.send("lost", "sys.exit"), Status.FAILED, "STARTED", ["began"])
    assert (done.error.type, done.reason) == ("SystemExit", "the task was broken off by SystemExit(3)")


@pytest.mark.parametrize("pooled", ["threads"], indirect=True)
def test_an_exit_of_a_task_whose_message_comes_back_is_no_end(pooled):
    job_id = pooled.send("lost_late")
    eventually(lambda: pooled.job(job_id).reason)  # it is pending before it begins, too
    done = pooled.expect(job_id, Status.PENDING, "STARTED", ["began"])
    assert done.reason.startswith("the task was broken off by SystemExit(3); the broker will deliver")


# -- the worker -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["gevent", "solo"])
def test_a_worker_whose_only_process_computes_is_not_taken_for_lost(own_project, pool):
    with own_project.worker(pool=pool, concurrency=1, lease_renew_s=0.2, lease_lost_s=0.7) as worker:
        job_id = own_project.send("compute", 1.5)

        def is_over():
            assert worker.lease.name in [lease.name for lease in own_project.leases.live()]
            return own_project.did(job_id) == RAN

        eventually(is_over)
        own_project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)


@pytest.fixture(scope="module")
def watched(redis_server, worker_log_dir):
    """A project whose workers come and go."""
    with new_project(redis_server, worker_log_dir) as project:
        yield project


@pytest.mark.parametrize("pool", ["threads", "gevent", "solo"])
def test_a_warm_shutdown_waits_for_what_runs_and_gives_the_lease_back(watched, pool, request):
    with watched.worker(pool=pool) as worker:
        job_id, gate = hold(watched, "hold", request)
        worker.signal(signal.SIGTERM)
        eventually(lambda: "Warm shutdown" in worker.process.log_tail())
        watched.diary.open_gate(gate)
        worker.wait_for_exit()
        watched.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
        assert watched.leases.live() == []


def test_a_cold_shutdown_waits_for_threads_for_they_can_not_be_killed(watched, request):
    with watched.worker(pool="threads") as worker:
        job_id, gate = hold(watched, "hold", request)
        worker.signal(signal.SIGQUIT)
        eventually(lambda: "does not implement kill_job" in worker.process.log_tail())
        watched.diary.open_gate(gate)
        worker.wait_for_exit()
        watched.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)


def test_a_cold_shutdown_on_solo_is_an_error_within_the_task(watched, request):
    with watched.worker(pool="solo") as worker:
        job_id, _ = hold(watched, "hold", request)
        worker.signal(signal.SIGQUIT)
        worker.wait_for_exit()
        assert watched.expect(job_id, Status.FAILED, "FAILURE", ["began"]).error.type == "NotImplementedError"


def test_a_child_that_ends_after_each_task_reports_all_of_them(own_project):
    own_project.conf |= {"worker_max_tasks_per_child": 1, "worker_autoscale": "3,1"}
    with own_project.worker():
        jobs = [own_project.send("ok", n) for n in range(4)]
        for n, job_id in enumerate(jobs):
            assert own_project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).result == n


def test_a_child_reads_the_last_answer_before_it_ends(own_project, request):
    """Where the server has lost its functions, the answer is that the report has to be made again."""
    own_project.conf |= {"worker_max_tasks_per_child": 1}
    with own_project.worker(concurrency=1):
        job_id, gate = hold(own_project, "hold", request)
        own_project.client.function_flush()
        own_project.diary.open_gate(gate)
        own_project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
