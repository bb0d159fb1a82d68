"""Groups of failures: what is counted and listed, whatever comes late, twice or out of order."""

import json

import pytest
from support.raw_records import alter, group_of, stored
from support.recount import recount
from support.sample_jobs import START_MS, create_in, create_job, move

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.fingerprint import fingerprint
from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.errors import FailureGroupNotFoundError
from jobtracker.schemas.failures import FailureAction, FailureFilter, FailureSort, FailureState
from jobtracker.schemas.filters import JobFilter, Sort
from jobtracker.store.cursors import BadCursorError
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

TIMED_OUT = fingerprint("TimeoutError", "no answer after 3 s")
BAD_VALUE = fingerprint("ValueError", "no amount in line 7")
HOUR_MS = 3_600_000


def fail(store, job, of=TIMED_OUT, at_ms=START_MS, run=None, **fields):
    return store.apply(Event.FAIL, job, run=run, fields={**of.fields, **fields}, at_ms=at_ms)


def running(store, **fields):
    job = create_job(store, run=1, **fields)
    store.apply(Event.START, job, run=1, fields={"worker": fields.get("worker", "w1")}, at_ms=START_MS - 1000)
    return job


def ids(page):
    return [group.id for group in page.groups]


def test_a_group_says_what_failed_how_often_and_where(client, keys, store, queries):
    for n in range(3):
        fail(store, running(store, type="invoice", queue="mail"), at_ms=START_MS + n * HOUR_MS)
    last = running(store, type="refund", queue="mail")
    fail(store, last, at_ms=now_ms())
    group = queries.failure_group(TIMED_OUT.group)
    assert (group.error_type, group.message, group.count, group.jobs) == (
        "TimeoutError",
        "no answer after <n> s",
        4,
        4,
    )
    assert (group.types, group.queues, group.workers) == ({"invoice": 3, "refund": 1}, {"mail": 4}, {"w1": 4})
    assert group.samples[0].id == last
    assert (group.samples[0].failure_group, group.samples[0].error_type) == (TIMED_OUT.group, "TimeoutError")
    assert group.hours[-1] == 1
    assert "failure_shape" not in stored(client, keys, last)
    assert recount(client, keys) == []


def test_a_group_is_new_in_the_release_of_its_first_failure(store, queries):
    assert queries.new_in_releases() == {}
    fail(store, running(store), at_ms=START_MS + 5, release="2")
    fail(store, running(store), at_ms=START_MS, release="1")  # is told later
    fail(store, running(store), at_ms=START_MS + 9, release="3")
    fail(store, running(store), of=BAD_VALUE, release="3")
    assert queries.new_in_releases() == {"1": 1, "3": 1}


def test_a_report_that_comes_twice_counts_once(client, keys, store, queries):
    job = running(store)
    assert [fail(store, job, run=1).outcome for _ in range(3)] == [
        Outcome.APPLIED,
        Outcome.DUPLICATE,
        Outcome.DUPLICATE,
    ]
    assert queries.failure_group(TIMED_OUT.group).count == 1


@pytest.mark.parametrize("event", [Event.FAIL, Event.COMPLETE])
def test_what_the_worker_reports_moves_a_job_out_of_the_group_of_an_inferred_failure(
    client, keys, store, queries, event
):
    job, other = running(store), running(store)
    for each in (job, other):
        store.apply(Event.LOSE, each, run=1, fields={"reason": "gone"}, at_ms=START_MS)
    lost = stored(client, keys, job)["failure_group"]
    assert queries.failure_group(lost).count == 2
    store.apply(event, job, run=1, fields=TIMED_OUT.fields if event is Event.FAIL else {}, at_ms=START_MS + 5)
    assert (queries.failure_group(lost).count, queries.failure_group(lost).jobs) == (1, 1)
    assert "error_type" in stored(client, keys, job) or event is Event.COMPLETE
    assert recount(client, keys) == []
    store.apply(Event.COMPLETE, other, run=1, at_ms=START_MS + 5)
    with pytest.raises(FailureGroupNotFoundError):
        queries.failure_group(lost)
    assert recount(client, keys) == []


def test_a_retried_job_leaves_the_list_and_stays_counted(client, keys, store, queries):
    job = running(store)
    fail(store, job, run=1)
    store.apply(Event.RERUN, job)
    group = queries.failure_group(TIMED_OUT.group)
    assert (group.count, group.jobs, group.samples) == (1, 0, [])
    assert "failure_group" not in stored(client, keys, job)
    fail(store, job, run=2, at_ms=START_MS + 5)
    assert (queries.failure_group(TIMED_OUT.group).count, queries.failure_group(TIMED_OUT.group).jobs) == (2, 1)
    assert recount(client, keys) == []


