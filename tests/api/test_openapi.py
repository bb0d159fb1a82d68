"""The API's own description at /openapi.json and /docs."""

import re
from typing import Any

import pytest
from support.serving import ROOT, Json

DOCUMENTED = {
    ("POST", "/api/jobs/"),
    ("POST", "/api/jobs/with-subjobs"),
    ("GET", "/api/jobs/"),
    ("GET", "/api/jobs/{job_id}"),
    ("GET", "/api/jobs/{job_id}/with-subjobs"),
    ("PUT", "/api/jobs/{job_id}"),
    ("DELETE", "/api/jobs/{job_id}"),
    ("POST", "/api/jobs/{job_id}/start"),
    ("POST", "/api/jobs/{job_id}/cancel"),
    ("POST", "/api/jobs/{job_id}/retry"),
    ("GET", "/api/tracking/stats"),
    ("GET", "/api/tracking/stats/by-status"),
    ("GET", "/api/tracking/stats/by-type"),
    ("GET", "/api/tracking/stats/by-priority"),
    ("GET", "/api/tracking/performance"),
    ("GET", "/api/tracking/performance/series"),
    ("GET", "/api/tracking/attention"),
    ("GET", "/api/tracking/active-jobs"),
    ("GET", "/api/tracking/failed-jobs"),
    ("GET", "/api/tracking/queue-depth"),
    ("GET", "/api/tracking/throughput"),
    ("GET", "/api/tracking/worker-stats"),
    ("GET", "/api/tracking/workers"),
    ("GET", "/api/tracking/queue-series"),
    ("GET", "/api/tracking/timeline"),
    ("GET", "/api/tracking/job-types"),
    ("GET", "/api/tracking/job-tree/{job_id}"),
    ("GET", "/api/tracking/tree-outline/{job_id}"),
    ("GET", "/api/tracking/examination"),
    ("GET", "/api/tracking/health"),
    ("GET", "/api/events"),
    ("GET", "/api/health"),
}


@pytest.fixture(scope="module")
def openapi(quiet_api) -> Json:
    document: Json = quiet_api.get("/openapi.json")
    return document


def operations(document: Json) -> dict[tuple[str, str], Json]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def references(part: Any) -> set[str]:
    """All that a part of the document refers to."""
    if isinstance(part, list):
        return set().union(*map(references, part))
    if not isinstance(part, dict):
        return set()
    own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
    return own.union(*map(references, part.values()))


def test_the_documentation_page_is_there(quiet_api):
    response = quiet_api.http.get("/docs")
    assert response.status_code == 200
    assert "/openapi.json" in response.text


def test_every_documented_path_is_described_with_a_summary(openapi):
    described = operations(openapi)
    assert described.keys() >= DOCUMENTED
    assert all(described[route]["summary"] and described[route]["description"] for route in DOCUMENTED)
    assert len(DOCUMENTED) == 32


def test_the_page_on_the_api_and_the_description_name_the_same_job_routes(openapi):
    page = (ROOT / "docs" / "reference" / "http-api.md").read_text()
    listed = re.findall(r"^\| `([A-Z]+) (/api/jobs[^`]*)` \|", page, re.MULTILINE)
    described = {route for route in operations(openapi) if route[1].startswith("/api/jobs")}
    assert {(method, path.replace("{id}", "{job_id}")) for method, path in listed} == described


def test_the_examples_are_requests_that_are_taken(quiet_api, openapi):
    posted = 0
    for (method, path), operation in operations(openapi).items():
        reference = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        name = reference.get("$ref", "").rpartition("/")[2]
        example = openapi["components"]["schemas"].get(name, {}).get("example")
        if (method, path) in {("POST", "/api/jobs/"), ("POST", "/api/jobs/with-subjobs")}:
            created = quiet_api.request(method, path, 201, json=example)
            assert created["name"] == example["name"]
            posted += 1
    assert posted == 2


def test_every_reference_leads_somewhere(openapi):
    for reference in references(openapi):
        part = openapi
        for step in reference.removeprefix("#/").split("/"):
            assert step in part, reference
            part = part[step]


def test_every_error_is_described_as_problem_details(openapi):
    for route, operation in operations(openapi).items():
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")) and not route[1].endswith("/health"):
                assert list(response["content"]) == ["application/problem+json"], (route, status)


def test_what_a_route_may_answer_is_described(openapi):
    described = operations(openapi)
    for route in DOCUMENTED:
        statuses = set(described[route]["responses"])
        assert "503" in statuses, route
        if "{job_id}" in route[1]:
            assert "404" in statuses, route
        if route[0] in {"POST", "PUT"} and "job_id" not in route[1]:
            assert {"201", "413", "422"} <= statuses, route
    for verb in ("start", "cancel", "retry"):
        assert "409" in described["POST", f"/api/jobs/{{job_id}}/{verb}"]["responses"]
    assert {"204", "409"} <= set(described["DELETE", "/api/jobs/{job_id}"]["responses"])


def test_every_field_of_what_is_sent_is_described(openapi):
    for name in ("CreateJob", "CreateJobTree", "Cancel"):
        fields = openapi["components"]["schemas"][name]["properties"]
        assert {"reason", "terminate"} == set(fields) or {"name", "job_type", "priority", "payload"} <= set(fields)


def test_the_documentation_page_loads_nothing_from_elsewhere(quiet_api):
    page = quiet_api.http.get("/docs").text
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    for source in sources:
        assert source.startswith("/")
        assert quiet_api.http.get(source).status_code == 200
