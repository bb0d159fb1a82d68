"""A store moves to another number of partitions, or elsewhere: nothing is lost, whenever the move is broken off."""

import itertools
import time

import pytest
from support.recount import keys_of, recount
from support.sample_jobs import WEEK_MS, a_worker, move, new_job
from support.whole_stores import all_of, fill

from jobtracker.connection.client import connect
from jobtracker.errors import PartitionsError, RepartitionInProgressError
from jobtracker.schemas.filters import JobFilter
from jobtracker.store.keys import Keys
from jobtracker.store.leases import Leases
from jobtracker.store.partitions import expect_partitions
from jobtracker.store.reader import JobQueries
from jobtracker.store.repartition import Repartition, RepartitionError
from jobtracker.store.writer import JobStore


def test_there_and_back_again_nothing_differs(client, keys):
    fill(client, keys)
    before, names = all_of(client, keys), {key.partition("}:")[2] for key in keys_of(client, keys)}
    for to in (3, 7, 2, 5, 1):
        assert move(client, keys, to) > 0
        now = Keys(keys.namespace, to)
        assert all_of(client, now) == before
        assert recount(client, now) == []
        expect_partitions(client, now)
        with pytest.raises(PartitionsError):
            expect_partitions(client, Keys(keys.namespace, to + 1))
    totals = {f"total:{name}" for name in ("custom", "t0", "t1", "t2")}
    assert {key.partition("}:")[2] for key in keys_of(client, keys)} - names == {"partitions", *totals}
    assert move(client, keys, 1) == 0


class BrokenOffError(Exception):
    pass


class Breaking:
    """A client whose nth call raises."""

    def __init__(self, client, calls):
        self._client, self._calls = client, itertools.count()
        self._last = calls

    def _check(self):
        if next(self._calls) >= self._last:
            raise BrokenOffError

    def __getattr__(self, name):
        found = getattr(self._client, name)
        if name == "pipeline" or not callable(found):
            return (lambda *a, **k: BreakingPipeline(found(*a, **k), self._check)) if callable(found) else found

        def called(*args, **options):
            self._check()
            return found(*args, **options)

        return called


class BreakingPipeline:
    def __init__(self, pipe, check):
        self._pipe, self._check = pipe, check

    def __getattr__(self, name):
        return getattr(self._pipe, name)

    def execute(self):
        self._check()
        return self._pipe.execute()


@pytest.mark.thorough
def test_broken_off_anywhere_it_goes_on_and_loses_nothing(client, keys):
    fill(client, keys)
    before = all_of(client, keys)
    place, calls, broken = 1, 3, 0
    while broken < 30:
        to = 4 if place == 1 else 1
        while True:
            breaking = Breaking(client, calls)
            try:
                move(breaking, keys, to)
            except BrokenOffError:
                broken += 1
                calls += 7 + broken
                if ">" in (client.get(keys("partitions")) or ""):
                    with pytest.raises(RepartitionInProgressError, match=f"repartition --to {to}"):
                        expect_partitions(client, Keys(keys.namespace, to))
                    with pytest.raises(RepartitionInProgressError):
                        Repartition(client, client, keys.namespace, 9, is_elsewhere=False, retention_ms=WEEK_MS)
                continue
            break
        place, calls = to, 3 + broken
        assert all_of(client, Keys(keys.namespace, place)) == before
        assert recount(client, Keys(keys.namespace, place)) == []


@pytest.mark.thorough
def test_it_moves_to_a_cluster_and_back(client, keys, cluster):
    fill(client, keys)
    before = all_of(client, keys)
    with connect(cluster.url, timeout_s=10) as elsewhere:
        assert move(client, keys, 5, target=elsewhere) > 0
        assert keys_of(client, keys) == []
        there = Keys(keys.namespace, 5)
        assert all_of(elsewhere, there) == before
        assert recount(elsewhere, there) == []
        fill(client, keys)
        with pytest.raises(RepartitionError, match="There is a store already"):
            move(elsewhere, keys, 1, target=client)
        client.unlink(*keys_of(client, keys))
        move(elsewhere, keys, 1, target=client)
        assert keys_of(elsewhere, there) == []
    assert all_of(client, keys) == before
    assert recount(client, keys) == []


def test_it_does_not_begin_while_workers_are_at_work(client, keys):
    fill(client, keys)
    before = all_of(client, keys)
    leases = Leases(client, keys, lost_s=60)
    leases.renew(a_worker("w"))
    with pytest.raises(RepartitionError, match="Workers are at work on the store: w@test"):
        move(client, keys, 3)
    assert all_of(client, keys) == before
    leases.release("w")
    assert move(client, keys, 3) > 0


def test_who_has_worked_on_it_all_the_time_is_refused_from_then_on(client, keys, monkeypatch):
    monkeypatch.setattr("jobtracker.store.functions.CHECKED_EVERY_S", 0.2)
    old = JobStore(client, keys, check=lambda: expect_partitions(client, keys))
    reading = JobQueries(client, keys, check=lambda: expect_partitions(client, keys))
    old.create(new_job("before"))
    assert reading.page(JobFilter(), size=10).total == 1
    began = time.monotonic()
    move(client, keys, 3, patience_s=0.3)
    assert time.monotonic() - began >= 0.3
    for _ in range(2):
        with pytest.raises(PartitionsError):
            old.create(new_job("after"))
        with pytest.raises(PartitionsError):
            reading.page(JobFilter(), size=10)
