"""How much each may have pending: counted before it is recorded, so that no two processes exceed it together."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support.sample_jobs import create_job

from jobtracker.core.lifecycle import Event
from jobtracker.errors import TooManyRequestsError
from jobtracker.store import quotas
from jobtracker.store.quotas import Quotas


@pytest.fixture(autouse=True)
def always_clears(monkeypatch):
    monkeypatch.setattr(quotas, "_CLEARED_EVERY_S", 0)


def create(made: Quotas, store, name: str, *job_ids: str, size: int = 10) -> bool:
    """Create jobs, if that is allowed."""
    try:
        made.admit(name, [(job_id, size) for job_id in job_ids])
    except TooManyRequestsError:
        return False
    for job_id in job_ids:
        create_job(store, job_id)
    return True


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
        five.admit("ada", [("a9", 1)])


def test_jobs_that_have_begun_or_are_gone_do_not_count(five, store):
    assert create(five, store, "ada", *(f"a{n}" for n in range(5)))
    store.apply(Event.START, "a0")
    assert create(five, store, "ada", "a5")
    store.delete("a1")  # gone, but it might be about to be recorded
    assert not create(five, store, "ada", "a6")


def test_what_was_never_recorded_counts_for_a_while_only(five, store, monkeypatch):
    five.admit("ada", [(f"lost{n}", 1) for n in range(5)])
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
        made.admit("ada", [("a5", 1)])


def test_many_processes_at_once_do_not_exceed_it(client, keys, queries, store):
    made = [Quotas(client, keys, queries, 20, 0) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: create(made[n % 4], store, "ada", f"a{n}", f"b{n}"), range(40)))
    assert 2 * sum(done) <= 20
    assert client.hlen(keys("quota", "ada")) == 2 * sum(done)
    assert client.ttl(keys("quota", "ada")) > 0


def test_a_limit_that_is_hit_again_and_again_is_not_looked_at_each_time(five, store, monkeypatch):
    monkeypatch.setattr(quotas, "_CLEARED_EVERY_S", 60)
    assert create(five, store, "ada", *(f"a{n}" for n in range(5)))
    assert not create(five, store, "ada", "a5")
    store.apply(Event.START, "a0")
    assert not create(five, store, "ada", "a5")
