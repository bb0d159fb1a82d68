"""A store that was restored, and real workers: nothing runs again that nobody has asked for."""

import time

import pytest
from support.backups import back_up, restore
from support.recount import recount
from support.workers_under_test import eventually, new_project

from jobtracker import Status
from jobtracker.store.restored_jobs import ERROR_TYPE

pytestmark = [pytest.mark.long, pytest.mark.thorough]

RAN = ["began", "returned"]
SOON = {"lease_lost_s": 1, "lease_renew_s": 0.2, "maintenance_interval_s": 0.2}


@pytest.fixture
def project(redis_server, worker_log_dir):
    with new_project(redis_server, worker_log_dir, **SOON) as project:
        project.announce()
        yield project


def ran_after_the_backup(project):
    """Jobs that waited when the backup was taken and have run since; then it is restored."""
    known, forgotten, at_the_broker = ([project.launch("ok") for _ in range(3)] for _ in range(3))
    backup = back_up(project.client, project.keys)
    with project.worker():
        for job_id in (*known, *forgotten, *at_the_broker):
            project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
    project.verdicts.clear()
    for job_id in forgotten:
        project.app.AsyncResult(job_id).forget()
    eventually(lambda: not project.leases.live())
    return known, forgotten, backup


def test_what_has_run_since_does_not_run_again(project):
    known, forgotten, backup = ran_after_the_backup(project)
    restore(project.client, project.keys, backup)
    with project.worker():
        for job_id in known:  # the result backend has been asked: maintenance has come by
            project.expect_status(job_id, Status.COMPLETED)
        done = project.launch("ok")
        project.expect(done, Status.COMPLETED, "SUCCESS", RAN)
        time.sleep(3 * SOON["lease_lost_s"])  # in that time the other test's jobs are sent again
        for job_id in forgotten:
            job = project.job(job_id)
            assert (job.status, job.run, job.error.type) == (Status.FAILED, 1, ERROR_TYPE)
        assert all(project.did(job_id) == RAN for job_id in (*known, *forgotten))
        assert not any(project.did(job_id, 2) for job_id in (*known, *forgotten))
        project.jobs.retry(forgotten[0])
        eventually(lambda: project.did(forgotten[0], 2) == RAN)
    assert recount(project.client, project.keys) == []


def test_with_keep_open_missing_messages_are_sent_again(project):
    _, forgotten, backup = ran_after_the_backup(project)
    restore(project.client, project.keys, backup, keep_open=True)
    with project.worker():
        for job_id in forgotten:
            eventually(lambda job_id=job_id: project.did(job_id, 2) == RAN)


def test_a_message_that_is_at_the_broker_all_the_same_corrects_the_outcome(project):
    waiting = [project.launch("ok") for _ in range(3)]
    backup = back_up(project.client, project.keys)
    restore(project.client, project.keys, backup)
    assert {project.job(job_id).status for job_id in waiting} == {Status.FAILED}
    with project.worker():
        for job_id in waiting:
            project.expect(job_id, Status.COMPLETED, "SUCCESS", RAN)
            assert project.job(job_id).error is None
    assert recount(project.client, project.keys) == []
