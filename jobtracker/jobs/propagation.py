"""What follows when a job settles: its parent, the rest of its chain, the jobs below it.

Each step can be repeated: the scripts say once what is to be done, and telling a parent twice changes nothing.
"""

import json
import logging
from collections.abc import Mapping, Sequence

from jobtracker.core.job import as_reason, status_of, task_id_of
from jobtracker.core.lifecycle import SETTLED, Event, Outcome, Status
from jobtracker.errors import ArgumentsGoneError, BrokerUnavailableError, ResendingDisabledError, ResultGoneError
from jobtracker.jobs import chains
from jobtracker.jobs.dispatcher import Dispatcher, withheld
from jobtracker.store.changes import Change, News, Verdict
from jobtracker.store.leases import Leases
from jobtracker.store.reader import JobQueries, Loaded
from jobtracker.store.writer import JobStore

logger = logging.getLogger(__name__)

CAN_NOT_KILL = {"threads", "solo"}
"""Pools whose `terminate_job` is not implemented (celery/concurrency/base.py)."""

MOST_RELAUNCHES = 3
"""A job gets so many new runs that nobody asked for, for whatever reason; then somebody has to look."""

NEVER = "JOBTRACKER_RESEND is never"
"""Why nothing is sent that nobody asked for."""


class Settlement:
    """Carries a job's outcome on to those who wait for it."""

    def __init__(
        self, store: JobStore, queries: JobQueries, dispatcher: Dispatcher, leases: Leases, *, resends: bool
    ) -> None:
        self.store = store
        self.queries = queries
        self.dispatcher = dispatcher
        self.leases = leases
        self.resends = resends
        """Whether a job may get a new run that nobody asked for."""

    def why_no_relaunch(self, record: Mapping[str, str], *, most: int = MOST_RELAUNCHES) -> str | None:
        """Why a job gets no new run by itself, whatever has become of its last one; None where it may.

        Every new run that nobody asked for passes this one place.

        Args:
            record: The job.
            most: So many new runs it may have, since somebody started or retried it.
        """
        if not self.resends:
            return NEVER
        if int(record.get("relaunched") or 0) >= most:
            return f"it was {most} times. See who else takes messages from the queue"
        return None

    def follow(self, job_id: str, change: Change, *, again: bool = False, at_ms: int | None = None) -> Change:
        """Carry on what a change of a job leads to; returns the change.

        Args:
            job_id: The job.
            change: What became of an event.
            again: The event may have been applied before, by somebody who did not get to know: carry on all the same.
            at_ms: When it happened; default now.
        """
        if change.parent and change.parent_waits:
            self._begin(change.parent, at_ms)
        if (change.applied or (again and change.outcome is Outcome.DUPLICATE)) and change.after in SETTLED:
            if change.next and change.after is not Status.COMPLETED:
                self._break_chain(change.next, job_id, at_ms)
            if change.parent:
                self.tell(News(change.parent, job_id, change.run, change.after), at_ms, change.verdict)
            elif change.next and change.after is not Status.COMPLETED:
                self.store.told(job_id)
        elif change.applied and change.before in SETTLED and change.after and change.parent:
            # It had settled by presumption.
            self.tell(News(change.parent, job_id, change.run, change.after), at_ms, change.verdict)
        return change

    def _follow_all(self, changes: Mapping[str, Change]) -> None:
        """The same for many jobs: of those that are no more than sub-jobs the parents are told together."""
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
        self.tell_all(news)
        for job_id, change in others.items():
            self.follow(job_id, change)

    def catch_up(self, job_id: str) -> None:
        """Carry on what has become of a job, where those who wait for it may not have been told."""
        [record] = self.queries.records([job_id])
        if "status" not in record:
            return
        status, parent = status_of(record), record.get("parent")
        if status in SETTLED:
            self.follow(
                job_id,
                Change(
                    outcome=Outcome.APPLIED,
                    before=status,
                    after=status,
                    run=int(record["run"]),
                    attempt=int(record.get("attempt") or 0),
                    parent=parent,
                    cancel_requested=False,
                    next=record.get("next"),
                ),
                at_ms=int(record["finished"]),
            )
        elif parent:
            if status is Status.RUNNING:
                self._begin(parent, int(record["entered"]))
            self.tell(News(parent, job_id, int(record["run"]), status))
        else:
            self.store.told(job_id)

    def _begin(self, parent_id: str, at_ms: int | None) -> None:
        """Tell a parent that a sub-job has begun, the grandparent that its own has, and so on."""
        self.follow(parent_id, self.store.apply(Event.SUB_START, parent_id, at_ms=at_ms), at_ms=at_ms)

    def tell(self, news: News, at_ms: int | None = None, verdict: Verdict | None = None) -> bool:
        """Tell a parent what became of a sub-job, the grandparent what became of it, and so on.

        Args:
            news: What the parent is told.
            at_ms: When that came about; default now.
            verdict: What the parent makes of it, where it was told of it already.

        Returns:
            Whether the parent's own task was called because of it.
        """
        return self._act_on(verdict or self.store.settle(*news, at_ms=at_ms), news, at_ms)

    def tell_all(self, news: Sequence[News]) -> None:
        """The same of many sub-jobs."""
        for each, verdict in zip(news, self.store.settle_many(news), strict=True):
            self._act_on(verdict, each, None)

    def _act_on(self, verdict: Verdict, news: News, at_ms: int | None) -> bool:
        parent_id = news.parent_id
        if verdict.verdict == "due":
            self.call_body(parent_id, verdict.run)
        elif verdict.verdict == "halt":
            reason = f"sub-job {news.job_id} of its parent {parent_id} did not complete (fail_fast)"
            self.cancel_trees(self.queries.sub_ids(parent_id), reason=reason)
        elif verdict.verdict == "settled" and verdict.status:
            if verdict.status in SETTLED and (following := self.queries.field(parent_id, "next")):
                self._break_chain(following, parent_id, at_ms)
                self.store.told(parent_id)
            if verdict.grandparent:
                self.tell(News(verdict.grandparent, parent_id, verdict.run, verdict.status), at_ms)
            if verdict.status not in SETTLED:  # it is open again, and its own task may be due
                return self.tell(news, at_ms)
        return verdict.verdict == "due"

    def cancel_trees(self, roots: Sequence[str], *, reason: str, terminate: bool = False) -> dict[str, Change]:
        """Cancel jobs and all below them, as `cancel_and_tell`; returns what became of each."""
        return self.cancel_and_tell(roots, reason=reason, terminate=terminate)[0]

    def cancel_and_tell(
        self, roots: Sequence[str], *, reason: str, terminate: bool = False
    ) -> tuple[dict[str, Change], bool]:
        """Cancel jobs and all below them: a durable mark first, a Celery revoke last.

        What waits is cancelled at once. A running task is marked, and stops when it looks (`current_job()`), or is
        killed with `terminate` where its pool can do that; where not, the job's reason says so.

        Returns:
            What became of each, and whether the workers were told. Where the broker does not answer, they were not:
            all is recorded, and a worker asks before it starts a task; a running one is not killed.
        """
        # From the leaves to the roots: where this dies amidst it, nothing is cancelled whose sub-jobs are not.
        ids = [each for root in roots for each in reversed(self.queries.families(root))]
        spared = self._beyond_killing(ids) if terminate else {}
        reason = f"{reason}, with terminate" if terminate else reason
        reasons = {each: f"{reason}; {spared[each]}" if each in spared else reason for each in ids}
        changes = self.store.apply_many(Event.CANCEL, {each: {"reason": text} for each, text in reasons.items()})
        # What had ended may run again since, by a retry that came before its root was cancelled.
        ended = {
            each: {"reason": reasons[each]} for each, c in changes.items() if not c.applied and each not in roots
        }
        if ended:
            changes |= {each: c for each, c in self.store.apply_many(Event.CANCEL, ended).items() if c.applied}
        self._follow_all(changes)
        sent = {
            each: each if c.reused else task_id_of(each, c.run) for each, c in changes.items() if c.applied and c.run
        }
        try:
            self.dispatcher.revoke([task_id for each, task_id in sent.items() if each in spared])
            others = [task_id for each, task_id in sent.items() if each not in spared]
            self.dispatcher.revoke(others, terminate=terminate)
        except BrokerUnavailableError as error:
            logger.warning("The workers were not told of the cancel of %s: %s", ", ".join(roots[:5]), error)
            return changes, False
        return changes, True

    def _beyond_killing(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Those of the jobs that run where no task can be killed, each with a sentence that says so."""
        leases = dict(zip(job_ids, self.queries.fields(job_ids, "lease"), strict=True))
        pools = self.leases.pools({lease for lease in leases.values() if lease})
        return {
            job_id: f"a {pool} pool can't kill a task, it stops when it looks (current_job())"
            for job_id, lease in leases.items()
            if (pool := pools.get(lease or "")) in CAN_NOT_KILL
        }

    def call_body(self, parent_id: str, run: int) -> None:
        """Send a parent's own task, with the results of its sub-jobs: Celery's chord will not.

        Celery's chords around it will not come to their end either, so all its ancestors are called likewise. What is
        to follow it in a chain goes with its message; where that is not stored, it is cancelled.
        """
        self.own_ancestors(parent_id)
        following = self.queries.field(parent_id, "next")
        if following and self._waits_for_chain(following) and not self._goes_on(parent_id):
            reason = f"the job before it in its chain, {parent_id}, was called without it: Celery's chord did not"
            fields: dict[str, str | int] = {"reason": reason, "presumed": Event.LOSE}
            self.follow(following, self.store.apply(Event.CANCELLED, following, fields=fields))
        self.send({parent_id: run})

    def relaunch(
        self,
        job_id: str,
        *,
        run: int,
        reason: str,
        lease: str | None = None,
        fields: Mapping[str, str | int] | None = None,
    ) -> Change:
        """Send a new run of a job that has not settled: its message, or the worker that ran it, is gone.

        What is left of the run before, its message or its task, is refused when it turns up. A parent's own task is
        called with the results of its sub-jobs, when they have all settled. A job whose cancel was asked for is
        cancelled instead.

        Args:
            job_id: The job.
            run: The run that is gone; where there is a later one, nothing is done.
            reason: A sentence that says what happened.
            lease: The worker that is gone; where another one has taken the job on, nothing is done.
            fields: What its record is to say, too.

        Raises:
            ResendingDisabledError: Nothing is sent that nobody asked for: ask `why_no_relaunch` first.
        """
        if not self.resends:
            raise ResendingDisabledError(job_id)
        subs = self.queries.sub_ids(job_id)
        fields = {**(fields or {}), "reason": reason}
        if subs:
            fields["body"] = "own"
        change = self.follow(job_id, self.store.apply(Event.RELAUNCH, job_id, run=run, lease=lease, fields=fields))
        if not change.applied or change.settled:
            return change
        if change.next and self._goes_on(job_id):  # whoever was about to send it may have died before this
            self.await_next(job_id, cancelled_too=False)
        self.own_ancestors(job_id)
        if change.parent:
            self.tell(News(change.parent, job_id, change.run, Status.PENDING))
        if not subs:
            self.send({job_id: change.run})
        elif not self.look_again(job_id, subs):
            self.store.confirm(task_id_of(job_id, change.run))
        return change

    def look_again(self, parent_id: str, subs: Sequence[str]) -> bool:
        """Do for a parent what it is due for by what became of its sub-jobs; returns whether its task was called."""
        news = self.queries.untold_subs(parent_id)
        if not news and (state := self.queries.state(subs[0])):
            news = [(subs[0], *state)]
        return sum(self.tell(News(parent_id, *each)) for each in news) > 0  # each of them, not up to the first

    def send(self, runs: Mapping[str, int], loaded: Sequence[Loaded] | None = None) -> None:
        """Send runs of jobs' own tasks; a job whose task can never be sent has failed.

        Where the broker does not answer, they are left to be sent by the reaper.

        Args:
            runs: The runs.
            loaded: What is stored of the jobs, in their order, where it was read already.
        """
        try:
            unsent = self.dispatcher.publish_all(runs, loaded)
        except BrokerUnavailableError as error:
            # Perhaps it has taken them. The reaper sends them later, as other runs.
            what = f"{len(runs)} tasks" if len(runs) > 1 else f"The task of job {next(iter(runs))}"
            logger.warning("%s not sent, as far as is known: %s", what, error)
            return
        for job_id, reason in unsent.items():
            self._fail_unsent(job_id, runs[job_id], reason)
        self.store.confirm(*map(task_id_of, runs, runs.values()))

    def _fail_unsent(self, job_id: str, run: int, error: Exception) -> None:
        logger.error("The task of job %s could not be sent", job_id, exc_info=error)
        fields: dict[str, str | int] = {"reason": as_reason(str(error))}
        if isinstance(error, ArgumentsGoneError | ResultGoneError):
            fields["presumed"] = Event.LOSE  # Celery may have them, and run it after all: its chord calls a body late
        data = {"error": json.dumps({"type": type(error).__name__, "message": str(error)})}
        self.follow(job_id, self.store.apply(Event.FAIL, job_id, run=run, fields=fields, data=data))

    def own_ancestors(self, job_id: str) -> None:
        """From here on the tasks of all its ancestors are called by us, not by Celery's chords.

        What is in the header of a chord is the end of a chain: its parent is that of the job.
        """
        [record] = self.queries.records([job_id])
        while True:
            record = [record, *chains.following(self.queries, record)][-1]
            if not (parent := record.get("parent")):
                return
            self.store.edit(parent, fields={"body": "own"})  # where nobody calls it, or has called it
            [record] = self.queries.records([parent])

    def await_next(self, job_id: str, runs: Mapping[str, int] | None = None, *, cancelled_too: bool = True) -> None:
        """Give what follows a job in its chain, and has ended or waits, a new run that the job's message brings.

        Args:
            job_id: The job, which is about to be sent.
            runs: The runs of those that follow it, as they were looked at; one with a later one is left alone.
            cancelled_too: Also what somebody has cancelled, and what follows that.
        """
        [record] = self.queries.records([job_id])
        waiting: list[str] = []
        for each in chains.following(self.queries, record):
            if each.get("cancel") and not cancelled_too:
                break
            if each["status"] in SETTLED or cancelled_too:
                waiting.append(each["id"])
        changes = self.store.apply_many(Event.AWAIT, {each: {} for each in waiting}, runs)
        applied = {each: c for each, c in changes.items() if c.applied}
        self.tell_all([News(c.parent, each, c.run, c.after) for each, c in applied.items() if c.parent and c.after])
        if self.queries.field(job_id, "status") in SETTLED:  # by a cancel, before what follows it was to run again
            self.catch_up(job_id)

    def _goes_on(self, job_id: str) -> bool:
        """Whether what follows a job in its chain can be sent with it."""
        [loaded] = self.queries.load([job_id], missing_ok=True)
        return chains.rest_of(self.queries, *loaded) is not None

    def disown_chord(self, job_id: str) -> None:
        """Celery could not store a sub-job's part of its chord: that may not come to its end, or may after all.

        So we call the parent's task, as another run; if Celery calls it too, that is refused. Where we can't call it
        as Celery would, for its arguments or what follows it are not stored, it is left to Celery.
        """
        if not (parent := self.queries.field(job_id, "parent")):
            return
        [(record, data)] = self.queries.load([parent], missing_ok=True)
        if "status" not in record or self.why_no_relaunch(record):
            return
        if not (withheld(record, data) or record.get("next") or record.get("linked")):
            self.store.edit(parent, fields={"body": "anew"})  # where nobody calls it, or has called it

    def _break_chain(self, next_id: str, before_id: str, at_ms: int | None = None) -> None:
        reason = f"the job before it in its chain, {before_id}, did not complete"
        fields: dict[str, str | int] = {"reason": reason}
        # In this order: where the one before has got a new run since, the next one may have got it too.
        [following, before] = self.queries.records([next_id, before_id])
        if "status" not in following or before.get("status") not in {None, Status.FAILED, Status.CANCELLED}:
            return
        if before.get("presumed"):  # Celery sends it all the same, where that was wrong
            fields["presumed"] = Event.LOSE
        run = int(following["run"])
        change = self.store.apply(Event.CANCELLED, next_id, run=run, fields=fields, at_ms=at_ms)
        self.follow(next_id, change, at_ms=at_ms)

    def _waits_for_chain(self, job_id: str) -> bool:
        """Whether the end of a chain was not sent yet, or sent what is to come to its end in its own place."""
        queued, replaced = (self.queries.field(job_id, name) for name in ("queued", "replaced"))
        return not queued or bool(replaced)