def test_deleted_jobs_leave_the_list(client, keys, store, queries):
    jobs = [running(store) for _ in range(3)]
    for job in jobs:
        fail(store, job)
    store.delete(jobs[0])
    assert (queries.failure_group(TIMED_OUT.group).count, queries.failure_group(TIMED_OUT.group).jobs) == (3, 2)
    assert recount(client, keys) == []


@pytest.mark.parametrize(("event", "kind"), [(Event.LOSE, "WorkerLost"), (Event.QUARANTINE, "JobQuarantinedError")])
def test_failures_without_an_exception_have_groups_by_kind(client, keys, store, queries, event, kind):
    job = running(store)
    store.apply(event, job, run=1)
    assert stored(client, keys, job)["failure_group"] == fingerprint(kind).group
    assert queries.failure_group(fingerprint(kind).group).error_type == kind


def test_a_resolved_group_regresses_in_the_first_failure_after_it_by_report_time(client, keys, store, queries):
    fail(store, running(store))
    assert queries.failure_group(TIMED_OUT.group).state is FailureState.KNOWN  # it is old
    store.mark_failure(TIMED_OUT.group, FailureAction.RESOLVE, START_MS + 1000)
    fail(store, running(store), at_ms=START_MS + 900)  # told late
    assert queries.failure_group(TIMED_OUT.group).state is FailureState.RESOLVED
    fail(store, running(store), at_ms=START_MS + 2000)
    fail(store, running(store), at_ms=START_MS + 3000)
    group = queries.failure_group(TIMED_OUT.group)
    assert (group.state, group.regressed_at.timestamp() * 1000) == (FailureState.REGRESSED, START_MS + 2000)
    for action, state in ((FailureAction.IGNORE, "ignored"), (FailureAction.REOPEN, "known")):
        for _ in range(2):
            store.mark_failure(TIMED_OUT.group, action)
        assert queries.failure_group(TIMED_OUT.group).state == state
    assert recount(client, keys) == []


def test_a_regression_that_was_only_inferred_is_taken_back(client, keys, store, queries):
    lost = fingerprint("WorkerLost").group
    store.apply(Event.LOSE, running(store), run=1, at_ms=START_MS)
    store.mark_failure(lost, FailureAction.RESOLVE, START_MS + 1000)
    job = running(store)
    store.apply(Event.LOSE, job, run=1, at_ms=START_MS + 2000)
    assert queries.failure_group(lost).state is FailureState.REGRESSED
    store.apply(Event.COMPLETE, job, run=1, at_ms=START_MS + 3000)
    assert queries.failure_group(lost).state is FailureState.RESOLVED
    assert recount(client, keys) == []


@pytest.mark.parametrize("text", ["\ud800", "name \udcff", "\x00 \x7f"])
def test_a_failure_with_half_a_character_is_one_like_any_other(client, keys, store, queries, text):
    job, of = running(store), fingerprint("ValueError", f"bad name {text}")
    assert fail(store, job, of=of, run=1).outcome is Outcome.APPLIED
    assert stored(client, keys, job)["status"] == Status.FAILED
    assert queries.failure_group(of.group).count == 1
    assert recount(client, keys) == []


def test_a_shape_that_can_not_be_read_costs_the_failure_nothing(client, keys, store, queries):
    job = running(store)
    assert fail(store, job, failure_shape='{"message": "\\ud800"}').outcome is Outcome.APPLIED
    group = queries.failure_group(TIMED_OUT.group)
    assert (group.error_type, group.message, group.count) == ("TimeoutError", "", 1)
    assert recount(client, keys) == []


def test_what_an_older_release_leaves_on_a_job_that_goes_on_is_removed(client, keys, store, queries):
    job = running(store)
    fail(store, job, run=1)
    left = {name: stored(client, keys, job)[name] for name in ("error_type", "failure_group")}
    store.apply(Event.RERUN, job)
    alter(client, keys, job, left)  # an older release keeps what it does not know
    client.zadd(keys("failed_by", TIMED_OUT.group), {job: START_MS})
    store.apply(Event.START, job, run=2, at_ms=START_MS + 5)
    assert not left.keys() & stored(client, keys, job).keys()
    assert (queries.failure_group(TIMED_OUT.group).count, queries.failure_group(TIMED_OUT.group).jobs) == (1, 0)
    assert recount(client, keys) == []


