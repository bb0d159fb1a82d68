"""PUT /api/jobs/{id}: changing a job, and reporting on one that runs outside of Celery."""

import pytest
from support.serving import Api, Json, fields_of, job, parent

RUNNING = {"status": "running"}
COMPLETED = {"status": "completed", "result": {"pages": 3}}
FAILED = {"status": "failed", "error": {"type": "PaperJam", "message": "tray 2"}}
CANCELLED = {"status": "cancelled"}
PROGRESS = {"progress": {"done": 1, "total": 4, "note": "page 1"}}

ENDED = {"completed": COMPLETED, "failed": FAILED, "cancelled": CANCELLED}


@pytest.fixture
def job_id(quiet_api) -> str:
    """A job that nobody has started."""
    return str(quiet_api.create(job("document_analysis", {"document_id": "doc123"}))["id"])


def put(api: Api, job_id: str, body: Json) -> Json:
    changed: Json = api.request("PUT", f"/api/jobs/{job_id}", 200, json=body)
    return changed


def refused(api: Api, job_id: str, body: Json) -> str:
    """Why the change is refused; nothing of it has been done."""
    before = api.job(job_id)
    detail: str = api.problem("PUT", f"/api/jobs/{job_id}", 409, json=body)["detail"]
    assert api.job(job_id) == before
    return detail


def test_an_outside_worker_takes_a_job_through_its_life(quiet_api, job_id):
    running = put(quiet_api, job_id, RUNNING)
    assert (running["status"], running["run"]) == ("running", 0)
    assert running["started_at"]
    half = put(quiet_api, job_id, PROGRESS)
    assert half["progress"] == {"done": 1, "total": 4, "percent": 25, "note": "page 1"}
    done = put(quiet_api, job_id, COMPLETED)
    assert (done["status"], done["result"]) == ("completed", {"pages": 3})
    assert done["finished_at"] >= running["started_at"]


def test_one_report_may_tell_several_things(quiet_api, job_id):
    changed = put(quiet_api, job_id, {"name": "Scan", "tags": ["outside"], **RUNNING, **PROGRESS})
    assert (changed["name"], changed["tags"], changed["status"]) == ("Scan", ["outside"], "running")
    assert changed["progress"]["percent"] == 25


def test_a_failure_that_is_reported_has_its_reason(quiet_api, job_id):
    put(quiet_api, job_id, RUNNING)
    failed = put(quiet_api, job_id, FAILED)
    assert failed["reason"] == "PaperJam: tray 2"
    assert failed["error"] == {"type": "PaperJam", "message": "tray 2", "traceback": None}


@pytest.mark.parametrize("report", [COMPLETED, FAILED, CANCELLED], ids=lambda report: report["status"])
def test_the_end_may_be_the_first_that_is_reported(quiet_api, job_id, report):
    assert put(quiet_api, job_id, report)["status"] == report["status"]


def test_a_running_job_is_cancelled_by_its_outside_worker(quiet_api, job_id):
    put(quiet_api, job_id, RUNNING)
    cancelled = put(quiet_api, job_id, CANCELLED)
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "cancelled by its outside worker")


def test_a_job_that_runs_outside_is_cancelled_at_once(quiet_api, job_id):
    put(quiet_api, job_id, RUNNING)
    assert quiet_api.post(job_id, "cancel")["status"] == "cancelled"
    assert "cancelled" in refused(quiet_api, job_id, COMPLETED)


@pytest.mark.parametrize("report", [COMPLETED, FAILED, CANCELLED], ids=lambda report: report["status"])
def test_telling_the_end_again_changes_nothing(quiet_api, job_id, report):
    first = put(quiet_api, job_id, report)
    assert put(quiet_api, job_id, report) == first


@pytest.mark.parametrize(
    ("ended", "report"),
    [
        *[("completed", report) for report in (RUNNING, FAILED, CANCELLED, PROGRESS)],
        *[("failed", report) for report in (RUNNING, COMPLETED, CANCELLED, PROGRESS)],
        *[("cancelled", report) for report in (RUNNING, COMPLETED, FAILED, PROGRESS)],
    ],
)
def test_what_has_ended_can_not_be_taken_up_again(quiet_api, job_id, ended, report):
    put(quiet_api, job_id, ENDED[ended])
    assert job_id in refused(quiet_api, job_id, report)


def test_a_job_that_does_not_run_has_no_progress(quiet_api, job_id):
    assert "pending" in refused(quiet_api, job_id, PROGRESS)


@pytest.mark.parametrize("status", ["pending", "retrying"])
@pytest.mark.parametrize("before", [RUNNING, COMPLETED], ids=lambda report: report["status"])
def test_an_outside_worker_can_not_send_a_job_back(quiet_api, job_id, before, status):
    put(quiet_api, job_id, before)
    response = quiet_api.http.put(f"/api/jobs/{job_id}", json={"status": status})
    assert response.status_code in {409, 422}


@pytest.mark.parametrize(
    "body", [{"result": 1}, {"status": "running", "result": 1}, {"status": "completed", "error": FAILED["error"]}]
)
def test_a_result_or_an_error_that_does_not_fit_the_status_is_refused(quiet_api, job_id, body):
    assert quiet_api.http.put(f"/api/jobs/{job_id}", json=body).status_code == 422


