"""Values that are too large for Redis are in the object store, as long as their job, and no longer."""

import hashlib
import json
import time

import pytest
from support.recount import recount
from support.sample_jobs import new_job
from support.workers_under_test import Project, eventually, job

from jobtracker import Settings, Status
from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import Event
from jobtracker.doctor.object_check import ObjectCheck
from jobtracker.errors import ArgumentsUnavailableError, UnknownJobTypeError, ValueUnavailableError
from jobtracker.jobs.large_values import LargeValue, job_of
from jobtracker.jobs.results import as_stored
from jobtracker.maintenance.leadership import Leadership
from jobtracker.maintenance.objects import ObjectRemover, unnamed_objects
from jobtracker.objects.object_store import ObjectStoreError
from jobtracker.objects.opening import open_object_store
from jobtracker.schemas.examination import Flaw
from jobtracker.schemas.filters import JobFilter
from jobtracker.schemas.requests import JobUpdate, SubJobCreate, Unique

LARGE = "x" * 70_000


@pytest.fixture(params=["folder", "bucket"])
def objects(request, tmp_path) -> dict:
    """Settings of an object store of the test's own."""
    where = {"objects_dir": tmp_path / "objects"}
    if request.param == "bucket":
        emulator, name = request.getfixturevalue("storage_emulator"), request.getfixturevalue("bucket_name")
        where = {"gcs_bucket_name": name, "storage_emulator_host": emulator.url, "gcp_project_id": "test"}
    open_object_store(Settings(**where)).check()  # as the API and the workers do when they start
    return where


@pytest.fixture
def own(redis_server, tmp_path, objects):
    """A project with an object store, without a worker."""
    project = Project(redis_server, tmp_path, **objects)
    project.announce()
    yield project
    project.close()


def objects_of(project: Project) -> list[str]:
    values = project.tracking.large_values
    return sorted(each.name for each in values.objects.list(values.root()))


def value_of(project: Project, job_id: str, name: str) -> object:
    return json.loads(b"".join(project.tracking.stored_values.of(job_id, name).pieces()))


def complete(project: Project, job_id: str, result: object, **how) -> LargeValue:
    """Report the end of a job as its worker does; returns where its result is."""
    project.tracking.store.apply(Event.START, job_id)
    return report_result(project, job_id, result, **how)


def report_result(project: Project, job_id: str, result: object, **how) -> LargeValue:
    written = project.tracking.large_values.write(job_id, "result", json.dumps(result))
    data = {"result_object": written.model_dump_json()}
    project.tracking.store.apply(Event.COMPLETE, job_id, fields={"large": "1"}, data=data, **how)
    return written


def remove_discarded(project: Project) -> int:
    return ObjectRemover(Leadership(project.tracking)).remove_discarded()


def a_job(project: Project, value: str = "small") -> str:
    return project.jobs.create(SubJobCreate(name="x", job_type="ok", payload={"value": value}))


def test_a_large_payload_is_an_object_and_the_record_says_where(own):
    job_id = a_job(own, LARGE)
    assert own.job(job_id).payload is None
    large = own.job(job_id).large_values["payload"]
    text = json.dumps({"value": LARGE})
    assert (large.bytes, large.sha256) == (len(text), hashlib.sha256(text.encode()).hexdigest())
    assert [large.object] == objects_of(own)
    assert value_of(own, job_id, "payload") == {"value": LARGE}
    assert "payload" not in own.client.hgetall(own.keys("data", job_id))
    assert recount(own.client, own.keys) == []


def test_a_unique_job_that_is_made_at_the_second_try_has_its_payload(own, monkeypatch):
    """The job that had its key is gone before it can be looked at."""
    wanted = SubJobCreate(name="x", job_type="ok", payload={"value": LARGE})
    (first, _), _ = own.jobs.create_unique(wanted, Unique(key="k"), start=False)
    load = own.tracking.queries.load

    def and_it_is_gone(ids, **options):
        own.jobs.delete(first.id)
        remove_discarded(own)
        return load(ids, **options)

    with monkeypatch.context() as patch:
        patch.setattr(own.tracking.queries, "load", and_it_is_gone)
        (second, _), is_other = own.jobs.create_unique(wanted, Unique(key="k"), start=False)
    assert (is_other, second.id == first.id) == (False, False)
    remove_discarded(own)
    assert value_of(own, second.id, "payload") == {"value": LARGE}
    assert len(objects_of(own)) == 1


