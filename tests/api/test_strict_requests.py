"""What a route does not know, or can't read for sure, it refuses; and what HTTP promises of every route it keeps."""

import json

import pytest
from support.sample_jobs import create_in
from support.serving import fields_of, job, problem_of

from jobtracker.core.lifecycle import Status

AS_JSON = {"Content-Type": "application/json"}
TEXT_JOB = job("document_analysis", {"text": "x"})


@pytest.fixture(scope="module")
def routes(quiet_api) -> list[tuple[str, str, dict[str, bool]]]:
    """Each route: its method, its path with an id in it, and the query parameters that it describes, and whether each
    may have several values."""
    paths = quiet_api.get("/openapi.json")["paths"]
    return [
        (
            method.upper(),
            path.replace("{job_id}", "x"),
            {
                each["name"]: each["schema"].get("type") == "array"
                for each in operation.get("parameters", [])
                if each["in"] == "query"
            },
        )
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def test_no_route_ignores_a_parameter_that_it_does_not_know(quiet_api, routes):
    assert len(routes) > 25
    for method, path, known in routes:
        problem = quiet_api.problem(method, path, 422, params={"queues": "gpu"})
        assert fields_of(problem) == ["query.queues"], (method, path)
        assert all(name in problem["detail"] for name in known)
    assert [route for route in routes if "status" in route[2]]


def test_no_route_takes_a_parameter_of_one_value_twice(quiet_api, routes):
    for method, path, known in routes:
        for name in (each for each, has_several in known.items() if not has_several):
            problem = quiet_api.problem(method, path, 422, params=[(name, "1"), (name, "1")])
            assert fields_of(problem) == [f"query.{name}"], (method, path)


@pytest.mark.parametrize(("wrong", "right"), [("stat", "status"), ("jobtype", "job_type"), ("tags", "tag")])
def test_the_parameter_that_was_meant_is_named(quiet_api, wrong, right):
    assert f"did you mean {right}?" in quiet_api.problem("GET", f"/api/jobs/?{wrong}=x", 422)["detail"]


def test_ten_thousand_unknown_parameters_are_refused_in_no_time(quiet_api):
    query = "&".join(f"statu{n}=" for n in range(5_000))
    problem = quiet_api.problem("GET", f"/api/jobs/?{query}&{'x' * 5000}=", 422)
    assert len(problem["errors"]) == 50
    assert len(problem["detail"]) < 30_000


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/api/jobs/?", "/api/jobs/?name="])
def test_what_says_nothing_is_no_mistake(quiet_api, path):
    assert quiet_api.http.get(path).status_code == 200


def test_a_body_is_refused_where_none_is_looked_at(quiet_api):
    job_id = quiet_api.create(TEXT_JOB)["id"]
    for method, path, field in (("POST", "/start", "body.terminate"), ("DELETE", "", "body")):
        problem = quiet_api.problem(method, f"/api/jobs/{job_id}{path}", 422, json={"terminate": True})
        assert fields_of(problem) == [field]
    assert quiet_api.job(job_id)["status"] == "pending"
    assert quiet_api.request("DELETE", f"/api/jobs/{job_id}", 204, json={}) is None


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "", {**TEXT_JOB, "pririty": "high"}, "pririty"),
        ("POST", "/with-subjobs", {**TEXT_JOB, "sub_jobs": [{**TEXT_JOB, "tag": ["a"]}]}, "sub_jobs.0.tag"),
        ("POST", "/{id}/cancel", {"forced": True}, "forced"),
        ("PUT", "/{id}", {"tag": []}, "tag"),
        ("PUT", "/{id}", {"status": "running", "progress": {"done": 1, "total": 2, "nte": ""}}, "progress.nte"),
        ("PUT", "/{id}", {"status": "failed", "error": {"type": "E", "message": "m", "trace": "t"}}, "error.trace"),
    ],
)
def test_a_field_that_is_not_known_is_refused_at_any_depth(quiet_api, method, path, body, field):
    job_id = create_in(quiet_api.store, Status.PENDING)
    problem = quiet_api.problem(method, f"/api/jobs{path}".replace("{id}", job_id), 422, json=body)
    assert f"body.{field}" in fields_of(problem)
    assert quiet_api.job(job_id)["status"] == "pending"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_json_in_another_encoding_than_utf_8_is_refused(quiet_api, encoding):
    for path in ("/api/jobs/", "/api/jobs/x/cancel"):
        content = json.dumps(TEXT_JOB).encode(encoding)
        problem = problem_of(quiet_api.http.post(path, content=content, headers=AS_JSON), 400)
        assert "not JSON in UTF-8" in problem["detail"]


def test_every_route_that_is_read_answers_head_as_get_without_the_body(quiet_api, routes):
    for method, path, _ in routes:
        if method != "GET" or path == "/api/events":  # its GET has no end
            continue
        head, get = quiet_api.http.head(path), quiet_api.http.get(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert head.headers["content-type"] == get.headers["content-type"]
    assert quiet_api.http.head("/api/jobs").status_code == 200
    assert quiet_api.http.head("/api/jobs/x/start").status_code == 405


def test_head_has_the_length_of_the_answer_of_get(quiet_api):
    path = f"/api/jobs/{create_in(quiet_api.store, Status.FAILED)}"
    assert quiet_api.http.head(path).headers["content-length"] == str(len(quiet_api.http.get(path).content))


def test_failed_jobs_are_listed_with_their_errors(quiet_api):
    job_id = quiet_api.create(TEXT_JOB)["id"]
    error = {"type": "OSError", "message": "the disk is full", "traceback": "Traceback …"}
    quiet_api.request("PUT", f"/api/jobs/{job_id}", 200, json={"status": "failed", "error": error})
    listed = {each["id"]: each for each in quiet_api.get("/api/tracking/failed-jobs", page_size=500)["jobs"]}
    assert listed[job_id]["error"] == {**error, "traceback": None}
    assert quiet_api.get("/api/tracking/failed-jobs", page_size=1, page=2)["page_size"] == 1
