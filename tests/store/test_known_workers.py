"""Workers that went stay known for a day: as lost or as stopped."""

import pytest
from support.sample_jobs import a_worker
from support.workers_under_test import eventually

from jobtracker.store.leases import MOST_REMEMBERED, Leases


@pytest.fixture
def leases(client, keys):
    return Leases(client, keys, lost_s=20)


def test_a_worker_that_lives_has_no_end(leases):
    leases.renew(a_worker("here"))
    [found] = leases.known()
    assert (found.worker.incarnation, found.ended_ms, found.is_lost) == ("here", None, False)


def test_one_that_gave_its_lease_back_has_stopped(client, keys, leases):
    leases.renew(a_worker("here"))
    leases.release("here")
    assert leases.live() == []
    [found] = leases.known()
    assert (found.worker.name, found.is_lost) == ("w@test", False)
    assert found.ended_ms == found.worker.stopped_at_ms
    assert 86_000 < client.ttl(keys("worker", "here")) <= 86_400
    assert leases.lost(10) == []


def test_one_whose_lease_ran_out_is_lost(client, keys, leases):
    Leases(client, keys, lost_s=0.02).renew(a_worker("gone"))
    eventually(lambda: leases.live() == [])
    [found] = leases.known()
    assert found.is_lost
    assert [each.incarnation for each in leases.lost(10)] == ["gone"]


def test_one_that_a_lease_says_it_has_again_lives(leases):
    leases.renew(a_worker("here"))
    leases.release("here")
    leases.renew(a_worker("here"))
    [found] = leases.known()
    assert (found.ended_ms, found.worker.stopped_at_ms) == (None, None)


def test_giving_back_what_nobody_has_makes_nobody_known(leases):
    leases.release("never")
    assert leases.known() == []


def test_the_latest_thousand_are_known(client, keys, leases):
    key = keys.parts[0]("workers")
    leases.renew(a_worker("first"))
    score = client.zscore(key, "first")
    client.zadd(key, {f"i{n}": score + 1 for n in range(MOST_REMEMBERED)})
    leases.renew(a_worker("last"))
    assert client.zcard(key) == MOST_REMEMBERED
    assert client.zscore(key, "first") is None
