"""GET /api/tracking/stats…, performance, throughput, active-jobs, failed-jobs."""

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from support.recount import recount
from support.sample_jobs import create_job
from support.serving import Api, Json, fields_of, job, parent, waiting

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

END = {"completed": Event.COMPLETE, "failed": Event.FAIL, "cancelled": Event.CANCELLED}

SETTLED = [
    # hours ago, type, priority, status, wait (s), run (s)
    (0, "custom", "low", "completed", 1, 10),
    (0, "custom", "low", "completed", 3, 20),
    (0, "custom", "high", "failed", 2, 30),
    (0, "custom", "high", "cancelled", 1, 5),
    (3, "custom", "normal", "completed", 60, 100),
    (3, "letters:old", "normal", "failed", 5, 1),
]
UNSETTLED = [
    # minutes since its last change, type, event
    (1, "custom", Event.START),
    (50, "letters:old", Event.START),
    (20, "custom", Event.RETRY),
    (5, "custom", None),
]
NOW_MS = now_ms()


@pytest.fixture(scope="module")
def past(quiet_api: Api) -> Api:
    """An API over jobs whose times are known, and no others."""
    store = quiet_api.store
    for number, (hours, job_type, priority, status, wait_s, run_s) in enumerate(SETTLED):
        at_ms, job_id = NOW_MS - hours * HOUR_MS, f"settled-{number}"
        began_ms = at_ms - run_s * 1000
        sent_ms = began_ms - wait_s * 1000
        create_job(store, job_id, at_ms=sent_ms, type=job_type, priority=priority)
        store.apply(Event.ENQUEUE, job_id, at_ms=sent_ms)
        store.apply(Event.START, job_id, at_ms=began_ms, fields={"worker": "celery@past"})
        reason = {"reason": f"out of ink {number}"} if status == "failed" else {}
        store.apply(END[status], job_id, at_ms=at_ms, fields=reason)
    for number, (minutes, job_type, event) in enumerate(UNSETTLED):
        at_ms, job_id = NOW_MS - minutes * MINUTE_MS, f"unsettled-{number}"
        create_job(store, job_id, at_ms=at_ms, type=job_type)
        if event:
            store.apply(Event.ENQUEUE, job_id, at_ms=at_ms)
            store.apply(Event.START, job_id, at_ms=at_ms)
            store.apply(event, job_id, at_ms=at_ms)
    assert recount(quiet_api.client, quiet_api.keys) == []
    return quiet_api


def sums(points: list[Json]) -> dict[str, int]:
    return {what: sum(point[what] for point in points) for what in ("created", "completed", "failed", "cancelled")}


BY_STATUS = {"pending": 1, "running": 2, "completed": 3, "failed": 2, "cancelled": 1, "retrying": 1}


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_stats_count_all_jobs(past, slash):
    stats = past.request("GET", f"/api/tracking/stats{slash}", 200, follow_redirects=True)
    assert stats == {
        "total": 10,
        "by_status": BY_STATUS,
        "by_type": {"custom": 8, "letters:old": 2},
        "by_priority": {"low": 2, "normal": 6, "high": 2, "critical": 0},
    }


def test_the_stats_by_status_name_every_status(past):
    assert past.get("/api/tracking/stats/by-status") == BY_STATUS


def test_the_stats_by_type_show_known_types_without_jobs_too(past):
    by_type = past.get("/api/tracking/stats/by-type")
    nothing = dict.fromkeys(BY_STATUS, 0)
    assert by_type["letters:old"] == {"total": 2, "by_status": {**nothing, "failed": 1, "running": 1}}
    assert by_type["medication_extraction"] == {"total": 0, "by_status": nothing}
    assert sum(group["total"] for group in by_type.values()) == 10


def test_the_stats_by_priority_name_every_priority(past):
    by_priority = past.get("/api/tracking/stats/by-priority")
    assert {name: group["total"] for name, group in by_priority.items()} == {
        "low": 2,
        "normal": 6,
        "high": 2,
        "critical": 0,
    }
    assert by_priority["high"]["by_status"]["failed"] == 1


def test_performance_covers_the_window_that_is_asked_for(past):
    report = past.get("/api/tracking/performance", hours=2)
    assert report["overall"]["count"] == 4
    assert set(report["by_type"]) == {"custom"}
    assert past.get("/api/tracking/performance", hours=5)["overall"]["count"] == 6
    assert datetime.fromisoformat(report["since"]).minute == 0


def test_performance_tells_success_rate_wait_and_run_times(past):
    custom = past.get("/api/tracking/performance", hours=2)["by_type"]["custom"]
    assert (custom["completed"], custom["failed"], custom["cancelled"]) == (2, 1, 1)
    assert custom["success_rate"] == pytest.approx(2 / 3)
    # cancelled jobs have no say in the times: they wait 1, 2, 3 and run 10, 20, 30 seconds
    assert custom["wait"]["mean_s"] == pytest.approx(2)
    assert custom["run"]["mean_s"] == pytest.approx(20)
    assert custom["run"]["p50_s"] == pytest.approx(20, rel=0.02)
    assert custom["run"]["p50_s"] <= custom["run"]["p95_s"] <= custom["run"]["p99_s"] <= 30
    assert custom["run"]["max_s"] == 30


