"""The ledger: what was delivered again, which execution counts, and what the others did in vain."""

import json

import pytest
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, create_job
from support.time_series import Settled, counters, expected_series, stored_series

from jobtracker.core.job import new_execution
from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.schemas.history import Step
from jobtracker.store.changes import NewJob

HOUR_MS = 3_600_000


def execution(begins_s: int, worker: str = "w1") -> str:
    return f"{START_MS + begins_s * 1000}-{worker}-{begins_s:08x}"


class Course:
    """A job, and what its executions report, in seconds after it was sent."""

    def __init__(self, store, queries):
        self.store, self.queries = store, queries
        self.id = create_job(store)
        store.apply(Event.ENQUEUE, self.id, at_ms=START_MS)

    def report(self, event, at_s, by, run=1, attempt=0, **more):
        if event is Event.START:
            worker = by.split("-")[1]
            more.setdefault("fields", {"worker": f"{worker}@h", "lease": worker})
        return self.store.apply(
            event, self.id, run=run, attempt=attempt, execution=by, at_ms=START_MS + at_s * 1000, **more
        )

    def begin(self, at_s, worker="w1", **more):
        by = execution(at_s, worker)
        self.report(Event.START, at_s, by, **more)
        return by

    @property
    def ledger(self):
        """Deliveries, redeliveries, double runs, seconds in vain."""
        job = self.queries.get(self.id)
        return job.deliveries, job.redeliveries, job.double_runs, job.wasted_s

    @property
    def late(self):
        return [entry for entry in self.queries.history(self.id) if entry.step is Step.ENDED_LATE]


@pytest.fixture
def course(store, queries, client, keys):
    course = Course(store, queries)
    yield course
    record = queries.record(course.id).as_texts()
    assert recount(client, keys) == []
    if record["status"] in {"completed", "failed"} and record["run"] == "1":
        assert stored_series(client, keys) == expected_series([START_MS], [Settled.of(record)])


def result(value):
    return {"data": {"result": json.dumps(value)}}


