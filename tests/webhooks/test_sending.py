"""What is sent to an endpoint, whatever it answers, and whatever dies meanwhile."""

import asyncio
import contextlib
import json
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import WebhookVerificationError
from support.receivers import receiving, slowly
from support.sample_jobs import create_job
from support.servers import program

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.errors import WebhookNotFoundError
from jobtracker.schemas.webhooks import DeliveryState, WebhookEvent, WebhookWanted
from jobtracker.server.access.networks import networks_of
from jobtracker.store.webhooks import WebhookStore
from jobtracker.webhooks.announcer import Announcer
from jobtracker.webhooks.desk import WebhookDesk
from jobtracker.webhooks.sender import BACKOFF_S, Sender, SendingLimits

HERE = networks_of("127.0.0.1/32")
FAST = (0.01,)
PATIENCE_S = 40


class Place:
    """An outbox, and what works on it in this process."""

    def __init__(self, client, keys, store, **limits):
        self.keys, self.jobs, self.client = keys, store, client
        self.store = WebhookStore(client, keys)
        self.limits = {"timeout_s": 2, "disable_after_ms": 10**9, "allowed": HERE, "smtp_url": "", "smtp_from": ""}
        self.limits |= {"backoff_s": FAST, **limits}
        self.desk = WebhookDesk(self.store, self.limits["allowed"], has_mail=False)

    def endpoint(self, url, *events, **more):
        return self.desk.create(WebhookWanted(url=url, events=list(events or [WebhookEvent.JOB_SETTLED]), **more))

    def settle(self, event=Event.COMPLETE, **fields):
        job_id = create_job(self.jobs, run=1, **fields)
        self.jobs.apply(event, job_id, run=1)
        return job_id

    def announce(self, store=None):
        announcer = Announcer(store or self.store, self.keys, lambda path: f"https://jobs.example/{path}")
        while announcer.step(self.store.all()):
            pass

    def send(self, until=lambda: False, store=None, rounds=10_000):
        """Announce and send until nothing is pending, or until then."""
        store = store or self.store

        async def run():
            sender = Sender(store, SendingLimits(**self.limits))
            deadline = time.monotonic() + PATIENCE_S
            try:
                for _ in range(rounds):
                    endpoints = self.store.all()
                    await sender.step(endpoints)
                    await asyncio.sleep(0.005)
                    states = self.store.states([each.id for each in endpoints])
                    if until() or not any(state.pending for state in states.values()):
                        return
                    assert time.monotonic() < deadline
            finally:
                await sender.close()

        self.announce(store)
        asyncio.run(run())

    def deliveries(self, endpoint):
        return self.desk.deliveries(endpoint.id, size=200, cursor=None).deliveries


@pytest.fixture(autouse=True)
def _short_claims(monkeypatch):
    """What a sender that stopped, or died, had claimed is due again soon."""
    monkeypatch.setattr("jobtracker.webhooks.sender._CLAIM_SPARE_S", 0.1)


@pytest.fixture
def place(client, keys, store):
    return Place(client, keys, store)


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


def test_a_message_is_signed_and_says_what_happened(place, receiver):
    made = place.endpoint(receiver.url, WebhookEvent.JOB_FAILED)
    place.settle()
    job_id = place.settle(Event.FAIL, type="invoice")
    place.send()
    [message] = receiver.received
    told = message.verified(made.secret)
    assert (told["type"], told["data"]["id"], told["data"]["url"]) == (
        "job.failed", job_id, f"https://jobs.example/jobs/{job_id}",
    )  # fmt: skip
    assert message.headers["content-type"] == "application/json"
    assert message.headers["host"] == receiver.url.split("/")[2]
    [delivery] = place.deliveries(made)
    assert (delivery.state, delivery.attempts[0].status, delivery.subject) == ("delivered", 204, job_id)
    assert delivery.id == message.id
    with pytest.raises(WebhookVerificationError):
        message.verified("whsec_b3RoZXI=")


