"""Lists that a query filters, over HTTP, and what may stand in a query."""

import json

import pytest
from support.sample_jobs import START_MS, create_in, create_job
from support.serving import job

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Status


@pytest.fixture
def some_jobs(quiet_api):
    """Jobs of two types, of a tag that no other test has. Maintenance would remove those that ended long ago."""
    store = quiet_api.store
    fields = {"tags": json.dumps(["searched"]), "queue": "search-queue"}
    create_in(store, Status.FAILED, at_ms=now_ms(), job_id="s-failed", type="search.a", **fields)
    create_in(store, Status.CANCELLED, at_ms=now_ms(), job_id="s-cancelled", type="search.a", **fields)
    create_job(store, "s-pending", type="search.b", **fields)
    running = create_job(store, "s-running", type="search.b", **fields)
    store.apply(Event.ENQUEUE, running, at_ms=START_MS)
    where = {"worker": "w@search", "lease": "l", "release": "search-v1"}
    store.apply(Event.START, running, at_ms=START_MS + 5000, fields=where)
    yield {"s-failed", "s-cancelled", "s-pending", "s-running"}
    for each in ("s-failed", "s-cancelled", "s-pending", "s-running"):
        store.delete(each, mode="undo")


def ids(page):
    return {each["id"].removeprefix("s-") for each in page["jobs"]}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tag:searched", "failed cancelled pending running"),
        ("tag:searched status:failed,cancelled", "failed cancelled"),
        ("tag:searched -type:search.a", "pending running"),
        ("tag:searched wait:>4s started:2020-01-01", "running"),
        ("queue:search-queue -has:log release:search-v1 worker:w@search", "running"),
        ('"search.a" -status:failed tag:searched', "cancelled"),
        ("tag:searched run:>1h status:running", "running"),
        ("tag:searched running_at:2026-09-21T23:00Z", "running"),
        ("tag:searched origin:api", ""),
    ],
)
def test_a_query_filters(quiet_api, some_jobs, query, found):
    page = quiet_api.http.get("/api/jobs/", params={"q": query, "page_size": 500}).json()
    assert ids(page) == set(found.split())


def test_parameters_and_a_query_are_one_filter_and_may_have_several_values(quiet_api, some_jobs):
    def listed(**params):
        return ids(quiet_api.http.get("/api/jobs/", params={"tag": "searched", **params}).json())

    assert listed(status=["failed", "cancelled"]) == {"failed", "cancelled"}
    assert listed(status="failed", q="type:search.a") == {"failed"}
    assert listed(worker="w@search", min_wait_s=4.5, max_wait_s=5) == {"running"}
    assert listed(release=["search-v1", "search-v2"]) == {"running"}
    assert listed(text=["SEARCH.B", "a job"], origin="plain") == {"pending", "running"}
    assert quiet_api.get("/api/jobs/s-running")["release"] == "search-v1"


def test_a_job_has_the_release_of_the_worker_that_began_it(api):
    created = api.launch(job("document_analysis", {"text": "x"}, tags=["of-a-release"]))
    api.expect(created, "completed")
    assert api.get(f"/api/jobs/{created}")["release"] == "shop-2.1"
    page = api.http.get("/api/jobs/", params={"q": "release:shop-2.1 tag:of-a-release wait:<1h"}).json()
    assert [each["id"] for each in page["jobs"]] == [created]


def test_the_other_lists_take_a_query_too(quiet_api, some_jobs):
    failed = quiet_api.http.get("/api/tracking/failed-jobs", params={"q": "tag:searched"}).json()
    active = quiet_api.http.get("/api/tracking/active-jobs", params={"q": "queue:search-queue"}).json()
    assert (ids(failed), ids(active), active["total"]) == ({"failed"}, {"running"}, 1)
    refused = quiet_api.http.get("/api/tracking/failed-jobs", params={"q": "status:failed"})
    assert "another parameter" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"q": "status:failed colour:red"}, "there is no qualifier colour:"),
        ({"q": "status:lost"}, "Write one of: pending"),
        ({"q": "since:12:00", "tz": "Europe/Atlantis"}, "There is no time zone 'Europe/Atlantis'"),
        ({"q": "status:failed", "status": "failed"}, "filters by status, and so does another parameter"),
        ({"status": ["failed", "lost"]}, "query.status.1"),
        ({"page": [1, 2]}, "give it once"),
        ({"sort": "status_changed_at"}, "needs a status"),
    ],
)
def test_a_wrong_query_is_a_problem_that_says_where(quiet_api, params, says):
    answer = quiet_api.http.get("/api/jobs/", params=params)
    problem = answer.json()
    assert (answer.status_code, says in problem["detail"]) == (422, True), problem["detail"]
    if "colour" in says:
        assert problem["type"] == "urn:jobtracker:problem:invalid-query"
        assert (problem["position"], problem["end"]) == (14, 24)


def test_a_page_says_how_far_it_looked(quiet_api, some_jobs):
    page = quiet_api.http.get("/api/jobs/", params={"q": "tag:nobody-has-this"}).json()
    assert (page["next_cursor"], page["total"], page["looked_to"]) == (None, 0, None)
    assert page["looked_at"] >= 4


def test_suggestions_name_qualifiers_and_then_their_values(quiet_api, some_jobs):
    def suggested(q, **params):
        answer = quiet_api.http.get("/api/search/suggest", params={"q": q, **params}).json()
        return answer, [each["text"] for each in answer["suggestions"]]

    answer, texts = suggested("-sta")
    assert (answer["start"], answer["end"], texts) == (1, 4, ["status:", "started:"])
    answer, texts = suggested("x status:failed,c", at=17)
    assert (answer["start"], texts) == (16, ["completed", "cancelled"])
    assert set(suggested("type:search.")[1]) == {"search.a", "search.b"}
    for q, text in [("queue:search", "search-queue"), ("release:sea", "search-v1"), ("worker:w@s", "w@search"),
                    ("tag:sear", "searched"), ('name:"a jo', '"a job"'), ("origin:ta", "task")]:  # fmt: skip
        assert suggested(q)[1] == [text]
    assert suggested("tag:")[0]["looked_at"] >= 4
    assert suggested("since:")[1] == ["15m", "1h", "24h", "7d"]
    assert suggested("colour:")[1] == []
    assert suggested("")[1][:2] == ["status:", "type:"]
