"""The course of a job: what its record says, and what was kept beside it because the record does not say it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from jobtracker.core.clock import from_ms
from jobtracker.core.lifecycle import SETTLED, Event


class Step(StrEnum):
    """What happened to a job."""

    CREATED = "created"
    """It was recorded."""
    QUEUED = "queued"
    """A run of it was sent to Celery."""
    NOT_SENT = "not_sent"
    """It could not be sent; it is as it was."""
    STARTED = "started"
    """A worker began an attempt; a parent: its first sub-job began."""
    RETRYING = "retrying"
    """An attempt did not succeed, and Celery sent the next one."""
    REQUEUED = "requeued"
    """Its message went back to the broker: it was rejected, or its worker was lost."""
    REPLACED = "replaced"
    """Its task sent another one in its own place."""
    RELAUNCHED = "relaunched"
    """Its message, or the worker that ran it, was gone: a new run was sent."""
    SENT_AGAIN = "sent_again"
    """Celery code sent another message under its id before it had ended: each of them runs."""
    CANCEL_REQUESTED = "cancel_requested"
    """Somebody asked that it stop while it ran."""
    STARTED_AGAIN = "started_again"
    """A worker got its message once more after it had ended. What came of that does not count."""
    REFUSED = "refused"
    """A worker got a message whose task it did not begin: the job was cancelled, is in quarantine, or runs anew."""
    ENDED_LATE = "ended_late"
    """An execution came to its end when another one's had counted, or the job had ended. It does not count."""
    CORRECTED = "corrected"
    """It had been taken for ended by presumption, and its worker reported after all."""
    REOPENED = "reopened"
    """A parent that had ended because of its sub-jobs is open again."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class HistoryEntry(BaseModel):
    """One thing that happened to a job."""

    at: datetime
    step: Step
    run: int | None = Field(None, description="In which run.")
    attempt: int | None = Field(None, description="In which attempt of it, where that is known.")
    worker: str | None = Field(None, description="The worker that it happened on.")
    reason: str | None = Field(None, description="Why, a sentence; of a cancel what was given for it.")
    not_before: datetime | None = Field(None, description="When the next attempt was due.")
    began_at: datetime | None = Field(None, description="Of an execution that ended late: when it had begun.")
    outcome: str | None = Field(None, description="What came of it: completed, failed, cancelled, lost …")
    result: str | None = Field(None, description="How the JSON of its result begins; up to 200 characters.")
    same_result: bool | None = Field(None, description="Whether that is the job's own result.")
    presumed: bool = Field(False, description="Not reported by its worker, but presumed.")


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


def history_of(record: Mapping[str, str], kept: Iterable[str | bytes]) -> list[HistoryEntry]:
    """The course of a job, oldest first.

    Args:
        record: By `keys.RECORD_FIELDS`.
        kept: What the store has kept beside it (`note` in lua/record.lua), oldest first.
    """
    entries = [entry for entry in map(json.loads, kept) if entry["event"] in set(Event)]  # else of a newer release
    first_worker: dict[int, str] = {}
    for entry in entries:
        is_end = entry["event"] in {Event.RETRY, Event.REQUEUE, Event.REPLACE} and not entry.get("late")
        if is_end and entry.get("worker"):
            first_worker.setdefault(int(entry["run"]), entry["worker"])
    found = [HistoryEntry(at=from_ms(record["created"]), step=Step.CREATED)]
    for entry in entries:
        found += _noted(entry, first_worker)
    found += _run(record, first_worker)
    asked = {entry.run for entry in found if entry.step is Step.CANCEL_REQUESTED}
    run = int(record.get("run") or 0)
    if record.get("cancel") and run not in asked and record["cancel"] != record.get("finished"):
        found.append(HistoryEntry(at=from_ms(record["cancel"]), step=Step.CANCEL_REQUESTED, run=run))
    # The next attempt may begin before it was said what ended the one before it.
    starts = {(entry.run, entry.attempt): entry.at for entry in reversed(found) if entry.step is Step.STARTED}

    def place(entry: HistoryEntry) -> tuple[datetime, bool]:
        next_at = starts.get((entry.run, (entry.attempt or 0) + 1)) if entry.step is Step.RETRYING else None
        return (next_at, False) if next_at and next_at < entry.at else (entry.at, True)

    return sorted(found, key=place)


def _noted(entry: Mapping[str, Any], first_worker: Mapping[int, str]) -> Iterator[HistoryEntry]:
    was, event = entry.get("was"), Event(entry["event"])
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
    )


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


def _run(record: Mapping[str, Any], first_worker: Mapping[int, str]) -> Iterator[HistoryEntry]:
    """What the fields of a record say of a run."""
    run = int(record.get("run") or 0)
    if record.get("queued"):
        yield HistoryEntry(at=from_ms(record["queued"]), step=Step.QUEUED, run=run)
    if record.get("started"):
        worker = first_worker.get(run) or record.get("worker")
        attempt = None if record.get("subs") else 0
        yield HistoryEntry(at=from_ms(record["started"]), step=Step.STARTED, run=run, attempt=attempt, worker=worker)
    yield from _end(record)


def _end(record: Mapping[str, Any]) -> Iterator[HistoryEntry]:
    if record["status"] in SETTLED:
        yield HistoryEntry(
            at=from_ms(record["finished"]),
            step=Step(record["status"]),
            run=int(record.get("run") or 0),
            attempt=int(record.get("attempt") or 0),
            worker=record.get("worker"),
            reason=record.get("reason"),
            presumed=record.get("presumed") in {Event.LOSE, Event.QUARANTINE},
        )