def test_two_secrets_sign_while_one_is_rotated(place, receiver):
    made = place.endpoint(receiver.url)
    again = place.desk.rotate(made.id, keep_old_s=60)
    place.settle()
    place.send()
    assert receiver.received[0].verified(made.secret) == receiver.received[0].verified(again.secret)
    assert place.desk.get(made.id).secrets_in_use == 2
    at_once = place.desk.rotate(made.id, keep_old_s=0)
    place.settle()
    place.send()
    assert receiver.received[1].verified(at_once.secret)
    with pytest.raises(WebhookVerificationError):
        receiver.received[1].verified(again.secret)


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, {"a", "b", "c"}),
        ({"job_types": ["one"]}, {"a", "b"}),
        ({"queues": ["q1"]}, {"a", "c"}),
        ({"tags": ["t1", "t2"]}, {"b", "c"}),
        ({"job_types": ["one"], "queues": ["q1"]}, {"a"}),
        ({"job_types": ["none"]}, set()),
    ],
)
def test_filters_choose_jobs(place, receiver, filters, wanted):
    place.endpoint(receiver.url, **filters)
    place.settle(name="a", type="one", queue="q1")
    place.settle(name="b", type="one", queue="q2", tags=json.dumps(["t1"]))
    place.settle(name="c", type="two", queue="q1", tags=json.dumps(["t2", "t3"]))
    place.send()
    assert {json.loads(each.body)["data"]["name"] for each in receiver.received} == wanted


def test_what_an_endpoint_does_not_take_comes_again_under_its_id_and_holds_up_only_its_own_job(place, receiver):
    made = place.endpoint(receiver.url)
    first, other = place.settle(Event.FAIL), place.settle()
    place.jobs.apply(Event.RERUN, first, run=1)
    place.jobs.apply(Event.COMPLETE, first, run=2)
    refusals = [500, 503, 404]
    receiver.answer = lambda message: (
        (refusals.pop(0), {}) if first in message.body.decode() and refusals else (200, {})
    )
    place.send()
    told = [json.loads(each.body)["data"] for each in receiver.received]
    assert [each["run"] for each in told if each["id"] == first] == [1, 1, 1, 1, 2]
    assert len(set(receiver.ids)) == 3
    assert [each["id"] for each in told].index(other) < 4
    by_run = {each.body: each for each in place.deliveries(made)}
    [tried] = [each for each in by_run.values() if each.attempt_count > 1]
    assert [each.status for each in tried.attempts] == [500, 503, 404, 200]
    assert tried.attempts[0].error == "It answered 500"


def test_a_redirect_is_not_followed_wherever_it_leads(place, receiver):
    with receiving() as inside:
        made = place.endpoint(receiver.url)
        receiver.answer = lambda _: (302, {"Location": inside.url})
        place.settle()
        place.send(until=lambda: len(receiver.received) > 1)
        assert inside.received == []
    assert "a redirect, which is not followed" in place.deliveries(made)[0].attempts[0].error


def test_a_slow_endpoint_has_a_time_limit_and_holds_up_no_other(client, keys, store, receiver):
    place = Place(client, keys, store, timeout_s=0.5)
    with receiving() as fast:
        slow_one = place.endpoint(receiver.url)
        place.endpoint(fast.url)
        receiver.answer = slowly(3)
        for _ in range(30):
            place.settle()
        place.send(until=lambda: len(fast.received) == 30)
        place.send(until=lambda: any(each.attempts for each in place.deliveries(slow_one)))
    told = [each.attempts[0].error for each in place.deliveries(slow_one) if each.attempts]
    assert "did not answer within 0.5 s" in told[0]


def test_an_endpoint_that_is_away_is_tried_again_and_gets_all_of_it(place):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = place.endpoint(f"http://127.0.0.1:{port}/hook")
    jobs = [place.settle() for _ in range(5)]
    place.send(until=lambda: any(each.attempt_count > 1 for each in place.deliveries(made)))
    assert place.desk.get(made.id).failing_since is not None
    with receiving(port=port) as receiver:
        place.send()
    assert sorted(json.loads(each.body)["data"]["id"] for each in receiver.received) == sorted(jobs)
    shown = place.desk.get(made.id)
    assert (shown.failing_since, shown.pending, shown.delivered_at is None) == (None, 0, False)


