"""GET /api/audit: an entry for each request that asks for a change; and who asked, in the history of jobs."""

import contextlib
import os
import signal
import socket
import threading

import httpx
from support.serving import eventually, job, running_api

from jobtracker.schemas.audit import AuditFilter
from jobtracker.server.answering import answering_app
from jobtracker.server.auditing import AuditedRequest
from jobtracker.server.settings import ApiSettings
from jobtracker.server.thread_route import ThreadRoute
from jobtracker.store.audit import AuditLog

PATH = "/api/audit"


def entries(api, **params):
    return api.get(PATH, **params)["entries"]


def test_each_change_has_an_entry_and_reading_has_none(quiet_api):
    made = quiet_api.create(job("document_analysis", {"text": "x"}))
    quiet_api.get(f"/api/jobs/{made['id']}")
    quiet_api.http.head(f"/api/jobs/{made['id']}")
    quiet_api.http.options("/api/jobs/")
    quiet_api.request("PUT", f"/api/jobs/{made['id']}", 200, json={"name": "other"})
    quiet_api.post(made["id"], "cancel")
    quiet_api.refused(made["id"], "start")
    quiet_api.request("DELETE", f"/api/jobs/{made['id']}", 204)
    found = entries(quiet_api, job=made["id"])
    assert [(each["action"], each["outcome"], each["status"]) for each in found] == [
        ("delete_job", "done", 204),
        ("start_job", "refused", 409),
        ("cancel_job", "done", 200),
        ("update_job", "done", 200),
        ("create_job", "done", 201),
    ]
    assert {each["peer"] for each in found} == {"127.0.0.1"}
    assert len({each["request_id"] for each in found}) == 5


def test_what_is_refused_before_it_begins_has_an_entry_and_what_has_no_route_has_none(quiet_api):
    before = len(entries(quiet_api, page_size=500))
    answer = quiet_api.http.post("/api/jobs/", json={"name": 1}, headers={"X-Request-ID": "mine"})
    assert answer.status_code == 422
    quiet_api.problem("POST", "/api/jobs/a%2Fb/cancel", 404)
    quiet_api.http.post("/api/nothing/like/that")
    quiet_api.http.post("/api/tracking/stats")
    found = entries(quiet_api, page_size=500)
    assert len(found) == before + 2
    assert (found[0]["action"], found[0]["target"], found[0]["status"]) == ("cancel_job", "a/b", 404)
    assert (found[1]["action"], found[1]["outcome"], found[1]["request_id"]) == ("create_job", "refused", "mine")


def test_a_large_request_is_in_it_too(quiet_api):
    made = quiet_api.create(job("document_analysis", {"text": "x" * 100_000}))
    [entry] = entries(quiet_api, job=made["id"])
    assert (entry["action"], entry["peer"]) == ("create_job", "127.0.0.1")


def test_filters_and_cursors_are_checked(quiet_api):
    quiet_api.problem("GET", f"{PATH}?cursor=x", 422)
    quiet_api.problem("GET", f"{PATH}?outcome=odd", 422)
    quiet_api.problem("GET", f"{PATH}?page_size=501", 422)
    for _ in range(2):
        quiet_api.create(job("document_analysis", {"text": "x"}))
    page = quiet_api.get(PATH, page_size=1)
    assert quiet_api.get(PATH, page_size=1, cursor=page["next_cursor"])["entries"] != page["entries"]


def test_every_route_that_changes_something_is_audited():
    routes = answering_app(ApiSettings(), runs_maintenance=False).router.routes
    changing = [each for each in routes if getattr(each, "methods", None) and each.methods - {"GET", "HEAD"}]
    assert len(changing) > 10
    assert [each.path for each in changing if not isinstance(each, ThreadRoute)] == []


def test_a_change_whose_process_is_killed_has_an_entry_of_unknown_outcome(redis_server, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as hung_broker:  # it accepts, and never answers
        broker_url = f"redis://127.0.0.1:{hung_broker.getsockname()[1]}"
        settings = {"redis_url": redis_server.url, "redis_db": 9, "celery_broker_url": broker_url}
        with running_api(tmp_path, **settings) as api:
            made = api.create(job("document_analysis", {"text": "x"}))["id"]
            starting = threading.Thread(target=_start, args=(str(api.http.base_url), made))
            starting.start()
            log = AuditLog(api.client, api.keys, api.settings)
            eventually(lambda: log.page(AuditFilter(action="start_job"), size=1).entries)
            os.kill(api.process.pid, signal.SIGKILL)
            starting.join()
            [entry] = log.page(AuditFilter(action="start_job"), size=5).entries
            assert (entry.target, entry.outcome, entry.status) == (made, "unknown", None)


def _start(url, job_id):
    with contextlib.suppress(httpx.TransportError):
        httpx.post(f"{url}/api/jobs/{job_id}/start", timeout=60)


def test_a_change_that_is_tried_again_has_one_entry(client, keys):
    """As a request with an Idempotency-Key whose job was deleted meanwhile."""
    log = AuditLog(client, keys, ApiSettings())
    request = AuditedRequest(log, {"type": "http", "method": "POST", "path": "/"})
    request.begin("create_job")
    request.begin("create_job")
    request.end(201, {})
    [entry] = log.page(AuditFilter(), size=10).entries
    assert (entry.action, entry.outcome) == ("create_job", "done")
