"""Input that no client of good will sends: a clear refusal in no time, and nothing stored."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.recount import recount
from support.sample_jobs import create_in
from support.serving import Api, Json, fields_of, job, problem_of

from jobtracker.core.lifecycle import Status
from jobtracker.schemas.jobs import JSON_DEPTH_LIMIT
from jobtracker.schemas.requests import TREE_LIMIT

pytestmark = [pytest.mark.long, pytest.mark.thorough]

QUICK_S = 15
AS_JSON = {"Content-Type": "application/json"}
TEXT_JOB = job("document_analysis", {"text": "x"})

TEXT = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(TEXT, inside, max_size=4),
    max_leaves=12,
)
CURSORS = JSON | st.fixed_dictionaries(
    {"signature": st.just(["type", "", "desc"]), "score": JSON, "id": JSON, "skip": JSON}
)
no_harm = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@contextmanager
def nothing_stored(api: Api) -> Iterator[None]:
    before = api.get("/api/tracking/stats")["total"]
    began = time.monotonic()
    yield
    assert time.monotonic() - began < QUICK_S
    assert api.get("/api/tracking/stats")["total"] == before


def post(api: Api, content: Any, path: str = "/api/jobs/", **headers: str) -> httpx.Response:
    return api.http.post(path, content=content, headers={**AS_JSON, **headers})


def nested_lists(depth: int) -> str:
    return "[" * depth + "]" * depth


def with_payload(inside: str) -> str:
    return '{"job_type": "document_analysis", "payload": {"text": "x", "options": ' + inside + "}}"


@pytest.mark.parametrize("depth", [JSON_DEPTH_LIMIT, 250, 255, 500, 900])
def test_a_payload_that_nests_too_deep_is_refused_with_the_limit(quiet_api, depth):
    with nothing_stored(quiet_api):
        problem = problem_of(post(quiet_api, with_payload(nested_lists(depth))), 422)
        assert fields_of(problem) == ["body.payload"]
        assert f"deeper than {JSON_DEPTH_LIMIT} levels" in problem["detail"]


def test_the_deepest_payload_in_the_deepest_tree_comes_out_as_it_went_in(quiet_api):
    payload = {"text": "x", "options": json.loads(nested_lists(JSON_DEPTH_LIMIT - 1))}
    tree = inner = job("document_analysis", payload)
    for _ in range(50):
        tree = {**TEXT_JOB, "sub_jobs": [tree]}
    found = quiet_api.create(tree)
    while found["sub_jobs"]:
        [found] = found["sub_jobs"]
    assert found["payload"] == inner["payload"]


@pytest.mark.parametrize(
    "content",
    [nested_lists(100_000), '{"a":' * 100_000, with_payload(nested_lists(50_000)), with_payload("9" * 5000)],
    ids=["lists", "objects", "payload", "number"],
)
def test_what_the_parser_can_not_read_is_refused(quiet_api, content):
    with nothing_stored(quiet_api):
        assert post(quiet_api, content).status_code in {400, 422}
        assert post(quiet_api, content, "/api/jobs/with-subjobs").status_code in {400, 422}


def test_a_tree_of_too_many_jobs_is_refused_before_any_of_them_is_looked_at(quiet_api):
    with nothing_stored(quiet_api):
        many = {**TEXT_JOB, "sub_jobs": [{**TEXT_JOB, "sub_jobs": [{}] * TREE_LIMIT}]}
        problem = quiet_api.problem("POST", "/api/jobs/with-subjobs", 422, json=many)
        assert fields_of(problem) == ["body.sub_jobs"]
        assert f"more than {TREE_LIMIT} jobs" in problem["detail"]


def test_of_a_hundred_thousand_mistakes_the_first_are_named(quiet_api):
    with nothing_stored(quiet_api):
        body = {"job_type": "custom", **dict.fromkeys(map(str, range(100_000)))}
        problem = quiet_api.problem("POST", "/api/jobs/", 422, json=body)
        assert len(problem["errors"]) == 50
        assert problem["detail"].endswith("and 99950 more")
        assert len(problem["detail"]) < 10_000


def test_a_body_without_a_length_is_not_read_beyond_the_limit(quiet_api):
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 100_000
            yield b" " * 100_000

    # The connection may end before the answer is looked for.
    with nothing_stored(quiet_api), suppress(httpx.TransportError):
        problem_of(post(quiet_api, endless()), 413)
    assert sent < 10 * quiet_api.settings.max_request_bytes


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
@pytest.mark.parametrize("field", ["payload", "result", "done", "total"])
def test_a_number_that_json_does_not_know_is_refused(quiet_api, field, number):
    job_id = quiet_api.create(TEXT_JOB)["id"]
    body = {
        "payload": f'{{"payload": {{"text": "x", "n": {number}}}}}',
        "result": f'{{"status": "completed", "result": [{number}]}}',
        "done": f'{{"status": "running", "progress": {{"done": {number}, "total": 1}}}}',
        "total": f'{{"status": "running", "progress": {{"done": 1, "total": {number}}}}}',
    }[field]
    before = quiet_api.job(job_id)
    problem_of(quiet_api.http.put(f"/api/jobs/{job_id}", content=body, headers=AS_JSON), 422)
    assert quiet_api.job(job_id) == before


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**70), 10**300, 1e308, 5e-324])
def test_a_number_of_any_size_comes_out_as_it_went_in(quiet_api, number):
    created = quiet_api.create(job("document_analysis", {"text": "x", "n": number}))
    assert quiet_api.job(created["id"])["payload"]["n"] == number


@pytest.mark.parametrize("field", ["name", "job_type", "tags", "payload", "key"])
def test_half_a_character_is_refused(quiet_api, field):
    half = "\ud800"
    body: Json = {**TEXT_JOB}
    body[field] = {"tags": [half], "payload": {"text": half}}.get(field, half)
    if field == "key":
        body = job("document_analysis", {"text": "x", half: 1})
    with nothing_stored(quiet_api):
        problem_of(post(quiet_api, json.dumps(body)), 422)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"job_type": "\xff"}', "application/json"),
        (b"job_type=custom", "application/x-www-form-urlencoded"),
        (b"<job/>", "application/xml"),
        (json.dumps(TEXT_JOB).encode(), "multipart/form-data"),
        (json.dumps(TEXT_JOB).encode(), "json"),
    ],
)
def test_what_is_no_json_is_refused(quiet_api, content, content_type):
    with nothing_stored(quiet_api):
        response = post(quiet_api, content, **{"Content-Type": content_type})
        problem_of(response, 400 if b"\xff" in content else 422)


STRANGE_IDS = [
    "a/b", "/", "a/logs", "../..", "..", "\0", "a\r\nb", " ", "%2F", "a%b", "💩", "{0}:job:x", "x:y:z", "*", "x~2",
    "a?b#c",
]  # fmt: skip


@pytest.mark.parametrize("job_id", STRANGE_IDS)
def test_a_job_with_a_strange_id_can_be_reached(quiet_api, job_id):
    path = f"/api/jobs/{quote(job_id, safe='')}".replace("..", "%2E%2E")
    assert job_id in quiet_api.problem("GET", path, 404)["job_id"]
    create_in(quiet_api.store, Status.FAILED, job_id=job_id)
    assert quiet_api.get(path)["id"] == job_id
    assert quiet_api.get(f"{path}/history")
    assert quiet_api.request("DELETE", path, 204) is None
    assert quiet_api.problem("GET", f"{path}/with-subjobs", 404)["job_id"] == job_id


@pytest.mark.parametrize("length", [256, 10_000])
def test_an_id_that_is_too_long_is_refused(quiet_api, length):
    for path in (f"/api/jobs/{'x' * length}", f"/api/tracking/job-tree/{'x' * length}"):
        assert fields_of(quiet_api.problem("GET", path, 422)) == ["path.job_id"]


@pytest.mark.parametrize(
    "query",
    [
        "page=1000000000000000000", "page=-1", "page=0", "page=1e3", "page=" + "9" * 5000, "page_size=501",
        "page_size=NaN", "created_from=2026", "created_from=0.5", "created_from=inf", "finished_to=1",
        "created_to=2026-11-24T12:00:00", "cursor=%ff", "cursor=e30=", "status=%00", "name=" + "x" * 201,
        "tag=", "priority=0", "page=7&page=1", "x=%ff&%00",
    ],
)  # fmt: skip
def test_a_query_that_makes_no_sense_is_refused(quiet_api, query):
    quiet_api.problem("GET", f"/api/jobs/?{query}", 422)


@pytest.mark.parametrize("query", ["page=1000000000&page_size=500", "page=1000000000&name=x"])
def test_a_query_that_is_merely_odd_is_answered(quiet_api, query):
    assert quiet_api.http.get(f"/api/jobs/?{query}").status_code == 200


@given(cursor=CURSORS)
@no_harm
def test_any_cursor_is_answered_or_refused(quiet_api, cursor):
    text = base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode()
    assert quiet_api.http.get("/api/jobs/", params={"cursor": text}).status_code in {200, 422}


@given(name=st.text(min_size=1, max_size=60), payload=st.dictionaries(TEXT, JSON, max_size=4))
@no_harm
def test_any_name_tag_and_payload_of_a_created_job_come_out_as_they_went_in(api, name, payload):
    body = {**job(payload={"task": "workers.wait", "kwargs": payload}), "name": name, "tags": [name[:50]]}
    response = api.http.post("/api/jobs/", json=body)
    if response.status_code != 201:
        problem_of(response, 422)
        return
    found = api.job(response.json()["id"])
    assert found["payload"]["kwargs"] == payload
    assert found["name"].strip() == name.strip()
    tagged = api.get("/api/jobs/", tag=found["tags"][0], name=found["name"])
    assert found["id"] in {each["id"] for each in tagged["jobs"]}


@pytest.mark.parametrize("given_id", ["x" * 5000, "a b", "{}", "$(id)", "é".encode()])
def test_a_request_id_of_garbage_is_replaced(quiet_api, given_id):
    answered = quiet_api.http.get("/api/jobs/", headers={"X-Request-ID": given_id}).headers["x-request-id"]
    assert len(answered) == 32


def test_the_methods_of_a_path_are_named_all_of_them(quiet_api):
    for path, methods in (
        ("/api/jobs", "GET, HEAD, POST"),
        ("/api/jobs/", "GET, HEAD, POST"),
        ("/api/jobs/x", "DELETE, GET, HEAD, PUT"),
        ("/api/jobs/x/start", "POST"),
    ):
        response = quiet_api.http.patch(path)
        problem_of(response, 405)
        assert response.headers["allow"] == methods


@pytest.mark.parametrize("depth", [150, 300, 990])
def test_a_result_that_nests_too_deep_is_shown_as_text(quiet_api, depth):
    job_id = create_in(quiet_api.store, Status.COMPLETED)
    quiet_api.store.update(job_id, data={"result": nested_lists(depth)})
    assert quiet_api.job(job_id)["result"] == nested_lists(depth)
    assert quiet_api.tree(job_id)["result"] == nested_lists(depth)


def test_after_all_that_the_counters_equal_a_recount(quiet_api, api):
    assert recount(quiet_api.client, quiet_api.keys) == []
    assert recount(api.client, api.keys) == []
