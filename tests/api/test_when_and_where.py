"""`eta`, `countdown`, `expires` and `queue` of a job that the API creates or starts."""

from datetime import UTC, datetime, timedelta

import pytest
from support.serving import Json, fields_of, job, parent, problem_of


def document(**fields: object) -> Json:
    """A job of a type that the API expects, before any worker has announced it."""
    return {"job_type": "document_analysis", "payload": {"document_id": "doc123"}, **fields}


def ahead(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


def seconds_ahead(text: str) -> float:
    return (datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eta": ahead(hours=-1)}, "eta has passed"),
        ({"eta": ahead(days=5000)}, "ten years"),
        ({"eta": "2030-01-01T00:00:00"}, "timezone"),
        ({"eta": 2030}, "UTC offset"),
        ({"countdown": -1}, "greater than or equal to 0"),
        ({"countdown": 1e12}, "less than or equal"),
        ({"eta": ahead(hours=1), "countdown": 5}, "give one of them"),
        ({"expires": ahead(hours=-1)}, "expires has passed"),
        ({"expires": 0}, "greater than 0"),
        ({"expires": 5, "countdown": 10}, "expire before it may begin"),
        ({"expires": ahead(hours=1), "eta": ahead(hours=2)}, "expire before it may begin"),
        ({"queue": ""}, "at least 1"),
        ({"queue": "x" * 201}, "at most 200"),
        ({"queue": "ü" * 150}, "255 bytes"),
        ({"queue": "a\nb"}, "pattern"),
    ],
)
def test_what_can_never_begin_is_refused(quiet_api, options, message):
    problem = problem_of(quiet_api.http.post("/api/jobs/", json=document(start=True, **options)), 422)
    assert message in str(problem)


@pytest.mark.parametrize("options", [{"countdown": 5}, {"expires": 5}])
def test_seconds_count_from_the_start_so_a_job_that_is_not_started_has_none(quiet_api, options):
    problem = problem_of(quiet_api.http.post("/api/jobs/", json=document(**options)), 422)
    assert "give it with the start" in str(problem)
    tree = parent(document(), document(**options))
    problem = problem_of(quiet_api.http.post("/api/jobs/with-subjobs", json=tree), 422)
    assert fields_of(problem) == [f"body.sub_jobs.1.{next(iter(options))}"]


def test_a_countdown_is_an_eta_from_the_start(quiet_api):
    created = quiet_api.create(document(start=True, countdown=3600, expires=7200))
    assert 3500 < seconds_ahead(created["not_before"]) <= 3600
    assert 7100 < seconds_ahead(created["expires_at"]) <= 7200
    assert created == quiet_api.get(f"/api/jobs/{created['id']}")


def test_the_start_may_say_it_and_counts_more(quiet_api):
    created = quiet_api.create(document(eta=ahead(hours=5), queue="from-create"))
    assert created["queue"] == "from-create"
    body = {"countdown": 60, "queue": "from-start"}
    started = quiet_api.request("POST", f"/api/jobs/{created['id']}/start", 200, json=body)
    assert started["queue"] == "from-start"
    assert 0 < seconds_ahead(started["not_before"]) <= 60


def test_a_queue_that_nobody_consumes_is_said_by_explain(quiet_api):
    created = quiet_api.create(document(start=True, queue="nobody-there"))
    explained = quiet_api.get(f"/api/jobs/{created['id']}/explain")
    assert (explained["code"], explained["queue"]["name"]) == ("no_consumer", "nobody-there")


def test_the_times_hold_where_it_waits(api):
    created = api.create(job(start=True, countdown=3600))
    explained = api.get(f"/api/jobs/{created['id']}/explain")
    assert explained["code"] == "waiting_for_eta"
    api.request("POST", f"/api/jobs/{created['id']}/cancel", 200)
    soon = api.create(job(start=True, countdown=0.2))
    assert api.expect(soon["id"], "completed")["not_before"] is None


def test_the_sub_jobs_of_a_tree_have_times_of_their_own(quiet_api):
    tree = quiet_api.create(
        parent(document(countdown=60), document(queue="elsewhere"), start=True, queue="for-the-parent")
    )
    first, second = tree["sub_jobs"]
    assert first["not_before"]
    assert (tree["queue"], second["queue"], second["not_before"]) == ("for-the-parent", "elsewhere", None)