def test_the_overall_performance_adds_up_the_types(past):
    report = past.get("/api/tracking/performance", hours=5)
    types = report["by_type"].values()
    for figure in ("count", "completed", "failed", "cancelled"):
        assert report["overall"][figure] == sum(figures[figure] for figures in types)
    assert set(report["by_type"]) == {"custom", "letters:old"}
    assert report["overall"]["run"]["max_s"] == 100
    assert report["by_type"]["letters:old"]["success_rate"] == 0


def test_performance_of_one_type_is_told_alone(past):
    report = past.get("/api/tracking/performance", hours=5, job_type="letters:old")
    assert list(report["by_type"]) == ["letters:old"]
    assert report["overall"] == report["by_type"]["letters:old"]
    nothing = past.get("/api/tracking/performance", job_type="unheard-of")["by_type"]["unheard-of"]
    assert (nothing["count"], nothing["success_rate"], nothing["run"]["p50_s"]) == (0, None, None)


def test_a_series_tells_of_each_hour_by_itself(past):
    series = past.get("/api/tracking/performance/series", hours=6)
    assert set(series["by_type"]) == {"custom", "letters:old"}
    custom = series["by_type"]["custom"]
    hours = [int(datetime.fromisoformat(at).timestamp() * 1000) // HOUR_MS for at in series["at"]]
    assert {after - before for before, after in pairwise(hours)} == {1}
    assert {len(values) for values in custom.values()} == {len(hours)} == {6}
    rows = [{name: values[n] for name, values in custom.items()} for n in range(len(hours))]
    by_hour = {hour: row for hour, row in zip(hours, rows, strict=True) if row["count"]}
    assert set(by_hour) == {NOW_MS // HOUR_MS - 3, NOW_MS // HOUR_MS}
    old, new = by_hour[NOW_MS // HOUR_MS - 3], by_hour[NOW_MS // HOUR_MS]
    assert (old["count"], old["success_rate"], new["count"], new["success_rate"]) == (1, 1, 4, pytest.approx(2 / 3))
    assert (old["wait_p50_s"], old["run_p99_s"]) == (pytest.approx(60, rel=0.02), pytest.approx(100, rel=0.02))
    assert (new["wait_p50_s"], new["run_p99_s"]) == (pytest.approx(2, rel=0.02), pytest.approx(30, rel=0.02))
    assert {row["run_p50_s"] for row in rows if not row["count"]} == {None}
    assert series["types_left_out"] == 0


def test_a_series_in_larger_buckets_adds_up_to_the_report(past):
    series = past.get("/api/tracking/performance/series", hours=5, bucket_hours=12, job_type="custom")
    assert list(series["by_type"]) == ["custom"]
    assert sum(series["by_type"]["custom"]["count"]) == 5
    assert datetime.fromisoformat(series["since"]).hour % 12 == 0
    nothing = past.get("/api/tracking/performance/series", job_type="unheard-of")["by_type"]["unheard-of"]
    assert (set(nothing["count"]), set(nothing["run_p50_s"])) == ({0}, {None})


def test_a_series_of_a_long_window_says_how_many_types_it_leaves_out(past):
    types = {f"type-{number}" for number in range(4)}
    for job_type in types:
        create_job(past.store, f"of-{job_type}", at_ms=NOW_MS - 1440 * HOUR_MS, type=job_type)
    try:
        series = past.get("/api/tracking/performance/series", hours=744, bucket_hours=24)
    finally:
        for job_type in types:
            past.request("DELETE", f"/api/jobs/of-{job_type}", 204)
    assert series["types_left_out"] == 3
    assert "custom" in series["by_type"]


def test_throughput_counts_what_happened_minute_by_minute(past):
    answer = past.get("/api/tracking/throughput", minutes=300)
    assert answer["bucket_minutes"] == 1
    assert sums(answer["points"]) == {"created": 10, "completed": 3, "failed": 2, "cancelled": 1}
    assert len(answer["points"]) == 300
    times = [datetime.fromisoformat(point["at"]) for point in answer["points"]]
    assert {(after - before).total_seconds() for before, after in pairwise(times)} == {60}
    fullest = max(answer["points"], key=lambda point: point["completed"])
    assert fullest["completed"] == 2
    assert 0 <= NOW_MS / 1000 - datetime.fromisoformat(fullest["at"]).timestamp() < 60


@pytest.mark.parametrize("bucket_minutes", [5, 60, 1440])
def test_wider_buckets_hold_the_same_in_sum(past, bucket_minutes):
    points = past.get("/api/tracking/throughput", minutes=300, bucket_minutes=bucket_minutes)["points"]
    assert sums(points) == {"created": 10, "completed": 3, "failed": 2, "cancelled": 1}
    assert all(datetime.fromisoformat(point["at"]).timestamp() % (60 * bucket_minutes) == 0 for point in points)


def test_throughput_leaves_out_what_came_before_its_window(past):
    assert sums(past.get("/api/tracking/throughput", minutes=30)["points"])["failed"] == 1


def test_active_jobs_are_listed_longest_first(past):
    active = past.get("/api/tracking/active-jobs")
    assert active["total"] == 3
    assert [(j["id"], j["status"]) for j in active["jobs"]] == [
        ("unsettled-1", "running"),
        ("unsettled-2", "retrying"),
        ("unsettled-0", "running"),
    ]
    assert [j["id"] for j in past.get("/api/tracking/active-jobs", limit=1)["jobs"]] == ["unsettled-1"]


def test_failed_jobs_are_listed_latest_first_each_with_its_reason(past):
    failed = past.get("/api/tracking/failed-jobs")
    assert [(j["id"], j["reason"]) for j in failed["jobs"]] == [
        ("settled-2", "out of ink 2"),
        ("settled-5", "out of ink 5"),
    ]
    assert failed["total"] == 2
    assert [j["id"] for j in past.get("/api/tracking/failed-jobs", job_type="custom")["jobs"]] == ["settled-2"]
    first = past.get("/api/tracking/failed-jobs", page_size=1)
    second = past.get("/api/tracking/failed-jobs", page_size=1, cursor=first["next_cursor"])
    assert [first["jobs"][0]["id"], second["jobs"][0]["id"]] == ["settled-2", "settled-5"]
    assert past.get("/api/tracking/failed-jobs", page_size=1, page=2)["jobs"] == second["jobs"]


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        ("performance", {"hours": 0}, "query.hours"),
        ("performance", {"hours": 745}, "query.hours"),
        ("throughput", {"minutes": 0}, "query.minutes"),
        ("throughput", {"minutes": 44641}, "query.minutes"),
        ("throughput", {"bucket_minutes": 0}, "query.bucket_minutes"),
        ("throughput", {"bucket_minutes": 1441}, "query.bucket_minutes"),
        ("active-jobs", {"limit": 0}, "query.limit"),
        ("active-jobs", {"limit": 501}, "query.limit"),
        ("failed-jobs", {"page_size": 0}, "query.page_size"),
        ("failed-jobs", {"page": 0}, "query.page"),
    ],
)
def test_a_parameter_out_of_range_is_refused_with_its_field(past, path, params, field):
    assert fields_of(past.problem("GET", f"/api/tracking/{path}", 422, params=params)) == [field]


def figures(api: Api) -> dict[str, Any]:
    """What the figures say of real work so far."""
    return {
        "throughput": sums(api.get("/api/tracking/throughput", minutes=120)["points"]),
        "performance": api.get("/api/tracking/performance", hours=3)["overall"],
        "stats": api.get("/api/tracking/stats"),
    }


def test_the_figures_of_real_work_equal_what_was_done(api):
    before = figures(api)
    jobs = [api.launch(payload=waiting(0.2)) for _ in range(3)]
    jobs.append(api.launch(parent(job(), job("workers.checksum", {"document_id": "missing"}))))
    cancelled = api.create()["id"]
    api.post(cancelled, "cancel")
    for job_id in jobs[:3]:
        api.expect(job_id, "completed")
    api.expect(jobs[3], "failed")
    after = figures(api)

    done = {what: after["throughput"][what] - before["throughput"][what] for what in after["throughput"]}
    assert done == {"created": 7, "completed": 4, "failed": 2, "cancelled": 1}
    for what in ("completed", "failed", "cancelled"):
        assert after["performance"][what] - before["performance"][what] == done[what]
        assert after["stats"]["by_status"][what] - before["stats"]["by_status"][what] == done[what]
    assert after["performance"]["run"]["max_s"] >= 0.2
    assert recount(api.client, api.keys) == []


def test_the_job_types_are_listed_with_task_queue_and_schema(api):
    types = {each["name"]: each for each in api.get("/api/tracking/job-types")}
    assert list(types) == sorted(types)
    analysis = types["document_analysis"]
    assert (analysis["task"], analysis["takes_results"], analysis["acks_late"]) == ("document_analysis", True, True)
    assert (analysis["on_lost"], analysis["max_deliveries"]) == ("fail", 3)
    assert "document_id" in analysis["payload_schema"]["properties"]
    assert analysis["description"]
    assert types["workers.wait"]["payload_schema"]["properties"].keys() == {"seconds", "steps"}
    assert types["custom"]["payload_schema"]["required"] == ["task"]


def test_the_documented_job_types_are_listed_before_a_worker_has_announced_them(quiet_api):
    types = {each["name"]: each["payload_schema"] for each in quiet_api.get("/api/tracking/job-types")}
    assert types.keys() >= {"data_processing", "document_analysis", "entity_extraction", "medication_extraction"}
    assert types["data_processing"] is None
