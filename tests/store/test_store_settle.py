"""Parents and what they make of their sub-jobs: in every order, twice, late, and from an older run."""

import itertools

import pytest
from support.raw_records import stored
from support.recount import keys_of, recount
from support.sample_jobs import START_MS, create_in, create_job, create_parent, new_job, report

from jobtracker.core.lifecycle import SETTLED, Event, Outcome, Status
from jobtracker.store.changes import NewJob, Verdict
from jobtracker.store.reader import as_notified

FINAL = {Event.COMPLETE: Status.COMPLETED, Event.FAIL: Status.FAILED, Event.CANCELLED: Status.CANCELLED}
WAITING = "waiting"


def status_of(queries, job):
    return Status(queries.record(job).as_texts()["status"])


def counts_of(queries, parent):
    record = queries.record(parent).as_texts()
    return tuple(int(record.get(f"subs_{status}", 0)) for status in ("completed", "failed", "cancelled"))


# -- who may tell ----------------------------------------------------------------------------------------------------


def test_an_unknown_parent_makes_nothing_of_it(client, keys, store):
    assert store.notify_parent("nobody", "s", 1, Status.FAILED) == Verdict("missing", None, 0, None)
    assert keys_of(client, keys) == []


def test_a_job_that_is_none_of_its_sub_jobs_counts_for_nothing(client, keys, store, queries):
    parent, _ = create_parent(store, 1)
    stranger = create_in(store, Status.FAILED)
    assert store.notify_parent(parent, stranger, 1, Status.FAILED).verdict == "missing"
    assert counts_of(queries, parent) == (0, 0, 0)
    assert recount(client, keys) == []


# -- told with the event itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["fail", "fail_fast", "continue"])
@pytest.mark.parametrize("body", [None, "own"])
@pytest.mark.parametrize("ends", list(itertools.product([*FINAL, Event.LOSE], repeat=2)))
def test_a_report_makes_of_the_parent_what_event_and_telling_make_of_it(client, keys, store, policy, body, ends):
    found = []
    for at_once in (True, False):
        fields = {"policy": policy, **({"callback_mode": body} if body else {})}
        parent, subs = create_parent(store, 2, name=keys.new_id(), **fields)
        store.apply_many(Event.START, {sub: {} for sub in subs})
        # Each ends; what was inferred is corrected at last.
        for sub, end in [*zip(subs, ends, strict=True), *((sub, Event.COMPLETE) for sub in subs)]:
            if at_once:
                change = store.report(store.call_of(end, sub, at_ms=START_MS))
                may_tell = change.applied and keys.are_together(parent, sub)
                asks_for_names = may_tell and not all(keys.are_together(parent, each) for each in subs)
                is_told = change.parent is None or change.verdict is not None
                assert is_told == may_tell or asks_for_names
                if is_told:
                    assert as_notified(client.hget(keys("outcomes", parent), sub)) == f"{change.run}:{change.after}"
                verdict = change.verdict
            else:
                change, verdict = store.apply(end, sub, at_ms=START_MS), None
            if change.applied:
                verdict = verdict or store.notify_parent(parent, sub, change.run, change.after, at_ms=START_MS)
            found.append((at_once, change.outcome, verdict))
        record = str(sorted(stored(client, keys, parent).items()))
        record = record.replace(parent, "parent")  # in the names of its sub-jobs too
        found.append((at_once, record, [as_notified(client.hget(keys("outcomes", parent), sub)) for sub in subs]))
    half = len(found) // 2
    assert [each[1:] for each in found[:half]] == [each[1:] for each in found[half:]]
    assert recount(client, keys) == []


def test_what_was_reported_before_is_told_by_whoever_reports_again(client, keys, store, queries):
    parent, (sub, _) = create_parent(store, 2)
    call = store.call_of(Event.COMPLETE, sub)
    store.report(call)
    again = store.report(call)
    assert (again.outcome, again.verdict) == (Outcome.DUPLICATE, None)
    assert counts_of(queries, parent) == (1, 0, 0)
    assert recount(client, keys) == []


def test_a_report_that_is_stale_tells_nobody(client, keys, store):
    parent, (sub,) = create_parent(store, 1)
    change = store.report(store.call_of(Event.FAIL, sub, run=0))
    assert (change.outcome, change.verdict) == (Outcome.STALE, None)
    assert client.hgetall(keys("outcomes", parent)) == {}


