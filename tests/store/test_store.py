"""One event on one job, against the real script: every pair of status and event, late, twice and out of order."""

import pytest
from support.raw_records import stored
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, bring_to, create_in, create_job

from jobtracker.core.lifecycle import MATRIX, REPORTED, SETTLED, Event, Outcome, Status
from jobtracker.store.changes import NewJob
from jobtracker.store.schema import JobRecord

LATER_MS = START_MS + 5_000

SENT_EXCEPTIONS = {
    (Event.ENQUEUE, Status.PENDING): Outcome.ILLEGAL,  # it was sent already
    (Event.AWAIT, Status.PENDING): Outcome.ILLEGAL,  # likewise
    (Event.UNENQUEUE, Status.PENDING): Outcome.STALE,  # of which run is not said
    **{(Event.REOPEN, status): Outcome.ILLEGAL for status in Status},  # nothing was inferred
}
UNSENT_EXCEPTIONS = {
    (Event.UNENQUEUE, Status.PENDING): Outcome.STALE,  # there is nothing to take back
    (Event.CANCEL, Status.RUNNING): Status.CANCELLED,  # no Celery task that would look at the mark
    **{
        (event, status): Outcome.ILLEGAL for status in Status for event in (Event.REOPEN, Event.RELAUNCH, Event.AWAIT)
    },
}


def expected_of(event, status, *, sent):
    exceptions = SENT_EXCEPTIONS if sent else UNSENT_EXCEPTIONS
    target = exceptions.get((event, status), MATRIX[event][status])
    return (Outcome.APPLIED, target) if isinstance(target, Status) else (target, status)


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "unsent"])
@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("event", Event)
def test_an_event_does_in_the_store_what_the_table_says(client, keys, store, event, status, sent):
    job = create_in(store, status, sent=sent)
    record = stored(client, keys, job)
    change = store.apply(event, job, fields={"progress_message": "written"}, data={"result": "1"}, at_ms=LATER_MS)
    outcome, after = expected_of(event, status, sent=sent)
    assert (change.outcome, change.before, change.after) == (outcome, status, after)
    assert change.settled == (after in SETTLED)
    now = stored(client, keys, job)
    assert now["status"] == after
    assert change.run == int(now["run"])
    if outcome is Outcome.APPLIED:
        assert now["progress_message"] == "written"
        assert client.hget(keys("data", job), "result") == "1"
        assert now["status_changed_at"] == str(
            START_MS if after == status and event is not Event.RELAUNCH else LATER_MS
        )
    else:
        assert now == record
        assert client.exists(keys("data", job)) == 0
    assert recount(client, keys) == []


def test_arguments_of_an_event_take_the_place_of_stored_ones_unless_these_are_masked_so_already(client, keys, store):
    masked = {"payload": "masked", "args": "masked", "arguments_repr": "masked"}
    whole, repr_only, done = (
        NewJob(id=name, fields={"type": "t", "priority": "normal", **fields}, data=data)
        for name, fields, data in (
            ("whole", {}, {"payload": "whole"}),
            ("repr", {}, {"arguments_repr": "(whole)"}),
            ("done", {"masked": '["card"]'}, {"payload": "as it was"}),
        )
    )
    store.create(whole, repr_only, done)
    for job in (whole, repr_only, done):
        store.apply(Event.START, job.id, fields={"masked": '["card"]'}, data=masked)
    stored = [client.hgetall(keys("data", job.id)) for job in (whole, repr_only, done)]
    assert stored == [{"payload": "masked"}, {"arguments_repr": "masked"}, {"payload": "as it was"}]


def test_a_start_that_finds_a_cancel_leaves_the_arguments_for_a_retry(client, keys, store):
    store.create(NewJob(id="x", fields={"type": "t", "priority": "normal"}, data={"payload": "whole"}))
    bring_to(store, "x", Status.RETRYING)
    store.apply(Event.CANCEL, "x")
    store.apply(Event.START, "x", fields={"masked": '["card"]'}, data={"payload": "masked"})
    assert client.hget(keys("data", "x"), "payload") == "whole"
    assert stored(client, keys, "x").get("masked") is None


