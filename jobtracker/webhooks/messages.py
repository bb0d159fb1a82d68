"""What is sent: a message as JSON, or what a template makes of it. A template has placeholders, and no code."""

import json
import re
import string
from collections.abc import Mapping
from typing import Any

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.webhooks import WebhookEvent, WebhookMessage

MOST_BYTES = 16 * 1024
"""So large a body is, at most."""
_LONGEST = 2000
"""Characters of one value."""

_FIELDS = {
    "job": "id name type status was queue tags priority run attempt created_at queued_at started_at finished_at "
    "worker release reason error_type failure_group parent_id url summary",
    "queue": "queue messages oldest_at oldest_job_id older_than_s url summary",
    "worker": "worker host queues lost_at url summary",
}
FIELDS = {f"data.{name}" for names in _FIELDS.values() for name in names.split()} | {"type", "timestamp"}
"""What a template may name."""


class TemplateError(JobTrackerError):
    """A template can't be used."""


class _Template(string.Template):
    idpattern = r"[a-z_]+(?:\.[a-z_]+)?"
    flags = re.ASCII


def check_template(text: str, *, is_json: bool) -> None:
    """Do nothing where a template can be used.

    Args:
        text: The template.
        is_json: What it makes must be JSON.

    Raises:
        TemplateError: It can't.
    """
    template = _Template(text)
    if not template.is_valid():
        raise TemplateError("The template has a $ that begins no placeholder. Write $$ for a $.")
    if unknown := sorted(set(template.get_identifiers()) - FIELDS):
        raise TemplateError(
            f"The template names {', '.join(unknown[:5])}, which no message has. Known: {', '.join(sorted(FIELDS))}."
        )
    if is_json:
        try:
            json.loads(template.substitute(dict.fromkeys(FIELDS, "x")))
        except ValueError as error:
            raise TemplateError(
                f"What the template makes is no JSON: {error}. Placeholders stand within quotes."
            ) from error


def body_of(message: WebhookMessage, template: str | None, *, is_json: bool) -> str:
    """What is sent of a message.

    Args:
        message: The message.
        template: Of the endpoint, if it has one.
        is_json: Values are escaped to stand within JSON strings.
    """
    if template is None:
        if is_json:
            return message.model_dump_json()
        return "\n".join(f"{name}: {_text(value)}" for name, value in message.data.items() if value is not None)
    values = {"type": message.type, "timestamp": message.timestamp.isoformat()}
    values |= {f"data.{name}": _text(value) for name, value in message.data.items()}
    named = {name: _escaped(values.get(name, ""), is_json=is_json) for name in FIELDS}
    body = _Template(template).safe_substitute(named)
    if len(body.encode()) > MOST_BYTES:
        shorter = {name: _escaped(values.get(name, "")[:200], is_json=is_json) for name in FIELDS}
        body = _Template(template).safe_substitute(shorter)
    return body


def message(event: str, data: Mapping[str, Any], at_ms: int | None = None) -> WebhookMessage:
    """A message about something; `data` without what is not known."""
    told = {name: _bounded(value) for name, value in data.items() if value is not None}
    return WebhookMessage(type=event, timestamp=from_ms(at_ms or now_ms()), data=told)


def job_data(job: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    """What is told of a job that has settled.

    Args:
        job: The announcement.
        url: Where the page shows it.
    """
    name = job.get("name") or job.get("type") or job["id"]
    reason = job.get("reason")
    return {
        "id": job["id"],
        "name": name,
        "type": job.get("type"),
        "status": job["status"],
        "was": job.get("was"),
        "queue": job.get("actual_queue") or job.get("queue"),
        "tags": tags_of(job) or None,
        "priority": job.get("priority"),
        "run": job.get("run"),
        "attempt": job.get("attempt"),
        **{f"{each}_at": _time(job.get(each)) for each in ("created", "queued", "started", "finished")},
        "worker": job.get("worker"),
        "release": job.get("release"),
        "reason": reason,
        "error_type": job.get("error_type"),
        "failure_group": job.get("failure_group"),
        "parent_id": job.get("parent"),
        "url": url,
        "summary": f"{name} {job['status']}" + (f": {reason}" if reason else ""),
    }


def tags_of(job: Mapping[str, Any]) -> list[str]:
    """The tags of a job that has settled."""
    try:
        found = json.loads(job.get("tags") or "[]")
    except ValueError:
        return []
    return [str(each) for each in found] if isinstance(found, list) else []


def events_of(job: Mapping[str, Any]) -> list[WebhookEvent]:
    """What a job that has settled is an event for."""
    found = [WebhookEvent.JOB_SETTLED]
    if job["status"] == "failed":
        found.append(WebhookEvent.JOB_FAILED)
        if job.get("lost"):
            found.append(WebhookEvent.JOB_LOST)
    if job.get("group_is") == "new":
        found.append(WebhookEvent.GROUP_NEW)
    elif job.get("group_is") == "regressed":
        found.append(WebhookEvent.GROUP_REGRESSED)
    return found


def _time(ms: Any) -> str | None:
    at = from_ms(int(ms)) if ms else None
    return at.isoformat() if at else None


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST]
    if isinstance(value, list):
        return [_bounded(each) for each in value[:50]]
    return value


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _escaped(value: str, *, is_json: bool) -> str:
    return json.dumps(value)[1:-1] if is_json else value
