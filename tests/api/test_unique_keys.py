"""POST /api/jobs/ with a unique key: one job at a time."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.recount import recount
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


def tree_of(body, *subs, **more):
    return {**body, "sub_jobs": list(subs) or [job("document_analysis", TEXT)] * 2, **more}


def create_tree(api, body, **headers):
    return api.http.post("/api/jobs/with-subjobs", json=body, headers=headers)


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("size", [2, 60])
def test_a_tree_has_its_key_until_its_parent_has_ended(quiet_api, body, start, size):
    wanted = tree_of(body, *[job("document_analysis", TEXT)] * size, start=start)
    first, second = create_tree(quiet_api, wanted), create_tree(quiet_api, wanted)
    assert (first.status_code, second.status_code, "existing-job" in first.headers) == (201, 200, False)
    root = first.json()["id"]
    assert (second.json()["id"], second.headers["existing-job"], len(second.json()["sub_jobs"])) == (root, root, size)
    assert second.headers["location"] == first.headers["location"]
    assert create(quiet_api, body).json()["id"] == root, "a job without sub-jobs has the same key"
    assert quiet_api.job(root)["run"] == int(start)
    quiet_api.post(root, "cancel")
    again = create_tree(quiet_api, wanted)
    assert (again.status_code, again.json()["id"] == root) == (201, False)
    assert f"the job {again.json()['id']} has its unique key now" in quiet_api.refused(root, "retry")
    quiet_api.post(again.json()["id"], "cancel")
    quiet_api.request("DELETE", f"/api/jobs/{again.json()['id']}", 204)
    assert recount(quiet_api.client, quiet_api.keys) == []


def test_of_many_trees_at_once_one_is_made(quiet_api, body):
    before = quiet_api.get("/api/jobs/", page_size=1)["total"]
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda _: create_tree(quiet_api, tree_of(body)), range(8))]
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert quiet_api.get("/api/jobs/", page_size=1)["total"] == before + 3


def test_the_same_request_for_a_tree_gets_the_same_answer(quiet_api, body):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (create_tree(quiet_api, tree_of(body, start=True), **key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content


def test_a_part_of_a_tree_has_no_key_of_its_own(quiet_api, body):
    wanted = tree_of(body, job("document_analysis", TEXT, unique={"key": "x"}))
    problem = problem_of(create_tree(quiet_api, wanted), 422)
    assert fields_of(problem) == ["body.sub_jobs.0"]
    assert "Give the key to the parent" in str(problem["errors"])


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


def create_batch(api, *jobs, **more):
    return api.request("POST", "/api/jobs/batch", 201, json={"jobs": list(jobs), **more})


@pytest.mark.parametrize("start", [False, True])
def test_a_batch_joins_the_jobs_that_are_there_and_makes_the_others(quiet_api, body, start):
    there = create(quiet_api, body).json()["id"]
    other, plain = {**body, "unique": {"key": str(uuid.uuid4())}}, job("document_analysis", TEXT)
    before = quiet_api.get("/api/jobs/", page_size=1)["total"]
    made = create_batch(quiet_api, plain, body, other, other, plain, start=start)
    ids = made["ids"]
    assert (made["joined"], ids[1], ids[3]) == ([1, 3], there, ids[2])
    assert len(set(ids)) == 4
    assert quiet_api.get("/api/jobs/", page_size=1)["total"] == before + 3
    assert [quiet_api.job(each)["run"] for each in ids] == [start, 0, start, start, start]
    assert create(quiet_api, other).json()["id"] == ids[2]
    assert create_batch(quiet_api, body, other)["joined"] == [0, 1]
    assert recount(quiet_api.client, quiet_api.keys) == []


def test_of_many_batches_at_once_each_key_is_taken_once(quiet_api, body):
    jobs = [{**body, "unique": {"key": f"{uuid.uuid4()}"}} for _ in range(20)]
    with ThreadPoolExecutor(4) as pool:
        made = [*pool.map(lambda _: create_batch(quiet_api, *jobs), range(4))]
    assert len({tuple(each["ids"]) for each in made}) == 1
    assert sorted(len(each["joined"]) for each in made) == [0, 20, 20, 20]


def test_the_same_batch_gets_the_same_answer(quiet_api, body):
    there = create(quiet_api, body).json()["id"]
    wanted = {"jobs": [body, {**body, "unique": {"key": str(uuid.uuid4())}}], "start": True}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (quiet_api.http.post("/api/jobs/batch", json=wanted, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()["ids"][0], first.json()["joined"]) == (201, there, [0])
    assert first.content == again.content


@pytest.mark.parametrize("size", [200, 201])
def test_a_batch_with_keys_is_decided_in_one_step_so_it_is_bounded(quiet_api, body, size):
    wanted = {"jobs": [body, *[job("document_analysis", TEXT)] * (size - 1)]}
    answer = quiet_api.http.post("/api/jobs/batch", json=wanted)
    if size == 200:
        assert len(answer.json()["ids"]) == 200
    else:
        assert "has up to 200 jobs, this one has 201" in str(problem_of(answer, 422)["errors"])


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
