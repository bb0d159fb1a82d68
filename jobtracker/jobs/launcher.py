"""What people do with jobs: create, start, cancel, retry, change, delete."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from jobtracker.core.clock import now_ms
from jobtracker.core.job import as_reason, task_id_of
from jobtracker.core.lifecycle import SETTLED, Event, Outcome, Priority, Status
from jobtracker.core.masking import NOTHING, stored_when_begun
from jobtracker.errors import (
    ArgumentsGoneError,
    IllegalTransitionError,
    InvalidJobError,
    JobNotFoundError,
    JobTrackerError,
    NotKilledError,
    PartlySentError,
)
from jobtracker.jobs import chains
from jobtracker.jobs.dispatcher import AT_ONCE, Dispatcher, unrepeatable, withheld
from jobtracker.jobs.propagation import Settlement
from jobtracker.schemas.jobs import custom_payload
from jobtracker.schemas.requests import JobUpdate, SubJobCreate
from jobtracker.store.changes import Change, NewJob, News
from jobtracker.store.job_types import Registry
from jobtracker.store.reader import JobQueries, Loaded
from jobtracker.store.writer import JobStore

_TRASH_BATCH = 500


class Launcher:
    """Creates jobs and sends them to Celery.

    Args:
        store: Where they are recorded.
        queries: Where they are read.
        registry: The job types that workers announced.
        dispatcher: Sends them.
        settlement: Carries on what their end leads to.
    """

    def __init__(
        self,
        store: JobStore,
        queries: JobQueries,
        registry: Registry,
        dispatcher: Dispatcher,
        settlement: Settlement,
    ) -> None:
        self.store = store
        self.queries = queries
        self.registry = registry
        self.dispatcher = dispatcher
        self.settlement = settlement

    def create(self, job: SubJobCreate, *, request_id: str | None = None) -> str:
        """Record a job and all its sub-jobs, pending; returns its id.

        Raises:
            UnknownJobTypeError: A type is neither documented nor announced.
            InvalidPayloadError: A payload does not fit its type.
            SubJobsError: It has sub-jobs and its type takes no results, or the other way round.
        """
        records = self._records_of(job, request_id)
        if len(records) > AT_ONCE:
            self.store.plant(records, at_ms=now_ms(), started=False)
        else:
            self.store.create(*records)  # one call: all of them or none
        return records[-1].id

    def submit(self, job: SubJobCreate, *, request_id: str | None = None) -> str:
        """Create a job and start it; returns its id. Where it can't be sent, it is as if it had not been asked for.

        Raises:
            UnknownJobTypeError: A type is neither documented nor announced.
            InvalidPayloadError: A payload does not fit its type.
            SubJobsError: It has sub-jobs and its type takes no results, or the other way round.
            BrokerUnavailableError: The broker does not answer.
        """
        records = self._records_of(job, request_id)
        self._submit(records, now_ms())
        return records[-1].id

    def create_one(self, job: SubJobCreate, *, start: bool, request_id: str | None = None) -> Loaded:
        """Create a job without sub-jobs, and start it as `submit` does; returns what is stored of it then.

        That is known, and not read: its task may have begun meanwhile.

        Raises:
            UnknownJobTypeError: Its type is neither documented nor announced.
            InvalidPayloadError: Its payload does not fit its type.
            SubJobsError: Its type takes the results of sub-jobs.
            BrokerUnavailableError: The broker does not answer.
        """
        records, at_ms = self._records_of(job, request_id), now_ms()
        if start:
            self._submit(records, at_ms)
        else:
            self.store.create(*records, at_ms=at_ms)
        record, data = _as_recorded(*records)
        at = str(at_ms)
        record |= {"status": Status.PENDING, "created": at, "entered": at, "run": "0"}
        return record | ({"run": "1", "queued": at} if start else {}), data

    def _submit(self, records: list[NewJob], at_ms: int) -> None:
        root = records[-1].id
        try:
            if len(records) > AT_ONCE:
                self._submit_large(root, records, at_ms)
            else:
                self._submit_at_once(records, at_ms)
        except Exception:
            with suppress(JobTrackerError):  # where a part of a tree has begun: then it is cancelled, and says why
                self.delete(root)
            raise

    def _submit_at_once(self, records: list[NewJob], at_ms: int) -> None:
        """Record jobs as started, in one step, and send them as they were recorded."""
        self.store.create(*(replace(job, sends=True) for job in records), at_ms=at_ms)
        above_first = records[::-1]
        families = {job.id: [*job.subs.values()] for job in above_first}
        self._send(families, dict.fromkeys(families, 1), [_as_recorded(job) for job in above_first])

    def _submit_large(self, root: str, records: list[NewJob], at_ms: int) -> None:
        """Record a large tree as started, and let workers send it.

        What is to be sent is noted as it is recorded: where this dies, workers or the reaper send it.
        """
        leaves = [job for job in records if not job.subs]
        own = [replace(job, fields={**job.fields, "body": "own"}) if job.subs else job for job in records]
        self.store.plant(own, at_ms=at_ms, started=True)
        try:
            self.dispatcher.hand_over([job.id for job in leaves], [job.fields for job in leaves])
        except Exception as error:
            runs = {job.id: 1 for job in reversed(records)}  # parents before their sub-jobs
            self._take_back(root, runs, error)
            raise

    def start(self, job_id: str) -> None:
        """Send a job, with all its sub-jobs, to Celery.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: It was started already, or is part of another job.
            InvalidPayloadError: Its type was announced meanwhile, and its payload does not fit.
            BrokerUnavailableError: The broker does not answer; the job is as it was, or cancelled where part of its
                tree had been sent.
            QueueMissingError: It has no queue for one of them; the job is as it was.
        """
        record = self.queries.record(job_id)
        self._check_has_no_parent(record, "start", "start its parent")
        families = self.queries.families(job_id)
        self._start(families, self.places(list(families)))

    def _start(self, families: dict[str, list[str]], places: dict[str, dict[str, str | int]]) -> None:
        """Send a tree, its root first among its `families`, to its `places`."""
        job_id = next(iter(families))
        is_large = len(families) > AT_ONCE
        if is_large:
            for each in _parents(families):
                places[each]["body"] = "own"
        root = self.store.apply(Event.ENQUEUE, job_id, fields=places.pop(job_id))
        if not root.applied:
            raise _refused(job_id, root, "start", _WHY_NOT_START)
        changes = {job_id: root, **self.store.apply_many(Event.ENQUEUE, places)}
        runs = {each: change.run for each, change in changes.items() if change.applied}
        if runs.keys() != families.keys():
            self._start_in_part(families, runs)
        else:
            self._send(families, runs)

    def _send(
        self, families: dict[str, list[str]], runs: dict[str, int], loaded: Sequence[Loaded] | None = None
    ) -> None:
        """Send a tree whose runs are recorded; its root is the first."""
        job_id = next(iter(families))
        is_large = len(families) > AT_ONCE
        leaves = [each for each in runs if not families[each]]
        try:
            if is_large:
                self._hand_over(leaves, runs)
            else:
                self.dispatcher.publish(families, runs, loaded)
        except PartlySentError as error:
            self._call_off(job_id, error)
            raise
        except Exception as error:
            if not self._take_back(job_id, runs, error):
                raise
        self._confirm(runs, but=leaves if is_large else [])

    def cancel(self, job_id: str, *, reason: str = "cancelled by request", terminate: bool = False) -> None:
        """Cancel a job and all its sub-jobs. Cancelling one that is cancelled changes nothing.

        Args:
            job_id: The job.
            reason: A sentence for those who wonder later.
            terminate: Kill a running task instead of asking it to stop. On threads and solo nothing can: the job's
                reason says so, and the task is asked to stop.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: It has completed or failed.
            NotKilledError: With `terminate`: the broker does not answer. The cancel is recorded, and can be repeated.
                Without `terminate` nobody needs to know: a worker asks before it starts a task.
        """
        self.queries.record(job_id)
        changes, is_told = self.settlement.cancel_and_tell([job_id], reason=reason, terminate=terminate)
        change = changes[job_id]
        if change.outcome is Outcome.ILLEGAL:
            raise _refused(job_id, change, "cancel", "it has ended.")
        if terminate and not is_told:
            raise NotKilledError(job_id)

    def retry(self, job_id: str, *, from_failed: bool = False) -> str:
        """Run a failed or cancelled job again: a new run. Of a parent, only the sub-jobs that did not complete.

        The next of a chain gets the result of the job before it, and what follows it in its chain runs again too.

        Args:
            job_id: The job.
            from_failed: Where a job before it in its chain did not complete, run that one again, and so the rest of
                the chain; otherwise that is an error, which names it.

        Returns:
            The id of the job that runs again.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: It is not failed or cancelled, part of it still runs, its parent has ended too, or
                a job before it in its chain did not complete.
            ArgumentsGoneError: Its arguments are not stored, or those of another job that has to run again.
            ResultGoneError: The result of a completed job, which it or its parent needs, is gone.
            BrokerUnavailableError: The broker does not answer; the job is failed as before.
            QueueMissingError: It has no queue for it; the job is failed as before.
        """
        record = self.queries.record(job_id)
        self._check_has_failed(record)
        first = self._first_incomplete(record)
        if first["id"] != job_id:
            if first["status"] not in SETTLED or not from_failed:
                raise IllegalTransitionError(job_id, record["status"], "retry", _why_not_before(first))
            job_id, record = first["id"], first
        last = [record, *chains.following(self.queries, record)][-1]
        parent = self._parent_of(last)
        if parent and parent["status"] in SETTLED:
            why = f"its parent {parent['id']} has ended too. Retry that: it runs again what did not complete."
            raise IllegalTransitionError(job_id, record["status"], "retry", why)
        again = self._incomplete(record)
        places = self.places([*again.families])
        for each, subs in again.families.items():
            if subs:
                places[each] = {**places[each], "body": "called" if each in again.ready else "own"}
        # Of the runs that were looked at: what has run again meanwhile may not have to once more.
        root = self.store.apply(Event.RERUN, job_id, run=again.runs[job_id], fields=places.pop(job_id))
        if not root.applied:
            raise _refused(job_id, root, "retry", "somebody else was faster.")
        changes = {job_id: root, **self.store.apply_many(Event.RERUN, places, again.runs)}
        for each in again.chained:
            if changes[each].applied:
                self.settlement.await_next(each, again.runs)
        self.settlement.own_ancestors(job_id)
        self.settlement.tell_all(
            [News(c.parent, each, c.run, c.after) for each, c in changes.items() if c.parent and c.after]
        )
        parents = [each for each, subs in again.families.items() if subs]
        statuses = zip(parents, self.queries.fields(parents, "status"), strict=True)
        if off := [each for each, status in statuses if status == Status.CANCELLED]:
            # By a cancel that came to their sub-jobs before these were about to run again.
            self.settlement.cancel_trees(off, reason="it was cancelled while it was retried")
        runs = {each: change.run for each, change in changes.items() if change.applied}
        self._publish_again([each for each in again.ready if each in runs], runs)
        return job_id

    def _check_has_failed(self, record: dict[str, str]) -> None:
        if record["status"] in {Status.FAILED, Status.CANCELLED}:
            return
        why = "only failed or cancelled jobs can be."
        if record["status"] == Status.PENDING and record.get("link") and not record.get("queued"):
            why = f"it waits for the job before it in its chain, {record.get('sent_by')}, and is sent after that."
        raise IllegalTransitionError(record["id"], record["status"], "retry", why)

    def _first_incomplete(self, record: dict[str, str]) -> dict[str, str]:
        """Where the chain of a job that did not complete has to go on: the first job that did not, up to it."""
        seen = {record["id"]}
        while loaded := chains.loaded_before(self.queries, record):
            before, _ = loaded
            if before.get("status", Status.COMPLETED) == Status.COMPLETED or before["id"] in seen:
                break
            seen.add(before["id"])
            record = before
        return record

    def update(self, job_id: str, wanted: JobUpdate) -> None:
        """Change a job, or report on one that Celery does not run.

        Name and tags may be changed at any time, priority and payload before the job is started.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: Its status does not allow it, or Celery runs it.
            InvalidPayloadError: The payload does not fit its type.
        """
        [(record, data)] = self.queries.load([job_id])
        reports = wanted.status is not None or wanted.progress is not None
        if reports and int(record["run"]) > 0:
            raise IllegalTransitionError(job_id, record["status"], "report on", "Celery runs it, and reports itself.")
        if wanted.status is Status.CANCELLED:
            self.cancel(job_id, reason="cancelled by its outside worker")
        elif reports:
            self._report(record, data, wanted)
        self._edit(record, wanted)

    def _report(self, record: dict[str, str], data: dict[str, str], wanted: JobUpdate) -> None:
        job_id, rule = record["id"], self.registry.rule_of(record)
        stored = NOTHING
        if rule and not record.get("masked"):
            args, kwargs = (
                json.loads(data.get(name) or empty) for name, empty in (("args", "[]"), ("payload", "{}"))
            )
            stored = stored_when_begun(rule, args, kwargs, ahead=1 if record.get("subs") else 0)
        event, target, fields, bulk = _report_of(wanted)
        # run 0: had it been started meanwhile, this would be stale
        change = self.store.apply(event, job_id, run=0, fields=fields | stored.fields, data=bulk | stored.data)
        if change.after is not target:
            raise _refused(job_id, change, f"report {wanted.status or 'progress'} of", "that can't follow.")
        self.settlement.follow(job_id, change)

    def delete(self, job_id: str) -> None:
        """Remove a job with all its sub-jobs.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: Part of it has not ended, or it is part of another job.
        """
        record = self.queries.record(job_id)
        outcome = Outcome.ILLEGAL if self._goes_on_below(record) else self.store.delete(job_id)[0]
        if outcome is Outcome.ILLEGAL:
            self._check_has_no_parent(record, "delete", "delete its parent")
            why = "it, or one of its sub-jobs, has not ended. Cancel it first."
            if record.get("cancel"):
                why = (
                    "it, or one of its sub-jobs, has not ended, though its cancel was asked for. Wait until its "
                    "tasks have stopped, or cancel it with terminate where its worker's pool can kill."
                )
            raise IllegalTransitionError(job_id, record["status"], "delete", why)
        self.empty_trash()

    def _goes_on_below(self, record: dict[str, str]) -> bool:
        """Whether a job has ended before all below it: its cancel overtook the news that a task had begun."""
        if record["status"] not in SETTLED or not record.get("subs"):
            return False
        statuses = self.queries.fields(self.queries.families(record["id"]), "status")
        return not SETTLED.issuperset(filter(None, statuses))

    def empty_trash(self) -> int:
        """Remove the sub-jobs of deleted jobs; returns how many."""
        removed = 0
        while ids := self.queries.trash(_TRASH_BATCH):
            self.store.delete(*ids, mode="trash")
            removed += len(ids)
        return removed

    def _records_of(self, job: SubJobCreate, request_id: str | None) -> list[NewJob]:
        """The records of a job and all its sub-jobs, each after those of its own."""
        records: list[NewJob] = []
        self._collect(job, records, request_id=request_id, inherited=Priority.NORMAL, parent=None)
        return records

    def _collect(
        self,
        job: SubJobCreate,
        into: list[NewJob],
        *,
        request_id: str | None,
        inherited: Priority,
        parent: str | None,
    ) -> str:
        job_id = self.store.keys.new_id(beside=parent)
        job_type, args, kwargs = self.registry.resolve(job.job_type, job.payload, has_sub_jobs=bool(job.sub_jobs))
        priority = job.priority or inherited
        subs = {}
        for position, sub in enumerate(job.sub_jobs):
            try:
                subs[position] = self._collect(sub, into, request_id=request_id, inherited=priority, parent=job_id)
            except InvalidJobError as error:
                raise error.under("sub_jobs", position) from None
        fields: dict[str, str | int] = {
            "name": job.name,
            "type": job.job_type,
            "task": job_type.task,
            "priority": priority,
            "origin": "api",
        }
        if parent:
            fields["parent"] = parent
        if job_type.queue:
            fields["queue"] = job_type.queue
        if job.tags:
            fields["tags"] = json.dumps(job.tags)
        if request_id:
            fields["request_id"] = request_id
        if subs:
            fields["policy"] = job.failure_policy
        into.append(NewJob(id=job_id, fields=fields, data=_stored(job.payload, args, kwargs), subs=subs))
        return job_id

    def places(self, job_ids: Sequence[str]) -> dict[str, dict[str, str | int]]:
        """Where each job is to be sent otherwise than its record says: its type was announced, or moved, since.

        What is as it was is left out: a change of the payload, and with it of a custom job's task, may come between.
        """
        places: dict[str, dict[str, str | int]] = {}
        for record, data in self.queries.load(job_ids):
            place: dict[str, str | int] = {}
            job_type = self.registry.all().get(record["type"])
            if record.get("origin") == "api":
                payload = json.loads(data["payload"])
                if "custom_task" in data:
                    payload = custom_payload(data["custom_task"], json.loads(data["args"]), payload)
                job_type, _, _ = self.registry.resolve(record["type"], payload, has_sub_jobs=bool(record.get("subs")))
                place["task"] = job_type.task
            elif record.get("queue"):  # where its own caller had sent it
                job_type = None
            if job_type is not None and job_type.queue:
                place["queue"] = job_type.queue
            places[record["id"]] = {name: value for name, value in place.items() if record.get(name) != value}
        return places

    def _incomplete(self, root: dict[str, str]) -> "_Again":
        """What has to run again: a job and all below it that did not complete, and of their chains what did not.

        Raises:
            IllegalTransitionError: Part of it has not ended, or has gone on all the same.
            ArgumentsGoneError: The arguments of some of them are not stored, or what else it takes.
            ResultGoneError: A result that one of them needs is gone.
        """
        root_id = root["id"]
        families: dict[str, list[str]] = {}
        jobs: dict[str, Loaded] = {}
        again = _Again()
        gone: dict[str, str] = {}
        level = [root_id]
        while level:
            if new := [each for each in level if each not in jobs]:
                found = {sub: own for each in new for sub, own in self.queries.families(each).items()}
                families |= found
                jobs |= {record["id"]: (record, data) for record, data in self.queries.load(list(found))}
            below: list[str] = []
            for each in level:
                record, data = jobs[each]
                if record["status"] not in SETTLED:
                    why = f"its sub-job {each} has not ended yet, it is {record['status']}."
                    raise IllegalTransitionError(root_id, root["status"], "retry", why)
                if (first := self._first_incomplete(record))["id"] != each:
                    below.append(first["id"])
                    continue
                if each in again.families:
                    continue
                if why_gone := unrepeatable(record, data):
                    gone[each] = why_gone
                gone |= self._check_rest(root, record, data, again)
                subs = [sub for sub in families[each] if jobs[sub][0]["status"] != Status.COMPLETED]
                again.families[each], again.runs[each] = families[each], int(record["run"])
                again.ready += [] if subs else [each]
                below += subs
            level = below
        if gone:
            raise ArgumentsGoneError(gone)
        for each, subs in again.families.items():  # raises where one is gone, before anything has changed
            self.dispatcher.results(subs)
            if chains.takes_result(jobs[each][0]):
                self.dispatcher.result_before(jobs[each][0])
        return again

    def _check_rest(
        self, root: dict[str, str], record: dict[str, str], data: dict[str, str], again: "_Again"
    ) -> dict[str, str]:
        """Note what follows a job in its chain, and is to run again after it; returns what is missing for that."""
        rest = chains.rest_of(self.queries, record, data)
        if rest == []:
            return {}
        following = chains.following(self.queries, record)
        for each in following:
            waits = each["status"] == Status.PENDING and not each.get("queued")
            if each.get("subs") or not (waits or each["status"] in {Status.FAILED, Status.CANCELLED}):
                why = (
                    f"{each['id']}, which follows {record['id']} in its chain, was sent all the same, and is "
                    f"{each['status']}. Retry that, where it did not complete."
                )
                raise IllegalTransitionError(root["id"], root["status"], "retry", why)
        again.chained.append(record["id"])
        again.runs |= {each["id"]: int(each["run"]) for each in following}
        if rest is not None:
            return {}
        loaded = self.queries.load([each["id"] for each in following])
        whys = {each["id"]: withheld(each, bulk) for each, bulk in loaded}
        not_stored = {each: why for each, why in whys.items() if why}
        return not_stored or {record["id"]: "what follows it in its chain is not stored, or not any more"}

    def _start_in_part(self, families: dict[str, list[str]], runs: dict[str, int]) -> None:
        """Send a tree of which something has ended, or has begun elsewhere, before it was started.

        That gets no message, so no chord of Celery's would come to its end: the parents' tasks are called by us.
        """
        parents = _parents(families)
        for each in parents:
            self.store.edit(each, fields={"body": "own"})
        self._publish_again([each for each in runs if not families[each]], runs)
        for each in reversed(parents):
            if not runs.keys() >= set(families[each]):
                self.settlement.look_again(each, families[each])

    def _hand_over(self, ready: list[str], runs: dict[str, int]) -> None:
        """Let workers send jobs' own tasks."""
        task_ids = [task_id_of(each, runs[each]) for each in ready]
        self.store.hand_over(task_ids)
        self.dispatcher.hand_over(task_ids, self.queries.records(ready))

    def _publish_again(self, ready: list[str], runs: dict[str, int]) -> None:
        is_large = len(ready) > AT_ONCE
        try:
            if is_large:
                self._hand_over(ready, runs)
            else:
                for each in ready:
                    self.dispatcher.publish_alone(each, runs[each])
        except Exception as error:
            fields: dict[str, str | int] = {"reason": as_reason(f"it could not be sent again: {error}")}
            # Of a run that nobody sends: what is out of this one is refused when it turns up.
            later = {each: run + 1 for each, run in runs.items()}
            for each, change in self.store.apply_many(Event.FAIL, dict.fromkeys(runs, fields), later).items():
                self.settlement.follow(each, change)
            raise
        self._confirm(runs, but=ready if is_large else [])

    def _take_back(self, job_id: str, runs: dict[str, int], error: Exception) -> bool:
        """Take a dispatch back whose messages were not sent, as far as is known; returns whether it was all the same.

        Of a tree of which something has begun the rest is called off.
        """
        # The root last: where this dies amidst it, the reaper sends it all.
        undone = self.store.apply_many(Event.UNENQUEUE, {each: {} for each in reversed(runs)}, runs)
        sent = [each for each, c in undone.items() if not c.applied and c.after is not Status.CANCELLED]
        if sent and len(runs) > 1:
            self._call_off(job_id, error)
        return sent == [job_id] == list(runs)

    def _call_off(self, job_id: str, error: Exception) -> None:
        # What is out can't be called back, and what is not will never be: a new run starts clean.
        reason = f"it could not be sent whole: {error}. Retry it."
        self.settlement.cancel_trees([job_id], reason=as_reason(reason))

    def _confirm(self, runs: dict[str, int], *, but: Sequence[str] = ()) -> None:
        """Note that runs were sent, or that nothing is to be sent of them; but for those that others send."""
        others = set(but)
        self.store.confirm(*(task_id_of(each, run) for each, run in runs.items() if each not in others))

    def _edit(self, record: dict[str, str], wanted: JobUpdate) -> None:
        fields: dict[str, str | int] = {}
        data: dict[str, str] = {}
        if wanted.name is not None:
            fields["name"] = wanted.name
        if wanted.tags is not None:
            fields["tags"] = json.dumps(wanted.tags)
        if wanted.priority is not None:
            fields["priority"] = wanted.priority
        if wanted.payload is not None:
            job_type, args, kwargs = self.registry.resolve(
                record["type"], wanted.payload, has_sub_jobs=bool(record.get("subs"))
            )
            fields["task"] = job_type.task
            if job_type.queue:
                fields["queue"] = job_type.queue
            data = _stored(wanted.payload, args, kwargs)
        if not fields and not data:
            return
        unsent_only = wanted.priority is not None or wanted.payload is not None
        outcome = self.store.edit(record["id"], fields=fields, data=data, unsent_only=unsent_only)
        if outcome is Outcome.ILLEGAL:
            why = "priority and payload can be changed only before it is started."
            raise IllegalTransitionError(record["id"], record["status"], "change", why)
        if outcome is not Outcome.APPLIED:
            raise JobNotFoundError(record["id"])

    def _parent_of(self, record: dict[str, str]) -> dict[str, str] | None:
        if not record.get("parent"):
            return None
        try:
            return self.queries.record(record["parent"])
        except JobNotFoundError:
            return None

    def _check_has_no_parent(self, record: dict[str, str], action: str, instead: str) -> None:
        if self._parent_of(record):
            why = f"it is a sub-job of {record['parent']}; {instead}."
            raise IllegalTransitionError(record["id"], record["status"], action, why)