def test_a_chain_is_broken_off_before_the_parent_is_told(client, keys, store, queries):
    parent, (sub,) = create_parent(store, 1, sub_fields={"next": "later"})
    change = store.report(store.call_of(Event.FAIL, sub))
    assert (change.applied, change.verdict, change.next) == (True, None, "later")
    assert counts_of(queries, parent) == (0, 0, 0)
    assert queries.unnotified(2**53, 10) == [sub]


def test_of_a_parent_that_is_not_at_hand_a_job_stays_unnotified(store, queries):
    store.create(new_job("sub", parent="elsewhere", run=1))
    change = store.report(store.call_of(Event.FAIL, "sub"))
    assert (change.applied, change.parent, change.verdict) == (True, "elsewhere", None)
    assert queries.unnotified(2**53, 10) == ["sub"]


# -- the verdict, by policy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["fail", "fail_fast", "continue", None])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_parent_whose_sub_jobs_all_complete_waits_for_celery_to_call_its_task(
    client, keys, store, queries, policy, order
):
    parent, subs = create_parent(store, 3, **({"policy": policy} if policy else {}))
    verdicts = [report(store, parent, subs[n], Event.COMPLETE).verdict for n in order]
    assert verdicts == [WAITING] * 3
    assert counts_of(queries, parent) == (3, 0, 0)
    assert status_of(queries, parent) is Status.PENDING
    assert recount(client, keys) == []


@pytest.mark.parametrize("ends", list(itertools.product(FINAL, repeat=2)))
def test_under_fail_a_parent_settles_with_its_last_sub_job_and_not_before(client, keys, store, queries, ends):
    parent, subs = create_parent(store, 2)
    first, last = (report(store, parent, sub, end) for sub, end in zip(subs, ends, strict=True))
    assert first.verdict == WAITING
    unhappy = set(ends) != {Event.COMPLETE}
    assert last.verdict == ("settled" if unhappy else WAITING)
    assert status_of(queries, parent) is (Status.FAILED if unhappy else Status.PENDING)
    assert recount(client, keys) == []


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("end", [Event.FAIL, Event.CANCELLED])
def test_a_verdict_is_the_same_however_often_a_sub_job_is_told(client, keys, store, queries, end, repeats):
    parent, subs = create_parent(store, 2)
    for sub, event in zip(subs, [end, Event.COMPLETE], strict=True):
        change = store.apply(event, sub)
        for _ in range(repeats):
            store.notify_parent(parent, sub, change.run, change.after)
    record = stored(client, keys, parent)
    assert record["status"] == "failed"
    for sub in subs:
        for _ in range(repeats):
            assert store.notify_parent(parent, sub, 1, status_of(queries, sub)).verdict == WAITING
    assert stored(client, keys, parent) == record
    assert recount(client, keys) == []


def test_a_failed_parent_says_why_and_when_and_what_it_rests_on(client, keys, store, queries):
    parent, (bad, good) = create_parent(store, 2, sub_fields={"name": 'the "culprit"'})
    report(store, parent, good, Event.COMPLETE)
    change = store.apply(Event.FAIL, bad, fields={"reason": "no ink"})
    verdict = store.notify_parent(parent, bad, change.run, change.after)
    assert verdict == Verdict("settled", None, 1, Status.FAILED)
    job = queries.get(parent)
    said = f'1 of 2 sub-jobs did not complete: the "culprit" ({bad}) failed: no ink'
    assert (job.reason, job.error.type, job.error.message) == (said, "SubJobsFailed", said)
    assert queries.record(parent).as_texts()["inferred"] == "subs_failed"


@pytest.mark.parametrize("ends", [(1, 2, 3, 4, 5), (0, 1, 2, 3, 4, 250, 251), (100, 199, 200)])
def test_a_failed_parent_names_the_first_few_of_many(store, queries, ends):
    parent, subs = create_parent(store, 252)
    for place, sub in enumerate(subs):
        report(store, parent, sub, Event.CANCELLED if place in ends else Event.COMPLETE)
    message = queries.get(parent).error.message
    assert message.startswith(f"{len(ends)} of 252 sub-jobs did not complete: ")
    assert [sub for sub in subs if f"({sub}) cancelled" in message] == [subs[place] for place in ends[:5]]
    assert message.endswith(f", and {len(ends) - 5} more" if len(ends) > 5 else "cancelled")


