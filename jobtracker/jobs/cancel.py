"""Cancels jobs. A cancel has two halves, and each comes back in its own way.

1. **The mark.** `Event.CANCEL` is written to the job and to all jobs below it, in Redis. A job that waits is
   cancelled with that. A job that runs stays `running` and has the mark: its task sees it when it looks
   (`current_job()`). A worker that is about to start a marked task is told so with the answer to its start (the
   `task_prerun` handler in `instrumentation/task_signals.py`), and refuses the task. The mark is durable: it is all
   that a cancel needs.
2. **The revoke.** Celery tells the workers (`Dispatcher.revoke`), who keep it in memory only and lose it when they
   restart. A worker that discards a waiting task, or kills a running one with `terminate`, fires Celery's
   `task_revoked`. That comes back in the `task_revoked` handler of `instrumentation/task_signals.py`, as a report of
   `Event.CANCELLED`: `reporting/applier.py` applies it, and `Propagation.propagate` notifies the parent.
"""

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple

from jobtracker.core.job import task_id_of
from jobtracker.core.lifecycle import Event, Outcome
from jobtracker.errors import BrokerUnavailableError, NotKilledError
from jobtracker.jobs.asking import asked_by
from jobtracker.jobs.dispatcher import Dispatcher
from jobtracker.jobs.guards import not_allowed
from jobtracker.store.changes import Change
from jobtracker.store.leases import Leases
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore

logger = logging.getLogger(__name__)

CAN_NOT_KILL = {"threads", "solo"}
"""Pools whose `terminate_job` is not implemented (celery/concurrency/base.py)."""


class Cancelled(NamedTuple):
    """What became of a cancel."""

    changes: dict[str, Change]
    """The outcome of each job."""
    is_revoked: bool
    """The workers were told. If not, the broker did not answer: the marks are written, and no running task was
    killed."""


class Cancellation:
    """Cancels jobs with all jobs below them.

    Args:
        store: Where the marks are written.
        queries: Where the jobs are read.
        dispatcher: Sends the revokes.
        leases: Tell the pools of the workers.
        propagate: Called with the changes, to propagate the outcomes.
    """

    def __init__(
        self,
        store: JobStore,
        queries: JobQueries,
        dispatcher: Dispatcher,
        leases: Leases,
        propagate: Callable[[Mapping[str, Change]], None],
    ) -> None:
        self.store = store
        self.queries = queries
        self.dispatcher = dispatcher
        self.leases = leases
        self._propagate = propagate

    def cancel(self, job_id: str, *, reason: str = "cancelled by request", terminate: bool = False) -> None:
        """Cancel a job and all its sub-jobs. Cancelling a cancelled job changes nothing.

        Args:
            job_id: The job.
            reason: Why, a sentence.
            terminate: Kill a running task instead of asking it to stop. In the pools threads and solo no task can be
                killed: the job's reason says so, and the task is asked to stop.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: It has completed or failed.
            NotKilledError: With `terminate`: the broker does not answer. The cancel is recorded, and can be repeated.
                Without `terminate` this is no error: a worker checks the mark before it starts a task.
        """
        self.queries.record(job_id)
        cancelled = self.cancel_trees([job_id], reason=reason, terminate=terminate)
        change = cancelled.changes[job_id]
        if change.outcome is Outcome.ILLEGAL:
            raise not_allowed(job_id, change, "cancel", "it has ended.")
        if terminate and not cancelled.is_revoked:
            raise NotKilledError(job_id)

    def cancel_trees(
        self,
        roots: Sequence[str],
        *,
        reason: str,
        terminate: bool = False,
        bulk: str | None = None,
        alone: Container[str] = (),
    ) -> Cancelled:
        """Cancel jobs and all jobs below them: the marks first, the revokes last.

        Args:
            roots: The jobs.
            reason: Why, a sentence.
            terminate: As for `cancel`.
            bulk: The bulk run that cancels them: they say so.
            alone: Those of them that are known to have no sub-jobs.
        """
        # From the leaves to the roots: if this process dies midway, no parent is cancelled before its sub-jobs.
        ids = [
            each for root in roots for each in ([root] if root in alone else reversed(self.queries.families(root)))
        ]
        spared = self._beyond_killing(ids) if terminate else {}
        reason = f"{reason}, with terminate" if terminate else reason
        reasons = {each: f"{reason}; {spared[each]}" if each in spared else reason for each in ids}
        fields: dict[str, dict[str, str | int]] = {
            each: {"reason": text, **asked_by("cancelled_by")} for each, text in reasons.items()
        }
        for each in roots if bulk else ():
            fields[each]["bulk"] = bulk or ""
        changes = self.store.apply_many(Event.CANCEL, fields)
        # A job that had ended may run again by now, through a retry that came before its root was cancelled.
        chosen = frozenset(roots)
        ended = {each: fields[each] for each, c in changes.items() if not c.applied and each not in chosen}
        if ended:
            changes |= {each: c for each, c in self.store.apply_many(Event.CANCEL, ended).items() if c.applied}
        self._propagate(changes)
        return Cancelled(changes, self._revoke(changes, spared, roots, terminate=terminate))

    def _revoke(
        self, changes: Mapping[str, Change], spared: Mapping[str, str], roots: Sequence[str], *, terminate: bool
    ) -> bool:
        sent = {
            each: each if c.reused else task_id_of(each, c.run) for each, c in changes.items() if c.applied and c.run
        }
        try:
            self.dispatcher.revoke([task_id for each, task_id in sent.items() if each in spared])
            others = [task_id for each, task_id in sent.items() if each not in spared]
            self.dispatcher.revoke(others, terminate=terminate)
        except BrokerUnavailableError as error:
            logger.warning(
                "The cancel of %s is recorded, and the workers were not told to revoke it: %s",
                ", ".join(roots[:5]),
                error,
            )
            return False
        return True

    def _beyond_killing(self, job_ids: Sequence[str]) -> dict[str, str]:
        """The jobs that run in a pool where no task can be killed, each with a sentence that says so."""
        leases = dict(zip(job_ids, self.queries.fields(job_ids, JobRecord.lease), strict=True))
        pools = self.leases.pools({lease for lease in leases.values() if lease})
        return {
            job_id: f"a {pool} pool can't kill a task, it stops when it looks (current_job())"
            for job_id, lease in leases.items()
            if (pool := pools.get(lease or "")) in CAN_NOT_KILL
        }
