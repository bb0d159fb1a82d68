"""GET /api/failures, and GET and PUT /api/failures/{id}."""

import pytest
from support.sample_jobs import create_job

from jobtracker.core.clock import now_ms
from jobtracker.core.fingerprint import fingerprint
from jobtracker.core.lifecycle import Event

PATH = "/api/failures"


def fail(api, kind, count=1, **fields):
    found = fingerprint(kind, "broke at line 7")
    for _ in range(count):
        job = create_job(api.store, run=1, at_ms=now_ms(), **fields)
        api.store.apply(Event.FAIL, job, run=1, fields={**found.fields, "reason": f"{kind}: broke at line 7"})
    return found.group


def test_groups_are_listed_by_filter_and_page_by_page(quiet_api):
    first, second = (
        fail(quiet_api, "OneError", 3, type="one"),
        fail(quiet_api, "OtherError", type="two", queue="mail"),
    )
    listed = quiet_api.get(PATH)["groups"]
    assert {group["id"]: (group["count"], group["state"]) for group in listed} == {
        first: (3, "new"),
        second: (1, "new"),
    }
    for params, wanted in (
        ({"error_type": "OneError"}, [first]),
        ({"job_type": "two"}, [second]),
        ({"queue": "mail"}, [second]),
        ({"release": "1"}, []),
        ({"since": "2100-01-01T00:00:00Z"}, []),
        ({"state": "resolved"}, []),
        ({"state": ["resolved", "new"], "job_type": "one"}, [first]),
        ({"sort": "-count"}, [first, second]),
    ):
        assert [group["id"] for group in quiet_api.get(PATH, **params)["groups"]] == wanted
    page = quiet_api.get(PATH, page_size=1, sort="-count")
    rest = quiet_api.get(PATH, page_size=1, sort="-count", cursor=page["next_cursor"])
    assert [each["groups"][0]["id"] for each in (page, rest)] == [first, second]
    quiet_api.problem("GET", f"{PATH}?cursor=x", 422)
    quiet_api.problem("GET", f"{PATH}?state=odd", 422)


def test_a_group_is_looked_at_marked_and_regresses(quiet_api):
    group = fail(quiet_api, "MarkedError", 2)
    found = quiet_api.get(f"{PATH}/{group}")
    assert (found["jobs"], found["hours"][-1] + found["hours"][-2], found["message"]) == (2, 2, "broke at line <n>")
    assert found["samples"][0]["failure_group"] == group
    for action, state in (
        ("ignore", "ignored"),
        ("reopen", "known"),
        ("resolve", "resolved"),
        ("resolve", "resolved"),
    ):
        assert quiet_api.request("PUT", f"{PATH}/{group}", 200, json={"action": action})["state"] == state
    job = create_job(quiet_api.store, run=1)
    fields = fingerprint("MarkedError", "broke at line 9").fields
    quiet_api.store.apply(Event.FAIL, job, run=1, fields=fields, at_ms=now_ms() + 1000)
    assert quiet_api.get(f"{PATH}/{group}")["state"] == "regressed"


@pytest.mark.parametrize("group", ["0" * 12, "x", "*", "%7B"])
def test_a_group_that_is_not_there_is_said_to_be(quiet_api, group):
    assert quiet_api.problem("GET", f"{PATH}/{group}", 404)["title"] == "No such group of failures"
    quiet_api.problem("PUT", f"{PATH}/{group}", 404, json={"action": "resolve"})


def test_a_mark_that_is_none_is_refused(quiet_api):
    group = fail(quiet_api, "OddError")
    quiet_api.problem("PUT", f"{PATH}/{group}", 422, json={"action": "forget"})
    quiet_api.problem("PUT", f"{PATH}/{group}", 422, json={})


def test_an_error_that_is_reported_over_the_api_has_a_group_too(quiet_api):
    ids = [create_job(quiet_api.store) for _ in range(2)]
    for n, job_id in enumerate(ids):
        body = {"status": "failed", "error": {"type": "NoPaper", "message": f"printer {n} has no paper"}}
        quiet_api.request("PUT", f"/api/jobs/{job_id}", 200, json=body)
    groups = {quiet_api.job(job_id)["failure_group"] for job_id in ids}
    [group] = groups
    assert quiet_api.get(f"{PATH}/{group}")["message"] == "printer <n> has no paper"
