"""What changes a job says so to those who watch, and to nobody else."""

import json
import threading

import pytest
from support.recount import keys_of, recount
from support.sample_jobs import create_job, new_job

from jobtracker.core.lifecycle import Event, Status
from jobtracker.store.changes import NewJob
from jobtracker.store.hints import WATCH_MS


@pytest.fixture
def heard(store, queries, keys):
    """Reads the hints that are new since it was last called, as (what, id, status)."""
    positions = store.watch(keys.parts)

    def read(whole=False):
        found = []
        for part in keys.parts:
            for position, hints, _ in queries.next_hints({part: positions[part]}, block_ms=1, most=1000).values():
                positions[part] = position
                found += hints
        return found if whole else [(hint.what, hint.id, hint.status) for hint in found]

    return read


def bulk(store, count, root):
    fields = {"name": "n", "type": "leaf", "priority": "normal", "parent": root}
    leaves = [NewJob(id=store.keys.new_id(root), fields=fields) for _ in range(count)]
    subs = {n: leaf.id for n, leaf in enumerate(leaves)}
    top = NewJob(id=root, fields={"name": "top", "type": "top", "priority": "normal"}, subs=subs)
    store.bulk_create([*leaves, top], at_ms=1000, started=False)


def test_nothing_is_written_while_nobody_watches(client, keys, store):
    job = create_job(store)
    store.apply(Event.START, job)
    store.append_log(job, [(1, "info", "hello")])
    store.apply(Event.COMPLETE, job)
    store.delete(job)
    assert not [key for key in keys_of(client, keys) if key.endswith((":hints", ":watching"))]


def test_each_command_says_what_changed(store, heard):
    create_job(store, "j")
    assert heard() == [("created", "j", "pending")]
    store.apply(Event.ENQUEUE, "j")
    assert heard() == [("changed", "j", "pending")]
    store.apply(Event.START, "j")
    assert heard() == [("status", "j", "running")]
    progress = {"progress_done": 1, "progress_total": 2, "progress_message": "half"}
    store.apply(Event.PROGRESS, "j", fields=progress)
    store.apply(Event.PROGRESS, "j", fields=progress)
    assert heard() == [("progress", "j", "running")]
    store.append_log("j", [(1, "info", "hello"), (2, "info", "again")])
    assert heard() == [("log", "j", "running")]
    store.update("j", fields={"tags": '["a"]'})
    store.update("j", data={"payload": "{}"})
    assert heard() == [("changed", "j", "running")] * 2
    store.apply(Event.COMPLETE, "j", data={"result": "1"})
    [hint] = heard(whole=True)
    assert (hint.what, hint.before, hint.status, hint.job_type) == ("status", "running", "completed", "custom")
    store.apply(Event.COMPLETE, "j")
    store.apply(Event.COMPLETE, "nothing")
    assert heard() == []
    store.delete("j")
    assert heard() == [("deleted", "j", "completed")]


def test_a_parent_that_is_told_of_its_sub_job_has_a_hint_of_its_own(store, heard):
    store.create(new_job("p", subs=["s"]), new_job("s", parent="p"))
    heard()
    store.apply(Event.START, "s")
    store.apply(Event.FAIL, "s")
    assert {(hint.id, hint.parent) for hint in heard(whole=True)} == {("s", "p")}
    store.notify_parent("p", "s", 1, Status.FAILED)
    assert ("status", "p", "failed") in heard()


def test_a_report_that_tells_its_parent_in_the_same_call_says_both(store, heard):
    sub = store.keys.new_id(beside="p")
    store.create(new_job("p", subs=[sub]), new_job(sub, parent="p"))
    store.report(store.call_of(Event.START, sub))
    heard()
    store.report(store.call_of(Event.FAIL, sub))
    assert heard() == [("status", sub, "failed"), ("status", "p", "failed")]


def test_a_late_start_that_counts_for_nothing_changes_the_history_and_says_so(store, heard):
    create_job(store, "j")
    store.apply(Event.ENQUEUE, "j")
    store.apply(Event.CANCEL, "j")
    store.apply(Event.CANCELLED, "j")
    heard()
    store.apply(Event.START, "j", run=1, attempt=0, execution="1000-w-1")
    assert heard() == [("changed", "j", "cancelled")]


def test_a_large_tree_says_how_many_jobs_it_has_and_not_which(store, heard):
    bulk(store, 500, "root")
    hints = heard(whole=True)
    assert {hint.root for hint in hints} == {"root"}
    assert sum(hint.jobs for hint in hints) == 501
    assert {hint.id for hint in hints} == {""}


def test_what_is_pruned_and_claimed_is_named(store, keys, heard):
    jobs = [create_job(store) for _ in range(50)]
    unsent = create_job(store)
    store.apply_many(Event.START, {job: {} for job in jobs})
    store.apply_many(Event.COMPLETE, {job: {} for job in jobs})
    store.client.zadd(keys.of(unsent)("unsent"), {unsent: 1})
    heard()
    assert store.claim([unsent]) == [unsent]
    assert heard() == [("changed", unsent, "pending")]
    store.delete(*jobs, mode="expire", finished_before_ms=2**52)
    assert sorted(heard()) == sorted(("deleted", job, "completed") for job in jobs)


def test_hints_end_with_those_who_watch_and_a_later_reader_knows_that_some_are_missing(client, store, queries, keys):
    store.watch(keys.parts, lifetime_ms=60_000)
    job = create_job(store, "j")
    part = keys.of(job)
    position = store.watch(keys.parts)[part]
    assert queries.is_position(part, position)
    assert 0 < client.pttl(part("hints")) <= WATCH_MS < client.pttl(part("watching"))
    client.unlink(part("hints"))  # as if it had expired
    store.apply(Event.START, job)
    assert not client.exists(part("hints"))
    anew = store.watch(keys.parts)[part]
    assert not queries.is_position(part, position)
    assert queries.is_position(part, anew)
    assert queries.hints_between(part, position, anew, 100) is None
    client.unlink(part("watching"))
    store.apply(Event.COMPLETE, job)
    assert store.watch(keys.parts)[part] != anew
    assert not queries.is_position(part, anew)
    assert recount(client, keys) == []


@pytest.mark.thorough
def test_what_was_trimmed_is_known_to_be_missing(store, queries, keys):
    create_job(store, "j")
    part = keys.of("j")
    began = store.watch(keys.parts)[part]
    for _ in range(11_000 // 500):
        for n in range(500):
            store.client.xadd(part("hints"), {"hints": json.dumps([{"what": "log", "id": "j", "n": n}])})
    store.update("j", fields={"name": "other"})
    assert store.client.xlen(part("hints")) < 10_500
    assert queries.hints_between(part, began, store.watch(keys.parts)[part], 20_000) is None


def test_no_hint_is_lost_or_doubled_while_many_write(store, queries, keys):
    positions = store.watch(keys.parts)
    jobs = [[f"{writer}-{n}" for n in range(100)] for writer in range(4)]
    threads = [threading.Thread(target=lambda own=own: [create_job(store, each) for each in own]) for own in jobs]
    for thread in threads:
        thread.start()
    found, more = [], []
    while more or any(thread.is_alive() for thread in threads) or len(found) < 400:
        ended = not any(thread.is_alive() for thread in threads)
        more = []
        for part in keys.parts:
            for position, hints, _ in queries.next_hints({part: positions[part]}, block_ms=20, most=50).values():
                positions[part] = position
                more += [hint.id for hint in hints]
        found += more
        assert more or not ended or len(found) == 400
    assert sorted(found) == sorted(each for own in jobs for each in own)
