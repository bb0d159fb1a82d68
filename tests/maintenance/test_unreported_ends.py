"""Jobs end as Celery's result backend says, if nobody has reported it."""

import pytest
from celery.exceptions import ChordError
from support.maintenance import begun_parent
from support.recount import recount
from support.sample_jobs import a_worker, begin, create_in, create_parent, kept

from jobtracker import Status
from jobtracker.core.lifecycle import Event
from jobtracker.core.masking import NOTHING
from jobtracker.jobs.large_values import LargeValues
from jobtracker.jobs.results import stored_result
from jobtracker.store.keys import LET_GO

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize("lease", ["dead", "alive"])
def test_a_job_whose_last_report_was_lost_ends_as_celery_says(own_project, store, runner, leases, now_ms, lease):
    leases.renew(a_worker("alive"))
    own_project.announce()
    own_project.app.tasks.unregister("ok")  # as where an API process asks, which has no tasks
    done = kept(own_project, begin(store, lease, now_ms - 60_000, task="ok"), [7], "SUCCESS")
    private = kept(own_project, begin(store, lease, now_ms - 60_000, task="secret"), "xyzzy", "SUCCESS")
    broken = kept(
        own_project, begin(store, lease, now_ms - 60_000), ValueError("no ink"), "FAILURE", traceback="in 1"
    )
    goes_on = kept(own_project, begin(store, "alive", now_ms - 60_000), None, "STARTED")
    just_begun = kept(own_project, begin(store, lease, now_ms), None, "SUCCESS")
    runner.rescuer.rescue_lost() if lease == "dead" else runner.overdue.settle_finished()
    assert (own_project.job(done).status, own_project.job(done).result) == (Status.COMPLETED, [7])
    assert (own_project.job(private).status, own_project.job(private).result) == (Status.COMPLETED, None)
    job = own_project.job(broken)
    assert (job.status, job.reason) == (Status.FAILED, "ValueError: no ink")
    assert (job.error.type, job.error.message, job.error.traceback) == ("ValueError", "no ink", "in 1")
    assert {own_project.job(each).status for each in (goes_on, just_begun)} == {Status.RUNNING}
    assert recount(own_project.client, own_project.keys) == []


def test_of_a_revoked_job_celery_is_believed_only_where_its_worker_is_gone(
    own_project, store, runner, leases, now_ms
):
    leases.renew(a_worker("alive"))
    lost, goes_on = (
        kept(own_project, begin(store, lease, now_ms - 60_000), None, "REVOKED") for lease in ("dead", "alive")
    )
    runner.rescuer.rescue_lost()
    runner.overdue.settle_finished()
    assert [own_project.job(each).status for each in (lost, goes_on)] == [Status.CANCELLED, Status.RUNNING]


def test_of_a_job_that_its_worker_has_let_go_celery_knows_how_it_ended(own_project, store, runner, now_ms):
    own_project.announce()
    told = {"task": "ok", "reason": "Celery could not store how it ended: OSError"}
    done = kept(own_project, begin(store, LET_GO, now_ms - 60_000, **told), 7, "SUCCESS")
    unknown = begin(store, LET_GO, now_ms - 60_000, **told)
    acknowledged = begin(store, LET_GO, now_ms - 60_000, acks_late="1", **told)
    begun_parent(own_project, now_ms)  # which no worker has
    runner.rescuer.rescue_lost()
    assert (own_project.job(done).status, own_project.job(done).result) == (Status.COMPLETED, 7)
    let_go = "w@test let it go (Celery could not store how it ended: OSError)"
    assert (own_project.job(unknown).status, own_project.job(unknown).reason) == (
        Status.FAILED,
        f"{let_go} while it ran the task",
    )
    assert own_project.job(acknowledged).reason == f"{let_go} while it ran the task"


@pytest.mark.parametrize("status", [Status.PENDING, Status.RETRYING])
def test_a_job_that_ran_without_anybody_saying_so_ends_as_celery_says(own_project, store, runner, now_ms, status):
    done = kept(own_project, create_in(store, status, at_ms=now_ms - 60_000), None, "SUCCESS")
    waits = create_in(store, status, at_ms=now_ms - 60_000)
    unsent = create_in(store, Status.PENDING, sent=False, at_ms=now_ms - 60_000)
    assert runner.overdue.settle_finished() == 1
    assert own_project.job(done).status is Status.COMPLETED
    assert [own_project.job(each).status for each in (waits, unsent)] == [status, Status.PENDING]


def test_rounds_take_turns_with_many_overdue_jobs(own_project, store, runner, now_ms):
    for n in range(250):
        create_in(store, Status.PENDING, at_ms=now_ms - 60_000 + n)
    last = kept(own_project, create_in(store, Status.PENDING, at_ms=now_ms - 50_000), None, "SUCCESS")
    assert [runner.overdue.settle_finished() for _ in range(3)] == [0, 0, 1]
    assert own_project.job(last).status is Status.COMPLETED


def test_a_sub_job_that_celery_knows_to_have_failed_fails_its_parent(own_project, store, runner, now_ms):
    root, (sub,) = create_parent(store, 1)
    store.apply(Event.START, sub, at_ms=now_ms - 60_000, fields={"lease": "dead", "worker": "w@test"})
    kept(own_project, sub, ValueError("no ink"), "FAILURE")
    kept(own_project, root, ValueError("ChordError"), "FAILURE")
    runner.overdue.settle_finished()
    assert own_project.job(root).status is Status.FAILED
    assert "no ink" in own_project.job(root).error.message


def test_a_chord_error_says_nothing_of_a_parents_task_that_we_called(own_project, store, runner, leases, now_ms):
    leases.renew(a_worker("alive"))
    root, (sub,) = create_parent(store, 1, policy="continue", callback_mode="called")
    store.apply(Event.FAIL, sub, at_ms=now_ms - 60_000)
    store.apply(Event.START, root, at_ms=now_ms - 60_000, fields={"lease": "alive", "worker": "w@test"})
    kept(own_project, root, ChordError("Dependency raised"), "FAILURE")
    runner.overdue.settle_finished()
    assert own_project.job(root).status is Status.RUNNING


def test_an_error_may_tell_what_is_masked_and_is_left_with_celery(own_project, store, runner, now_ms):
    broken = begin(store, "dead", now_ms - 60_000, masked='["card"]')
    kept(own_project, broken, ValueError("the card 1234 is refused"), "FAILURE", traceback="card = 1234")
    runner.rescuer.rescue_lost()
    assert (own_project.job(broken).error.type, own_project.job(broken).reason) == ("ValueError", "ValueError")
    assert "1234" not in own_project.job(broken).model_dump_json()


def test_a_result_that_json_can_not_carry_is_left_to_celerys_backend(own_project):
    task = own_project.app.tasks["ok"]
    values = LargeValues(None, lambda: "", 3)
    assert stored_result(task, "j", object(), values) == NOTHING
    assert stored_result(task, "j", "x", values) == ({}, {"result": '"x"'})
    fields, data = stored_result(task, "j", "xx", values)
    assert (fields, data["result_omitted"]) == ({}, "4")
    assert "set OBJECTS_DIR" in data["result_omitted_reason"]