def test_the_simple_course_keeps_nothing_beside_the_record(course, client, keys):
    one = course.begin(1)
    course.report(Event.COMPLETE, 5, one)
    assert course.ledger == (1, 0, 0, 0)
    record = course.queries.record(course.id).as_texts()
    assert record["execution"] == one
    assert "ledger" not in record
    assert not [key for key in keys_of(client, keys) if "executions" in key or "history" in key]
    assert (
        not {"deliveries", "wasted_ms"}
        & counters(client, keys.of(course.id)("settled", (START_MS + 5000) // HOUR_MS, "custom")).keys()
    )


def test_of_two_executions_the_first_to_end_counts_and_the_other_is_a_double_run(course):
    one, other = course.begin(1), course.begin(10, "w2")
    assert course.ledger == (2, 1, 0, 9)  # the first one may be lost, as far as is known
    course.report(Event.COMPLETE, 14, one, **result("first"))
    assert course.ledger == (2, 1, 0, 4)
    assert course.report(Event.COMPLETE, 24, other, **result("second")).outcome is Outcome.DUPLICATE
    assert course.ledger == (2, 1, 1, 14)
    job = course.queries.get(course.id)
    assert (job.result, job.worker) == ("first", "w1@h")
    [late] = course.late
    assert (late.worker, late.outcome, late.result, late.same_result) == ("w2@h", "completed", '"second"', False)
    assert ((late.at - late.began_at).total_seconds(), late.run, late.attempt) == (14, 1, 0)


def test_a_failure_that_does_not_count_is_told_with_its_reason(course):
    one, other = course.begin(1), course.begin(2)
    course.report(Event.COMPLETE, 3, other, **result(1))
    course.report(Event.FAIL, 4, one, fields={"reason": "ValueError: no ink"})
    assert course.ledger == (2, 1, 1, 3)
    [late] = course.late
    assert (late.outcome, late.reason, late.result) == ("failed", "ValueError: no ink", None)


def test_a_result_that_does_not_count_is_kept_in_part(course):
    one, other, third = course.begin(1), course.begin(2), course.begin(3)
    for by, value in [(one, "a" * 1000), (other, "a" * 1000), (third, "é" * 1000)]:
        course.report(Event.COMPLETE, 4, by, data={"result": json.dumps(value, ensure_ascii=False)})
    same, differs = course.late
    assert (same.same_result, differs.same_result) == (True, False)
    assert (len(same.result), differs.result.strip('"é')) == (200, "")


@pytest.mark.parametrize("event", [Event.COMPLETE, Event.FAIL, Event.CANCELLED, Event.RETRY])
@pytest.mark.parametrize("reporter", ["itself", "its worker"])
def test_an_end_that_is_told_twice_counts_once(course, event, reporter):
    one = course.begin(1)
    course.report(event, 2, one)
    before = course.queries.record(course.id).as_texts()
    course.report(event, 3, one if reporter == "itself" else "w1")
    assert course.queries.record(course.id).as_texts() == before
    assert course.ledger == (1, 0, 0, 0)
    assert course.late == []


def test_an_end_that_does_not_count_and_is_told_twice_is_kept_once(course):
    one, other = course.begin(1), course.begin(2, "w2")
    course.report(Event.COMPLETE, 3, one)
    for by in (other, other, "w2"):
        course.report(Event.FAIL, 4, by, fields={"reason": "lost"})
    assert course.ledger == (2, 1, 1, 2)
    assert len(course.late) == 1


def test_a_main_process_means_the_execution_that_runs_on_its_worker(course):
    one = course.begin(1, "w1")
    course.begin(2, "w2")
    course.report(Event.FAIL, 3, "w1", fields={"reason": "its process was lost"})
    record = course.queries.record(course.id).as_texts()
    assert (record["execution"], record["worker"]) == (one, "w1@h")
    assert course.ledger == (2, 1, 0, 1)  # what runs on the other worker runs in vain


def test_a_worker_without_an_execution_of_it_leaves_no_trace(course):
    course.report(Event.COMPLETE, 2, course.begin(1))
    course.report(Event.CANCELLED, 3, "another")
    assert (course.ledger, course.late) == ((1, 0, 0, 0), [])


def test_a_start_that_is_told_twice_counts_once_and_one_of_another_delivery_counts(course):
    """On the same worker and attempt too."""
    one = course.begin(1)
    assert course.report(Event.START, 1, one).outcome is Outcome.DUPLICATE
    other = course.begin(2)
    assert course.report(Event.START, 2, one).outcome is Outcome.DUPLICATE
    assert course.report(Event.START, 2, other).outcome is Outcome.DUPLICATE
    assert course.ledger == (2, 1, 0, 1)


def test_attempts_are_neither_redeliveries_nor_double_runs(course):
    one = course.begin(1)
    course.report(Event.RETRY, 2, one)
    other = course.begin(3, attempt=1)
    course.report(Event.RETRY, 2, one)  # told again
    course.report(Event.COMPLETE, 4, other, attempt=1)
    assert course.ledger == (2, 0, 0, 0)


def test_the_next_attempt_may_begin_before_the_one_before_it_has_said_so(course):
    one = course.begin(1)
    other = course.begin(3, attempt=1)
    for _ in range(2):  # told twice
        assert course.report(Event.RETRY, 2, one, fields={"reason": "no ink"}).outcome is Outcome.STALE
    course.report(Event.COMPLETE, 4, other, attempt=1)
    assert course.ledger == (2, 0, 0, 0)
    history = course.queries.history(course.id)
    assert [entry.reason for entry in history if entry.step is Step.RETRYING] == ["no ink"]
    assert course.late == []


def test_a_message_that_is_replaced_is_no_redelivery(course):
    course.report(Event.REPLACE, 2, course.begin(1))
    course.report(Event.COMPLETE, 4, course.begin(3))
    assert course.ledger == (2, 0, 0, 0)
    assert Step.REPLACED in [entry.step for entry in course.queries.history(course.id)]


def test_what_a_lost_worker_did_is_in_vain_and_its_next_delivery_a_redelivery(course):
    course.begin(1)
    course.report(Event.REQUEUE, 6, None, lease="w1")
    assert course.ledger == (1, 0, 0, 5)
    course.report(Event.COMPLETE, 9, course.begin(8, "w2"))
    assert course.ledger == (2, 1, 0, 5)


def test_a_worker_that_was_only_cut_off_did_nothing_in_vain(course):
    one = course.begin(1)
    course.report(Event.REQUEUE, 6, None, lease="w1")
    course.report(Event.COMPLETE, 9, one)
    assert course.ledger == (1, 0, 0, 0)


def test_a_worker_that_was_cut_off_and_comes_second_is_a_double_run(course):
    one = course.begin(1)
    course.report(Event.REQUEUE, 6, None, lease="w1")
    course.report(Event.COMPLETE, 9, course.begin(8, "w2"))
    course.report(Event.COMPLETE, 11, one)
    assert course.ledger == (2, 1, 1, 10)


def test_a_presumed_loss_that_is_corrected_is_taken_back_everywhere(course, client, keys):
    one = course.begin(1)
    course.report(Event.LOSE, 6, None, lease="w1", fields={"reason": "lost"})
    assert course.ledger == (1, 0, 0, 5)
    course.report(Event.COMPLETE, 9, one)
    assert course.ledger == (1, 0, 0, 0)


def test_a_delivery_after_the_end_runs_in_vain(course):
    course.report(Event.COMPLETE, 2, course.begin(1))
    other = course.begin(5, "w2")
    assert course.ledger == (2, 1, 0, 0)
    course.report(Event.FAIL, 8, other, fields={"reason": "ValueError: twice"})
    assert course.ledger == (2, 1, 1, 3)
    assert [entry.step for entry in course.queries.history(course.id)][-2:] == [Step.STARTED_AGAIN, Step.ENDED_LATE]


def test_a_delivery_after_a_cancel_is_refused_and_no_delivery(course):
    course.store.apply(Event.CANCEL, course.id, at_ms=START_MS)
    course.begin(5)
    assert course.ledger == (0, 0, 0, 0)


def test_a_delivery_of_a_run_that_was_taken_back_is_refused_and_no_delivery(course):
    course.store.apply(Event.UNENQUEUE, course.id, run=1)
    course.begin(5)
    assert course.ledger == (0, 0, 0, 0)


def test_a_sign_of_life_takes_back_that_it_was_in_vain(course):
    one = course.begin(1)
    course.report(Event.LOSE, 6, None, lease="w1", fields={"reason": "lost"})
    course.report(Event.PROGRESS, 7, None)  # its worker does not say which execution
    assert course.ledger == (1, 0, 0, 0)
    course.report(Event.COMPLETE, 9, one)
    assert course.ledger == (1, 0, 0, 0)


def test_an_end_whose_start_was_dropped_makes_the_delivery_known(course):
    """While the tracking Redis is away a full buffer gives up starts before ends."""
    course.report(Event.COMPLETE, 9, execution(1))
    assert course.ledger == (1, 0, 0, 0)
    course.report(Event.COMPLETE, 9, execution(4))
    assert course.ledger == (2, 1, 1, 5)


def test_a_message_that_an_overtaken_execution_gives_back_leaves_the_job_running(course):
    one, other = course.begin(1), course.begin(2)
    assert course.report(Event.REQUEUE, 3, one).outcome is Outcome.STALE
    assert course.queries.get(course.id).status is Status.RUNNING
    course.report(Event.COMPLETE, 4, other)
    assert course.ledger == (2, 1, 1, 2)


@pytest.mark.parametrize("new_run", [Event.RERUN, Event.RELAUNCH])
def test_what_an_older_run_comes_to_is_visible(course, client, keys, new_run):
    one = course.begin(1)
    if new_run is Event.RERUN:
        course.report(Event.LOSE, 3, None, lease="w1", fields={"reason": "lost"})
    course.store.apply(new_run, course.id, at_ms=START_MS + 3000)
    assert course.report(Event.COMPLETE, 5, one, **result("old")).outcome is Outcome.STALE
    course.report(Event.COMPLETE, 9, course.begin(7, run=2), run=2, **result("new"))
    assert course.ledger == (2, 0, 1, 4)
    [late] = course.late
    assert (late.run, late.result, late.same_result) == (1, '"old"', False)


def test_a_type_s_figures_are_the_sums_of_its_jobs(store, queries):
    for _ in range(2):
        course = Course(store, queries)
        one, other = course.begin(1), course.begin(2)
        course.report(Event.COMPLETE, 3, one)
        course.report(Event.COMPLETE, 5, other)
        store.apply(Event.CANCEL, Course(store, queries).id, at_ms=START_MS + 5)
    found = queries.performance(START_MS, START_MS, ["custom"])["custom"]
    assert (found.count, found.deliveries, found.redeliveries, found.double_runs, found.wasted_s) == (4, 4, 2, 2, 6)


def times(course):
    """When it began to count, how long it waited and how long it ran, in seconds; None where nobody knows."""
    job = course.queries.get(course.id)
    found = course.queries.performance(START_MS, START_MS, ["custom"])["custom"]
    return (job.started_at.timestamp() * 1000 - START_MS) / 1000, found.wait.max_s, found.run.max_s


@pytest.mark.parametrize("how", ["its process was killed", "its worker was killed", "it was delivered too early"])
def test_a_wait_for_a_redelivery_is_no_run_time(course, how):
    one = course.begin(1)
    if how == "its process was killed":
        course.report(Event.REQUEUE, 21, one)
    elif how == "its worker was killed":
        course.report(Event.REQUEUE, 36, None, lease="w1")
    other = course.begin(1221, "w2")
    course.report(Event.COMPLETE, 1281, other)
    assert times(course) == (1221, 1, 60)
    started = [entry for entry in course.queries.history(course.id) if entry.step is Step.STARTED]
    assert [(entry.at.timestamp() * 1000 - START_MS, entry.worker) for entry in started[-1:]] == [(1_221_000, "w2@h")]
    assert started[0].at.timestamp() * 1000 - START_MS == 1000


def test_the_run_time_is_of_the_execution_that_counts(course):
    one, _ = course.begin(1), course.begin(1221, "w2")
    course.report(Event.COMPLETE, 1231, one)
    assert times(course) == (1, 1, 1230)


def test_a_verdict_that_is_corrected_by_another_execution_leaves_its_run_time_only(course):
    course.begin(1)
    course.report(Event.LOSE, 16, None, lease="w1", fields={"reason": "lost"})
    other = course.begin(1221, "w2")
    course.report(Event.COMPLETE, 1223, other)
    assert times(course) == (1221, 1, 2)


def test_attempts_after_a_retry_run_from_the_first_one_that_was_not_lost(course):
    one = course.begin(1)
    course.report(Event.RETRY, 2, one)
    again = course.begin(11, attempt=1)
    course.report(Event.REQUEUE, 20, again, attempt=1)
    third = course.begin(1221, "w2", attempt=1)
    course.report(Event.RETRY, 1231, third, attempt=1)
    course.report(Event.COMPLETE, 1241, course.begin(1240, "w2", attempt=2), attempt=2)
    assert times(course) == (1221, 1, 20)


def test_the_pauses_between_attempts_are_run_time(course):
    course.report(Event.RETRY, 2, course.begin(1))
    course.report(Event.COMPLETE, 12, course.begin(11, attempt=1), attempt=1)
    assert times(course) == (1, 1, 11)


def test_how_long_a_job_ran_that_was_taken_for_lost_is_not_known(course):
    one = course.begin(1)
    course.report(Event.REQUEUE, 6, one)
    course.report(Event.LOSE, 1206, None, fields={"reason": "its message is gone"})
    assert times(course) == (1, 1, None)


def test_a_parent_s_run_time_is_that_of_its_sub_jobs_too(course, store):
    store.create(NewJob(id=course.id, fields={}, subs={0: "sub"}))
    course.report(Event.SUB_START, 1, None)
    course.begin(100)
    course.report(Event.REQUEUE, 110, None, lease="w1")
    course.report(Event.COMPLETE, 1221, course.begin(1220, "w2"))
    assert times(course) == (1, 1, 1220)


def test_what_is_kept_of_executions_has_an_end_and_goes_with_the_job(course, client, keys):
    for n in range(120):
        course.begin(n)
    assert client.hlen(keys("executions", course.id)) == 100
    assert course.ledger == (120, 119, 0, 119)
    course.report(Event.COMPLETE, 120, execution(119))
    course.store.delete(course.id)
    assert not [key for key in keys_of(client, keys) if course.id in key and "tombstone" not in key]
    course.id = create_job(course.store)


def test_no_two_executions_have_the_same_id():
    ids = [new_execution("w1") for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(each.split("-")[1] == "w1" for each in ids)
