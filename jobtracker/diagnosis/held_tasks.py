"""What becomes of the tasks that a worker has, if the worker is stopped or killed now."""

from collections.abc import Sequence
from typing import NamedTuple

from jobtracker.broker.config import is_amqp
from jobtracker.core.clock import from_ms
from jobtracker.core.job import job_and_run_of
from jobtracker.core.lifecycle import SETTLED, Event
from jobtracker.diagnosis.explainer import Explainer
from jobtracker.runtime import Tracking
from jobtracker.schemas.drains import HeldTask, IfStopped, UnfinishedTask
from jobtracker.schemas.workers import Worker
from jobtracker.store.schema import JobRecord

MOST_NAMED = 100
"""Tasks of one worker that are looked at: more would be no help, and each costs some reads."""

_RUNS = "active"


class _Fate(NamedTuple):
    fate: IfStopped
    text: str


class HeldTasks:
    """Looks at the tasks of a worker.

    Args:
        tracking: Whose.
        explainer: Estimates when they end.
    """

    def __init__(self, tracking: Tracking, explainer: Explainer) -> None:
        self._tracking = tracking
        self._explainer = explainer
        self._is_amqp = is_amqp(tracking.app)

    def of(self, tasks: Sequence[UnfinishedTask], worker: Worker) -> list[HeldTask]:
        """What is known of the first `MOST_NAMED` of a worker's tasks, as it answers them."""
        named, incarnation = tasks[:MOST_NAMED], worker.incarnation
        ids = [job_and_run_of(task.id)[0] for task in named]
        records = self._tracking.queries.records(ids)
        running = [
            record
            for task, record in zip(named, records, strict=True)
            if task.where == _RUNS and _is_current(record, task, incarnation)
        ]
        ends = self._explainer.estimate_running(running)
        found = []
        for task, record in zip(named, records, strict=True):
            own = record if record.exists else None
            fate = self._if_killed(task, own, incarnation)
            found.append(
                HeldTask(
                    id=record.id if own else task.id,
                    task=task.task,
                    job_type=own.type if own else None,
                    name=own.title if own else None,
                    where=task.where,
                    since=from_ms(task.began_ms) if task.began_ms else None,
                    not_before=from_ms(task.eta_ms) if task.eta_ms and task.where != _RUNS else None,
                    finish=ends.get(record.id) if task.where == _RUNS else None,
                    if_stopped=_if_stopped(task, worker),
                    if_killed=fate.fate,
                    if_killed_text=fate.text,
                )
            )
        return found

    def return_of_messages(self) -> str:
        """When unacknowledged messages come back after a kill: the end of a sentence."""
        if self._is_amqp:
            return "at once, when RabbitMQ sees that the connection is closed"
        text = "when the visibility timeout is over (an hour, unless it is set)"
        if self._tracking.relauncher.resends:
            text += "; those of tracked jobs sooner, once the worker's lease has run out"
        return text

    def _if_killed(self, task: UnfinishedTask, record: JobRecord | None, incarnation: str) -> _Fate:
        if not task.is_acknowledged:
            if task.where == _RUNS and record is not None and _is_current(record, task, incarnation):
                return self._fate_of_job(record)
            elsewhere = "Its message comes back, and it is run by another worker then."
            return _Fate(IfStopped.COMES_BACK, _COMES_BACK if task.where == _RUNS else elsewhere)
        if record is None:
            return _Fate(
                IfStopped.LOST, "Its message is acknowledged, so it is lost. It is not tracked: nobody notices."
            )
        if not _is_current(record, task, incarnation):
            return _Fate(
                IfStopped.LOST,
                "Its message is acknowledged, and the record does not count this execution: it is lost.",
            )
        return self._fate_of_job(record)

    def _fate_of_job(self, record: JobRecord) -> _Fate:
        outlook = self._tracking.lost_executions.outlook(record)
        if outlook.event is Event.REQUEUE:
            return _Fate(IfStopped.COMES_BACK, _COMES_BACK)
        fate = _FATES.get(outlook.event, IfStopped.LOST) if outlook.event else IfStopped.LOST
        lost = "It is lost: the job" if fate is IfStopped.LOST else "The job"
        return _Fate(fate, f"{lost} {outlook.text}.")


_COMES_BACK = "Its message comes back, and it is run again, from the beginning, then."
_FATES = {
    Event.RELAUNCH: IfStopped.RUNS_AGAIN,
    Event.CANCELLED: IfStopped.CANCELLED,
}


def _if_stopped(task: UnfinishedTask, worker: Worker) -> IfStopped:
    """What a warm shutdown makes of it; measured with Celery 5.7 on Redis and RabbitMQ (`tests/diagnosis`)."""
    if task.where == _RUNS:
        return IfStopped.FINISHES
    # Only prefork gives its pool no more than it has slots for (celery/concurrency, `uses_semaphore`).
    return IfStopped.COMES_BACK if worker.pool == "prefork" or task.where == "scheduled" else IfStopped.MAY_RUN


def _is_current(record: JobRecord, task: UnfinishedTask, incarnation: str) -> bool:
    """Whether a record speaks of the execution that this worker has."""
    return (
        record.exists
        and record.status not in SETTLED
        and record.task_id == task.id
        and bool(record.executing)
        and record.lease == incarnation
    )
