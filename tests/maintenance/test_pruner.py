"""Settled jobs are removed after their retention time."""

import pytest
from support.maintenance import DAY_MS, create_old_tree, left
from support.recount import names_of, recount
from support.sample_jobs import create_in, create_job, create_parent, new_job
from support.workers_under_test import eventually, job, new_project

from jobtracker import Status
from jobtracker.core.lifecycle import SETTLED, Event
from jobtracker.maintenance import pruner
from jobtracker.maintenance.runner import MaintenanceRunner

pytestmark = pytest.mark.thorough


def found(client):
    """How many keys the server has found that it was asked for."""
    return client.info("stats")["keyspace_hits"]


@pytest.mark.parametrize("status", sorted(SETTLED))
def test_a_job_leaves_when_its_time_is_over(own_project, store, runner, now_ms, status):
    old = create_in(store, status, at_ms=now_ms - 7 * DAY_MS - 60_000)
    young = create_in(store, status, at_ms=now_ms - 7 * DAY_MS + 60_000)
    assert runner.pruner.prune() == 1
    assert (own_project.account(old).status, own_project.account(young).status) == ("missing", status)
    assert recount(own_project.client, own_project.keys) == []


@pytest.mark.parametrize("status", sorted(set(Status) - SETTLED))
def test_what_has_not_settled_stays_however_old_it_is(own_project, store, runner, now_ms, status):
    create_in(store, status, at_ms=now_ms - 700 * DAY_MS)
    assert runner.pruner.prune() == 0
    assert left(own_project) == 1


def test_a_tree_leaves_whole_and_with_its_root(own_project, store, runner, now_ms):
    old = create_old_tree(store, "old", now_ms - 8 * DAY_MS)
    young = create_old_tree(store, "young", now_ms - 6 * DAY_MS)
    runner.pruner.prune()
    assert {own_project.account(each).status for each in old} == {"missing"}
    assert {own_project.account(each).status for each in young} == {Status.COMPLETED}
    assert recount(own_project.client, own_project.keys) == []


def test_old_sub_jobs_of_a_parent_that_goes_on_stay_and_keep_nothing_else(own_project, store, runner, now_ms):
    long_ago = now_ms - 30 * DAY_MS
    root, subs = create_parent(store, 3)
    for each in subs:
        change = store.apply(Event.COMPLETE, each, at_ms=long_ago)
        store.notify_parent(root, each, change.run, Status.COMPLETED)
    alone = [create_in(store, Status.COMPLETED, at_ms=long_ago + n) for n in range(-2, 3)]
    runner.pruner.prune()
    assert {own_project.account(each).status for each in subs} == {Status.COMPLETED}
    assert {own_project.account(each).status for each in alone} == {"missing"}
    assert recount(own_project.client, own_project.keys) == []


def test_what_stays_keeps_no_other_job_of_the_same_millisecond(own_project, store, runner, now_ms):
    long_ago, parent = now_ms - 30 * DAY_MS, create_job(store)
    stays, goes = ([f"{n:03}-{what}" for n in range(150)] for what in ("stays", "goes"))
    for each, fields in [*((name, {"parent": parent}) for name in stays), *((name, {}) for name in goes)]:
        store.create(new_job(each, **fields), at_ms=long_ago)
        store.apply(Event.COMPLETE, each, at_ms=long_ago)
    assert runner.pruner.prune() == len(goes)
    assert {own_project.account(each).status for each in stays} == {Status.COMPLETED}
    assert recount(own_project.client, own_project.keys) == []


def test_jobs_of_any_status_priority_and_type_leave_in_one_round(own_project, store, runner, now_ms):
    for n in range(60):
        for status in SETTLED:
            create_in(store, status, at_ms=now_ms - 8 * DAY_MS - n, type=f"type {n % 40}", priority="high")
    assert runner.pruner.prune() == 180
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
        MaintenanceRunner(project.tracking).pruner.prune()
        assert {project.account(each).status for each in old} == {"missing"}
        assert {project.account(each).status for each in young} == {Status.COMPLETED}
        assert left(project) == len(young)
        assert recount(project.client, project.keys) == []


