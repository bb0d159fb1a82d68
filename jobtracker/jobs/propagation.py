"""Propagates the outcome of a job: to its parent, to the rest of its chain, to the jobs below it.

Each step can be repeated: the store says once what has to be done, and to notify a parent twice changes nothing.
"""

import json
import logging
from collections.abc import Mapping, Sequence

from jobtracker.core.job import as_reason, task_id_of
from jobtracker.core.lifecycle import SETTLED, UNDER_WAY, Event, Outcome, Status
from jobtracker.errors import ArgumentsUnavailableError, BrokerUnavailableError, ResultUnavailableError
from jobtracker.jobs import chains
from jobtracker.jobs.cancel import Cancellation
from jobtracker.jobs.dispatcher import Dispatcher
from jobtracker.store.changes import Change, News, Verdict
from jobtracker.store.leases import Leases
from jobtracker.store.reader import JobQueries, Loaded
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore

logger = logging.getLogger(__name__)


class Propagation:
    """Propagates outcomes to the jobs that wait for them.

    Args:
        store: Where jobs are changed.
        queries: Where they are read.
        dispatcher: Sends the tasks of parents.
        leases: Tell the pools of the workers.

    Attributes:
        cancellation: Cancels jobs, and propagates that through this object.
    """

    def __init__(self, store: JobStore, queries: JobQueries, dispatcher: Dispatcher, leases: Leases) -> None:
        self.store = store
        self.queries = queries
        self.dispatcher = dispatcher
        self.cancellation = Cancellation(store, queries, dispatcher, leases, self.propagate_all)

    def propagate(self, job_id: str, change: Change, *, again: bool = False, at_ms: int | None = None) -> Change:
        """Propagate a change of a job; returns the change.

        Args:
            job_id: The job.
            change: What became of an event.
            again: The event may have been applied before, by a process that did not get the answer: propagate a
                duplicate too.
            at_ms: When it happened; default now.
        """
        if change.parent and change.parent_waits:
            self._notify_of_start(change.parent, at_ms)
        if (change.applied or (again and change.outcome is Outcome.DUPLICATE)) and change.after in SETTLED:
            if change.next and change.after is not Status.COMPLETED:
                self._cancel_next(change.next, job_id, at_ms)
            if change.parent:
                self.notify_parent(News(change.parent, job_id, change.run, change.after), at_ms, change.verdict)
            elif change.next and change.after is not Status.COMPLETED:
                self.store.mark_notified(job_id)
        elif change.applied and change.before in SETTLED and change.after and change.parent:
            # Its outcome was inferred, and is corrected.
            self.notify_parent(News(change.parent, job_id, change.run, change.after), at_ms, change.verdict)
        return change

    def propagate_all(self, changes: Mapping[str, Change]) -> None:
        """Propagate the changes of many jobs. Parents of plain sub-jobs are notified in one batch."""
        news, others = [], {}
        for job_id, change in changes.items():
            if (
                change.parent
                and change.applied
                and change.after in SETTLED
                and not (change.next or change.parent_waits)
            ):
                news.append(News(change.parent, job_id, change.run, change.after))
            else:
                others[job_id] = change
        self.notify_parents(news)
        for job_id, change in others.items():
            self.propagate(job_id, change)

    def catch_up(self, job_id: str) -> None:
        """Propagate the state of a job whose parent, or next in its chain, may not have been notified."""
        [record] = self.queries.records([job_id])
        if not record.exists:
            return
        status, parent = record.nearest_status, record.parent
        if status in SETTLED:
            self.propagate(
                job_id,
                Change(
                    outcome=Outcome.APPLIED,
                    before=status,
                    after=status,
                    run=record.run,
                    attempt=record.attempt,
                    parent=parent,
                    cancel_requested=False,
                    next=record.next,
                ),
                at_ms=record.finished,
            )
        elif parent:
            if status in UNDER_WAY:
                self._notify_of_start(parent, record.status_changed_at)
            self.notify_parent(News(parent, job_id, record.run, status))
        else:
            self.store.mark_notified(job_id)

    def _notify_of_start(self, parent_id: str, at_ms: int | None) -> None:
        """Notify a parent that a sub-job has begun, the grandparent that its own has, and so on."""
        self.propagate(parent_id, self.store.apply(Event.SUB_START, parent_id, at_ms=at_ms), at_ms=at_ms)

    def notify_parent(self, news: News, at_ms: int | None = None, verdict: Verdict | None = None) -> bool:
        """Notify a parent of the state of a sub-job, the grandparent of the parent's, and so on.

        Args:
            news: What the parent is notified of.
            at_ms: When that came about; default now.
            verdict: The parent's answer, if the store has notified it already.

        Returns:
            Whether the parent's own task was called because of it.
        """
        return self._act_on(verdict or self.store.notify_parent(*news, at_ms=at_ms), news, at_ms)

    def notify_parents(self, news: Sequence[News]) -> None:
        """Notify the parents of many sub-jobs in one batch."""
        for each, verdict in zip(news, self.store.notify_parents(news), strict=True):
            self._act_on(verdict, each, None)

    def _act_on(self, verdict: Verdict, news: News, at_ms: int | None) -> bool:
        parent_id = news.parent_id
        if verdict.verdict == "due":
            self.call_parent_task(parent_id, verdict.run)
        elif verdict.verdict == "halt":
            reason = f"sub-job {news.job_id} of its parent {parent_id} did not complete (fail_fast)"
            self.cancellation.cancel_trees(self.queries.sub_ids(parent_id), reason=reason)
        elif verdict.verdict == "settled" and verdict.status:
            if verdict.status in SETTLED and (following := self.queries.field(parent_id, JobRecord.next)):
                self._cancel_next(following, parent_id, at_ms)
                self.store.mark_notified(parent_id)
            if verdict.grandparent:
                self.notify_parent(News(verdict.grandparent, parent_id, verdict.run, verdict.status), at_ms)
            if verdict.status not in SETTLED:  # it is open again, and its own task may be due
                return self.notify_parent(news, at_ms)
        return verdict.verdict == "due"

    def call_parent_task(self, parent_id: str, run: int) -> None:
        """Send a parent's own task, with the results of its sub-jobs: Celery's chord will not.

        Celery's chords around it will not complete either, so we call the tasks of all its ancestors too. What
        follows it in a chain goes with its message; if that is not stored, it is cancelled.
        """
        self.take_over_ancestors(parent_id)
        following = self.queries.field(parent_id, JobRecord.next)
        if following and self._waits_for_chain(following) and not self.stores_rest_of_chain(parent_id):
            reason = f"the job before it in its chain, {parent_id}, was called without it: Celery's chord did not"
            fields: dict[str, str | int] = {"reason": reason, "inferred": Event.LOSE}
            self.propagate(following, self.store.apply(Event.CANCELLED, following, fields=fields))
        self.send({parent_id: run})

    def recheck_parent(self, parent_id: str, subs: Sequence[str]) -> bool:
        """Do what is due for a parent, given the state of its sub-jobs; returns whether its task was called."""
        news = self.queries.unnotified_subs(parent_id)
        if not news and (state := self.queries.state(subs[0])):
            news = [(subs[0], *state)]
        return sum(self.notify_parent(News(parent_id, *each)) for each in news) > 0  # each, not up to the first

    def send(self, runs: Mapping[str, int], loaded: Sequence[Loaded] | None = None) -> None:
        """Send runs of jobs' own tasks. A job whose task can never be sent has failed.

        If the broker does not answer, the outbox relay sends them later.

        Args:
            runs: The runs.
            loaded: What is stored of the jobs, in their order, if it was read already.
        """
        try:
            unsent = self.dispatcher.publish_all(runs, loaded)
        except BrokerUnavailableError as error:
            # The broker may have taken them. The outbox relay sends them later, as other runs.
            what = f"{len(runs)} tasks" if len(runs) > 1 else f"The task of job {next(iter(runs))}"
            logger.warning("%s probably not sent: %s", what, error)
            return
        for job_id, reason in unsent.items():
            self._fail_unsent(job_id, runs[job_id], reason)
        self.store.confirm(*map(task_id_of, runs, runs.values()))

    def _fail_unsent(self, job_id: str, run: int, error: Exception) -> None:
        logger.error("The task of job %s could not be sent", job_id, exc_info=error)
        fields: dict[str, str | int] = {"reason": as_reason(str(error)), "error_type": type(error).__name__}
        if isinstance(error, ArgumentsUnavailableError | ResultUnavailableError):
            fields["inferred"] = Event.LOSE  # Celery may have them, and run it after all: its chord calls a body late
        data = {"error": json.dumps({"type": type(error).__name__, "message": str(error)})}
        self.propagate(job_id, self.store.apply(Event.FAIL, job_id, run=run, fields=fields, data=data))

    def take_over_ancestors(self, job_id: str) -> None:
        """From now on we call the tasks of all its ancestors, not Celery's chords.

        The header of a chord may hold the end of a chain, so each job of a chain has the parent of its last one.
        """
        [record] = self.queries.records([job_id])
        while True:
            record = [record, *chains.following(self.queries, record)][-1]
            if not (parent := record.parent):
                return
            self.store.update(parent, fields={"callback_mode": "own"})  # unless it is called, or being called
            [record] = self.queries.records([parent])

    def renew_chain(self, job_id: str, runs: Mapping[str, int] | None = None, *, cancelled_too: bool = True) -> None:
        """Give the jobs that follow one in its chain, and that have ended or wait, a new run: its message brings it.

        Args:
            job_id: The job, which is about to be sent.
            runs: The runs of those that follow it, as they were read; one with a later run is left alone.
            cancelled_too: Also jobs that somebody has cancelled, and what follows these.
        """
        [record] = self.queries.records([job_id])
        waiting: list[str] = []
        for each in chains.following(self.queries, record):
            if each.cancel and not cancelled_too:
                break
            if each.status in SETTLED or cancelled_too:
                waiting.append(each.id)
        changes = self.store.apply_many(Event.AWAIT, {each: {} for each in waiting}, runs)
        applied = {each: c for each, c in changes.items() if c.applied}
        self.notify_parents(
            [News(c.parent, each, c.run, c.after) for each, c in applied.items() if c.parent and c.after]
        )
        # By a cancel, before what follows it was to run again.
        if self.queries.field(job_id, JobRecord.status) in SETTLED:
            self.catch_up(job_id)

    def stores_rest_of_chain(self, job_id: str) -> bool:
        """Whether what follows a job in its chain is stored, so that it can be sent with the job."""
        [loaded] = self.queries.load([job_id], missing_ok=True)
        return chains.rest_of(self.queries, *loaded) is not None

    def _cancel_next(self, next_id: str, before_id: str, at_ms: int | None = None) -> None:
        reason = f"the job before it in its chain, {before_id}, did not complete"
        fields: dict[str, str | int] = {"reason": reason}
        # In this order: if the job before has got a new run since, the next one may have got it too.
        [following, before] = self.queries.records([next_id, before_id])
        if not following.exists or (before.exists and before.status not in {Status.FAILED, Status.CANCELLED}):
            return
        if before.inferred:  # if that was wrong, Celery sends the next one all the same
            fields["inferred"] = Event.LOSE
        run = following.run
        change = self.store.apply(Event.CANCELLED, next_id, run=run, fields=fields, at_ms=at_ms)
        self.propagate(next_id, change, at_ms=at_ms)

    def _waits_for_chain(self, job_id: str) -> bool:
        """Whether the end of a chain was not sent yet, or has sent a chain that is to end in its own place."""
        [record] = self.queries.records([job_id])
        return not record.queued or record.replaced
