"""Creates many independent jobs together: all of them, or none."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from jobtracker.core.access import acting
from jobtracker.core.clock import now_ms
from jobtracker.core.job import as_reason, digest_in, unique_field
from jobtracker.core.lifecycle import Event, Status
from jobtracker.errors import InvalidJobError, JobTrackerError
from jobtracker.jobs.cancel import Cancellation
from jobtracker.jobs.create import Checked, Creation, as_recorded, is_applied
from jobtracker.jobs.create_unique import digest_of
from jobtracker.jobs.dispatcher import Dispatcher, is_large
from jobtracker.jobs.guards import admit, need_reach, release
from jobtracker.schemas.requests import BatchJob, JobCreate, SubJobCreate
from jobtracker.store.changes import NewJob
from jobtracker.store.following_ids import FollowingIds
from jobtracker.store.reader import JobQueries, Loaded
from jobtracker.store.writer import JobStore

logger = logging.getLogger("jobtracker.jobs")

_MOST_PROBLEMS = 50
"""Problems that an error names; the others are counted."""


_MOST_NAMED = 5
"""Problems that the text of an error names."""


class InvalidBatchError(InvalidJobError):
    """Jobs of a batch can't be created, so none of them was.

    Args:
        jobs: How many jobs the batch has.
        wrong: How many of them can't be created.
        problems: The first problems, as in `InvalidJobError`; their paths lead into the list of jobs.
    """

    def __init__(self, jobs: int, wrong: int, problems: list[tuple[list[str | int], str]]) -> None:
        named = [f"{'.'.join(map(str, path))}: {message}" for path, message in problems[:_MOST_NAMED]]
        more = f"; and {wrong - len(named)} more" if wrong > len(named) else ""
        super().__init__(
            f"{wrong:,} of {jobs:,} jobs can't be created, so nothing was. {'; '.join(named)}{more}", problems
        )


class Batch(NamedTuple):
    """What a batch has become."""

    ids: list[str]
    """The jobs, in order."""
    joined: list[int]
    """The places of those that were there: they have the unique keys of those that were to be created."""


@dataclass(frozen=True)
class BatchCreation:
    """Creates jobs of a batch. They lie in one partition, so that one step decides about all of them."""

    store: JobStore
    queries: JobQueries
    creation: Creation
    dispatcher: Dispatcher
    cancellation: Cancellation

    def create_batch(
        self,
        jobs: Sequence[JobCreate | BatchJob],
        *,
        start: bool,
        request_id: str | None = None,
        ids: FollowingIds | None = None,
    ) -> Batch:
        """Record jobs, and start them.

        If this process dies when it has decided to record them, the leader of maintenance records them. Up to 50
        started jobs are sent from here; workers send the jobs of a larger batch. A batch in which a job has a unique
        key is recorded in one step and sent from here, whatever its size.

        Args:
            jobs: The jobs; at most `MOST_UNIQUE` where one has a unique key.
            start: Start them too. If they can't be sent, nothing of them stays, except those that have begun: these
                are cancelled.
            request_id: Of the request that creates them.
            ids: Their ids. If they are there already, nothing is done. Default: new ones.

        Raises:
            InvalidBatchError: Some of them can't be created: nothing was recorded.
            ForbiddenError: The caller may not see the job that has the unique key of one: nothing was recorded.
            NotRecordedError: It took too long: nothing was recorded.
            BrokerUnavailableError: They are to be started, and the broker does not answer.
            QueueMissingError: They are to be started, and the broker has no queue for one of them.
        """
        at_ms = now_ms()
        records = self._records_of(jobs, request_id, at_ms, at_ms if start else None, ids)
        if any("unique" in record.fields for record in records):
            return self._create_where_free(records, at_ms, start=start)
        if start:
            self._submit(records, at_ms, is_new=ids is None)
        elif is_large(records):
            is_applied(records[0].id, self.store.create_batch(records, at_ms=at_ms, started=False))
        else:
            is_applied(records[0].id, self.store.create(*records, at_ms=at_ms)[0])  # one call
        return Batch([record.id for record in records], [])

    def _create_where_free(self, records: list[NewJob], at_ms: int, *, start: bool) -> Batch:
        """Record jobs, but those whose unique keys others have.

        A request that comes again finds its own jobs. A job whose key was taken then is decided anew. The process
        that has recorded a job sends it, or the outbox relay does.
        """
        recorded = self.store.create_where_free([replace(each, sends=start) for each in records], at_ms=at_ms)
        made = list(zip(records, recorded, strict=True))
        joined = [record for record, found in made if found.holder]
        release(*(record.id for record in joined))
        for record in joined:
            self.creation.large_values.remove_all(record.data)
        new = [record for record, found in made if found.is_new]
        is_repeated = any(not found.is_new and not found.holder for _, found in made)
        if start and new:
            ids = [record.id for record in new]
            try:
                self._send(ids, [as_recorded(record) for record in new])
            except Exception as error:
                if is_repeated:  # the outbox relay sends them, as it sends those that were recorded before
                    logger.warning("batch_not_sent", extra={"error": str(error), "jobs": len(ids)})
                else:
                    with suppress(JobTrackerError):
                        self._undo(ids, error)
                    raise
        return Batch(
            [found.holder or record.id for record, found in made],
            [place for place, (_, found) in enumerate(made) if found.holder],
        )

    def _need_reach_of_holders(self, records: Sequence[NewJob]) -> None:
        """Check that the caller may see the jobs that have the keys.

        One that takes its key just now is not seen: then the answer has the id of a job that they may not look at.
        """
        principal = acting.get()
        if principal and principal.limited:
            digests = [digest_in(str(each.fields["unique"])) for each in records if "unique" in each.fields]
            for holder in self.queries.records(self.queries.unique_holders(digests)):
                if holder.exists:
                    need_reach(holder.type, holder.tags)

    def _records_of(
        self,
        jobs: Sequence[JobCreate | BatchJob],
        request_id: str | None,
        at_ms: int,
        started_ms: int | None,
        ids: FollowingIds | None,
    ) -> list[NewJob]:
        """Their records. All jobs are checked before a value of one is written to the object store."""
        checked: list[Checked] = []
        problems: list[tuple[list[str | int], str]] = []
        wrong, beside = 0, None
        for position, job in enumerate(jobs):
            wanted = SubJobCreate.model_construct(**{name: getattr(job, name) for name in JobCreate.model_fields})
            unique = getattr(job, "unique", None)
            digest = digest_of(job.job_type, unique.key) if unique else None
            try:
                if digest:
                    self._need_one_partition()
                found = self.creation.checked(
                    wanted, request_id, started_ms, beside=beside, ids=ids, unique_digest=digest
                )
                if unique and digest:
                    [record] = found.records
                    field = unique_field(digest, unique.while_, at_ms, unique.for_s)
                    found.records[0] = replace(record, fields={**record.fields, "unique": field})
            except InvalidJobError as error:
                wrong += 1
                if len(problems) < _MOST_PROBLEMS:
                    problems += error.under("jobs", position).problems
            else:
                beside = beside or found.records[0].id
                checked.append(found)
        if wrong:
            raise InvalidBatchError(len(jobs), wrong, problems[:_MOST_PROBLEMS])
        records = [record for each in checked for record in each.records]
        self._need_reach_of_holders(records)
        admit(records)
        return [record for each in checked for record in self.creation.finished(each)]

    def _need_one_partition(self) -> None:
        """A unique job lies where the lock of its key does, and one step decides about jobs of one partition only."""
        if (parts := len(self.store.keys.parts)) > 1:
            text = (
                f"a batch can't have unique keys here: the store has {parts} partitions, and their locks lie in "
                "different ones. Create these jobs one by one"
            )
            raise InvalidJobError(text, [(["unique"], text)])

    def _submit(self, records: list[NewJob], at_ms: int, *, is_new: bool) -> None:
        """Record jobs as started, and send them, if they are new."""
        ids = [record.id for record in records]
        stored = [as_recorded(record) for record in records]
        try:
            if is_large(records):
                outcome = self.store.create_batch(records, at_ms=at_ms, started=True)
            else:
                sent = (replace(record, sends=True) for record in records)
                outcome = self.store.create(*sent, at_ms=at_ms)[0]
            if not is_applied(ids[0], outcome):
                return
            is_new = True
            if is_large(records):
                self.dispatcher.hand_over(ids, [record for record, _ in stored])
            else:
                self._send(ids, stored)
        except Exception as error:
            if is_new:
                with suppress(JobTrackerError):
                    self._undo(ids, error)
            raise

    def _send(self, ids: Sequence[str], stored: Sequence[Loaded]) -> None:
        unsent = self.dispatcher.publish_all(dict.fromkeys(ids, 1), stored)
        for error in unsent.values():
            raise error
        self.store.confirm(*ids)

    def _undo(self, ids: Sequence[str], error: Exception) -> None:
        """Leave nothing of jobs that could not all be sent; what has begun is cancelled, and says why."""
        self.store.drop_draft(ids[0])  # first of all: else the leader would record the rest of it
        undone = self.store.apply_many(Event.UNENQUEUE, {each: {} for each in ids}, dict.fromkeys(ids, 1))
        begun = [each for each, c in undone.items() if not c.applied and c.after not in {None, Status.CANCELLED}]
        if begun:
            reason = as_reason(f"its batch could not be sent whole: {error}. Send it again.")
            self.cancellation.cancel_trees(begun, reason=reason)
        self.store.delete(*(each for each, change in undone.items() if change.applied))