@pytest.mark.parametrize("sign", ["ä", "€", "🖨"])
@pytest.mark.parametrize("shift", range(4))
def test_a_long_reason_ends_with_a_whole_character(store, queries, sign, shift):
    parent, subs = create_parent(store, 1)
    change = store.apply(Event.FAIL, subs[0], fields={"reason": "x" * shift + sign * 200})
    store.notify_parent(parent, subs[0], change.run, change.after)
    job = queries.get(parent)
    assert 290 < len(job.reason.encode()) <= 300
    assert job.reason.endswith("…")
    assert job.error.message.startswith(job.reason[:-1])
    assert job.error.message.endswith(sign * 200)


def test_fail_fast_says_halt_with_the_first_failure_and_only_once(client, keys, store, queries):
    parent, subs = create_parent(store, 4, policy="fail_fast")
    verdicts = [
        report(store, parent, sub, event).verdict
        for sub, event in zip(subs, [Event.COMPLETE, Event.FAIL, Event.FAIL], strict=False)
    ]
    assert verdicts == [WAITING, "halt", WAITING]
    assert store.notify_parent(parent, subs[1], 1, Status.FAILED).verdict == WAITING
    assert report(store, parent, subs[3], Event.CANCELLED).status is Status.FAILED
    assert recount(client, keys) == []


def test_fail_fast_has_nothing_to_halt_when_the_last_one_fails(store):
    parent, subs = create_parent(store, 2, policy="fail_fast")
    assert report(store, parent, subs[0], Event.COMPLETE).verdict == WAITING
    assert report(store, parent, subs[1], Event.FAIL).verdict == "settled"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_continue_calls_the_parents_task_once_when_nothing_is_left(client, keys, store, queries, order):
    parent, subs = create_parent(store, 3, policy="continue")
    ends = [Event.COMPLETE, Event.FAIL, Event.CANCELLED]
    verdicts = [report(store, parent, subs[n], ends[n]).verdict for n in order]
    assert verdicts == [WAITING, WAITING, "due"]
    assert queries.record(parent).as_texts()["callback_mode"] == "called"
    again = [store.notify_parent(parent, sub, 1, status_of(queries, sub)).verdict for sub in subs]
    assert again == [WAITING] * 3
    assert queries.unconfirmed(2**53, 10)[-1] == parent
    assert recount(client, keys) == []


def test_a_task_that_was_called_is_not_due_again(store, queries):
    parent, subs = create_parent(store, 1, policy="continue")
    assert report(store, parent, subs[0], Event.FAIL).verdict == "due"
    assert store.notify_parent(parent, subs[0], 1, Status.FAILED).verdict == WAITING


def test_a_parent_whose_task_we_call_ourselves_is_due_when_all_have_completed(client, keys, store, queries):
    parent, subs = create_parent(store, 2, callback_mode="own")
    assert [report(store, parent, sub, Event.COMPLETE).verdict for sub in subs] == [WAITING, "due"]
    assert store.notify_parent(parent, subs[1], 1, Status.COMPLETED).verdict == WAITING
    assert recount(client, keys) == []


@pytest.mark.parametrize("policy", ["fail", "continue"])
def test_a_parent_that_was_never_sent_has_no_task_to_be_called(store, queries, policy):
    parent, subs = create_parent(store, 1, sent=False, policy=policy, callback_mode="own")
    assert report(store, parent, subs[0], Event.COMPLETE).verdict == WAITING
    parent, subs = create_parent(store, 1, name="another", sent=False, policy=policy)
    assert report(store, parent, subs[0], Event.FAIL).status is Status.FAILED


# -- cancel ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def marked(store):
    """A running parent whose cancel was asked for, and its two running sub-jobs."""
    parent, subs = create_parent(store, 2)
    for sub in subs:
        store.apply(Event.START, sub)
    store.apply(Event.SUB_START, parent)
    assert store.apply(Event.CANCEL, parent).after is Status.RUNNING
    return parent, subs


@pytest.mark.parametrize("ends", list(itertools.product(FINAL, repeat=2)))
def test_a_parent_to_be_cancelled_is_so_with_its_last_sub_job(client, keys, store, queries, marked, ends):
    parent, subs = marked
    first, last = (report(store, parent, sub, end) for sub, end in zip(subs, ends, strict=True))
    assert first.verdict == WAITING
    assert (last.verdict, last.status) == ("settled", Status.CANCELLED)
    assert client.hget(keys("data", parent), "error") is None
    assert recount(client, keys) == []