@dataclass
class _Again:
    """What a retry runs again.

    Attributes:
        families: The jobs that are sent, or called after their sub-jobs, with these; parents first.
        ready: Those of them that can be sent at once.
        chained: Those that something follows in their chain.
        runs: The run of each as it was looked at, also of those that follow one in its chain.
    """

    families: dict[str, list[str]] = field(default_factory=dict)
    ready: list[str] = field(default_factory=list)
    chained: list[str] = field(default_factory=list)
    runs: dict[str, int] = field(default_factory=dict)


def _why_not_before(first: Mapping[str, str]) -> str:
    """Why a job is not retried of whose chain an earlier one did not complete."""
    before = f"the job before it in its chain, {first['id']}, "
    if first["status"] not in SETTLED:
        return f"{before}has not ended yet, it is {first['status']}."
    return (
        f"{before}did not complete, it is {first['status']}. Retry that, and the rest of the chain runs after it: "
        "`from_failed` does so."
    )


def _parents(families: dict[str, list[str]]) -> list[str]:
    return [each for each, subs in families.items() if subs]


def _as_recorded(job: NewJob) -> Loaded:
    """What is stored of a job that was just recorded, as far as it is needed to send it."""
    record = {name: str(value) for name, value in job.fields.items()}
    return {**record, "id": job.id, "subs": str(len(job.subs) or "")}, dict(job.data)


