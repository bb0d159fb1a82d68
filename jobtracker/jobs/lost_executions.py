"""Settles lost executions: a job whose process or worker is gone waits for its message, runs again, or fails."""

import logging
from typing import NamedTuple

from kombu.utils.json import dumps

from jobtracker.core.job import and_also, as_reason
from jobtracker.core.lifecycle import Event, OnLost
from jobtracker.jobs.propagation import Propagation
from jobtracker.jobs.relaunch import MOST_RELAUNCHES, Relauncher
from jobtracker.jobs.result_backend import NOT_ASKED
from jobtracker.jobs.stored_calls import why_not_repeatable
from jobtracker.schemas.job_types import JobType
from jobtracker.store.changes import Change
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import NOBODY, RELEASED
from jobtracker.store.leases import Leases
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore

logger = logging.getLogger(__name__)

UNANSWERED = "whether it ended is not known while Celery's result backend does not answer"
"""Why a job of a lost worker is not settled yet."""


class Outlook(NamedTuple):
    """What will become of a job."""

    event: Event | None
    """What will happen to it; None: nothing."""
    text: str
    """The same: "the job …"."""


class LostExecutions:
    """Settles lost executions.

    Args:
        store: Where jobs are changed.
        queries: Where they are read.
        registry: The job types that workers announced.
        leases: Tell which workers live.
        propagation: Propagates the outcomes.
        relauncher: Sends new runs.
    """

    def __init__(
        self,
        store: JobStore,
        queries: JobQueries,
        registry: Registry,
        leases: Leases,
        propagation: Propagation,
        relauncher: Relauncher,
    ) -> None:
        self.store = store
        self.queries = queries
        self.registry = registry
        self.leases = leases
        self.propagation = propagation
        self.relauncher = relauncher

    def settle(
        self,
        record: JobRecord,
        happened: str,
        kind: str,
        *,
        comes_back: bool,
        is_counted: bool = True,
        is_unanswered: bool = False,
    ) -> Change | None:
        """Settle the execution that a job's record speaks of.

        A job whose message comes back, or that runs again, does so until its type's `max_deliveries` executions were
        lost. Then it has failed, and is not started any more. All outcomes are inferred. Each new run counts as a
        loss. A job whose message comes back and whose cancel was asked for is cancelled.

        Args:
            record: The job.
            happened: How it was lost, the beginning of a sentence: "celery@host was lost".
            kind: The type of the error, where it fails.
            comes_back: The broker delivers its message again.
            is_counted: It may be the job's own fault; matters only if its message comes back.
            is_unanswered: Celery's result backend did not answer: a job that has failed is asked about again, and
                none runs again that may have completed.

        Returns:
            What became of it; None: its record speaks of no execution.
        """
        lease, run, job_id = record.lease, record.run, record.id
        if not lease or not record.executing:
            return None
        fields = self._counted(record, is_counted=is_counted or not comes_back)
        losses = int(fields.get("losses", 0))
        event, why = self._fate(record, losses, comes_back=comes_back)
        if is_unanswered:
            fields["unanswered"] = "1"
            if event is Event.RELAUNCH:
                event, why = Event.LOSE, "whether it ended is not known"
        reason = _reason(event, happened, losses, why)
        if is_unanswered and event is not Event.REQUEUE:
            reason = and_also(reason, NOT_ASKED)
        if event is Event.RELAUNCH:
            change = self.relauncher.relaunch(job_id, run=run, reason=reason, lease=lease, fields=fields)
        else:
            change = self._apply(event, record, kind, reason, fields)
        if change.applied:
            logger.warning("Job %s: %s", job_id, reason)
        if event is Event.REQUEUE and change.applied and change.cancel_requested:
            self._cancel_requeued(job_id, run, is_unanswered=is_unanswered)
        return change

    def _apply(self, event: Event, record: JobRecord, kind: str, reason: str, fields: dict[str, str | int]) -> Change:
        data: dict[str, str] = {}
        if event is Event.LOSE and kind != "WorkerLost":
            fields["inferred"] = Event.FAIL
        if event is not Event.REQUEUE:
            kind = "JobQuarantinedError" if event is Event.QUARANTINE else kind
            fields["error_type"] = kind
            data["error"] = dumps({"type": kind, "message": reason})
        if not (event is Event.REQUEUE and record.cancel):  # else the reason is that of the cancel
            fields["reason"] = as_reason(reason)
        change = self.store.apply(
            event, record.id, run=record.run, attempt=record.attempt, lease=record.lease, fields=fields, data=data
        )
        return self.propagation.propagate(record.id, change)

    def _cancel_requeued(self, job_id: str, run: int, *, is_unanswered: bool) -> None:
        """Cancel a job whose cancel was asked for, instead of waiting for its message.

        No worker would begin it: the start of a marked job is answered with its cancel. The outcome is inferred: if
        the worker lives after all, its own report corrects it. If the job has begun meanwhile, nothing is done.
        """
        fields: dict[str, str | int] = {"inferred": Event.LOSE}
        if is_unanswered:
            fields["unanswered"] = "1"
        change = self.store.apply(Event.CANCELLED, job_id, run=run, lease=NOBODY, fields=fields)
        self.propagation.propagate(job_id, change)
        if change.applied:
            logger.warning("Job %s: its cancel was asked for, so it is cancelled", job_id)

    @staticmethod
    def comes_back(record: JobRecord) -> bool:
        """Whether the broker delivers a lost job's message again.

        It does not if the worker has let the job go: Celery acknowledges a message when a process is lost, and when
        Celery itself has failed with the task.
        """
        return bool(record.acks_late) and record.lease not in RELEASED

    def outlook(self, record: JobRecord) -> Outlook:
        """What will become of a job whose worker is lost, once that is settled."""
        if UNANSWERED in (record.reason or ""):
            return Outlook(None, f"stays as it is: {UNANSWERED}")
        comes_back = self.comes_back(record)
        losses = int(self._counted(record, is_counted=True).get("losses", 0))
        event, why = self._fate(record, losses, comes_back=comes_back)
        if event is Event.QUARANTINE:
            times = "once" if losses == 1 else f"{losses} times"
            text = f"will be taken for failed and not run again, for its worker or process was lost with it {times}"
            return Outlook(event, text)
        if record.cancel and event in {Event.REQUEUE, Event.RELAUNCH}:
            return Outlook(Event.CANCELLED, "will be cancelled, as was asked for")
        if event is Event.REQUEUE:
            return Outlook(event, "will wait for its message to come back")
        if event is Event.RELAUNCH:
            return Outlook(event, "will run again, in a new run")
        return Outlook(
            event, f"will be taken for failed; it can't run again: {why}" if why else "will be taken for failed"
        )

    def _fate(self, record: JobRecord, losses: int, *, comes_back: bool) -> tuple[Event, str | None]:
        """The event for a job whose execution was lost; and if it was to run again and can't, why."""
        job_type = self.registry.type_of(record) or JobType(name=record.type, task=record.task)
        runs_again = comes_back or job_type.on_lost is OnLost.RERUN
        # With JOBTRACKER_RESEND=never a message that comes back is run as often as it does: as by Celery alone.
        if runs_again and losses >= job_type.max_deliveries and (self.relauncher.resends or not comes_back):
            return Event.QUARANTINE, None
        if comes_back:
            return Event.REQUEUE, None
        why = self._hindrance(record, job_type.max_deliveries) if runs_again else None
        return (Event.RELAUNCH if runs_again and why is None else Event.LOSE), why

    def _hindrance(self, record: JobRecord, max_deliveries: int) -> str | None:
        """Why a job can't be sent again as it was; None: it can."""
        if why := self.relauncher.why_not(record, most=max(MOST_RELAUNCHES, max_deliveries)):
            return why
        if record.next:  # the message that is gone had it in it, with its arguments
            return f"in its chain {record.next} waits for it, and nobody else would send that"
        return why_not_repeatable(*self.queries.load([record.id])[0])

    def runs_again(self, record: JobRecord) -> bool:
        """Whether a job whose message was acknowledged is to run again if its execution is lost."""
        job_type = self.registry.type_of(record)
        return job_type is not None and job_type.on_lost is OnLost.RERUN

    def _counted(self, record: JobRecord, *, is_counted: bool) -> dict[str, str | int]:
        """The fields that count the workers which were lost with the job."""
        displaced = (record.displaced or "").split()
        living = self.leases.held(displaced)
        losses = record.losses + is_counted + len(displaced) - len(living)
        fields: dict[str, str | int] = {"losses": losses} if losses else {}
        if displaced:
            fields["displaced"] = " ".join(sorted(living))
        return fields


def quarantined(losses: int, happened: str) -> str:
    """Why a job is in quarantine, a sentence."""
    times = "once" if losses == 1 else f"{losses} times"
    return (
        f"its worker or process was lost with it {times}, at last so: {happened}. It is not run again by itself; "
        "retry it once what kills its workers is mended"
    )


def _reason(event: Event, happened: str, losses: int, why_not: str | None) -> str:
    """Why a lost execution had this outcome, a sentence."""
    if event is Event.QUARANTINE:
        return quarantined(losses, happened)
    if event is Event.REQUEUE:
        return f"{happened}; the broker will deliver the message again"
    reason = f"{happened} while it ran the task"
    if event is Event.RELAUNCH:
        return f"{reason}; it runs again"
    return f"{reason}; it can't run again: {why_not}" if why_not else reason