@pytest.mark.parametrize("event", Event)
def test_an_event_for_an_unknown_job_is_missing_and_leaves_nothing(client, keys, store, event):
    change = store.apply(event, "nobody", fields={"progress_message": "x"}, data={"result": "1"})
    assert change == (Outcome.MISSING, None, None, 0, 0, None, False, None, 0, False, False, False, False, None)
    assert keys_of(client, keys) == []


@pytest.mark.parametrize("event", sorted(set(Event) - {Event.RERUN}))
@pytest.mark.parametrize("status", Status)
def test_an_event_of_an_older_run_is_stale(client, keys, store, status, event):
    job = create_in(store, Status.FAILED)
    store.apply(Event.RERUN, job)
    bring_to(store, job, status)
    record = stored(client, keys, job)
    change = store.apply(event, job, run=1)
    assert (change.outcome, change.after, change.run) == (Outcome.STALE, status, 2)
    assert stored(client, keys, job) == record
    assert recount(client, keys) == []


@pytest.mark.parametrize("event", [Event.START, Event.PROGRESS, Event.COMPLETE, Event.FAIL, Event.RETRY, Event.LOSE])
def test_an_event_of_an_older_attempt_of_the_same_run_is_stale(client, keys, store, event):
    job = create_in(store, Status.RETRYING)
    store.apply(Event.START, job, run=1, attempt=2)
    record = stored(client, keys, job)
    change = store.apply(event, job, run=1, attempt=1)
    assert (change.outcome, change.after, change.attempt) == (Outcome.STALE, Status.RUNNING, 2)
    assert stored(client, keys, job) == record


def test_the_start_of_the_next_attempt_may_be_recorded_before_the_retry_that_led_to_it(client, keys, store):
    job = create_in(store, Status.RUNNING)
    assert store.apply(Event.START, job, run=1, attempt=1).after is Status.RUNNING
    late = store.apply(Event.RETRY, job, run=1, attempt=0)
    assert (late.outcome, late.after) == (Outcome.STALE, Status.RUNNING)
    assert recount(client, keys) == []


def test_an_attempt_that_is_not_known_is_taken_for_the_current_one(store):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.START, job, run=1, attempt=3)
    assert store.apply(Event.COMPLETE, job, run=1).applied


def test_a_new_run_begins_with_the_attempts_anew(store, queries):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.START, job, run=1, attempt=3)
    store.apply(Event.FAIL, job, run=1, attempt=3)
    change = store.apply(Event.RERUN, job)
    assert (change.run, change.attempt) == (2, 0)
    assert store.apply(Event.START, job, run=2, attempt=0).applied


def test_each_start_counts_as_a_delivery_and_the_first_one_is_kept_as_the_start(store, queries):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.START, job, at_ms=LATER_MS)
    record = queries.record(job).as_texts()
    assert (record["deliveries"], record["started"]) == ("2", str(START_MS))


def test_a_new_run_forgets_how_the_last_one_went(client, keys, store, queries):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.PROGRESS, job, fields={"progress_done": 1, "progress_total": 2, "progress_message": "half"})
    store.apply(Event.CANCEL, job, fields={"reason": "asked"})
    store.apply(Event.FAIL, job, fields={"worker": "w", "lease": "l"}, data={"error": "{}", "result": "1"})
    store.apply(Event.RERUN, job, at_ms=LATER_MS)
    record = queries.record(job).as_texts()
    assert record["queued"] == str(LATER_MS)
    gone = {
        "started",
        "finished",
        "executing",
        "eta",
        "worker",
        "lease",
        "cancel",
        "reason",
        "progress_done",
        "progress_total",
        "progress_message",
    }
    assert not gone & record.keys()
    assert not client.hkeys(keys("data", job))


def test_of_two_reruns_at_once_the_second_is_illegal(store):
    job = create_in(store, Status.FAILED)
    assert store.apply(Event.RERUN, job).run == 2
    assert store.apply(Event.RERUN, job)[:4] == (Outcome.ILLEGAL, Status.PENDING, Status.PENDING, 2)