@pytest.mark.parametrize("ends", list(itertools.product(FINAL, repeat=2)))
def test_a_cancelled_parent_stays_so_when_its_sub_jobs_are_told_again(client, keys, store, queries, marked, ends):
    parent, subs = marked
    for sub, end in zip(subs, ends, strict=True):
        report(store, parent, sub, end)
    for sub in subs:
        assert store.notify_parent(parent, sub, 1, status_of(queries, sub)).verdict == WAITING
        assert status_of(queries, parent) is Status.CANCELLED
    assert recount(client, keys) == []


def test_a_parent_that_waits_with_all_sub_jobs_settled_is_cancelled_at_once(client, keys, store):
    parent, subs = create_parent(store, 2)
    store.apply(Event.SUB_START, parent)
    for sub in subs:
        report(store, parent, sub, Event.COMPLETE)
    assert store.apply(Event.CANCEL, parent).after is Status.CANCELLED
    assert recount(client, keys) == []


def test_a_parent_whose_own_task_runs_is_only_marked(store):
    parent, subs = create_parent(store, 1)
    report(store, parent, subs[0], Event.COMPLETE)
    store.apply(Event.START, parent)
    assert store.apply(Event.CANCEL, parent).after is Status.RUNNING


# -- the parent's own task -------------------------------------------------------------------------------------------


def test_a_parent_whose_own_task_runs_is_left_to_it(client, keys, store, queries):
    parent, subs = create_parent(store, 1)
    store.apply(Event.START, parent)
    assert report(store, parent, subs[0], Event.FAIL).verdict == WAITING
    assert status_of(queries, parent) is Status.RUNNING
    assert counts_of(queries, parent) == (0, 1, 0)
    assert recount(client, keys) == []


@pytest.mark.parametrize(
    "fields", [{}, {"policy": "continue"}, {"policy": "fail_fast"}, {"callback_mode": "own"}], ids=str
)
@pytest.mark.parametrize("event", FINAL)
def test_a_parent_that_its_own_task_settled_stays_so(client, keys, store, queries, event, fields):
    parent, subs = create_parent(store, 2, **fields)
    store.apply(Event.START, parent)
    store.apply(event, parent)
    for sub in subs:
        assert report(store, parent, sub, Event.FAIL).verdict == WAITING
    assert status_of(queries, parent) is FINAL[event]
    assert counts_of(queries, parent) == (0, 2, 0)
    assert recount(client, keys) == []


@pytest.mark.parametrize("fields", [{}, {"policy": "continue"}, {"callback_mode": "own"}], ids=str)
def test_the_task_of_a_parent_that_was_cancelled_is_never_due(store, queries, fields):
    parent, subs = create_parent(store, 2, **fields)
    store.apply(Event.CANCEL, parent)
    assert [report(store, parent, sub, Event.COMPLETE).verdict for sub in subs] == [WAITING, WAITING]
    assert status_of(queries, parent) is Status.CANCELLED


@pytest.mark.parametrize("fields", [{}, {"callback_mode": "own"}, {"callback_mode": "called"}], ids=str)
def test_the_end_of_a_sub_job_is_waited_for_in_a_chord_of_celerys_and_at_the_end_of_a_tree(keys, store, fields):
    parent, subs = create_parent(store, 30, **fields)
    waited_for = []
    for sub in subs:
        waited_for.append(store.apply(Event.START, sub, run=1, attempt=0).waited_for)
        report(store, parent, sub, Event.COMPLETE)
    is_own = [fields == {"callback_mode": "own"} and keys.are_together(parent, sub) for sub in subs]
    assert waited_for == [not own or ended >= 10 for ended, own in enumerate(is_own)]


def test_the_end_of_a_parents_own_task_is_waited_for_and_not_that_of_a_job_alone(store):
    parent, _ = create_parent(store, 1)
    assert store.apply(Event.START, parent).waited_for
    job_id = create_job(store)
    store.apply(Event.ENQUEUE, job_id)
    assert not store.apply(Event.START, job_id).waited_for


def test_the_first_sub_job_that_starts_makes_the_parent_run(client, keys, store, queries):
    parent, _ = create_parent(store, 2)
    (sub,) = queries.sub_ids(parent)[:1]
    assert store.apply(Event.START, sub, run=1, attempt=0).parent_waits
    assert store.apply(Event.SUB_START, parent).after is Status.RUNNING
    waits = store.apply(Event.START, sub, run=1, attempt=1).parent_waits
    assert waits is not keys.are_together(parent, sub)  # what is not at hand is not known
    assert store.apply(Event.SUB_START, parent).outcome is Outcome.DUPLICATE
    assert "executing" not in queries.record(parent).as_texts()
    assert recount(client, keys) == []