def test_a_group_is_new_for_a_day_until_somebody_says_something(store, queries):
    fail(store, running(store), at_ms=now_ms())
    assert queries.failure_group(TIMED_OUT.group).state is FailureState.NEW
    store.mark_failure(TIMED_OUT.group, FailureAction.REOPEN)
    assert queries.failure_group(TIMED_OUT.group).state is FailureState.KNOWN


def test_jobs_are_counted_by_how_long_ago_they_failed(store, queries):
    jobs = [running(store) for _ in range(4)]
    for job, hours in zip(jobs, (0, 2, 30, 200), strict=True):
        fail(store, job, at_ms=now_ms() - hours * HOUR_MS)
    [group] = queries.failure_groups(FailureFilter()).groups
    assert (group.jobs_of_hour, group.jobs_of_day, group.jobs_of_week, group.jobs) == (1, 2, 3, 4)
    store.delete(jobs[1])
    details = queries.failure_group(TIMED_OUT.group)
    assert (details.jobs_of_hour, details.jobs_of_day, details.jobs_of_week, details.jobs) == (1, 1, 2, 3)


def test_lists_are_filtered_sorted_and_paged(store, queries):
    many = [fingerprint(f"Error{n}", "x") for n in "ABCDE"]
    for n, each in enumerate(many):
        for _ in range(5 - n):
            fail(store, running(store, type=f"t{n % 2}"), each, at_ms=START_MS + n)
    by_time = [each.group for each in many[::-1]]
    assert ids(queries.failure_groups(FailureFilter())) == by_time
    assert ids(queries.failure_groups(FailureFilter(sort=FailureSort.COUNT))) == by_time[::-1]
    assert ids(queries.failure_groups(FailureFilter(job_type="t1"))) == [by_time[1], by_time[3]]
    assert ids(queries.failure_groups(FailureFilter(error_type="ErrorC"))) == [by_time[2]]
    assert ids(queries.failure_groups(FailureFilter(states=(FailureState.NEW,)))) == []
    assert ids(queries.failure_groups(FailureFilter(states=(FailureState.NEW, FailureState.KNOWN)))) == by_time
    since = from_ms(START_MS + 3)
    for sort in FailureSort:
        assert set(ids(queries.failure_groups(FailureFilter(since=since, sort=sort)))) == set(by_time[:2])
    paged, cursor = [], None
    while True:
        page = queries.failure_groups(FailureFilter(), size=2, cursor=cursor)
        paged += ids(page)
        if (cursor := page.next_cursor) is None:
            break
    assert paged == by_time
    page = queries.failure_groups(FailureFilter(), size=2)
    for bad in ("x", page.next_cursor):
        with pytest.raises(BadCursorError):
            queries.failure_groups(FailureFilter(sort=FailureSort.COUNT), cursor=bad)


@pytest.mark.thorough
@pytest.mark.parametrize("sort", FailureSort)
def test_pages_are_complete_where_many_groups_are_equal(store, queries, sort):
    groups = [fingerprint(f"E{n}") for n in range(700)]
    jobs = [create_job(store, run=1) for _ in groups]
    for first, at_ms in ((0, START_MS), (250, START_MS + 1), (300, START_MS + 2)):
        for job, group in list(zip(jobs, groups, strict=True))[first : first + 450]:
            fail(store, job, group, at_ms=at_ms)
    paged, cursor = [], None
    while True:
        page = queries.failure_groups(FailureFilter(sort=sort), size=90, cursor=cursor)
        paged += ids(page)
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(paged) == sorted(group.group for group in groups)


def test_the_jobs_of_a_group_are_a_list_with_an_exact_total(store, queries):
    jobs = [running(store, type=f"t{n % 2}") for n in range(5)]
    for n, job in enumerate(jobs):
        fail(store, job, at_ms=START_MS + n)
    fail(store, running(store), BAD_VALUE)
    store.apply(Event.RERUN, jobs[0])
    wanted = JobFilter(failure_group=(TIMED_OUT.group,))
    page = queries.page(wanted, size=2)
    assert ([job.id for job in page.jobs], page.total) == ([jobs[4], jobs[3]], 4)
    assert [job.id for job in queries.page(wanted, size=2, cursor=page.next_cursor).jobs] == [jobs[2], jobs[1]]
    wanted = JobFilter(failure_group=(TIMED_OUT.group,), status=(Status.FAILED,), sort=Sort.STATUS_CHANGED)
    assert [job.id for job in queries.page(wanted).jobs] == jobs[1:]
    assert [job.id for job in queries.page(wanted.model_copy(update={"job_type": ("t1",)})).jobs] == [
        jobs[1],
        jobs[3],
    ]
    assert queries.page(wanted.model_copy(update={"status": (Status.COMPLETED,), "sort": None})).jobs == []
    both = JobFilter(failure_group=(TIMED_OUT.group, BAD_VALUE.group))
    assert len(queries.page(both).jobs) == 5
    assert len(queries.page(JobFilter(error_type=("TimeoutError",))).jobs) == 4


