"""A store of several partitions: trees that lie across them are as exact as those that don't."""

import re
from collections import Counter
from pathlib import Path

import pytest
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from support.raw_records import stored
from support.recount import recount
from support.sample_jobs import START_MS, a_worker, create_in, new_job

import jobtracker
from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.lifecycle import SETTLED, Event, Outcome, Status
from jobtracker.errors import OutdatedSchemaError, PartitionsError
from jobtracker.schemas.filters import JobFilter, Sort, TimeRange
from jobtracker.store import merge as paging
from jobtracker.store.changes import SettledIndex
from jobtracker.store.functions import FencedError
from jobtracker.store.keys import OF_ONE_JOB, OF_THE_STORE, Keys
from jobtracker.store.leases import Leases
from jobtracker.store.partitions import expect_partitions
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

pytestmark = pytest.mark.thorough

PARTITIONS = 5
LONG_AFTER_MS = 2**53


@pytest.fixture
def partitions():
    return PARTITIONS


def names(keys: Keys, apart_from: str | None = None) -> list[str]:
    """Ids of jobs, one in each partition; or in each but that of another job."""
    found: dict[int, str] = {}
    for n in range(100):
        found.setdefault(keys.of(f"job-{n}").number, f"job-{n}")
    if apart_from:
        del found[keys.of(apart_from).number]
    return list(found.values())


@pytest.fixture
def family(keys, store):
    """A parent, and sub-jobs that all run in other partitions."""
    subs = names(keys, apart_from="parent")
    store.create(*(new_job(sub, parent="parent", run=1) for sub in subs))
    store.create(new_job("parent", run=1, subs=subs))
    store.apply_many(Event.START, {sub: {} for sub in subs})
    return subs


def tell(store: JobStore, sub: str) -> str:
    return store.notify_parent("parent", sub, 1, Status.FAILED).verdict


def test_one_partition_has_the_keys_that_it_always_had():
    assert Keys("shop")("job", "x") == Keys("shop").of("x")("job", "x") == "shop:{0}:job:x"


