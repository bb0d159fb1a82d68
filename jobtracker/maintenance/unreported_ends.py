"""What Celery's result backend says of a job whose end was not reported."""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from celery import states
from celery.exceptions import ChordError
from kombu.utils.json import dumps

from jobtracker.broker.process_exit import end_of_process
from jobtracker.core.job import as_reason, task_id_in, task_of
from jobtracker.core.lifecycle import Event
from jobtracker.jobs.result_backend import Silence, is_of_run_before
from jobtracker.jobs.results import as_stored
from jobtracker.runtime import Tracking

logger = logging.getLogger(__name__)

_EVENTS = {states.SUCCESS: Event.COMPLETE, states.FAILURE: Event.FAIL, states.REVOKED: Event.CANCELLED}


class Ending(NamedTuple):
    """How a job's current run has ended, as an event with the fields of record and data that go with it."""

    event: Event
    fields: dict[str, str | int]
    data: dict[str, str]
    lost_by: str | None = None
    """What ended its process, where it has failed by that."""


class UnreportedEnds:
    """Finds out from Celery's result backend how jobs have ended."""

    def __init__(self, tracking: Tracking) -> None:
        self.tracking = tracking

    def ending_of(self, record: Mapping[str, str]) -> Ending | Silence:
        """How the current run of a recorded job has ended."""
        kept = self.tracking.result_backend.kept_of(task_id_in(record))
        if isinstance(kept, Silence):
            return kept
        try:
            return self._read(record, kept) or Silence.NOTHING_KNOWN
        except Exception as error:  # noqa: BLE001 (what it keeps can't be told)
            logger.debug("What Celery keeps of job %s can't be told: %s", record["id"], type(error).__name__)
            return Silence.NOTHING_KNOWN

    @property
    def is_given_up(self) -> bool:
        """It has not answered for so long that jobs are settled without it."""
        return self.tracking.result_backend.silent_s > self.tracking.settings.result_backend_wait_s

    def _read(self, record: Mapping[str, str], kept: Mapping[str, Any]) -> Ending | None:
        event = _EVENTS.get(kept["status"])
        if event is None or is_of_run_before(record, kept):
            return None
        if event is Event.COMPLETE:
            return Ending(event, {}, _result(self.tracking, record, kept.get("result")))
        if event is Event.CANCELLED:
            return Ending(event, {"reason": "revoked"}, {})
        if record.get("subs") and isinstance(kept.get("result"), ChordError):
            return None  # Celery does not call the parent's task: we may, and it may be running
        fields, data = _error(record, kept.get("result"), kept.get("traceback"))
        return Ending(event, fields, data, end_of_process(kept.get("result")))


def _result(tracking: Tracking, record: Mapping[str, str], result: object) -> dict[str, str]:
    # Where nobody has announced the task it is not known whether its results may be stored; the backend has it.
    announced = tracking.registry.type_of_task(task_of(record))
    return as_stored(result, tracking.settings.max_result_bytes) if announced and announced.store_result else {}


def _error(
    record: Mapping[str, str], error: object, traceback: object
) -> tuple[dict[str, str | int], dict[str, str]]:
    kind = type(error).__name__
    if record.get("masked"):  # it may tell what is masked, whose values we don't have
        return {"reason": kind}, {"error": dumps({"type": kind, "message": ""})}
    told = {"type": kind, "message": str(error)[:2000]}
    if traceback:
        told["traceback"] = str(traceback)
    return {"reason": as_reason(f"{kind}: {error}")}, {"error": dumps(told)}