def _stored(payload: dict[str, Any], args: list[Any], kwargs: dict[str, Any]) -> dict[str, str]:
    if kwargs is payload:
        return {"payload": json.dumps(payload)}
    return {"payload": json.dumps(kwargs), "args": json.dumps(args), "custom_task": payload["task"]}


_WHY_NOT_START = "it was started already. To run it again when it has failed or was cancelled, retry it."


def _refused(job_id: str, change: Change, action: str, why: str) -> JobTrackerError:
    if change.after is None or change.outcome is Outcome.DELETED:
        return JobNotFoundError(job_id)
    return IllegalTransitionError(job_id, change.after, action, why)


def _report_of(wanted: JobUpdate) -> tuple[Event, Status, dict[str, str | int], dict[str, str]]:
    """An outside worker's report as one event, the status it leads to, and the fields of record and data."""
    fields: dict[str, str | int] = {}
    if wanted.progress:
        done, total = (str(number) for number in (wanted.progress.done, wanted.progress.total))
        fields = {"done": done, "total": total, "note": wanted.progress.note}
    if wanted.status is Status.COMPLETED:
        return Event.COMPLETE, Status.COMPLETED, fields, {"result": json.dumps(wanted.result)}
    if wanted.status is Status.FAILED:
        error: dict[str, Any] = wanted.error.model_dump() if wanted.error else {"type": "Error", "message": "failed"}
        reason = as_reason(f"{error['type']}: {error['message']}")
        return Event.FAIL, Status.FAILED, {**fields, "reason": reason}, {"error": json.dumps(error)}
    return (Event.START if wanted.status else Event.PROGRESS), Status.RUNNING, fields, {}
