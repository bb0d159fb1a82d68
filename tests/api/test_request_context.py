"""What every request gets: its id, times, names, a line in the log, a limit to its size."""

import json
import re
from typing import Any

import pytest
from support.serving import eventually, job, lines_of, problem_of, running_api, waiting

from jobtracker.core.version import package_version

REFUSED = [
    ("GET", "/api/jobs/no-such-job", 404),
    ("GET", "/nowhere", 404),
    ("PATCH", "/api/jobs/", 405),
    ("POST", "/api/jobs/", 422),
    ("GET", "/api/jobs/?page=0", 422),
]


def with_id(request_id: str) -> dict[str, dict[str, str]]:
    return {"headers": {"X-Request-ID": request_id}}


@pytest.fixture(scope="module")
def small_api(redis_server, api_log_dir):
    """An API that takes small requests only."""
    with running_api(
        api_log_dir, redis_url=redis_server.url, redis_db=9, max_request_bytes=2000, service_name="small"
    ) as api:
        yield api


@pytest.mark.parametrize("request_id", ["a", "trace-1.2:3_4", "x" * 128])
def test_the_callers_request_id_is_answered_and_kept_with_the_job(quiet_api, request_id):
    response = quiet_api.http.post("/api/jobs/", json=job("document_analysis", {"text": "x"}), **with_id(request_id))
    assert response.headers["x-request-id"] == request_id
    assert response.json()["request_id"] == request_id


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, "<script>", "a\u00e9b".encode("latin-1"), b'"'])
def test_a_request_id_that_is_not_valid_is_replaced(quiet_api, request_id):
    answered = quiet_api.http.get("/api/jobs/", **with_id(request_id)).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", answered)


def test_every_request_without_an_id_gets_one_of_its_own(quiet_api):
    ids = {quiet_api.http.get("/api/jobs/").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/jobs/", 200), *REFUSED])
def test_every_answer_tells_its_time_and_who_gave_it(quiet_api, method, path, status):
    response = quiet_api.http.request(method, path, **with_id("asked"))
    assert response.status_code == status
    assert response.headers["x-request-id"] == "asked"
    assert 0 < float(response.headers["x-process-time"]) < 5
    assert response.headers["x-service-name"] == "distributed_job_tracking"
    assert response.headers["x-service-version"] == package_version()


def test_the_request_id_reaches_all_jobs_of_a_tree(quiet_api):
    body = job("document_analysis", {"text": "x"}, sub_jobs=[job("document_analysis", {"text": "y"})])
    tree = quiet_api.http.post("/api/jobs/with-subjobs", json=body, **with_id("whole-tree")).json()
    assert [tree["request_id"], tree["sub_jobs"][0]["request_id"]] == ["whole-tree", "whole-tree"]


def test_the_workers_log_lines_inside_a_task_carry_request_and_job(api, worker):
    response = api.http.post("/api/jobs/", json=job(payload=waiting(0), start=True), **with_id("followed-to-the-log"))
    job_id = response.json()["id"]
    api.expect(job_id, "completed")

    def inside() -> list[dict[str, str]]:
        lines = [json.loads(line) for line in lines_of(worker.log_path) if line.startswith("{")]
        return [line for line in lines if line.get("job_id") == job_id and "task" in line]

    eventually(inside)
    for line in inside():
        assert line["request_id"] == "followed-to-the-log"
        assert (line["task"], line["run"], line["service"]) == ("workers.wait", 1, "workers")
        assert {"time", "level", "logger", "message"} <= line.keys()


def test_the_log_consists_of_json_lines_only(quiet_api):
    quiet_api.http.get("/api/jobs/?name=%00%ff\u2028", **with_id("logged"))
    lines = [json.loads(line) for line in quiet_api.log_lines()]
    assert all({"time", "level", "logger", "message", "service"} <= line.keys() for line in lines)
    assert any("startup complete" in line["message"] for line in lines)


def test_each_request_has_one_line_in_the_log(quiet_api):
    quiet_api.http.get("/api/jobs/no-such-job", **with_id("one-line"))

    def found() -> list[dict[str, Any]]:
        return [line for line in map(json.loads, quiet_api.log_lines()) if line.get("request_id") == "one-line"]

    eventually(found)  # it is written once the answer has gone
    [line] = found()
    assert (line["logger"], line["method"], line["path"], line["status"]) == (
        "jobtracker.server.access", "GET", "/api/jobs/no-such-job", 404,
    )  # fmt: skip
    assert line["duration_ms"] > 0
    assert line["service"] == "distributed_job_tracking"


def test_the_callers_trace_is_kept_with_its_jobs_and_named_in_the_log(quiet_api):
    trace, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    headers = {"traceparent": f"00-{trace}-{caller}-01", "X-Request-ID": "traced"}
    body = job("document_analysis", {"text": "x"}, sub_jobs=[job("document_analysis", {"text": "y"})])
    tree = quiet_api.http.post("/api/jobs/with-subjobs", json=body, headers=headers).json()
    for each in (tree, tree["sub_jobs"][0]):
        assert (each["traceparent"], each["trace_url"]) == (headers["traceparent"], None)
    eventually(lambda: any('"traced"' in line for line in quiet_api.log_lines()))
    [line] = [line for line in map(json.loads, quiet_api.log_lines()) if line.get("request_id") == "traced"]
    assert line["trace_id"] == trace
    assert quiet_api.create(job("document_analysis", {"text": "x"}))["traceparent"] is None


def test_probes_that_succeed_have_no_line_in_the_log(quiet_api):
    assert quiet_api.http.get("/api/health", **with_id("a-probe")).status_code == 200
    quiet_api.http.get("/api/health?what=this", **with_id("a-bad-probe"))
    eventually(lambda: any('"a-bad-probe"' in line for line in quiet_api.log_lines()))
    assert not any('"a-probe"' in line for line in quiet_api.log_lines())


def test_a_request_that_announces_too_much_is_refused(small_api):
    response = small_api.http.post("/api/jobs/", content=b"x" * 2001)
    assert "2000 bytes" in problem_of(response, 413)["detail"]
    assert response.headers["x-service-name"] == "small"


def test_a_request_that_sends_too_much_without_announcing_it_is_refused(small_api):
    response = small_api.http.post("/api/jobs/", content=(b"x" * 500 for _ in range(5)))
    problem_of(response, 413)


def test_a_request_of_exactly_the_limit_is_taken(small_api):
    body = json.dumps(job("document_analysis", {"text": ""})).encode()
    fitting = body.replace(b'"text": ""', b'"text": "' + b"x" * (2000 - len(body)) + b'"')
    assert len(fitting) == 2000
    headers = {"Content-Type": "application/json"}
    assert small_api.http.post("/api/jobs/", content=fitting, headers=headers).status_code == 201
    chunks = (fitting[n : n + 300] for n in range(0, 2000, 300))
    assert small_api.http.post("/api/jobs/", content=chunks, headers=headers).status_code == 201


def test_a_document_of_more_than_ten_megabytes_is_refused_by_default(quiet_api):
    body = job("document_analysis", {"text": "x" * (10 * 1024 * 1024)})
    problem_of(quiet_api.http.post("/api/jobs/", json=body), 413)
