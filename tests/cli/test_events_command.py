"""`jobtracker events`: which jobs change, as they do."""

import json
import threading

import pytest
from support.commands import lines, refusal
from support.sample_jobs import create_job

from jobtracker.core.lifecycle import Event

pytestmark = pytest.mark.thorough


def while_it_runs(api, *arguments):
    """What the command prints while a job comes and starts, once the command listens."""
    stopped = threading.Event()
    jobs = []

    def work():
        while not stopped.is_set():
            jobs.append(create_job(api.store, type="report"))
            api.store.apply(Event.START, jobs[-1])
            stopped.wait(0.3)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        return lines(api, "events", *arguments, "--timeout", "2"), jobs
    finally:
        stopped.set()
        thread.join()


def test_each_job_that_changes_is_a_line(quiet_api):
    found, jobs = while_it_runs(quiet_api, "--type", "report")
    assert found
    for line in found:
        at, zone, status, job_id, job_type, *what = line.split()
        assert (len(at), zone, job_type) == (8, "UTC", "report")
        assert status in {"pending", "running"}
        assert job_id in jobs
        assert what


def test_json_is_a_line_an_event(quiet_api):
    found, jobs = while_it_runs(quiet_api, "--json", "--status", "running")
    events = [json.loads(line) for line in found]
    assert events[0]["event"] == "ready"
    assert {hint["id"] for event in events for hint in event["jobs"]} <= set(jobs)
    [last] = [event["id"] for event in events][-1:]
    again = [json.loads(line) for line in lines(quiet_api, "events", "--json", "--after", last, "--timeout", "1")]
    assert again[0]["resumed"]


def test_an_event_that_is_not_known_is_said(quiet_api):
    assert "Events are missing" in refusal(quiet_api, "events", "--after", "1-1", "--timeout", "1", status=0)