# -- corrections, reruns, and tellings that overtake each other ------------------------------------------------------


def test_a_telling_that_a_correction_has_overtaken_changes_nothing(client, keys, store, queries):
    parent, subs = create_parent(store, 1)
    store.apply(Event.START, subs[0])
    lost = store.apply(Event.LOSE, subs[0])
    done = store.apply(Event.COMPLETE, subs[0])
    store.notify_parent(parent, subs[0], done.run, done.after)
    store.notify_parent(parent, subs[0], lost.run, lost.after)
    assert counts_of(queries, parent) == (1, 0, 0)
    assert status_of(queries, parent) is Status.PENDING
    assert recount(client, keys) == []


@pytest.mark.parametrize("events", [(Event.LOSE, Event.CANCELLED), (Event.LOSE, Event.COMPLETE)])
def test_a_telling_of_an_older_run_counts_no_more(client, keys, store, queries, events):
    parent, subs = create_parent(store, 2)
    store.apply(Event.START, subs[0])
    for event in events:
        store.apply(event, subs[0])
    late = status_of(queries, subs[0])
    store.apply(Event.RERUN, subs[0])
    store.apply(Event.FAIL, subs[0], run=2)
    store.notify_parent(parent, subs[0], 2, status_of(queries, subs[0]))
    before = stored(client, keys, parent)
    assert store.notify_parent(parent, subs[0], 1, late).verdict == WAITING
    assert stored(client, keys, parent) == before
    assert recount(client, keys) == []


def test_an_older_run_counts_no_more_where_the_sub_jobs_record_is_not_at_hand(client, keys, store, queries):
    store.create(NewJob(id="p", fields={"type": "t", "priority": "low"}, subs={0: "far", 1: "away"}))
    store.notify_parent("p", "far", 1, Status.FAILED)
    store.notify_parent("p", "far", 2, Status.FAILED)
    assert store.notify_parent("p", "far", 1, Status.CANCELLED).verdict == WAITING
    assert counts_of(queries, "p") == (0, 1, 0)
    store.notify_parent("p", "away", 1, Status.COMPLETED)
    assert queries.get("p").reason == "1 of 2 sub-jobs did not complete: far failed"
    assert recount(client, keys) == []


def test_a_sub_job_whose_run_was_taken_back_counts_as_what_it_is(client, keys, store, queries):
    parent, subs = create_parent(store, 1)
    store.notify_parent(parent, subs[0], 1, Status.PENDING)
    store.apply(Event.UNENQUEUE, subs[0], run=1)
    assert report(store, parent, subs[0], Event.CANCEL).status is Status.FAILED
    assert counts_of(queries, parent) == (0, 0, 1)
    assert recount(client, keys) == []


@pytest.mark.parametrize("end", [Event.FAIL, Event.CANCELLED])
def test_a_sub_job_that_runs_again_opens_its_parent_until_it_settles_again(client, keys, store, queries, end):
    parent, subs = create_parent(store, 2)
    report(store, parent, subs[0], Event.COMPLETE)
    report(store, parent, subs[1], end)
    assert status_of(queries, parent) is Status.FAILED
    verdict = report(store, parent, subs[1], Event.RERUN)
    assert (verdict.verdict, verdict.status) == ("settled", Status.RUNNING)
    assert counts_of(queries, parent) == (1, 0, 0)
    verdict = report(store, parent, subs[1], end)
    assert (verdict.verdict, verdict.status) == ("settled", Status.FAILED)
    assert recount(client, keys) == []


def test_a_parent_that_is_open_again_with_nothing_left_has_its_task_called_at_the_next_telling(
    client, keys, store, queries
):
    parent, subs = create_parent(store, 1, callback_mode="own")
    store.apply(Event.START, subs[0])
    report(store, parent, subs[0], Event.LOSE)
    assert report(store, parent, subs[0], Event.COMPLETE).status is Status.RUNNING
    assert store.notify_parent(parent, subs[0], 1, Status.COMPLETED).verdict == "due"
    assert recount(client, keys) == []


def test_a_parent_that_was_lost_is_not_judged_by_its_sub_jobs(client, keys, store, queries):
    parent, subs = create_parent(store, 2)
    store.apply(Event.START, parent)
    store.apply(Event.LOSE, parent)
    for sub in subs:
        assert report(store, parent, sub, Event.COMPLETE).verdict == WAITING
    assert queries.record(parent).as_texts()["inferred"] == "lose"
    assert recount(client, keys) == []