def test_after_a_day_it_is_given_up_and_said(place, receiver):
    made = place.endpoint(receiver.url)
    receiver.answer = lambda _: (500, {})
    place.settle()
    place.announce()
    [delivery] = place.deliveries(made)
    old = delivery.model_copy(update={"since": datetime.now(UTC) - timedelta(hours=25)})
    place.client.hset(place.keys("webhook_deliveries", made.id), delivery.id, old.model_dump_json())
    place.send()
    [delivery] = place.deliveries(made)
    assert (delivery.state, delivery.attempt_count) == (DeliveryState.GIVEN_UP, 1)
    receiver.answer = lambda _: (200, {})
    again = place.desk.redeliver(made.id, delivery.id)
    assert (again.id, again.redelivered) == (delivery.id, 1)
    place.send()
    [delivery] = place.deliveries(made)
    assert (delivery.state, len(set(receiver.ids)), len(receiver.ids)) == (DeliveryState.DELIVERED, 1, 2)


@pytest.mark.parametrize("status", [500, 410])
def test_an_endpoint_that_fails_for_days_or_is_gone_is_disabled_and_can_be_enabled(
    client, keys, store, receiver, status
):
    place = Place(client, keys, store, disable_after_ms=-1)
    made = place.endpoint(receiver.url)
    receiver.answer = lambda _: (status, {})
    place.settle()
    place.send(until=lambda: not place.desk.get(made.id).enabled)
    shown = place.desk.get(made.id)
    assert ("410" in shown.disabled_reason) == (status == 410)
    place.send()
    assert {each.state for each in place.deliveries(made)} == {DeliveryState.GIVEN_UP}
    place.settle()
    place.announce()
    assert len(place.deliveries(made)) == 1  # it is told nothing meanwhile
    receiver.answer = lambda _: (200, {})
    shown = place.desk.update(made.id, WebhookWanted(url=receiver.url, events=["job.settled"]))
    assert (shown.enabled, shown.disabled_reason, shown.failing_since) == (True, None, None)
    place.settle()
    place.send()
    assert place.deliveries(made)[0].state is DeliveryState.DELIVERED


def test_how_long_it_failed_before_it_was_enabled_or_got_another_url_does_not_count(client, keys, store, receiver):
    place = Place(client, keys, store, disable_after_ms=3_600_000)
    made = place.endpoint(receiver.url)
    receiver.answer = lambda _: (500, {})
    wanted = WebhookWanted(url=receiver.url, events=["job.settled"])

    def fail_now():
        """Have it fail once more; returns how it does then."""
        place.settle()
        tried = len(receiver.received)
        place.send(until=lambda: len(receiver.received) > tried and place.store.states([made.id])[made.id][0])
        return place.desk.get(made.id)

    def failed_for_hours():
        state, at = keys("webhook_state", made.id), place.store.server_ms()
        client.hset(state, mapping={"failing_since": at - 2 * 3_600_000, "failed_at": at - 60_000})

    for change in ({"enabled": False}, {"url": f"{receiver.url}2"}):
        failed_for_hours()
        place.desk.update(made.id, wanted.model_copy(update=change))
        place.desk.update(made.id, wanted)
        assert fail_now().enabled
    failed_for_hours()
    place.desk.update(made.id, wanted.model_copy(update={"description": "another"}))
    assert not fail_now().enabled
    assert place.desk.update(made.id, wanted).enabled
    assert fail_now().enabled


def test_a_failure_of_long_ago_is_not_the_beginning_of_those_of_today(client, keys, store, receiver):
    """Nothing was sent for days, so it has not failed for days."""
    place = Place(client, keys, store, disable_after_ms=3_600_000)
    made = place.endpoint(receiver.url)
    receiver.answer = lambda _: (500, {})
    long_ago = place.store.server_ms() - 5 * 86_400_000
    client.hset(keys("webhook_state", made.id), mapping={"failing_since": long_ago, "failed_at": long_ago})
    place.settle()
    place.send(until=lambda: any(each.attempts for each in place.deliveries(made)))
    shown = place.desk.get(made.id)
    assert (shown.enabled, shown.failing_since > from_ms(long_ago)) == (True, True)


