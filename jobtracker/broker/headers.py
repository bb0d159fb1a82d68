"""Reads the headers of a task's message: who sent it, when, and under which name it was called.

A worker's request of the task has the same fields; the functions here read either, with `get`.
"""

from datetime import UTC, datetime
from typing import Any

from jobtracker.core.job import job_and_run_of

SENT_HEADER = "jobtracker_sent"
"""Message header: when (ms) Celery code sent it, under an id that it may send again. 0: our dispatcher sent it, which
gives each run an id of its own."""

REQUEST_ID_HEADER = "jobtracker_request_id"
"""Message header with the id of the HTTP request that made the job."""

ROOT_HEADER = "jobtracker_root"
"""Message header, where traces are made: the job at the top of all that the task's job belongs to."""

JOINS_HEADER = "jobtracker_joins"
"""Message header, where traces are made: the task takes the results of sub-jobs."""

MAPS = {"celery.map": "map", "celery.starmap": "starmap"}
"""Celery's own tasks that call another task for each of many arguments, and the methods that make them."""


def sender(headers: Any) -> tuple[dict[str, str | int], dict[str, str]]:
    """The sender of a task, as fields of record and data.

    It is the job whose task sends it (Celery's `parent_id`), or else a process (`origin`), and perhaps beat.
    """
    if headers.get("parent_id"):
        job_id = job_and_run_of(headers.get("parent_id"))[0]
        itself = job_id == job_and_run_of(headers.get("id"))[0]  # it has replaced itself, under its own id
        return {} if itself else {"sent_by": job_id}, {}
    fields: dict[str, str | int] = {"origin": "beat"} if headers.get("celery_beat_task") else {}
    return fields, {"sent_from": str(headers.get("origin"))} if headers.get("origin") else {}


UNKNOWN = "?"
"""Instead of the time when a message was sent: unknown."""


def sent(headers: Any, delivery: Any = None) -> str | int:
    """When a task's message was sent: as it says; else "new" if it was not delivered before; else "?".

    A task that has replaced another one under its id (`Task.replace`) belongs to the same run, whenever it was sent.

    Args:
        headers: Of the message, or a request of it.
        delivery: The request's `delivery_info`, if that is known.
    """
    if headers.get("replaced_task_nesting"):
        return UNKNOWN
    at_ms = headers.get(SENT_HEADER)
    if isinstance(at_ms, int) and at_ms >= 0:
        return at_ms
    return "new" if delivery and not delivery.get("redelivered") else UNKNOWN


def terms(headers: Any) -> dict[str, str | int]:
    """The ETA of a task, and when it expires (ms), as fields of the record."""
    return {name: _to_ms(datetime.fromisoformat(text)) for name in ("eta", "expires") if (text := headers.get(name))}


def called(name: str, kwargs: Any) -> str:
    """The name of a task in the code that calls it: `add`, or `add.map` if Celery's own task maps `add`."""
    mapped = mapped_task(name, kwargs)
    return f"{mapped}.{MAPS[name]}" if mapped else name


def mapped_task(name: str, kwargs: Any) -> str | None:
    """The name of the task that a task of `MAPS` maps; None: it is none of these."""
    if name not in MAPS:
        return None
    try:
        return str(kwargs["task"]["task"])
    except (KeyError, TypeError):  # not what Celery's own methods send
        return None


def _to_ms(moment: datetime) -> int:
    """Celery's workers read a time without a zone as UTC (celery/utils/time.py, maybe_make_aware)."""
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
