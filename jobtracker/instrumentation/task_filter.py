"""Which tasks of an app are tracked, and as what."""

import functools
from collections.abc import Mapping
from typing import Any

from celery import Task

from jobtracker.broker.headers import MAPS, mapped_task
from jobtracker.core.declarations import argument_rule, declaration_of
from jobtracker.core.masking import UNKNOWN_TASK
from jobtracker.instrumentation.message_parser import ACCUMULATE, TrackedTask
from jobtracker.jobs.signatures import SEND
from jobtracker.runtime import Tracking


class TaskFilter:
    """The tracked tasks of one app.

    Args:
        tracking: Its app, and the types that workers announced.
        only_declared: Declared tasks only, not all tasks of the app.
    """

    def __init__(self, tracking: Tracking, *, only_declared: bool) -> None:
        self.app = tracking.app
        self.registry = tracking.registry
        self.reporter = tracking.reporter
        self.only_declared = only_declared
        self.keep = tracking.settings.store_arguments
        self._known: dict[Task, TrackedTask] = {}  # of the tasks that are here

    @functools.cached_property
    def _tasks(self) -> Mapping[str, Task]:
        tasks: Mapping[str, Task] = self.app.tasks  # where Celery takes a lock each time
        return tasks

    def find(self, name: str, kwargs: Any = None) -> TrackedTask | None:
        """The job type of a task, and what may be kept of its arguments; None where it is not tracked.

        Not tracked are the tracker's own task and those of Celery, except the ones that map a task: they are tracked
        where that is, as a type of their own.

        Args:
            name: The task's name.
            kwargs: Its keyword arguments; they say which task is mapped.
        """
        task = self._tasks.get(name)
        if (known := self._known.get(task)) is not None:
            return known
        if mapped := mapped_task(name, kwargs):
            known = self.find(mapped)
            return known and TrackedTask(f"{known.job_type}.{MAPS[name]}", known.arguments.of_map())
        if name.startswith("celery.") or name == SEND:
            return None
        declared = declaration_of(task) if task is not None else None
        if declared is None and self.only_declared:
            return None
        if task is None:  # this process only sends it: the workers have announced what it is
            announced = self.reporter.ask(lambda: self.registry.type_of_task(name), None)
            announced = announced or self.registry.remembered_type_of_task(name)
            return TrackedTask(announced.name, announced.arguments) if announced else TrackedTask(name, UNKNOWN_TASK)
        known = TrackedTask((declared.job_type if declared else None) or name, argument_rule(task, self.keep))
        self._known[task] = known
        return known

    def covers(self, task: Task, request: Any) -> bool:
        """Whether a task's signals concern us; one that replaced a declared task goes on as that task's job."""
        if task.app is not self.app or task.name == SEND:
            return False
        if not self.only_declared or task.name == ACCUMULATE or task.name in MAPS:
            return True
        replaces = (getattr(request, "replaced_task_nesting", None) or 0) > 0
        return replaces or declaration_of(task) is not None