def test_more_jobs_than_a_batch_holds_leave_in_one_round(own_project, store, runner, now_ms):
    for n in range(1200):
        create_in(store, Status.COMPLETED, at_ms=now_ms - 8 * DAY_MS + n)
    young = create_in(store, Status.COMPLETED, at_ms=now_ms)
    assert runner.pruner.prune() == 1200
    assert left(own_project) == 1
    assert own_project.account(young).status == Status.COMPLETED
    assert recount(own_project.client, own_project.keys) == []


def test_what_stays_with_its_parent_is_looked_at_once_and_goes_with_it(own_project, store, runner, now_ms):
    root, subs = create_parent(store, 100)
    for each in subs:
        change = store.apply(Event.COMPLETE, each, at_ms=now_ms - 30 * DAY_MS)
        store.notify_parent(root, each, change.run, Status.COMPLETED)
    assert runner.pruner.prune() == 0
    for n in range(3):
        create_in(store, Status.COMPLETED, at_ms=now_ms - 20 * DAY_MS + n)
        before = found(own_project.client)
        assert runner.pruner.prune() == 1
        assert found(own_project.client) - before < len(subs) / 2
    store.apply(Event.COMPLETE, root, at_ms=now_ms - 10 * DAY_MS)
    assert runner.pruner.prune() == 1
    assert left(own_project) == 0
    assert recount(own_project.client, own_project.keys) == []


def test_where_there_is_no_time_for_all_the_next_rounds_go_on(redis_server, worker_log_dir, now_ms):
    with new_project(redis_server, worker_log_dir, maintenance_interval_s=0.001) as project:
        runner, store = MaintenanceRunner(project.tracking), project.tracking.store
        for n in range(1500):
            create_in(store, Status.COMPLETED, at_ms=now_ms - 8 * DAY_MS + n // 700)
        removed = [runner.pruner.prune() for _ in range(90)]
        assert 0 < removed[0] < 1500
        assert sum(removed) == 1500


def test_what_has_become_free_to_go_since_goes_when_all_is_looked_at_anew(
    own_project, store, runner, now_ms, monkeypatch
):
    parent = create_job(store)
    create_in(store, Status.COMPLETED, at_ms=now_ms - 30 * DAY_MS, parent=parent)
    assert runner.pruner.prune() == 0
    store.delete(parent, mode="undo")
    assert runner.pruner.prune() == 0
    monkeypatch.setattr(pruner, "_ANEW_S", 0)
    assert runner.pruner.prune() == 1


def test_nothing_but_time_series_and_kinds_is_left_of_jobs_that_have_left(own_project, store, runner, now_ms):
    create_old_tree(store, "old", now_ms - 8 * DAY_MS)
    runner.pruner.prune()
    names = {name.partition(":")[0] for name in names_of(own_project.client, own_project.keys)}
    assert names <= {"flow", "settled", "kinds", "unfolded", "named", "labels", "counted", "total", "maintained"}


def test_sub_jobs_that_a_dying_process_left_in_the_trash_are_removed(own_project, store, runner):
    root = create_parent(store, 3, sent=False)[0]
    store.delete(root)  # and then the process died
    assert left(own_project) == 3
    runner.step()
    assert left(own_project) == 0
    assert own_project.queries.trash(10) == []


def test_a_worker_removes_what_is_old(redis_server, worker_log_dir):
    settings = {"maintenance_interval_s": 0.1, "job_retention_days": 0.5 / 86_400}
    with new_project(redis_server, worker_log_dir, **settings) as project, project.worker():
        root = project.launch("collect", sub_jobs=[job("ok"), job("ok")])
        everything = list(project.queries.families(root))
        eventually(lambda: all(project.account(each).status == "missing" for each in everything))
        assert [project.did(each) for each in everything] == [["began", "returned"]] * 3