def test_changes_at_the_same_time_keep_what_each_has_changed(place, receiver, monkeypatch):
    made = place.endpoint(receiver.url)
    wanted = WebhookWanted(url=receiver.url, events=["job.failed"], description="changed")
    save, meanwhile = WebhookStore._save, [lambda: place.desk.rotate(made.id, 60)]

    def slowly(store, *args, **more):
        if meanwhile:
            meanwhile.pop()()
        return save(store, *args, **more)

    monkeypatch.setattr(WebhookStore, "_save", slowly)
    shown = place.desk.update(made.id, wanted)
    assert (shown.description, shown.events, shown.secrets_in_use) == ("changed", ["job.failed"], 2)
    meanwhile.append(lambda: place.desk.update(made.id, wanted.model_copy(update={"description": "anew"})))
    assert place.desk.rotate(made.id, 0).description == "anew"
    meanwhile.append(lambda: place.desk.remove(made.id))
    with pytest.raises(WebhookNotFoundError):
        place.desk.update(made.id, wanted)
    assert place.desk.all().webhooks == []


@pytest.mark.parametrize("change", ["update", "rotate"])
def test_what_is_disabled_while_somebody_changes_it_stays_so_unless_they_enable_it(
    client, keys, store, receiver, monkeypatch, change
):
    place = Place(client, keys, store, disable_after_ms=-1)
    made = place.endpoint(receiver.url)
    receiver.answer = lambda _: (500, {})
    save, meanwhile = WebhookStore._save, [lambda: place.send(until=lambda: not place.desk.get(made.id).enabled)]

    def slowly(store, *args, **more):
        if meanwhile:
            meanwhile.pop()()
        return save(store, *args, **more)

    place.settle()
    monkeypatch.setattr(WebhookStore, "_save", slowly)
    if change == "rotate":
        place.desk.rotate(made.id, 0)
    else:
        place.desk.update(made.id, WebhookWanted(url=receiver.url, events=["job.settled"]))
    shown = place.desk.get(made.id)
    assert (shown.enabled, shown.disabled_at is None, shown.failing_since is None) == ((change == "update",) * 3)


def test_of_a_delivery_that_is_sent_once_more_the_pauses_begin_anew(client, keys, store, receiver):
    place = Place(client, keys, store, backoff_s=(0.01, 0.01, 10_000))
    made = place.endpoint(receiver.url)
    receiver.answer = lambda _: (500, {})
    place.settle()
    for tried in (3, 6):
        place.send(until=lambda tried=tried: [e.attempt_count for e in place.deliveries(made)] == [tried])
        place.desk.redeliver(made.id, place.deliveries(made)[0].id)
    [delivery] = place.deliveries(made)
    assert (delivery.redelivered, delivery.next_attempt_at <= from_ms(now_ms())) == (2, True)


def test_what_is_sent_at_the_moment_is_not_sent_twice_at_once(place, receiver):
    made = place.endpoint(receiver.url)
    receiver.answer, asked = slowly(0.3), []
    place.settle()

    def ask():
        if receiver.received and not asked:
            asked.append(place.desk.redeliver(made.id, place.deliveries(made)[0].id))
        return False

    place.send(until=ask)
    assert (len(asked), len(receiver.received)) == (1, 1)
    [delivery] = place.deliveries(made)
    assert (delivery.state, delivery.attempt_count, delivery.redelivered) == (DeliveryState.DELIVERED, 1, 0)
    assert place.client.exists(place.keys("webhook_claims", made.id)) == 0


def test_an_endpoint_that_asks_for_time_gets_it(place, receiver):
    made = place.endpoint(receiver.url)
    receiver.answer = lambda _: (429, {"Retry-After": "120"})
    place.settle()
    place.send(until=lambda: any(each.attempts for each in place.deliveries(made)))
    [delivery] = place.deliveries(made)
    waits_s = (delivery.next_attempt_at - from_ms(now_ms())).total_seconds()
    assert 60 < waits_s <= 120


def test_the_times_between_attempts_grow_and_end_within_a_day():
    assert list(BACKOFF_S) == sorted(BACKOFF_S)
    assert sum(BACKOFF_S) < 86_400


