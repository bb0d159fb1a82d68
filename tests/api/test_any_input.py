"""Whatever is sent: an answer of the API's own, and never a 5xx."""

import base64
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recount import recount
from serving import Api, job, parent

ACCEPTED = {200, 201, 204, 307}
REFUSED = {400, 404, 405, 409, 413, 422}

TEXT = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXT, inside, max_size=4),
    max_leaves=12,
)
GETS = [
    "/api/jobs/",
    "/api/tracking/performance",
    "/api/tracking/throughput",
    "/api/tracking/active-jobs",
    "/api/tracking/failed-jobs",
    "/api/tracking/stats",
]
PARAMETERS = [
    "status", "job_type", "priority", "parent", "tag", "name", "created_from", "created_to", "finished_from",
    "finished_to", "sort", "page", "page_size", "cursor", "hours", "minutes", "bucket_minutes", "limit",
]  # fmt: skip
VALUES = (
    TEXT
    | st.sampled_from(
        ["pending", "failed", "custom", "high", "created_at", "-status_changed_at", "2026-11-24T12:00:00Z", "1", "30"]
    )
    | st.integers().map(str)
    | st.datetimes(timezones=st.just(None) | st.timezones()).map(lambda at: at.isoformat())
)
VERBS = ["", "/with-subjobs", "/start", "/cancel", "/retry", "/logs", "/explain", "/history"]
MEDIA_TYPES = ["application/json", "text/plain", "x/y", "application/x-www-form-urlencoded"]
CURSORS = JSON | st.fixed_dictionaries({"list": st.just(["all", "desc"]), "score": JSON, "id": JSON, "skip": JSON})
FIELDS = [
    "name", "job_type", "priority", "payload", "tags", "start", "failure_policy", "sub_jobs", "status", "progress",
    "result", "error", "reason", "force",
]  # fmt: skip


@pytest.fixture(scope="module")
def job_id(quiet_api) -> str:
    return str(quiet_api.create(job("document_analysis", {"text": "x"}))["id"])


def check(response: httpx.Response) -> None:
    """It is an answer that the API means."""
    assert response.status_code in ACCEPTED | REFUSED, (response.request.url, response.status_code, response.text)
    assert response.headers["x-request-id"]
    if response.status_code in REFUSED:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code
    elif response.content:
        response.json()


no_harm = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@given(
    method=st.sampled_from(["GET", "PUT", "DELETE", "POST"]),
    job=TEXT,
    rest=st.sampled_from(VERBS),
)
@no_harm
def test_any_id_in_a_path(quiet_api, method, job, rest):
    body = {"name": "x"} if method == "PUT" else None
    check(quiet_api.http.request(method, f"/api/jobs/{quote(job, safe='')}{rest}", json=body))
    check(quiet_api.http.get(f"/api/tracking/job-tree/{quote(job, safe='')}"))


@given(path=st.sampled_from(GETS), params=st.dictionaries(st.sampled_from(PARAMETERS) | TEXT, VALUES, max_size=4))
@no_harm
def test_any_query(quiet_api, path, params):
    check(quiet_api.http.get(path, params=params))


@given(query=st.binary(max_size=60))
@no_harm
def test_any_bytes_in_a_query(quiet_api, query):
    check(quiet_api.http.get("/api/jobs/?" + quote(query, safe="=&+")))


@given(
    cursor=JSON | st.fixed_dictionaries({"list": st.just(["all", "desc"]), "score": JSON, "id": JSON, "skip": JSON})
)
@no_harm
def test_any_cursor(quiet_api, cursor):
    text = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
    check(quiet_api.http.get("/api/jobs/", params={"cursor": text}))


@given(
    path=st.sampled_from(["/api/jobs/", "/api/jobs/with-subjobs", "cancel", "put"]),
    body=JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5),
)
@no_harm
def test_any_json_as_a_body(quiet_api, job_id, path, body):
    if path == "put":
        check(quiet_api.http.put(f"/api/jobs/{job_id}", json=body))
    else:
        check(quiet_api.http.post(f"/api/jobs/{job_id}/cancel" if path == "cancel" else path, json=body))


@given(field=st.sampled_from(FIELDS), value=JSON, nested=st.booleans())
@no_harm
def test_any_value_in_a_field_of_a_job(quiet_api, field, value, nested):
    inner: dict[str, Any] = {**job("document_analysis", {"text": "x"}), field: value, "start": False}
    if nested:
        del inner["start"]
        inner = parent(inner)
    check(quiet_api.http.post("/api/jobs/with-subjobs" if nested else "/api/jobs/", json=inner))


@given(name=st.text(min_size=1, max_size=60), payload=st.dictionaries(TEXT, JSON, max_size=4))
@no_harm
def test_any_name_tag_and_payload_of_a_created_job_come_out_as_they_went_in(api, name, payload):
    body = {**job(payload={"task": "workers.wait", "kwargs": payload}), "name": name, "tags": [name[:50]]}
    response = api.http.post("/api/jobs/", json=body)
    check(response)
    if response.status_code == 201:
        found = api.job(response.json()["id"])
        assert found["payload"]["kwargs"] == payload
        assert found["name"].strip() == name.strip()
        tagged = api.get("/api/jobs/", tag=found["tags"][0], name=found["name"])
        assert found["id"] in {each["id"] for each in tagged["jobs"]}


@given(
    body=st.binary(max_size=80),
    content_type=st.sampled_from(MEDIA_TYPES),
)
@no_harm
def test_any_bytes_as_a_body(quiet_api, body, content_type):
    check(quiet_api.http.post("/api/jobs/", content=body, headers={"Content-Type": content_type}))


def test_after_all_that_the_counters_equal_a_recount(quiet_api: Api, api: Api):
    assert recount(quiet_api.client, quiet_api.keys) == []
    assert recount(api.client, api.keys) == []
