"""Jobs that settle are announced for webhooks, while an endpoint wants to know."""

import json
import time
from datetime import UTC, datetime

import pytest
from support.sample_jobs import create_job, create_parent

from jobtracker.core.fingerprint import fingerprint
from jobtracker.core.lifecycle import Event
from jobtracker.schemas.webhooks import StoredWebhook, WebhookEvent, WebhookSecret
from jobtracker.store.webhooks import WebhookStore


def endpoint(name="wh_1", events=tuple(WebhookEvent), **more):
    return StoredWebhook(
        id=name,
        url="https://example.com/x",
        events=list(events),
        created_at=datetime.now(UTC),
        secrets=[WebhookSecret(secret="whsec_c2VjcmV0")],
        **more,
    )


@pytest.fixture
def webhooks(client, keys):
    return WebhookStore(client, keys)


def announced(webhooks, keys):
    return [each.job for part in keys.parts for each in webhooks.announcements(part, 100)]


def test_nothing_is_announced_while_nobody_wants_to_know(store, webhooks, client, keys):
    for each in (None, endpoint(enabled=False), endpoint(events=[WebhookEvent.WORKER_LOST])):
        if each:
            webhooks.remove(each.id)
            webhooks.add(each, 20)
        store.apply(Event.COMPLETE, create_job(store, run=1), run=1)
        assert announced(webhooks, keys) == []
    webhooks.remove("wh_1")
    webhooks.add(endpoint(), 20)
    store.apply(Event.COMPLETE, create_job(store, run=1), run=1)
    assert len(announced(webhooks, keys)) == 1
    webhooks.remove("wh_1")
    store.apply(Event.COMPLETE, create_job(store, run=1), run=1)
    assert announced(webhooks, keys) == []
    assert not any(client.exists(part("announcing")) for part in keys.parts)


def test_each_job_that_settles_is_announced_once(store, webhooks, keys):
    webhooks.add(endpoint(), 20)
    done = create_job(store, run=1, type="invoice", tags=json.dumps(["a"]), queue="q")
    store.apply(Event.START, done, run=1, attempt=0)
    assert announced(webhooks, keys) == []
    for _ in range(2):  # the second one is a duplicate
        store.apply(Event.COMPLETE, done, run=1, attempt=0)
    [job] = announced(webhooks, keys)
    assert (job["id"], job["status"], job["was"], job["type"], job["queue"]) == (
        done, "completed", "running", "invoice", "q",
    )  # fmt: skip
    assert json.loads(job["tags"]) == ["a"]
    store.update(done, fields={"name": "other"})
    assert len(announced(webhooks, keys)) == 1


def test_a_lost_job_and_the_correction_of_that_are_announced(store, webhooks, keys):
    webhooks.add(endpoint(), 20)
    lost = create_job(store, run=1)
    store.apply(Event.START, lost, run=1, attempt=0)
    store.apply(Event.LOSE, lost, run=1)
    store.apply(Event.COMPLETE, lost, run=1, attempt=0)
    first, second = announced(webhooks, keys)
    assert (first["status"], first["lost"], second["status"], second.get("lost")) == (
        "failed", True, "completed", None,
    )  # fmt: skip


def test_the_first_failure_of_a_group_and_the_one_after_it_was_resolved_say_so(store, webhooks, keys):
    webhooks.add(endpoint(), 20)
    found = fingerprint("OddError", "broke")

    def fail():
        store.apply(Event.FAIL, create_job(store, run=1), run=1, fields=found.fields)

    for _ in range(2):
        fail()
    store.mark_failure(found.group, "resolve")
    time.sleep(0.005)  # what fails in the same millisecond may have failed before
    for _ in range(2):
        fail()
    told = [job.get("group_is") for job in announced(webhooks, keys)]
    if len(keys.parts) == 1:
        assert told == ["new", None, "regressed", None]


def test_a_parent_that_ends_by_its_sub_jobs_is_announced(store, webhooks, keys):
    webhooks.add(endpoint(), 20)
    parent, [sub] = create_parent(store, 1)
    store.apply(Event.CANCEL, sub)
    store.apply(Event.CANCEL, parent)
    assert {job["id"] for job in announced(webhooks, keys)} == {sub, parent}


def test_announcements_are_bounded_and_what_is_left_out_is_counted(store, webhooks, client, keys):
    webhooks.add(endpoint(), 20)
    job = create_job(store, run=1)
    pipe = client.pipeline()
    for _ in range(50_000):
        pipe.xadd(keys.of(job)("announcements"), {"job": "{}"})
    pipe.execute()
    store.apply(Event.COMPLETE, job, run=1)
    assert client.xlen(keys.of(job)("announcements")) == 50_000
    assert webhooks.unannounced() == 1
