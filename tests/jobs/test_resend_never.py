"""JOBTRACKER_RESEND=never: the tracker sends nothing that nobody asked for, and says what helps."""

import pytest
from support.workers_under_test import eventually, new_project

from jobtracker import Status
from jobtracker.core.lifecycle import Event
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.errors import ResendingDisabledError
from jobtracker.schemas.explanation import Code

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]
SETTINGS = {"lease_lost_s": 1, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2, "jobtracker_resend": "never"}


@pytest.fixture
def project(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **SETTINGS) as project:
        yield project


def test_a_killed_workers_jobs_and_a_purged_queues_are_lost_and_say_why(project):
    gate = project.name
    with project.worker("killed") as worker:
        held = project.send("hold_rerun", gate)
        project.expect_did(held, "began")
        worker.kill()
        worker.wait_for_exit()
    purged = project.send("kept", 7)
    with project.app.connection_for_write() as connection:
        connection.default_channel.queue_purge(project.queue)
    with project.worker("second"):
        for each in (held, purged):
            lost = project.expect_status(each, Status.FAILED)
            assert "JOBTRACKER_RESEND is never" in lost.reason
            assert lost.run == 1
        assert (project.did(held), project.did(purged)) == (["began"], [])
        project.jobs.retry(purged)  # a person's own
        assert project.expect(purged, Status.COMPLETED, "SUCCESS", RAN).run == 2


def test_what_was_recorded_and_perhaps_not_sent_waits_for_a_person(project):
    project.announce()
    job_id = project.create("kept", {"value": 7})
    project.tracking.store.apply(Event.ENQUEUE, job_id)
    with project.worker():
        explainer = Explainer(project.tracking, Inspector(project.tracking, cache_s=0))
        eventually(lambda: explainer.explain(job_id).code is Code.UNKNOWN)
        assert "cancel it, then retry it" in explainer.explain(job_id).summary
        assert (project.job(job_id).status, project.job(job_id).run) == (Status.PENDING, 1)
        project.jobs.cancel(job_id)
        project.jobs.retry(job_id)
        assert project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN).run == 2


def test_no_way_leads_to_a_new_run_that_nobody_asked_for(project):
    project.announce()
    job_id = project.launch("kept", {"value": 7})
    with pytest.raises(ResendingDisabledError, match="Retry it"):
        project.tracking.relauncher.relaunch(job_id, run=1, reason="it was lost")
