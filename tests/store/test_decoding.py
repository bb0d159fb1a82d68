"""What the store says of a job, as people see it."""

import pytest

from jobtracker.store.decode import job_of, summary_of
from jobtracker.store.fields import Field
from jobtracker.store.schema import FIELDS, NAMES, PLACES, JobRecord, decode, lua_tables


def record_of(**fields):
    return JobRecord.of("j", {"type": "custom", "status": "pending", "created": 0, "status_changed_at": 0, **fields})


def test_a_bare_record_is_a_job():
    job = summary_of(record_of())
    assert (job.id, job.name, job.task, job.run, job.tags, job.origin) == ("j", "custom", "custom", 0, [], "celery")
    assert job.progress is job.sub_job_counts is job.failure_policy is job.started_at is job.task_id is None


@pytest.mark.parametrize(
    ("done", "total", "percent"),
    [("0", "4", 0), ("1", "3", 33.3), ("7", "4", 100), ("0.5", "0.5", 100), ("3", "0", 0)],
)
def test_progress_is_in_percent_and_never_more_than_all(done, total, percent):
    job = summary_of(record_of(progress_done=done, progress_total=total))
    assert job.progress.percent == percent


def test_a_parents_progress_is_that_of_its_sub_jobs_whatever_its_task_says():
    job = summary_of(
        record_of(
            subs=4, subs_failed=1, subs_cancelled=2, progress_done="9", progress_total="9", progress_message="merging"
        )
    )
    assert job.progress.model_dump() == {"done": 3, "total": 4, "percent": 75, "note": "merging"}
    assert job.failure_policy == "fail"


def test_results_of_every_json_kind_come_back():
    for text, value in [
        ("null", None),
        ("0", 0),
        ("false", False),
        ('""', ""),
        ("[]", []),
        ('{"a": [1]}', {"a": [1]}),
    ]:
        assert job_of(record_of(), {"result": text}).result == value


def test_a_job_without_data_has_none():
    job = job_of(record_of(), {})
    assert (job.payload, job.args, job.result, job.error, job.arguments_repr) == (None, None, None, None, None)


# -- the table of fields ---------------------------------------------------------------------------------------------


def test_each_field_has_a_place_of_its_own_and_no_place_is_left_out():
    assert [field.place for field in FIELDS] == list(range(len(FIELDS)))
    assert {NAMES[place]: place for place in NAMES} == PLACES


def test_a_record_that_is_not_there_has_an_id_and_defaults():
    record = decode("j", None)
    assert not record.exists
    assert (record.id, record.status, record.run, record.reason, record.title) == ("j", None, 0, None, "j")


@pytest.mark.parametrize("name", ["id", "status", "run", "anything"])
def test_nobody_can_change_a_record(name):
    record = record_of(run=1)
    with pytest.raises(AttributeError):
        setattr(record, name, 2)
    assert record == record_of(run=1)


def test_lua_knows_each_field_by_the_place_and_the_kind_that_python_knows():
    tables = lua_tables()
    assert tables["PLACE"] == {field.name: field.place for field in FIELDS}
    assert tables["IS_NUMBER"] == {
        field.place for field in FIELDS if isinstance(field.default, int | None) and field.is_number
    }
    assert set(tables["DEFAULT"]) - {PLACES["priority"]} <= tables["IS_NUMBER"]


def test_a_class_gives_the_field_and_a_record_its_value():
    assert isinstance(JobRecord.run, Field)
    assert JobRecord.run.__get__(record_of(run=3), JobRecord) == 3
