"""How a task hands its work to a confined process."""

import atexit
import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from jobtracker import current_job
from jobtracker.instrumentation.current_job import CurrentJob
from jobtracker.local.child_process import ending_of
from workers import errors
from workers.confined.budget import Budget
from workers.confined.frames import FrameTooLargeError
from workers.confined.process import MAX_ANSWER_BYTES, ConfinedProcess, ProcessGoneError
from workers.errors import OverBudgetError, WorkFailedError

_TICK_S = 0.2
"""How often a task that waits looks whether its job was cancelled; that asks Redis once a second at most."""

_LOADING_S = 120
"""How long a process may take to load what the work needs, before it looks at the input."""

_idle: list[ConfinedProcess] = []
"""Kept, for what a process loads takes seconds. No more than there are tasks at a time."""
os.register_at_fork(after_in_child=_idle.clear)


@atexit.register
def close_idle() -> None:
    """End the processes that wait for work."""
    while _idle:
        _idle.pop().close()


def run_confined(work: str, /, *, budget: Budget | None = None, **arguments: Any) -> dict[str, Any]:
    """Run `module:function` of `workers.work` in a process of its own, as the running job.

    Its progress and its log lines become the job's. It is killed by a cancel, by a time limit of Celery's, and with
    the worker.

    Args:
        work: What to run; it gets a `workers.progress.Job` and the arguments, all of them JSON.
        budget: What it may use; default: the settings in the environment.
        arguments: By name.

    Returns:
        Its result, as JSON.

    Raises:
        InputError: What the work raised: its subclass and its message.
        OverBudgetError: It used more than the budget allows.
        WorkFailedError: It raised anything else, or its process was killed.
        JobCancelledError: The job was cancelled; the process has ended.
    """
    budget, job = budget or Budget.from_env(), current_job()
    process = _take()
    answer = None
    try:
        answer = _ask(process, work, arguments, budget, job)
    except ProcessGoneError as gone:
        raise _why_gone(gone.status, budget) from gone
    except FrameTooLargeError as error:
        raise OverBudgetError(f"the result has more than {MAX_ANSWER_BYTES // 1024**2} MiB of JSON") from error
    finally:
        if answer is None or answer.get("is_last", True):
            process.close()
        else:
            _idle.append(process)
    if answer is None:
        job.raise_if_cancelled()  # not before its process has ended
        raise AssertionError
    return _result(answer, budget)


def _take() -> ConfinedProcess:
    while _idle:
        process = _idle.pop()
        if process.is_alive:
            return process
        process.close()
    return ConfinedProcess()


def _ask(
    process: ConfinedProcess, work: str, arguments: dict[str, Any], budget: Budget, job: CurrentJob
) -> dict[str, Any] | None:
    """What the work ends with; None: the job was cancelled."""
    request = {
        "work": work, "arguments": arguments, "memory_mb": budget.job_memory_mb, "cpu_s": budget.job_cpu_s
    }  # fmt: skip
    takes: dict[str, Callable[..., object]] = {"progress": job.progress, "log": job.log, "logged": _log}
    until, limit = time.monotonic() + _LOADING_S, f"its models took longer than {_LOADING_S} s to load"
    for message in process.exchange(request, _TICK_S):
        if message is not None:
            kind = message.pop("kind")
            if kind == "prepared":
                until = time.monotonic() + budget.job_wall_s
                limit = f"took longer than {budget.job_wall_s:g} s (JOB_WALL_S)"
            elif kind in takes:
                takes[kind](**message)
            else:
                return {"kind": kind, **message}
        if job.cancel_requested:
            return None
        if time.monotonic() > until:
            raise OverBudgetError(limit)
    raise AssertionError  # an exchange does not end by itself


def _log(logger: str, level: int, message: str) -> None:
    logging.getLogger(logger).log(level, "%s", message)


def _result(answer: dict[str, Any], budget: Budget) -> dict[str, Any]:
    match answer["kind"]:
        case "result":
            result: dict[str, Any] = answer["result"]
            return result
        case "memory":
            raise _used_too_much_memory(budget)
        case "refused":
            raise getattr(errors, answer["error"])(answer["message"])
        case _:
            error = WorkFailedError(answer["message"])
            error.add_note(answer["traceback"])
            raise error


def _used_too_much_memory(budget: Budget) -> OverBudgetError:
    return OverBudgetError(f"used more than {budget.job_memory_mb} MB of memory (JOB_MEMORY_MB)")


def _why_gone(status: int, budget: Budget) -> Exception:
    """What a process that ended on its own died of. Libraries in C and C++ abort where they get no memory."""
    if status == -signal.SIGXCPU:
        return OverBudgetError(f"used more than {budget.job_cpu_s} s of CPU time (JOB_CPU_S)")
    return WorkFailedError(
        f"the process that did the work {ending_of(status)}; it may have needed more than {budget.job_memory_mb} MB"
        " of memory (JOB_MEMORY_MB), or the system had none left"
    )
