"""What is different on quorum queues: what waits for its time does so at the broker, not in a worker."""

from datetime import UTC, datetime, timedelta

import pytest

from jobtracker import Status

pytestmark = [pytest.mark.thorough, pytest.mark.parametrize("project", ["rabbitmq-quorum"], indirect=True)]


def test_a_countdown_passes_at_the_broker_and_the_job_knows_its_queue(project):
    job_id = project.send("ok", countdown=1)
    waiting = project.expect(job_id, Status.PENDING, "PENDING", [])
    assert (waiting.queue, waiting.not_before is not None) == (project.queue, True)
    project.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", "returned"])


def test_a_retry_with_a_countdown_passes_at_the_broker_each_time(project):
    job_id = project.send("flaky", 2, 1.2)
    assert project.expect(job_id, Status.RETRYING, "RETRY", ["began attempt 0"]).not_before is not None
    did = ["began attempt 0", "began attempt 1", "began attempt 2", "returned"]
    job = project.expect(job_id, Status.COMPLETED, "SUCCESS", did)
    assert (job.attempt, job.deliveries, job.queue) == (2, 3, project.queue)


def test_a_sub_job_with_an_eta_keeps_its_place(project):
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    header = [project.signature("ok", 1, eta=soon), project.signature("flaky", 1, 1.2), project.signature("ok", 3)]
    parent = project.chord(header, project.signature("collect"))
    assert project.expect(parent, Status.COMPLETED, "SUCCESS", ["began", "returned"]).result == [1, 1, 3]
    assert {project.job(sub).queue for sub in project.subs(parent)} == {project.queue}


def test_a_task_revoked_while_it_waits_at_the_broker_is_cancelled(project):
    job_id = project.send("ok", countdown=1)
    project.revoke(job_id)
    project.expect(job_id, Status.CANCELLED, "REVOKED", [])


def test_a_job_that_is_cancelled_while_it_waits_at_the_broker_never_runs(project):
    job_id = project.send("flaky", 1, 1.2)
    project.expect(job_id, Status.RETRYING, "RETRY", ["began attempt 0"])
    project.jobs.cancel(job_id)
    project.expect(job_id, Status.CANCELLED, "REVOKED", ["began attempt 0"])
