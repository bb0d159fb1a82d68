"""What comes next for a job, and what holds of every change."""

from jobtracker.core.lifecycle import MIDWAY, REPORTED, SETTLED, UNDER_WAY, Event, Outcome, Status
from jobtracker.store.changes import Change

LIKELY = {
    Status.PENDING: [
        *[Event.START] * 8,
        *[Event.ENQUEUE, Event.UNENQUEUE, Event.CANCEL, Event.COMPLETE, Event.FAIL, Event.LOSE, Event.RELAUNCH],
    ],
    Status.RUNNING: [
        *[Event.COMPLETE, Event.FAIL, Event.LOSE] * 2,
        *[Event.PROGRESS, Event.START, Event.RETRY, Event.REQUEUE, Event.CANCEL, Event.CANCELLED],
        *[Event.RELAUNCH, Event.QUARANTINE, Event.REPLACE],
    ],
    Status.RETRYING: [*[Event.START] * 2, Event.LOSE, Event.CANCEL, Event.REQUEUE, Event.FAIL, Event.RELAUNCH],
    Status.COMPLETED: [*sorted(REPORTED), Event.SEND_AGAIN],
    Status.FAILED: [*sorted(REPORTED), *[Event.RERUN] * 6, Event.SEND_AGAIN],
    Status.CANCELLED: [*sorted(REPORTED), *[Event.RERUN] * 6, Event.SEND_AGAIN],
}
"""What comes next from outside, as a rule; what a parent makes of its sub-jobs does not come from outside."""

OUTSIDE = sorted(set(Event) - {Event.SUBS_FAILED, Event.SUBS_CANCELLED, Event.REOPEN})


def likely(record: dict[str, str]) -> list[Event]:
    """What comes next for a job; the own task of a parent does not begin before its sub-jobs have settled."""
    settled = sum(int(record.get(f"subs_{status}", 0)) for status in SETTLED)
    if record["status"] not in SETTLED and settled < int(record.get("subs", 0)):
        return [Event.SUB_START, Event.SUB_START, Event.CANCEL]
    return LIKELY[Status(record["status"])]


def check_change(
    was: dict[str, str],
    now: dict[str, str],
    event: Event,
    change: Change,
    place: tuple[int | None, int | None],
    execution: str | None,
) -> None:
    """Assert what holds of any event, whatever the table says.

    Args:
        was: The record before.
        now: The record after.
        event: What happened.
        change: What the store has answered.
        place: The (run, attempt) that it was reported of.
        execution: The execution that reported it.
    """
    was_run = int(was["run"])
    _check_outcome(was, now, event, change, place)
    if not change.applied:
        return
    if event in REPORTED - MIDWAY and change.after is not Status.CANCELLED:
        assert now.get("execution") == execution
    if event in {Event.LOSE, Event.QUARANTINE}:
        assert now["inferred"] == event
    if event is Event.ENQUEUE:
        assert was_run == 0
    if event is Event.UNENQUEUE:
        assert (was_run, now["run"], now["voided_run"]) == (place[0], "0", str(place[0]))
    if event is Event.SEND_AGAIN:
        assert change.after is Status.PENDING
        assert now["run"] == now["reused"] == str(max(was_run, int(was.get("voided_run", 0))) + 1)
        assert not {"started", "executing", "eta", "lease", "worker", "inferred", "cancel"} & now.keys()
    if event is Event.RELAUNCH:
        assert was_run > 0
        if "cancel" in was:
            assert change.after is Status.CANCELLED
        else:
            assert (now["run"], now.get("attempt"), change.after) == (str(was_run + 1), None, Status.PENDING)
            assert not {"started", "executing", "eta", "lease", "worker"} & now.keys()
    if event is Event.START:
        began = change.after is Status.RUNNING
        assert began == ("cancel" not in was)
        is_new = began and execution != was.get("execution")
        assert int(now.get("deliveries", 0)) == int(was.get("deliveries", 0)) + is_new
        is_attempt_again = is_new and "execution" in was and now.get("attempt", "0") == was.get("attempt", "0")
        if is_attempt_again and not int(was.get("subs", 0)) and execution and "started" in was:
            assert now["began"] == execution.partition("-")[0]
        else:
            assert now.get("began") == was.get("began")
    if event is Event.CANCEL and "executing" in was and was_run > 0:
        assert change.after in UNDER_WAY


def is_confirmed(was: dict[str, str], now: dict[str, str], change: Change) -> bool:
    """Whether a job was cancelled by presumption, and evidence has said the same."""
    said = was["status"] == now["status"] == Status.CANCELLED and change.outcome is Outcome.DUPLICATE
    return said and "inferred" in was and "inferred" not in now


def _check_outcome(
    was: dict[str, str], now: dict[str, str], event: Event, change: Change, place: tuple[int | None, int | None]
) -> None:
    run, attempt = place
    was_run, was_attempt = int(was["run"]), int(was.get("attempt", 0))
    is_void = was_run == 0 and run is not None and 0 < run <= int(was.get("voided_run", 0))
    is_older = run is not None and (run, was_attempt if attempt is None else attempt) < (was_run, was_attempt)
    if is_confirmed(was, now, change):
        assert event is Event.CANCELLED or event in {Event.START, Event.RELAUNCH}  # which a cancel turns into that
    elif event is Event.START and change.outcome is Outcome.DUPLICATE:
        assert now == was  # it was told before
    elif is_void or is_older:
        assert change.outcome is Outcome.STALE
    elif was.get("inferred") == Event.QUARANTINE and event is Event.START:
        assert change.outcome is Outcome.REFUSED
    elif "inferred" in was and event in REPORTED:
        assert change.applied
        assert "inferred" not in now
