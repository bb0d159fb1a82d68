"""Calls of tasks of which there is one job at a time, as their senders see them."""

import logging

import pytest
from celery import group
from redis import Redis
from support.recount import recount
from support.workers_under_test import Project

from jobtracker import Status, tracked
from jobtracker.core.lifecycle import Event
from jobtracker.local.ports import free_port


@pytest.fixture
def project(own_project):
    app = own_project.app

    @app.task(name="sync", shared=False)
    @tracked("sync", unique={"by": ["customer"]})
    def sync(customer, why=""):
        """Is sent only."""

    @app.task(name="report", shared=False)
    @tracked(unique={"then": "drop", "while": ["pending"]})
    def report(day):
        """Is sent only."""

    own_project.tasks = {"sync": sync, "report": report}
    return own_project


def messages(project):
    with Redis.from_url(project.settings.broker_url) as broker:
        return sum(broker.llen(key) for key in broker.scan_iter(f"{project.name}:{project.queue}*", count=1000))


def test_a_second_call_joins_the_first_one(project):
    sync = project.tasks["sync"]
    first, second, other = sync.delay("ann"), sync.delay(customer="ann", why="again"), sync.delay("bob")
    assert first.id == second.id != other.id
    assert messages(project) == 2
    assert project.job(first.id).status is Status.PENDING
    assert recount(project.client, project.keys) == []
    project.jobs.cancel(first.id)
    assert sync.delay("ann").id != first.id


def test_who_joins_a_job_that_runs_again_waits_for_that_run(project):
    first = project.tasks["sync"].delay("ann")
    store = project.tracking.store
    store.apply(Event.START, first.id, run=1, attempt=0)
    store.apply(Event.RELAUNCH, first.id, run=1)
    assert project.tasks["sync"].delay("ann").id == f"{first.id}~2"


def test_a_dropped_call_leaves_no_trace(project):
    report = project.tasks["report"]
    first, second = report.delay("monday"), report.delay("monday")
    assert first.id != second.id
    assert messages(project) == 1
    assert not project.queries.records([second.id])[0].exists
    project.tracking.store.apply(Event.START, first.id, run=1, attempt=0)
    assert project.queries.records([report.delay("monday").id])[0].exists


def test_a_call_that_could_not_be_sent_holds_nobody_back(project, monkeypatch):
    sync = project.tasks["sync"]
    with monkeypatch.context() as patch:
        patch.setattr(project.app.amqp, "send_task_message", broken)
        with pytest.raises(RuntimeError, match="no way"):
            sync.delay("ann")
    assert project.client.keys(f"{project.keys.namespace}:*unique:*") == []
    assert project.queries.records([sync.delay("ann").id])[0].exists


def broken(*_, **__):
    raise RuntimeError("no way")


def test_in_groups_each_call_is_sent(project):
    sync = project.tasks["sync"]
    results = group(sync.s("ann"), sync.s("ann")).apply_async()
    assert len({each.id for each in results.children}) == 2
    assert messages(project) == 2


def test_while_the_store_is_away_each_call_is_sent(redis_server, worker_log_dir, caplog):
    away = Project(
        redis_server, worker_log_dir, redis_url=f"redis://127.0.0.1:{free_port()}/0", tracking_timeout_s=0.2
    )
    try:

        @away.app.task(name="sync", shared=False)
        @tracked("sync", unique=True)
        def sync(customer):
            """Is sent only."""

        with caplog.at_level(logging.ERROR):
            assert sync.delay("ann").id != sync.delay("ann").id
        assert messages(away) == 2
    finally:
        away.close()


@pytest.mark.parametrize(
    ("unique", "error"),
    [
        ({"by": "customer"}, TypeError),
        ({"while": ["running"]}, ValueError),
        ({"for_s": 0}, ValueError),
        ({"then": "wait"}, ValueError),
        ({"per": ["customer"]}, ValueError),
    ],
)
def test_what_is_no_unique_key_is_refused_where_it_is_declared(unique, error):
    with pytest.raises(error):
        tracked(unique=unique)