def test_a_small_value_stays_in_redis_and_is_read_by_the_same_way(own):
    job_id = a_job(own)
    assert own.job(job_id).large_values == {}
    assert objects_of(own) == []
    assert value_of(own, job_id, "payload") == {"value": "small"}


def test_what_masks_its_arguments_keeps_its_payload_out_of_the_object_store(own):
    own.jobs.create(SubJobCreate(name="x", job_type="payment", payload={"amount": 1, "card": LARGE}))
    assert objects_of(own) == []


def test_a_deleted_job_takes_its_objects_along(own):
    job_id = a_job(own, LARGE)
    complete(own, job_id, LARGE)
    assert len(objects_of(own)) == 2
    own.jobs.delete(job_id)
    assert len(objects_of(own)) == 2, "a process that dies here leaves them noted"
    assert remove_discarded(own) == 2
    assert objects_of(own) == []
    assert own.client.exists(own.keys("discarded")) == 0
    assert recount(own.client, own.keys) == []


def test_a_new_payload_replaces_the_object_of_the_one_before(own):
    job_id = a_job(own, LARGE)
    before = objects_of(own)
    own.jobs.update(job_id, JobUpdate(payload={"value": LARGE + "y"}))
    assert value_of(own, job_id, "payload") == {"value": LARGE + "y"}
    remove_discarded(own)
    assert len(objects_of(own)) == 1
    assert objects_of(own) != before
    own.jobs.update(job_id, JobUpdate(payload={"value": "small"}))
    remove_discarded(own)
    assert objects_of(own) == []
    assert value_of(own, job_id, "payload") == {"value": "small"}


def test_a_refused_tree_leaves_no_object(own):
    large = SubJobCreate(name="x", job_type="ok", payload={"value": LARGE})
    subs = [large, large.model_copy(update={"job_type": "unknown"})]
    with pytest.raises(UnknownJobTypeError):
        own.jobs.create(large.model_copy(update={"job_type": "collect", "payload": {}, "sub_jobs": subs}))
    assert objects_of(own) == []


def test_a_refused_change_leaves_no_object(own):
    job_id = a_job(own)
    complete(own, job_id, 1)
    with pytest.raises(Exception, match="before it is started"):
        own.jobs.update(job_id, JobUpdate(payload={"value": LARGE}))
    remove_discarded(own)
    assert [each for each in objects_of(own) if "payload" in each] == []


def test_a_new_run_does_not_keep_the_result_of_the_one_before(own):
    own.tracking.store.create(new_job("a", type="ok"))
    own.tracking.store.apply(Event.ENQUEUE, "a")
    complete(own, "a", LARGE, run=1)
    own.tracking.store.apply(Event.SEND_AGAIN, "a", fields={"queued": now_ms()})
    assert own.job("a").large_values == {}
    assert remove_discarded(own) == 1
    assert objects_of(own) == []


def test_the_same_report_twice_keeps_its_result_and_another_one_is_discarded(own):
    job_id = a_job(own)
    written = complete(own, job_id, LARGE)
    data = {"result_object": written.model_dump_json()}
    own.tracking.store.apply(Event.COMPLETE, job_id, fields={"large": "1"}, data=data)
    report_result(own, job_id, LARGE + "y")  # of an execution that does not count
    assert remove_discarded(own) == 1
    assert objects_of(own) == [written.object]
    assert value_of(own, job_id, "result") == LARGE


def test_a_report_on_a_deleted_job_leaves_no_object(own):
    job_id = a_job(own)
    complete(own, job_id, 1)
    remove_discarded(own)
    own.jobs.delete(job_id)
    report_result(own, job_id, LARGE)
    remove_discarded(own)
    assert objects_of(own) == []


def test_the_result_of_an_outside_worker_may_be_large_too(own):
    job_id = a_job(own)
    own.jobs.update(job_id, JobUpdate(status="running"))
    own.jobs.update(job_id, JobUpdate(status="completed", result={"rows": LARGE}))
    assert own.job(job_id).result is None
    assert value_of(own, job_id, "result") == {"rows": LARGE}


