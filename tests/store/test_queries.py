"""Reading jobs, trees and figures as they stand."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from support.sample_jobs import START_MS, bring_to, create_in, create_job, create_parent, new_job, report

from jobtracker.connection.client import connect
from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import Event, Priority, Status
from jobtracker.errors import JobNotFoundError
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.schemas.stats import JobCount
from jobtracker.store.changes import NewJob
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore


@pytest.fixture
def tree(store):
    """A tree of depth 4: a root, two branches each with two twigs, one twig with three leaves."""
    store.create(
        *(new_job(f"leaf{n}", parent="twig1") for n in range(3)),
        new_job("twig1", subs=["leaf2", "leaf0", "leaf1"], parent="branch1"),
        *(new_job(f"twig{n}", parent=f"branch{n // 2 + 1}") for n in (0, 2, 3)),
        new_job("branch1", subs=["twig0", "twig1"], parent="root"),
        new_job("branch2", subs=["twig2", "twig3"], parent="root"),
        new_job("root", subs=["branch1", "branch2"]),
    )
    return "root"


def shape(job):
    return {job.id: [shape(sub) for sub in job.sub_jobs]} if job.sub_jobs else job.id


def test_a_tree_of_depth_four_comes_with_every_level_in_order(queries, tree):
    assert shape(queries.tree(tree)) == {
        "root": [{"branch1": ["twig0", {"twig1": ["leaf2", "leaf0", "leaf1"]}]}, {"branch2": ["twig2", "twig3"]}]
    }


def test_a_tree_can_be_read_from_any_job_of_it(queries, tree):
    assert shape(queries.tree("twig1")) == {"twig1": ["leaf2", "leaf0", "leaf1"]}
    assert shape(queries.tree("leaf0")) == "leaf0"


def test_a_tree_leaves_out_a_sub_job_that_has_no_record(store, queries):
    store.create(new_job("p", subs=["a", "gone", "b"]), new_job("a"), new_job("b"))
    assert shape(queries.tree("p")) == {"p": ["a", "b"]}


def test_the_jobs_of_a_tree_are_whole_jobs_with_their_parents_in_figures(store, queries):
    parent, subs = create_parent(store, 3, policy="continue")
    store.apply(Event.START, subs[0])
    report(store, parent, subs[0], Event.COMPLETE, data={"result": '{"found": 3}'})
    report(store, parent, subs[1], Event.FAIL, data={"error": '{"type": "ValueError", "message": "no"}'})
    root = queries.tree(parent)
    assert root.sub_job_counts.model_dump() == {"total": 3, "completed": 1, "failed": 1, "cancelled": 0}
    assert root.progress.model_dump() == {"done": 2, "total": 3, "percent": 66.7, "note": ""}
    assert root.failure_policy == "continue"
    assert root.sub_jobs[0].result == {"found": 3}
    assert root.sub_jobs[1].error.message == "no"


def test_the_json_of_a_tree_is_that_of_its_model(store, queries, tree, monkeypatch):
    monkeypatch.setattr("jobtracker.store.trees._BATCH", 2)
    monkeypatch.setattr("jobtracker.store.trees._PIECE_BYTES", 1000)
    store.delete("leaf0", mode="trash")
    store.apply(Event.START, "twig3", data={"result": '{"found": [3, 1e999]}'})
    pieces = list(queries.tree_json(tree))
    assert len(pieces) > 3
    assert b"".join(pieces) == queries.tree(tree).model_dump_json().encode()
    with pytest.raises(JobNotFoundError):
        queries.tree_json("nothing")


def test_the_families_of_a_tree_stand_before_those_below(queries, tree):
    families = queries.families(tree)
    assert next(iter(families)) == "root"
    assert families["twig1"] == ["leaf2", "leaf0", "leaf1"]
    assert families["leaf0"] == []
    order = list(families)
    assert all(order.index(parent) < order.index(sub) for parent, subs in families.items() for sub in subs)
    assert len(order) == 10


@pytest.mark.parametrize("read", ["get", "record", "tree"])
def test_a_job_that_is_not_there_is_not_found(queries, read):
    with pytest.raises(JobNotFoundError, match="nobody") as caught:
        getattr(queries, read)("nobody")
    assert caught.value.job_id == "nobody"


def test_what_is_not_there_has_no_fields_no_sub_jobs_and_no_log(queries):
    assert queries.field("nobody", JobRecord.status) is None
    assert queries.sub_ids("nobody") == []
    assert queries.families("nobody") == {"nobody": []}
    assert queries.log("nobody") == []


def test_many_jobs_come_in_the_order_that_was_asked_for(store, queries):
    ids = [create_job(store) for _ in range(3)]
    assert [job.id for job in queries.get_many([ids[2], ids[0], ids[1], ids[0]])] == [ids[2], ids[0], ids[1], ids[0]]
    assert queries.get_many([]) == []


def test_one_missing_job_among_many_is_an_error_unless_it_may_be_missing(store, queries):
    job = create_job(store)
    with pytest.raises(JobNotFoundError, match="nobody"):
        queries.load([job, "nobody"])
    assert queries.load(["nobody"], missing_ok=True) == [(JobRecord("nobody", {}), {})]


def test_a_job_is_the_same_in_both_protocols_of_redis(redis_server, keys):
    jobs = []
    for protocol in (2, 3):
        with connect(f"{redis_server.url}?protocol={protocol}", timeout_s=10) as client:
            job = NewJob(id="j", fields={"type": "t", "priority": "normal"}, data={"payload": '{"of": "Jürgen"}'})
            JobStore(client, keys).create(job, at_ms=START_MS)
            jobs.append(JobQueries(client, keys).get("j"))
    assert jobs[0] == jobs[1]
    assert jobs[0].payload == {"of": "Jürgen"}


def test_an_answer_that_comes_too_late_is_not_taken_for_that_of_the_next_job(tmp_path, keys):
    with EmbeddedRedis(tmp_path) as server, connect(server.url, timeout_s=0.5) as client:
        store, queries = JobStore(client, keys), JobQueries(client, keys)
        late, next_one = create_job(store), create_job(store)
        assert queries.get(late).id == late  # its connection is kept
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(RedisTimeoutError):
            queries.get(late)
        os.kill(server.pid, signal.SIGCONT)
        assert queries.get(next_one).id == next_one
        with pytest.raises(JobNotFoundError):
            queries.get("nobody")


def test_a_job_is_read_although_the_server_has_closed_all_connections_a_moment_ago(tmp_path, keys):
    with (
        EmbeddedRedis(tmp_path) as server,
        connect(server.url, timeout_s=10) as client,
        Redis.from_url(server.url) as by,
    ):
        job, queries = create_job(JobStore(client, keys)), JobQueries(client, keys)
        for _ in range(5):
            with ThreadPoolExecutor(4) as threads:  # a connection each
                assert {each.id for each in threads.map(queries.get, [job] * 20)} == {job}
            assert by.client_kill_filter(_type="normal", skipme=True)
            assert queries.get(job).id == job


def test_what_can_not_be_read_is_named(client, keys, queries):
    client.set(keys("data", "wrong"), "x")
    with pytest.raises(ResponseError, match="WRONGTYPE") as raised:
        queries.load(["wrong"], missing_ok=True)
    assert f"HGETALL {keys('data', 'wrong')}" in str(raised.value)
    assert queries.load(["nobody"], missing_ok=True) == [(JobRecord("nobody", {}), {})]


def test_a_job_shows_all_that_was_recorded_of_it(store, queries):
    store.create(
        NewJob(
            id="j",
            fields={
                "name": "n", "type": "t", "priority": "high", "task": "app.task", "queue": "q", "origin": "api",
                "request_id": "r", "tags": '["a", "b"]',
            },
            data={"payload": '{"document_id": "doc123"}', "args": "[1]"},
        ),
        at_ms=START_MS,
    )  # fmt: skip
    store.apply(Event.ENQUEUE, "j", at_ms=START_MS + 1)
    store.apply(Event.START, "j", fields={"worker": "w@h"}, at_ms=START_MS + 2)
    store.apply(
        Event.PROGRESS,
        "j",
        fields={"progress_done": "2.5", "progress_total": "10", "progress_message": "page 2"},
        at_ms=START_MS + 3,
    )
    store.apply(Event.CANCEL, "j", fields={"reason": "enough"}, at_ms=START_MS + 4)
    store.apply(Event.COMPLETE, "j", data={"result": "[null]"}, at_ms=START_MS + 5)
    job = queries.get("j").model_dump(exclude_none=True)
    assert job == {
        "id": "j", "name": "n", "job_type": "t", "status": "completed", "priority": "high", "tags": ["a", "b"],
        "progress": {"done": 2.5, "total": 10, "percent": 25, "note": "page 2"}, "created_at": from_ms(START_MS),
        "queued_at": from_ms(START_MS + 1), "due_at": from_ms(START_MS + 1),
        "started_at": from_ms(START_MS + 2), "finished_at": from_ms(START_MS + 5),
        "status_changed_at": from_ms(START_MS + 5), "cancel_requested_at": from_ms(START_MS + 4), "run": 1,
        "attempt": 0, "deliveries": 1, "redeliveries": 0, "double_runs": 0, "losses": 0, "wasted_s": 0,
        "task": "app.task", "task_id": "j", "queue": "q", "worker": "w@h",
        "origin": "api", "request_id": "r", "payload": {"document_id": "doc123"}, "args": [1], "result": [None],
        "large_values": {},
    }  # fmt: skip


def test_the_task_id_of_a_later_run_is_not_that_of_the_first(store, queries):
    job = create_in(store, Status.FAILED)
    assert queries.get(job).task_id == job
    store.apply(Event.RERUN, job)
    assert queries.get(job).task_id == f"{job}~2"


def test_a_job_that_was_never_sent_has_no_task_id(store, queries):
    assert queries.get(create_job(store)).task_id is None


def test_the_counts_are_by_status_priority_and_type(store, queries):
    for status, priority, job_type in [
        (Status.FAILED, "high", "a:b"),
        (Status.FAILED, "high", "a:b"),
        (Status.FAILED, "low", "a:b"),
        (Status.PENDING, "high", "c"),
    ]:
        create_in(store, status, priority=priority, type=job_type)
    assert sorted(queries.counts(), key=str) == [
        JobCount(status=Status.FAILED, priority=Priority.HIGH, job_type="a:b", count=2),
        JobCount(status=Status.FAILED, priority=Priority.LOW, job_type="a:b", count=1),
        JobCount(status=Status.PENDING, priority=Priority.HIGH, job_type="c", count=1),
    ]


def test_more_kinds_are_counted_than_one_call_counts(store, queries):
    store.create(*(new_job(f"job {n}", type=f"type {n % 120}") for n in range(240)))
    assert {(count.job_type, count.count) for count in queries.counts()} == {(f"type {n}", 2) for n in range(120)}


def test_the_jobs_that_came_to_a_status_before_a_time_come_oldest_first_and_in_batches(store, queries):
    jobs = [create_job(store) for _ in range(5)]
    for n, job in enumerate(jobs):
        bring_to(store, job, Status.COMPLETED, at_ms=START_MS + 10 - n)
    before = [queries.entered_before(Status.COMPLETED, START_MS + 10, offset, 2) for offset in (0, 2, 4)]
    assert before == [[jobs[4], jobs[3]], [jobs[2], jobs[1]], []]
    assert queries.entered_before(Status.FAILED, START_MS + 10, 0, 2) == []


def test_the_trash_gives_no_more_than_was_asked_for_and_none_twice(store, queries):
    parent, subs = create_parent(store, 5, sent=False)
    assert queries.trash(10) == []
    store.delete(parent)
    assert sorted(queries.trash(10)) == subs
    assert len(set(queries.trash(3))) == 3