def test_a_parent_that_runs_again_halts_and_calls_its_task_anew(client, keys, store, queries):
    parent, subs = create_parent(store, 2, policy="fail_fast")
    assert report(store, parent, subs[0], Event.FAIL).verdict == "halt"
    report(store, parent, subs[1], Event.CANCEL)
    store.update(parent, fields={"callback_mode": "called"})
    store.apply(Event.RERUN, parent)
    assert not {"halted", "callback_mode"} & queries.record(parent).as_texts().keys()
    assert [report(store, parent, sub, Event.RERUN).verdict for sub in subs] == [WAITING, WAITING]
    assert report(store, parent, subs[0], Event.FAIL).verdict == "halt"


def test_a_parent_that_runs_again_waits_for_the_sub_jobs_that_run_again(client, keys, store, queries):
    parent, subs = create_parent(store, 3)
    for sub, event in zip(subs, FINAL, strict=True):
        report(store, parent, sub, event)
    store.apply(Event.RERUN, parent, fields={"callback_mode": "own"})
    for sub in subs[1:]:
        report(store, parent, sub, Event.RERUN)
    assert counts_of(queries, parent) == (1, 0, 0)
    assert status_of(queries, parent) not in SETTLED
    assert [report(store, parent, sub, Event.COMPLETE).verdict for sub in subs[1:]] == [WAITING, "due"]
    assert recount(client, keys) == []


# -- nested ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def nested(store):
    """A grandparent with a parent and a leaf; the parent with two leaves."""
    store.create(
        *(new_job(leaf, parent="parent") for leaf in ("a", "b")),
        new_job("parent", subs=["a", "b"], parent="root"),
        new_job("leaf", parent="root"),
        new_job("root", subs=["parent", "leaf"]),
    )
    store.apply_many(Event.ENQUEUE, {job: {} for job in ("root", "parent", "leaf", "a", "b")})


def test_a_parent_that_settles_names_the_grandparent_to_be_told(client, keys, store, queries, nested):
    assert report(store, "root", "leaf", Event.COMPLETE) == Verdict(WAITING, None, 1, Status.PENDING)
    assert report(store, "parent", "a", Event.COMPLETE) == Verdict(WAITING, "root", 1, Status.PENDING)
    verdict = report(store, "parent", "b", Event.FAIL)
    assert verdict == Verdict("settled", "root", 1, Status.FAILED)
    assert store.notify_parent("root", "parent", verdict.run, verdict.status) == Verdict(
        "settled", None, 1, Status.FAILED
    )
    assert recount(client, keys) == []


def test_a_correction_far_below_opens_every_parent_above(client, keys, store, queries, nested):
    report(store, "root", "leaf", Event.COMPLETE)
    report(store, "parent", "a", Event.COMPLETE)
    store.apply(Event.START, "b")
    report(store, "parent", "b", Event.LOSE)
    assert store.notify_parent("root", "parent", 1, Status.FAILED).status is Status.FAILED
    verdict = report(store, "parent", "b", Event.COMPLETE)
    assert (verdict.grandparent, verdict.status) == ("root", Status.RUNNING)
    assert store.notify_parent("root", "parent", verdict.run, verdict.status).status is Status.RUNNING
    assert report(store, "root", "parent", Event.COMPLETE).verdict == WAITING
    assert counts_of(queries, "root") == (2, 0, 0)
    assert recount(client, keys) == []


def test_a_parent_that_is_open_again_is_nobodys_that_had_given_its_task_back(client, keys, store, queries):
    parent, [sub] = create_parent(store, 1, policy="continue")
    report(store, parent, sub, Event.FAIL)
    execution = f"{START_MS}-w-1"
    store.apply(Event.START, parent, run=1, attempt=0, execution=execution, fields={"lease": "w"})
    assert store.apply(Event.REQUEUE, parent, run=1, attempt=0, execution=execution).applied
    report(store, parent, sub, Event.RERUN)
    store.apply(Event.SUB_START, parent)
    store.apply(Event.CANCEL, parent)
    assert report(store, parent, sub, Event.FAIL).status is Status.CANCELLED
    assert report(store, parent, sub, Event.RERUN).status is Status.RUNNING
    record = queries.record(parent).as_texts()
    assert (record["execution"], record.get("lease"), record.get("finished")) == (execution, None, None)
    assert recount(client, keys) == []
