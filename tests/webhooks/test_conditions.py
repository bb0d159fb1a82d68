"""Queues without a consumer, old messages and lost workers: told once, and again when they come back."""

import json

import pytest
from redis import Redis
from support.sample_jobs import a_worker
from support.servers import Relay
from support.workers_under_test import new_project

from jobtracker.broker.headers import SENT_HEADER
from jobtracker.core.clock import now_ms
from jobtracker.diagnosis.inspector import Inspector
from jobtracker.diagnosis.queue_desk import QueueDesk
from jobtracker.schemas.webhooks import WebhookEvent, WebhookWanted
from jobtracker.store.leases import Leases
from jobtracker.store.webhooks import WebhookStore
from jobtracker.webhooks import conditions as module
from jobtracker.webhooks.conditions import Conditions
from jobtracker.webhooks.desk import WebhookDesk


class Place:
    """A project whose queues nobody consumes, and what looks at it."""

    def __init__(self, project):
        tracking = project.tracking
        project.announce()
        self.project, self.store = project, WebhookStore(tracking.client, tracking.keys)
        self.desk = WebhookDesk(self.store, (), has_mail=False)
        self.leases = Leases(tracking.client, tracking.keys, 0.05)
        queues = QueueDesk(Inspector(tracking, cache_s=0))
        self.conditions = Conditions(self.store, queues, self.leases, lambda _: None)

    def send(self, queue, waits_s=0):
        """Send a message, so long ago; returns its job."""
        job_id = self.project.launch("ok", queue=queue)
        with Redis.from_url(self.project.settings.broker_url) as broker:
            [name] = list(broker.scan_iter(f"{self.project.name}:{queue}*", count=1000))
            message = json.loads(broker.lindex(name, 0))
            message["headers"][SENT_HEADER] = now_ms() - waits_s * 1000
            broker.lset(name, 0, json.dumps(message))
        return job_id

    def consume(self, queue):
        """Let a worker consume a queue."""
        self.project.leases.renew(a_worker(f"consumer-of-{queue}", queues=[queue]))

    def leave(self, queue):
        """Let it stop."""
        self.project.leases.release(f"consumer-of-{queue}")


@pytest.fixture
def place(own_project, monkeypatch):
    monkeypatch.setattr(module, "NO_CONSUMER_MS", 0)
    return Place(own_project)


def endpoint(place, *events, **more):
    return place.desk.create(WebhookWanted(url="https://example.com/x", events=list(events), **more))


def told(place, made):
    found = place.desk.deliveries(made.id, size=200, cursor=None).deliveries
    return [(each.event, each.subject) for each in reversed(found)]


def look(place, times=2):
    for _ in range(times):
        place.conditions.look(place.store.all())


def test_a_queue_that_nobody_consumes_is_told_once_and_again_when_that_comes_back(place):
    made = endpoint(place, WebhookEvent.QUEUE_NO_CONSUMER, queues=["a", "b"])
    for queue in ("a", "b", "c"):
        place.send(queue)
    place.consume("b")
    look(place, 3)
    assert told(place, made) == [("queue.no_consumer", "a")]
    place.consume("a")
    look(place)
    place.leave("a")
    look(place)
    assert told(place, made) == [("queue.no_consumer", "a")] * 2


def test_it_is_not_told_before_it_has_held_for_some_time(place, monkeypatch):
    monkeypatch.setattr(module, "NO_CONSUMER_MS", 60_000)
    made = endpoint(place, WebhookEvent.QUEUE_NO_CONSUMER)
    place.send("a")
    look(place, 3)
    assert told(place, made) == []


def test_old_messages_are_told_by_the_limit_of_each_endpoint(place):
    soon = endpoint(place, WebhookEvent.QUEUE_OLDER_THAN, older_than_s=10)
    late = endpoint(place, WebhookEvent.QUEUE_OLDER_THAN, older_than_s=1000)
    old = place.send("a", waits_s=100)
    place.send("b", waits_s=5)
    look(place, 3)
    assert (told(place, soon), told(place, late)) == ([("queue.older_than", "a")], [])
    [delivery] = place.desk.deliveries(soon.id, size=1, cursor=None).deliveries
    assert json.loads(delivery.body)["data"]["oldest_job_id"] == old


def test_while_the_broker_is_away_a_queue_stays_as_it_was_and_lost_workers_are_told(
    redis_server, worker_log_dir, monkeypatch
):
    monkeypatch.setattr(module, "NO_CONSUMER_MS", 0)
    relay = Relay(redis_server.port)
    url = f"redis://127.0.0.1:{relay.port}/1"
    with new_project(redis_server, worker_log_dir, celery_broker_url=url) as project:
        place = Place(project)
        made = endpoint(place, WebhookEvent.QUEUE_NO_CONSUMER, WebhookEvent.WORKER_LOST)
        with relay:
            place.send("a")
            look(place)
            assert told(place, made) == [("queue.no_consumer", "a")]
        relay.loses = b"\r\n"  # whatever is asked over a connection that is there; there is no other one
        place.leases.renew(a_worker("lost"))
        while not place.leases.lost(5):
            pass
        look(place)
        assert told(place, made) == [("queue.no_consumer", "a"), ("worker.lost", "lost")]
        assert any(name.endswith(":a") for name in place.store.conditions())


def test_a_lost_worker_is_told_once_and_one_that_stops_is_not(place):
    made = endpoint(place, WebhookEvent.WORKER_LOST)
    other = endpoint(place, WebhookEvent.WORKER_LOST, queues=["elsewhere"])
    lost, stopped = a_worker("lost"), a_worker("stopped")
    for each in (lost, stopped):
        place.leases.renew(each)
    place.leases.release(stopped.incarnation)
    while not place.leases.lost(5):
        pass
    look(place, 3)
    assert told(place, made) == [("worker.lost", lost.incarnation)]
    assert told(place, other) == []


@pytest.mark.parametrize("method", ["enqueue", "note_condition"])
def test_a_condition_is_told_though_the_process_dies_and_under_one_id(place, monkeypatch, method):
    made = endpoint(place, WebhookEvent.QUEUE_NO_CONSUMER)
    place.send("a")
    real, calls = getattr(WebhookStore, method), []

    def dies(store, *args):
        calls.append(args)
        if method == "enqueue" or len(calls) == 3:  # noted as seen, as new, as told
            raise KeyboardInterrupt
        return real(store, *args)

    with monkeypatch.context() as patch:
        patch.setattr(WebhookStore, method, dies)
        with pytest.raises(KeyboardInterrupt):
            look(place)
    look(place)
    assert told(place, made) == [("queue.no_consumer", "a")]
