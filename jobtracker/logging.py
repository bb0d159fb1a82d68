"""Structured logs: one JSON object a line, with the job and the HTTP request that a line belongs to.

Needs python-json-logger: the extras `logging`, `server` and `workers` have it.
"""

import logging
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from copy import copy
from typing import Any

from celery._state import get_current_task

from jobtracker.broker.headers import REQUEST_ID_HEADER
from jobtracker.core.masking import Secret, mask_secrets
from jobtracker.errors import MissingExtraError
from jobtracker.instrumentation.current_job import job_of, secrets_of

try:
    from pythonjsonlogger.core import RESERVED_ATTRS
    from pythonjsonlogger.json import JsonFormatter
except ModuleNotFoundError as error:
    raise MissingExtraError("Structured logging", "pythonjsonlogger", "logging") from error

__all__ = ["ContextFilter", "json_handler", "request_id_var"]

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the HTTP request that is being answered."""

_RESULT = "(the result is not logged)"
_OF_A_TASK = {"args", "kwargs", "return_value"}
"""Keys that Celery adds to its own lines as `data`; their values must not be logged."""

_FIELDS = ["levelname", "name", "message"]
_NAMES = {"levelname": "level", "name": "logger"}
_LEFT_OUT = [*RESERVED_ATTRS, "color_message"]  # uvicorn's second copy of its message, for terminals


class _Formatter(JsonFormatter):
    """Writes no arguments and results of tasks: Celery adds them to its own lines, and errors may show them."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record; in Celery's line about a success (celery/app/trace.py, LOG_SUCCESS) without the result."""
        args = record.args
        if isinstance(args, Mapping) and "return_value" in args:
            record = copy(record)  # other handlers have it as it is
            record.args = {**args, "return_value": _RESULT}
        return super().format(record)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Leave out arguments, results and masked values."""
        data = log_data.get("data")
        if isinstance(data, dict):
            log_data["data"] = {name: value for name, value in data.items() if name not in _OF_A_TASK}
        secrets = secrets_of(job_of(get_current_task()))
        cleaned: dict[str, Any] = _without(log_data, secrets) if secrets else log_data
        return cleaned


def _without(value: Any, secrets: Sequence[Secret]) -> Any:
    """A value with the mask for each secret in its texts."""
    if isinstance(value, str):
        return mask_secrets(value, secrets)
    if isinstance(value, Mapping):
        return {name: _without(item, secrets) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without(item, secrets) for item in value]
    return value


class ContextFilter(logging.Filter):
    """Adds `request_id` to each log record, and inside a task `job_id`, `run` and `task`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add what is known; keeps every record."""
        for name, value in _context().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


def _context() -> dict[str, Any]:
    context: dict[str, Any] = {}
    task = get_current_task()
    if task is not None:
        context = {"task": task.name, "request_id": task.request.get(REQUEST_ID_HEADER)}
        if job := job_of(task):
            context |= {"job_id": job.id, "run": job.run}
    context["request_id"] = context.get("request_id") or request_id_var.get()
    return {name: value for name, value in context.items() if value is not None}


def json_handler(handler: logging.Handler, service: str) -> logging.Handler:
    """Make a handler write JSON lines that name the service."""
    handler.setFormatter(
        _Formatter(
            _FIELDS,
            timestamp="time",
            rename_fields=_NAMES,
            static_fields={"service": service},
            reserved_attrs=_LEFT_OUT,
            json_ensure_ascii=False,
        )
    )
    handler.addFilter(ContextFilter())
    return handler
