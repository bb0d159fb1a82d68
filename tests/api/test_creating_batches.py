"""POST /api/jobs/batch: many independent jobs, all of them or none."""

import pytest
from support.recount import recount
from support.serving import fields_of, job, problem_of

from jobtracker.jobs.dispatcher import AT_ONCE

OF_EACH_JOB = {"id", "name", "created_at", "status_changed_at", "request_id"}
SIZES = [1, 3, AT_ONCE + 1, 450]


def batch(size: int, **more: object) -> dict[str, object]:
    """Jobs with two types, tags and payloads of their own."""
    texts = [
        job("document_analysis", {"text": f"Line {n}"}, name=f"job {n}", tags=["é", str(n % 3)])
        if n % 4
        else job("custom", name=f"job {n}", priority="high")
        for n in range(size)
    ]
    return {"jobs": texts, **more}


@pytest.mark.parametrize("size", SIZES)
def test_jobs_of_a_batch_are_what_they_would_be_if_they_were_created_one_by_one(api, size):
    body = batch(size)
    ids = api.request("POST", "/api/jobs/batch", 201, json=body)["ids"]
    assert len(set(ids)) == size
    for n in {0, 1, size // 2, size - 1} & {*range(size)}:
        alone, together = api.create(body["jobs"][n]), api.job(ids[n])
        assert together["name"] == f"job {n}"
        assert {k: v for k, v in together.items() if k not in OF_EACH_JOB} == {
            k: v for k, v in alone.items() if k not in OF_EACH_JOB
        }
    assert recount(api.client, api.keys) == []


@pytest.mark.parametrize("size", [3, AT_ONCE + 1])
def test_a_batch_is_started_as_it_is_created(api, size):
    ids = api.request("POST", "/api/jobs/batch", 201, json={"jobs": [job()] * size, "start": True})["ids"]
    assert {(done["run"], done["deliveries"]) for done in (api.expect(each, "completed") for each in ids)} == {(1, 1)}


@pytest.mark.parametrize("start", [False, True])
def test_jobs_that_can_not_be_created_are_named_by_their_places_and_nothing_is_recorded(api, start):
    before = api.get("/api/jobs/", page_size=1)["total"]
    body = batch(130, start=start)
    body["jobs"][7]["payload"] = {"text": 1}
    body["jobs"][129]["job_type"] = "unheard"
    problem = problem_of(api.http.post("/api/jobs/batch", json=body), 422)
    first, *others = fields_of(problem)
    assert (first, others[-1]) == ("body.jobs.7.payload.text", "body.jobs.129.job_type")
    assert {each.split(".")[2] for each in others[:-1]} <= {"7"}
    assert problem["detail"].startswith("2 of 130 jobs can't be created, so nothing was. jobs.7.payload.text: ")
    assert api.get("/api/jobs/", page_size=1)["total"] == before


def test_of_many_wrong_jobs_the_first_are_named_and_all_are_counted(api):
    problem = problem_of(api.http.post("/api/jobs/batch", json={"jobs": [job("unheard")] * 200}), 422)
    assert fields_of(problem) == [f"body.jobs.{n}.job_type" for n in range(50)]
    assert "200 of 200 jobs can't be created" in problem["detail"]
    assert "and 195 more" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"jobs": []}, "body.jobs"),
        ({"jobs": [job()] * 10_001}, "body.jobs"),
        ({"jobs": [job(), {"job_type": ""}]}, "body.jobs.1.job_type"),
        ({"jobs": [job(sub_jobs=[job()])]}, "body.jobs.0.sub_jobs"),
        ({"jobs": [job(countdown=5)]}, "body.jobs.0.countdown"),
        ({"jobs": [job()], "start": 1}, "body.start"),
        ([job()], "body"),
    ],
)
def test_what_is_no_batch_is_refused(api, body, field):
    assert fields_of(problem_of(api.http.post("/api/jobs/batch", json=body), 422)) == [field]
