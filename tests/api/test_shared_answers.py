"""Answers that are read once for all who have heard of the same event."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support.listening import Listening
from support.sample_jobs import create_job
from support.serving import Api, running_api

from jobtracker.core.lifecycle import Event

ASKED = 40


@pytest.fixture
def heard(quiet_api: Api):
    with Listening(str(quiet_api.http.base_url).rstrip("/")) as listening:
        yield listening.until(lambda each: each.last_id)


def after(event_id: str) -> dict[str, str]:
    return {"Last-Event-ID": event_id}


def reads(api: Api) -> int:
    """How many functions that only read the store has answered."""
    found = api.store.client.info("commandstats")
    return sum(found.get(name, {}).get("calls", 0) for name in ("cmdstat_fcall", "cmdstat_fcall_ro"))


def ask_at_once(api: Api, **headers: str) -> list[httpx.Response]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: api.http.get("/api/jobs/", headers=headers), range(ASKED)))


def test_who_has_heard_of_the_same_event_gets_what_was_read_once(quiet_api, heard):
    job_id = create_job(quiet_api.store)
    heard.until(lambda each: job_id in each.ids)
    before = reads(quiet_api)
    answers = ask_at_once(quiet_api, **after(heard.last_id))
    shared = reads(quiet_api) - before
    assert {answer.status_code for answer in answers} == {200}
    assert all(job_id in answer.text for answer in answers)
    before = reads(quiet_api)
    ask_at_once(quiet_api)
    assert reads(quiet_api) - before >= ASKED
    assert shared < ASKED  # on a busy machine what was read gets too old, and is read again


def test_an_answer_has_what_the_event_told_of(quiet_api, heard):
    jobs = [create_job(quiet_api.store) for _ in range(8)]
    heard.until(lambda each: set(jobs) <= set(each.ids))
    for job_id in jobs:
        quiet_api.http.get("/api/jobs/", headers=after(heard.last_id))  # one that lacks the change is there
        quiet_api.store.apply(Event.START, job_id)
        heard.until(lambda each, job_id=job_id: {"id": job_id, "status": "running"}.items() <= each.jobs[-1].items())
        found = quiet_api.http.get("/api/jobs/", headers=after(heard.last_id)).json()["jobs"]
        assert [each["status"] for each in found if each["id"] == job_id] == ["running"]


def test_what_no_event_tells_of_is_read_once_in_a_moment_whatever_happens(quiet_api, heard):
    def serves_another() -> bool:
        first = quiet_api.http.get("/api/tracking/health", headers=after(heard.last_id))
        job_id = create_job(quiet_api.store)
        heard.until(lambda each: job_id in each.ids)
        again = quiet_api.http.get("/api/tracking/health", headers=after(heard.last_id))
        assert {first.status_code, again.status_code} <= {200, 503}
        return first.json()["request_id"] == again.json()["request_id"]

    assert any(serves_another() for _ in range(10))  # on a busy machine it gets too old
    asked = [quiet_api.http.get("/api/tracking/health").json()["request_id"] for _ in range(2)]
    assert asked[0] != asked[1]


def test_who_does_not_name_an_event_reads_what_was_written_before(quiet_api, heard):
    for _ in range(20):
        quiet_api.http.get("/api/jobs/", headers=after(heard.last_id))
        job_id = create_job(quiet_api.store)
        assert job_id in quiet_api.http.get("/api/jobs/").text


@pytest.mark.parametrize("event_id", ["nonsense", "1-1,1-1", "9999999999999999999-0", "1" * 5000, "-"])
def test_an_event_that_is_not_known_is_answered_anew(quiet_api, heard, event_id):
    quiet_api.http.get("/api/jobs/", headers=after(heard.last_id))
    job_id = create_job(quiet_api.store)
    assert job_id in quiet_api.http.get("/api/jobs/", headers=after(event_id)).text


def test_what_was_asked_for_makes_the_difference(quiet_api, heard):
    job_id = create_job(quiet_api.store, name="one of its own")
    heard.until(lambda each: job_id in each.ids)
    headers = after(heard.last_id)
    for _ in range(2):
        assert quiet_api.http.get("/api/jobs/", params={"status": "failed"}, headers=headers).json()["jobs"] == []
        assert job_id in quiet_api.http.get("/api/jobs/", headers=headers).text
        assert quiet_api.http.get(f"/api/jobs/{job_id}", headers=headers).json()["name"] == "one of its own"
        assert quiet_api.http.get("/api/jobs/nothing", headers=headers).status_code == 404
        assert quiet_api.http.get("/api/jobs/", params={"sort": "no"}, headers=headers).status_code == 422


def test_what_is_shared_has_its_tag(quiet_api, heard):
    first = quiet_api.http.get("/api/jobs/", headers=after(heard.last_id))
    known = {**after(heard.last_id), "If-None-Match": first.headers["etag"]}
    again = quiet_api.http.get("/api/jobs/", headers=known)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert quiet_api.http.head("/api/jobs/", headers=after(heard.last_id)).headers["etag"] == first.headers["etag"]
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


@pytest.mark.thorough
def test_several_processes_and_partitions_answer_with_what_an_event_of_any_told_of(redis_server, tmp_path):
    settings = {"redis_url": redis_server.url, "redis_db": 9, "api_workers": 2, "tracking_partitions": 3}
    with running_api(tmp_path, **settings) as api:
        url = str(api.http.base_url).rstrip("/")
        listening = [Listening(url) for _ in range(6)]  # each process has viewers
        try:
            for each in listening:
                each.until(lambda one: one.last_id)
            for n in range(15):
                job_id = create_job(api.store)
                first = listening[n % len(listening)].until(lambda each, job_id=job_id: job_id in each.ids)
                for _ in range(4):
                    answer = httpx.get(f"{url}/api/jobs/", headers=after(first.last_id), timeout=20)
                    assert job_id in answer.text, "a process has answered with what is older than the event"
        finally:
            for each in listening:
                each.close()
