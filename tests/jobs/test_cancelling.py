"""A cancel in each state of a job in which brokers may differ: it ends so, and its task does not begin after it."""

import pytest
from support.workers_under_test import BROKERS, broker_settings, eventually, every_broker, job, new_project

from jobtracker import Status

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]
COUNTDOWN_S = 1.5
"""Quorum queues take none below a second."""

each_single = pytest.mark.parametrize("single", BROKERS, indirect=True)


@every_broker
def test_what_nobody_consumes_never_begins_when_somebody_does(project, other_queue):
    job_id = project.send("ok", queue=other_queue)
    project.expect(job_id, Status.PENDING, "PENDING", [])
    project.jobs.cancel(job_id)
    after = project.send("ok", queue=other_queue)
    project.consume(other_queue)
    project.expect(after, Status.COMPLETED, "SUCCESS", RAN)
    project.expect(job_id, Status.CANCELLED, "REVOKED", [])


@each_single
def test_a_cancelled_fetched_job_never_begins_and_its_retry_runs_once(single):
    gate = f"{single.name} fetched"
    blocker = single.launch("hold", {"gate": gate})
    single.expect(blocker, Status.RUNNING, "STARTED", ["began"])
    waiting, again = single.launch("ok"), single.launch("ok")
    single.expect_reserved(waiting)
    for each in (waiting, again):
        single.jobs.cancel(each)
    single.jobs.retry(again)
    assert single.expect_status(waiting, Status.CANCELLED)
    single.diary.open_gate(gate)
    single.expect(again, Status.COMPLETED, "SUCCESS", RAN)
    assert single.did(again, run=1) == []
    single.expect(waiting, Status.CANCELLED, "REVOKED", [])


@every_broker
def test_a_cancelled_job_with_an_eta_never_begins_and_its_retry_does(project):
    waiting, again = (project.send("ok", countdown=COUNTDOWN_S) for _ in range(2))
    for each in (waiting, again):
        assert project.expect(each, Status.PENDING, "PENDING", []).not_before is not None
        project.jobs.cancel(each)
        assert project.job(each).status is Status.CANCELLED
    project.jobs.retry(again)
    assert project.expect(again, Status.COMPLETED, "SUCCESS", RAN).run == 2
    # The worker says so when the ETA comes, and not before.
    eventually(lambda: project.state(again, run=1) == "REVOKED")
    project.expect(waiting, Status.CANCELLED, "REVOKED", [])
    assert project.did(again, run=1) == []
    assert project.job(again).status is Status.COMPLETED


@every_broker
def test_what_waits_for_its_next_attempt_has_no_more_of_them(project):
    job_id = project.launch("flaky", {"failures": 1, "countdown": COUNTDOWN_S})
    project.expect(job_id, Status.RETRYING, "RETRY", ["began attempt 0"])
    project.jobs.cancel(job_id)
    assert project.job(job_id).status is Status.CANCELLED
    project.expect(job_id, Status.CANCELLED, "REVOKED", ["began attempt 0"])


@each_single
def test_a_parent_whose_own_task_waits_never_begins(single):
    first, second = f"{single.name} header", f"{single.name} before the body"
    root = single.launch("collect", sub_jobs=[job("hold", {"gate": first})])
    single.expect(single.subs(root)[0], Status.RUNNING, "STARTED", ["began"])
    blocker = single.launch("hold", {"gate": second})
    single.diary.open_gate(first)
    single.expect(blocker, Status.RUNNING, "STARTED", ["began"])
    single.expect_reserved(root)
    single.jobs.cancel(root)
    single.expect_status(root, Status.CANCELLED)
    single.diary.open_gate(second)
    single.expect(single.launch("ok"), Status.COMPLETED, "SUCCESS", RAN)
    assert single.did(root) == []
    assert single.expect_status(root, Status.CANCELLED)


@every_broker
def test_a_running_task_stops_when_it_looks(project):
    job_id = project.launch("hold_and_look", {"gate": "never opened"})
    project.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    project.jobs.cancel(job_id)
    project.expect(job_id, Status.CANCELLED, "REVOKED", ["began", "stopped"])


