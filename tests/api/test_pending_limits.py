"""How much each may have pending, by the API: single jobs, trees, batches, and large requests."""

import pytest
from support.api_under_test import QUIET_DB
from support.serving import eventually, problem_of, running_api

from jobtracker.core.lifecycle import Event
from jobtracker.schemas.api_keys import Grant
from jobtracker.schemas.job_types import JobType
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.job_types import Registry

pytestmark = pytest.mark.thorough

MAIL = {"job_type": "mail", "payload": {"to": "x"}}


@pytest.fixture(scope="module")
def api(redis_server, api_log_dir):
    with running_api(
        api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB, api_pending_jobs=3, api_pending_bytes=200_000
    ) as api:
        Registry(api.client, api.keys).announce(JobType(name="mail", task="mail"))
        yield api


@pytest.fixture
def ada(api, request) -> dict[str, str]:
    issued = ApiKeys(api.client, api.keys).create(Grant(owner=request.node.name, role="operator"))
    return {"Authorization": f"Bearer {issued.key}"}


def test_no_way_to_create_jobs_leads_beyond_the_limit(api, ada):
    tree = {**MAIL, "sub_jobs": [MAIL, MAIL, MAIL]}
    problem_of(api.http.post("/api/jobs/with-subjobs", json=tree, headers=ada), 429)
    problem_of(api.http.post("/api/jobs/batch", json={"jobs": [MAIL] * 4}, headers=ada), 429)
    assert api.http.get("/api/jobs/", headers=ada).json()["total"] == 0
    assert api.http.post("/api/jobs/batch", json={"jobs": [MAIL] * 2}, headers=ada).status_code == 201
    first = api.request("POST", "/api/jobs/", 201, json=MAIL, headers=ada)
    refused = api.http.post("/api/jobs/", json=MAIL, headers=ada)
    assert "4 pending jobs, more than 3" in problem_of(refused, 429)["detail"]
    assert int(refused.headers["retry-after"]) > 0
    assert api.http.get("/api/jobs/", headers=ada).json()["total"] == 3
    api.store.apply(Event.START, first["id"])
    eventually(lambda: api.http.post("/api/jobs/", json=MAIL, headers=ada).status_code == 201)  # it has just looked


def test_a_large_request_counts_too(api, ada):
    large = {**MAIL, "payload": {"text": "x" * 150_000}}
    assert api.http.post("/api/jobs/", json=large, headers=ada).status_code == 201
    assert (
        "bytes, more than 200,000" in problem_of(api.http.post("/api/jobs/", json=large, headers=ada), 429)["detail"]
    )


def test_what_was_not_recorded_does_not_count(api, ada):
    unique = {**MAIL, "unique": {"key": "one"}}
    first = api.request("POST", "/api/jobs/", 201, json=unique, headers=ada)
    for _ in range(5):  # these join the first one
        assert api.request("POST", "/api/jobs/", 200, json=unique, headers=ada)["id"] == first["id"]
    assert api.http.post("/api/jobs/batch", json={"jobs": [MAIL] * 2}, headers=ada).status_code == 201


def test_a_payload_that_grows_counts_too(api, ada):
    job_id = api.request("POST", "/api/jobs/", 201, json=MAIL, headers=ada)["id"]
    for size, status in ((150_000, 200), (210_000, 429), (1000, 200), (150_000, 200)):
        answer = api.http.put(f"/api/jobs/{job_id}", json={"payload": {"to": "x" * size}}, headers=ada)
        assert answer.status_code == status, answer.text
    found = api.request("GET", f"/api/jobs/{job_id}", 200, headers=ada)
    assert len(found["payload"]["to"]) == 150_000
    problem_of(api.http.post("/api/jobs/", json={**MAIL, "payload": {"to": "x" * 60_000}}, headers=ada), 429)


@pytest.mark.parametrize("change", [{"priority": "high"}, {"payload": {"to": "y"}}])
def test_a_refused_change_of_a_job_that_waits_makes_no_room(api, ada, change):
    large = {**MAIL, "payload": {"to": "x" * 60_000}}
    jobs = [api.request("POST", "/api/jobs/", 201, json=large, headers=ada)["id"] for _ in range(3)]
    assert api.store.apply(Event.ENQUEUE, jobs[0]).applied
    problem_of(api.http.put(f"/api/jobs/{jobs[0]}", json=change, headers=ada), 409)
    problem_of(api.http.post("/api/jobs/", json=MAIL, headers=ada), 429)
