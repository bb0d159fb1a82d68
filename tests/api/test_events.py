"""The live stream."""

import socket

import httpx
import pytest
from support.listening import Listening
from support.sample_jobs import create_job, new_job
from support.serving import eventually, problem_of, running_api

from jobtracker.core.lifecycle import Event
from jobtracker.store.changes import NewJob

pytestmark = pytest.mark.thorough


@pytest.fixture
def listen(quiet_api):
    """Opens streams of the API, and closes them in the end."""
    opened = []

    def begin(last_event_id=None, **params):
        opened.append(Listening(str(quiet_api.http.base_url).rstrip("/"), last_event_id, **params))
        return opened[-1].until(lambda each: each.names)

    yield begin
    for each in opened:
        each.close()


def test_the_stream_begins_and_says_what_changes(quiet_api, listen):
    heard = listen()
    assert heard.events == [("ready", {"resumed": False})]
    assert heard.last_id
    store, job = quiet_api.store, create_job(quiet_api.store)
    heard.until(lambda each: job in each.ids)
    store.apply(Event.START, job)
    heard.until(lambda each: each.jobs[-1]["status"] == "running")
    assert heard.jobs[-1] == {
        "id": job, "what": ["status"], "status": "running", "before": "pending", "job_type": "custom",
    }  # fmt: skip
    store.append_log(job, [(1, "info", "hello")])
    heard.until(lambda each: each.jobs[-1]["what"] == ["log"])


def test_it_is_an_event_stream_that_nobody_keeps(quiet_api):
    with quiet_api.http.stream("GET", "/api/events", params={"for_s": 0.05}) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        text = response.read().decode()
    assert text.startswith("event: ready\ndata: ")


def test_head_ends(quiet_api):
    response = quiet_api.http.head("/api/events")
    assert (response.status_code, response.content) == (200, b"")


def test_many_changes_in_a_moment_are_few_events_and_of_each_job_one(quiet_api, listen):
    heard = listen()
    jobs = [create_job(quiet_api.store) for _ in range(60)]
    for job in jobs:
        quiet_api.store.apply(Event.START, job)
    heard.until(lambda each: {job["id"] for job in each.jobs if job["status"] == "running"} >= set(jobs))
    assert len(heard.events) < 30
    assert all(
        len({job["id"] for job in data.get("jobs", [])}) == len(data.get("jobs", [])) for _, data in heard.events
    )


def test_the_more_viewers_the_longer_each_is_to_wait(quiet_api, listen):
    def rest_ms(heard):
        job = create_job(quiet_api.store)
        heard.until(lambda each: job in each.ids)
        return heard.events[-1][1]["rest_ms"]

    alone = listen()
    of_one = rest_ms(alone)
    for _ in range(3):
        listen()
    assert 0 < of_one < rest_ms(alone)


def test_past_200_jobs_it_says_how_many(quiet_api, listen):
    heard = listen()
    quiet_api.store.create(*(new_job(f"many {n}") for n in range(900)))
    heard.until(lambda each: any(data.get("many") for _, data in each.events))
    assert all(not data["jobs"] for _, data in heard.events if data.get("many"))


def test_filters_choose_a_job_a_tree_a_type_or_a_status(quiet_api, listen):
    store = quiet_api.store
    store.create(
        *(new_job(f"leaf {n}", parent="branch", type="leaf") for n in range(3)),
        new_job("branch", parent="top", subs=[f"leaf {n}" for n in range(3)]),
        new_job("top", subs=["branch"]),
    )
    job, tree, of_type, failed = (
        listen(job_id="leaf 1"), listen(tree="top"), listen(job_type="leaf"), listen(status="failed")
    )  # fmt: skip
    below = listen(tree="leaf 0")
    everything = listen()
    other = create_job(store)
    for each in (other, "leaf 0", "leaf 1", "branch", "top"):
        store.apply(Event.START, each)
    store.apply(Event.FAIL, "leaf 1")
    store.apply(Event.COMPLETE, "leaf 0")
    create_job(store, "last", type="leaf", parent="top")
    everything.until(lambda each: "last" in each.ids)
    tree.until(lambda each: "last" in each.ids)
    of_type.until(lambda each: "last" in each.ids)
    failed.until(lambda each: each.ids)
    below.until(lambda each: each.jobs and each.jobs[-1]["status"] == "completed")
    job.until(lambda each: each.jobs and each.jobs[-1]["status"] == "failed")
    assert set(job.ids) == {"leaf 1"} == set(failed.ids)
    assert set(tree.ids) == {"leaf 0", "leaf 1", "branch", "top", "last"}
    assert set(of_type.ids) == {"leaf 0", "leaf 1", "last"}
    assert set(below.ids) == {"leaf 0"}
    assert other in everything.ids


