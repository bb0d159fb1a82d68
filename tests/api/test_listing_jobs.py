"""GET /api/jobs/: filters, order, pages, cursors."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from support.sample_jobs import create_in, create_parent, report
from support.serving import Api, fields_of, running_api

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event, Status
from jobtracker.local.embedded_redis import EmbeddedRedis

BEGAN_MS = now_ms() - 3_600_000
"""When the first job was created; each further one a minute later, and settled another thirty seconds later."""

JOBS = [
    # name, status, type, priority, tags
    ("Ferry ticket", Status.COMPLETED, "custom", "low", '["north"]'),
    ("Ferry lease", Status.FAILED, "custom", "normal", '["north", "urgent"]'),
    ("Harbour map", Status.COMPLETED, "data_processing", "high", "[]"),
    ("Harbour fee", Status.RUNNING, "data_processing", "normal", '["south"]'),
    ("Pilot roster", Status.PENDING, "custom", "critical", '["south"]'),
    ("Pilot badge", Status.RETRYING, "custom", "normal", "[]"),
    ("Buoy check", Status.CANCELLED, "data_processing", "low", '["north"]'),
    ("BUOY paint", Status.FAILED, "data_processing", "high", '["urgent"]'),
    ("Tide table", Status.PENDING, "custom", "normal", "[]"),
    ("Night crossing", Status.COMPLETED, "custom", "normal", '["a b&c=d", "größe"]'),
]
NAMES = [name for name, *_ in JOBS]
NEWEST_FIRST = NAMES[::-1]


def minute(number: float) -> str:
    """A time, that many minutes after the first job was created."""
    return (datetime.fromtimestamp(BEGAN_MS / 1000, UTC) + timedelta(minutes=number)).isoformat()


@pytest.fixture(scope="module")
def still_api(redis_server: EmbeddedRedis, api_log_dir: Path) -> Iterator[Api]:
    """An API that sends nothing again: of its jobs no message was sent, and a new run would change their order."""
    with running_api(api_log_dir, redis_url=redis_server.url, jobtracker_resend="never") as api:
        yield api


@pytest.fixture(scope="module")
def listed(still_api: Api) -> Api:
    """An API with the ten jobs, and no other."""
    for number, (name, status, job_type, priority, tags) in enumerate(JOBS):
        created_ms = BEGAN_MS + number * 60_000
        create_in(
            still_api.store, Status.PENDING, at_ms=created_ms, job_id=f"job-{number}", name=name, type=job_type,
            priority=priority, tags=tags,
        )  # fmt: skip
        events = {Status.COMPLETED: Event.COMPLETE, Status.FAILED: Event.FAIL, Status.CANCELLED: Event.CANCELLED}
        if status is not Status.PENDING:
            still_api.store.apply(Event.START, f"job-{number}", at_ms=created_ms + 10_000)
        if status is Status.RETRYING:
            still_api.store.apply(Event.RETRY, f"job-{number}", at_ms=created_ms + 30_000)
        if status in events:
            still_api.store.apply(events[status], f"job-{number}", at_ms=created_ms + 30_000)
    return still_api


def names(page: dict[str, Any]) -> list[str]:
    return [job["name"] for job in page["jobs"]]


@pytest.mark.parametrize("path", ["/api/jobs/", "/api/jobs"])
def test_all_jobs_are_listed_newest_first(listed, path):
    page = listed.get(path)
    assert names(page) == NEWEST_FIRST
    assert (page["total"], page["page"], page["page_size"], page["next_cursor"]) == (10, 1, 50, None)
    assert "payload" not in page["jobs"][0]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"status": "completed"}, ["Night crossing", "Harbour map", "Ferry ticket"]),
        ({"status": "pending"}, ["Tide table", "Pilot roster"]),
        ({"status": "running"}, ["Harbour fee"]),
        ({"status": "retrying"}, ["Pilot badge"]),
        ({"status": "cancelled"}, ["Buoy check"]),
        ({"status": "failed"}, ["BUOY paint", "Ferry lease"]),
        ({"job_type": "data_processing"}, ["BUOY paint", "Buoy check", "Harbour fee", "Harbour map"]),
        ({"job_type": "entity_extraction"}, []),
        ({"status": "failed", "job_type": "custom"}, ["Ferry lease"]),
        ({"priority": "high"}, ["BUOY paint", "Harbour map"]),
        ({"priority": "critical", "status": "pending"}, ["Pilot roster"]),
        ({"tag": "north"}, ["Buoy check", "Ferry lease", "Ferry ticket"]),
        ({"tag": "a b&c=d"}, ["Night crossing"]),
        ({"tag": "größe"}, ["Night crossing"]),
        ({"tag": "nort"}, []),
        ({"name": "buoy"}, ["BUOY paint", "Buoy check"]),
        ({"name": "a%"}, []),
        ({"name": "r", "tag": "north", "priority": "low"}, ["Ferry ticket"]),
        ({"parent": "nobody"}, []),
        ({"created_from": minute(8)}, ["Night crossing", "Tide table"]),
        ({"created_to": minute(1)}, ["Ferry lease", "Ferry ticket"]),
        ({"created_from": minute(2), "created_to": minute(3)}, ["Harbour fee", "Harbour map"]),
        ({"created_from": minute(3), "created_to": minute(2)}, []),
        ({"created_from": minute(5), "status": "failed"}, ["BUOY paint"]),
        ({"finished_from": minute(6.5)}, ["Night crossing", "BUOY paint", "Buoy check"]),
        ({"finished_from": minute(1.5), "finished_to": minute(2.5)}, ["Harbour map", "Ferry lease"]),
        ({"finished_to": minute(1.5), "status": "failed"}, ["Ferry lease"]),
        ({"finished_from": minute(0), "status": "running"}, []),
    ],
)
def test_filters_leave_what_fits(listed, filters, found):
    page = listed.get("/api/jobs/", **filters)
    assert names(page) == found
    assert page["total"] in {len(found), None}


@pytest.mark.parametrize("offset_h", [-7, 5])
def test_a_time_may_have_any_offset(listed, offset_h):
    there = datetime.fromisoformat(minute(8)).astimezone(timezone(timedelta(hours=offset_h)))
    assert names(listed.get("/api/jobs/", created_from=there.isoformat())) == ["Night crossing", "Tide table"]


def test_what_a_job_has_sent_and_what_is_of_one_group_are_listed(still_api):
    sender = create_in(still_api.store, Status.RUNNING, job_id="sender")
    sent = create_in(still_api.store, Status.PENDING, job_id="sent", sent_by=sender)
    grouped = create_in(still_api.store, Status.PENDING, job_id="with-others", sent_by=sender, group="a-group")
    page = still_api.get("/api/jobs/", sent_by=sender)
    assert [(job["id"], job["sent_by"], job["group_id"]) for job in page["jobs"]] == [
        (grouped, sender, "a-group"),
        (sent, sender, None),
    ]
    assert [job["id"] for job in still_api.get("/api/jobs/", group="a-group")["jobs"]] == [grouped]
    assert still_api.get("/api/jobs/", sent_by=sent)["jobs"] == []
    for job_id in (sender, sent, grouped):
        still_api.store.delete(job_id, mode="trash")


def test_sub_jobs_are_listed_in_their_order(still_api):
    parent, subs = create_parent(still_api.store, 12, name="parent-of-12")
    report(still_api.store, parent, subs[3], Event.START)
    assert [job["id"] for job in still_api.get("/api/jobs/", parent=parent)["jobs"]] == subs
    assert [job["id"] for job in still_api.get("/api/jobs/", parent=parent, status="running")["jobs"]] == [subs[3]]
    second = still_api.get("/api/jobs/", parent=parent, page=2, page_size=5)
    assert [job["id"] for job in second["jobs"]] == subs[5:10]
    assert second["total"] == 12
    for job_id in (*subs, parent):
        still_api.store.delete(job_id, mode="trash")


@pytest.mark.parametrize(
    ("sort", "filters", "found"),
    [
        ("created_at", {}, NAMES),
        ("-created_at", {}, NEWEST_FIRST),
        ("created_at", {"status": "failed"}, ["Ferry lease", "BUOY paint"]),
        ("status_changed_at", {"status": "failed"}, ["Ferry lease", "BUOY paint"]),
        ("-status_changed_at", {"status": "failed"}, ["BUOY paint", "Ferry lease"]),
        ("created_at", {"job_type": "data_processing", "priority": "low"}, ["Buoy check"]),
    ],
)
def test_lists_come_in_the_order_that_is_asked_for(listed, sort, filters, found):
    assert names(listed.get("/api/jobs/", sort=sort, **filters)) == found


def test_sorting_by_change_of_status_needs_a_status(listed):
    problem = listed.problem("GET", "/api/jobs/", 422, params={"sort": "status_changed_at"})
    assert "status" in problem["detail"]


def test_page_numbers_cut_the_list(listed):
    pages = [listed.get("/api/jobs/", page=number, page_size=4) for number in (1, 2, 3, 4)]
    assert [names(page) for page in pages] == [NEWEST_FIRST[:4], NEWEST_FIRST[4:8], NEWEST_FIRST[8:], []]
    assert [page["page"] for page in pages] == [1, 2, 3, 4]
    assert {page["total"] for page in pages} == {10}
    assert [bool(page["next_cursor"]) for page in pages] == [True, True, False, False]


@pytest.mark.parametrize(
    "filters", [{}, {"job_type": "custom"}, {"tag": "north"}, {"sort": "created_at"}, {"status": "completed"}]
)
def test_cursors_lead_through_the_list(listed, filters):
    everything = names(listed.get("/api/jobs/", **filters))
    found, page = [], listed.get("/api/jobs/", page_size=2, **filters)
    while True:
        found += names(page)
        if not page["next_cursor"]:
            break
        page = listed.get("/api/jobs/", page_size=2, cursor=page["next_cursor"], **filters)
        assert page["page"] is None
    assert found == everything


def test_a_cursor_of_another_list_is_refused(listed):
    cursor = listed.get("/api/jobs/", page_size=2)["next_cursor"]
    params = {"cursor": cursor, "status": "completed"}
    assert "other filters" in listed.problem("GET", "/api/jobs/", 422, params=params)["detail"]


@pytest.mark.parametrize("cursor", ["nonsense", "!", "e30=", "W10", "bnVsbA==", "WyJhIl0=" * 20, "🧭"])
def test_a_cursor_that_is_none_is_refused(listed, cursor):
    assert "cursor" in listed.problem("GET", "/api/jobs/", 422, params={"cursor": cursor})["detail"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"status": "done"}, "query.status"),
        ({"status": ""}, "query.status"),
        ({"priority": "urgent"}, "query.priority"),
        ({"sort": "name"}, "query.sort"),
        ({"page": 0}, "query.page"),
        ({"page": -1}, "query.page"),
        ({"page": "first"}, "query.page"),
        ({"page_size": 0}, "query.page_size"),
        ({"page_size": 501}, "query.page_size"),
        ({"created_from": "yesterday"}, "query.created_from"),
        ({"created_to": "2026-11-24T12:00:00"}, "query.created_to"),
        ({"finished_from": "2026-13-01T00:00:00Z"}, "query.finished_from"),
        ({"finished_to": ""}, "query.finished_to"),
        ({"tag": ""}, "query.tag"),
        ({"tag": "x" * 51}, "query.tag"),
        ({"name": "x" * 201}, "query.name"),
        ({"job_type": "x" * 201}, "query.job_type"),
        ({"cursor": "x" * 2001}, "query.cursor"),
    ],
)
def test_a_filter_that_is_not_valid_is_refused_with_its_field(listed, params, field):
    problem = listed.problem("GET", "/api/jobs/", 422, params=params)
    assert fields_of(problem) == [field]
    assert field in problem["detail"]


def test_the_largest_page_has_five_hundred_jobs(still_api):
    assert still_api.get("/api/jobs/", page_size=500)["page_size"] == 500
