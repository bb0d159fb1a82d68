"""Applies a report, with all that follows from it: the same way in every process, now or later."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from jobtracker.core.lifecycle import SETTLED, Event, Outcome, Status
from jobtracker.jobs.lost_executions import LostExecutions
from jobtracker.jobs.propagation import Propagation
from jobtracker.jobs.relaunch import Relauncher
from jobtracker.reporting.report import Notice, Report
from jobtracker.store.changes import Change, NewJob
from jobtracker.store.keys import LET_GO, NOBODY, PROCESS_GONE
from jobtracker.store.reader import JobQueries
from jobtracker.store.writer import JobStore

if TYPE_CHECKING:
    from jobtracker.store.functions import Call

_REMEMBERED = 1_000
"""So many messages are remembered, of which Celery may say later that they could not be sent."""


class Applier:
    """Applies reports. Every step can be repeated, by another process too."""

    def __init__(
        self,
        store: JobStore,
        queries: JobQueries,
        propagation: Propagation,
        relauncher: Relauncher,
        lost_executions: LostExecutions,
    ) -> None:
        self.store = store
        self.queries = queries
        self.propagation = propagation
        self.relauncher = relauncher
        self.lost_executions = lost_executions
        self._created: OrderedDict[str, list[str]] = OrderedDict()  # jobs, by the job whose message they came with

    def apply(self, report: Report, is_repeat: bool) -> Change | list[Outcome] | None:
        """Apply a report, with all that follows from it.

        Args:
            report: The report.
            is_repeat: It may have been written before, in part or as a whole.

        Returns:
            What became of an event; of each job of a message.
        """
        if isinstance(report.event, Event):
            return self.follow(report, self.store.report(self.call_of(report)), is_repeat)
        if report.event is Notice.PUBLISHED:
            return self._create(report)
        if report.event is Notice.NOT_PUBLISHED:
            self._not_published(report, is_repeat)
        elif report.event is Notice.LOG:
            self._log(report, is_repeat)
        elif report.event is Notice.CHORD_NOT_STORED:
            self.relauncher.take_over_chord(report.job_id)
        elif report.event is Notice.CELERY_FAILED:
            self._fail_by_celery(report, is_repeat)
        else:
            self._lose(report)
        return None

    def call_of(self, report: Report) -> "Call":
        """The call of the store for an event (`JobStore.report`)."""
        return self.store.call_of(
            cast("Event", report.event),
            report.job_id,
            report.run,
            report.attempt,
            report.lease,
            report.execution,
            report.fields,
            report.data,
            report.at_ms,
            report.sent,
        )

    def follow(self, report: Report, change: Change, is_repeat: bool) -> Change:
        """Do what follows from the answer to an event; returns what became of it in the end."""
        if change.outcome is Outcome.MISSING and self._record(report, is_repeat):
            change = self.store.report(self.call_of(report))
        if report.event is Event.START and change.applied and change.reused and change.before in SETTLED:
            self._record_new_run(report)
        return self.propagation.propagate(report.job_id, change, again=is_repeat, at_ms=report.at_ms)

    def _record(self, report: Report, is_repeat: bool) -> bool:
        """Record the job that a report is about, and its start; False where nobody knows how."""
        if report.start is not None:
            self.apply(report.start, is_repeat)
            return True
        report.prepare()
        if report.jobs:
            self.store.create(*report.jobs, at_ms=report.at_ms)
        return bool(report.jobs)

    def _record_new_run(self, report: Report) -> None:
        """Record what the message of a new run says: the stored arguments of the run before are gone."""
        report.prepare()
        if report.jobs:
            [new] = report.jobs
            queued = report.sent if isinstance(report.sent, int) else report.at_ms
            self.store.create(
                replace(new, fields={**new.fields, "queued": queued}, published=True), at_ms=report.at_ms
            )

    def _create(self, report: Report) -> list[Outcome]:
        """Record the jobs of a message after it was sent: their tasks may have run meanwhile."""
        outcomes = self.store.create(*report.jobs, at_ms=report.at_ms)
        pairs = list(zip(report.jobs, outcomes, strict=True))
        self._created[report.job_id] = [job.id for job, outcome in pairs if outcome is Outcome.APPLIED]
        if len(self._created) > _REMEMBERED:
            self._created.popitem(last=False)
        for job, outcome in pairs:
            if outcome is Outcome.DUPLICATE:
                self.propagation.catch_up(job.id)
        self.begin_anew(report.jobs, outcomes)
        return outcomes

    def begin_anew(self, jobs: Sequence[NewJob], outcomes: Sequence[Outcome]) -> None:
        """Where a settled job was sent again, reopen the other jobs of its message too.

        Args:
            jobs: The jobs of a message, its own first.
            outcomes: What became of recording them.
        """
        if Outcome.SENT_AGAIN not in outcomes:
            return
        for job, outcome in zip(jobs[1:], outcomes[1:], strict=True):
            if outcome is Outcome.DUPLICATE:
                fields = {"queued": at_ms} if (at_ms := job.fields.get("queued")) else {}
                self.propagation.propagate(job.id, self.store.apply(Event.SEND_AGAIN, job.id, fields=fields))
        self.propagation.catch_up(jobs[0].id)

    def _not_published(self, report: Report, is_repeat: bool) -> None:
        created = self._created.pop(report.job_id, None) or report.created
        parents = {each.fields.get("parent") for each in report.jobs if each.id in created}
        if report.job_id in created and parents <= {None, *created}:
            for job_id in created:
                self.store.delete(job_id, mode="undo")
            return
        # Other jobs may wait for it: the rest of a chord, the task before it in its chain. Inferred, because
        # a broker that does not answer may have taken the message all the same.
        fields = {**report.fields, "inferred": Event.LOSE}
        change = self.store.apply(
            Event.FAIL,
            report.job_id,
            run=report.run,
            fields=fields,
            data=report.data,
            at_ms=report.at_ms,
            sent=report.sent,
        )
        self.propagation.propagate(report.job_id, change, again=is_repeat, at_ms=report.at_ms)

    def _log(self, report: Report, is_repeat: bool) -> None:
        line = report.at_ms, report.data["level"], report.data["message"]
        if is_repeat and self.queries.has_logged(report.job_id, *line):
            return
        if self.store.append_log(report.job_id, [line]) is Outcome.MISSING and self._record(report, is_repeat):
            self.store.append_log(report.job_id, [line])

    def _lose(self, report: Report) -> None:
        [(record, _data)] = self.queries.load([report.job_id], missing_ok=True)
        run = record.run
        is_its_run = run == report.run or (report.run == 1 and record.reused == run)
        if record.lease == report.lease and is_its_run:
            self.lost_executions.settle(
                record,
                str(report.fields["happened"]),
                str(report.fields["kind"]),
                comes_back=bool(report.fields["comes_back"]),
                is_counted=bool(report.fields["is_counted"]),
            )

    def _fail_by_celery(self, report: Report, is_repeat: bool) -> None:
        [record] = self.queries.records([report.job_id])
        lease = record.lease
        is_new = not lease and record.status == Status.PENDING
        if lease in {report.lease, LET_GO, PROCESS_GONE} or is_new:
            change = self.store.apply(
                Event.FAIL,
                report.job_id,
                run=report.run,
                lease=lease or NOBODY,
                execution=report.lease if lease else None,
                fields=report.fields,
                data=report.data,
                at_ms=report.at_ms,
                sent=report.sent,
            )
            self.propagation.propagate(report.job_id, change, again=is_repeat, at_ms=report.at_ms)
