"""The tracking Redis's master dies and Sentinels name another one: workers, API and maintenance go on."""

import time

import pytest
from support.sentinels import Sentinels
from support.serving import SHIPPED_DOCUMENTS, eventually, job, running_api, running_worker
from support.workers_under_test import new_project

from jobtracker import Status

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]
SOON = {"lease_renew_s": 0.5, "lease_lost_s": 2, "maintenance_interval_s": 0.5}


@pytest.fixture
def sentinels(tmp_path):
    with Sentinels(tmp_path) as sentinels:
        yield sentinels


def test_workers_and_reaper_go_on_with_the_new_master(sentinels, redis_server, worker_log_dir):
    with (
        new_project(redis_server, worker_log_dir, redis_url=sentinels.url(3), **SOON) as project,
        project.worker("stays", tracking_timeout_s=0.5) as stays,
    ):
        held = project.send("hold", "gate")
        project.expect(held, Status.RUNNING, "STARTED", ["began"])
        sentinels.kill_master()
        meanwhile = [project.send("ok", n) for n in range(5)]
        eventually(lambda: [project.state(each) for each in meanwhile] == ["SUCCESS"] * 5)
        eventually(lambda: not project.tracking.reporter.away)
        project.diary.open_gate("gate")
        ran = [*meanwhile, held]
        for each in ran:
            project.expect(each, Status.COMPLETED, "SUCCESS", RAN)
        eventually(lambda: [project.job(each).deliveries for each in ran] == [1] * 6)  # maintenance may be faster
        assert project.queries.dropped() == 0
        assert stays.process.exit_status() is None
        with project.worker("dies", queues=["doomed"]) as dies:
            lost = project.signature("hold", "never").set(queue="doomed").delay().id
            project.expect_status(lost, Status.RUNNING)
            dies.kill()
            project.expect_status(lost, Status.FAILED)


def test_the_api_answers_again_and_its_jobs_run_where_the_broker_is_behind_sentinels_too(sentinels, api_log_dir):
    with running_api(api_log_dir, redis_url=sentinels.url(3)) as api:
        unworked = job("document_analysis", {"text": "Ferries leave at noon.", "analysis_type": "summary"})
        before = api.launch(unworked)
        sentinels.kill_master()
        killed_at = time.monotonic()
        statuses = set()

        def serves() -> bool:
            statuses.add(api.http.get("/api/jobs/").status_code)
            return api.http.get("/api/health").status_code == 200

        eventually(serves)
        assert time.monotonic() - killed_at < 10
        assert 503 in statuses
        assert statuses <= {200, 503}
        after = api.launch(unworked)
        with running_worker(api, SHIPPED_DOCUMENTS):
            for job_id in (before, after):
                api.expect(job_id, "completed")
        sentinels.hang_one()
        assert api.http.get("/api/health", timeout=5).status_code == 200
