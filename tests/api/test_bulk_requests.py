"""POST /api/jobs/bulk, and the runs that it begins."""

import json
import os
import signal
import uuid
from contextlib import ExitStack

import pytest
from support.recount import recount
from support.serving import eventually, fields_of, job, problem_of, running_api, running_worker

pytestmark = pytest.mark.thorough

SOON = {"lease_lost_s": 2, "lease_renew_s": 0.4, "maintenance_interval_s": 0.3}
BULK = "/api/jobs/bulk"
TEXT = {"text": "Ferries leave at noon."}


def done(api, run_id):
    """A bulk run, when it has ended."""
    eventually(lambda: api.get(f"{BULK}/{run_id}")["status"] not in {"pending", "running"})
    return api.get(f"{BULK}/{run_id}")


def test_a_run_is_done_by_the_api_and_is_a_job(api):
    tag = uuid.uuid4().hex
    jobs = [job("document_analysis", TEXT, tags=[tag])] * 300
    ids = api.request("POST", "/api/jobs/batch", 201, json={"jobs": jobs})["ids"]
    wanted = {"action": "cancel", "filter": f"tag:{tag}", "reason": "not needed"}
    preview = api.request("POST", BULK, 200, json={**wanted, "dry_run": True})
    assert (preview["count"], preview["is_exact"], len(preview["sample"])) == (300, True, 20)
    assert preview["kinds"] == [{"status": "pending", "job_type": "document_analysis", "count": 300}]
    response = api.http.post(BULK, json=wanted)
    run = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"{BULK}/{run['id']}"
    run = done(api, run["id"])
    assert (run["status"], run["done"], run["refused"]) == ("completed", 300, 0)
    assert {api.job(each)["reason"] for each in (ids[0], ids[-1])} == {"not needed"}
    as_job = api.job(run["id"])
    assert (as_job["job_type"], as_job["result"]["done"], as_job["progress"]["percent"]) == (
        "jobtracker.bulk",
        300,
        100,
    )
    assert as_job["payload"] == wanted | {"asked_by": "anonymous"}


def test_failed_jobs_are_retried_by_real_workers(api):
    tag = uuid.uuid4().hex
    jobs = [job("document_analysis", {"document_id": "none"}, tags=[tag])] * 30
    ids = api.request("POST", "/api/jobs/batch", 201, json={"jobs": jobs, "start": True})["ids"]
    for each in ids:
        api.expect(each, "failed")
    run = done(api, api.request("POST", BULK, 202, json={"action": "retry", "filter": f"tag:{tag}"})["id"])
    assert (run["status"], run["done"]) == ("completed", 30)
    assert {(each["run"], each["status"]) for each in (api.expect(each, "failed") for each in ids)} == {(2, "failed")}


def test_what_is_no_bulk_request_is_refused(api):
    assert fields_of(problem_of(api.http.post(BULK, json={"action": "cancel"}), 422)) == ["body"]
    problem = problem_of(api.http.post(BULK, json={"action": "cancel", "filter": "status:lost"}), 422)
    assert "it is no status" in problem["detail"]
    assert fields_of(problem) == ["body.filter"]
    problem_of(api.http.get(f"{BULK}/nobody"), 404)
    problem_of(api.http.get(f"{BULK}/nobody/refused"), 404)
    alone = api.create(job("document_analysis", TEXT))["id"]
    problem_of(api.http.get(f"{BULK}/{alone}"), 404)


@pytest.mark.thorough
@pytest.mark.parametrize("action", ["cancel", "retry", "tag", "delete"])
def test_a_run_goes_on_when_its_process_was_killed_and_changes_each_job_once(
    redis_server, tmp_path, documents, action
):
    shared = {
        "redis_url": redis_server.url,
        "redis_db": 11,
        "tracking_namespace": f"bulk-{uuid.uuid4().hex[:8]}",
        **SOON,
    }
    size = 100 if action == "retry" else 1600
    body = {"action": action, "filter": "type:document_analysis", **({"tags": ["x"]} if action == "tag" else {})}
    with ExitStack() as stack:
        api = stack.enter_context(running_api(tmp_path, **shared))
        if action == "retry":
            stack.enter_context(running_worker(api, documents, **SOON))
        jobs = [job("document_analysis", {"document_id": "none"}, name=str(n)) for n in range(400)]
        ids = []
        while len(ids) < size:
            create = {"jobs": jobs[: min(400, size)], "start": action == "retry"}
            ids += api.request("POST", "/api/jobs/batch", 201, json=create)["ids"]
        if action == "retry":
            eventually(lambda: api.get("/api/jobs/", status="failed")["total"] == size)
        run = api.request("POST", BULK, 202, json=body)["id"]
        eventually(lambda: state_of(api, run)["done"])
        os.killpg(api.process.pid, signal.SIGKILL)
        assert 0 < state_of(api, run)["done"] < size
        second = stack.enter_context(running_api(tmp_path, **shared))
        ended = done(second, run)
        assert (ended["status"], ended["done"], ended["refused"]) == ("completed", size, 0)
        if action == "retry":
            eventually(lambda: second.get("/api/jobs/", status="failed")["total"] == size)
            assert {second.job(each)["run"] for each in ids} == {2}
        elif action == "delete":
            assert second.get("/api/jobs/", job_type="document_analysis")["total"] == 0
        elif action == "cancel":
            assert second.get("/api/jobs/", status="cancelled")["total"] == size
        else:
            assert {tuple(second.job(each)["tags"]) for each in ids[::100]} == {("x",)}
        assert recount(second.client, second.keys) == []


def state_of(api, run_id):
    """How far a bulk run is, as its process wrote it down."""
    return json.loads(api.client.hget(api.keys("bulk", run_id), "state"))
