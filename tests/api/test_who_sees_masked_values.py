"""Masked arguments of a job that has not begun: stored in full, and seen by who has the scope for that."""

import pytest
from support.api_under_test import QUIET_DB
from support.listening import Listening
from support.serving import Api, running_api

from jobtracker.core.access import Scope
from jobtracker.core.masking import ArgumentRule
from jobtracker.schemas.api_keys import Grant
from jobtracker.schemas.job_types import JobType
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.job_types import Registry

SECRET = "4111-1111-1111-1111"
PAYLOAD = {"card": SECRET, "amount": 3}
BODY = {"job_type": "pay", "payload": PAYLOAD}


@pytest.fixture(scope="module")
def api(redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB) as api:
        rule = ArgumentRule(mask=("card",), keyword_only=("card", "amount"))
        none = ArgumentRule(keep="none", keyword_only=("card", "amount"))
        types = [JobType(name="pay", task="pay", arguments=rule), JobType(name="hush", task="hush", arguments=none)]
        Registry(api.client, api.keys).announce(*types)
        yield api


def headers(api: Api, *scopes: Scope) -> dict[str, str]:
    issued = ApiKeys(api.client, api.keys).create(Grant(owner="ada", scopes=[*scopes]))
    return {"Authorization": f"Bearer {issued.key}"}


@pytest.fixture(scope="module")
def seeing(api):
    return headers(api, *Scope)


@pytest.fixture(scope="module")
def others(api):
    return headers(api, *(set(Scope) - {Scope.MASKED_READ}))


def of(job_id: str) -> list[str]:
    return [
        f"/api/jobs/{job_id}",
        f"/api/jobs/{job_id}/payload",
        f"/api/jobs/{job_id}/with-subjobs",
        f"/api/tracking/job-tree/{job_id}",
    ]


@pytest.mark.parametrize("job_type", ["pay", "hush"])
@pytest.mark.parametrize("with_sub_jobs", [False, True])
def test_only_who_has_the_scope_sees_them_and_only_when_asking_for_them(api, seeing, others, job_type, with_sub_jobs):
    body = {**BODY, "job_type": job_type}
    path = "/api/jobs/"
    if with_sub_jobs:
        body, path = {**body, "sub_jobs": [{**BODY, "job_type": job_type}]}, "/api/jobs/with-subjobs"
    created = api.http.post(path, json=body, headers=seeing)  # its answer may be kept for a repeated request
    assert created.status_code == 201
    assert SECRET not in created.text
    job_id = created.json()["id"]
    for each in of(job_id):
        shown = 2 if with_sub_jobs and "tree" in each.replace("with-subjobs", "tree") else 1
        assert api.http.get(each, headers=seeing).text.count(SECRET) == shown, each
        assert SECRET not in api.http.get(each, headers=others).text, each
    changed = api.http.put(f"/api/jobs/{job_id}", json={"name": "x"}, headers=seeing)
    assert changed.status_code == 200
    assert SECRET not in changed.text
    for each in (
        "/api/jobs/",
        "/api/tracking/attention",
        f"/api/jobs/{job_id}/explain",
        f"/api/jobs/{job_id}/history",
    ):
        assert SECRET not in api.http.get(each, headers=seeing).text, each


def test_a_shared_answer_does_not_tell_others(api, seeing, others):
    job_id = api.request("POST", "/api/jobs/", 201, json=BODY, headers=seeing)["id"]
    with Listening(str(api.http.base_url).rstrip("/"), headers=others) as listening:
        listening.until(lambda each: each.last_id)
        after = {"Last-Event-ID": listening.last_id}
        for who, seen in ((seeing, True), (others, False)) * 2:
            answer = api.http.get(f"/api/jobs/{job_id}", headers={**who, **after})
            assert (SECRET in answer.text) is seen
