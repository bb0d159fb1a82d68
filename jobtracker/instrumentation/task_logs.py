"""What is logged while a task runs goes into its job's own log, if the project wants that (TASK_LOG_LEVEL)."""

import logging
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from celery._state import get_current_task
from celery.exceptions import SoftTimeLimitExceeded

from jobtracker.core.masking import mask_secrets
from jobtracker.instrumentation.current_job import CurrentJob, job_of, secrets_of
from jobtracker.instrumentation.line_budget import LineBudget

if TYPE_CHECKING:
    from jobtracker.settings import Settings

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info"))
_NOT_OF_TASKS = ("jobtracker", "celery", "kombu", "amqp", "billiard", "redis")
_OF_TASKS = ("celery.task", "celery.redirected")
"""Where `get_task_logger` and Celery's redirection of `print` write."""

_is_writing: ContextVar[bool] = ContextVar("jobtracker_is_writing_log", default=False)


class TaskLogHandler(logging.Handler):
    """Writes a line into the log of the job whose task runs in this thread.

    Args:
        settings: The least level, and how many lines a job may write.
    """

    def __init__(self, settings: "Settings") -> None:
        super().__init__(logging.getLevelName(settings.task_log_level.upper()))
        self._most = settings.max_log_lines

    def attach(self) -> None:
        """Listen to all loggers, also where Celery has set up logging meanwhile."""
        for logger in _loggers():
            if self not in logger.handlers:
                logger.addHandler(self)

    def detach(self) -> None:
        """Stop listening."""
        for logger in _loggers():
            logger.removeHandler(self)

    def handle(self, record: logging.LogRecord) -> bool:  # noqa: D102 (as the base has it)
        # Without the base's lock: threads of a pool must not wait for each other's round trips.
        if self.filter(record):
            self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. What fails here is no failure of the task; only its own time limit is raised."""
        if _is_writing.get() or not _is_of_a_task(record) or getattr(record, "jobtracker_seen", False):
            return
        token = _is_writing.set(True)
        try:
            if (job := job_of(get_current_task())) is not None and job.id:
                record.jobtracker_seen = True  # it may come here by way of two loggers
                self._write(job, record)
        except SoftTimeLimitExceeded:
            raise
        except Exception:  # noqa: BLE001 (a bad format, or an argument whose text can't be made)
            return
        finally:
            _is_writing.reset(token)

    def _write(self, job: CurrentJob, record: logging.LogRecord) -> None:
        if job.log_budget is None:
            job.log_budget = LineBudget(self._most)
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        level = next((name for least, name in _LEVELS if record.levelno >= least), "debug")
        lines = job.log_budget.lines(mask_secrets(text, secrets_of(job)))
        began = time.monotonic()
        for line in lines:
            job.log(line, level)
        job.log_budget.took(time.monotonic() - began)


def _loggers() -> list[logging.Logger]:
    """The root, and Celery's logger of tasks: that may not propagate."""
    return [logging.getLogger(), logging.getLogger("celery.task")]


def _is_of_a_task(record: logging.LogRecord) -> bool:
    name = record.name
    return name.partition(".")[0] not in _NOT_OF_TASKS or name.startswith(_OF_TASKS)