def test_an_enqueue_that_is_taken_back_leaves_the_job_as_it_was(client, keys, store):
    job = create_job(store)
    record = stored(client, keys, job)
    store.apply(Event.ENQUEUE, job)
    assert client.zrange(keys.of(job)("unconfirmed"), 0, -1) == [job]
    assert store.apply(Event.UNENQUEUE, job, run=1).run == 0
    assert stored(client, keys, job) == record | {"voided_run": "1"}
    assert client.zrange(keys.of(job)("unconfirmed"), 0, -1) == []


def test_what_turns_up_of_a_run_that_was_taken_back_is_refused(client, keys, store):
    job = create_job(store)
    store.apply(Event.ENQUEUE, job)
    store.apply(Event.UNENQUEUE, job, run=1)
    record = stored(client, keys, job)
    for event in sorted(REPORTED):
        assert store.apply(event, job, run=1, attempt=0)[:4] == (Outcome.STALE, Status.PENDING, Status.PENDING, 0)
    assert stored(client, keys, job) == record
    assert store.apply(Event.ENQUEUE, job).run == 2
    assert store.apply(Event.START, job, run=1, attempt=0).outcome is Outcome.STALE
    assert store.apply(Event.START, job, run=2, attempt=0).after is Status.RUNNING


def test_a_run_that_was_taken_back_is_not_the_next_one_of_a_retry(store):
    job = create_job(store)
    store.apply(Event.ENQUEUE, job)
    store.apply(Event.UNENQUEUE, job, run=1)
    store.apply(Event.CANCEL, job)
    assert store.apply(Event.RERUN, job).run == 2


def test_a_run_that_has_another_behind_it_is_not_taken_back(store):
    job = create_job(store)
    store.apply(Event.ENQUEUE, job)
    store.apply(Event.RELAUNCH, job)
    assert store.apply(Event.UNENQUEUE, job, run=1).outcome is Outcome.STALE


@pytest.mark.parametrize("event", [Event.RERUN, Event.RELAUNCH])
def test_each_run_that_is_about_to_be_sent_is_unconfirmed_until_its_sender_says_so(store, queries, event):
    job = create_job(store)
    store.apply(Event.ENQUEUE, job, at_ms=START_MS)
    if event is Event.RERUN:
        store.apply(Event.FAIL, job)
    store.apply(event, job, at_ms=LATER_MS)
    assert queries.unconfirmed(START_MS, 10) == []
    assert queries.unconfirmed(LATER_MS + 1, 10) == [job, f"{job}~2"]
    store.confirm(job)
    assert queries.unconfirmed(LATER_MS + 1, 10) == [f"{job}~2"]
    assert queries.are_unconfirmed([job, f"{job}~2"]) == {f"{job}~2"}


def test_an_enqueue_is_not_taken_back_when_a_worker_was_faster(store):
    job = create_in(store, Status.RUNNING)
    assert store.apply(Event.UNENQUEUE, job, run=1)[:3] == (Outcome.STALE, Status.RUNNING, Status.RUNNING)


@pytest.mark.parametrize("status", sorted(set(Status) - SETTLED - {Status.RUNNING}))
def test_a_job_that_waits_is_cancelled_at_once(store, queries, status):
    job = create_in(store, status)
    change = store.apply(Event.CANCEL, job, at_ms=LATER_MS)
    assert (change.after, change.cancel_requested) == (Status.CANCELLED, True)
    assert queries.record(job).as_texts()["cancel"] == str(LATER_MS)


def test_a_running_job_is_marked_and_goes_on_until_it_looks(store):
    job = create_in(store, Status.RUNNING)
    assert store.apply(Event.CANCEL, job)[:3] == (Outcome.APPLIED, Status.RUNNING, Status.RUNNING)
    assert store.apply(Event.PROGRESS, job).cancel_requested
    assert store.apply(Event.CANCELLED, job).after is Status.CANCELLED


