"""Every filter of a list, several values and exclusions, checked in the server and in Python, against plain words."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.job_lists import DEFAULT_QUEUE, JobLists
from support.recount import keys_of, recount
from support.sample_jobs import create_job, create_parent, report

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.core.lifecycle import Event, Priority, Status
from jobtracker.schemas.filters import JobFilter, NumberRange, Origin, Sort, TimeRange
from jobtracker.store import merge as paging
from jobtracker.store.changes import NewJob
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

JOBS = 90
BASE_MS = now_ms() - 3_600_000
"""All happens within ten minutes of an hour ago: what runs or waits does so for longer than any bound."""
SPAN_S = 600
WORKERS = ["w1@host", "w2@host", "Größe@host"]
QUEUES = ["celery", "mail", "normal"]
RELEASES = ["v1", "v2"]
SCHEDULES = ["nightly", "hourly, at noon"]
REASONS = ["TimeoutError: timed out after 30 s", "ValueError: 100% [a-z]", "It was Lost."]
TYPES = ["invoice", "mail", "type:with:colons"]
TAGS = ["[]", '["eu"]', '["eu", "a, b"]', '["größe"]']
NAMES = ["Letter %d", "LETTER", ""]


def _fill(store, dice):
    """Jobs of all courses. Times may go back a bit: clocks of machines differ."""
    last_s = 0

    def at(*, again=False):
        nonlocal last_s
        last_s = dice.randrange(SPAN_S) if again else max(last_s + dice.randint(-20, 60), 0)
        return BASE_MS + last_s * 1000

    parent, subs = create_parent(store, 12, sub_fields={"type": TYPES[1], "queue": QUEUES[1]})
    for sub in subs[:6]:
        report(store, parent, sub, dice.choice([Event.START, Event.COMPLETE, Event.FAIL]), at_ms=at(again=True))
    senders = [create_job(store, "sender", at_ms=BASE_MS)]
    for n in range(JOBS):
        created_ms = at(again=True)
        fields = {
            "name": dice.choice(NAMES) or f"no {n}",
            "type": dice.choice(TYPES),
            "priority": dice.choice(list(Priority)),
            "queue": dice.choice([*QUEUES, ""]),
            "actual_queue": dice.choice([*QUEUES, "", "", "", ""]),
            "tags": dice.choice(TAGS),
            "origin": dice.choice(["api", "beat", ""]),
            "sent_by": dice.choice([*senders, ""]),
            "queued": dice.choice([at(), ""]),
            "eta": dice.choice([at(), now_ms() + 3_600_000, ""]),
            "run": 1,
        }
        job_id = f"{dice.choice('aZ-é')}{n}"
        data = {"schedule": dice.choice(SCHEDULES)} if dice.random() < 0.7 else {}
        kept = {name: value for name, value in fields.items() if value != ""}
        store.create(NewJob(id=job_id, fields=kept, data=data), at_ms=created_ms)
        worker = {"worker": dice.choice(WORKERS), "lease": "l"}
        for _ in range(dice.randrange(3)):
            release = {"release": dice.choice(RELEASES)} if dice.random() < 0.7 else {}
            store.apply(Event.START, job_id, at_ms=at(), fields=worker | release)
            event = dice.choice([Event.RETRY, Event.LOSE, Event.START])
            reason = {"reason": dice.choice(REASONS), "losses": dice.randrange(3)}
            store.apply(event, job_id, at_ms=at(), attempt=dice.randrange(3), fields=reason)
        end = dice.choice([Event.COMPLETE, Event.FAIL, Event.CANCELLED, None])
        if end:
            group = {"error_type": dice.choice(["KeyError", "shop.Lost"]), "failure_group": dice.choice(["g1", "g2"])}
            of_end = group if end is Event.FAIL else {}
            store.apply(end, job_id, at_ms=at(), fields={"reason": dice.choice(REASONS), **of_end})
        if dice.random() < 0.3:
            store.append_log(job_id, [(BASE_MS, "INFO", "a line")])


@pytest.fixture(scope="module", params=[1, 3], ids="{} partitions".format)
def population(client, request):
    keys = Keys("test-list-filters", request.param)
    _fill(JobStore(client, keys), random.Random(4))
    assert recount(client, keys) == []
    registry = Registry(client, keys, default_queue=lambda: DEFAULT_QUEUE)
    yield JobQueries(client, keys, registry), JobLists(client, keys, frozen=True)
    client.delete(*keys_of(client, keys))


def _some(*values):
    return st.lists(st.sampled_from(values), min_size=1, max_size=2).map(tuple)


MOMENTS = st.integers(-1, SPAN_S).map(lambda s: from_ms(BASE_MS + s * 1000))
SPANS = st.builds(TimeRange, since=st.none() | MOMENTS, until=st.none() | MOMENTS).filter(bool)


def _numbers(most):
    bound = st.none() | st.integers(0, most)
    return st.builds(NumberRange, low=bound, high=bound).filter(bool)


ANY = {
    "status": _some(*Status),
    "job_type": _some(*TYPES, "nothing"),
    "priority": _some(*Priority),
    "parent": _some("parent", "nobody"),
    "sent_by": _some("sender", "nobody"),
    "group": _some("nothing"),
    "tag": _some("eu", "a, b", "größe", "e"),
    "queue": _some(*QUEUES, "nothing"),
    "worker": _some(*WORKERS),
    "release": _some(*RELEASES, "v"),
    "error_type": _some("KeyError", "shop.Lost"),
    "failure_group": _some("g1", "g2"),
    "origin": _some(*Origin),
    "schedule": _some(*SCHEDULES, "night"),
    "name": _some("letter %D", "no 1", "MAIL", ""),
    "text": _some("timed OUT", "100% [A-Z]", "mail", "letter", "lost"),
    "created": SPANS,
    "started": SPANS,
    "finished": SPANS,
    "running_at": MOMENTS,
    "run_ms": _numbers(SPAN_S * 1000),
    "wait_ms": _numbers(SPAN_S * 1000),
    "retries": _numbers(3),
    "losses": _numbers(2),
    "has_log": st.booleans(),
}
ONE = st.sampled_from(sorted(ANY)).flatmap(lambda name: ANY[name].map(lambda value: {name: value}))
FILTERS = st.tuples(
    st.lists(ONE, max_size=3).map(lambda given: {name: value for one in given for name, value in one.items()}),
    st.lists(ONE.map(lambda one: JobFilter(**one)), max_size=2),
    st.sampled_from([None, None, Sort.CREATED, Sort.CREATED_DESC]),
).map(lambda parts: JobFilter(**parts[0], excluded=tuple(parts[1]), sort=parts[2]))


def _listed(queries, wanted, size):
    """All pages, and the total that they name."""
    page = queries.page(wanted, size=size)
    totals, found, looked = {page.total}, [job.id for job in page.jobs], page.looked_at
    while page.next_cursor:
        page = queries.page(wanted, size=size, cursor=page.next_cursor)
        totals.add(page.total)
        found += [job.id for job in page.jobs]
        looked = None if looked is None else looked + page.looked_at
    return found, totals, looked


@pytest.mark.thorough
@given(wanted=FILTERS, size=st.sampled_from([7, 500]))
def test_a_list_has_exactly_what_its_filter_says_in_order(population, wanted, size):
    queries, lists = population
    expected = lists.ids(wanted)
    found, totals, _ = _listed(queries, wanted, size)
    assert found == expected
    assert totals <= {None, len(expected)}


@pytest.mark.parametrize("name", ANY)
def test_each_filter_alone_and_excluded_has_its_jobs(population, name):
    queries, lists = population
    dice = random.Random(name)
    values = {
        "created": TimeRange(since=from_ms(BASE_MS + 200_000)),
        "started": TimeRange(until=from_ms(BASE_MS + 300_000)),
        "finished": TimeRange(since=from_ms(BASE_MS + 200_000), until=from_ms(BASE_MS + 500_000)),
        "running_at": from_ms(BASE_MS + 300_000),
        "run_ms": NumberRange(low=100_000),
        "wait_ms": NumberRange(high=200_000),
        "retries": NumberRange(low=1),
        "losses": NumberRange(low=1),
        "has_log": True,
        "status": (Status.FAILED, Status.CANCELLED),
        "job_type": tuple(TYPES[:2]),
        "priority": (Priority.LOW, Priority.NORMAL),
        "parent": ("parent", "nobody"),
        "sent_by": ("sender", "nobody"),
        "group": ("nothing",),
        "tag": ("a, b", "größe"),
        "queue": ("mail", "normal"),
        "worker": ("w1@host", "Größe@host"),
        "release": ("v1",),
        "error_type": ("KeyError",),
        "failure_group": ("g1",),
        "origin": (Origin.TASK, Origin.BEAT),
        "schedule": (SCHEDULES[1],),
        "name": ("letter", "no 1"),
        "text": ("timed out", "TimeoutError"),
    }
    given_ = {name: values[name]}
    everything = set(lists.ids(JobFilter()))
    wanted = lists.ids(JobFilter(**given_))
    assert _listed(queries, JobFilter(**given_), dice.choice([5, 500]))[0] == wanted
    rest = _listed(queries, JobFilter(excluded=(JobFilter(**given_),)), 50)[0]
    assert (set(wanted) | set(rest), set(wanted) & set(rest)) == (everything, set())
    assert name == "group" or (wanted and rest)


@pytest.mark.parametrize(
    "wanted",
    [
        {"status": (Status.FAILED, Status.CANCELLED)},
        {"job_type": tuple(TYPES[:2])},
        {"job_type": tuple(TYPES[:2]), "status": (Status.FAILED, Status.RUNNING), "priority": tuple(Priority)[:2]},
        {"excluded": (JobFilter(status=Status.COMPLETED), JobFilter(job_type=TYPES[0]))},
        {"finished": TimeRange(since=from_ms(BASE_MS + 100_000))},
    ],
    ids=["statuses", "types", "all three", "excluded", "finished"],
)
def test_several_values_and_exclusions_of_an_index_have_an_exact_total(population, wanted):
    queries, lists = population
    expected = lists.ids(JobFilter(**wanted))
    assert _listed(queries, JobFilter(**wanted), 10) == (expected, {len(expected)}, None)


def test_a_scan_that_ends_early_says_how_far_it_looked(population, monkeypatch):
    queries, lists = population
    monkeypatch.setattr(paging, "SCAN_BUDGET", 30)
    wanted = JobFilter(worker=("w1@host",))
    page = queries.page(wanted, size=500)
    assert (page.looked_at, page.total) == (30, None)
    newest = lists.entries(JobFilter())
    if len(queries.parts) == 1:
        assert page.looked_to == from_ms(newest[29][0][0])
    assert page.looked_to in {from_ms(place[0]) for place, _ in newest}
    within = [job_id for job_id in lists.ids(wanted) if from_ms(_created(newest, job_id)) >= page.looked_to]
    assert [job.id for job in page.jobs] == within
    assert _listed(queries, wanted, 500)[0] == lists.ids(wanted)


def test_a_filter_of_many_texts_looks_at_fewer_jobs_and_says_how_far(population, monkeypatch):
    queries, lists = population
    monkeypatch.setattr(paging, "SCAN_BUDGET", 100)
    long = "TimeoutError: timed out after 30 s"
    wanted = JobFilter(text=tuple(sorted({long[first:last] for first in range(9) for last in range(25, 35)})[:50]))
    assert len(wanted.text) == 50
    page = queries.page(wanted, size=500)
    assert queries.page(JobFilter(worker=("nobody",)), size=500).looked_at > 2 * page.looked_at > 0
    assert page.looked_to
    assert page.next_cursor
    found, _, looked = _listed(queries, wanted, 500)
    assert found == lists.ids(wanted) != []
    assert looked >= len(lists.ids(JobFilter()))


@pytest.mark.parametrize("budget", [1, 7])
def test_a_scan_of_several_calls_finds_what_one_finds(population, monkeypatch, budget):
    queries, lists = population
    wanted = JobFilter(worker=("w1@host",))
    monkeypatch.setattr(paging, "_BUDGET_OF_CALL", budget)
    page = queries.page(wanted, size=500)
    assert ([job.id for job in page.jobs], page.total) == (lists.ids(wanted), len(lists.ids(wanted)))
    assert [job.id for job in queries.page(wanted, size=3, number=2).jobs] == lists.ids(wanted)[3:6]


def _created(entries, job_id):
    return next(place[0] for place, each in entries if each == job_id)


def test_what_was_looked_through_to_the_end_has_a_total(population):
    queries, lists = population
    wanted = JobFilter(worker=("w1@host",))
    page = queries.page(wanted, size=500)
    assert (page.total, page.looked_at, page.looked_to) == (len(page.jobs), len(lists.ids(JobFilter())), None)


def test_a_time_narrows_what_is_looked_at(population):
    queries, lists = population
    wanted = JobFilter(status=(Status.FAILED, Status.COMPLETED), started=TimeRange(since=from_ms(BASE_MS + 590_000)))
    every = lists.ids(JobFilter(status=wanted.status))
    found, _, looked = _listed(queries, wanted, 500)
    assert found == lists.ids(wanted)
    assert looked < len(every)


def test_a_start_says_the_release_of_its_worker_anew(store, queries):
    job_id = create_job(store, run=1)
    store.apply(Event.START, job_id, at_ms=BASE_MS, fields={"worker": "w", "release": "v1"})
    assert queries.record(job_id).release == "v1"
    store.apply(Event.RETRY, job_id, at_ms=BASE_MS)
    store.apply(Event.START, job_id, at_ms=BASE_MS + 1, attempt=1, fields={"worker": "w"})
    assert queries.record(job_id).release is None
