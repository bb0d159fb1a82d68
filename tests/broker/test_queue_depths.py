"""How much waits at the broker, in the queues that job types, workers and calls name."""

import time

import pytest
from support.sample_jobs import new_job
from support.workers_under_test import BROKERS, Project, broker_settings, eventually, new_project

from jobtracker import Status
from jobtracker.core.lifecycle import Event
from jobtracker.diagnosis.health import HealthCheck
from jobtracker.diagnosis.held_messages import HeldMessages
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.doctor.examine import examine
from jobtracker.maintenance.runner import MaintenanceRunner
from jobtracker.schemas.workers import QueueDepth
from jobtracker.store.keys import MOST_QUEUES


def depth(project: Project, queue: str) -> QueueDepth | None:
    found = Inspector(project.tracking).queue_depths().queues
    return next((each for each in found if each.queue == queue), None)


def test_what_waits_is_counted_under_a_key_prefix_and_at_any_priority(own_project):
    own_project.announce()
    for priority in (0, 6, 9):
        own_project.send("ok", priority=priority)
    [depth] = Inspector(own_project.tracking).queue_depths().queues
    assert (depth.queue, depth.messages, depth.consumer_count) == (own_project.queue, 3, None)


def test_who_asks_again_opens_no_connection(own_project):
    inspector = Inspector(own_project.tracking)
    inspector.queue_depths()

    def opened_meanwhile():
        opened = own_project.client.info("stats")["total_connections_received"]
        inspector.queue_depths()
        return own_project.client.info("stats")["total_connections_received"] - opened

    assert min(opened_meanwhile() for _ in range(5)) == 0  # others may connect just then


@pytest.mark.parametrize("broker", BROKERS[:2])
def test_a_queue_that_only_a_call_names_is_seen_until_somebody_consumes_it(
    broker, redis_server, rabbitmq, worker_log_dir
):
    with (
        new_project(redis_server, worker_log_dir, **broker_settings(broker, rabbitmq)) as project,
        project.worker() as worker,
    ):
        mail, inspector = f"{project.name}-mail", Inspector(project.tracking, cache_s=0)
        assert HealthCheck(inspector).workers().healthy
        job_id = project.send("ok", queue=mail, priority=9)
        found = depth(project, mail)
        assert found is not None
        assert (found.messages, found.consumers, found.exists) == (1, [], True)
        assert found.consumer_count in {None, 0}
        health = HealthCheck(inspector).workers()
        assert not health.healthy
        assert health.facts["unconsumed"] == {mail: 1}
        assert f"{mail} (1)" in health.detail
        [trap] = [each for each in examine(project.tracking, inspector).traps if each.where == mail]
        assert trap.name == "queue_without_consumer"
        project.consume(mail)
        project.expect(job_id, Status.COMPLETED, "SUCCESS", ["began", "returned"])
        assert HealthCheck(inspector).workers().healthy
        eventually(lambda: depth(project, mail) is None or not depth(project, mail).messages)
        assert worker.lease


def test_what_replaces_a_task_or_tries_it_again_may_go_elsewhere(store, queries):
    store.create(new_job("one", run=1, queue="first"))
    store.apply(Event.START, "one", run=1)
    store.apply(Event.REPLACE, "one", run=1, fields={"actual_queue": "second"})
    store.create(new_job("two", run=0, queue="third"))
    assert queries.queues().names == ["first", "second"]
    store.apply(Event.ENQUEUE, "two", fields={"queue": "fourth"})
    assert queries.queues().names == ["first", "fourth", "second"]


def test_of_too_many_queues_some_are_left_out_and_that_is_said(store, queries, keys):
    jobs = [new_job(run=1, queue=f"customer-{n}") for n in range(MOST_QUEUES * len(keys.parts) + 50)]
    store.create(*jobs)
    assert len(queries.queues().names) == MOST_QUEUES
    assert queries.queues().some_left_out
    assert all(store.client.zcard(part("queues")) <= MOST_QUEUES + 1 for part in keys.parts)


def test_what_is_no_queue_and_what_no_broker_would_take_does_no_harm(own_project, store, queries):
    own_project.tracking.store.create(new_job(run=1, queue="unacked"), new_job(run=1, queue="q" * 256))
    with own_project.app.connection_for_write() as connection:
        connection.default_channel.client.hset("unacked", "tag", "not JSON")
        connection.default_channel.client.zadd("unacked_index", {"tag": time.time()})
    assert HealthCheck(Inspector(own_project.tracking)).unconsumed() == {}
    assert HeldMessages(Inspector(own_project.tracking)).abandoned() == []
    assert MaintenanceRunner(own_project.tracking).abandoned.give_back(own_project.keys.parts) == 0
    assert own_project.queries.queues() == (["unacked"], True)


def test_an_empty_queue_is_forgotten_when_nothing_is_sent_for_long(own_project):
    full, empty = f"{own_project.name}-full", f"{own_project.name}-empty"
    own_project.send("ok", queue=full)
    own_project.send("ok", queue=empty)
    with own_project.app.connection_for_write() as connection:
        connection.default_channel.queue_purge(empty)
    assert {full, empty} <= set(own_project.queries.queues().names)
    assert MaintenanceRunner(own_project.tracking).pruner.forget_queues() == 0  # so lately
    own_project.client.zadd(own_project.keys("queues"), {full: 1, empty: 1, "": 1})
    assert MaintenanceRunner(own_project.tracking).pruner.forget_queues() == 2
    assert (own_project.queries.queues().names, own_project.queries.queues().some_left_out) == ([full], False)
