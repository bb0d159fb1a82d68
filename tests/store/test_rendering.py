"""What is written straight from the store is what the models would say, byte for byte."""

import json

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.sample_jobs import create_in, create_job

from jobtracker.core.lifecycle import FailurePolicy, Priority, Status
from jobtracker.schemas.filters import JobFilter, Sort
from jobtracker.schemas.jobs import LargeValue
from jobtracker.schemas.stats import ActiveJobs
from jobtracker.store.decode import job_of, job_values, summary_of
from jobtracker.store.job_json import summary_json, to_json
from jobtracker.store.records import Row
from jobtracker.store.schema import DATA_FIELDS, FIELDS, OBJECT_FIELDS, PLACES, JobRecord

pytestmark = pytest.mark.thorough

TEXT = st.text()
COUNT = st.integers(0, 2**53).map(str)
TIME = st.integers(0, 4 * 10**12).map(str)
NUMBER = st.floats().map(repr) | st.just("")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)
KINDS = {
    "status": st.sampled_from([*Status, "of a newer release"]),
    "priority": st.sampled_from([*Priority, "of a newer release"]),
    "policy": st.sampled_from([*FailurePolicy, "of a newer release"]),
    "origin": st.sampled_from(["api", "beat", "of a newer release"]),
    "tags": st.lists(TEXT).map(json.dumps),
    "masked": st.lists(TEXT).map(json.dumps),
    "ledger": st.tuples(COUNT, COUNT, COUNT).map(" ".join),
    **{field.name: TIME for field in FIELDS if (field.is_number and field.default is None) or field.is_required},
    **{field.name: COUNT for field in FIELDS if field.is_number and field.default is not None},
    **dict.fromkeys(["created", "status_changed_at"], TIME),
    **dict.fromkeys(["subs", "subs_completed", "subs_failed", "subs_cancelled"], st.integers(0, 10**6).map(str)),
    **dict.fromkeys(["progress_done", "progress_total"], NUMBER),
}
NEEDED = {"type", "status", "created", "status_changed_at"}
ACTIVE = JobFilter(status=(Status.RUNNING, Status.RETRYING), sort=Sort.STATUS_CHANGED)
RECORDS = st.builds(
    JobRecord.of,
    TEXT,
    st.fixed_dictionaries(
        {name: KINDS.get(name, TEXT) for name in NEEDED},
        optional={field.name: KINDS.get(field.name, TEXT) for field in FIELDS if field.name not in NEEDED},
    ),
)
ERRORS = st.fixed_dictionaries({"type": TEXT, "message": TEXT}, optional={"traceback": TEXT})
OBJECTS = st.builds(LargeValue, object=TEXT, bytes=st.integers(0, 2**53), sha256=TEXT)
BULK = {
    "payload": st.dictionaries(TEXT, JSON).map(json.dumps) | st.just(""),
    "args": st.lists(JSON).map(json.dumps) | st.just(""),
    "result": JSON.map(json.dumps),
    **dict.fromkeys(OBJECT_FIELDS.values(), OBJECTS.map(LargeValue.model_dump_json)),
    "result_omitted": COUNT,
    "error": ERRORS.map(json.dumps),
}
DATA = st.fixed_dictionaries({}, optional={name: BULK.get(name, TEXT) for name in DATA_FIELDS})
BARE = JobRecord.of("j", {"type": "custom", "status": "pending", "created": 0, "status_changed_at": 0})


@given(RECORDS)
@example(BARE)
def test_a_summary_is_what_the_model_would_say(record):
    row = Row(record.id, msgpack.packb({PLACES[name]: value for name, value in record.as_texts().items()}))
    assert summary_json(row) == summary_of(row.record).model_dump_json().encode()


@given(RECORDS, DATA)
@example(BARE, {})
@example(BARE, {"result": "[NaN, -Infinity, 1e400]"})
@example(BARE, {"result": '"half a \\ud800 character"'})
@example(BARE, {"result": f"{'[' * 300}{']' * 300}"})
@example(BARE, {"payload": '{"b": 1}', "args": "[1]", "custom_task": "app.task"})
def test_a_job_is_what_the_model_would_say(record, data):
    assert to_json(job_values(record, data)) == job_of(record, data).model_dump_json().encode()


@pytest.mark.parametrize("text", ["", "a\nb", "\x00\x1f\x7f", 'quo"te\\', "/ < & '", "größe \u2028 \U0001f6a2", "[]"])
def test_any_text_in_a_record_comes_through_a_list(store, queries, text):
    create_job(store, f"id {text}", name=f"name {text}", task=text, reason=text)
    wanted = JobFilter()
    [found] = json.loads(queries.page_json(wanted))["jobs"]
    assert (found["id"], found["name"], found["task"], found["reason"]) == (f"id {text}", f"name {text}", text, text)
    assert queries.page_json(wanted) == queries.page(wanted).model_dump_json().encode()


def test_a_list_shows_a_job_as_it_is_now_however_often_it_was_asked_for(store, queries):
    job_id = create_job(store, name="before")
    assert json.loads(queries.page_json(JobFilter()))["jobs"][0]["name"] == "before"
    store.update(job_id, fields={"name": "after"})
    assert json.loads(queries.page_json(JobFilter()))["jobs"][0]["name"] == "after"


def test_an_empty_list_and_an_index_that_is_not_there_are_pages_too(queries):
    page = json.loads(queries.page_json(JobFilter(status=Status.FAILED)))
    about = {"total": 0, "page": 1, "page_size": 50, "next_cursor": None, "looked_at": None, "looked_to": None}
    assert page == {"jobs": [], **about}


def test_what_is_under_way_comes_in_the_order_in_which_it_came_there(store, queries):
    statuses = [Status.RUNNING, Status.RETRYING, Status.COMPLETED, Status.RUNNING, Status.RETRYING]
    for n, status in enumerate(statuses):
        create_in(store, status, job_id=f"job-{n}", at_ms=10**12 - n)
    active = ActiveJobs.model_validate_json(queries.active_json(ACTIVE, 3))
    assert [job.id for job in active.jobs] == ["job-4", "job-3", "job-1"]
    assert active.total == 4
    assert active.jobs == [summary_of(queries.record(job.id)) for job in active.jobs]


def test_a_row_is_the_record_with_its_id(store, queries):
    job_id = create_job(store)
    rows, _ = queries._page(JobFilter(), 10, None, None)
    assert [row.record for row in rows] == [queries.record(job_id)]