def test_a_name_is_resolved_once_and_never_to_what_was_not_checked(place, receiver, monkeypatch):
    port, asked = int(receiver.url.split(":")[2].split("/")[0]), []
    real = socket.getaddrinfo

    def rebinding(host, *args, **more):
        if host != "rebound.example":
            return real(host, *args, **more)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    made = place.endpoint(f"http://rebound.example:{port}/hook")
    place.settle()
    place.send()
    assert (len(asked), len(receiver.received)) == (1, 1)
    assert receiver.received[0].headers["host"] == f"rebound.example:{port}"
    place.settle()
    place.send(until=lambda: any(each.attempts and each.state == "pending" for each in place.deliveries(made)))
    assert len(receiver.received) == 1
    assert any("127.0.0.2 is no address of the internet" in str(each.attempts) for each in place.deliveries(made))


class DiesAt:
    """The outbox of a process that dies as it calls one of its methods, or right after that."""

    def __init__(self, store, method, *, after):
        self._store, self._method, self._after = store, method, after

    def __getattr__(self, name):
        found = getattr(self._store, name)
        if name != self._method:
            return found

        def call(*args, **more):
            if self._after:
                found(*args, **more)
            raise _KilledError

        return call


class _KilledError(BaseException):
    pass


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("method", ["enqueue", "forget", "claim", "settle"])
def test_nothing_is_lost_and_what_comes_twice_has_its_id_whatever_a_process_dies_at(place, receiver, method, after):
    made = place.endpoint(receiver.url)
    jobs = [place.settle() for _ in range(3)]
    dying = DiesAt(place.store, method, after=after)
    with contextlib.suppress(_KilledError, asyncio.CancelledError):
        place.send(store=dying, until=lambda: bool(receiver.received))
    place.send()
    told = [json.loads(each.body)["data"]["id"] for each in receiver.received]
    assert set(told) == set(jobs)
    assert len(set(receiver.ids)) == 3
    assert {each.state for each in place.deliveries(made)} == {DeliveryState.DELIVERED}


def test_pending_deliveries_are_bounded_and_what_is_left_out_is_counted(place, receiver):
    made = place.endpoint(receiver.url)
    place.client.zadd(place.keys("webhook_pending", made.id), {str(n): n for n in range(5000)})
    place.settle()
    place.announce()
    shown = place.desk.get(made.id)
    assert (shown.pending, shown.dropped) == (5000, 1)


def test_the_log_is_bounded_and_paged(place, receiver):
    made = place.endpoint(receiver.url)
    for _ in range(3):
        place.settle()
    place.send()
    first = place.desk.deliveries(made.id, size=2, cursor=None)
    rest = place.desk.deliveries(made.id, size=2, cursor=first.next_cursor)
    assert len({each.id for each in (*first.deliveries, *rest.deliveries)}) == 3
    assert rest.next_cursor is None
    log = place.keys("webhook_log", made.id)
    place.client.zadd(log, {f"old{n}": n for n in range(1500)})
    place.client.hset(place.keys("webhook_deliveries", made.id), mapping={f"old{n}": "{}" for n in range(1500)})
    for _ in range(3):
        place.settle()
    place.send()
    assert place.client.zcard(log) == 1503 + 3 - 60
    assert place.client.hlen(place.keys("webhook_deliveries", made.id)) == place.client.zcard(log)


@pytest.mark.parametrize("host", ["localhost", "other.example"])
def test_a_certificate_is_that_of_the_name_though_the_address_is_spoken_to(place, monkeypatch, tmp_path, host):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    openssl = [program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*openssl, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *args, **more: real("127.0.0.1", *args, **more))
    with receiving(certificate=certificate, key=key) as receiver:
        made = place.endpoint(receiver.url.replace("http://127.0.0.1", f"https://{host}"))
        place.settle()
        place.send(until=lambda: any(each.attempts for each in place.deliveries(made)))
        assert len(receiver.received) == (host == "localhost")
    [delivery] = place.deliveries(made)
    assert ("CERTIFICATE_VERIFY_FAILED" in str(delivery.attempts)) == (host != "localhost")


def test_a_webhook_that_is_deleted_leaves_nothing(place, receiver):
    made = place.endpoint(receiver.url)
    place.settle()
    place.announce()
    place.desk.remove(made.id)
    left = [key for key in place.client.scan_iter(f"{place.keys.namespace}:*") if "webhook" in key or "annou" in key]
    assert left == []
