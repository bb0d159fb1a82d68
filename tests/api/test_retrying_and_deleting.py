"""POST /api/jobs/{id}/retry and DELETE /api/jobs/{id}."""

import uuid

import pytest
from support.serving import Api, Json, job, parent, waiting


@pytest.fixture
def missing(documents):
    """The id of a document that is not there; called with a text, it is put there."""

    class Missing:
        id = f"late-{uuid.uuid4().hex[:8]}"

        def arrive(self) -> None:
            (documents / f"{self.id}.txt").write_text("The ferry to Port Ellery leaves at noon.")

    return Missing()


def reading(document_id: str) -> Json:
    return job("workers.checksum", {"document_id": document_id})


def test_a_failed_job_runs_again_as_a_new_run(api, missing):
    job_id = api.launch(reading(missing.id))
    assert api.expect(job_id, "failed")["run"] == 1
    missing.arrive()
    again = api.post(job_id, "retry")
    assert (again["id"], again["run"], again["task_id"]) == (job_id, 2, f"{job_id}~2")
    assert (again["error"], again["reason"], again["finished_at"]) == (None, None, None)
    done = api.expect(job_id, "completed")
    assert done["result"]["characters"] == 40
    assert (done["error"], done["reason"], done["deliveries"]) == (None, None, 2)


def test_a_cancelled_job_runs_again(api):
    job_id = api.create()["id"]
    api.post(job_id, "cancel")
    api.post(job_id, "retry")
    done = api.expect(job_id, "completed")
    assert done["cancel_requested_at"] is None


def test_of_a_failed_parent_only_what_did_not_complete_runs_again(api, missing):
    tree = api.create(parent(reading("doc456"), reading(missing.id), start=True))
    failed = api.expect(tree["id"], "failed")
    assert "1 of 2 sub-jobs" in failed["reason"]
    missing.arrive()
    api.post(tree["id"], "retry")
    done = api.expect(tree["id"], "completed")
    assert done["sub_job_counts"] == {"total": 2, "completed": 2, "failed": 0, "cancelled": 0}
    assert [sub["run"] for sub in api.tree(tree["id"])["sub_jobs"]] == [1, 2]
    assert [finding["position"] for finding in done["result"]["findings"]["sub_jobs"]] == [0, 1]
    assert all(finding["completed"] for finding in done["result"]["findings"]["sub_jobs"])


def test_a_failed_sub_job_of_a_finished_parent_is_retried_through_its_parent(api, missing):
    tree = api.create(parent(reading(missing.id), start=True))
    api.expect(tree["id"], "failed")
    assert tree["id"] in api.refused(tree["sub_jobs"][0]["id"], "retry")


@pytest.mark.parametrize("status", ["pending", "completed"])
def test_only_failed_and_cancelled_jobs_can_be_retried(api, status):
    job_id = api.create()["id"]
    if status == "completed":
        api.post(job_id, "start")
    api.expect(job_id, status)
    assert status in api.refused(job_id, "retry")


def test_a_job_that_has_ended_is_deleted_and_gone(api):
    job_id = api.launch()
    api.expect(job_id, "completed")
    assert api.request("DELETE", f"/api/jobs/{job_id}", 204) is None
    for method, path in (
        ("GET", f"/api/jobs/{job_id}"),
        ("GET", f"/api/jobs/{job_id}/with-subjobs"),
        ("GET", f"/api/jobs/{job_id}/logs"),
        ("GET", f"/api/tracking/job-tree/{job_id}"),
        ("DELETE", f"/api/jobs/{job_id}"),
    ):
        assert job_id in api.problem(method, path, 404)["detail"]
    assert job_id not in {found["id"] for found in api.get("/api/jobs/")["jobs"]}


def test_a_job_that_was_never_started_is_deleted(api):
    job_id = api.create()["id"]
    api.request("DELETE", f"/api/jobs/{job_id}", 204)
    api.problem("GET", f"/api/jobs/{job_id}", 404)


def test_a_parent_is_deleted_with_its_sub_jobs(api):
    tree = api.create(parent(job(), parent(job())))
    inner = tree["sub_jobs"][1]
    below = [tree["sub_jobs"][0]["id"], inner["id"], inner["sub_jobs"][0]["id"]]
    api.request("DELETE", f"/api/jobs/{tree['id']}", 204)
    for job_id in below:
        api.problem("GET", f"/api/jobs/{job_id}", 404)


def test_a_running_job_can_not_be_deleted(api):
    job_id = api.launch(payload=waiting(20, steps=400))
    api.expect(job_id, "running")
    assert "Cancel it first" in api.problem("DELETE", f"/api/jobs/{job_id}", 409)["detail"]
    api.post(job_id, "cancel")
    api.expect(job_id, "cancelled")
    api.request("DELETE", f"/api/jobs/{job_id}", 204)


def test_a_sub_job_can_not_be_deleted_alone(api: Api):
    tree = api.create(parent(job()))
    problem = api.problem("DELETE", f"/api/jobs/{tree['sub_jobs'][0]['id']}", 409)
    assert tree["id"] in problem["detail"]
    assert len(api.tree(tree["id"])["sub_jobs"]) == 1


def test_what_to_retry_may_be_said_and_nothing_else(api, missing):
    job_id = api.launch(reading(missing.id))
    api.expect(job_id, "failed")
    missing.arrive()
    for wrong in ({"from_failed": "yes"}, {"from": True}):
        api.problem("POST", f"/api/jobs/{job_id}/retry", 422, json=wrong)
    again = api.post(job_id, "retry", json={"from_failed": True})
    assert (again["id"], again["run"]) == (job_id, 2)
    api.expect(job_id, "completed")
