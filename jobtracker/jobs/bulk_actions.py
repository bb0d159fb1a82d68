"""What a bulk run does to some jobs at a time. A job is changed together with a mark of the run, so never twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from jobtracker.core.job import BULK_TYPE
from jobtracker.core.labels import MOST_TAGS
from jobtracker.core.lifecycle import SETTLED, Outcome
from jobtracker.errors import BrokerUnavailableError, JobNotFoundError, JobTrackerError, NotKilledError
from jobtracker.jobs.asking import who_asks
from jobtracker.jobs.bulk_state import BulkState, fits, why_not
from jobtracker.jobs.cancel import Cancellation
from jobtracker.jobs.delete import Deletion
from jobtracker.jobs.reach import reaches_below
from jobtracker.jobs.retry import Retrying
from jobtracker.schemas.bulk import BulkAction
from jobtracker.store.bulk_runs import Selection
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore


@dataclass
class Acted:
    """What became of some jobs."""

    done: int = 0
    below: int = 0
    left_alone: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Each with the reason."""
    waiting: list[str] = field(default_factory=list)
    """Those that nothing was done to, because the broker does not answer: their turn comes again."""

    def settle(self, record: JobRecord, outcome: Outcome, why: str, *, named: bool) -> None:
        """Count a job by the outcome of its change.

        Args:
            record: The job, as it was before.
            outcome: Of the change.
            why: Why, if it is illegal.
            named: It was named by its id, so whoever did so is told.
        """
        if outcome in {Outcome.APPLIED, Outcome.DUPLICATE}:
            self.done += 1
        elif not named and outcome in {Outcome.MISSING, Outcome.DELETED}:
            self.left_alone += 1
        elif outcome in {Outcome.MISSING, Outcome.DELETED}:
            self.refused.append((record.id, str(JobNotFoundError(record.id))))
        else:
            self.refused.append((record.id, why))


