"""The live stream by both clients, and what waits by it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support.listening import Listening
from support.sample_jobs import create_job, new_job
from support.serving import eventually, running_api

from jobtracker import ApiError, ApiUnavailableError
from jobtracker.client.errors import JobTimeoutError
from jobtracker.client.event_stream import EventDecoder
from jobtracker.client.listening import Ears
from jobtracker.client.patience import Patience
from jobtracker.client.steps import Listen, NextEvent, Pause
from jobtracker.core.lifecycle import Event, Status
from jobtracker.local.ports import free_port

pytestmark = pytest.mark.thorough


@contextmanager
def collecting(items: Iterator[Any]) -> Iterator[list[Any]]:
    """What an iterator has given so far, in a thread, which must end with the context."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: [found.append(each) for each in items])
    thread.start()
    yield found
    thread.join(30)
    assert not thread.is_alive()


def test_events_are_typed_and_go_on_after_one(quiet, quiet_api):
    with collecting(quiet.events(timeout_s=2)) as found:
        eventually(lambda: found)
        job = create_job(quiet_api.store)
        eventually(lambda: len(found) > 1)
    ready, told = found[:2]
    assert (ready.event, ready.resumed, ready.jobs) == ("ready", False, [])
    assert [(hint.id, hint.what, hint.status) for hint in told.jobs] == [(job, ["created"], Status.PENDING)]
    quiet_api.store.apply(Event.START, job)
    again = list(quiet.events(last_event_id=told.id, job_id=job, timeout_s=1))
    assert [event.event for event in again] == ["ready", "jobs"]
    assert (again[0].resumed, again[1].jobs[0].before) == (True, Status.PENDING)


def test_a_wait_listens_and_reads_the_job_again_when_it_has_settled(quiet, quiet_api):
    job_id, other = create_job(quiet_api.store), create_job(quiet_api.store)
    with (
        Listening(str(quiet_api.http.base_url).rstrip("/")) as heard,
        collecting(one(quiet.wait, job_id, timeout_s=60)) as found,
    ):
        heard.until(lambda each: each.names)

        def is_at_rest():
            """It has looked no more while two events came."""
            before, number = reads(quiet_api, job_id), len(heard.ids)
            for _ in range(2):
                quiet_api.store.update(other, fields={"name": str(time.monotonic())})
                heard.until(lambda each, known=number: len(each.ids) > known)
                number = len(heard.ids)
            return before and reads(quiet_api, job_id) == before

        eventually(is_at_rest)
        before = reads(quiet_api, job_id)
        for n in range(5):  # looks in pauses would be four or more
            quiet_api.store.update(job_id, fields={"name": f"name {n}"})
            heard.until(lambda each: len(each.ids) > n and each.ids[-1] == job_id)  # noqa: B023 (called at once)
            quiet_api.store.update(other, fields={"name": f"name {n}"})
            heard.until(lambda each: each.ids[-1] == other)
        quiet_api.store.apply(Event.START, job_id)
        quiet_api.store.apply(Event.COMPLETE, job_id)
    assert found[0].status == Status.COMPLETED
    assert reads(quiet_api, job_id) <= before + 2


def one(function, *args, **kwargs):
    yield function(*args, **kwargs)


def blocked(api):
    return any("b" in each["flags"] and each["db"] == "9" for each in api.client.client_list())


def reads(api, job_id):
    return sum(f'"/api/jobs/{job_id}"' in line for line in api.log_lines())


def test_a_watch_sees_what_happens_below_and_has_an_end(quiet, quiet_api):
    store = quiet_api.store
    top = create_job(store)
    sub = f"{top}-sub"
    store.create(new_job(sub, parent=top))
    store.create(new_job(top, subs=[sub]))
    with collecting(quiet.watch(top, timeout_s=30)) as seen:
        eventually(lambda: seen and blocked(quiet_api))
        store.apply(Event.START, sub)
        eventually(lambda: seen[-1].sub_jobs[0].status == Status.RUNNING)
        store.apply(Event.COMPLETE, sub)
        eventually(lambda: seen[-1].sub_jobs[0].status == Status.COMPLETED)
        store.apply(Event.START, top)
        store.apply(Event.COMPLETE, top)
    assert seen[-1].status == Status.COMPLETED


