"""How much each may have pending: counted before it is recorded, so that no two processes exceed it together."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.sample_jobs import create_job

from jobtracker.core.lifecycle import Event
from jobtracker.errors import TooManyRequestsError
from jobtracker.store import quotas
from jobtracker.store.quotas import Quotas
from jobtracker.store.verification import Verification


@pytest.fixture(autouse=True)
def always_clears(monkeypatch):
    monkeypatch.setattr(quotas, "_CLEARED_EVERY_S", 0)


def create(made: Quotas, store, name: str, *job_ids: str, size: int = 10) -> bool:
    """Create jobs, if that is allowed."""
    try:
        made.hold(name, name, [(job_id, size) for job_id in job_ids])
    except TooManyRequestsError:
        return False
    for job_id in job_ids:
        create_job(store, job_id)
    return True


def assert_adds_up(client, keys, account: str = "ada") -> None:
    """The running total is what a recount finds."""
    assert Verification(client, keys.parts[0]).quota(account, repair=False) is None


@pytest.fixture
def five(client, keys, queries) -> Quotas:
    return Quotas(client, keys, queries, 5, 0)


def test_each_may_have_so_many_jobs_pending(five, store):
    assert create(five, store, "ada", "a1", "a2", "a3")
    assert not create(five, store, "ada", "a4", "a5", "a6")
    assert create(five, store, "ada", "a7", "a8")
    assert not create(five, store, "ada", "a9")
    assert create(five, store, "bob", "b1", "b2", "b3", "b4", "b5")
    with pytest.raises(
        TooManyRequestsError, match=r"ada would have 6 pending jobs, more than 5 \(API_PENDING_JOBS\)"
    ):
        five.hold("ada", "ada", [("a9", 1)])


def test_jobs_that_have_begun_or_are_gone_do_not_count(five, store):
    assert create(five, store, "ada", *(f"a{n}" for n in range(5)))
    store.apply(Event.START, "a0")
    assert create(five, store, "ada", "a5")
    store.delete("a1")  # gone, but it might be about to be recorded
    assert not create(five, store, "ada", "a6")


def test_what_was_never_recorded_counts_for_a_while_only(five, store, monkeypatch):
    five.hold("ada", "ada", [(f"lost{n}", 1) for n in range(5)])
    assert not create(five, store, "ada", "a1")
    monkeypatch.setattr(quotas, "_BEING_RECORDED_MS", -1)
    assert create(five, store, "ada", "a1", "a2", "a3", "a4", "a5")


def test_payloads_may_have_so_many_bytes(client, keys, queries, store):
    made = Quotas(client, keys, queries, 0, 1000)
    assert create(made, store, "ada", "a1", size=600)
    assert not create(made, store, "ada", "a2", size=600)
    assert create(made, store, "ada", "a3", size=400)
    store.apply(Event.START, "a1")
    assert create(made, store, "ada", "a4", size=600)
    with pytest.raises(TooManyRequestsError, match="1,001 bytes, more than 1,000"):
        made.hold("ada", "ada", [("a5", 1)])


def test_many_processes_at_once_do_not_exceed_it(client, keys, queries, store):
    made = [Quotas(client, keys, queries, 20, 0) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: create(made[n % 4], store, "ada", f"a{n}", f"b{n}"), range(40)))
    assert 2 * sum(done) <= 20
    assert client.hlen(keys("quota", "ada")) == 1 + 2 * sum(done)  # the total
    assert_adds_up(client, keys)
    assert client.ttl(keys("quota", "ada")) > 0


def test_a_limit_that_is_hit_again_and_again_is_not_looked_at_each_time(five, store, monkeypatch):
    monkeypatch.setattr(quotas, "_CLEARED_EVERY_S", 60)
    assert create(five, store, "ada", *(f"a{n}" for n in range(5)))
    assert not create(five, store, "ada", "a5")
    store.apply(Event.START, "a0")
    assert not create(five, store, "ada", "a5")


def test_the_total_stays_what_the_jobs_have_together(client, keys, queries, store):
    made = Quotas(client, keys, queries, 0, 1000)
    assert create(made, store, "ada", "a1", "a2", size=300)
    made.hold("ada", "ada", [("a1", 500)])  # another payload
    with pytest.raises(TooManyRequestsError, match="1,100 bytes, more than 1,000"):
        made.hold("ada", "ada", [("a2", 600)])
    assert client.hget(keys("quota", "ada"), "") == "800"
    made.hold("ada", "ada", [("a2", 100), ("a2", 50)])
    made.release("ada", ["a1", "a1", "none"])
    assert client.hget(keys("quota", "ada"), "") == "50"
    assert_adds_up(client, keys)


def test_a_payload_may_become_smaller_though_the_limit_has_come_down(client, keys, queries):
    Quotas(client, keys, queries, 0, 1000).hold("ada", "ada", [("a1", 1000)])
    lower = Quotas(client, keys, queries, 1, 100)
    lower.hold("ada", "ada", [("a1", 900)])
    with pytest.raises(TooManyRequestsError, match="901 bytes"):
        lower.hold("ada", "ada", [("a1", 901)])


def test_what_a_create_costs_does_not_depend_on_how_many_jobs_are_pending(client, keys, queries):
    made = Quotas(client, keys, queries, 0, 10**9)
    made.hold("ada", "ada", [(f"a{n}", 10) for n in range(3000)])
    client.config_resetstat()
    made.hold("ada", "ada", [("one", 10)])
    calls = {name.removeprefix("cmdstat_"): each["calls"] for name, each in client.info("commandstats").items()}
    assert not calls.keys() & {"hvals", "hgetall", "hscan"}
    assert sum(calls.values()) < 20


def test_a_limit_that_is_reached_looks_at_some_jobs_at_a_time(client, keys, queries, store, monkeypatch):
    monkeypatch.setattr(quotas, "_LOOKED_AT", 1000)
    monkeypatch.setattr(quotas, "_BEING_RECORDED_MS", -1)
    made = Quotas(client, keys, queries, 3000, 0)
    made.hold("ada", "ada", [(f"lost{n}", 10) for n in range(3000)])
    left = []
    for number in range(8):
        create(made, store, "ada", f"a{number}", size=10)
        left.append(sum(each.startswith("lost") for each in client.hkeys(keys("quota", "ada"))))
    assert 0 < left[0] < 3000
    for _ in range(8):
        made._clear("ada", 5000)
    assert client.hlen(keys("quota", "ada")) <= 9
    assert_adds_up(client, keys)


def test_a_total_that_is_wrong_is_found_and_mended(client, keys, five):
    five.hold("ada", "ada", [("a1", 10), ("a2", 20)])
    client.hset(keys("quota", "ada"), "", 77)
    check = Verification(client, keys.parts[0])
    found = check.quota("ada", repair=False)
    assert (found.flaw, found.subject, found.found, found.wanted) == ("total", "ada", "77", "30")
    assert check.quota("ada", repair=True).is_repaired
    assert_adds_up(client, keys)
