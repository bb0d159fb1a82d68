"""Queues without a consumer, old messages and lost workers: told once, and again when they come back."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.sample_jobs import a_worker

from jobtracker.errors import BrokerUnavailableError
from jobtracker.schemas.webhooks import WebhookEvent, WebhookWanted
from jobtracker.schemas.workers import QueueFigures, QueueReport
from jobtracker.store.leases import Leases
from jobtracker.store.webhooks import WebhookStore
from jobtracker.webhooks import conditions as module
from jobtracker.webhooks.conditions import Conditions
from jobtracker.webhooks.desk import WebhookDesk


class Desk:
    """Knows queues, as a test says (the real one is tried in tests/diagnosis)."""

    def __init__(self):
        self.queues, self.is_away = [], False

    def report(self):
        if self.is_away:
            raise BrokerUnavailableError("it is away")
        return QueueReport.model_construct(queues=self.queues)


def queue(name, messages=1, consumers=(), waits_s=0):
    oldest = datetime.now(UTC) - timedelta(seconds=waits_s)
    return QueueFigures.model_construct(
        queue=name, messages=messages, consumers=list(consumers), consumer_count=None, oldest_at=oldest,
        oldest_job_id="j1",
    )  # fmt: skip


@pytest.fixture
def place(client, keys, monkeypatch):
    monkeypatch.setattr(module, "NO_CONSUMER_MS", 0)
    store = WebhookStore(client, keys)
    found = type("Place", (), {})()
    found.store, found.queues, found.desk = store, Desk(), WebhookDesk(store, (), has_mail=False)
    found.leases = Leases(client, keys, 0.05)
    found.conditions = Conditions(store, found.queues, found.leases, lambda _: None)
    found.client, found.keys = client, keys
    return found


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
    place.queues.queues = [queue("a"), queue("b", consumers=["w"]), queue("c"), queue("b", messages=0)]
    look(place, 4)
    assert told(place, made) == [("queue.no_consumer", "a")]
    place.queues.is_away = True
    look(place)
    place.queues.is_away = False
    look(place)
    assert len(told(place, made)) == 1
    place.queues.queues = [queue("a", consumers=["w"])]
    look(place)
    place.queues.queues = [queue("a")]
    look(place)
    assert len(told(place, made)) == 2


def test_it_is_not_told_before_it_has_held_for_some_time(place, monkeypatch):
    monkeypatch.setattr(module, "NO_CONSUMER_MS", 60_000)
    made = endpoint(place, WebhookEvent.QUEUE_NO_CONSUMER)
    place.queues.queues = [queue("a")]
    look(place, 3)
    assert told(place, made) == []


def test_old_messages_are_told_by_the_limit_of_each_endpoint(place):
    soon = endpoint(place, WebhookEvent.QUEUE_OLDER_THAN, older_than_s=10)
    late = endpoint(place, WebhookEvent.QUEUE_OLDER_THAN, older_than_s=1000)
    place.queues.queues = [queue("a", waits_s=100), queue("b", waits_s=5)]
    look(place, 3)
    assert (told(place, soon), told(place, late)) == ([("queue.older_than", "a")], [])
    [delivery] = place.desk.deliveries(soon.id, size=1, cursor=None).deliveries
    assert json.loads(delivery.body)["data"]["oldest_job_id"] == "j1"


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
    place.queues.queues = [queue("a")]
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
