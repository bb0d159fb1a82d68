"""Asks Celery's result backend in a thread, because it may not answer for a long time."""

import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, TypeVar

from celery import Celery, Task
from celery.backends.base import DisabledBackend
from celery.backends.rpc import RPCBackend
from celery.exceptions import SecurityError
from kombu.exceptions import ContentDisallowed, SerializationError

from jobtracker.store.schema import JobRecord

logger = logging.getLogger(__name__)
T = TypeVar("T")

NOT_ASKED = "Celery's result backend did not answer, and is asked again"
"""What a reason says of an outcome that was inferred without it."""

_PATIENCE_S = 2.0
"""How long to wait for an answer; the backend's own timeouts may be longer."""

_STUCK_S, _MOST_STUCK = 15.0, 3
"""A question that has not returned after so many seconds keeps its thread. So often the next ones get a new one."""

_PAUSES, _LONGEST_PAUSE_S = 5, 10.0
"""A backend that does not answer is left alone for a multiple of the time that the question took, at most so long."""

_UNREADABLE = (SerializationError, ContentDisallowed, SecurityError, ValueError, TypeError, LookupError)
"""Errors of a backend that has answered with something that can't be read."""


class Silence(Enum):
    """Why there is no answer."""

    NOTHING_KNOWN = auto()
    """The backend says nothing of the task: it knows no outcome, or not any more, or one that can't be read; or it
    keeps no results, or for their sender only."""
    NO_ANSWER = auto()
    """The backend does not answer."""


Kept = Mapping[str, Any]
"""What a backend keeps of a task: Celery's meta data, as `status` and `result`."""


def keeps_results(backend: Any) -> bool:
    """Whether a backend keeps results for anybody who asks; some keep none, or for their sender only."""
    return not isinstance(backend, DisabledBackend | RPCBackend)


class ResultBackend:
    """Asks the result backend of an app, and of tasks with a backend of their own.

    Each backend is asked one question at a time. One that does not answer in time is left alone for a while.

    Args:
        app: The app.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._line = _Line("results")
        self._others: dict[str, _Line] = {}  # of tasks with a backend of their own, by their names

    def kept_of(self, task_id: str, task: Task | None = None) -> Kept | Silence:
        """What is kept of a call of a task.

        Args:
            task_id: Of the call.
            task: The task, if its own backend is to be asked.
        """

        def ask() -> Kept | None:
            backend = (task or self._app).backend  # each thread has its own
            return backend.get_task_meta(task_id) if keeps_results(backend) else None

        return self._line_of(task).ask(task_id, ask)

    @property
    def silent_s(self) -> float:
        """For how long the app's backend has not answered, in seconds; 0: it did when it was asked last."""
        return self._line.silent_s

    def _line_of(self, task: Task | None) -> "_Line":
        if task is None or task.backend is self._app.backend:
            return self._line
        return self._others.setdefault(task.name, _Line(f"results-{task.name}"))


class _Line:
    """Questions to one backend, and whether it answers."""

    def __init__(self, name: str) -> None:
        self._thread = AskingThread(name)
        self._left_alone_until = float("-inf")
        self._silent_since: float | None = None

    def ask(self, task_id: str, question: Callable[[], Kept | None]) -> Kept | Silence:
        if time.monotonic() < self._left_alone_until:
            return Silence.NO_ANSWER
        began = time.monotonic()
        try:
            kept = self._thread.ask(question, _PATIENCE_S)
        except _UNREADABLE as error:
            logger.debug("What Celery keeps of task %s can't be read: %s", task_id, type(error).__name__)
            kept = None
        except Exception as error:  # noqa: BLE001 (it is away, or this process can't ask it)
            logger.debug("Celery's result backend was asked about task %s: %s", task_id, type(error).__name__)
            now = time.monotonic()
            self._silent_since = began if self._silent_since is None else self._silent_since
            self._left_alone_until = now + min(_LONGEST_PAUSE_S, _PAUSES * (now - began))
            return Silence.NO_ANSWER
        self._silent_since = None
        return Silence.NOTHING_KNOWN if kept is None else kept

    @property
    def silent_s(self) -> float:
        return 0.0 if self._silent_since is None else time.monotonic() - self._silent_since


