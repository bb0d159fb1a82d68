"""POST /api/jobs/ with a unique key: one job at a time."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.serving import fields_of, job, problem_of

TEXT = {"text": "Ferries leave the harbour at noon."}


@pytest.fixture
def body():
    return job("document_analysis", TEXT, unique={"key": str(uuid.uuid4())})


def create(api, body, **headers):
    return api.http.post("/api/jobs/", json=body, headers=headers)


def test_a_second_create_answers_with_the_first_job_and_says_so(quiet_api, body):
    first, second = (create(quiet_api, {**body, "start": True, "name": name}) for name in ("first", "second"))
    assert (first.status_code, "existing-job" in first.headers) == (201, False)
    assert (second.status_code, second.headers["existing-job"]) == (200, first.json()["id"])
    assert second.headers["location"] == first.headers["location"] == f"/api/jobs/{first.json()['id']}"
    assert (second.json()["name"], second.json()["run"]) == ("first", 1)
    assert quiet_api.job(first.json()["id"])["name"] == "first"
    quiet_api.post(first.json()["id"], "cancel")
    assert create(quiet_api, body).status_code == 201


def test_of_many_at_once_one_is_made(quiet_api, body):
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: create(quiet_api, body), range(8))]
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_another_key_and_another_type_are_others(quiet_api, body):
    others = [body, {**body, "unique": {"key": "another"}}, {**body, "job_type": "entity_extraction"}]
    assert len({create(quiet_api, each).json()["id"] for each in others}) == 3


def test_a_retry_that_would_be_a_second_one_is_refused_and_names_the_other(quiet_api, body):
    first = create(quiet_api, body).json()["id"]
    quiet_api.post(first, "cancel")
    second = create(quiet_api, body).json()["id"]
    assert f"the job {second} has its unique key now" in quiet_api.refused(first, "retry")
    quiet_api.post(second, "cancel")
    assert quiet_api.post(first, "retry")["status"] == "pending"


def test_the_same_request_gets_the_same_answer(quiet_api, body):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = create(quiet_api, body)
    joined, again = create(quiet_api, body, **key), create(quiet_api, body, **key)
    assert (joined.status_code, again.status_code) == (200, 200)
    assert again.headers["existing-job"] == joined.headers["existing-job"] == first.json()["id"]


@pytest.mark.parametrize(
    ("unique", "field"),
    [
        ({}, "key"),
        ({"key": ""}, "key"),
        ({"key": "x", "while": ["running"]}, "while"),
        ({"key": "x", "while": ["failed"]}, "while.0"),
        ({"key": "x", "for_s": 0}, "for_s"),
        ({"key": "x", "forever": True}, "forever"),
    ],
)
def test_what_is_no_unique_key_is_refused(quiet_api, body, unique, field):
    problem = problem_of(create(quiet_api, {**body, "unique": unique}), 422)
    assert f"body.unique.{field}" in fields_of(problem)