def test_an_object_whose_report_never_came_is_found_and_removed(own, redis_server, objects):
    values, store = own.tracking.large_values, own.tracking.large_values.objects
    job_id = "An/id with ÄÖ, .dots and 200 more characters " + "x" * 200
    values.write(job_id, "result", json.dumps(LARGE))
    kept = a_job(own, LARGE)
    assert sorted(job_of(name) for name in objects_of(own)) == sorted([job_id, kept])
    assert list(unnamed_objects(own.tracking, now_ms() - 60_000)) == []  # it may be on its way
    [left] = unnamed_objects(own.tracking, now_ms() + 60_000)
    assert job_of(left.name) == job_id
    other = Project(redis_server, own.log_dir, **objects)
    assert list(unnamed_objects(other.tracking, now_ms() + 60_000)) == [], "another store's objects are not ours"
    other.close()
    store.delete(left.name)


def test_the_doctor_counts_and_removes_what_is_left_and_names_what_is_lost(own, monkeypatch):
    monkeypatch.setattr("jobtracker.doctor.object_check._ON_ITS_WAY_MS", -60_000)
    values = own.tracking.large_values
    left = values.write("gone", "result", json.dumps(LARGE))
    kept, lost = a_job(own, LARGE), a_job(own, LARGE)
    values.remove(own.job(lost).large_values["payload"].object)
    seen = ObjectCheck(own.tracking, repair=False, step=lambda: None).run()
    assert {(each.flaw, each.subject) for each in seen} == {(Flaw.LEFT_OVER, left.object), (Flaw.LOST_VALUE, lost)}
    assert len(objects_of(own)) == 2
    repaired = ObjectCheck(own.tracking, repair=True, step=lambda: None).run()
    assert {each.flaw: each.is_repaired for each in repaired} == {Flaw.LEFT_OVER: True, Flaw.LOST_VALUE: False}
    assert objects_of(own) == [own.job(kept).large_values["payload"].object]


def test_a_lost_object_is_an_error_that_says_so_not_a_wrong_value(own):
    job_id = a_job(own, LARGE)
    name, store = own.job(job_id).large_values["payload"].object, own.tracking.large_values.objects
    content = b"".join(store.read(name))
    store.put(name, [content.replace(b"x", b"y", 1)])
    with pytest.raises(ArgumentsUnavailableError, match="was changed"):
        own.jobs.start(job_id)
    store.delete(name)
    with pytest.raises(ValueUnavailableError, match="can't be read"):
        value_of(own, job_id, "payload")
    with pytest.raises(ArgumentsUnavailableError, match="can't be read"):
        own.jobs.start(job_id)
    assert own.job(job_id).status is Status.PENDING


def test_a_process_without_the_object_store_says_what_to_set(own, redis_server, tmp_path):
    job_id = a_job(own, LARGE)
    other = Project(redis_server, tmp_path, like=own)
    with pytest.raises(ObjectStoreError, match="set OBJECTS_DIR or GCS_BUCKET_NAME"):
        value_of(other, job_id, "payload")
    other.close()


def test_an_object_store_that_takes_nothing_loses_nothing(redis_server, tmp_path):
    (tmp_path / "file").write_text("")
    project = Project(redis_server, tmp_path, objects_dir=tmp_path / "file" / "objects")
    project.announce()
    job_id = a_job(project, LARGE)
    assert project.job(job_id).payload == {"value": LARGE}
    told = as_stored(job_id, LARGE, project.tracking.large_values)
    project.tracking.store.apply(Event.START, job_id)
    project.tracking.store.apply(Event.COMPLETE, job_id, fields=told.fields, data=told.data)
    assert project.job(job_id).result_omitted_bytes == 70_002
    assert "OBJECTS_DIR must name a folder" in project.job(job_id).result_omitted_reason
    with pytest.raises(ValueUnavailableError, match="70,002 bytes, more than MAX_RESULT_BYTES"):
        value_of(project, job_id, "result")
    project.close()


@pytest.mark.thorough
def test_a_large_result_goes_from_worker_to_parent_without_celerys_backend(redis_server, tmp_path):
    project = Project(redis_server, tmp_path, objects_dir=tmp_path / "objects")
    with project.worker():
        gate = f"gate-{project.name}"
        root = project.launch("collect", sub_jobs=[job("ok", {"value": LARGE}), job("mended", {"name": gate})])
        project.expect_status(root, Status.FAILED)
        sub = project.subs(root)[0]
        assert project.job(sub).large_values["result"].bytes > 70_000
        assert value_of(project, sub, "result") == LARGE
        project.app.AsyncResult(sub).forget()
        project.diary.open_gate(gate)
        project.jobs.retry(root)
        project.expect_status(root, Status.COMPLETED)
        assert LARGE in json.dumps(value_of(project, root, "result"))
    project.close()


