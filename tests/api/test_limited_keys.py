"""Keys that are limited to some job types or tags: what their bearers see, and what they may write."""

import json

import pytest
from support.api_under_test import QUIET_DB
from support.listening import Listening
from support.sample_jobs import create_job, create_parent
from support.serving import Api, problem_of, running_api

from jobtracker.core.lifecycle import Event
from jobtracker.schemas.api_keys import Grant
from jobtracker.schemas.job_types import JobType
from jobtracker.store.api_keys import ApiKeys
from jobtracker.store.job_types import Registry


@pytest.fixture(scope="module")
def api(redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=QUIET_DB) as api:
        types = [JobType(name=name, task=name) for name in ("mail", "sms", "report")]
        parent = JobType(name="bundle", task="bundle", takes_results=True)
        Registry(api.client, api.keys).announce(*types, parent)
        yield api


def key(api: Api, **limits) -> dict[str, str]:
    issued = ApiKeys(api.client, api.keys).create(Grant(owner="ada", role="operator", **limits))
    return {"Authorization": f"Bearer {issued.key}"}


@pytest.fixture(scope="module")
def by_type(api):
    return key(api, job_types=["mail", "bundle"])


@pytest.fixture(scope="module")
def by_tag(api):
    return key(api, tags=["eu", "uk"])


@pytest.fixture(scope="module")
def jobs(api) -> dict[str, str]:
    """Jobs by what they are."""
    return {
        f"{job_type} {tags}": create_job(api.store, type=job_type, tags=json.dumps(tags.split()))
        for job_type in ("mail", "sms")
        for tags in ("", "eu", "us", "us uk")
    }


def listed(api: Api, headers, **params) -> set[str]:
    page = api.request("GET", "/api/jobs/", 200, headers=headers, params={"page_size": 500, **params})
    return {each["id"] for each in page["jobs"]}


def those(jobs, *names) -> set[str]:
    return {jobs[name] for name in names}


MAILS = ["mail ", "mail eu", "mail us", "mail us uk"]


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, MAILS),
        ({"job_type": "mail"}, MAILS),
        ({"job_type": ["mail", "sms"]}, MAILS),
        ({"job_type": "sms"}, []),
        ({"q": "type:sms"}, []),
        ({"q": "-type:mail"}, []),
        ({"tag": "us"}, ["mail us", "mail us uk"]),
        ({"status": "pending"}, MAILS),
        ({"status": "pending", "job_type": "sms"}, []),
    ],
)
def test_who_is_limited_to_types_finds_jobs_of_these(api, by_type, jobs, params, found):
    assert listed(api, by_type, **params) & {*jobs.values()} == those(jobs, *found)


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, ["mail eu", "mail us uk", "sms eu", "sms us uk"]),
        ({"tag": "us"}, ["mail us uk", "sms us uk"]),
        ({"tag": ["us", "eu"]}, ["mail eu", "mail us uk", "sms eu", "sms us uk"]),
        ({"job_type": "mail", "tag": "eu"}, ["mail eu"]),
        ({"q": "-tag:eu"}, ["mail us uk", "sms us uk"]),
    ],
)
def test_who_is_limited_to_tags_finds_jobs_with_one_of_these(api, by_tag, jobs, params, found):
    assert listed(api, by_tag, **params) & {*jobs.values()} == those(jobs, *found)


def test_failed_and_active_jobs_and_types_are_limited_too(api, by_type):
    for name in ("mail", "sms"):
        api.store.apply(Event.START, create_job(api.store, type=name))
    active = api.request("GET", "/api/tracking/active-jobs", 200, headers=by_type)["jobs"]
    assert {each["job_type"] for each in active} == {"mail"}
    types = api.request("GET", "/api/tracking/job-types", 200, headers=by_type)
    assert [each["name"] for each in types] == ["bundle", "mail"]


def test_a_job_is_there_for_those_who_may_see_it_alone(api, by_type, by_tag, jobs):
    for headers, seen in ((by_type, MAILS), (by_tag, ["mail eu", "mail us uk", "sms eu", "sms us uk"])):
        for name, job_id in jobs.items():
            answer = api.http.get(f"/api/jobs/{job_id}", headers=headers)
            assert answer.status_code == (200 if name in seen else 404), name


