"""/api/webhooks: who is told what happens, and what was sent to them."""

import json

import pytest
from support.receivers import receiving
from support.sample_jobs import create_job
from support.serving import eventually, running_api

from jobtracker.core.lifecycle import Event

PATH = "/api/webhooks"


@pytest.fixture(scope="module")
def telling_api(redis_server, tmp_path_factory):
    """An API that may send to this machine."""
    with running_api(
        tmp_path_factory.mktemp("telling"),
        redis_url=redis_server.url,
        redis_db=9,
        webhook_allowed_networks="127.0.0.0/8",
        webhook_timeout_s=2,
        api_public_url="https://jobs.example/",
    ) as api:
        yield api


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


def create(api, url, *events, **more):
    return api.request("POST", PATH, 201, json={"url": url, "events": list(events or ["job.settled"]), **more})


def settle(api, event=Event.COMPLETE, **fields):
    job_id = create_job(api.store, run=1, **fields)
    api.store.apply(event, job_id, run=1)
    return job_id


def test_a_webhook_is_created_told_rotated_changed_and_deleted(telling_api, receiver):
    api = telling_api
    made = create(api, receiver.url, "job.failed", job_types=["invoice"])
    assert made["secret"].startswith("whsec_")
    path = f"{PATH}/{made['id']}"
    assert "secret" not in json.dumps(api.get(path)).replace("secrets_in_use", "")
    settle(api, Event.FAIL, type="other")
    job_id = settle(api, Event.FAIL, type="invoice")
    eventually(lambda: receiver.received)
    told = receiver.received[0].verified(made["secret"])
    assert (told["data"]["id"], told["data"]["url"]) == (job_id, f"https://jobs.example/jobs/{job_id}")
    rotated = api.request("POST", f"{path}/rotate", 200, json={"keep_old_s": 60})
    sent = api.request("POST", f"{path}/test", 202)
    eventually(lambda: len(receiver.received) == 2)
    assert receiver.received[1].verified(made["secret"]) == receiver.received[1].verified(rotated["secret"])
    eventually(lambda: api.get(f"{path}/deliveries")["deliveries"][0]["state"] == "delivered")
    assert [each["id"] for each in api.get(f"{path}/deliveries")["deliveries"]] == [sent["id"], receiver.ids[0]]
    again = api.request("POST", f"{path}/deliveries/{receiver.ids[0]}/redeliver", 202)
    assert (again["id"], again["redelivered"]) == (receiver.ids[0], 1)
    eventually(lambda: receiver.ids.count(again["id"]) == 2)
    changed = api.request("PUT", path, 200, json={"url": receiver.url, "events": ["job.lost"], "enabled": False})
    assert (changed["events"], changed["job_types"], changed["enabled"]) == (["job.lost"], [], False)
    api.problem("POST", f"{path}/test", 422)
    assert [each["id"] for each in api.get(PATH)["webhooks"]] == [made["id"]]
    api.request("DELETE", path, 204)
    for method, below in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/rotate"), ("GET", "/deliveries")):
        body = {"json": {"url": receiver.url, "events": ["job.lost"]}} if method == "PUT" else {}
        api.problem(method, path + below, 404, **body)
    actions = [each["action"] for each in api.get("/api/audit", job=made["id"])["entries"]]
    assert actions[-4:] == ["redeliver", "send_test_message", "rotate_webhook", "create_webhook"]
    assert "delete_webhook" in actions


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"url": "http://10.0.0.1/x"}, "WEBHOOK_ALLOWED_NETWORKS"),
        ({"url": "https://localhost.example:x/"}, "can't be read"),
        ({"url": "mailto:joe@example.com"}, "SMTP_URL"),
        ({"template": '{"x": "${data.nothing}"}'}, "data.nothing"),
        ({"template": "no json"}, "no JSON"),
        ({"events": ["job.begun"]}, ""),
        ({"events": []}, ""),
        ({"older_than_s": 1}, ""),
        ({"further": 1}, ""),
    ],
)
def test_what_can_t_be_is_refused(telling_api, change, why):
    body = {"url": "https://example.com/x", "events": ["job.settled"], **change}
    assert why in telling_api.problem("POST", PATH, 422, json=body)["detail"]


def test_without_a_setting_no_address_of_this_machine_is_sent_to(quiet_api, receiver):
    body = {"url": receiver.url, "events": ["job.settled"]}
    assert "Use https://" in quiet_api.problem("POST", PATH, 422, json=body)["detail"]
    body["url"] = receiver.url.replace("http:", "https:")
    assert "no address of the internet" in quiet_api.problem("POST", PATH, 422, json=body)["detail"]
    body["url"] = "https://localhost:1/hook"  # its name may be anything until it is asked for
    made = quiet_api.request("POST", PATH, 201, json=body)
    quiet_api.request("POST", f"{PATH}/{made['id']}/test", 202)

    def tried():
        [delivery] = quiet_api.get(f"{PATH}/{made['id']}/deliveries")["deliveries"]
        return delivery["attempts"]

    eventually(tried)
    assert "is no address of the internet" in tried()[0]["error"]
    quiet_api.request("DELETE", f"{PATH}/{made['id']}", 204)


def test_there_are_twenty_at_most(telling_api):
    made = [create(telling_api, "https://example.com/x", enabled=False)["id"] for _ in range(20)]
    body = {"url": "https://example.com/x", "events": ["job.settled"]}
    assert "Delete one first" in telling_api.problem("POST", PATH, 422, json=body)["detail"]
    for each in made:
        telling_api.request("DELETE", f"{PATH}/{each}", 204)
