"""Calls of tasks of which there is one job at a time: `@tracked(unique=…)`.

Whether a call is the first one is decided before its message is made: the lock of its unique key is reserved for the
id that the message will have, for a moment. When the job is recorded, the lock is that job's.
"""

import hashlib
import inspect
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeVar

from celery import Task
from celery.result import AsyncResult
from kombu.utils.json import dumps

from jobtracker.core.clock import now_ms
from jobtracker.core.declarations import UniqueCall, declaration_of
from jobtracker.core.job import UNIQUE_DIGITS, unique_field, unique_id
from jobtracker.runtime import Tracking

logger = logging.getLogger(__name__)

T = TypeVar("T")

_IN_A_TREE = ("group_id", "chord", "chain", "link", "link_error", "retries", "task_id")
"""Options of calls that belong to others: of groups, chords and chains, of retries, and with an id of their own."""


class Claim(NamedTuple):
    """What became of a call's claim to its unique key."""

    digest: str
    field: str
    """The field `unique` of its job."""
    task_id: str
    holder: str | None
    """The other job that has the key."""
    then: str


class UniqueCalls:
    """Holds back calls.

    Args:
        tracking: The tracker's parts.
    """

    def __init__(self, tracking: Tracking) -> None:
        self._tracking = tracking
        self._app = tracking.app
        self._store = tracking.store

    def claim(self, name: str, args: Any, kwargs: Any, options: Mapping[str, Any]) -> Claim | None:
        """Claim the key of a call; None: it has none, or nobody can tell now, so it is sent."""
        try:
            task = self._tasks.get(name)
            declared = declaration_of(task) if task is not None else None
            if task is None or declared is None or declared.unique is None or not _is_alone(options):
                return None
            return self._claim(task, declared.unique, declared.job_type or name, args, kwargs)
        except Exception as error:  # noqa: BLE001 (no error here may stop the call)
            _warn(f"the unique key of {name} was not looked at", error)
            return None

    @cached_property
    def _tasks(self) -> Mapping[str, Task]:
        tasks: Mapping[str, Task] = self._app.tasks  # where Celery takes a lock each time
        return tasks

    def _claim(self, task: Task, unique: UniqueCall, job_type: str, args: Any, kwargs: Any) -> Claim | None:
        digest = _digest_of(task, job_type, unique, args or (), kwargs or {})
        return self._tracking.reporter.ask(lambda: self._claimed(digest, unique), None)

    def _claimed(self, digest: str, unique: UniqueCall) -> Claim:
        task_id = unique_id(str(uuid.uuid4()), digest)
        field = unique_field(digest, unique.while_, now_ms(), unique.for_s)
        holder = self._store.reserve_unique(digest, task_id)
        return Claim(digest, field, task_id, holder, unique.then)

    def let_go(self, claim: Claim) -> None:
        """The call was not sent. If that fails, the claim ends by itself."""
        let_go = partial(self._store.let_go_unique, claim.digest, claim.task_id)
        _unless_it_fails("a unique key was not let go", lambda: self._tracking.reporter.ask(let_go, None), None)

    def joined(self, claim: Claim) -> AsyncResult:
        """What a call returns that was not sent: the result of the job that is there, or one that never comes."""
        holder = claim.holder
        if holder is None or claim.then == "drop":
            return self._app.AsyncResult(claim.task_id)
        what = f"whether the job {holder} runs again is not known"
        read = partial(self._task_id_of, holder)
        task_id = _unless_it_fails(what, lambda: self._tracking.reporter.ask(read, holder), holder)
        return self._app.AsyncResult(task_id)

    def _task_id_of(self, job_id: str) -> str:
        [record] = self._tracking.queries.records([job_id])
        return record.task_id if record.exists else job_id


def _unless_it_fails(what: str, ask: Callable[[], T], otherwise: T) -> T:
    """The answer, or `otherwise` with a warning: a failure of the tracker is none of the caller's."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 (see above)
        _warn(what, error)
        return otherwise


def _warn(what: str, error: Exception) -> None:
    logger.warning("jobtracker: %s: %s: %s", what, type(error).__name__, error)


def _is_alone(options: Mapping[str, Any]) -> bool:
    return not any(options.get(name) for name in _IN_A_TREE)


def _digest_of(task: Task, job_type: str, unique: UniqueCall, args: Any, kwargs: Any) -> str:
    bound = inspect.signature(task.run).bind(*args, **kwargs)
    bound.apply_defaults()
    wanted = unique.by if unique.by is not None else [*bound.arguments]
    values = [bound.arguments[name] for name in wanted]
    told = json.dumps([job_type, "call"]) + dumps(values, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:UNIQUE_DIGITS]