@pytest.mark.parametrize(
    ("limit", "body", "status"),
    [
        ("type", {"job_type": "mail"}, 201),
        ("type", {"job_type": "sms"}, 403),
        ("type", {"job_type": "custom", "payload": {"task": "sms"}}, 403),
        ("tag", {"job_type": "sms", "tags": ["eu"]}, 201),
        ("tag", {"job_type": "sms", "tags": ["us"]}, 403),
        ("tag", {"job_type": "sms"}, 403),
        ("type", {"job_type": "bundle", "sub_jobs": [{"job_type": "mail"}]}, 201),
        ("type", {"job_type": "bundle", "sub_jobs": [{"job_type": "mail"}, {"job_type": "sms"}]}, 403),
    ],
)
def test_who_is_limited_creates_only_such_jobs(api, by_type, by_tag, limit, body, status):
    headers = by_type if limit == "type" else by_tag
    before = api.request("GET", "/api/jobs/", 200, headers=key(api))["total"]
    path = "/api/jobs/with-subjobs" if "sub_jobs" in body else "/api/jobs/"
    answer = api.http.post(path, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    created = 1 + len(body.get("sub_jobs", ())) if status == 201 else 0
    assert api.request("GET", "/api/jobs/", 200, headers=key(api))["total"] == before + created
    if status == 403:
        assert "ada is limited to jobs" in problem_of(answer, 403)["detail"]


def test_a_job_can_not_be_tagged_out_of_sight(api, by_tag, jobs):
    job_id = jobs["sms eu"]
    problem_of(api.http.put(f"/api/jobs/{job_id}", json={"tags": ["us"]}, headers=by_tag), 403)
    found = api.request("PUT", f"/api/jobs/{job_id}", 200, json={"tags": ["us", "eu"]}, headers=by_tag)
    assert found["tags"] == ["us", "eu"]
    api.request("PUT", f"/api/jobs/{job_id}", 200, json={"tags": ["eu"]}, headers=by_tag)


def test_a_tree_with_jobs_out_of_reach_is_neither_shown_nor_changed(api, by_type):
    whole, _ = create_parent(api.store, 2, name="whole", type="bundle", sub_fields={"type": "mail"})
    mixed, _ = create_parent(api.store, 2, name="mixed", type="bundle", sub_fields={"type": "sms"})
    for path in ("/api/jobs/{}/with-subjobs", "/api/tracking/job-tree/{}", "/api/tracking/tree-outline/{}"):
        assert api.http.get(path.format(whole), headers=by_type).status_code == 200
        assert "Below job mixed" in problem_of(api.http.get(path.format(mixed), headers=by_type), 403)["detail"]
    for verb in ("start", "cancel", "retry"):
        problem_of(api.http.post(f"/api/jobs/{mixed}/{verb}", headers=by_type), 403)
    problem_of(api.http.delete(f"/api/jobs/{mixed}", headers=by_type), 403)
    problem_of(api.http.put(f"/api/jobs/{mixed}", json={"status": "cancelled"}, headers=by_type), 403)
    assert api.http.post(f"/api/jobs/{whole}/cancel", headers=by_type).status_code == 200
    assert api.http.get(f"/api/jobs/{mixed}", headers=by_type).status_code == 200
    problem_of(api.http.post(f"/api/jobs/{whole}/retry", json={"from_failed": True}, headers=by_type), 403)


def test_no_other_job_of_a_chain_is_retried_neither_of_one_job_nor_of_many(api, by_type, jobs):
    for path, body in (
        (f"/api/jobs/{jobs['mail ']}/retry", {}),
        ("/api/jobs/bulk", {"action": "retry", "all": True, "dry_run": True}),
        ("/api/jobs/bulk", {"action": "retry", "ids": [jobs["mail "]]}),
    ):
        answer = api.http.post(path, json={**body, "from_failed": True}, headers=by_type)
        assert "another job of the chain" in problem_of(answer, 403)["detail"]


def test_a_stream_tells_of_jobs_within_reach(api, by_type, by_tag, jobs):
    url = str(api.http.base_url).rstrip("/")
    with Listening(url, headers=by_type) as listening:
        listening.until(lambda each: each.last_id)
        create_job(api.store, type="sms")
        mail = create_job(api.store, type="mail")
        listening.until(lambda each: mail in each.ids)
        assert {each["job_type"] for each in listening.jobs} == {"mail"}
    problem_of(api.http.get("/api/events", headers=by_tag), 403)
    problem_of(api.http.get("/api/events", headers=by_tag, params={"job_id": jobs["sms us"]}), 404)
    answer = api.http.get("/api/events", headers=by_tag, params={"job_id": jobs["sms eu"], "for_s": 0.1})
    assert answer.status_code == 200


def test_the_answer_of_a_bulk_run_is_not_shared_with_another_key_of_the_same_limits(api, by_type, jobs):
    wanted = {"action": "tag", "tags": ["seen"], "ids": [jobs["mail us"]]}
    run = api.request("POST", "/api/jobs/bulk", 202, json=wanted, headers=by_type)["id"]
    other = key(api, job_types=["mail", "bundle"])
    with Listening(str(api.http.base_url).rstrip("/"), headers=key(api)) as listening:
        listening.until(lambda each: each.last_id)
        after = {"Last-Event-ID": listening.last_id}
        assert api.request("GET", f"/api/jobs/bulk/{run}", 200, headers=by_type | after)["id"] == run
        problem_of(api.http.get(f"/api/jobs/bulk/{run}", headers=other | after), 404)


@pytest.mark.parametrize("limits", [{"job_types": ["mail"]}, {"tags": ["eu"]}], ids=["types", "tags"])
def test_a_limited_key_cancels_its_own_bulk_runs_and_no_others(api, jobs, limits):
    own, other = key(api, **limits), key(api, **limits)
    wanted = {"action": "tag", "tags": ["seen"], "ids": [jobs["mail eu"]]}
    run = api.request("POST", "/api/jobs/bulk", 202, json=wanted, headers=own)["id"]
    for path in ("", "/explain", "/history"):
        assert api.http.get(f"/api/jobs/{run}{path}", headers=own).status_code == 200
        problem_of(api.http.get(f"/api/jobs/{run}{path}", headers=other), 404)
    problem_of(api.http.post(f"/api/jobs/{run}/cancel", headers=other), 404)
    cancelled = api.http.post(f"/api/jobs/{run}/cancel", headers=own)
    assert cancelled.status_code in {200, 409}, cancelled.text  # 409: it has ended
    problem_of(api.http.put(f"/api/jobs/{run}", json={"tags": ["mine"]}, headers=own), 403)
    assert run not in listed(api, own)


def test_answers_are_shared_only_among_those_who_may_see_the_same(api, by_type, by_tag, jobs):
    url = str(api.http.base_url).rstrip("/")
    with Listening(url, headers=key(api)) as listening:
        listening.until(lambda each: each.last_id)
        after = {"Last-Event-ID": listening.last_id}
        for _ in range(2):
            for headers in (key(api), by_type, by_tag):
                wanted = listed(api, headers)
                assert listed(api, {**headers, **after}) == wanted
        answer = api.http.get("/api/jobs/", params={"page_size": 500}, headers=after)
        assert answer.status_code == 401