def test_a_stream_goes_on_after_an_event_without_gap_or_duplicate(quiet_api, listen):
    heard = listen()
    before = [create_job(quiet_api.store) for _ in range(5)]
    heard.until(lambda each: set(each.ids) == set(before))
    heard.close()
    meanwhile = [create_job(quiet_api.store) for _ in range(5)]
    again = listen(heard.last_id)
    after = [create_job(quiet_api.store) for _ in range(5)]
    again.until(lambda each: set(each.ids) >= set(after))
    assert again.events[0] == ("ready", {"resumed": True})
    assert sorted(again.ids) == sorted(meanwhile + after)


@pytest.mark.parametrize("last_event_id", ["1-1", "nonsense", "9999999999999-0", "1-1,2-2", "0-0"])
def test_an_event_that_is_not_known_means_that_all_is_read_anew(quiet_api, listen, last_event_id):
    heard = listen(last_event_id)
    assert heard.names == ["reset"]
    job = create_job(quiet_api.store)
    heard.until(lambda each: job in each.ids)


def test_the_tree_of_what_was_missed_is_not_known(quiet_api, listen):
    heard = listen(tree="no such job")
    heard.close()
    create_job(quiet_api.store)
    again = listen(heard.last_id, tree="no such job").until(lambda each: len(each.events) == 2)
    assert again.names == ["ready", "jobs"]
    assert again.events[1][1]["many"]


def test_a_large_tree_is_told_of_in_numbers(quiet_api, listen):
    store = quiet_api.store
    fields = {"name": "n", "type": "leaf", "priority": "normal", "parent": "large"}
    leaves = [NewJob(id=f"large.{n}", fields=fields) for n in range(300)]
    top = NewJob(
        id="large",
        fields={"name": "n", "type": "top", "priority": "normal"},
        subs={n: leaf.id for n, leaf in enumerate(leaves)},
    )
    tree, other = listen(tree="large"), listen(tree="small")
    store.bulk_create([*leaves, top], at_ms=1, started=False)
    tree.until(lambda each: any(data.get("many") for _, data in each.events))
    assert other.names == ["ready"]


def test_nobody_watching_the_hints_end(quiet_api, listen):
    listen().close()
    part = quiet_api.keys.parts[0]
    renewed = quiet_api.client.pttl(part("hints"))
    assert 0 < renewed <= 60_000
    eventually(lambda: not _blocked(quiet_api))


def _blocked(api):
    return [each for each in api.client.client_list() if "b" in each["flags"] and each["db"] == "9"]


def test_the_number_of_viewers_has_a_limit(redis_server, api_log_dir):
    with running_api(api_log_dir, redis_url=redis_server.url, redis_db=9, api_max_viewers=2) as api:
        url = str(api.http.base_url).rstrip("/")
        with Listening(url) as one, Listening(url) as two:
            one.until(lambda each: each.names)
            two.until(lambda each: each.names)
            problem = problem_of(api.http.get("/api/events"), 503)
            assert "API_MAX_VIEWERS" in problem["detail"]
        eventually(lambda: httpx.get(f"{url}/api/events", params={"for_s": 0.01}).status_code == 200)


def test_a_viewer_that_reads_nothing_does_not_hold_up_others(quiet_api, listen):
    other = listen()
    with socket.create_connection(("127.0.0.1", quiet_api.settings.api_port)) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        slow.recv(1)
        for n in range(10):
            quiet_api.store.create(*(new_job(f"slow {n} {each}") for each in range(150)))
            other.until(lambda each, last=f"slow {n} 149": last in each.ids)


def test_streams_end_when_the_process_does(redis_server, api_log_dir):
    with (
        running_api(api_log_dir, redis_url=redis_server.url, redis_db=9) as api,
        Listening(str(api.http.base_url).rstrip("/")) as heard,
    ):
        heard.until(lambda each: each.names)
        api.process.stop()
        heard.until(lambda each: each.has_ended)
        log = api.process.log_path.read_text()
    assert "Finished server process" in log
    assert "graceful shutdown exceeded" not in log
