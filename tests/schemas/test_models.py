"""The edge: task ids, times, and what a record looks like to people."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobtracker.core.clock import from_ms
from jobtracker.core.job import job_and_run_of, task_id_of
from jobtracker.core.lifecycle import Priority
from jobtracker.schemas.filters import TimeRange
from jobtracker.schemas.requests import JobCreate, JobUpdate, ProgressUpdate, SubJobCreate

IDS = st.one_of(st.uuids().map(str), st.text(min_size=1), st.text("~0123456789ab", min_size=1))


# -- task ids --------------------------------------------------------------------------------------------------------


@given(job_id=IDS, run=st.integers(2, 10**6))
@example(job_id="~", run=2)
@example(job_id="a~2", run=3)
@example(job_id="a~", run=10)
def test_the_task_id_of_a_later_run_leads_back_to_job_and_run_whatever_the_id(job_id, run):
    assert job_and_run_of(task_id_of(job_id, run)) == (job_id, run)


@given(IDS)
@example("a~1")
@example("a~02")
@example("a~0")
@example("~2")
@example("a~²")
@example("a~٣")
@example("a~2\n")
@example("a~" + "9" * 5000)
def test_every_task_id_is_that_of_its_job_and_run(task_id):
    # So two tasks are never taken for one, whatever ids their authors gave them.
    assert task_id_of(*job_and_run_of(task_id)) == task_id


@pytest.mark.parametrize("run", [0, 1])
def test_the_first_task_id_of_a_job_is_its_own_id(run):
    assert task_id_of("a~b", run) == "a~b"


@pytest.mark.parametrize("task_id", ["a", "a~", "~2", "a~b", "a~1", "a~0", "a~-2", "a~2.0", "a~ 2", "a~02", "a~1_0"])
def test_what_only_looks_like_a_later_run_is_a_first_one(task_id):
    assert job_and_run_of(task_id) == (task_id, 1)


# -- times -----------------------------------------------------------------------------------------------------------


@given(st.integers(0, 4 * 10**12))
def test_a_millisecond_is_found_by_a_range_that_begins_and_ends_with_it(ms):
    times = TimeRange(since=from_ms(ms), until=from_ms(ms))
    assert (times.low_ms, times.high_ms) == (ms, ms)


def test_a_range_within_a_millisecond_holds_only_what_is_really_in_it():
    at = datetime(2026, 11, 1, tzinfo=UTC)
    times = TimeRange(since=at + timedelta(microseconds=1), until=at + timedelta(microseconds=1999))
    assert times.low_ms == times.high_ms == at.timestamp() * 1000 + 1


def test_a_range_knows_time_zones_and_wants_one():
    there = datetime(2026, 11, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert TimeRange(since=there) == TimeRange(since=datetime(2026, 11, 1, tzinfo=UTC))
    with pytest.raises(ValidationError, match="timezone"):
        TimeRange(since=datetime(2026, 11, 1))  # noqa: DTZ001


def test_an_open_range_is_none():
    assert not TimeRange()
    assert TimeRange(until=from_ms(0))
    assert (TimeRange().low_ms, TimeRange().high_ms) == (None, None)


@pytest.mark.parametrize(("value", "year"), [("0", 1970), (0, 1970), ("1790000000000", 2026)])
def test_a_time_of_the_store_is_an_aware_time(value, year):
    found = from_ms(value)
    assert (found.year, found.utcoffset()) == (year, timedelta(0))


@pytest.mark.parametrize("value", [None, ""])
def test_no_time_of_the_store_is_none(value):
    assert from_ms(value) is None


# -- requests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        {"name": "n"},
        {"name": "  ", "job_type": "custom"},
        {"name": "n" * 201, "job_type": "custom"},
        {"name": "n", "job_type": ""},
        {"name": "n", "job_type": "custom", "priority": "urgent"},
        {"name": "n", "job_type": "custom", "payload": [1]},
        {"name": "n", "job_type": "custom", "tags": [""]},
        {"name": "n", "job_type": "custom", "tags": ["t"] * 21},
        {"name": "n", "job_type": "custom", "status": "running"},
    ],
    ids=str,
)
def test_a_request_that_makes_no_job_is_refused(request_):
    with pytest.raises(ValidationError):
        JobCreate.model_validate(request_)


def test_a_request_needs_only_name_and_type():
    job = JobCreate(name=" n ", job_type="custom")
    assert job.model_dump(exclude_none=True) == {
        "name": "n",
        "job_type": "custom",
        "priority": "normal",
        "payload": {},
        "tags": [],
    }


def test_a_sub_job_may_leave_its_priority_to_its_parent_and_nest():
    job = SubJobCreate.model_validate(
        {"name": "n", "job_type": "t", "sub_jobs": [{"name": "s", "job_type": "t", "priority": "low"}]}
    )
    assert job.priority is None
    assert job.sub_jobs[0].priority is Priority.LOW


@pytest.mark.parametrize("progress", [{"done": -1, "total": 2}, {"done": 1, "total": 0}, {"done": 1}])
def test_progress_that_means_nothing_is_refused(progress):
    with pytest.raises(ValidationError):
        ProgressUpdate.model_validate(progress)


def test_an_update_tells_what_was_given_from_what_was_not():
    update = JobUpdate.model_validate({"status": "completed", "result": None})
    assert update.model_fields_set == {"status", "result"}