@pytest.mark.parametrize("change", [{"priority": "high"}, {"payload": {"text": "y"}}])
@pytest.mark.parametrize(
    "report", [{"status": "running"}, {"status": "cancelled"}, {"progress": {"done": 1, "total": 2}}]
)
def test_what_must_not_change_any_more_is_not_changed_with_a_report(quiet_api, job_id, change, report):
    before = quiet_api.job(job_id)
    problem = quiet_api.problem("PUT", f"/api/jobs/{job_id}", 422, json={**report, **change})
    assert "a request of their own" in problem["detail"]
    assert quiet_api.job(job_id) == before


def test_what_is_null_is_not_changed(quiet_api, job_id):
    before = quiet_api.job(job_id)
    nothing = dict.fromkeys(["name", "priority", "tags", "payload", "status", "progress", "result", "error"])
    assert quiet_api.request("PUT", f"/api/jobs/{job_id}", 200, json=nothing) == before


def test_a_job_that_runs_outside_can_not_be_started(quiet_api, job_id):
    put(quiet_api, job_id, RUNNING)
    assert "running" in quiet_api.refused(job_id, "start")


def test_a_parents_progress_and_end_follow_from_sub_jobs_that_run_outside(quiet_api):
    tree = quiet_api.create(parent(job("document_analysis", {"text": "x"}), job("document_analysis", {"text": "y"})))
    first, second = (sub["id"] for sub in tree["sub_jobs"])
    put(quiet_api, first, RUNNING)
    put(quiet_api, first, COMPLETED)
    assert quiet_api.job(tree["id"])["progress"]["percent"] == 50
    put(quiet_api, second, FAILED)
    failed = quiet_api.job(tree["id"])
    assert (failed["status"], failed["sub_job_counts"]["failed"]) == ("failed", 1)


@pytest.mark.parametrize("report", [RUNNING, COMPLETED, FAILED, CANCELLED, PROGRESS])
def test_on_a_job_that_celery_runs_nobody_else_reports(api, report):
    done = api.launch()
    api.expect(done, "completed")
    assert "Celery runs it" in refused(api, done, report)


def test_nothing_of_a_refused_change_is_done(api):
    done = api.launch()
    api.expect(done, "completed")
    refused(api, done, {"name": "Renamed", **FAILED})


def test_name_and_tags_may_be_changed_at_any_time(api):
    done = api.launch()
    api.expect(done, "completed")
    changed = put(api, done, {"name": "Renamed", "tags": ["kept"]})
    assert (changed["name"], changed["tags"], changed["status"]) == ("Renamed", ["kept"], "completed")
    assert api.get("/api/jobs/", tag="kept", name="RENAM")["jobs"][0]["id"] == done
    assert put(api, done, {"tags": []})["tags"] == []


def test_before_the_start_priority_and_payload_may_be_changed(api):
    job_id = api.create(job("workers.checksum", {"text": "one"}))["id"]
    changed = put(api, job_id, {"priority": "critical", "payload": {"text": "three"}})
    assert (changed["priority"], changed["payload"]) == ("critical", {"text": "three"})
    assert api.get("/api/jobs/", job_type="workers.checksum", priority="critical")["jobs"][0]["id"] == job_id
    api.post(job_id, "start")
    assert api.expect(job_id, "completed")["result"]["characters"] == 5


def test_a_custom_job_calls_what_its_changed_payload_names(api):
    job_id = api.create()["id"]
    put(api, job_id, {"payload": {"task": "workers.checksum", "kwargs": {"text": "four"}}})
    api.post(job_id, "start")
    assert api.expect(job_id, "completed")["result"]["kind"] == "checksum"


@pytest.mark.parametrize("change", [{"priority": "high"}, {"payload": {"text": "x"}}])
def test_after_the_start_priority_and_payload_stay(api, change):
    done = api.launch(job("workers.checksum", {"text": "one"}))
    api.expect(done, "completed")
    assert "before it is started" in refused(api, done, change)


def test_a_changed_payload_must_fit_the_type(api):
    job_id = api.create(job("document_analysis", {"document_id": "doc123"}))["id"]
    problem = api.problem("PUT", f"/api/jobs/{job_id}", 422, json={"payload": {"document_id": 7}})
    assert "body.payload.document_id" in fields_of(problem)
    assert api.job(job_id)["payload"] == {"document_id": "doc123"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "done"}, "body.status"),
        ({"progress": {"done": -1, "total": 4}}, "body.progress.done"),
        ({"progress": {"done": 1, "total": 0}}, "body.progress.total"),
        ({"progress": {"done": 1}}, "body.progress.total"),
        ({"progress": {"done": 1, "total": 4, "note": "x" * 201}}, "body.progress.note"),
        ({"error": {"type": "PaperJam"}}, "body.error.message"),
        ({"name": ""}, "body.name"),
        ({"priority": "urgent"}, "body.priority"),
        ({"payload": 7}, "body.payload"),
        ({"job_type": "custom"}, "body.job_type"),
        ({"id": "mine"}, "body.id"),
    ],
)
def test_a_change_that_is_not_valid_is_refused_with_its_field(quiet_api, job_id, body, field):
    assert fields_of(quiet_api.problem("PUT", f"/api/jobs/{job_id}", 422, json=body)) == [field]


def test_what_is_not_there_can_not_be_changed(quiet_api):
    quiet_api.problem("PUT", "/api/jobs/no-such-job", 404, json={"name": "x"})
    quiet_api.problem("PUT", "/api/jobs/no-such-job", 404, json=RUNNING)
