"""POST /api/jobs/{id}/start and /cancel."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

import pytest
from support.api_under_test import QUIET_DB
from support.serving import Api, Json, eventually, fields_of, job, parent, waiting

ENDLESS = {"task": "workers.wait", "kwargs": {"seconds": 60, "steps": 1200}}
DEAF = {"task": "workers.wait", "kwargs": {"seconds": 60, "steps": 1}}
"""A payload of a task that does not look whether it was cancelled."""


@contextmanager
def all_processes_busy(api: Api) -> Iterator[None]:
    """All processes of the worker wait, as long as the context lasts."""
    blocking = [api.launch(payload=ENDLESS, priority="critical") for _ in range(2)]
    for job_id in blocking:
        api.expect(job_id, "running")
    yield
    for job_id in blocking:
        api.post(job_id, "cancel")
    for job_id in blocking:
        api.expect(job_id, "cancelled")


def subs_of(api, job_id: str) -> list[Json]:
    subs: list[Json] = api.tree(job_id)["sub_jobs"]
    return subs


def test_a_started_job_is_queued_and_completes(api):
    job_id = api.create()["id"]
    started = api.post(job_id, "start")
    assert (started["id"], started["run"], started["task_id"]) == (job_id, 1, job_id)
    done = api.expect(job_id, "completed")
    assert done["queued_at"] <= done["started_at"] <= done["finished_at"] == done["status_changed_at"]
    assert (done["deliveries"], done["attempt"], done["error"]) == (1, 0, None)
    assert done["worker"].startswith("celery@")


def test_a_second_start_is_refused_with_the_reason(api):
    with all_processes_busy(api):
        job_id = api.launch()
        assert "was started already" in api.refused(job_id, "start")
    api.expect(job_id, "completed")
    assert "completed" in api.refused(job_id, "start")


def test_of_many_starts_at_once_one_succeeds(api):
    job_id = api.create()["id"]
    with ThreadPoolExecutor(4) as threads:
        starts = [threads.submit(api.http.post, f"/api/jobs/{job_id}/start") for _ in range(8)]
    assert sorted(start.result().status_code for start in starts) == [200] + [409] * 7
    assert api.expect(job_id, "completed")["deliveries"] == 1


def test_a_sub_job_can_not_be_started_alone(api):
    tree = api.create(parent(job(), job()))
    assert tree["id"] in api.refused(tree["sub_jobs"][0]["id"], "start")
    assert {sub["run"] for sub in subs_of(api, tree["id"])} == {0}


def test_trees_deeper_than_celerys_connection_pool_run_side_by_side(api):
    trees = []
    for _ in range(4):
        tree = job()
        for _ in range(12):
            tree = parent(tree)
        trees.append(api.create(tree)["id"])
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda job_id: api.post(job_id, "start"), trees))
    for job_id in trees:
        api.expect(job_id, "completed")


def test_jobs_are_sent_on_connections_that_are_kept(quiet_api):
    def senders() -> set[str]:
        clients = quiet_api.client.client_list()
        return {each["id"] for each in clients if each["db"] == str(QUIET_DB) and each["name"] != "jobtracker"}

    quiet_api.launch(job("document_analysis", {"text": "x"}))
    kept = senders()
    assert kept
    for _ in range(3):
        quiet_api.launch(job("document_analysis", {"text": "x"}))
    assert senders() == kept


def test_nothing_listens_for_the_results_of_what_was_sent(api):
    tree = api.create(parent(job(), parent(job()), start=True))
    single = api.launch()
    for job_id in (tree["id"], single):
        api.expect(job_id, "completed")
    inner = tree["sub_jobs"][1]
    sent = [single, tree["id"], tree["sub_jobs"][0]["id"], inner["id"], inner["sub_jobs"][0]["id"]]
    channels = api.client.pubsub_channels()
    assert [channel for channel in channels if any(job_id in channel for job_id in sent)] == []


def test_a_type_whose_task_takes_no_results_can_not_be_a_parent(api):
    body = parent(job(sub_jobs=[job()]))
    problem = api.problem("POST", "/api/jobs/with-subjobs", 422, json=body)
    assert [error["field"] for error in problem["errors"]] == ["body.sub_jobs.0.sub_jobs"]
    assert "takes no results" in problem["detail"]


def test_progress_and_log_of_a_running_job_can_be_followed(api):
    job_id = api.launch(payload=waiting(0.4, steps=4))
    done = api.expect(job_id, "completed")
    assert done["progress"] == {"done": 4, "total": 4, "percent": 100, "note": "waiting"}
    lines = api.get(f"/api/jobs/{job_id}/logs")
    assert [line["message"] for line in lines] == [f"step {n} of 4" for n in (1, 2, 3, 4)]
    assert {line["level"] for line in lines} == {"info"}
    assert api.get(f"/api/jobs/{job_id}/logs", limit=1) == lines[-1:]
    assert api.get(f"/api/jobs/{job_id}/logs", limit=2, after="0-0") == lines[:2]
    assert api.get(f"/api/jobs/{job_id}/logs", after=lines[1]["id"]) == lines[2:]
    assert api.get(f"/api/jobs/{job_id}/logs", after=lines[3]["id"]) == []


@pytest.mark.parametrize("after", ["", "0", "1-x", "-1-0", "(1-0", f"{2**64}-0", "+"])
def test_a_log_goes_on_from_a_lines_id_only(api, after):
    job_id = api.create()["id"]
    problem = api.problem("GET", f"/api/jobs/{job_id}/logs", 422, params={"after": after})
    assert fields_of(problem) == ["query.after"]


def test_a_task_that_raises_fails_its_job_with_type_message_and_traceback(api):
    job_id = api.launch(job("document_analysis", {"document_id": "no-such-document"}))
    failed = api.expect(job_id, "failed")
    assert "no-such-document" in failed["error"]["message"]
    assert failed["error"]["type"] in failed["reason"]
    assert "Traceback" in failed["error"]["traceback"]
    assert failed["result"] is None


def test_a_job_that_was_not_started_is_cancelled_at_once(api):
    job_id = api.create()["id"]
    cancelled = api.post(job_id, "cancel")
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "cancelled by request")
    assert cancelled["finished_at"]


def test_a_job_that_waits_at_the_broker_is_cancelled_at_once_and_never_runs(api):
    with all_processes_busy(api):
        job_id = api.launch()
        assert api.post(job_id, "cancel", json={"reason": "no longer wanted"})["status"] == "cancelled"
        later = [api.launch() for _ in range(2)]
    for each in later:
        api.expect(each, "completed")  # so its message has had its turn
    cancelled = api.job(job_id)
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "no longer wanted")
    assert cancelled["deliveries"] == 0
    assert api.get(f"/api/jobs/{job_id}/logs") == []


def test_an_urgent_job_overtakes_a_backlog(api):
    with all_processes_busy(api):
        backlog = [api.launch(payload=waiting(0.05), priority="low") for _ in range(6)]
        urgent = api.launch(priority="critical")
    started = {job_id: api.expect(job_id, "completed")["started_at"] for job_id in [urgent, *backlog]}
    in_order = sorted(started, key=lambda job_id: datetime.fromisoformat(started[job_id]))
    assert in_order.index(urgent) < 3  # the two processes may have fetched one each


def test_a_running_job_stops_where_it_looks_for_a_cancel(api):
    job_id = api.launch(payload=ENDLESS)
    api.expect(job_id, "running")
    asked = api.post(job_id, "cancel", json={})
    assert asked["cancel_requested_at"]
    cancelled = api.expect(job_id, "cancelled")
    assert cancelled["finished_at"] >= asked["cancel_requested_at"]


def test_a_parents_cancel_reaches_all_its_sub_jobs(api):
    tree = api.create(parent(job(payload=ENDLESS), parent(job(payload=ENDLESS), job(payload=ENDLESS)), start=True))
    eventually(lambda: sum(sub["status"] == "running" for sub in subs_of(api, tree["id"])) == 2)
    api.post(tree["id"], "cancel", json={"reason": "all of it"})
    api.expect(tree["id"], "cancelled")
    sub, inner = subs_of(api, tree["id"])
    assert {each["status"] for each in (sub, inner, *inner["sub_jobs"])} == {"cancelled"}


def test_cancelling_twice_changes_nothing(api):
    job_id = api.create()["id"]
    first = api.post(job_id, "cancel", json={"reason": "the first"})
    assert api.post(job_id, "cancel", json={"reason": "the second"}) == first


def test_a_job_that_has_ended_can_not_be_cancelled(api):
    job_id = api.launch()
    api.expect(job_id, "completed")
    assert "completed" in api.refused(job_id, "cancel")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": ""}, "body.reason"),
        ({"reason": "x" * 301}, "body.reason"),
        ({"terminate": "hard"}, "body.terminate"),
        ({"gently": True}, "body.gently"),
        ([], "body"),
    ],
)
def test_a_cancel_that_is_not_valid_is_refused_with_its_field(api, body, field):
    job_id = api.create()["id"]
    assert fields_of(api.problem("POST", f"/api/jobs/{job_id}/cancel", 422, json=body)) == [field]
    assert api.job(job_id)["status"] == "pending"


@pytest.mark.parametrize("verb", ["start", "cancel", "retry"])
def test_what_is_not_there_can_not_be_started_cancelled_or_retried(api, verb):
    problem = api.problem("POST", f"/api/jobs/no-such-job/{verb}", 404)
    assert "no-such-job" in problem["detail"]


def test_a_running_job_that_never_looks_is_killed_by_force(api):
    job_id = api.launch(payload=DEAF)
    api.expect(job_id, "running")
    api.post(job_id, "cancel", json={"reason": "it hangs"})
    waits = api.problem("DELETE", f"/api/jobs/{job_id}", 409)["detail"]
    assert "Wait until its tasks have stopped, or cancel it with terminate" in waits
    api.post(job_id, "cancel", json={"terminate": True, "reason": "it hangs"})
    api.expect(job_id, "cancelled")
    asked = [e for e in api.get(f"/api/jobs/{job_id}/history") if e["step"] in {"cancel_requested", "cancelled"}]
    assert [each.get("reason") for each in asked[:2]] == ["it hangs", "it hangs, with terminate"]
    assert api.expect(api.launch(), "completed")  # the worker has another process for it