@pytest.mark.thorough
def test_large_arguments_of_a_celery_call_are_objects_and_a_retry_sends_them(redis_server, tmp_path):
    project = Project(redis_server, tmp_path, objects_dir=tmp_path / "objects")
    with project.worker():
        call = project.send("kept", LARGE)
        project.expect_status(call, Status.COMPLETED)
        assert value_of(project, call, "args") == [LARGE]
        assert value_of(project, call, "result") == LARGE
        gate = f"gate-{project.name}"
        failed = project.jobs.submit(
            SubJobCreate(name="x", job_type="mended", payload={"name": gate, "value": LARGE})
        )
        project.expect_status(failed, Status.FAILED)
        project.diary.open_gate(gate)
        project.jobs.retry(failed)
        project.expect_status(failed, Status.COMPLETED)
        assert value_of(project, failed, "result") == LARGE
    project.close()


@pytest.mark.thorough
def test_a_parent_waits_for_an_object_store_that_is_away(redis_server, tmp_path):
    folder, away = tmp_path / "objects", tmp_path / "away"
    project = Project(redis_server, tmp_path, objects_dir=folder, maintenance_interval_s=0.5)
    gate = f"gate-{project.name}"
    with project.worker(concurrency=3):
        subs = [job("ok", {"value": LARGE}), job("hold", {"gate": gate}), job("fail")]
        root = project.launch("collect", sub_jobs=subs, failure_policy="continue")
        large, held, failed = project.subs(root)
        project.expect_status(large, Status.COMPLETED)
        project.expect_status(failed, Status.FAILED)
        project.app.AsyncResult(large).forget()
        folder.rename(away)
        project.diary.open_gate(gate)
        project.expect_status(held, Status.COMPLETED)
        stays_until = time.monotonic() + 2
        while time.monotonic() < stays_until:
            assert project.job(root).status in {Status.PENDING, Status.RUNNING}
            time.sleep(0.1)
        away.rename(folder)
        project.expect_status(root, Status.COMPLETED)
        assert LARGE in json.dumps(value_of(project, root, "result"))
    project.close()


def test_the_history_says_whether_a_second_large_result_was_the_same(own):
    job_id = a_job(own)
    own.tracking.store.apply(Event.ENQUEUE, job_id)
    for execution in ("1-w-a", "2-w-b"):
        fields = {"worker": "w", "lease": "w"}
        own.tracking.store.apply(Event.START, job_id, run=1, execution=execution, fields=fields)
    report_result(own, job_id, LARGE, run=1, execution="2-w-b")
    report_result(own, job_id, LARGE, run=1, execution="1-w-a")
    ends = [each for each in own.queries.history(job_id) if each.same_result is not None]
    assert [each.same_result for each in ends] == [True]


@pytest.mark.thorough
def test_a_worker_that_is_killed_around_the_end_of_its_task_leaves_no_object_for_good(redis_server, tmp_path):
    folder = tmp_path / "objects"
    project = Project(redis_server, tmp_path, objects_dir=folder, lease_renew_s=0.2, lease_lost_s=1)
    for turn in range(6):
        with project.worker(f"w{turn}") as worker:
            call = project.send("kept", LARGE)
            before = len(list(folder.rglob("result-*")))
            eventually(lambda before=before: len(list(folder.rglob("result-*"))) > before)
            time.sleep(turn * 0.002)
            worker.kill()
        project.tracking.store.apply(Event.CANCEL, call)
    for record in project.queries.records([each.id for each in project.queries.page(JobFilter()).jobs]):
        if not record.is_settled:
            project.tracking.store.apply(Event.FAIL, record.id, run=record.run)
        project.jobs.delete(record.id)
    remove_discarded(project)
    for each in unnamed_objects(project.tracking, now_ms() + 60_000):
        project.tracking.large_values.remove(each.name)
    assert objects_of(project) == []
    assert recount(project.client, project.keys) == []
    project.close()