def test_names_and_hours_of_a_group_are_bounded(client, keys, store, queries):
    for n in range(30):
        job = create_job(store, run=1, type=f"t{n}", queue="ä" * 200)
        fail(store, job, at_ms=START_MS + n * 24 * HOUR_MS)
    group = queries.failure_group(TIMED_OUT.group)
    assert (len(group.types), group.types[""], sum(group.types.values())) == (21, 10, 30)
    assert group.queues == {"ä" * 49: 30}
    part = keys.of(job)
    assert len(group_of(client, part, TIMED_OUT.group)["hours"]) <= 8


def test_several_partitions_tell_of_one_group(client, keys):
    move(client, keys, 3)
    keys = Keys(keys.namespace, 3)
    store, queries = JobStore(client, keys), JobQueries(client, keys)
    for n in range(12):
        fail(store, running(store), TIMED_OUT if n % 3 else BAD_VALUE, at_ms=START_MS + n)
    assert {g.id: g.count for g in queries.failure_groups(FailureFilter()).groups} == {
        TIMED_OUT.group: 8,
        BAD_VALUE.group: 4,
    }
    store.mark_failure(TIMED_OUT.group, FailureAction.RESOLVE, START_MS + 100)
    assert queries.failure_group(TIMED_OUT.group).state is FailureState.RESOLVED
    fail(store, running(store), at_ms=START_MS + 200)
    before = queries.failure_groups(FailureFilter())
    assert before.groups[0].state is FailureState.REGRESSED
    for to in (5, 2, 1):
        move(client, keys, to)
        keys = Keys(keys.namespace, to)
        queries = JobQueries(client, keys)
        assert queries.failure_groups(FailureFilter()) == before
        assert recount(client, keys) == []


def test_a_failure_that_was_moved_and_is_taken_back_does_not_count(client, keys, store, queries):
    jobs = [running(store) for _ in range(8)]
    for job in jobs:
        store.apply(Event.LOSE, job, run=1, fields={"reason": "gone"}, at_ms=START_MS)
    lost = stored(client, keys, jobs[0])["failure_group"]
    move(client, keys, 3)
    keys = Keys(keys.namespace, 3)
    store, queries = JobStore(client, keys), JobQueries(client, keys)
    for n, job in enumerate(jobs):
        assert queries.failure_group(lost).count == len(jobs) - n
        store.apply(Event.COMPLETE, job, run=1, at_ms=START_MS + 5)
    with pytest.raises(FailureGroupNotFoundError):
        queries.failure_group(lost)
    assert queries.failure_groups(FailureFilter()).groups == []
    assert recount(client, keys) == []


@pytest.mark.thorough
def test_of_too_many_groups_those_go_that_were_seen_the_longest_ago(client, keys, store, queries):
    job = running(store)
    fail(store, job, at_ms=START_MS - 1)
    others = [create_job(store, run=1) for _ in range(10_000)]
    pairs = {each: fingerprint(f"E{n}").fields for n, each in enumerate(others)}
    store.apply_many(Event.FAIL, pairs)
    with pytest.raises(FailureGroupNotFoundError):
        queries.failure_group(TIMED_OUT.group)
    assert queries.failure_groups(FailureFilter()).known_groups == 10_000
    assert queries.record(job).failure_group == TIMED_OUT.group
    fail(store, create_in(store, Status.RUNNING), at_ms=now_ms())
    assert queries.failure_group(TIMED_OUT.group).jobs == 1


def test_a_shape_says_no_more_than_its_fingerprint(client, keys, store):
    fail(store, running(store))
    [part] = [part for part in keys.parts if client.exists(part("failure", TIMED_OUT.group))]
    group = group_of(client, part, TIMED_OUT.group)
    shape = json.loads(TIMED_OUT.fields["failure_shape"])
    assert {name: group[name] for name in shape} == shape


def test_a_group_knows_the_release_that_had_it_first_whatever_comes_late(store, queries):
    for at_ms, release in ((START_MS + 2, "2.0"), (START_MS + 1, "1.0"), (START_MS + 3, "3.0")):
        fail(store, running(store), at_ms=at_ms, release=release)
    assert queries.failure_group(TIMED_OUT.group).first_seen_in == "1.0"