def test_a_second_cancel_keeps_the_time_of_the_first(store, queries):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.CANCEL, job, at_ms=LATER_MS)
    store.apply(Event.CANCEL, job, at_ms=LATER_MS + 1)
    assert queries.record(job).as_texts()["cancel"] == str(LATER_MS)


def test_a_job_that_completes_in_spite_of_a_cancel_is_completed(store):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.CANCEL, job)
    assert store.apply(Event.COMPLETE, job).after is Status.COMPLETED


@pytest.mark.parametrize("again", [Event.REQUEUE, Event.RETRY])
def test_a_marked_job_that_starts_again_is_cancelled_instead(client, keys, store, queries, again):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.CANCEL, job)
    store.apply(again, job)
    change = store.apply(Event.START, job, fields={"worker": "w"}, at_ms=LATER_MS)
    assert (change.outcome, change.after, change.cancel_requested) == (Outcome.APPLIED, Status.CANCELLED, True)
    record = queries.record(job).as_texts()
    assert "worker" not in record
    assert record["deliveries"] == "1"
    assert recount(client, keys) == []


def test_the_start_of_a_job_that_was_cancelled_in_the_queue_says_so(store):
    job = create_in(store, Status.PENDING)
    store.apply(Event.CANCEL, job)
    change = store.apply(Event.START, job, run=1)
    assert not change.applied
    assert change.cancel_requested
    assert change.after is Status.CANCELLED


def test_a_retry_says_when_the_next_attempt_is_due_and_its_start_forgets_it(store, queries):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.RETRY, job, fields={"eta": LATER_MS, "reason": "try later"})
    assert queries.record(job).as_texts()["eta"] == str(LATER_MS)
    store.apply(Event.START, job)
    assert not {"eta", "reason"} & queries.record(job).as_texts().keys()


@pytest.mark.parametrize("event", [Event.COMPLETE, Event.FAIL, Event.CANCEL, Event.CANCELLED, Event.LOSE])
def test_a_settled_job_waits_for_no_attempt(client, keys, store, queries, event):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.RETRY, job, fields={"eta": LATER_MS})
    assert store.apply(event, job).settled
    assert "eta" not in queries.record(job).as_texts()
    assert recount(client, keys) == []


@pytest.mark.parametrize("event", [Event.RETRY, Event.REQUEUE])
def test_a_job_that_left_its_worker_is_no_longer_executing(store, queries, event):
    job = create_job(store)
    store.apply(Event.ENQUEUE, job)
    store.apply(Event.START, job, fields={"lease": "l"})
    assert queries.record(job).as_texts()["executing"] == "1"
    store.apply(event, job)
    assert not {"executing", "lease"} & queries.record(job).as_texts().keys()


def test_a_message_that_is_in_the_queue_again_waits_for_no_time(store, queries):
    job = create_in(store, Status.RUNNING)
    store.apply(Event.RETRY, job, fields={"eta": LATER_MS})
    store.apply(Event.REQUEUE, job)
    assert "eta" not in queries.record(job).as_texts()


def test_a_change_names_the_parent_and_the_next_of_the_chain(store):
    job = create_job(store, parent="p", next="n")
    change = store.apply(Event.START, job)
    assert (change.parent, change.next) == ("p", "n")


def test_many_events_are_applied_in_order_each_with_its_own_fields(client, keys, store, queries):
    jobs = [create_in(store, status) for status in (Status.PENDING, Status.RUNNING, Status.COMPLETED)]
    changes = store.apply_many(Event.CANCEL, {job: {"reason": f"no {n}"} for n, job in enumerate([*jobs, "nobody"])})
    outcomes = [change.outcome for change in changes.values()]
    assert list(changes) == [*jobs, "nobody"]
    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED, Outcome.ILLEGAL, Outcome.MISSING]
    assert [queries.field(job, JobRecord.reason) for job in jobs] == ["no 0", "no 1", None]
    assert recount(client, keys) == []


def test_no_events_need_no_round_trip(store):
    assert store.apply_many(Event.CANCEL, {}) == {}
