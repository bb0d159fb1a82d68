"""Lists of jobs: any filter, any order, any page gives exactly what the records say."""

import itertools
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.job_lists import JobLists
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, create_in, create_job, create_parent, new_job, report

from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import SETTLED, Event, Priority, Status
from jobtracker.schemas.filters import JobFilter, Sort, TimeRange, UnsupportedSortError
from jobtracker.store import merge as paging
from jobtracker.store.keys import Keys
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

pytestmark = [pytest.mark.long, pytest.mark.thorough]

JOBS = 240
TYPES = ["custom", "data_processing", "type:with:colons"]
GROUPS = ["first", "second"]
NAMES = ["Letter %d (final)", "LETTER [a-z]", "Entlassungsbrief Größe", "a.b*c+?-^$"]
TAGS = ["[]", '["ward-4"]', '["ward-4", "ward 5"]', '["größe", "a\\"b"]']


def times(since=None, until=None):
    """A range of offsets in ms from the first job's creation."""
    return TimeRange(
        since=None if since is None else from_ms(START_MS + since),
        until=None if until is None else from_ms(START_MS + until),
    )


@pytest.fixture(scope="module")
def population(client, partitions):
    """Jobs of all statuses, types and priorities, 20 at a time created, and settled, in the same millisecond."""
    keys = Keys("test-pages", partitions)
    store = JobStore(client, keys)
    dice = random.Random(1)
    for n in range(JOBS):
        create_in(
            store,
            dice.choice(list(Status)),
            at_ms=START_MS + n // 20,
            job_id=f"{dice.choice('aAzZ-~é')}{n}",
            type=dice.choice(TYPES),
            priority=dice.choice(list(Priority)),
            name=dice.choice(NAMES),
            tags=dice.choice(TAGS),
            group=dice.choice(GROUPS),
        )
    parent, subs = create_parent(store, 45, sub_fields={"type": TYPES[1]})
    for sub, event in zip(subs, itertools.cycle([Event.COMPLETE, Event.FAIL, Event.START, None]), strict=False):
        if event:
            report(store, parent, sub, event, at_ms=START_MS + 3)
    assert recount(client, keys) == []
    yield JobQueries(client, keys), JobLists(client, keys, frozen=True)
    client.delete(*keys_of(client, keys))


FILTERS = {
    "everything": {},
    "type": {"job_type": TYPES[2]},
    "unknown type": {"job_type": "nothing"},
    "priority": {"priority": Priority.HIGH},
    "parent": {"parent": "parent"},
    "parent and status": {"parent": "parent", "status": Status.FAILED},
    "parent and priority": {"parent": "parent", "priority": Priority.NORMAL},
    "parent and name": {"parent": "parent", "name": TYPES[1]},
    "parent and type": {"parent": "parent", "job_type": TYPES[1]},
    "unknown parent": {"parent": "nobody"},
    "group": {"group": "first"},
    "tag": {"tag": "ward-4"},
    "tag of other letters": {"tag": "größe"},
    "tag with a quote": {"tag": 'a"b'},
    "part of a tag": {"tag": "ward"},
    "name": {"name": "letter"},
    "name in upper case": {"name": "LETTER"},
    "name with the signs of a Lua pattern": {"name": "%d (final)"},
    "name with more of them": {"name": "[a-z]"},
    "name with all of them": {"name": "A.B*C+?-^$"},
    "name in other letters": {"name": "Größe"},
    "empty name": {"name": ""},
    "created since": {"created": times(since=4)},
    "created until": {"created": times(until=4)},
    "created between": {"created": times(3, 7)},
    "created at": {"created": times(5, 5)},
    "created never": {"created": times(7, 3)},
    "finished since": {"finished": times(since=4)},
    "finished until": {"finished": times(until=4)},
    "finished between": {"finished": times(2, 8)},
    "created and finished": {"created": times(1, 9), "finished": times(until=6)},
    "all at once": {
        "job_type": TYPES[1],
        "priority": Priority.LOW,
        "tag": "ward-4",
        "name": "e",
        "created": times(until=9),
    },
}
ORDERS = [
    *({"status": status} for status in Status),
    *({"status": status, "sort": Sort.STATUS_CHANGED} for status in Status),
    {"status": Status.RUNNING, "sort": Sort.STATUS_CHANGED_DESC},
    *({"sort": sort} for sort in (None, Sort.CREATED, Sort.CREATED_DESC)),
    {"status": Status.FAILED, "sort": Sort.CREATED},
]


def pages_by_cursor(queries, wanted, size):
    page = queries.page(wanted, size=size)
    yield page
    while page.next_cursor:
        page = queries.page(wanted, size=size, cursor=page.next_cursor)
        yield page


def ids_of(pages):
    return [job.id for page in pages for job in page.jobs]


