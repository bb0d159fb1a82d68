"""Trees that are too large to be sent in the request: workers send them, once, whoever dies amidst it."""

import threading
import time

import pytest
from redis import Redis
from support.raw_records import alter
from support.servers import Relay
from support.workers_under_test import BROKERS, eventually, job, new_project

from jobtracker import Status
from jobtracker.core.job import job_and_run_of
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.errors import BrokerUnavailableError
from jobtracker.jobs.dispatcher import AT_ONCE
from jobtracker.jobs.signatures import SEND
from jobtracker.local.ports import free_port
from jobtracker.maintenance.outbox_relay import OutboxRelay
from jobtracker.schemas.explanation import Code
from jobtracker.store.schema import JobRecord

pytestmark = pytest.mark.thorough

RAN = ["began", "returned"]


def family(project, subs, **fields):
    """Record a parent with so many sub-jobs that return their position; returns all ids, its own first."""
    root = project.create("collect", sub_jobs=[job("ok", {"value": n}) for n in range(subs)], **fields)
    return [root, *project.subs(root)]


@pytest.fixture
def small(monkeypatch):
    """Two jobs are many."""
    for number in ("jobs.dispatcher.AT_ONCE", "jobs.dispatcher.HANDED_OVER", "maintenance.outbox_relay.HANDED_OVER"):
        monkeypatch.setattr(f"jobtracker.{number}", 2)


def unsent(project):
    return project.queries.unsent(2**53, 10_000)


def let_time_pass(project):
    """Make what waits to be sent look as if it had done so for long."""
    project.client.zadd(project.keys("unsent"), dict.fromkeys(unsent(project), 1), xx=True)


def purge(project):
    """Lose all messages."""
    project.app.control.purge()


@pytest.mark.parametrize("project", BROKERS, indirect=True)
def test_a_large_tree_is_sent_by_workers_and_runs_once(project):
    width = AT_ONCE // 2 + 5
    inner = job("collect", sub_jobs=[job("ok", {"value": n}) for n in range(width)])
    root = project.create("collect", sub_jobs=[inner, job("ok", {"value": -1}), inner])
    project.jobs.start(root)
    first, single, last = project.subs(root)
    below = list(range(width))
    done = project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
    assert (done.result, done.run, done.sub_job_counts.completed) == ([below, -1, below], 1, 3)
    for each in [first, single, last, *project.subs(first), *project.subs(last)]:
        assert project.expect(each, Status.COMPLETED, "SUCCESS", RAN).run == 1
    eventually(lambda: not project.client.exists(project.keys("unsent"), project.keys("unconfirmed")))
    assert project.queries.field(project.subs(first)[0], JobRecord.deliveries) == 1


def test_who_sends_a_large_tree_is_no_job(own_project, small):
    own_project.announce()
    root, *_ = family(own_project, 3)
    with own_project.worker():
        own_project.jobs.start(root)
        own_project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
        assert SEND not in own_project.tracking.registry.all(fresh=True)
        assert {count.job_type for count in own_project.queries.counts()} == {"collect", "ok"}


def test_what_was_handed_over_is_sent_by_the_relay_if_no_worker_does(own_project, small):
    own_project.announce()
    root, *subs = family(own_project, 5)
    own_project.jobs.start(root)
    assert unsent(own_project) == sorted(subs, key=unsent(own_project).index)
    purge(own_project)
    outbox = OutboxRelay(own_project.tracking)
    assert outbox.send() == 0
    let_time_pass(own_project)
    assert outbox.send() == 5
    assert unsent(own_project) == []
    with own_project.worker():
        assert own_project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [0, 1, 2, 3, 4]
        assert {own_project.job(each).run for each in subs} == {1}


def test_what_is_handed_over_twice_is_sent_once(own_project, small):
    own_project.announce()
    root, *subs = family(own_project, 40)
    own_project.jobs.start(root)
    purge(own_project)
    sent = []
    senders = [
        threading.Thread(target=lambda: sent.append(OutboxRelay(own_project.tracking).send_claimed(subs)))
        for _ in range(4)
    ]
    for each in senders:
        each.start()
    for each in senders:
        each.join()
    assert sum(sent) == 40
    with own_project.worker():
        own_project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
        assert {tuple(own_project.did(each)) for each in subs} == {("began", "returned")}


def test_of_a_tree_that_is_cancelled_before_it_is_sent_nothing_runs(own_project, small):
    own_project.announce()
    root, *subs = ids = family(own_project, 5)
    own_project.jobs.start(root)
    own_project.jobs.cancel(root)
    assert OutboxRelay(own_project.tracking).send_claimed(subs[:2]) == 0
    with own_project.worker():
        eventually(lambda: not own_project.client.exists(own_project.keys("unsent")))
        own_project.expect(own_project.send("ok"), Status.COMPLETED, "SUCCESS", RAN)
    assert {own_project.job(each).status for each in ids} == {Status.CANCELLED}
    assert [own_project.did(each) for each in ids] == [[]] * 6
    assert not own_project.client.exists(own_project.keys("unconfirmed"))


def test_what_is_left_of_a_tree_whose_canceller_died_is_cancelled_not_sent(own_project, small):
    own_project.announce()
    root, *subs = family(own_project, 3)
    own_project.jobs.start(root)
    own_project.tracking.store.apply("cancel", root)
    assert OutboxRelay(own_project.tracking).send_claimed(subs) == 0
    assert {own_project.job(each).status for each in subs} == {Status.CANCELLED}


