"""What a worker changes in an app's task classes while it is tracked, and takes back."""

from typing import Any

from celery import Celery, Task

from jobtracker.instrumentation.held_messages import HeldMessages
from jobtracker.instrumentation.task_signals import TaskSignals
from jobtracker.instrumentation.worker_requests import tracked_request

_MARK = "__jobtracker_guard__"


class TaskGuard:
    """Gives the task classes of one app a `before_start` that refuses cancelled jobs, and a `Request` of ours.

    A signal can do neither: Celery swallows what a handler raises, and has no signal for some losses.

    Args:
        app: The app.
        signals: Called by the tasks and requests.
        held: Where each request notes that it was received, and acknowledged.
    """

    def __init__(self, app: Celery, signals: TaskSignals, held: HeldMessages) -> None:
        self._app = app
        self._signals = signals
        self._held = held
        self._changed: list[tuple[type[Task], str, Any]] = []  # with what the class had of its own by that name

    def install(self) -> None:
        """Change the class of each task that the app has now."""
        for task in self._app.tasks.values():
            if not hasattr(type(task).before_start, _MARK):
                self._change(type(task))

    def uninstall(self) -> None:
        """Leave the classes as they were."""
        for task_class, name, own in reversed(self._changed):
            if own is None:
                delattr(task_class, name)
            else:
                setattr(task_class, name, own)
        self._changed = []

    def _change(self, task_class: type[Task]) -> None:
        inherited, signals = task_class.before_start, self._signals

        def before_start(task: Task, task_id: str, args: Any, kwargs: Any) -> None:
            TaskSignals.refuse(task)
            inherited(task, task_id, args, kwargs)

        setattr(before_start, _MARK, True)
        request = tracked_request(
            task_class.Request, signals.on_requeue, signals.on_failure_not_stored, signals.mask, self._held
        )
        for name, value in (("before_start", before_start), ("Request", request)):
            self._changed.append((task_class, name, vars(task_class).get(name)))
            setattr(task_class, name, value)
