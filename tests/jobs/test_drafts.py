"""A large tree is recorded as a whole or not at all, whatever becomes of the process that records it."""

import os
import signal
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError
from support.recount import keys_of, names_of, recount
from support.sample_jobs import START_MS, move, new_job
from support.serving import eventually, job, parent, running_api, running_worker

from jobtracker.core.lifecycle import Outcome
from jobtracker.errors import NotRecordedError
from jobtracker.maintenance.outbox_relay import OutboxRelay
from jobtracker.schemas.requests import JobCreate
from jobtracker.store import drafts as store_module
from jobtracker.store.reader import JobQueries
from jobtracker.store.repartition import RepartitionError

pytestmark = pytest.mark.thorough

SOON = {"lease_lost_s": 2, "lease_renew_s": 0.4, "maintenance_interval_s": 0.3}


def tree(keys, subs=7):
    """A started tree in which a parent has a parent, each job after its sub-jobs."""
    ids = ["root"]
    while len(ids) < subs + 2:
        ids.append(keys.new_id(beside="root"))
    root, inner, *leaves = ids
    sent = {"run": 1, "queued": START_MS}
    jobs = [new_job(each, parent=inner if n < 4 else root) for n, each in enumerate(leaves)]
    jobs.insert(4, new_job(inner, parent=root, subs=leaves[:4], **sent))
    return [*jobs, new_job(root, subs=[inner, *leaves[4:]], **sent)], leaves


@pytest.fixture
def piecemeal(monkeypatch):
    """Each job is a part of its own, and a part attaches two sub-jobs."""
    monkeypatch.setattr(store_module, "_PLANTED", 1)
    monkeypatch.setattr(store_module, "_ATTACHED", 2)


def test_no_job_is_there_whose_parents_are_not(client, keys, store, queries, piecemeal, monkeypatch):
    jobs, leaves = tree(keys)
    call, seen = store._functions.call, []

    def look(*args):
        answer = call(*args)
        records = queries.records([each.id for each in jobs])
        there = {record.id for record in records if record.exists}
        assert {record.parent or "root" for record in records if record.exists} <= there | {"root"}
        assert recount(client, keys) == []
        assert {*queries.unsent(2**53, 100)} == there & {*leaves}
        seen.append(len(there))
        return answer

    monkeypatch.setattr(
        store._functions, "call_all", lambda client, verb, calls: [look(client, verb, *c) for c in calls]
    )
    store.bulk_create(jobs, at_ms=START_MS, started=True)
    assert seen == [0] * 11 + [1, 2, 2, *range(3, 10)]
    assert [name for name in names_of(client, keys) if name.startswith("draft")] == []


def test_a_draft_that_has_expired_is_not_recorded(client, keys, store, queries, piecemeal, monkeypatch):
    call_all = store._functions.call_all

    def slowly(client, verb, calls):
        call_all(client, verb, calls)
        eventually(lambda: not client.exists(keys.parts[0]("draft", "root")) or len(keys.parts) > 1)

    monkeypatch.setattr(store_module, "DRAFT_MS", 1)
    monkeypatch.setattr(store._functions, "call_all", slowly)
    jobs, _ = tree(keys)
    with pytest.raises(NotRecordedError, match="Nothing of it is there"):
        store.bulk_create(jobs, at_ms=START_MS, started=True)
    eventually(lambda: keys_of(client, keys) == [])


def test_any_number_of_processes_record_the_rest_once(client, keys, store, queries, piecemeal, monkeypatch):
    jobs, leaves = tree(keys, subs=60)
    monkeypatch.setattr(store._functions, "call_all", drafts_only(store._functions.call_all))
    store.bulk_create(jobs, at_ms=START_MS, started=True)
    assert queries.drafts(10) == ["root"]
    if len(keys.parts) == 1:
        with pytest.raises(RepartitionError, match="not recorded to the end"):
            move(client, keys, 2)
    others = [
        threading.Thread(target=lambda: [None for _ in iter(lambda: store.bulk_create_next("root"), 0)])
        for _ in "123"
    ]
    for each in others:
        each.start()
    for each in others:
        each.join()
    assert store.bulk_create_next("root") == 0
    assert {*queries.unsent(2**53, 100)} == {*leaves}
    assert [count.count for count in queries.counts()] == [62]
    assert (queries.drafts(10), recount(client, keys)) == ([], [])


def test_a_batch_whose_first_job_is_deleted_while_it_is_recorded_is_recorded_to_the_end(
    client, keys, store, queries, piecemeal, monkeypatch
):
    ids = ["first"]
    while len(ids) < 7:
        ids.append(keys.new_id(beside="first"))
    monkeypatch.setattr(store._functions, "call_all", drafts_only(store._functions.call_all))
    store.create_batch([new_job(each) for each in ids], at_ms=START_MS, started=False)
    assert store.delete("first") == [Outcome.APPLIED]
    for _ in iter(lambda: store.bulk_create_next("first"), 0):
        pass
    assert {record.id for record in queries.records(ids) if record.exists} == {*ids[1:]}
    assert (queries.drafts(10), recount(client, keys)) == ([], [])


def test_a_tree_that_is_deleted_while_it_is_recorded_leaves_nothing(
    client, keys, store, queries, piecemeal, monkeypatch
):
    jobs, _ = tree(keys)
    jobs = [replace(each, fields={**each.fields, "run": 0, "queued": 0}) for each in jobs]
    monkeypatch.setattr(store._functions, "call_all", drafts_only(store._functions.call_all))
    store.bulk_create(jobs, at_ms=START_MS, started=False)
    store.bulk_create_next("root")
    assert store.delete("root") == [Outcome.APPLIED]
    for _ in iter(lambda: store.bulk_create_next("root"), 0):
        pass
    while ids := queries.trash(100):
        store.delete(*ids, mode="trash")
    assert sum(count.count for count in queries.counts()) == 0
    assert (queries.drafts(10), recount(client, keys)) == ([], [])


