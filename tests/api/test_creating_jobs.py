"""POST /api/jobs/ and /api/jobs/with-subjobs."""

import pytest
from support.serving import Json, fields_of, job, parent, problem_of

from jobtracker.schemas.requests import DEPTH_LIMIT

DOCUMENTED_TYPES = [
    ("data_processing", {"text": "a,b\n1,2\n", "format": "csv"}),
    ("document_analysis", {"document_id": "doc123"}),
    ("entity_extraction", {"document_id": "doc456"}),
    ("medication_extraction", {"document_id": "doc456"}),
]


def nested(depth: int) -> Json:
    """A job with one sub-job below the other: `depth` levels below the root."""
    tree = job(name=f"level {depth}")
    for level in reversed(range(depth)):
        tree = parent(tree, name=f"level {level}")
    return tree


def depth_of(tree: Json) -> int:
    return 1 + max(map(depth_of, tree["sub_jobs"])) if tree["sub_jobs"] else 0


def test_a_job_is_created_with_an_id_and_where_to_find_it(api):
    response = api.http.post("/api/jobs/", json=job(name="  Named  ", tags=["spring", "north"]))
    assert response.status_code == 201
    created = response.json()
    assert response.headers["location"] == f"/api/jobs/{created['id']}"
    assert api.get(response.headers["location"]) == created
    assert created["name"] == "Named"
    assert created["tags"] == ["spring", "north"]
    assert created["origin"] == "api"
    assert created["priority"] == "normal"
    assert (created["status"], created["run"], created["queued_at"]) == ("pending", 0, None)


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/with-subjobs/"])
def test_a_slash_at_the_end_makes_no_difference(api, path):
    body = parent(job()) if "sub" in path else job()
    assert api.request("POST", path, 201, json=body)["status"] == "pending"


def test_a_job_without_a_name_bears_that_of_its_type(api):
    body = {"job_type": "document_analysis", "payload": {"text": "x"}}
    tree = api.create({**body, "sub_jobs": [{**body, "job_type": "entity_extraction"}]})
    assert (tree["name"], tree["sub_jobs"][0]["name"]) == ("document_analysis", "entity_extraction")


@pytest.mark.parametrize("priority", ["low", "normal", "high", "critical"])
def test_each_priority_is_taken(api, priority):
    assert api.create(priority=priority)["priority"] == priority


def test_a_job_may_be_started_as_it_is_created(api):
    created = api.create(start=True)
    assert created["run"] == 1
    assert created["queued_at"]
    assert api.expect(created["id"], "completed")["result"]["kind"] == "wait"


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize(("job_type", "payload"), DOCUMENTED_TYPES)
def test_the_answer_is_what_is_stored(quiet_api, job_type, payload, start):
    """Nobody works there, so that no job goes on meanwhile."""
    more = {"name": "named", "tags": ["a"], "priority": "high"} if start else {}
    created = quiet_api.create({"job_type": job_type, "payload": payload, "start": start, **more})
    assert created == quiet_api.get(f"/api/jobs/{created['id']}")


def test_a_tree_may_be_started_as_it_is_created(api):
    tree = api.create(parent(job(), job(), start=True, failure_policy="continue"))
    assert tree["failure_policy"] == "continue"
    assert {sub["run"] for sub in tree["sub_jobs"]} == {1}
    done = api.expect(tree["id"], "completed")
    assert done["sub_job_counts"]["completed"] == 2


def test_sub_jobs_stand_in_their_order_and_know_their_parent(api):
    tree = api.create(parent(*(job(name=f"sub {n}") for n in range(12)), priority="low"))
    assert [sub["name"] for sub in tree["sub_jobs"]] == [f"sub {n}" for n in range(12)]
    assert {sub["parent_id"] for sub in tree["sub_jobs"]} == {tree["id"]}
    assert {sub["priority"] for sub in tree["sub_jobs"]} == {"low"}


