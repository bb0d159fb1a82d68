"""Which worker ran which job when: complete, in pages, and like a plain look at all jobs."""

import json
import random

import pytest
from support.sample_jobs import START_MS, create_job

from jobtracker.core.lifecycle import Event
from jobtracker.schemas.timeline import Timeline, TimelineFilter
from jobtracker.store.cursors import BadCursorError
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.timeline import EmptySpanError
from jobtracker.store.writer import JobStore

HOUR_MS = 3_600_000


@pytest.fixture(params=[1, 3], ids=["one partition", "three partitions"])
def parts(request, client, keys, partitions):
    """Writer and reader of a store with so many partitions."""
    keys = Keys(keys.namespace, request.param * partitions)
    return JobStore(client, keys), JobQueries(client, keys)


def run_job(store, began_ms, ended_ms, *, worker="w1", event=Event.COMPLETE, attempt=0, job=None, **fields):
    """A job that a worker ran, or runs if it has no end."""
    job = job or create_job(store, at_ms=began_ms - 5, run=1, queued=began_ms - 5, **{"queue": "mail", **fields})
    known = {"run": 1, "attempt": attempt, "execution": f"{began_ms}-{worker}-{random.getrandbits(32):x}"}
    store.apply(Event.START, job, at_ms=began_ms, fields={"worker": worker, "lease": worker}, **known)
    if ended_ms is not None:
        store.apply(event, job, at_ms=ended_ms, **known)
    return job


def page(queries, since, until, limit=100, cursor=None, **filters):
    wanted = TimelineFilter(from_ms=since, to_ms=until, **filters)
    return Timeline.model_validate_json(queries.timeline_json(wanted, limit, cursor))


def every_page(queries, since, until, limit=100, **filters):
    found, cursor = [], None
    while True:
        answer = page(queries, since, until, limit, cursor, **filters)
        assert len(answer.job_id) == answer.rows <= limit
        found.append(answer)
        if (cursor := answer.next_cursor) is None:
            return found


def ids(pages):
    return [job_id for each in pages for job_id in each.job_id]


def test_it_has_what_ran_in_the_span_and_nothing_else(parts):
    store, queries = parts
    since, until = START_MS + HOUR_MS, START_MS + 2 * HOUR_MS
    run_job(store, since - 100, since - 1)  # over before
    into = run_job(store, since - 100, since)
    inside = run_job(store, since + 10, since + 20, event=Event.FAIL)
    out_of = run_job(store, until - 1, until + HOUR_MS)
    around = run_job(store, since - HOUR_MS, until + 2 * HOUR_MS)
    run_job(store, until, until + 10)  # begins after
    runs = run_job(store, until - 10, None)
    run_job(store, until + 10, None)
    create_job(store, at_ms=since, run=1, queued=since)  # waits
    never = create_job(store, at_ms=since, run=1, queued=since)
    store.apply(Event.CANCELLED, never, at_ms=since + 1)
    [found] = every_page(queries, since, until)
    assert found.job_id[:3] == [runs, into, inside]
    assert set(found.job_id[3:]) == {out_of, around}
    by_id = dict(
        zip(found.job_id, zip(found.started_at_ms, found.finished_at_ms, found.status, strict=True), strict=True)
    )
    assert by_id[runs] == (until - 10, None, "running")
    assert by_id[inside] == (since + 10, since + 20, "failed")
    assert by_id[around] == (since - HOUR_MS, until + 2 * HOUR_MS, "completed")
    assert found.looked_until_ms >= until + 2 * HOUR_MS


def test_in_pages_it_is_like_a_plain_look_at_all_jobs(parts):
    store, queries = parts
    dice = random.Random(7)
    jobs = []
    for _ in range(150):
        began = START_MS + dice.randrange(4 * HOUR_MS)
        ended = began + int(dice.lognormvariate(11, 2))
        worker, kind, queue = dice.choice("ab"), dice.choice(["t1", "t2"]), dice.choice(["mail", "pdf"])
        jobs.append(
            (run_job(store, began, ended, worker=worker, type=kind, queue=queue), began, ended, worker, kind, queue)
        )
    since, until = START_MS + HOUR_MS, START_MS + 2 * HOUR_MS
    for filters in ({}, {"worker": "a"}, {"job_type": "t2"}, {"queue": "pdf"}, {"worker": "b", "queue": "mail"}):
        expected = {
            job
            for job, began, ended, worker, kind, queue in jobs
            if began < until
            and ended >= since
            and filters.get("worker", worker) == worker
            and filters.get("job_type", kind) == kind
            and filters.get("queue", queue) == queue
        }
        found = ids(every_page(queries, since, until, limit=7, **filters))
        assert len(found) == len(set(found))
        assert set(found) == expected


def test_an_attempt_before_the_one_that_counts_is_left_out_and_counted(parts):
    store, queries = parts
    job = run_job(store, START_MS, START_MS + 100, event=Event.RETRY)
    run_job(store, START_MS + 500, START_MS + 600, worker="w2", attempt=1, job=job)
    [found] = every_page(queries, START_MS, START_MS + 1000)
    assert (found.job_id, found.worker, found.attempt) == ([job], ["w2"], [1])
    assert (found.started_at_ms, found.executions_left_out) == ([START_MS + 500], 1)


def test_what_ended_while_pages_are_read_is_there_once(parts):
    store, queries = parts
    jobs = [run_job(store, START_MS + n, None) for n in range(4)]
    first = page(queries, START_MS, START_MS + 10**12, limit=2)
    for job in jobs:
        store.apply(Event.COMPLETE, job, at_ms=first.at_ms + 10)
    rest = page(queries, START_MS, START_MS + 10**12, limit=10, cursor=first.next_cursor)
    assert first.job_id == jobs[:2]
    assert not set(first.job_id) & set(rest.job_id)


def test_a_cursor_of_another_timeline_and_a_span_without_time_are_refused(parts):
    store, queries = parts
    for n in range(3):
        run_job(store, START_MS + n, START_MS + n + 5)
    cursor = page(queries, START_MS, START_MS + 100, limit=1).next_cursor
    for filters in ({"worker": "w1"}, {"queue": "mail"}):
        with pytest.raises(BadCursorError):
            page(queries, START_MS, START_MS + 100, cursor=cursor, **filters)
    with pytest.raises(BadCursorError):
        page(queries, START_MS, START_MS + 100, cursor=json.dumps("nonsense"))
    with pytest.raises(EmptySpanError):
        page(queries, START_MS, START_MS)


def test_those_that_settled_last_come_first_with_how_many_there_are(parts):
    store, queries = parts
    jobs = [
        run_job(store, START_MS + n, START_MS + n + 5, event=Event.FAIL if n % 3 else Event.COMPLETE)
        for n in range(9)
    ]
    found, total = queries.settled_since(START_MS + 6, 4)
    assert ([record.id for record in found], total) == (jobs[:-5:-1], 8)