def test_lines_of_a_log_come_as_they_are_written(quiet, quiet_api):
    job_id = create_job(quiet_api.store)
    with collecting(quiet.follow(job_id, timeout_s=30)) as lines:
        for n in range(3):
            quiet_api.store.append_log(job_id, [(n, "info", f"line {n}")])
            eventually(lambda: len(lines) == n + 1)  # noqa: B023 (called at once)
        quiet_api.store.apply(Event.START, job_id)
        quiet_api.store.apply(Event.COMPLETE, job_id)
    assert [line.message for line in lines] == ["line 0", "line 1", "line 2"]


def test_where_there_are_too_many_streams_it_looks_from_time_to_time(connect, redis_server, tmp_path):
    with running_api(tmp_path, redis_url=redis_server.url, redis_db=9, api_max_viewers=1) as api:
        client = connect(str(api.http.base_url), outage_s=0.5)
        job_id = create_job(api.store)
        with collecting(client.events(timeout_s=4)) as events:
            eventually(lambda: events)
            with pytest.raises(ApiUnavailableError, match="API_MAX_VIEWERS"):
                list(connect(str(api.http.base_url), outage_s=0.1).events())
            with collecting(one(connect(str(api.http.base_url)).wait, job_id, timeout_s=30)) as found:
                eventually(lambda: reads(api, job_id) > 8)
                api.store.apply(Event.START, job_id)
                api.store.apply(Event.COMPLETE, job_id)
    assert found[0].status == Status.COMPLETED


def test_an_api_without_the_stream_is_asked_from_time_to_time(monkeypatch):
    monkeypatch.setattr("jobtracker.client.listening.LISTEN_AFTER_S", 0)
    ears = Ears(Patience("j", None, 30), lambda _: True, job_id="j")
    waiting = ears.wait()
    assert isinstance(next(waiting), Listen)
    assert isinstance(waiting.throw(ApiError("404")), Pause)
    assert all(isinstance(next(ears.wait()), Pause) for _ in range(10))


def test_what_changes_between_the_last_look_and_the_stream_is_not_missed(monkeypatch):
    monkeypatch.setattr("jobtracker.client.listening.LISTEN_AFTER_S", 0)
    ears = Ears(Patience("j", None, 30), lambda _: True, job_id="j")
    waiting = ears.wait()
    assert isinstance(next(waiting), Listen)
    assert isinstance(next(waiting), NextEvent)
    [ready] = EventDecoder().feed(b'event: ready\ndata: {"resumed":false}\nid: 1-1\n\n')
    with pytest.raises(StopIteration):  # so it is read again
        waiting.send(ready)
    waiting = ears.wait()
    assert isinstance(next(waiting), NextEvent)
    assert isinstance(waiting.send(None), Pause)  # the stream was lost
    with pytest.raises(StopIteration):
        next(waiting)
    assert isinstance(next(ears.wait()), Listen)


def test_a_stream_in_pieces_is_the_same():
    whole = (
        b": ping\nid: 5-5\n\nevent: jobs\n"
        b'data: {"jobs":[{"id":"\xc3\xa9","what":["new word"]}],"many":null}\nid: 6-6\n\n'
    )
    decoder = EventDecoder("1-1")
    events = [event for byte in whole for event in decoder.feed(bytes([byte]))]
    assert [(event.event, event.id) for event in events] == [("ping", "5-5"), ("jobs", "6-6")]
    assert events[1].jobs[0].id == "é"


def test_a_wait_that_listens_ends_in_time(quiet, quiet_api):
    job_id = create_job(quiet_api.store)
    with pytest.raises(JobTimeoutError, match="it is pending"):
        quiet.wait(job_id, timeout_s=1.2)


@pytest.mark.thorough
def test_events_go_on_where_the_api_was_killed(connect, redis_server, tmp_path):
    shared = {"redis_url": redis_server.url, "api_port": free_port(), "tracking_namespace": f"kill-{tmp_path.name}"}
    with running_api(tmp_path, **shared) as api:
        client = connect(str(api.http.base_url), outage_s=30)
        store = api.store
        with collecting(client.events(timeout_s=20)) as events:
            eventually(lambda: events)
            jobs = [create_job(store)]
            eventually(lambda: len(events) > 1)
            os.kill(api.process.pid, signal.SIGKILL)
            jobs += [create_job(store) for _ in range(20)]
            with running_api(tmp_path, **shared) as again:
                jobs += [create_job(again.store)]
                eventually(lambda: any(hint.id == jobs[-1] for event in events for hint in event.jobs))
    assert sorted(hint.id for event in events for hint in event.jobs) == sorted(jobs)
    assert "reset" not in [event.event for event in events]
