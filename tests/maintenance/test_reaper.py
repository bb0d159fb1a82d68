"""The reaper: settled jobs leave when their time is over, and what nobody reports any more is settled."""

import contextlib
import logging
import threading
import time

import pytest
from celery.exceptions import ChordError
from redis.exceptions import ConnectionError as RedisConnectionError
from support.raw_records import stored
from support.recount import names_of, recount
from support.sample_jobs import a_worker, begin, create_in, create_job, create_parent, kept, new_job
from support.workers_under_test import eventually, job, new_project

from jobtracker import Status
from jobtracker.core.lifecycle import SETTLED, Event, Outcome
from jobtracker.instrumentation.current_job import CurrentJob
from jobtracker.jobs.results import stored_result
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.maintenance import runner as reaper_module
from jobtracker.maintenance.runner import Reaper
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.changes import NewJob
from jobtracker.store.functions import FencedError
from jobtracker.store.keys import LET_GO
from jobtracker.store.leases import Leases

pytestmark = pytest.mark.thorough

DAY_MS = 86_400_000


@pytest.fixture
def now_ms():
    return time.time_ns() // 1_000_000


@pytest.fixture
def reaper(own_project):
    return Reaper(own_project.tracking)


@pytest.fixture
def store(own_project):
    return own_project.tracking.store


def create_old_tree(store, name, settled_at_ms):
    """A parent with three sub-jobs, one of them a parent too, that all have completed at a time."""
    root, subs = create_parent(store, 3, name=name)
    inner, leaves = create_parent(store, 2, name=subs[0])
    for each in [*leaves, inner, *subs[1:], root]:
        change = store.apply(Event.COMPLETE, each, at_ms=settled_at_ms)
        if change.parent:
            store.settle(change.parent, each, change.run, Status.COMPLETED)
    return [root, *subs, *leaves]


def found(client):
    """How many keys the server has found that it was asked for."""
    return client.info("stats")["keyspace_hits"]


def left(project):
    return project.queries.page(JobFilter()).total


@pytest.mark.parametrize("status", sorted(SETTLED))
def test_a_job_leaves_when_its_time_is_over(own_project, store, reaper, now_ms, status):
    old = create_in(store, status, at_ms=now_ms - 7 * DAY_MS - 60_000)
    young = create_in(store, status, at_ms=now_ms - 7 * DAY_MS + 60_000)
    assert reaper.remove_expired() == 1
    assert (own_project.account(old).status, own_project.account(young).status) == ("missing", status)
    assert recount(own_project.client, own_project.keys) == []


@pytest.mark.parametrize("status", sorted(set(Status) - SETTLED))
def test_what_has_not_settled_stays_however_old_it_is(own_project, store, reaper, now_ms, status):
    create_in(store, status, at_ms=now_ms - 700 * DAY_MS)
    assert reaper.remove_expired() == 0
    assert left(own_project) == 1


def test_a_tree_leaves_whole_and_with_its_root(own_project, store, reaper, now_ms):
    old = create_old_tree(store, "old", now_ms - 8 * DAY_MS)
    young = create_old_tree(store, "young", now_ms - 6 * DAY_MS)
    reaper.remove_expired()
    assert {own_project.account(each).status for each in old} == {"missing"}
    assert {own_project.account(each).status for each in young} == {Status.COMPLETED}
    assert recount(own_project.client, own_project.keys) == []


def test_old_sub_jobs_of_a_parent_that_goes_on_stay_and_keep_nothing_else(own_project, store, reaper, now_ms):
    long_ago = now_ms - 30 * DAY_MS
    root, subs = create_parent(store, 3)
    for each in subs:
        change = store.apply(Event.COMPLETE, each, at_ms=long_ago)
        store.settle(root, each, change.run, Status.COMPLETED)
    alone = [create_in(store, Status.COMPLETED, at_ms=long_ago + n) for n in range(-2, 3)]
    reaper.remove_expired()
    assert {own_project.account(each).status for each in subs} == {Status.COMPLETED}
    assert {own_project.account(each).status for each in alone} == {"missing"}
    assert recount(own_project.client, own_project.keys) == []