@dataclass(frozen=True)
class BulkActions:
    """Changes some jobs of a bulk run."""

    store: JobStore
    queries: JobQueries
    cancellation: Cancellation
    deletion: Deletion
    retrying: Retrying

    def act(self, run_id: str, state: BulkState, records: Sequence[JobRecord], *, again: bool) -> Acted:
        """Change jobs, and say what became of each.

        Args:
            run_id: The bulk run.
            state: What it is to do.
            records: The jobs; `exists` is False on those that are not there.
            again: Another process may have changed some of them for this run, and died before it wrote that down.
        """
        acted = Acted()
        chosen = [each for each in records if self._is_to_change(run_id, state, each, acted, again=again)]
        if state.action.goes_down:
            chosen = self._without_below(run_id, state, chosen, acted)
        if chosen:
            self._WAYS[state.action](self, run_id, state, chosen, acted)
        return acted

    def _is_to_change(self, run_id: str, state: BulkState, record: JobRecord, acted: Acted, *, again: bool) -> bool:
        named = state.ids is not None
        if not record.exists and again and state.action is BulkAction.DELETE:
            acted.done += 1
        elif not record.exists or not state.reaches(record) or (record.type == BULK_TYPE and not named):
            if named:
                acted.refused.append((record.id, str(JobNotFoundError(record.id))))
        elif record.bulk == run_id and not (state.action is BulkAction.TERMINATE and fits(state.action, record)):
            acted.done += again  # else it was counted before, and has come by once more
        elif fits(state.action, record):
            goes_below = record.subs and state.action.goes_down
            if not goes_below or reaches_below(self.queries, state.asker, record.id):
                return True
            acted.refused.append((record.id, "it has sub-jobs that who asked may not see."))
        elif named:
            acted.refused.append((record.id, f"{record.title}: {why_not(state.action, record)}"))
        else:
            acted.left_alone += 1
        return False

    def _without_below(
        self, run_id: str, state: BulkState, records: list[JobRecord], acted: Acted
    ) -> list[JobRecord]:
        """Those whose parents are not changed by this run too."""
        selection = state.read_selection
        parents = sorted({record.parent for record in records if record.parent})
        chosen = {
            parent.id
            for parent in self.queries.records(parents)
            if parent.bulk == run_id or (selection and _is_chosen(state, selection, parent))
        }
        above = [record for record in records if record.parent not in chosen]
        acted.below += len(records) - len(above)
        return above

    def _cancel(self, run_id: str, state: BulkState, records: list[JobRecord], acted: Acted) -> None:
        terminate = state.action is BulkAction.TERMINATE
        cancelled = self.cancellation.cancel_trees(
            [record.id for record in records],
            reason=state.reason or f"cancelled by bulk run {run_id}",
            terminate=terminate,
            bulk=run_id,
            alone={record.id for record in records if not record.subs},
        )
        for record in records:
            change = cancelled.changes[record.id]
            if terminate and change.applied and change.run and not cancelled.is_revoked:
                acted.refused.append((record.id, str(NotKilledError(record.id))))
            elif change.outcome is Outcome.ILLEGAL:  # it has ended meanwhile
                acted.left_alone += 1
            else:
                acted.settle(record, change.outcome, "it has ended.", named=state.ids is not None)

    def _retry(self, run_id: str, state: BulkState, records: list[JobRecord], acted: Acted) -> None:
        for number, record in enumerate(records):
            try:
                self.retrying.retry(record.id, from_failed=state.from_failed, bulk=run_id)
            except BrokerUnavailableError:
                acted.waiting = [each.id for each in records[number:]]
                return
            except JobTrackerError as error:
                acted.refused.append((record.id, str(error)))
            else:
                acted.done += 1

    def _delete(self, _: str, state: BulkState, records: list[JobRecord], acted: Acted) -> None:
        plain = [record for record in records if not record.subs]
        outcomes = self.store.delete(*(record.id for record in plain)) if plain else []
        for record, outcome in zip(plain, outcomes, strict=True):
            acted.settle(record, outcome, _why_stays(record), named=state.ids is not None)
        for record in records:
            if record.subs:
                try:
                    self.deletion.delete(record.id)
                except JobTrackerError as error:
                    acted.refused.append((record.id, str(error)))
                else:
                    acted.done += 1

    def _tag(self, run_id: str, state: BulkState, records: list[JobRecord], acted: Acted) -> None:
        add, take = (state.tags, ()) if state.action is BulkAction.TAG else ((), state.tags)
        outcomes = self.store.tag_all([record.id for record in records], run_id, add, take, who_asks())
        for record, outcome in zip(records, outcomes, strict=True):
            acted.settle(record, outcome, f"it would have more than {MOST_TAGS} tags.", named=state.ids is not None)

    def _reprioritise(self, run_id: str, state: BulkState, records: list[JobRecord], acted: Acted) -> None:
        if state.priority is None:
            raise ValueError("Nobody has said which priority.")
        outcomes = self.store.reprioritise_all([record.id for record in records], run_id, state.priority, who_asks())
        for record, outcome in zip(records, outcomes, strict=True):
            acted.settle(record, outcome, "it was started meanwhile.", named=state.ids is not None)

    _WAYS: ClassVar = {
        BulkAction.CANCEL: _cancel,
        BulkAction.TERMINATE: _cancel,
        BulkAction.RETRY: _retry,
        BulkAction.DELETE: _delete,
        BulkAction.TAG: _tag,
        BulkAction.UNTAG: _tag,
        BulkAction.REPRIORITISE: _reprioritise,
    }


def _is_chosen(state: BulkState, selection: Selection, parent: JobRecord) -> bool:
    """Whether a parent is among the jobs that the run changes."""
    return selection.has(parent) and state.reaches(parent) and fits(state.action, parent)


def _why_stays(record: JobRecord) -> str:
    if record.parent:
        return f"it is a sub-job of {record.parent}; delete its parent."
    return "it was started meanwhile." if record.status not in SETTLED else "it runs again."