def is_of_run_before(record: JobRecord, kept: Kept) -> bool:
    """Whether a stored outcome is that of an earlier run with the same task id.

    Runs share a task id if Celery code has sent it again, and Celery does not replace the outcome of a success
    (celery/backends/base.py, KeyValueStoreBackend._store_result).

    Args:
        record: The job.
        kept: An outcome.
    """
    if not record.reused or record.reused != record.run:
        return False
    done: datetime | str | None = kept.get("date_done")  # UTC
    if isinstance(done, str):
        done = datetime.fromisoformat(done)
    if done is None or not record.queued:
        return True  # nobody knows
    done = done if done.tzinfo else done.replace(tzinfo=UTC)
    return done.timestamp() * 1000 < record.queued


class _Question:
    """A question and its answer."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self.ask = ask
        self.answer: Any = None
        self.error: BaseException | None = None
        self.done = threading.Event()
        self.asked_at = time.monotonic()


class Turns:
    """A lock that threads get in the order of their requests. So many questions of one thread do not block others."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._taken = False

    @property
    def waiting(self) -> int:
        """How many wait for it."""
        return len(self._waiting)

    def acquire(self, timeout_s: float) -> bool:
        """Take it, within a time in seconds; returns whether it was taken."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            is_mine = self._changed.wait_for(lambda: not self._taken and self._waiting[0] is ticket, timeout_s)
            self._waiting.remove(ticket)
            self._taken = self._taken or is_mine
            self._changed.notify_all()  # the next one may be first now
        return is_mine

    def release(self) -> None:
        """Give it to the next one."""
        with self._changed:
            self._taken = False
            self._changed.notify_all()


class AskingThread:
    """A thread that asks one question after the other. It begins with the first, and ends with its process.

    Args:
        name: What it is called.
    """

    def __init__(self, name: str) -> None:
        self._name = f"jobtracker-{name}"
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._turn = Turns()
        self._stuck = 0
        self._renew()

    def _renew(self) -> None:
        self._questions: queue.Queue[_Question | None] = queue.Queue()
        self._last: _Question | None = None
        self._has_begun = False

    def ask(self, question: Callable[[], T], patience_s: float) -> T:
        """Ask a question.

        Args:
            question: Called in the thread, once.
            patience_s: How long the answer may take, in seconds.

        Returns:
            The answer.

        Raises:
            TimeoutError: It did not come in time, or an earlier question has no answer yet.
            Exception: What the question has raised.
        """
        if self._pid != os.getpid():  # forked: the thread is the parent's
            self._begin()
        if not self._turn.acquire(patience_s):
            raise TimeoutError
        try:
            asked = self._ask(question)
            if not asked.done.wait(patience_s):
                raise TimeoutError
        finally:
            self._turn.release()
        if asked.error is not None:
            raise asked.error
        answer: T = asked.answer
        return answer

    def _ask(self, question: Callable[[], Any]) -> _Question:
        if self._last is not None and not self._last.done.is_set():
            if time.monotonic() - self._last.asked_at < _STUCK_S or self._stuck >= _MOST_STUCK:
                raise TimeoutError
            self._questions.put(None)  # that thread ends once its question returns
            self._stuck += 1
            self._renew()
        self._last = asked = _Question(question)
        if not self._has_begun:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
            self._has_begun = True
        self._questions.put(asked)
        return asked

    def _run(self) -> None:
        questions = self._questions
        while True:
            asked = questions.get()
            if asked is None:
                self._stuck -= 1
                return
            try:
                asked.answer = asked.ask()
            except BaseException as error:  # noqa: BLE001 (raised where it was asked)
                asked.error = error
            asked.done.set()
            del asked