def test_a_tree_of_four_levels_runs_to_its_end(api):
    tree = nested(4)
    tree["sub_jobs"].append(job(name="beside", priority="critical"))
    created = api.request("POST", "/api/jobs/with-subjobs", 201, json={**tree, "start": True})
    assert depth_of(created) == 4
    api.expect(created["id"], "completed")
    finished = api.get(f"/api/jobs/{created['id']}/with-subjobs")
    assert api.get(f"/api/tracking/job-tree/{created['id']}") == finished
    level = finished
    for name in ("level 0", "level 1", "level 2", "level 3", "level 4"):
        assert (level["name"], level["status"]) == (name, "completed")
        level = level["sub_jobs"][0] if level["sub_jobs"] else None
    assert level is None
    beside = finished["sub_jobs"][1]
    assert (beside["name"], beside["status"], beside["priority"]) == ("beside", "completed", "critical")


def test_a_tree_as_deep_as_the_limit_is_taken(api):
    tree = nested(DEPTH_LIMIT)
    assert depth_of(api.create(tree)) == DEPTH_LIMIT


def test_a_tree_that_is_deeper_is_refused_with_the_limit(api):
    problem = api.problem("POST", "/api/jobs/with-subjobs", 422, json=nested(DEPTH_LIMIT + 1))
    assert str(DEPTH_LIMIT) in problem["detail"]
    assert len(problem["detail"]) < 500
    assert fields_of(problem)[0].startswith("body.sub_jobs")


@pytest.mark.parametrize("depth", [300, 1000, 100_000])
def test_json_that_nests_without_end_is_refused(api, depth):
    leaf = '{"name":"leaf","job_type":"custom","payload":{"task":"workers.wait"}'
    tree = (leaf + ',"sub_jobs":[') * depth + leaf + "}" + "]}" * depth
    lists = '{"name":"lists","job_type":"custom","payload":{"task":"workers.wait","args":' + "[" * depth + "]" * depth
    for path, body in (("/api/jobs/with-subjobs", tree), ("/api/jobs/", lists + "}}")):
        response = api.http.post(path, content=body, headers={"Content-Type": "application/json"})
        # Where a parser gives up depends on the Python: up to there the depth is refused by our own limits.
        assert response.status_code in ({422} if depth == 300 else {400, 422})
        problem_of(response, response.status_code)
        assert len(response.content) < 20_000


def test_sub_jobs_must_be_there(api):
    assert fields_of(api.problem("POST", "/api/jobs/with-subjobs", 422, json=parent())) == ["body.sub_jobs"]


@pytest.mark.parametrize(("job_type", "payload"), DOCUMENTED_TYPES)
def test_a_documented_type_is_accepted_before_any_worker_has_announced_it(quiet_api, job_type, payload):
    created = quiet_api.create(job(job_type, payload))
    assert (created["job_type"], created["status"], created["task"]) == (job_type, "pending", job_type)


def test_a_custom_job_for_a_task_that_nobody_has_announced_is_refused(quiet_api):
    problem = quiet_api.problem("POST", "/api/jobs/", 422, json=job(payload={"task": "nowhere.to.be.found"}))
    assert fields_of(problem) == ["body.payload.task"]
    assert "nowhere.to.be.found" in problem["detail"]


def test_a_job_from_before_the_first_worker_runs_once_there_is_one(api, early_job):
    assert early_job["status"] == "pending"
    api.post(early_job["id"], "start")
    assert api.expect(early_job["id"], "completed")["result"]["analysis_type"] == "summary"


def test_an_unknown_type_is_refused_with_the_known_ones(api):
    problem = api.problem("POST", "/api/jobs/", 422, json=job("telepathy"))
    assert fields_of(problem) == ["body.job_type"]
    for known in ("custom", "data_processing", "document_analysis", "workers.checksum"):
        assert known in problem["detail"]


def test_a_type_that_a_worker_has_announced_is_taken_and_runs(api):
    job_id = api.launch(job("workers.checksum", {"text": "ferry"}))
    assert api.expect(job_id, "completed")["result"]["characters"] == 5