def test_a_worker_that_did_not_hear_the_revoke_does_not_begin_the_job(redis_server, rabbitmq, worker_log_dir):
    # RabbitMQ gives back at once what a dead worker had fetched.
    settings = broker_settings("rabbitmq-classic", rabbitmq)
    with new_project(redis_server, worker_log_dir, **settings) as project:
        with project.worker(concurrency=1) as first:
            blocker = project.launch("hold", {"gate": "never opened"})
            project.expect(blocker, Status.RUNNING, "STARTED", ["began"])
            fetched = project.launch("ok")
            project.expect_reserved(fetched)
            project.jobs.cancel(fetched)
            first.kill()
            first.wait_for_exit()
        with project.worker():
            project.expect(fetched, Status.CANCELLED, "REVOKED", [])


@pytest.mark.parametrize("broker", BROKERS[:2])
def test_a_marked_job_of_a_killed_worker_is_cancelled_for_good(
    broker, redis_server, rabbitmq, worker_log_dir, request
):
    gate, soon = request.node.name, {"lease_lost_s": 1, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2}
    with (
        new_project(redis_server, worker_log_dir, **soon, **broker_settings(broker, rabbitmq)) as project,
        project.worker("dying", concurrency=1) as dying,
        project.worker("beside", queues=["b"]),
    ):
        job_id = project.send("hold_late", gate)
        project.expect_did(job_id, "began")
        project.expect_status(job_id, Status.RUNNING)
        project.jobs.cancel(job_id, reason="not needed")
        assert project.job(job_id).status is Status.RUNNING  # its task does not look
        dying.kill()
        assert project.expect_status(job_id, Status.CANCELLED).reason == "not needed"
        project.consume(project.queue)
        if broker != "redis":  # which gives the message back when its timeout is over
            eventually(lambda: not project.queries.history(job_id)[-1].inferred)  # the other worker has discarded it
        project.expect(project.send("ok"), Status.COMPLETED, "SUCCESS", RAN)
        assert project.did(job_id) == ["began"]
        assert project.job(job_id).status is Status.CANCELLED


def test_if_a_cancel_meets_the_end_one_wins_and_history_shows_both(project, request):
    gate = f"{project.name}-{request.node.name}"
    job_id = project.launch("hold", {"gate": gate})
    project.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    project.jobs.cancel(job_id, reason="no longer wanted")
    project.diary.open_gate(gate)
    project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    assert [entry.step for entry in project.queries.history(job_id)][-2:] == ["cancel_requested", "completed"]


def test_a_chord_whose_header_is_revoked_by_a_stamp_settles_at_once(own_project):
    gate = f"{own_project.name} stamped"
    with own_project.worker(concurrency=1, maintenance_interval_s=600):  # no maintenance helps
        blocker = own_project.send("hold", gate)
        own_project.expect_did(blocker, "began")
        header = [own_project.signature("ok", n, stamped_headers=["batch"], batch="b1") for n in range(2)]
        body = own_project.chord(header, own_project.signature("collect"))
        eventually(lambda: len(own_project.subs(body)) == 2)
        own_project.app.control.revoke_by_stamped_headers({"batch": ["b1"]}, reply=True)
        own_project.diary.open_gate(gate)
        for sub in own_project.subs(body):
            own_project.expect_status(sub, Status.CANCELLED)
        own_project.expect_status(body, Status.FAILED)
        assert [own_project.did(each) for each in own_project.subs(body)] == [[], []]


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # by Celery's backend
def test_a_task_that_is_killed_when_its_result_is_stored_has_completed(single):
    job_id = single.launch("hold", {"gate": f"{single.name} stored"})
    single.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    single.app.backend.store_result(job_id, 5, "SUCCESS")  # as its process does, just before it would tell us
    single.jobs.cancel(job_id, terminate=True)
    assert single.expect_status(job_id, Status.COMPLETED).result == 5


def test_a_task_that_is_killed_is_cancelled_as_the_result_backend_confirms(single):
    job_id = single.launch("hold", {"gate": f"{single.name} killed"})
    single.expect(job_id, Status.RUNNING, "STARTED", ["began"])
    single.jobs.cancel(job_id, terminate=True)
    single.expect(job_id, Status.CANCELLED, "REVOKED", ["began"])
    eventually(lambda: not single.queries.history(job_id)[-1].inferred)
