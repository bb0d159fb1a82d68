"""Changes jobs, and takes the reports of outside workers on jobs that Celery does not run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jobtracker.core.fingerprint import fingerprint
from jobtracker.core.job import as_reason
from jobtracker.core.lifecycle import Event, Outcome, Status
from jobtracker.core.masking import NOTHING, stored_when_begun
from jobtracker.errors import IllegalTransitionError, JobNotFoundError
from jobtracker.jobs.asking import who_asks
from jobtracker.jobs.create import stored_payload
from jobtracker.jobs.guards import admit_payload, check_is_no_bulk_run, need_reach, not_allowed, release
from jobtracker.jobs.large_values import LargeValues, large_in
from jobtracker.jobs.propagation import Propagation
from jobtracker.jobs.stored_calls import has_chosen_queue
from jobtracker.schemas.requests import JobUpdate
from jobtracker.store.job_types import Registry
from jobtracker.store.reader import JobQueries
from jobtracker.store.schema import JobRecord
from jobtracker.store.writer import JobStore


@dataclass(frozen=True)
class Updating:
    """Changes jobs."""

    store: JobStore
    queries: JobQueries
    registry: Registry
    propagation: Propagation
    large_values: LargeValues

    def update(self, job_id: str, wanted: JobUpdate) -> None:
        """Change a job, or report on one that Celery does not run.

        Name and tags may be changed at any time, priority and payload before the job is started.

        Raises:
            JobNotFoundError: There is none with that id.
            IllegalTransitionError: Its status does not allow it, or Celery runs it.
            InvalidPayloadError: The payload does not fit its type.
            ForbiddenError: The caller could not see the job with these tags.
            TooManyRequestsError: The caller would have too many bytes pending with this payload.
        """
        [(record, data)] = self.queries.load([job_id])
        if wanted.tags is not None:
            need_reach(record.type, wanted.tags)
        reports = wanted.status is not None or wanted.progress is not None
        if reports or wanted.priority or wanted.payload is not None:
            check_is_no_bulk_run(record, "change")
        if reports and record.run > 0:
            raise IllegalTransitionError(
                job_id, record.nearest_status, "report on", "Celery runs it, and reports itself."
            )
        if wanted.status is Status.CANCELLED:
            self.propagation.cancellation.cancel(job_id, reason="cancelled by its outside worker")
        elif reports:
            self._report(record, data, wanted)
        self._edit(record, data, wanted)

    def _report(self, record: JobRecord, data: dict[str, str], wanted: JobUpdate) -> None:
        job_id, rule = record.id, self.registry.rule_of(record)
        stored = NOTHING
        if rule and not record.masked:
            data = dict(self.large_values.with_arguments(job_id, data))
            args, kwargs = (
                json.loads(data.get(name) or empty) for name, empty in (("args", "[]"), ("payload", "{}"))
            )
            stored = stored_when_begun(rule, args, kwargs, ahead=1 if record.subs else 0)
        event, target, fields, told = _report_of(wanted)
        bulk = dict(self.large_values.set_apart(job_id, told))
        fields |= large_in(bulk)
        # Run 0: if it has been started meanwhile, this is stale.
        change = self.store.apply(event, job_id, run=0, fields=fields | stored.fields, data=bulk | stored.data)
        if change.after is not target:
            raise not_allowed(job_id, change, f"report {wanted.status or 'progress'} of", "that can't follow.")
        self.propagation.propagate(job_id, change)

    def _edit(self, record: JobRecord, stored: Mapping[str, str], wanted: JobUpdate) -> None:
        unsent_only = wanted.priority is not None or wanted.payload is not None
        if unsent_only and (record.run or record.nearest_status is not Status.PENDING):
            raise _is_sent(record)
        fields: dict[str, str | int] = {}
        data: Mapping[str, str] = {}
        if wanted.name is not None:
            fields["name"] = wanted.name
        if wanted.tags is not None:
            fields["tags"] = json.dumps(wanted.tags)
        if wanted.priority is not None:
            fields["priority"] = wanted.priority
        if wanted.payload is not None:
            job_type, args, kwargs = self.registry.resolve(
                record.type, wanted.payload, has_sub_jobs=bool(record.subs)
            )
            fields["task"] = job_type.task
            if job_type.queue and not has_chosen_queue(stored):
                fields["queue"] = job_type.queue
            data = stored_payload(wanted.payload, args, kwargs)
            admit_payload(record.id, data)
            if not job_type.arguments.masks_any:
                data = self.large_values.set_apart(record.id, data)
                fields |= large_in(data)
        if not fields and not data:
            return
        outcome = self.store.update(record.id, fields=fields, data=data, unsent_only=unsent_only, by=who_asks())
        if outcome is Outcome.ILLEGAL:
            raise _is_sent(record)
        if outcome is not Outcome.APPLIED:
            release(record.id)
            raise JobNotFoundError(record.id)


def _is_sent(record: JobRecord) -> IllegalTransitionError:
    why = "priority and payload can be changed only before it is started."
    return IllegalTransitionError(record.id, record.nearest_status, "change", why)


def _report_of(wanted: JobUpdate) -> tuple[Event, Status, dict[str, str | int], dict[str, str]]:
    """An outside worker's report: the event, the status it leads to, and the fields of record and data."""
    fields: dict[str, str | int] = {}
    if wanted.progress:
        done, total = (str(number) for number in (wanted.progress.done, wanted.progress.total))
        fields = {"progress_done": done, "progress_total": total, "progress_message": wanted.progress.note}
    if wanted.status is Status.COMPLETED:
        return Event.COMPLETE, Status.COMPLETED, fields, {"result": json.dumps(wanted.result)}
    if wanted.status is Status.FAILED:
        error: dict[str, Any] = wanted.error.model_dump() if wanted.error else {"type": "Error", "message": "failed"}
        reason = as_reason(f"{error['type']}: {error['message']}")
        group = fingerprint(error["type"], error["message"], error.get("traceback")).fields
        return Event.FAIL, Status.FAILED, {**fields, "reason": reason, **group}, {"error": json.dumps(error)}
    return (Event.START if wanted.status else Event.PROGRESS), Status.RUNNING, fields, {}
