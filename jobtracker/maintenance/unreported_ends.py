"""Settles jobs whose end was not reported, with the outcome that Celery's result backend knows."""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from celery import states
from celery.exceptions import ChordError
from kombu.utils.json import dumps

from jobtracker.broker.process_exit import end_of_process
from jobtracker.core.fingerprint import fingerprint, type_name
from jobtracker.core.job import as_reason
from jobtracker.core.lifecycle import Event
from jobtracker.core.masking import NOTHING, Stored
from jobtracker.jobs.result_backend import Silence, is_of_run_before
from jobtracker.jobs.results import as_stored
from jobtracker.maintenance.leadership import Leadership
from jobtracker.runtime import Tracking
from jobtracker.store.keys import NOBODY, PROCESS_GONE
from jobtracker.store.schema import JobRecord

logger = logging.getLogger(__name__)

_EVENTS = {states.SUCCESS: Event.COMPLETE, states.FAILURE: Event.FAIL, states.REVOKED: Event.CANCELLED}


class Ending(NamedTuple):
    """How a job's current run has ended: an event, with its fields of record and data."""

    event: Event
    fields: dict[str, str | int]
    data: dict[str, str]
    lost_by: str | None = None
    """What ended its process, if it has failed because of that."""


class UnreportedEnds:
    """Finds out from Celery's result backend how jobs have ended, and settles them.

    Args:
        leadership: Tells the store.
    """

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership

    def ending_of(self, record: JobRecord) -> Ending | Silence:
        """How the current run of a recorded job has ended."""
        kept = self._leadership.tracking.result_backend.kept_of(record.task_id)
        if isinstance(kept, Silence):
            return kept
        try:
            return self._read(record, kept) or Silence.NOTHING_KNOWN
        except Exception as error:  # noqa: BLE001 (what the backend keeps can't be read)
            logger.debug("What Celery keeps of job %s can't be read: %s", record.id, type(error).__name__)
            return Silence.NOTHING_KNOWN

    @property
    def is_given_up(self) -> bool:
        """It has not answered for so long that jobs are settled without it."""
        tracking = self._leadership.tracking
        return tracking.result_backend.silent_s > tracking.settings.result_backend_wait_s

    def settle(self, record: JobRecord, ending: Ending) -> bool:
        """Settle a job as it has ended, or let it run again if that is for its loss; returns whether it was done."""
        if self.runs_again(record, ending):
            return self._run_again(record, ending)
        tracking = self._leadership.tracking
        change = tracking.store.apply(
            ending.event,
            record.id,
            run=record.run,
            execution=record.execution,
            fields=ending.fields,
            data=ending.data,
        )
        if change.applied:
            logger.warning("Job %s is %s, as Celery's result backend says", record.id, change.after)
            tracking.propagation.propagate(record.id, change)
        return change.applied

    def runs_again(self, record: JobRecord, ending: Ending) -> bool:
        """Whether a job whose process was lost is to run again."""
        return ending.lost_by is not None and self._leadership.tracking.lost_executions.runs_again(record)

    def _run_again(self, record: JobRecord, ending: Ending) -> bool:
        """Settle a lost execution that nobody has reported, and perhaps not its start either."""
        tracking = self._leadership.tracking
        if not record.executing:
            fields = {"lease": PROCESS_GONE}
            tracking.store.apply(Event.START, record.id, run=record.run, lease=NOBODY, fields=fields)
            [(record, _)] = tracking.queries.load([record.id], missing_ok=True)
        happened = f"its process was lost: {ending.lost_by}"
        change = tracking.lost_executions.settle(record, happened, "WorkerLostError", comes_back=False)
        return change is not None and change.applied

    def _read(self, record: JobRecord, kept: Mapping[str, Any]) -> Ending | None:
        event = _EVENTS.get(kept["status"])
        if event is None or is_of_run_before(record, kept):
            return None
        if event is Event.COMPLETE:
            return Ending(event, *_result(self._leadership.tracking, record, kept.get("result")))
        if event is Event.CANCELLED:
            return Ending(event, {"reason": "revoked"}, {})
        if record.subs and isinstance(kept.get("result"), ChordError):
            return None  # Celery does not call the parent's task: we may, and it may be running
        fields, data = _error(record, kept.get("result"), kept.get("traceback"))
        return Ending(event, fields, data, end_of_process(kept.get("result")))


def _result(tracking: Tracking, record: JobRecord, result: object) -> Stored:
    # If nobody has announced the task, it is not known whether its results may be stored; the backend has them.
    announced = tracking.registry.type_of_task(record.task)
    if not announced or not announced.store_result:
        return NOTHING
    return as_stored(record.id, result, tracking.large_values)


def _error(record: JobRecord, error: object, traceback: object) -> tuple[dict[str, str | int], dict[str, str]]:
    kind = type(error).__name__
    if record.masked:  # it may name masked values, which we don't know
        return {"reason": kind, "error_type": type_name(error)}, {"error": dumps({"type": kind, "message": ""})}
    told = {"type": kind, "message": str(error)[:2000]}
    if traceback:
        told["traceback"] = str(traceback)
    group = fingerprint(type_name(error), str(error), str(traceback or "")).fields
    return {"reason": as_reason(f"{kind}: {error}"), **group}, {"error": dumps(told)}