@pytest.mark.parametrize(
    ("partitions", "servers"),
    [*((n, n) for n in (2, 3, 4, 5, 6, 8, 16, 32)), (6, 2), (6, 3), (12, 3), (24, 6), (48, 4)],
)
def test_servers_with_even_shares_of_the_slots_have_even_shares_of_the_partitions(partitions, servers):
    slots = [key_slot(part("job", "x").encode()) for part in Keys("shop", partitions).parts]
    found = Counter(slot * servers // REDIS_CLUSTER_HASH_SLOTS for slot in slots)
    assert found == dict.fromkeys(range(servers), partitions // servers)


def test_jobs_spread_evenly_and_an_id_beside_another_lies_in_its_partition():
    keys = Keys("shop", PARTITIONS)
    shares = keys.share_out([keys.new_id() for _ in range(5000)])
    assert all(850 < len(own) < 1150 for own in shares.values())
    assert len(shares) == PARTITIONS
    root = keys.new_id()
    subs = {keys.new_id(beside=root) for _ in range(200)}
    assert len(subs) == 200
    assert set(keys.share_out([*subs])) == {keys.of(root)}


def test_an_id_with_half_a_character_lies_where_it_lies_as_it_is_written():
    keys = Keys(partitions=PARTITIONS)
    for n in range(20):
        assert keys.of(f"\ud83d{n}") == keys.of(f"?{n}")


def test_a_key_that_each_partition_has_of_its_own_is_not_asked_of_the_store():
    with pytest.raises(ValueError, match="each partition has its own counts"):
        Keys("shop", 2)("counts")


def test_a_parent_hears_of_sub_jobs_everywhere_and_names_those_that_failed(client, keys, store, queries, family):
    for sub in family:
        store.apply(Event.FAIL, sub, fields={"reason": f"{sub} broke"})
    verdicts = [tell(store, sub) for sub in family]
    assert verdicts == ["waiting"] * (len(family) - 1) + ["settled"]
    assert queries.get("parent").reason == "4 of 4 sub-jobs did not complete: " + "; ".join(
        f"a job ({sub}) failed: {sub} broke" for sub in family
    )
    assert queries.unnotified(LONG_AFTER_MS, 10) == []
    assert recount(client, keys) == []


def test_what_was_read_before_a_correction_and_told_after_it_changes_nothing(client, keys, store, queries, family):
    """The teller was paused between the two: only the number of times that it has left its end shows it."""
    first, *others = family
    for sub in others:
        store.apply(Event.COMPLETE, sub)
        tell(store, sub)
    assert store.apply(Event.LOSE, first).after is Status.FAILED
    was = [stored(store.client, keys, first).get(field) for field in ("run", "status", "reopen_count")]
    assert store.apply(Event.COMPLETE, first).after is Status.COMPLETED
    tell(store, first)
    told = client.hgetall(keys("outcomes", "parent"))
    part = keys.of("parent")
    late = [part.prefix, "parent", first, was[0], was[1], 1, was[2] or "0"]
    assert store._functions.call(client, "notify_parent", part("job", "parent"), late)[0] == "waiting"
    assert client.hgetall(keys("outcomes", "parent")) == told
    assert queries.get("parent").sub_job_counts.completed == len(family)


def test_a_sub_job_that_moves_on_while_it_is_told_of_stays_unnotified(keys, store, queries, family):
    first, *_ = family
    store.apply(Event.LOSE, first)

    class Slow(JobStore):
        def _notified_call(self, job_id, left, *, settled):
            store.apply(Event.COMPLETE, job_id)  # between telling its parent and noting that
            return super()._notified_call(job_id, left, settled=settled)

    Slow(store.client, keys).notify_parent("parent", first, 1, Status.FAILED)
    assert queries.unnotified(LONG_AFTER_MS, 10) == [first]
    tell(store, first)
    assert queries.unnotified(LONG_AFTER_MS, 10) == []


@pytest.mark.parametrize("is_attached", [False, True])
def test_a_sub_job_is_unnotified_until_its_parent_lists_it(keys, store, queries, is_attached):
    (sub, *_) = names(keys, apart_from="parent")
    store.create(new_job(sub, parent="parent"))
    assert queries.unnotified(LONG_AFTER_MS, 10) == [sub]
    if is_attached:
        store.create(new_job("parent", subs=[sub]))
    else:
        tell(store, sub)  # as the notifier does: there is no such parent
    assert queries.unnotified(LONG_AFTER_MS, 10) == []


def test_one_that_has_ended_by_then_stays_so_for_the_reaper_to_tell(keys, store, queries):
    (sub, *_) = names(keys, apart_from="parent")
    store.create(new_job(sub, parent="parent", run=1))
    store.apply(Event.COMPLETE, sub)
    store.create(new_job("parent", subs=[sub]))
    assert queries.unnotified(LONG_AFTER_MS, 10) == [sub]


@pytest.mark.parametrize("mode", ["delete", "expire"])
def test_sub_jobs_go_with_their_parent_only(client, keys, store, queries, family, mode):
    for sub in family:
        store.apply(Event.COMPLETE, sub)
        tell(store, sub)
    assert store.delete(*family, mode=mode, finished_before_ms=LONG_AFTER_MS) == [Outcome.ILLEGAL] * len(family)
    store.apply(Event.COMPLETE, "parent", run=1)
    assert store.delete("parent", mode=mode, finished_before_ms=LONG_AFTER_MS) == [Outcome.APPLIED]
    assert sorted(queries.trash(100)) == sorted(family)
    for sub in family:
        assert store.apply(Event.RERUN, sub).outcome in {Outcome.DELETED, Outcome.ILLEGAL}
    assert set(store.delete(*family, mode="trash")) == {Outcome.APPLIED}
    assert queries.trash(100) == []
    assert queries.counts() == []
    assert recount(client, keys) == []


def test_retention_leaves_trees_to_who_sees_all_partitions(client, keys, store, family):
    for sub in family:
        store.apply(Event.COMPLETE, sub)
        tell(store, sub)
        create_in(store, Status.COMPLETED, job_id=keys.new_id(beside=sub))
    index = SettledIndex(Status.COMPLETED, "normal:custom")
    for sub in family:
        done = store.prune(keys.of(sub), [index], finished_before_ms=LONG_AFTER_MS)
        assert (done.removed, done.apart) == (1, [sub])
    assert recount(client, keys) == []


def test_figures_and_what_waits_come_from_every_partition(store, queries, family):
    assert sum(count.count for count in queries.counts()) == len(family) + 1
    assert set(queries.entered_before(Status.RUNNING, LONG_AFTER_MS, 0, 100)) == set(family)
    assert queries.entered_before(Status.RUNNING, LONG_AFTER_MS, 1, 2) == sorted(family)[1:3]
    store.apply_many(Event.COMPLETE, {sub: {} for sub in family}, dict.fromkeys(family, 1))
    assert len(queries.unnotified(LONG_AFTER_MS, 100)) == len(family)
    now = now_ms()
    assert queries.performance(now - 3_600_000, now, ["custom"])["custom"].count == len(family)
    assert sum(point.completed for point in queries.throughput(now - 3_600_000, now, 5)) == len(family)


def test_a_reaper_gets_the_turns_that_nobody_has_and_bears_each_where_it_writes(client, keys, store, family):
    mine, theirs = keys.of(family[0]), keys.of(family[1])
    client.set(theirs("leader"), "1:another")
    turns = store.acquire_leadership("me", lock_ms=60_000, mark_ms=60_000)
    fences = {part: turn.fence for part, turn in turns.items() if turn.fence}
    assert set(fences) == set(keys.parts) - {theirs}
    fenced = store.fenced(fences)
    assert fenced.apply(Event.FAIL, family[1]).applied  # carried on from a job of its own partition
    client.set(mine("leader"), "2:another")
    with pytest.raises(FencedError):
        fenced.apply(Event.FAIL, family[0])
    assert JobQueries(client, keys).state(family[0])[1] not in SETTLED


@pytest.mark.parametrize("sort", [Sort.CREATED, Sort.CREATED_DESC])
@pytest.mark.parametrize("fetched", [1, 20, 1000])
@pytest.mark.parametrize(
    "bounds", [TimeRange(), TimeRange(since=from_ms(START_MS + 3), until=from_ms(START_MS + 40))]
)
def test_a_page_of_any_number_is_found_among_few_and_among_many(
    monkeypatch, keys, store, queries, sort, fetched, bounds
):
    monkeypatch.setattr(paging, "_FETCHED", fetched)
    jobs = {f"j{n}": START_MS + (n // 3 if n < 150 else 50) + (10**7 if n > 290 else 0) for n in range(300)}
    for job, at_ms in jobs.items():
        store.create(new_job(job), at_ms=at_ms)
    wanted = JobFilter(sort=sort, created=bounds)
    order = sorted(
        (at_ms, job) for job, at_ms in jobs.items() if not bounds or START_MS + 3 <= at_ms <= START_MS + 40
    )
    expected = [job for _, job in (order if sort is Sort.CREATED else order[::-1])]
    for number in range(1, len(expected) // 7 + 3):
        page = queries.page(wanted, size=7, number=number)
        assert [job.id for job in page.jobs] == expected[(number - 1) * 7 : number * 7]
        assert (page.total, page.next_cursor is None) == (len(expected), number * 7 >= len(expected))


def test_sub_jobs_everywhere_are_listed_in_their_order(store, queries, family):
    pages = [queries.page(JobFilter(parent="parent"), size=2, number=number) for number in (1, 2, 3)]
    assert [[job.id for job in page.jobs] for page in pages] == [family[:2], family[2:], []]
    running = queries.page(JobFilter(parent="parent", status=Status.RUNNING, sort=None), size=10)
    assert {job.id for job in running.jobs} == set(family)


def test_a_process_that_takes_the_store_to_have_another_number_of_partitions_is_told_what_to_do(client, keys, store):
    expect_partitions(client, keys)
    expect_partitions(client, keys)
    assert client.get(keys("partitions")) == str(PARTITIONS)
    for wanted in (1, 3):
        other = Keys(keys.namespace, wanted)
        checked = JobStore(client, other, check=lambda other=other: expect_partitions(client, other))
        for _ in range(2):  # not only the first time
            with pytest.raises(
                PartitionsError, match=rf"TRACKING_PARTITIONS is {wanted} .*repartition --to {wanted}"
            ):
                checked.create(new_job("x"))


def test_a_store_of_which_nothing_is_noted_has_one_partition(client, keys):
    one = Keys(keys.namespace)
    expect_partitions(client, one)
    assert client.get(keys("partitions")) is None
    JobStore(client, one).create(new_job("x"))
    expect_partitions(client, one)
    with pytest.raises(PartitionsError, match="The store has 1 partition, and TRACKING_PARTITIONS is 5 here"):
        expect_partitions(client, keys)


def test_a_store_whose_records_this_release_does_not_read_is_refused(client, keys, store):
    job = keys.new_id()
    while keys.of(job) is not keys.parts[0]:
        job = keys.new_id()
    expect_partitions(client, keys)
    store.create(new_job(job))
    expect_partitions(client, keys)
    client.delete(keys("job", job))
    client.hset(keys("job", job), mapping={"type": "custom", "status": "pending"})
    with pytest.raises(
        OutdatedSchemaError, match=f"namespace '{keys.namespace}' .*TRACKING_NAMESPACE to another name"
    ):
        expect_partitions(client, keys)


def test_a_store_whose_partitions_this_release_names_otherwise_is_refused(client, keys):
    expect_partitions(client, keys)
    client.sadd(f"{keys.namespace}:{{1}}:kinds", "normal:custom")
    with pytest.raises(OutdatedSchemaError):
        expect_partitions(client, keys)


def test_leases_are_in_every_partition_and_one_lives_that_is_in_any(client, keys):
    leases = Leases(client, keys, lost_s=60)
    leases.renew(a_worker("w"))
    assert all(client.exists(part("lease", "w")) for part in keys.parts)
    client.delete(*(part("lease", "w") for part in keys.parts[:-1]))
    assert leases.held(["w", "gone"]) == {"w"}
    leases.release("w")
    assert leases.held(["w"]) == set()


def test_no_code_asks_the_store_for_a_key_that_each_partition_has_of_its_own():
    """With one partition nobody would notice."""
    package = Path(jobtracker.__file__).parent
    asked = {
        (path.name, name)
        for path in package.rglob("*.py")
        for name in re.findall(r"""\bkeys\(\s*["'](\w+)["']""", path.read_text())
    }
    assert ("records.py", "job") in asked
    assert {each for each in asked if each[1] not in OF_ONE_JOB | OF_THE_STORE | {"status_type"}} == set()