def test_a_large_tree_that_was_deleted_before_it_was_sent_leaves_nothing(own_project, small):
    own_project.announce()
    root, *subs = family(own_project, 3)
    own_project.jobs.start(root)
    own_project.jobs.cancel(root)
    own_project.jobs.delete(root)
    assert OutboxRelay(own_project.tracking).send_claimed(subs) == 0
    assert not own_project.client.exists(own_project.keys("unsent"), own_project.keys("unconfirmed"))


def test_a_large_tree_whose_broker_is_away_is_as_it_was(redis_server, worker_log_dir, small):
    away = f"redis://127.0.0.1:{free_port()}/1"
    with new_project(redis_server, worker_log_dir, celery_broker_url=away) as project:
        project.announce()
        ids = family(project, 5)
        with pytest.raises(BrokerUnavailableError):
            project.jobs.start(ids[0])
        assert {(project.job(each).status, project.job(each).run) for each in ids} == {(Status.PENDING, 0)}
        assert OutboxRelay(project.tracking).send_claimed(ids) == 0
        assert not project.client.exists(project.keys("unconfirmed"))


@pytest.mark.parametrize("loses", ["the answer", "the messages"])
def test_messages_that_a_lost_broker_may_have_taken_run_once(redis_server, worker_log_dir, small, loses):
    with (
        Relay(redis_server.port) as relay,
        new_project(redis_server, worker_log_dir, celery_broker_url=f"redis://127.0.0.1:{relay.port}/1") as project,
    ):
        project.announce()
        root, *subs = family(project, 6)
        project.jobs.start(root)
        purge(project)
        relay.loses = subs[2].encode()
        OutboxRelay(project.tracking).send_claimed(subs)
        relay.loses = None
        if loses == "the messages":
            purge(project)
        assert unsent(project) == []
        assert project.queries.are_unconfirmed(subs) == {*subs}
        project.client.zadd(project.keys("unconfirmed"), dict.fromkeys(subs, 1))
        OutboxRelay(project.tracking).send()
        with project.worker():
            assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [0, 1, 2, 3, 4, 5]
            assert [project.job(each).run for each in subs] == [2] * 6
            assert [project.did(each, run=2) for each in subs] == [RAN] * 6
            assert [project.did(each, run=1) for each in subs] == [[]] * 6


def test_what_redis_does_not_take_has_failed(own_project, small):
    own_project.announce()
    root, *subs = ids = family(own_project, 3)
    own_project.jobs.start(root)
    purge(own_project)
    queue = f"{own_project.name}:{own_project.queue}\x06\x166"  # as kombu names it, of normal priority
    with Redis.from_url(own_project.settings.broker_url) as broker:
        broker.set(queue, "no list")
        OutboxRelay(own_project.tracking).send_claimed(subs)
        broker.delete(queue)
    assert {own_project.job(each).status for each in ids} == {Status.FAILED}
    assert "WRONGTYPE" in own_project.job(subs[1]).reason
    assert not own_project.client.exists(own_project.keys("unsent"), own_project.keys("unconfirmed"))


def test_it_is_explained_what_a_job_waits_for_that_a_worker_is_to_send(own_project, small):
    own_project.announce()
    root, *subs = family(own_project, 3)
    own_project.jobs.start(root)
    explainer = Explainer(own_project.tracking, Inspector(own_project.tracking))
    found = explainer.explain(subs[0])
    assert found.code is Code.BEING_SENT
    assert "a worker, of which none lives" in found.summary
    assert explainer.explain(root).code is Code.WAITING_FOR_SUB_JOBS
    with own_project.worker(queues=["another"]):
        assert explainer.explain(subs[1]).code is Code.BEING_SENT


def test_a_large_tree_is_retried_by_workers_too(project, small, request):
    gate = request.node.name
    subs = [job("mended", {"name": gate, "value": n}) for n in range(5)]
    root = project.create("collect", sub_jobs=subs)
    project.jobs.start(root)
    project.expect_settled(root, *project.subs(root))
    project.diary.open_gate(gate)
    project.jobs.retry(root)
    assert project.expect(root, Status.COMPLETED, "SUCCESS", RAN).result == [0, 1, 2, 3, 4]
    assert {project.job(each).run for each in project.subs(root)} == {2}


def test_a_job_that_can_not_be_sent_has_failed_and_the_others_run(own_project, small):
    own_project.announce()
    root, *subs = family(own_project, 3, failure_policy="continue")
    own_project.jobs.start(root)
    alter(own_project.client, own_project.keys, subs[1], {"masked": '["value"]'})
    with own_project.worker():
        done = own_project.expect(root, Status.COMPLETED, "SUCCESS", RAN)
        assert done.result == [0, None, 2]
        assert own_project.job(subs[1]).status is Status.FAILED


def test_a_task_id_of_a_later_run_is_claimed_as_such(own_project):
    store = own_project.tracking.store
    store.hand_over(["a", "a~2", "b"], at_ms=1)
    assert store.claim(["a~2", "c", "b"]) == ["a~2", "b"]
    assert store.claim(["a~2"]) == []
    assert [job_and_run_of(each) for each in own_project.queries.unsent(time.time_ns(), 10)] == [("a", 1)]
    assert own_project.queries.are_unconfirmed(["a", "a~2", "b"]) == {"a~2", "b"}
