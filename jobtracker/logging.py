"""Structured logs: one JSON object a line, with the job and the HTTP request that a line belongs to.

Needs python-json-logger: the extras `logging`, `server` and `workers` have it.
"""

import io
import json
import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from copy import copy
from types import TracebackType
from typing import Any

from celery._state import get_current_task

from jobtracker.broker.headers import REQUEST_ID_HEADER
from jobtracker.core.job import job_and_run_of
from jobtracker.core.masking import Secret, mask_secrets
from jobtracker.errors import MissingExtraError
from jobtracker.instrumentation.current_job import job_of, secrets_of
from jobtracker.tracing.active import current_trace_id

try:
    from pythonjsonlogger.core import RESERVED_ATTRS
    from pythonjsonlogger.json import JsonFormatter
except ModuleNotFoundError as error:
    raise MissingExtraError("Structured logging", "pythonjsonlogger", "logging") from error

__all__ = ["ContextFilter", "capture_output", "json_handler", "request_id_var", "write_line"]

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
    """Adds `request_id` and `trace_id` to each log record, and inside a task `job_id`, `run` and `task`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add what is known; keeps every record."""
        for name, value in _context(record).items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


def _context(record: logging.LogRecord) -> dict[str, Any]:
    context: dict[str, Any] = {}
    task = get_current_task()
    if task is not None:
        context = {"task": task.name, "request_id": task.request.get(REQUEST_ID_HEADER)}
        if job := job_of(task):
            context |= {"job_id": job.id, "run": job.run}
    elif isinstance(about := getattr(record, "data", None), dict) and isinstance(about.get("id"), str):
        # What Celery's main process says of a task that it has received or lost (celery/worker/strategy.py).
        context["job_id"], context["run"] = job_and_run_of(about["id"])
    context["request_id"] = context.get("request_id") or request_id_var.get()
    context["trace_id"] = current_trace_id()
    return {name: value for name, value in context.items() if value is not None}


def json_handler(handler: logging.Handler, service: str) -> logging.Handler:
    """Make a handler write JSON lines that name the service."""
    if isinstance(handler, logging.StreamHandler) and isinstance(handler.stream, _Lines):
        handler.setStream(handler.stream.stream)
    handler.setFormatter(_formatter(service))
    handler.addFilter(ContextFilter())
    return handler


def _formatter(service: str) -> _Formatter:
    return _Formatter(
        _FIELDS,
        timestamp="time",
        rename_fields=_NAMES,
        static_fields={"service": service},
        reserved_attrs=_LEFT_OUT,
        json_ensure_ascii=False,
    )


def capture_output(service: str) -> None:
    """Let all that this process and its forks write be JSON lines, beside what handlers log.

    These are: what is printed, what Celery and others write to stdout and stderr without a logger, warnings, and the
    traceback of what ends the process or a thread. Not: what is written without Python, e.g. by a crash in C. Called
    again, it changes the name of the service.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, f"__{name}__")
        if isinstance(stream, _Lines):
            for known in (stream, getattr(sys, name)):
                if isinstance(known, _Lines):
                    known.formatter = _formatter(service)
        elif stream is not None:
            setattr(sys, f"__{name}__", _OriginalLines(name, stream, _formatter(service)))
            setattr(sys, name, _Lines(name, stream, _formatter(service)))
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and isinstance(handler.stream, _Lines):
            handler.setStream(handler.stream.stream)
    sys.excepthook = _log_end
    threading.excepthook = _log_end_of_thread
    logging.captureWarnings(True)


def write_line(logger: str, message: str, **about: Any) -> None:
    """Log in a handler of a signal. A logger can't be used there: it may have been interrupted by that signal.

    Args:
        logger: Its name.
        message: What happened.
        about: What else the line says. Nothing is written where `capture_output` was not called.
    """
    lines = sys.__stderr__
    if isinstance(lines, _Lines):
        record = logging.LogRecord(logger, logging.INFO, "", 0, message, None, None)
        vars(record).update(about)
        os.write(lines.stream.fileno(), f"{lines.formatter.format(record)}\n".encode())


def _log_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logging.getLogger("jobtracker").critical("the process ends by an error", exc_info=(kind, error, traceback))


def _log_end_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit and args.exc_value is not None:
        name = args.thread.name if args.thread is not None else "?"
        error = (args.exc_type, args.exc_value, args.exc_traceback)
        logging.getLogger("jobtracker").error("thread %s ended by an error", name, exc_info=error)


class _Lines(io.TextIOBase):
    """In place of stdout or stderr: writes each line as JSON, and lines that are JSON objects as they are."""

    def __init__(self, name: str, stream: Any, formatter: logging.Formatter) -> None:
        self.stream = stream
        self.formatter = formatter
        self._name = name
        self._begun = threading.local()  # each thread writes whole lines; no lock: a fork could inherit it

    @property
    def encoding(self) -> str:  # type: ignore[override] # read only
        return "utf-8"

    def fileno(self) -> Any:
        return self.stream.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self.stream.flush()

    def write(self, text: str) -> int:
        *whole, rest = f"{getattr(self._begun, 'text', '')}{text}".split("\n")
        self._begun.text = rest
        lines = [self._as_json(line) for line in whole if line.strip()]
        if lines:
            self.stream.write("".join(f"{line}\n" for line in lines))
            self.stream.flush()
        return len(text)

    def _as_json(self, line: str) -> str:
        if _is_object(line):
            return line
        level = logging.INFO if self._name == "stdout" else logging.ERROR
        record = logging.LogRecord(self._name, level, "", 0, line, None, None)
        ContextFilter().filter(record)
        return self.formatter.format(record)


class _OriginalLines(_Lines):
    """In place of `sys.__stdout__` or `sys.__stderr__`.

    It has no file descriptor: Celery writes to that, where there is one, what it says of a shutdown, and sends a
    signal beside (celery/apps/worker.py, safe_say).
    """

    def fileno(self) -> Any:
        return None


def _is_object(line: str) -> bool:
    if not line.startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
