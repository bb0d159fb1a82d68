"""Creates jobs: records a job with all its sub-jobs, and sends them if they are to start at once."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from jobtracker.core.clock import now_ms
from jobtracker.core.job import unique_id
from jobtracker.core.lifecycle import Outcome, Priority, Status
from jobtracker.errors import DeletedIdError, InvalidJobError, JobTrackerError, UniqueKeyTakenError
from jobtracker.jobs.asking import asked_by
from jobtracker.jobs.dispatcher import is_large
from jobtracker.jobs.guards import admit, need_reach
from jobtracker.jobs.large_values import LargeValues, large_in
from jobtracker.jobs.stored_calls import chosen_queue
from jobtracker.jobs.tree_sender import TreeSender
from jobtracker.schemas.requests import SubJobCreate
from jobtracker.store.changes import NewJob
from jobtracker.store.following_ids import FollowingIds
from jobtracker.store.job_types import Registry
from jobtracker.store.keys import Keys
from jobtracker.store.reader import Loaded
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore
from jobtracker.tracing.active import current


@dataclass(frozen=True)
class Creation:
    """Creates jobs."""

    store: JobStore
    registry: Registry
    sender: TreeSender
    large_values: LargeValues
    delete: Callable[[str], None]
    """Deletes a tree that could not be sent."""

    def create(self, job: SubJobCreate, *, request_id: str | None = None, ids: FollowingIds | None = None) -> str:
        """Record a job and all its sub-jobs, pending; returns its id.

        Args:
            job: The job.
            request_id: Of the request that creates it.
            ids: The ids of the jobs. If they are there already, nothing is done. Default: new ones.

        Raises:
            UnknownJobTypeError: A type is neither announced nor expected.
            InvalidPayloadError: A payload does not fit its type.
            SubJobsError: It has sub-jobs and its type takes no results, or the other way round.
            InvalidJobError: A countdown, or `expires` in seconds, of a job that is not started.
            ForbiddenError: The caller may not create such jobs.
        """
        records = self.records_of(job, request_id, None, ids)
        root = records[-1].id
        if is_large(records):
            is_applied(root, self.store.bulk_create(records, at_ms=now_ms(), started=False))
        else:
            is_applied(root, self.store.create(*records)[-1])  # one call: all of them or none
        return root

    def submit(self, job: SubJobCreate, *, request_id: str | None = None, ids: FollowingIds | None = None) -> str:
        """Create a job and start it; returns its id. If it can't be sent, nothing of it stays.

        Args:
            job: The job.
            request_id: Of the request that creates it.
            ids: As for `create`. What is there already is sent by who has recorded it, or by the outbox relay.

        Raises:
            UnknownJobTypeError: A type is neither announced nor expected.
            InvalidPayloadError: A payload does not fit its type.
            SubJobsError: It has sub-jobs and its type takes no results, or the other way round.
            BrokerUnavailableError: The broker does not answer.
        """
        at_ms = now_ms()
        records = self.records_of(job, request_id, at_ms, ids)
        self._submit(records, at_ms, is_new=ids is None)
        return records[-1].id

    def create_one(
        self, job: SubJobCreate, *, start: bool, request_id: str | None = None, ids: FollowingIds | None = None
    ) -> Loaded:
        """Create a job without sub-jobs, and start it as `submit` does; returns what is stored of it then.

        That is known, and not read: its task may have begun meanwhile. It is read if the job was there already.

        Args:
            job: The job.
            start: Start it too.
            request_id: Of the request that creates it.
            ids: As for `submit`.

        Raises:
            UnknownJobTypeError: Its type is neither announced nor expected.
            InvalidPayloadError: Its payload does not fit its type.
            SubJobsError: Its type takes the results of sub-jobs.
            BrokerUnavailableError: The broker does not answer.
        """
        at_ms = now_ms()
        [record] = self.records_of(job, request_id, at_ms if start else None, ids)
        return self.create_recorded(record, at_ms, start=start, is_new=ids is None)

    def create_recorded(self, record: NewJob, at_ms: int, *, start: bool, is_new: bool) -> Loaded:
        """Record a job without sub-jobs, and start it; returns what is stored of it.

        Args:
            record: The job.
            at_ms: When it is made.
            start: Start it too: it has the times of its start.
            is_new: Its id is new. If not, it may be there already.
        """
        if start:
            is_new = self._submit([record], at_ms, is_new=is_new)
        else:
            is_new = is_applied(record.id, self.store.create(record, at_ms=at_ms)[-1])
        if not is_new:
            return self.sender.queries.load([record.id])[0]
        fields: dict[str, Any] = {"status": Status.PENDING, "created": at_ms, "status_changed_at": at_ms, "run": 0}
        return as_recorded(record, **fields | ({"run": 1, "queued": at_ms} if start else {}))

    def create_unique_tree(self, records: list[NewJob], at_ms: int, *, start: bool, is_new: bool) -> None:
        """Record a tree whose root has a unique key, and start it.

        It is recorded as a large one, however small it is: there one step decides about the key and about all of it.

        Args:
            records: Its jobs.
            at_ms: When it is made.
            start: Start it too: it has the times of its start.
            is_new: Their ids are new. If not, they may be there already.
        """
        if start:
            self._submit(records, at_ms, is_new=is_new, as_large=True)
        else:
            is_applied(records[-1].id, self.store.bulk_create(records, at_ms=at_ms, started=False))

    def _submit(self, records: list[NewJob], at_ms: int, *, is_new: bool, as_large: bool = False) -> bool:
        """Record jobs as started, and send them; returns whether they are new.

        Args:
            records: The jobs.
            at_ms: When they are started.
            is_new: Their ids are new. If not, they may be there already.
            as_large: They are recorded and sent as a large tree.
        """
        root = records[-1].id
        as_large = as_large or is_large(records)
        record, send = (self._record_large, self._send_large) if as_large else (self._record, self._send)
        try:
            if not is_applied(root, record(records, at_ms)):
                return False
            is_new = True
            send(records)
        except UniqueKeyTakenError:
            raise
        except Exception:
            if is_new:
                with suppress(JobTrackerError):  # if part of a tree has begun: it is cancelled then, and says why
                    self.delete(root)
            raise
        return True

    def _record(self, records: list[NewJob], at_ms: int) -> Outcome:
        """Record jobs as started, in one step."""
        return self.store.create(*(replace(job, sends=True) for job in records), at_ms=at_ms)[-1]

    def _send(self, records: list[NewJob]) -> None:
        """Send jobs as they were recorded."""
        above_first = records[::-1]
        trees = {job.id: [*job.subs.values()] for job in above_first}
        self.sender.send(trees, dict.fromkeys(trees, 1), [as_recorded(job) for job in above_first])

    def _record_large(self, records: list[NewJob], at_ms: int) -> Outcome:
        """Record a large tree as started.

        The runs to be sent are noted as they are recorded: if this process dies, workers or the outbox relay send
        them.
        """
        own = [replace(job, fields={**job.fields, "callback_mode": "own"}) if job.subs else job for job in records]
        return self.store.bulk_create(own, at_ms=at_ms, started=True)

    def _send_large(self, records: list[NewJob]) -> None:
        """Let workers send a large tree."""
        leaves = [job for job in records if not job.subs]
        try:
            self.sender.dispatcher.hand_over(
                [job.id for job in leaves], [JobRecord.of(job.id, job.fields) for job in leaves]
            )
        except Exception as error:
            runs = {job.id: 1 for job in reversed(records)}  # parents before their sub-jobs
            self.sender.take_back(records[-1].id, runs, error)
            raise

    def records_of(
        self,
        job: SubJobCreate,
        request_id: str | None,
        started_ms: int | None,
        ids: FollowingIds | None,
        *,
        unique_digest: str | None = None,
    ) -> list[NewJob]:
        """The records of a job and all its sub-jobs, each after those of its own; as `checked` and `finished`."""
        # Checked as a whole first: a tree that is refused writes no objects.
        checked = self.checked(job, request_id, started_ms, ids=ids, unique_digest=unique_digest)
        admit(checked.records)
        return self.finished(checked)

    def checked(
        self,
        job: SubJobCreate,
        request_id: str | None,
        started_ms: int | None,
        *,
        beside: str | None = None,
        ids: FollowingIds | None = None,
        unique_digest: str | None = None,
    ) -> "Checked":
        """The records of a job and all its sub-jobs, each after those of its own, before `finished`.

        Args:
            job: The job.
            request_id: Of the request that creates it.
            started_ms: When they are started; None: later.
            beside: A job in whose partition they are to lie.
            ids: Their ids; None: new ones.
            unique_digest: Of its unique key, if it has one.

        Raises:
            InvalidJobError: It can't be created.
        """
        found = Checked([], set())
        given = _Given(request_id, started_ms, beside, ids or self.store.keys, unique_digest, current())
        self._collect(job, *found, given=given, inherited=Priority.NORMAL, parent=None)
        return found

    def finished(self, checked: "Checked") -> list[NewJob]:
        """The records as they are stored: large values are written to the object store."""
        return [each if each.id in checked.masking else self._set_apart(each) for each in checked.records]

    def _collect(
        self,
        job: SubJobCreate,
        into: list[NewJob],
        masking: set[str],
        *,
        given: "_Given",
        inherited: Priority,
        parent: str | None,
    ) -> str:
        need_reach(job.job_type, job.tags)
        job_id = given.ids.new_id(beside=parent or given.beside)
        if given.unique_digest and not parent:
            job_id = unique_id(job_id, given.unique_digest)
        job_type, args, kwargs = self.registry.resolve(job.job_type, job.payload, has_sub_jobs=bool(job.sub_jobs))
        priority = job.priority or inherited
        subs = {}
        for position, sub in enumerate(job.sub_jobs):
            try:
                subs[position] = self._collect(sub, into, masking, given=given, inherited=priority, parent=job_id)
            except InvalidJobError as error:
                raise error.under("sub_jobs", position) from None
        fields: dict[str, str | int] = {
            "name": job.name,
            "type": job.job_type,
            "task": job_type.task,
            "priority": priority,
            "origin": "api",
            **job.times_ms(given.started_ms),
        }
        if parent:
            fields["parent"] = parent
        if queue := job.queue or job_type.queue:
            fields["queue"] = queue
        if job.tags:
            fields["tags"] = json.dumps(job.tags)
        if given.request_id:
            fields["request_id"] = given.request_id
        if given.traceparent:
            fields["traceparent"] = given.traceparent
        if given.started_ms is not None:
            fields |= asked_by("started_by")
        if subs:
            fields["policy"] = job.failure_policy
        data = stored_payload(job.payload, args, kwargs) | chosen_queue(job.queue)
        if job_type.arguments.masks_any:  # the store takes them away when the job begins
            masking.add(job_id)
        into.append(NewJob(id=job_id, fields=fields, data=data, subs=subs))
        return job_id

    def _set_apart(self, job: NewJob) -> NewJob:
        data = self.large_values.set_apart(job.id, job.data)
        if data is job.data:
            return job
        return replace(job, fields={**job.fields, **large_in(data)}, data=data)


class _Given(NamedTuple):
    """What all jobs of a request have in common."""

    request_id: str | None
    started_ms: int | None
    """When they are started; None: later."""
    beside: str | None
    """A job in whose partition they are to lie."""
    ids: FollowingIds | Keys
    """Where their ids are from."""
    unique_digest: str | None
    """Of the unique key of the first one."""
    traceparent: str | None
    """Of the span that creates them."""


class Checked(NamedTuple):
    """Records of a job and its sub-jobs that were checked."""

    records: list[NewJob]
    masking: set[str]
    """Ids of those whose values are masked when they begin: these stay in the store."""


def is_applied(job_id: str, outcome: Outcome) -> bool:
    """Whether a job was recorded; False: it was there already.

    Raises:
        DeletedIdError: It was deleted.
    """
    if outcome is Outcome.DELETED:
        raise DeletedIdError(job_id)
    return outcome is Outcome.APPLIED


def stored_payload(payload: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> dict[str, str]:
    """A payload as fields of a job's data.

    Args:
        payload: As the client gave it.
        args: The positional arguments that the task gets of it (`Registry.resolve`).
        kwargs: Its keyword arguments; the payload itself, unless it is that of a custom job.
    """
    if kwargs is payload:
        return {"payload": json.dumps(payload)}
    return {"payload": json.dumps(kwargs), "args": json.dumps(args), "custom_task": payload["task"]}


def as_recorded(job: NewJob, **more: Any) -> Loaded:
    """What is stored of a job that was just recorded, as far as it is needed to send it."""
    return JobRecord.of(job.id, {**job.fields, "subs": len(job.subs) or None, **more}), dict(job.data)