@pytest.mark.parametrize(
    ("job_type", "payload", "field"),
    [
        ("document_analysis", {"document_id": 7}, "body.payload.document_id"),
        ("document_analysis", {"document_id": "doc123", "analysis_type": "thorough"}, "body.payload.analysis_type"),
        ("entity_extraction", {"text": "x", "phone_region": "Lisbon"}, "body.payload.phone_region"),
        ("entity_extraction", {"text": "x", "colour": "red"}, "body.payload"),
        ("workers.checksum", {"text": "x", "algorithm": "md5"}, "body.payload.algorithm"),
        ("custom", {"task": ["workers.wait"]}, "body.payload.task"),
        ("custom", {"kwargs": {}}, "body.payload"),
        ("custom", {"task": "workers.wait", "kwargs": {"seconds": "long"}}, "body.payload.kwargs.seconds"),
        ("custom", {"task": "workers.wait", "kwargs": {"secs": 1}}, "body.payload.kwargs"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused_with_its_field(api, job_type, payload, field):
    problem = api.problem("POST", "/api/jobs/", 422, json=job(job_type, payload))
    assert field in fields_of(problem)
    assert job_type in problem["detail"]


def test_the_payload_of_a_sub_job_that_does_not_fit_is_refused_with_its_place(api):
    body = parent(job(), parent(job("document_analysis", {"document_id": 7})))
    problem = api.problem("POST", "/api/jobs/with-subjobs", 422, json=body)
    assert "body.sub_jobs.1.sub_jobs.0.payload.document_id" in fields_of(problem)


def test_an_unknown_type_of_a_sub_job_is_refused_with_its_place(api):
    problem = api.problem("POST", "/api/jobs/with-subjobs", 422, json=parent(job(), job("telepathy")))
    assert fields_of(problem) == ["body.sub_jobs.1.job_type"]


def test_nothing_of_a_refused_tree_is_left(quiet_api):
    before = quiet_api.get("/api/tracking/stats")["total"]
    body = parent(job("document_analysis"), job("telepathy"))
    quiet_api.problem("POST", "/api/jobs/with-subjobs", 422, json=body)
    assert quiet_api.get("/api/tracking/stats")["total"] == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "body.name"),
        ({"name": " "}, "body.name"),
        ({"name": "x" * 201}, "body.name"),
        ({"name": None}, "body.name"),
        ({"job_type": ""}, "body.job_type"),
        ({"priority": "urgent"}, "body.priority"),
        ({"payload": []}, "body.payload"),
        ({"tags": ["x" * 51]}, "body.tags.0"),
        ({"tags": ["x"] * 21}, "body.tags"),
        ({"start": "maybe"}, "body.start"),
        ({"colour": "red"}, "body.colour"),
        ({"sub_jobs": []}, "body.sub_jobs"),
    ],
)
def test_a_job_that_is_not_valid_is_refused_with_its_field(api, change, field):
    assert fields_of(api.problem("POST", "/api/jobs/", 422, json={**job(), **change})) == [field]


def test_a_job_needs_a_type(api):
    body = {name: value for name, value in job().items() if name != "job_type"}
    assert fields_of(api.problem("POST", "/api/jobs/", 422, json=body)) == ["body.job_type"]


def test_text_that_is_no_unicode_is_refused(api):
    escaped = b'{"name":"x","job_type":"custom","payload":{"task":"workers.wait","kwargs":{"note":"\\ud800"}}}'
    response = api.http.post("/api/jobs/", content=escaped, headers={"Content-Type": "application/json"})
    assert response.status_code == 422


@pytest.mark.parametrize("number", [b"NaN", b"1e999", b"-Infinity"])
def test_a_number_that_json_has_not_is_refused(api, number):
    body = b'{"name":"x","job_type":"custom","payload":{"task":"workers.wait","kwargs":{"seconds":' + number + b"}}}"
    response = api.http.post("/api/jobs/", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in {400, 422}


def test_a_payload_of_several_megabytes_is_taken(api):
    text = "The ferry leaves at noon. " * 150_000
    created = api.create(job("workers.checksum", {"text": text}))
    assert api.job(created["id"])["payload"]["text"] == text


def test_a_payload_comes_out_as_it_went_in(api):
    kwargs = {"ünïcode": "𝄞 \u0000 \\", "nested": [{"a": [None, True, -0.5, 2**53, ""]}], "empty": {}}
    created = api.create(payload={"task": "workers.wait", "args": [1, [2]], "kwargs": kwargs})
    assert api.job(created["id"])["payload"] == {"task": "workers.wait", "args": [1, [2]], "kwargs": kwargs}


def test_two_jobs_with_the_same_body_are_two_jobs(api):
    assert api.create()["id"] != api.create()["id"]
