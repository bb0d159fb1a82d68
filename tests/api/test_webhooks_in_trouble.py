"""API processes are killed again and again while they tell an endpoint what happens: nothing is lost."""

import json
import os
import random
import signal
import time
from collections import Counter

import pytest
from support.receivers import receiving
from support.sample_jobs import create_job
from support.serving import eventually, running_api

from jobtracker.core.lifecycle import Event

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]

JOBS, KILLS = 150, 4


def settle_some(store, told):
    for _ in range(JOBS // (KILLS + 1)):
        job_id = create_job(store, run=1)
        store.apply(Event.FAIL, job_id, run=1)
        store.apply(Event.RERUN, job_id, run=1)
        store.apply(Event.COMPLETE, job_id, run=2)
        told[job_id] = 2


def test_each_job_is_told_of_in_order_though_the_api_is_killed_again_and_again(
    redis_server, client, keys, store, tmp_path
):
    settings = {
        "redis_url": redis_server.url,
        "webhook_allowed_networks": "127.0.0.0/8",
        "webhook_timeout_s": 5,
        "tracking_namespace": keys.namespace,
    }
    random.seed(4)
    told: dict[str, int] = {}
    with receiving() as receiver:
        receiver.answer = lambda _: (time.sleep(random.uniform(0, 0.02)) or random.choice([200, 200, 200, 500]), {})
        secret, webhook_id = "", ""
        for _ in range(KILLS):
            with running_api(tmp_path, **settings) as api:
                if not webhook_id:
                    body = {"url": receiver.url, "events": ["job.settled"]}
                    made = api.request("POST", "/api/webhooks", 201, json=body)
                    secret, webhook_id = made["secret"], made["id"]
                settle_some(store, told)
                seen = len(receiver.received)
                eventually(lambda seen=seen: len(receiver.received) > seen)
                time.sleep(random.uniform(0, 0.3))
                os.kill(api.process.pid, signal.SIGKILL)
        receiver.answer = lambda _: (200, {})
        due = keys("webhook_due", webhook_id)
        for lane in client.zrange(due, 0, -1):  # so as not to wait for what the dead ones had claimed, or put off
            client.zadd(due, {lane: 0})
        with running_api(tmp_path, **settings) as api:
            settle_some(store, told)
            shown = f"/api/webhooks/{webhook_id}"

            def all_told() -> bool:
                return not client.xlen(keys.parts[0]("announcements")) and api.get(shown)["pending"] == 0

            eventually(all_told, patience_s=120)
    bodies = {each.id: json.loads(each.body)["data"] for each in receiver.received}
    assert Counter(each["id"] for each in bodies.values()) == told
    last_run: dict[str, int] = {}
    for each in receiver.received:
        data = bodies[each.id]
        assert data["run"] >= last_run.get(data["id"], 0), "out of order"
        last_run[data["id"]] = data["run"]
        each.verified(secret)