@pytest.mark.parametrize("name", FILTERS)
def test_pages_by_cursor_and_by_number_show_every_match_once_and_in_order(population, name):
    queries, lists = population
    for order in ORDERS:
        wanted = JobFilter(**(FILTERS[name] | order))
        expected = lists.ids(wanted)
        assert ids_of(pages_by_cursor(queries, wanted, 17)) == expected, order
        numbered = [queries.page(wanted, size=60, number=number) for number in (1, 2, 5)]
        assert ids_of(numbered) == expected[:120] + expected[240:300], order
        assert {page.total for page in numbered} <= {None, len(expected)}, order


MANY_TYPES = [
    {},
    {"sort": Sort.CREATED},
    {"status": Status.PENDING},
    {"status": Status.PENDING, "sort": Sort.STATUS_CHANGED},
    {"status": Status.PENDING, "priority": Priority.NORMAL},
]


def test_pages_of_many_types_show_every_job_once_and_in_order(client, store, queries, keys):
    dice = random.Random(2)
    for n in range(300):
        create_job(store, f"j{n}", at_ms=START_MS + n // 7, type=f"type-{dice.randrange(100)}")
    assert sum(count.count for count in queries.counts()) == 300
    lists = JobLists(client, keys, frozen=True)
    for filters in MANY_TYPES:
        wanted = JobFilter(**filters)
        expected = lists.ids(wanted)
        assert ids_of(pages_by_cursor(queries, wanted, 37)) == expected
        assert ids_of(queries.page(wanted, size=50, number=number) for number in (1, 3, 6)) == (
            expected[:50] + expected[100:150] + expected[250:300]
        )


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"job_type": TYPES[0]},
        {"parent": "parent"},
        {"created": times(3, 7)},
        {"job_type": TYPES[0], "created": times(3, 7), "sort": Sort.CREATED},
        *({"status": status} for status in Status),
        *({"status": status, "job_type": TYPES[2]} for status in Status),
        *({"status": status, "finished": times(2, 5)} for status in sorted(SETTLED)),
    ],
    ids=str,
)
def test_what_an_index_covers_has_a_total_on_every_page(population, wanted):
    queries, lists = population
    wanted = JobFilter(**wanted)
    totals = {page.total for page in pages_by_cursor(queries, wanted, 50)}
    assert totals == {len(lists.ids(wanted))}


def test_a_page_tells_its_number_or_that_a_cursor_led_to_it(population):
    queries, _ = population
    first = queries.page(JobFilter(), size=10)
    assert (first.page, first.page_size, len(first.jobs)) == (1, 10, 10)
    assert queries.page(JobFilter(), size=10, cursor=first.next_cursor).page is None


def test_a_page_behind_the_last_one_is_empty_and_leads_nowhere(population):
    queries, lists = population
    page = queries.page(JobFilter(), size=10, number=10_000)
    assert (page.jobs, page.next_cursor, page.total) == ([], None, len(lists.ids(JobFilter())))


def test_the_last_full_page_leads_nowhere(population):
    queries, lists = population
    assert queries.page(JobFilter(), size=len(lists.ids(JobFilter()))).next_cursor is None


def test_an_order_by_change_of_status_needs_a_status(queries):
    for sort in (Sort.STATUS_CHANGED, Sort.STATUS_CHANGED_DESC):
        with pytest.raises(UnsupportedSortError, match="needs a status"):
            queries.page(JobFilter(sort=sort))


def test_a_list_without_jobs_is_one_empty_page(queries):
    page = queries.page(JobFilter())
    assert (page.jobs, page.total, page.next_cursor) == ([], 0, None)


def test_a_sub_job_without_a_record_of_its_own_is_left_out(store, queries):
    store.create(new_job("p", subs=["a", "far", "b"]), new_job("a", parent="p"), new_job("b", parent="p"))
    assert ids_of(pages_by_cursor(queries, JobFilter(parent="p"), 1)) == ["a", "b"]


# -- scans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("budget", [1, 13])
def test_short_pages_of_a_scan_go_on_until_every_match_was_shown_once(monkeypatch, population, name, budget):
    queries, lists = population
    monkeypatch.setattr(paging, "SCAN_BUDGET", budget)
    wanted = JobFilter(**FILTERS[name])
    assert ids_of(pages_by_cursor(queries, wanted, 5)) == lists.ids(wanted)


def test_a_page_of_a_scan_looks_at_no_more_than_its_budget(monkeypatch, population, partitions):
    queries, lists = population
    monkeypatch.setattr(paging, "SCAN_BUDGET", 30)
    wanted = JobFilter(priority=Priority.HIGH)
    looked_at = set(lists.ids(JobFilter())[:30])
    page = queries.page(wanted, size=500)
    within = [job for job in lists.ids(wanted) if job in looked_at]
    shown = ids_of([page])
    assert shown == (within if partitions == 1 else within[: len(shown)])  # each partition has its share of it
    assert page.next_cursor


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_numbered_page_that_a_scan_did_not_reach_is_found_by_its_cursor(monkeypatch, population, number):
    queries, lists = population
    monkeypatch.setattr(paging, "SCAN_BUDGET", 15)
    wanted = JobFilter(priority=Priority.HIGH)
    page = queries.page(wanted, size=10, number=number)
    pages = [page]
    while page.next_cursor:
        page = queries.page(wanted, size=10, cursor=page.next_cursor)
        pages.append(page)
    assert ids_of(pages) == lists.ids(wanted)[(number - 1) * 10 :]


