"""One process at a time leads maintenance, and only its writes are accepted."""

import contextlib
import logging
import threading
import time

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from support.maintenance import DAY_MS, left
from support.raw_records import stored
from support.recount import recount
from support.sample_jobs import begin, create_in
from support.workers_under_test import eventually, new_project

from jobtracker import Status
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.local.embedded_redis import EmbeddedRedis
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.store.changes import NewJob
from jobtracker.store.functions import FencedError

pytestmark = pytest.mark.thorough


def test_one_of_many_runners_acts_at_a_time(own_project, store, now_ms):
    first, second = MaintenanceRunner(own_project.tracking), MaintenanceRunner(own_project.tracking)
    first.step()
    create_in(store, Status.COMPLETED, at_ms=now_ms - 8 * DAY_MS)
    second.step()
    assert left(own_project) == 1
    first.step()
    assert left(own_project) == 0


def fences(store, runner):
    """What a runner's writes bear, where it gets a turn."""
    turns = store.acquire_leadership(runner, lock_ms=60_000, mark_ms=60_000)
    return {part: turn.fence for part, turn in turns.items() if turn.fence}


def take_over(store):
    """Another runner takes the lock, whose time is over."""
    store.client.delete(store.keys("leader"))
    assert fences(store, "another")


def test_a_leader_that_was_paused_does_not_act_on_old_decisions(own_project, store, runner, now_ms):
    own_project.client.set(own_project.keys("watched"), now_ms - 60_000)
    jobs = [begin(store, "dead", now_ms - 60_000 + n) for n in range(2)]
    with paused_when_logging("jobtracker.jobs.lost_executions", runner.step) as has_ended:  # the first one is settled
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


def test_every_write_is_rejected_and_changes_nothing_after_the_term(own_project, store):
    job_id = create_in(store, Status.RUNNING)
    fenced = own_project.tracking.fenced(fences(store, "first"))
    assert fenced.store.update(job_id, fields={"name": "new"}) is Outcome.APPLIED
    take_over(store)
    assert fences(store, "first") == {}
    before = stored(own_project.client, own_project.keys, job_id)
    for write in (
        lambda: fenced.store.create(NewJob(id="new", fields={"type": "custom", "priority": "normal"})),
        lambda: fenced.store.apply(Event.LOSE, job_id),
        lambda: fenced.store.apply_many(Event.LOSE, {job_id: {}}),
        lambda: fenced.store.notify_parent(job_id, "sub", 1, Status.FAILED),
        lambda: fenced.store.update(job_id, fields={"name": "newer"}),
        lambda: fenced.store.delete(job_id, mode="trash"),
        lambda: fenced.store.append_log(job_id, [(1, "info", "hello")]),
        lambda: fenced.store.fold_totals(own_project.keys.parts[0], all_of_them=True),
        lambda: fenced.store.name_types(own_project.keys.parts[0], [], ["custom"]),
        lambda: fenced.propagation.cancellation.cancel_trees([job_id], reason="late"),
        lambda: fenced.jobs.cancel(job_id),
    ):
        own_project.client.function_flush()  # nor may it pass where the verbs have to be loaded first
        with pytest.raises(FencedError):
            write()
    assert stored(own_project.client, own_project.keys, job_id) == before
    assert left(own_project) == 1


def test_a_leader_of_a_later_term_is_not_in_an_earlier_one(store):
    turns = []
    for _ in range(2):
        turns.append(fences(store, "first"))
        store.client.delete(store.keys("leader"))
    assert [list(turn.values()) for turn in turns] == [["1:first"], ["2:first"]]
    assert fences(store, "first")
    with pytest.raises(FencedError):
        store.fenced(turns[1]).delete("x")


def test_workers_that_are_long_gone_are_forgotten(own_project, leases, runner, now_ms):
    gone = own_project.keys("leases")
    own_project.client.zadd(gone, {"long gone": now_ms - 3_700_000, "just gone": now_ms - 3_500_000})
    runner.step()
    assert own_project.client.zrange(gone, 0, -1) == ["just gone"]


def test_no_worker_is_lost_before_the_store_is_up_for_a_lease(own_project, store, runner, now_ms):
    lost = begin(store, "was it away?", now_ms - 60_000)
    runner.step()
    MaintenanceRunner(own_project.tracking).step()
    assert own_project.job(lost).status is Status.RUNNING
    own_project.client.set(own_project.keys("watched"), now_ms - 21_000, xx=True, keepttl=True)
    runner.step()
    assert own_project.job(lost).status is Status.FAILED


def test_a_leader_that_found_the_store_away_gives_the_workers_time(tmp_path, worker_log_dir, now_ms):
    with (
        EmbeddedRedis(tmp_path) as server,
        new_project(
            server, worker_log_dir, lease_lost_s=0.3, lease_renew_s=0.1, maintenance_interval_s=60
        ) as project,
    ):
        runner = MaintenanceRunner(project.tracking)
        project.client.set(project.keys("watched"), now_ms - 60_000)
        lost = begin(project.tracking.store, "alive", now_ms - 60_000)
        server.stop()
        with pytest.raises(RedisConnectionError):
            runner.step()
        failed_at = time.monotonic()
        server.start()
        while time.monotonic() < failed_at + 0.2:
            runner.step()
            assert project.job(lost).status is Status.RUNNING
        eventually(lambda: runner.step() or project.job(lost).status is Status.FAILED)
