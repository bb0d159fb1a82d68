"""Errors: always RFC 9457 problem details."""

import json
from pathlib import Path

import pytest
from support.serving import eventually, fields_of, job, problem_of, running_api


@pytest.fixture(scope="module")
def failing_api(redis_server, api_log_dir):
    """An API with a route that fails."""
    folder = str(Path(__file__).parent)
    command = ["uvicorn", "failing_api:create_app", "--factory", "--app-dir", folder]
    with running_api(api_log_dir, command=command, redis_url=redis_server.url, redis_db=9) as api:
        yield api


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 422), (b"", 422), (b"[]", 422), (b'"job"', 422), (b"null", 422), (b"\xff\xfe{", 400), (b"9" * 5000, 400)],
)
def test_a_body_that_is_no_job_is_refused(quiet_api, content, status):
    response = quiet_api.http.post("/api/jobs/", content=content, headers={"Content-Type": "application/json"})
    problem = problem_of(response, status)
    if status == 422:
        assert fields_of(problem)[0].startswith("body")


def test_a_body_that_does_not_say_it_is_json_is_refused(quiet_api):
    response = quiet_api.http.post("/api/jobs/", content=json.dumps(job()), headers={"Content-Type": "text/plain"})
    assert fields_of(problem_of(response, 422)) == ["body"]


def test_all_parameters_that_do_not_fit_are_named(quiet_api):
    wrong = {"status": "lost", "created_from": "2026", "page": "x", "page_size": "501"}
    problem = quiet_api.problem("GET", "/api/jobs/", 422, params={**wrong, "tag": "fits"})
    assert sorted(fields_of(problem)) == sorted(f"query.{name}" for name in wrong)
    problem = quiet_api.problem("GET", f"/api/jobs/{'x' * 256}", 422)
    assert fields_of(problem) == ["path.job_id"]


def test_an_unknown_path_is_a_problem_that_points_to_the_documentation(quiet_api):
    problem = quiet_api.problem("GET", "/api/nowhere", 404)
    assert problem["instance"] == "/api/nowhere"
    assert "/docs" in problem["detail"]


def test_the_type_of_a_problem_tells_a_missing_job_from_a_missing_path(quiet_api):
    missing = quiet_api.problem("GET", "/api/jobs/nobody", 404)
    assert (missing["type"], missing["job_id"]) == ("urn:jobtracker:problem:job-not-found", "nobody")
    assert quiet_api.problem("GET", "/api/nowhere", 404)["type"] == "about:blank"


def test_a_refusal_names_the_status_that_does_not_allow_it(quiet_api):
    job_id = quiet_api.create(job("document_analysis", {"text": "x"}))["id"]
    quiet_api.post(job_id, "cancel")
    problem = quiet_api.problem("POST", f"/api/jobs/{job_id}/start", 409)
    assert problem["type"] == "urn:jobtracker:problem:illegal-transition"
    assert (problem["job_id"], problem["job_status"]) == (job_id, "cancelled")


def test_a_method_that_is_not_allowed_is_a_problem_that_names_the_others(quiet_api):
    response = quiet_api.http.put("/api/jobs/")
    problem_of(response, 405)
    assert {"GET", "HEAD", "POST"} >= set(response.headers["allow"].split(", ")) > set()


def test_an_unexpected_error_gives_nothing_away(failing_api):
    response = failing_api.http.get("/fails", headers={"X-Request-ID": "unlucky"})
    assert problem_of(response, 500)["request_id"] == "unlucky"
    assert "secret" not in response.text
    assert response.headers["x-service-name"] == "distributed_job_tracking"
    assert float(response.headers["x-process-time"]) > 0


def test_an_unexpected_error_does_not_end_the_connection(failing_api):
    failing_api.http.get("/fails")
    assert failing_api.http.get("/api/jobs/").status_code == 200


def test_an_unexpected_error_is_logged_with_its_request_and_traceback(failing_api):
    failing_api.http.get("/fails", headers={"X-Request-ID": "logged-failure"})
    error, access = [], []

    def is_logged() -> bool:
        lines = [json.loads(line) for line in failing_api.log_lines()]
        ours = [line for line in lines if line.get("request_id") == "logged-failure"]
        error[:] = [line for line in ours if line["level"] == "ERROR"]
        access[:] = [line for line in ours if line["logger"] == "jobtracker.server.access"]
        return bool(access)  # which is written last

    eventually(is_logged)
    assert "a secret of the inside" in error[0]["exc_info"]
    assert [line["status"] for line in access] == [500]