# -- what a job has sent ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more", [{}, {"job_type": "custom"}, {"status": Status.PENDING}, {"created": times(until=5)}]
)
def test_what_a_job_has_sent_is_found_within_its_own_time(monkeypatch, store, queries, more, partitions):
    hour_ms = 3_600_000
    sender = create_in(store, Status.COMPLETED, at_ms=START_MS)
    sent = [create_job(store, at_ms=START_MS + n, sent_by=sender) for n in range(3)]
    for n in range(20):
        create_job(store, at_ms=START_MS + (n - 10 or 1) * hour_ms)
    if "status" not in more:
        monkeypatch.setattr(paging, "SCAN_BUDGET", 4 * partitions)  # the sender itself, and the three
    page = queries.page(JobFilter(sent_by=sender, **more))
    assert ids_of([page]) == sent[::-1]
    assert page.next_cursor is None


def test_what_a_running_job_or_an_untracked_task_has_sent_is_found(store, queries):
    sender = create_in(store, Status.RUNNING, at_ms=START_MS)
    late = create_job(store, at_ms=START_MS + 86_400_000, sent_by=sender)
    foreign = create_job(store, at_ms=START_MS, sent_by="untracked")
    assert ids_of([queries.page(JobFilter(sent_by=sender))]) == [late]
    assert ids_of([queries.page(JobFilter(sent_by="untracked"))]) == [foreign]


# -- between the pages -----------------------------------------------------------------------------------------------


MOVES = st.tuples(
    st.sampled_from(["start", "retry", "complete", "delete", "create"]), st.integers(0, 39), st.integers(0, 4)
)


def test_a_job_that_came_back_behind_the_cursor_is_shown_again(store, queries):
    for job, at_ms in [("a", START_MS), ("b", START_MS + 1)]:
        store.apply(Event.START, create_job(store, job), at_ms=at_ms)
    wanted = JobFilter(status=Status.RUNNING, sort=Sort.STATUS_CHANGED)
    first = queries.page(wanted, size=1)
    for event, job in [(Event.COMPLETE, "b"), (Event.RETRY, "a"), (Event.START, "a")]:
        store.apply(event, job, at_ms=START_MS + 2)
    assert ids_of([first]) == ["a"]
    assert first.next_cursor
    assert ids_of([queries.page(wanted, size=1, cursor=first.next_cursor)]) == ["a"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.sampled_from([{"sort": None}, {"sort": Sort.CREATED}, *ORDERS[:2], *ORDERS[6:8]]),
    size=st.integers(1, 6),
    moves=st.lists(st.lists(MOVES, max_size=6), min_size=1, max_size=12),
)
def test_a_cursor_goes_on_where_it_stood_whatever_moves_between_the_pages(client, partitions, order, size, moves):
    keys = Keys(f"test-moves-{random.getrandbits(64):x}", partitions)
    store, queries, lists = JobStore(client, keys), JobQueries(client, keys), JobLists(client, keys)
    for n in range(30):
        create_job(store, f"j{n:02}", at_ms=START_MS + n // 10)
    wanted = JobFilter(**order)
    index = ("entered", wanted.status[0], "normal", "custom") if wanted.status else ("type", "custom")
    page, place = queries.page(wanted, size=size), None
    assert ids_of([page]) == lists.ids(wanted)[:size]
    for step in moves:
        if not page.next_cursor:
            break
        last = page.jobs[-1].id
        place = (int(client.zscore(keys.of(last)(*index), last)), last.encode())
        for what, n, tick in step:
            job, at_ms = f"j{n:02}", START_MS + tick
            if what == "create":
                create_job(store, job, at_ms=at_ms)
            elif what == "delete":
                store.delete(job, mode="undo")
            else:
                store.apply(Event(what), job, at_ms=at_ms)
        page = queries.page(wanted, size=size, cursor=page.next_cursor)
        assert ids_of([page]) == lists.after(wanted, place)[:size]
    assert recount(client, keys) == []
    client.delete(*keys_of(client, keys))


@pytest.mark.parametrize("sort", [Sort.STATUS_CHANGED, Sort.STATUS_CHANGED_DESC])
def test_numbered_pages_find_their_place_however_unevenly_jobs_came(store, queries, sort):
    dice = random.Random(3)
    times = [START_MS + int(10 ** dice.uniform(0, 9)) for _ in range(280)] + [START_MS + 10**9] * 20
    jobs = [(at_ms, create_job(store, f"{n}", at_ms=at_ms, type=f"t{n % 3}")) for n, at_ms in enumerate(times)]
    wanted = JobFilter(status=Status.PENDING, sort=sort)
    ordered = [job_id for _, job_id in sorted(jobs, reverse=sort is Sort.STATUS_CHANGED_DESC)]
    for number in range(1, 45):
        first = (number - 1) * 7
        assert ids_of([queries.page(wanted, size=7, number=number)]) == ordered[first : first + 7]
