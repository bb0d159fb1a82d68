"""The history of a job: what its record says, and what is kept beside the record because it does not say it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import Event, Status
from jobtracker.schemas.history import HistoryEntry, Step
from jobtracker.store.schema import JobRecord

_STEPS = {
    Event.START: Step.STARTED,
    Event.RETRY: Step.RETRYING,
    Event.REQUEUE: Step.REQUEUED,
    Event.REPLACE: Step.REPLACED,
    Event.UNENQUEUE: Step.NOT_SENT,
    Event.RELAUNCH: Step.RELAUNCHED,
    Event.CANCEL: Step.CANCEL_REQUESTED,
    Event.REOPEN: Step.REOPENED,
    Event.SEND_AGAIN: Step.SENT_AGAIN,
}


_UPDATE = "update"
"""Somebody changed a job: no event of its course."""

NEW_RUNS = frozenset({Event.RERUN, Event.AWAIT, Event.RELAUNCH, Event.SEND_AGAIN})

_OUTCOMES: dict[str, str] = {
    Event.COMPLETE: "completed",
    Event.FAIL: "failed",
    Event.CANCELLED: "cancelled",
    Event.RETRY: "retrying",
    Event.REQUEUE: "requeued",
    Event.REPLACE: "replaced",
    Event.LOSE: "lost",
}
"""What an execution came to."""


def history_of(record: JobRecord, kept: Iterable[str | bytes]) -> list[HistoryEntry]:
    """The course of a job, oldest first.

    Args:
        record: Its record.
        kept: What the store has kept beside it (`append_history` in `lua/lib/history.lua`), oldest first.
    """
    all_kept = [*map(json.loads, kept)]
    entries = [entry for entry in all_kept if entry["event"] in set(Event)]  # else of a newer release
    first_worker: dict[int, str] = {}
    for entry in entries:
        is_end = entry["event"] in {Event.RETRY, Event.REQUEUE, Event.REPLACE} and not entry.get("late")
        if is_end and entry.get("worker"):
            first_worker.setdefault(int(entry["run"]), entry["worker"])
    found = [HistoryEntry(at=from_ms(record.created), step=Step.CREATED)]
    # In the same millisecond, a job is rather changed before it is sent than behind that.
    found += [_updated(entry) for entry in all_kept if entry["event"] == _UPDATE]
    for entry in entries:
        found += _noted(entry, first_worker)
    found += _run(record, first_worker)
    asked = {entry.run for entry in found if entry.step is Step.CANCEL_REQUESTED}
    run, cancel = record.run, record.cancel
    if cancel and run not in asked and cancel != record.finished:
        asked_by = record.cancelled_by
        found.append(HistoryEntry(at=from_ms(cancel), step=Step.CANCEL_REQUESTED, run=run, by=asked_by))
    # The next attempt may begin before it was said what ended the one before it.
    starts = {(entry.run, entry.attempt): entry.at for entry in reversed(found) if entry.step is Step.STARTED}

    def place(entry: HistoryEntry) -> tuple[datetime, bool]:
        next_at = starts.get((entry.run, (entry.attempt or 0) + 1)) if entry.step is Step.RETRYING else None
        return (next_at, False) if next_at and next_at < entry.at else (entry.at, True)

    return sorted(found, key=place)


def _noted(entry: Mapping[str, Any], first_worker: Mapping[int, str]) -> Iterator[HistoryEntry]:
    event = Event(entry["event"])
    was = JobRecord.of("", entry["was"]) if entry.get("was") else None
    if was:
        yield from _run(was, first_worker) if event in NEW_RUNS else _end(was)
    if event in {Event.RERUN, Event.AWAIT} or (was and event is Event.SEND_AGAIN):
        return
    if entry.get("late") and event is not Event.START:
        yield _ended_late(entry)
        return
    is_corrected = was and event not in {Event.REOPEN, Event.RELAUNCH}
    step = Step.CORRECTED if is_corrected else _STEPS[event]
    if entry.get("late"):
        step = Step.REFUSED if entry.get("refused") else Step.STARTED_AGAIN
    yield HistoryEntry(
        at=from_ms(entry["at"]),
        step=step,
        run=entry["run"],
        attempt=entry["attempt"],
        worker=entry.get("worker"),
        reason=entry.get("reason") if step is not Step.CORRECTED else None,
        not_before=from_ms(entry.get("eta")),
        by=entry.get("cancelled_by"),
    )


def _updated(entry: Mapping[str, Any]) -> HistoryEntry:
    reason = f"changed: {', '.join(entry['changed'])}"
    return HistoryEntry(at=from_ms(entry["at"]), step=Step.UPDATED, reason=reason, by=entry["by"])


def _ended_late(entry: Mapping[str, Any]) -> HistoryEntry:
    return HistoryEntry(
        at=from_ms(entry["at"]),
        step=Step.ENDED_LATE,
        run=entry["run"],
        attempt=entry["attempt"],
        worker=entry.get("worker") or None,
        reason=entry.get("reason"),
        began_at=from_ms(entry.get("began")),
        outcome=_OUTCOMES.get(entry["event"], entry["event"]),
        result=entry.get("result"),
        same_result=entry.get("same"),
    )


def _run(record: JobRecord, first_worker: Mapping[int, str]) -> Iterator[HistoryEntry]:
    """What the fields of a record say of a run."""
    run = record.run
    if record.queued:
        yield HistoryEntry(at=from_ms(record.queued), step=Step.QUEUED, run=run, by=record.started_by)
    if record.started:
        worker = first_worker.get(run) or record.worker
        attempt = None if record.subs else 0
        yield HistoryEntry(at=from_ms(record.started), step=Step.STARTED, run=run, attempt=attempt, worker=worker)
    yield from _end(record)


def _end(record: JobRecord) -> Iterator[HistoryEntry]:
    if record.is_settled:
        yield HistoryEntry(
            at=from_ms(record.finished),
            step=Step(record.nearest_status),
            run=record.run,
            attempt=record.attempt,
            worker=record.worker,
            reason=record.reason,
            inferred=record.inferred in {Event.LOSE, Event.QUARANTINE},
            by=record.cancelled_by if record.nearest_status is Status.CANCELLED else None,
        )