def test_of_a_batch_that_is_taken_back_midway_nothing_is_recorded_later(own_project, piecemeal, monkeypatch):
    own_project.announce()
    store, keys, client = own_project.tracking.store, own_project.keys, own_project.client
    call_all, jobs = store._functions.call_all, [JobCreate(job_type="ok", payload={"value": n}) for n in range(60)]

    def fails_midway(client, verb, calls):
        if verb == "bulk_create":
            call_all(client, verb, calls[:20])
            raise RedisTimeoutError("it takes too long")
        call_all(client, verb, calls)

    with monkeypatch.context() as patch:
        patch.setattr(store._functions, "call_all", fails_midway)
        with pytest.raises(RedisTimeoutError):
            own_project.jobs.create_batch(jobs, start=True)
    assert OutboxRelay(own_project.tracking).record_drafts() == 0
    assert own_project.queries.counts() == []
    assert [name for name in names_of(client, keys) if name.startswith(("draft", "job:", "unconfirmed"))] == []
    assert recount(client, keys) == []


def drafts_only(call_all):
    """The process dies when it has decided."""
    return lambda client, verb, calls: call_all(client, verb, calls) if verb == "add_draft" else None


def killed_amid(api, path, jobs, condition):
    """POST a tree with so many sub-jobs, or a batch, started, and kill the API as soon as a condition holds."""
    jobs = [job(name=str(n)) for n in range(jobs)]
    body = {"jobs": jobs, "start": True} if path == BATCH else parent(*jobs, start=True)

    def post():
        with suppress(httpx.TransportError):
            api.http.post(path, json=body)

    posting = threading.Thread(target=post)
    posting.start()
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
    os.killpg(api.process.pid, signal.SIGKILL)
    posting.join()


def drafts_of(api):
    [part] = api.keys.parts
    return list(api.client.scan_iter(f"{part.prefix}draft:*", count=10_000))


def has_decided(api):
    [part] = api.keys.parts
    return api.client.exists(part("drafts"), part("kinds"))


@pytest.fixture
def shared(redis_server):
    """Settings of an API and its workers, in a namespace of their own."""
    return {
        "redis_url": redis_server.url,
        "redis_db": 6,  # of this file alone: what others have left at the broker would be run and recorded
        "tracking_namespace": f"drafts-{uuid.uuid4().hex[:8]}",
        **SOON,
    }


TREE, BATCH = "/api/jobs/with-subjobs", "/api/jobs/batch"


@pytest.mark.parametrize("path", [TREE, BATCH])
def test_what_a_killed_api_was_about_to_record_never_runs(path, shared, tmp_path, documents):
    for _ in range(10):  # on a busy machine the API may decide before it is killed
        with running_api(tmp_path, **shared) as api, running_worker(api, documents, **SOON):
            killed_amid(api, path, 5000, lambda api=api: drafts_of(api))
            is_undecided = not has_decided(api)
            if is_undecided:
                [draft] = drafts_of(api)
                assert 0 < api.client.pttl(draft) <= store_module.DRAFT_MS
                assert JobQueries(api.client, api.keys).counts() == []
                api.client.pexpire(draft, 1)
                time.sleep(2 * SOON["lease_lost_s"])  # what is lost would have been sent again by now
                names = names_of(api.client, api.keys)
                assert [name for name in names if name.startswith(("job:", "draft", "unnotified"))] == []
        if is_undecided:
            assert recount(api.client, api.keys) == []
            return
        api.client.flushdb()  # this file's own database
    pytest.fail("each API was killed too late")


def test_a_batch_that_a_killed_api_had_decided_to_record_runs(shared, tmp_path, documents):
    with running_api(tmp_path, **shared) as api, running_worker(api, documents, **SOON):
        killed_amid(api, BATCH, 600, lambda: has_decided(api))
        with running_api(tmp_path, **shared) as second:
            eventually(
                lambda: second.get("/api/jobs/", status="completed")["total"] == 600,
                lambda: (
                    f"{second.get('/api/tracking/stats')}, {second.get('/api/tracking/queue-depth')}, "
                    f"{[name for name in names_of(api.client, api.keys) if not name.startswith(('job:', 'data:'))]}"
                ),
            )
            pages = [second.get("/api/jobs/", page_size=300, page=n)["jobs"] for n in (1, 2)]
            assert [(each["run"], each["deliveries"]) for page in pages for each in page] == [(1, 1)] * 600
            [part] = api.keys.parts
            eventually(lambda: not api.client.exists(part("drafts"), part("unsent"), part("unconfirmed")))
    assert recount(api.client, api.keys) == []


def test_what_a_killed_api_had_decided_to_record_runs(shared, tmp_path, documents):
    with running_api(tmp_path, **shared) as api, running_worker(api, documents, **SOON):
        killed_amid(api, TREE, 300, lambda: has_decided(api))
        with running_api(tmp_path, **shared) as second:
            [root] = second.get("/api/jobs/", job_type="document_analysis")["jobs"]
            done = second.expect(root["id"], "completed")
            assert done["sub_job_counts"]["completed"] == 300
            assert {each["run"] for each in second.get("/api/jobs/", page_size=100)["jobs"]} == {1}
            [part] = api.keys.parts
            eventually(
                lambda: not api.client.exists(part("drafts"), part("unsent"), part("unconfirmed"), part("unnotified"))
            )
    assert recount(api.client, api.keys) == []
