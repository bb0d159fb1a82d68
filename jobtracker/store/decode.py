"""What the store holds, as models."""

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from jobtracker.core.clock import from_ms
from jobtracker.core.masking import ArgumentRule
from jobtracker.core.traceparent import trace_url
from jobtracker.schemas.jobs import (
    JSON_DEPTH_LIMIT,
    Job,
    JobError,
    JobSummary,
    Progress,
    SubJobCounts,
    custom_payload,
    nests_too_deep,
)
from jobtracker.store.schema import OBJECT_FIELDS, JobRecord

_LARGE = tuple(OBJECT_FIELDS.items())

_Told = TypeVar("_Told", bound=BaseModel)


def read(model: type[_Told], text: str, **nearest: Any) -> _Told | None:
    """What a worker has told, perhaps one of a newer release; None where too little of it can be read.

    Args:
        model: What it tells of.
        text: JSON.
        nearest: Fields to take for those that can't be read; others have their defaults.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        unread = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
    try:
        told = {name: value for name, value in json.loads(text).items() if name not in unread}
        return model.model_validate(told | {name: nearest[name] for name in unread & nearest.keys()})
    except (ValueError, AttributeError):
        return None


def summary_values(record: JobRecord) -> dict[str, Any]:
    """What a record tells, by the names of the fields of `JobSummary`.

    They are what pydantic makes of them, or plain JSON of the same: an answer of the API is written from them
    without making a model of each job.
    """
    run, subs = record.run, record.subs
    counts = progress = None
    if subs:
        completed, failed, cancelled = record.subs_completed, record.subs_failed, record.subs_cancelled
        counts = SubJobCounts(total=subs, completed=completed, failed=failed, cancelled=cancelled)
        progress = _progress(completed + failed + cancelled, subs, record.progress_message)
    elif (total := record.progress_total) is not None:
        progress = _progress(record.progress_done or 0, total, record.progress_message)
    redeliveries, double_runs, wasted_ms = record.ledger
    return {
        "id": record.id,
        "name": record.title,
        "job_type": record.type,
        "status": record.nearest_status,
        "priority": record.priority,
        "reason": record.reason,
        "error_type": record.error_type,
        "failure_group": record.failure_group,
        "progress": progress,
        "sub_job_counts": counts,
        "failure_policy": record.policy if subs else None,
        "parent_id": record.parent,
        "sent_by": record.sent_by,
        "next_id": record.next,
        "group_id": record.group,
        "tags": list(record.tags),
        "created_at": from_ms(record.created),
        "queued_at": from_ms(record.queued),
        "due_at": from_ms(record.waits_from),
        "started_at": from_ms(record.began or record.started),
        "finished_at": from_ms(record.finished),
        "status_changed_at": from_ms(record.status_changed_at),
        "not_before": from_ms(record.eta),
        "expires_at": from_ms(record.expires),
        "cancel_requested_at": from_ms(record.cancel),
        "run": run,
        "attempt": record.attempt,
        "deliveries": record.deliveries,
        "redeliveries": redeliveries,
        "double_runs": double_runs,
        "losses": record.losses,
        "wasted_s": wasted_ms / 1000,
        "task": record.task,
        "task_id": record.task_id if run else None,
        "queue": record.queue,
        "worker": record.worker,
        "release": record.release,
        "origin": origin if (origin := record.origin) in {"api", "beat"} else "celery",
        "request_id": record.request_id,
    }


def summary_of(record: JobRecord) -> JobSummary:
    """The job that a record tells of."""
    return JobSummary.model_validate(summary_values(record))


def job_values(
    record: JobRecord, data: Mapping[str, str], rule: ArgumentRule | None = None, trace_url_template: str = ""
) -> dict[str, Any]:
    """What a record and its bulky part tell, as `summary_values`; the arguments are those of `job_of`."""
    payload, args, result, error = (
        stored_json(text) if (text := data.get(name)) else None for name in ("payload", "args", "result", "error")
    )
    if rule:
        masked_args = rule.mask_arguments(args or [], payload or {}, ahead=1 if record.subs else 0)
        if masked_args.hidden:
            payload = None if rule.keep == "none" else masked_args.kwargs
            args = list(masked_args.args) or None
    if data.get("custom_task"):
        payload = custom_payload(data["custom_task"], args, payload)
    omitted_bytes = data.get("result_omitted")
    return summary_values(record) | {
        "payload": payload,
        "args": args,
        "arguments_repr": data.get("arguments_repr") or None,
        "result": result,
        "large_values": {value: json.loads(text) for value, field in _LARGE if (text := data.get(field))},
        "result_omitted_bytes": int(omitted_bytes) if omitted_bytes else None,
        "result_omitted_reason": data.get("result_omitted_reason") or None,
        "error": JobError.model_validate(error) if error else None,
        "schedule": data.get("schedule") or None,
        "sent_from": data.get("sent_from") or None,
        "traceparent": record.traceparent,
        "trace_url": trace_url(trace_url_template, record.traceparent),
    }


def job_of(
    record: JobRecord, data: Mapping[str, str], rule: ArgumentRule | None = None, trace_url_template: str = ""
) -> Job:
    """The job that a record and its bulky part tell of.

    Args:
        record: Its record.
        data: By `DATA_FIELDS`.
        rule: What may be shown of its arguments, where what is stored may be more.
        trace_url_template: Of the URLs of traces (`TRACE_URL_TEMPLATE`).
    """
    return Job.model_validate(job_values(record, data, rule, trace_url_template))


def stored_json(text: str) -> Any:
    """Stored JSON as people want it, and as an answer can carry it.

    Half a surrogate pair becomes a question mark; what a task was given or has returned and nests too deep, its text.
    """
    try:
        value = json.loads(text, object_hook=_plain if '"__type__"' in text else None)  # a hook takes twice as long
        if "\\ud" in text:
            value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
        too_deep = text.count("[") + text.count("{") > JSON_DEPTH_LIMIT and nests_too_deep(value)
    except RecursionError:
        too_deep = True
    return text if too_deep else value


def _plain(value: dict[str, Any]) -> Any:
    """Kombu writes dates, UUIDs and decimals as {"__type__": …, "__value__": …}; people want the value."""
    return value["__value__"] if value.keys() == {"__type__", "__value__"} else value


def _progress(done: float, total: float, note: str) -> Progress | None:
    if not math.isfinite(done) or not math.isfinite(total):  # a task may report anything
        return None
    percent = round(100 * min(done / total, 1), 1) if total > 0 else 0.0
    return Progress(done=done, total=total, percent=percent, note=note)
