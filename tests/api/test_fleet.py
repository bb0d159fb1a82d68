"""GET /api/tracking/timeline, workers and queue-series over HTTP; what they are made of is tested with the store."""

import pytest
from support.sample_jobs import create_job

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event


@pytest.fixture(scope="module")
def ran(quiet_api):
    """A job that ran for two seconds until now."""
    now = now_ms()
    job = create_job(quiet_api.store, at_ms=now - 3000, run=1, queued=now - 3000, type="timed", queue="q")
    known = {"run": 1, "attempt": 0, "execution": f"{now - 2000}-lease-1"}
    quiet_api.store.apply(Event.START, job, at_ms=now - 2000, fields={"worker": "w", "lease": "lease"}, **known)
    quiet_api.store.apply(Event.COMPLETE, job, at_ms=now, **known)
    return job, now


def test_a_timeline_has_what_ran_in_a_span(quiet_api, ran):
    job, now = ran
    span = {"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    found = quiet_api.get("/api/tracking/timeline", **span, job_type="timed", worker="w", queue="q")
    assert (found["job_id"], found["started_at_ms"], found["finished_at_ms"]) == ([job], [now - 2000], [now])
    assert (found["rows"], found["next_cursor"], found["status"]) == (1, None, ["completed"])


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "ends before it begins"),
        ({"from": "2026-01-01T00:00:00Z"}, "query.to"),
        ({"from": "2026", "to": "2027"}, "date with a time"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "cursor": "x"}, "cursor"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "limit": 5001}, "limit"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "type": "a"}, "type"),
    ],
)
def test_what_can_not_be_answered_is_refused_with_its_reason(quiet_api, params, what):
    assert what in quiet_api.problem("GET", "/api/tracking/timeline", 422, params=params)["detail"]


def test_figures_of_queues_and_workers_tell_of_the_job(quiet_api, ran):
    series = quiet_api.get("/api/tracking/queue-series", queue="q")
    assert (series["step_s"], len(series["at"])) == (300, 12)
    assert sum(series["by_queue"]["q"]["ended"]) == 1
    report = quiet_api.get("/api/tracking/workers")
    assert report["fleet"]["timed"] == {"count": 1, "p50_s": 2.0, "p95_s": 2.0}
    [queue] = [each for each in quiet_api.get("/api/tracking/queue-depth")["queues"] if each["queue"] == "q"]
    assert (queue["last_5_min"]["started"], queue["last_5_min"]["wait_p50_s"]) == (1, pytest.approx(1, rel=0.02))
