"""Retries jobs: a new run of a failed or cancelled job, and of what did not complete below it and in its chain.

`RetryPlanner` first finds and checks all jobs that have to run again, and changes nothing. Then the new runs are
recorded, and the jobs that are ready are sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobtracker.core.lifecycle import SETTLED, Event, Status
from jobtracker.errors import ArgumentsUnavailableError, IllegalTransitionError
from jobtracker.jobs import chains
from jobtracker.jobs.asking import asked_by
from jobtracker.jobs.guards import check_is_no_bulk_run, need_reach_of_chain, not_allowed, parent_of
from jobtracker.jobs.large_values import LargeValues
from jobtracker.jobs.results import JobResults
from jobtracker.jobs.stored_calls import why_not_repeatable, why_not_sendable
from jobtracker.jobs.tree_sender import TreeSender, changed_places
from jobtracker.store.changes import News
from jobtracker.store.job_types import Registry
from jobtracker.store.reader import JobQueries, Loaded
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore


@dataclass(frozen=True)
class Retrying:
    """Retries jobs."""

    store: JobStore
    queries: JobQueries
    registry: Registry
    sender: TreeSender
    large_values: LargeValues

    def retry(self, job_id: str, *, from_failed: bool = False, bulk: str | None = None) -> str:
        """Run a failed or cancelled job again: a new run. Of a parent, only the sub-jobs that did not complete.

        The next of a chain gets the result of the job before it, and what follows it in its chain runs again too.

        Args:
            job_id: The job.
            from_failed: If a job before it in its chain did not complete, run that one again, and so the rest of the
                chain; otherwise that is an error, which names it.
            bulk: The bulk run that retries it: the job says so.

        Returns:
            The id of the job that runs again.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: It is not failed or cancelled, part of it still runs, its parent has ended too, or
                a job before it in its chain did not complete.
            ArgumentsUnavailableError: Its arguments are not stored, or those of another job that has to run again.
            ResultUnavailableError: The result of a completed job, which it or its parent needs, is gone.
            BrokerUnavailableError: The broker does not answer; the job is failed as before.
            QueueMissingError: It has no queue for it; the job is failed as before.
        """
        record = self.first(job_id, from_failed=from_failed)
        job_id = record.id
        last = [record, *chains.following(self.queries, record)][-1]
        parent = parent_of(self.queries, last)
        if parent and parent.status in SETTLED:
            why = f"its parent {parent.id} has ended too. Retry that: it runs again what did not complete."
            raise IllegalTransitionError(job_id, record.nearest_status, "retry", why)
        plan = RetryPlanner(self.queries, self.sender.dispatcher.signatures.results).plan(record)
        places = changed_places(self.queries, self.registry, self.large_values, [*plan.trees])
        for each, subs in plan.trees.items():
            if subs:
                places[each] = {**places[each], "callback_mode": "called" if each in plan.ready else "own"}
        places = {each: place | asked_by("started_by") for each, place in places.items()}
        # Of the runs that were read: a job that has run again meanwhile may not have to once more.
        fields = places.pop(job_id) | ({"bulk": bulk} if bulk else {})
        root = self.store.apply(Event.RERUN, job_id, run=plan.runs[job_id], fields=fields)
        if not root.applied:
            why_not = "somebody else was faster."
            if holder := self.queries.unique_holder(record):
                why_not = f"the job {holder} has its unique key now. Retry it when that has ended."
            raise not_allowed(job_id, root, "retry", why_not)
        changes = {job_id: root, **self.store.apply_many(Event.RERUN, places, plan.runs)}
        propagation = self.sender.propagation
        for each in plan.chained:
            if changes[each].applied:
                propagation.renew_chain(each, plan.runs)
        propagation.take_over_ancestors(job_id)
        propagation.notify_parents(
            [News(c.parent, each, c.run, c.after) for each, c in changes.items() if c.parent and c.after]
        )
        self._cancel_if_parent_was(plan)
        runs = {each: change.run for each, change in changes.items() if change.applied}
        self.sender.send_ready([each for each in plan.ready if each in runs], runs)
        return job_id

    def first(self, job_id: str, *, from_failed: bool = False) -> JobRecord:
        """The job that a retry has to begin with: itself, or with `from_failed` the one of its chain that failed.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: It is not failed or cancelled, or a job before it in its chain did not complete.
            ForbiddenError: The caller is limited to some jobs, and wants the job of its chain that failed.
        """
        need_reach_of_chain(from_failed=from_failed)
        record = self.queries.record(job_id)
        check_is_no_bulk_run(record, "retry")
        _check_has_failed(record)
        first = first_incomplete(self.queries, record)
        if first.id != job_id and (first.status not in SETTLED or not from_failed):
            raise IllegalTransitionError(job_id, record.nearest_status, "retry", _why_not_before(first))
        return first

    def _cancel_if_parent_was(self, plan: "RetryPlan") -> None:
        """Cancel parents again whose cancel came to their sub-jobs before these were about to run again."""
        parents = [each for each, subs in plan.trees.items() if subs]
        statuses = zip(parents, self.queries.fields(parents, JobRecord.status), strict=True)
        if off := [each for each, status in statuses if status == Status.CANCELLED]:
            self.sender.propagation.cancellation.cancel_trees(off, reason="it was cancelled while it was retried")


@dataclass
class RetryPlan:
    """What a retry runs again.

    Attributes:
        trees: The jobs that are sent, and the parents that are called after their sub-jobs; parents first.
        ready: Those of them that can be sent at once.
        chained: Those that are followed by another job in their chain.
        runs: The run of each as it was read, also of those that follow one in its chain.
    """

    trees: dict[str, list[str]] = field(default_factory=dict)
    ready: list[str] = field(default_factory=list)
    chained: list[str] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RetryPlanner:
    """Finds what has to run again, and checks that it can."""

    queries: JobQueries
    results: JobResults

    def plan(self, root: JobRecord) -> RetryPlan:
        """Plan the retry of a job: it and all below it that did not complete, and the rest of their chains.

        Args:
            root: The job.

        Raises:
            IllegalTransitionError: Part of it has not ended, or has gone on all the same.
            ArgumentsUnavailableError: The arguments of some of them are not stored, or what else it takes.
            ResultUnavailableError: A result that one of them needs is gone.
        """
        trees: dict[str, list[str]] = {}
        jobs: dict[str, Loaded] = {}
        plan = RetryPlan()
        gone: dict[str, str] = {}
        level = [root.id]
        while level:
            if new := [each for each in level if each not in jobs]:
                found = {sub: own for each in new for sub, own in self.queries.families(each).items()}
                trees |= found
                jobs |= {record.id: (record, data) for record, data in self.queries.load(list(found))}
            below: list[str] = []
            for each in level:
                record, data = jobs[each]
                self._check_has_ended(root, record)
                if (first := first_incomplete(self.queries, record)).id != each:
                    below.append(first.id)
                    continue
                if each in plan.trees:
                    continue
                if why_gone := why_not_repeatable(record, data):
                    gone[each] = why_gone
                gone |= self._add_rest_of_chain(root, record, data, plan)
                subs = [sub for sub in trees[each] if jobs[sub][0].status != Status.COMPLETED]
                plan.trees[each], plan.runs[each] = trees[each], record.run
                plan.ready += [] if subs else [each]
                below += subs
            level = below
        if gone:
            raise ArgumentsUnavailableError(gone)
        self._check_results(plan, jobs)
        return plan

    @staticmethod
    def _check_has_ended(root: JobRecord, record: JobRecord) -> None:
        if record.status not in SETTLED:
            why = f"its sub-job {record.id} has not ended yet, it is {record.nearest_status}."
            raise IllegalTransitionError(root.id, root.nearest_status, "retry", why)

    def _check_results(self, plan: RetryPlan, jobs: Mapping[str, Loaded]) -> None:
        """Raise if a result is gone, before anything is changed."""
        for each, subs in plan.trees.items():
            self.results.of(subs)
            if chains.takes_result(jobs[each][0]):
                self.results.before(jobs[each][0])

    def _add_rest_of_chain(
        self, root: JobRecord, record: JobRecord, data: dict[str, str], plan: RetryPlan
    ) -> dict[str, str]:
        """Add what follows a job in its chain, and has to run again after it; returns what is missing for that."""
        rest = chains.rest_of(self.queries, record, data)
        if rest == []:
            return {}
        following = chains.following(self.queries, record)
        for each in following:
            waits = each.status == Status.PENDING and not each.queued
            if each.subs or not (waits or each.status in {Status.FAILED, Status.CANCELLED}):
                why = (
                    f"{each.id}, which follows {record.id} in its chain, was sent all the same, and is "
                    f"{each.nearest_status}. Retry that, where it did not complete."
                )
                raise IllegalTransitionError(root.id, root.nearest_status, "retry", why)
        plan.chained.append(record.id)
        plan.runs |= {each.id: each.run for each in following}
        if rest is not None:
            return {}
        loaded = self.queries.load([each.id for each in following])
        whys = {each.id: why_not_sendable(each, bulk) for each, bulk in loaded}
        not_stored = {each: why for each, why in whys.items() if why}
        return not_stored or {record.id: "what follows it in its chain is not stored, or not any more"}


def first_incomplete(queries: JobQueries, record: JobRecord) -> JobRecord:
    """Where the chain of a job that did not complete has to go on: the first job up to it that did not complete."""
    seen = {record.id}
    while loaded := chains.loaded_before(queries, record):
        before, _ = loaded
        if not before.exists or before.status == Status.COMPLETED or before.id in seen:
            break
        seen.add(before.id)
        record = before
    return record


def _check_has_failed(record: JobRecord) -> None:
    if record.status in {Status.FAILED, Status.CANCELLED}:
        return
    why = "only failed or cancelled jobs can be."
    if record.status == Status.PENDING and record.link and not record.queued:
        why = f"it waits for the job before it in its chain, {record.sent_by}, and is sent after that."
    raise IllegalTransitionError(record.id, record.nearest_status, "retry", why)


def _why_not_before(first: JobRecord) -> str:
    """Why a job is not retried if an earlier one of its chain did not complete."""
    before = f"the job before it in its chain, {first.id}, "
    if first.status not in SETTLED:
        return f"{before}has not ended yet, it is {first.nearest_status}."
    return (
        f"{before}did not complete, it is {first.nearest_status}. Retry that, and the rest of the chain runs after "
        "it: `from_failed` does so."
    )