def test_what_stays_keeps_nothing_else_that_settled_in_the_same_millisecond(own_project, store, reaper, now_ms):
    long_ago, parent = now_ms - 30 * DAY_MS, create_job(store)
    stays, goes = ([f"{n:03}-{what}" for n in range(150)] for what in ("stays", "goes"))
    for each, fields in [*((name, {"parent": parent}) for name in stays), *((name, {}) for name in goes)]:
        store.create(new_job(each, **fields), at_ms=long_ago)
        store.apply(Event.COMPLETE, each, at_ms=long_ago)
    assert reaper.remove_expired() == len(goes)
    assert {own_project.account(each).status for each in stays} == {Status.COMPLETED}
    assert recount(own_project.client, own_project.keys) == []


def test_jobs_of_any_status_priority_and_type_leave_in_one_round(own_project, store, reaper, now_ms):
    for n in range(60):
        for status in SETTLED:
            create_in(store, status, at_ms=now_ms - 8 * DAY_MS - n, type=f"type {n % 40}", priority="high")
    assert reaper.remove_expired() == 180
    assert recount(own_project.client, own_project.keys) == []
    assert left(own_project) == 0


def test_in_a_store_of_several_partitions_all_leave_too(redis_server, worker_log_dir, now_ms):
    with new_project(redis_server, worker_log_dir, tracking_partitions=3) as project:
        store = project.tracking.store
        for n in range(100):
            create_in(store, Status.COMPLETED, at_ms=now_ms - 8 * DAY_MS + n // 30)
        old = create_old_tree(store, "old", now_ms - 8 * DAY_MS)
        young = create_old_tree(store, "young", now_ms - 6 * DAY_MS)
        assert len({project.keys.of(each) for each in old}) == 3
        Reaper(project.tracking).remove_expired()
        assert {project.account(each).status for each in old} == {"missing"}
        assert {project.account(each).status for each in young} == {Status.COMPLETED}
        assert left(project) == len(young)
        assert recount(project.client, project.keys) == []


def test_more_jobs_than_a_batch_holds_leave_in_one_round(own_project, store, reaper, now_ms):
    for n in range(1200):
        create_in(store, Status.COMPLETED, at_ms=now_ms - 8 * DAY_MS + n)
    young = create_in(store, Status.COMPLETED, at_ms=now_ms)
    assert reaper.remove_expired() == 1200
    assert left(own_project) == 1
    assert own_project.account(young).status == Status.COMPLETED
    assert recount(own_project.client, own_project.keys) == []


def test_what_stays_with_its_parent_is_looked_at_once_and_goes_with_it(own_project, store, reaper, now_ms):
    root, subs = create_parent(store, 100)
    for each in subs:
        change = store.apply(Event.COMPLETE, each, at_ms=now_ms - 30 * DAY_MS)
        store.settle(root, each, change.run, Status.COMPLETED)
    assert reaper.remove_expired() == 0
    for n in range(3):
        create_in(store, Status.COMPLETED, at_ms=now_ms - 20 * DAY_MS + n)
        before = found(own_project.client)
        assert reaper.remove_expired() == 1
        assert found(own_project.client) - before < len(subs) / 2
    store.apply(Event.COMPLETE, root, at_ms=now_ms - 10 * DAY_MS)
    assert reaper.remove_expired() == 1
    assert left(own_project) == 0
    assert recount(own_project.client, own_project.keys) == []


def test_where_there_is_no_time_for_all_the_next_rounds_go_on(redis_server, worker_log_dir, now_ms):
    with new_project(redis_server, worker_log_dir, reap_interval_s=0.001) as project:
        reaper, store = Reaper(project.tracking), project.tracking.store
        for n in range(1500):
            create_in(store, Status.COMPLETED, at_ms=now_ms - 8 * DAY_MS + n // 700)
        removed = [reaper.remove_expired() for _ in range(90)]
        assert 0 < removed[0] < 1500
        assert sum(removed) == 1500


def test_what_has_become_free_to_go_since_goes_when_all_is_looked_at_anew(
    own_project, store, reaper, now_ms, monkeypatch
):
    parent = create_job(store)
    create_in(store, Status.COMPLETED, at_ms=now_ms - 30 * DAY_MS, parent=parent)
    assert reaper.remove_expired() == 0
    store.delete(parent, mode="undo")
    assert reaper.remove_expired() == 0
    monkeypatch.setattr(reaper_module, "_ANEW_S", 0)
    assert reaper.remove_expired() == 1


def test_nothing_but_time_series_and_kinds_is_left_of_jobs_that_have_left(own_project, store, reaper, now_ms):
    create_old_tree(store, "old", now_ms - 8 * DAY_MS)
    reaper.remove_expired()
    names = {name.partition(":")[0] for name in names_of(own_project.client, own_project.keys)}
    assert names <= {"flow", "settled", "kinds"}


def test_sub_jobs_that_a_dying_process_left_in_the_trash_are_removed(own_project, store, reaper):
    root = create_parent(store, 3, sent=False)[0]
    store.delete(root)  # and then the process died
    assert left(own_project) == 3
    reaper.step()
    assert left(own_project) == 0
    assert own_project.queries.trash(10) == []


def test_one_of_many_reapers_acts_at_a_time(own_project, store, now_ms):
    first, second = Reaper(own_project.tracking), Reaper(own_project.tracking)
    first.step()
    create_in(store, Status.COMPLETED, at_ms=now_ms - 8 * DAY_MS)
    second.step()
    assert left(own_project) == 1
    first.step()
    assert left(own_project) == 0


def fences(store, reaper):
    """What a reaper's writes bear, where it gets a turn."""
    turns = store.reap(reaper, lock_ms=60_000, mark_ms=60_000)
    return {part: turn.fence for part, turn in turns.items() if turn.fence}


def take_over(store):
    """Another reaper takes the lock, whose time is over."""
    store.client.delete(store.keys("reaper"))
    assert fences(store, "another")


def test_a_reaper_that_was_paused_does_not_carry_out_what_it_decided_before(own_project, store, reaper, now_ms):
    own_project.client.set(own_project.keys("watched"), now_ms - 60_000)
    jobs = [begin(store, "dead", now_ms - 60_000 + n) for n in range(2)]
    with paused_when_logging("jobtracker.jobs.lost_executions", reaper.step) as has_ended:  # the first one is settled
        take_over(store)
    assert has_ended()
    assert [own_project.job(each).status for each in jobs] == [Status.FAILED, Status.RUNNING]
    assert recount(own_project.client, own_project.keys) == []


@contextlib.contextmanager
def paused_when_logging(name, step):
    """A step in a thread, which stands still from its first log message on; it must end without an error."""
    reached, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    class Pause(logging.Handler):
        def emit(self, _):
            reached.set()
            assert go_on.wait(30)

    def run():
        step()
        ended.set()

    pause, thread = Pause(logging.WARNING), threading.Thread(target=run)
    logging.getLogger(name).addHandler(pause)
    try:
        thread.start()
        assert reached.wait(30)
        yield ended.is_set
        go_on.set()
        thread.join(30)
    finally:
        go_on.set()
        logging.getLogger(name).removeHandler(pause)


def test_every_write_is_refused_and_changes_nothing_when_the_turn_is_over(own_project, store):
    job_id = create_in(store, Status.RUNNING)
    fenced = own_project.tracking.fenced(fences(store, "first"))
    assert fenced.store.edit(job_id, fields={"name": "new"}) is Outcome.APPLIED
    take_over(store)
    assert fences(store, "first") == {}
    before = stored(own_project.client, own_project.keys, job_id)
    for write in (
        lambda: fenced.store.create(NewJob(id="new", fields={"type": "custom", "priority": "normal"})),
        lambda: fenced.store.apply(Event.LOSE, job_id),
        lambda: fenced.store.apply_many(Event.LOSE, {job_id: {}}),
        lambda: fenced.store.settle(job_id, "sub", 1, Status.FAILED),
        lambda: fenced.store.edit(job_id, fields={"name": "newer"}),
        lambda: fenced.store.delete(job_id, mode="trash"),
        lambda: fenced.store.log(job_id, [(1, "info", "hello")]),
        lambda: fenced.propagation.cancellation.cancel_trees([job_id], reason="late"),
        lambda: fenced.jobs.cancel(job_id),
    ):
        own_project.client.function_flush()  # nor may it pass where the verbs have to be loaded first
        with pytest.raises(FencedError):
            write()
    assert stored(own_project.client, own_project.keys, job_id) == before
    assert left(own_project) == 1


def test_a_reaper_whose_turn_comes_again_is_not_in_the_one_before(store):
    turns = []
    for _ in range(2):
        turns.append(fences(store, "first"))
        store.client.delete(store.keys("reaper"))
    assert [list(turn.values()) for turn in turns] == [["1:first"], ["2:first"]]
    assert fences(store, "first")
    with pytest.raises(FencedError):
        store.fenced(turns[1]).delete("x")


def test_workers_that_are_long_gone_are_forgotten(own_project, leases, reaper, now_ms):
    gone = own_project.keys("leases")
    own_project.client.zadd(gone, {"long gone": now_ms - 3_700_000, "just gone": now_ms - 3_500_000})
    reaper.step()
    assert own_project.client.zrange(gone, 0, -1) == ["just gone"]


def test_a_worker_removes_what_is_old(redis_server, worker_log_dir):
    settings = {"reap_interval_s": 0.1, "job_retention_days": 0.5 / 86_400}
    with new_project(redis_server, worker_log_dir, **settings) as project, project.worker():
        root = project.launch("collect", sub_jobs=[job("ok"), job("ok")])
        everything = list(project.queries.families(root))
        eventually(lambda: all(project.account(each).status == "missing" for each in everything))
        assert [project.did(each) for each in everything] == [["began", "returned"]] * 3


# -- lost workers ---------------------------------------------------------------------------------------------------


@pytest.fixture
def leases(own_project):
    return Leases(own_project.client, own_project.keys, lost_s=20)


def test_only_jobs_of_workers_without_a_lease_are_lost(own_project, store, reaper, leases, now_ms):
    leases.renew(a_worker("alive"))
    lost = begin(store, "dead", now_ms - 60_000)
    held = begin(store, "alive", now_ms - 60_000)
    just_begun = begin(store, "dead too", now_ms)
    assert reaper.settle_lost() == 1
    assert [own_project.account(each).status for each in (lost, held, just_begun)] == ["failed", "running", "running"]


def test_a_worker_whose_clock_is_behind_is_not_lost(own_project, store, reaper, leases, now_ms):
    leases.renew(a_worker("alive"))
    own_project.client.zadd(own_project.keys("leases"), {"alive": now_ms - 60_000})
    held = begin(store, "alive", now_ms - 60_000)
    assert reaper.settle_lost() == 0
    assert own_project.job(held).status is Status.RUNNING


def test_a_lost_job_whose_message_comes_back_waits_for_it(own_project, store, reaper, now_ms):
    lost = begin(store, "dead", now_ms - 60_000, acks_late="1")
    assert reaper.settle_lost() == 1
    assert own_project.job(lost).reason == "w@test was lost; the broker will deliver the message again"
    assert own_project.job(lost).status is Status.PENDING


def test_what_a_stopped_worker_left_is_settled_and_what_others_run_is_not(own_project, store, reaper, now_ms):
    late = begin(store, "stopped", now_ms, acks_late="1")
    early = begin(store, "stopped", now_ms)
    others = begin(store, "another", now_ms, acks_late="1")
    assert reaper.settle_stopped("stopped") == 2
    assert own_project.job(late).reason == "w@test has shut down; the broker will deliver the message again"
    assert own_project.job(early).error.type == "WorkerShutdown"
    assert [own_project.job(each).status for each in (late, early, others)] == ["pending", "failed", "running"]


def test_a_job_that_another_worker_has_taken_on_is_not_settled_for_the_first_one(own_project, store, now_ms):
    job_id = begin(store, "first", now_ms, acks_late="1")
    store.apply(Event.START, job_id, run=1, attempt=0, fields={"lease": "second"})
    assert store.apply(Event.REQUEUE, job_id, run=1, lease="first").outcome is Outcome.STALE
    assert own_project.job(job_id).status is Status.RUNNING
    assert store.apply(Event.REQUEUE, job_id, run=1, lease="second").applied


def test_a_worker_that_was_only_silent_corrects_the_presumption(own_project, store, reaper, now_ms):
    lost = begin(store, "dead", now_ms - 60_000)
    reaper.settle_lost()
    assert own_project.job(lost).status is Status.FAILED
    store.apply(Event.COMPLETE, lost, run=1, attempt=0)
    assert (own_project.job(lost).status, own_project.job(lost).error) == (Status.COMPLETED, None)
    assert recount(own_project.client, own_project.keys) == []


@pytest.mark.parametrize("sign", ["a start", "progress"])
def test_a_parent_is_open_again_as_soon_as_its_lost_sub_job_turns_out_to_run(own_project, store, sign):
    root, (inner,) = create_parent(store, 1)
    inner, (sub,) = create_parent(store, 1, name=inner)
    follow = own_project.tracking.propagation.propagate
    store.apply(Event.START, sub, run=1)
    follow(sub, store.apply(Event.LOSE, sub, run=1, fields={"reason": "its worker was lost"}))
    assert [own_project.job(each).status for each in (root, inner)] == [Status.FAILED, Status.FAILED]
    if sign == "progress":
        CurrentJob(own_project.tracking, None, sub, 1, 0).progress(1, 2)
    else:
        follow(sub, store.apply(Event.START, sub, run=1))
    jobs = [own_project.job(each) for each in (root, inner)]
    assert [(each.status, each.reason, each.error) for each in jobs] == [(Status.RUNNING, None, None)] * 2
    follow(sub, store.apply(Event.COMPLETE, sub, run=1))
    assert own_project.job(inner).sub_job_counts.completed == 1
    assert recount(own_project.client, own_project.keys) == []


def test_a_lost_sub_job_fails_its_parent(own_project, store, reaper, now_ms):
    root, (sub,) = create_parent(store, 1)
    store.apply(Event.START, sub, at_ms=now_ms - 60_000, fields={"lease": "dead", "worker": "w@test"})
    reaper.settle_lost()
    assert own_project.job(root).status is Status.FAILED
    assert "w@test was lost" in own_project.job(root).error.message


def test_more_lost_jobs_than_a_batch_holds_are_all_settled(own_project, store, reaper, leases, now_ms):
    leases.renew(a_worker("alive"))
    for n in range(600):
        begin(store, "dead" if n % 2 else "alive", now_ms - 60_000 + n)
    assert reaper.settle_lost() == 300
    assert reaper.settle_lost() == 0
    assert recount(own_project.client, own_project.keys) == []


def test_a_round_looks_at_some_running_jobs_unless_a_worker_has_gone(
    own_project, store, reaper, leases, now_ms, monkeypatch
):
    for name in ("_LOOKED_AT", "_BATCH"):
        monkeypatch.setattr(reaper_module, name, 50)
    leases.renew(a_worker("alive"))
    for n in range(200):
        begin(store, "alive", now_ms - 60_000 + n // 30)
    assert reaper.settle_lost() == 0
    reaper._lost_some_at = float("-inf")  # long ago
    begin(store, LET_GO, now_ms - 30_000)
    assert [reaper.settle_lost() for _ in range(6)] == [0, 0, 0, 0, 1, 0]
    leases.release("alive")
    assert reaper.settle_lost() == 200
    assert recount(own_project.client, own_project.keys) == []


def test_no_worker_is_lost_before_the_store_has_been_there_for_as_long_as_a_lease(own_project, store, reaper, now_ms):
    lost = begin(store, "was it away?", now_ms - 60_000)
    reaper.step()
    Reaper(own_project.tracking).step()
    assert own_project.job(lost).status is Status.RUNNING
    own_project.client.set(own_project.keys("watched"), now_ms - 21_000, xx=True, keepttl=True)
    reaper.step()
    assert own_project.job(lost).status is Status.FAILED


def test_a_reaper_that_found_the_store_away_gives_the_workers_time(tmp_path, worker_log_dir, now_ms):
    with (
        EmbeddedRedis(tmp_path) as server,
        new_project(server, worker_log_dir, lease_lost_s=0.3, lease_renew_s=0.1, reap_interval_s=60) as project,
    ):
        reaper = Reaper(project.tracking)
        project.client.set(project.keys("watched"), now_ms - 60_000)
        lost = begin(project.tracking.store, "alive", now_ms - 60_000)
        server.stop()
        with pytest.raises(RedisConnectionError):
            reaper.step()
        failed_at = time.monotonic()
        server.start()
        while time.monotonic() < failed_at + 0.2:
            reaper.step()
            assert project.job(lost).status is Status.RUNNING
        eventually(lambda: reaper.step() or project.job(lost).status is Status.FAILED)


# -- what Celery's result backend knows -----------------------------------------------------------------------------


@pytest.mark.parametrize("lease", ["dead", "alive"])
def test_a_job_whose_last_report_was_lost_ends_as_celery_says(own_project, store, reaper, leases, now_ms, lease):
    leases.renew(a_worker("alive"))
    own_project.announce()
    own_project.app.tasks.unregister("ok")  # as where an API process asks, which has no tasks
    done = kept(own_project, begin(store, lease, now_ms - 60_000, task="ok"), [7], "SUCCESS")
    private = kept(own_project, begin(store, lease, now_ms - 60_000, task="secret"), "xyzzy", "SUCCESS")
    broken = kept(
        own_project, begin(store, lease, now_ms - 60_000), ValueError("no ink"), "FAILURE", traceback="in 1"
    )
    goes_on = kept(own_project, begin(store, "alive", now_ms - 60_000), None, "STARTED")
    just_begun = kept(own_project, begin(store, lease, now_ms), None, "SUCCESS")
    reaper.settle_lost() if lease == "dead" else reaper.settle_finished()
    assert (own_project.job(done).status, own_project.job(done).result) == (Status.COMPLETED, [7])
    assert (own_project.job(private).status, own_project.job(private).result) == (Status.COMPLETED, None)
    job = own_project.job(broken)
    assert (job.status, job.reason) == (Status.FAILED, "ValueError: no ink")
    assert (job.error.type, job.error.message, job.error.traceback) == ("ValueError", "no ink", "in 1")
    assert {own_project.job(each).status for each in (goes_on, just_begun)} == {Status.RUNNING}
    assert recount(own_project.client, own_project.keys) == []


def test_of_a_revoked_job_celery_is_believed_only_where_its_worker_is_gone(
    own_project, store, reaper, leases, now_ms
):
    leases.renew(a_worker("alive"))
    lost, goes_on = (
        kept(own_project, begin(store, lease, now_ms - 60_000), None, "REVOKED") for lease in ("dead", "alive")
    )
    reaper.settle_lost()
    reaper.settle_finished()
    assert [own_project.job(each).status for each in (lost, goes_on)] == [Status.CANCELLED, Status.RUNNING]


def test_of_a_job_that_its_worker_has_let_go_celery_knows_how_it_ended(own_project, store, reaper, now_ms):
    own_project.announce()
    told = {"task": "ok", "reason": "Celery could not store how it ended: OSError"}
    done = kept(own_project, begin(store, LET_GO, now_ms - 60_000, **told), 7, "SUCCESS")
    unknown = begin(store, LET_GO, now_ms - 60_000, **told)
    acknowledged = begin(store, LET_GO, now_ms - 60_000, acks_late="1", **told)
    begun_parent(own_project, now_ms)  # which no worker has
    reaper.settle_lost()
    assert (own_project.job(done).status, own_project.job(done).result) == (Status.COMPLETED, 7)
    let_go = "w@test let it go (Celery could not store how it ended: OSError)"
    assert (own_project.job(unknown).status, own_project.job(unknown).reason) == (
        Status.FAILED,
        f"{let_go} while it ran the task",
    )
    assert own_project.job(acknowledged).reason == f"{let_go} while it ran the task"


@pytest.mark.parametrize("status", [Status.PENDING, Status.RETRYING])
def test_a_job_that_ran_without_anybody_saying_so_ends_as_celery_says(own_project, store, reaper, now_ms, status):
    done = kept(own_project, create_in(store, status, at_ms=now_ms - 60_000), None, "SUCCESS")
    waits = create_in(store, status, at_ms=now_ms - 60_000)
    unsent = create_in(store, Status.PENDING, sent=False, at_ms=now_ms - 60_000)
    assert reaper.settle_finished() == 1
    assert own_project.job(done).status is Status.COMPLETED
    assert [own_project.job(each).status for each in (waits, unsent)] == [status, Status.PENDING]


def test_rounds_take_turns_with_many_overdue_jobs(own_project, store, reaper, now_ms):
    for n in range(250):
        create_in(store, Status.PENDING, at_ms=now_ms - 60_000 + n)
    last = kept(own_project, create_in(store, Status.PENDING, at_ms=now_ms - 50_000), None, "SUCCESS")
    assert [reaper.settle_finished() for _ in range(3)] == [0, 0, 1]
    assert own_project.job(last).status is Status.COMPLETED


def test_a_sub_job_that_celery_knows_to_have_failed_fails_its_parent(own_project, store, reaper, now_ms):
    root, (sub,) = create_parent(store, 1)
    store.apply(Event.START, sub, at_ms=now_ms - 60_000, fields={"lease": "dead", "worker": "w@test"})
    kept(own_project, sub, ValueError("no ink"), "FAILURE")
    kept(own_project, root, ValueError("ChordError"), "FAILURE")
    reaper.settle_finished()
    assert own_project.job(root).status is Status.FAILED
    assert "no ink" in own_project.job(root).error.message


def test_that_celery_gave_up_a_chord_says_nothing_of_the_parents_task_that_we_have_called(
    own_project, store, reaper, leases, now_ms
):
    leases.renew(a_worker("alive"))
    root, (sub,) = create_parent(store, 1, policy="continue", body="called")
    store.apply(Event.FAIL, sub, at_ms=now_ms - 60_000)
    store.apply(Event.START, root, at_ms=now_ms - 60_000, fields={"lease": "alive", "worker": "w@test"})
    kept(own_project, root, ChordError("Dependency raised"), "FAILURE")
    reaper.settle_finished()
    assert own_project.job(root).status is Status.RUNNING


def test_an_error_may_tell_what_is_masked_and_is_left_with_celery(own_project, store, reaper, now_ms):
    broken = begin(store, "dead", now_ms - 60_000, masked='["card"]')
    kept(own_project, broken, ValueError("the card 1234 is refused"), "FAILURE", traceback="card = 1234")
    reaper.settle_lost()
    assert (own_project.job(broken).error.type, own_project.job(broken).reason) == ("ValueError", "ValueError")
    assert "1234" not in own_project.job(broken).model_dump_json()


# -- what a process that died has left undone -----------------------------------------------------------------------


def begun_parent(project, now_ms, **fields):
    """A parent whose sub-job has begun long ago."""
    project.announce()
    root = project.create("collect", sub_jobs=[job("ok")], **fields)
    (sub,) = project.subs(root)
    for each in (root, sub):
        project.tracking.store.apply(Event.ENQUEUE, each, at_ms=now_ms - 60_000)
    project.tracking.store.apply(Event.SUB_START, root, at_ms=now_ms - 60_000)
    return root, sub


def test_a_parent_that_nobody_told_of_its_sub_job_is_told(own_project, store, reaper, now_ms):
    root, sub = begun_parent(own_project, now_ms)
    store.apply(Event.FAIL, sub, fields={"reason": "no ink"}, at_ms=now_ms - 60_000)  # and then the process died
    assert reaper.tell_waiting() == 1
    assert own_project.job(root).status is Status.FAILED
    assert "no ink" in own_project.job(root).error.message
    assert reaper.tell_waiting() == 0


def test_a_parent_that_waits_for_a_parent_is_told_of_it(own_project, store, reaper, now_ms):
    root, (inner,) = create_parent(store, 1)
    inner, (sub,) = create_parent(store, 1, name=inner)
    long_ago_ms = now_ms - 60_000
    change = store.apply(Event.CANCEL, sub, at_ms=long_ago_ms)
    assert store.settle(inner, sub, change.run, Status.CANCELLED, at_ms=long_ago_ms).verdict == "settled"
    assert reaper.tell_waiting() == 1  # of the parent: whoever was about to do so has died
    assert [own_project.job(each).status for each in (inner, root)] == [Status.FAILED, Status.FAILED]


def test_the_next_of_a_chain_is_told_that_the_job_before_it_has_failed(own_project, store, reaper, now_ms):
    before, following, last = (f"chain.{n}" for n in range(3))
    create_job(store, before, at_ms=now_ms - 60_000, run=1, queued=now_ms - 60_000, next=following)
    for each, sender, then in ((following, before, {"next": last}), (last, following, {})):
        create_job(store, each, at_ms=now_ms - 60_000, run=1, sent_by=sender, **then)
    store.apply(Event.FAIL, before, at_ms=now_ms - 60_000)  # and then the process died
    assert reaper.tell_waiting() == 1
    assert [own_project.job(each).status for each in (following, last)] == [Status.CANCELLED] * 2
    assert reaper.tell_waiting() == 0


def test_a_parent_is_open_again_where_nobody_told_it_that_its_lost_sub_job_runs(own_project, store, reaper, now_ms):
    root, sub = begun_parent(own_project, now_ms)
    start = {"run": 1, "attempt": 0, "at_ms": now_ms - 60_000}
    store.apply(Event.START, sub, **start)
    own_project.tracking.propagation.propagate(sub, store.apply(Event.LOSE, sub, run=1))
    assert own_project.job(root).status is Status.FAILED
    store.apply(Event.START, sub, **start)  # and then the process died
    assert reaper.tell_waiting() == 1
    assert own_project.job(root).status is Status.RUNNING


def test_a_parent_whose_task_nobody_called_is_called(own_project, store, reaper, now_ms):
    root, sub = begun_parent(own_project, now_ms, failure_policy="continue")
    change = store.apply(Event.FAIL, sub)
    assert store.settle(root, sub, change.run, Status.FAILED).verdict == "due"  # and then the process died
    own_project.client.zadd(own_project.keys("unconfirmed"), {root: now_ms - 60_000})
    assert [reaper.send_unconfirmed() for _ in range(3)] == [1, 0, 0]
    with own_project.worker():
        assert own_project.expect(root, Status.COMPLETED, "SUCCESS", ["began", "returned"]).result == [None]


def test_a_parent_that_waits_for_a_sub_job_is_left_alone(own_project, reaper, now_ms):
    root, _ = begun_parent(own_project, now_ms)
    assert reaper.tell_waiting() == 0
    assert own_project.job(root).status is Status.RUNNING


def test_a_settled_parent_is_told_too_for_else_it_could_never_be_removed(own_project, store, reaper, now_ms):
    root, (sub,) = create_parent(store, 1)
    for each in (sub, root):
        store.apply(Event.CANCEL, each, at_ms=now_ms - 8 * DAY_MS)  # and then the process died
    assert reaper.remove_expired() == 0
    assert reaper.tell_waiting() == 1
    assert Reaper(own_project.tracking).remove_expired() == 2  # as each does when it begins anew
    assert left(own_project) == 0


def test_a_result_that_json_can_not_carry_is_left_to_celerys_backend(own_project):
    task = own_project.app.tasks["ok"]
    assert stored_result(task, object(), 100) == {}
    assert stored_result(task, "x", 3) == {"result": '"x"'}
    assert stored_result(task, "xx", 3) == {"result_omitted": "4"}
