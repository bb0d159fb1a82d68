"""Asks Celery's result backend, which may not answer for long: in a thread, so that nobody waits as long as that."""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, TypeVar

from celery import Celery, Task
from celery.backends.base import DisabledBackend
from celery.backends.rpc import RPCBackend
from celery.exceptions import SecurityError
from kombu.exceptions import ContentDisallowed, SerializationError

logger = logging.getLogger(__name__)
T = TypeVar("T")

NOT_ASKED = "Celery's result backend did not answer, and is asked again"
"""What a reason says of a verdict that was come to without it."""

_PATIENCE_S = 2.0
"""How long to wait for an answer; the backend's own timeouts may be longer."""

_STUCK_S, _MOST_STUCK = 15.0, 3
"""A question that has not returned after so long keeps its thread, and the next ones get a new thread, so often."""

_PAUSES, _LONGEST_PAUSE_S = 5, 10.0
"""One that does not answer is left alone for so many times as long as that took to show."""

_UNREADABLE = (SerializationError, ContentDisallowed, SecurityError, ValueError, TypeError, LookupError)
"""It has answered, and what it keeps can't be read."""


class Silence(Enum):
    """Why there is no answer."""

    NOTHING_KNOWN = auto()
    """The backend says nothing of the task: it has none, or none any more, or what it has can't be read; or it keeps
    no results, or for their sender only."""
    NO_ANSWER = auto()
    """The backend does not answer: what it knows is not known."""


Kept = Mapping[str, Any]
"""What a backend keeps of a task: Celery's meta data, as `status` and `result`."""


class ResultAsker:
    """Asks the result backend of an app, or of a task. One that does not answer in time is left alone for a while.

    Args:
        app: The app.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._thread = AskingThread("results")
        self._left_alone_until = float("-inf")
        self._silent_since: float | None = None

    def kept_of(self, task_id: str, task: Task | None = None) -> Kept | Silence:
        """What is kept of a call of a task; where the task is given, by its own backend."""
        if time.monotonic() < self._left_alone_until:
            return Silence.NO_ANSWER

        def ask() -> Kept | None:
            backend = (task or self._app).backend  # each thread has its own
            return None if isinstance(backend, DisabledBackend | RPCBackend) else backend.get_task_meta(task_id)

        began = time.monotonic()
        try:
            kept = self._thread.ask(ask, _PATIENCE_S)
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
        """For how long it has not answered, in seconds; 0 where it did when it was asked last."""
        return 0.0 if self._silent_since is None else time.monotonic() - self._silent_since


def is_of_run_before(record: Mapping[str, str], kept: Kept) -> bool:
    """Whether a stored outcome is that of an earlier run with the same task id.

    The runs share that id, for it was sent again. And Celery does not put another outcome in the place of a success
    (celery/backends/base.py, KeyValueStoreBackend._store_result).

    Args:
        record: The job.
        kept: An outcome.
    """
    if not record.get("reused") or record["reused"] != record.get("run"):
        return False
    done: datetime | str | None = kept.get("date_done")  # UTC
    if isinstance(done, str):
        done = datetime.fromisoformat(done)
    if done is None or not record.get("queued"):
        return True  # nobody knows
    done = done if done.tzinfo else done.replace(tzinfo=UTC)
    return done.timestamp() * 1000 < int(record["queued"])


class _Question:
    """A question, and what has become of it."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self.ask = ask
        self.answer: Any = None
        self.error: BaseException | None = None
        self.done = threading.Event()
        self.asked_at = time.monotonic()


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
        self._turn = threading.Lock()
        self._stuck = 0
        self._renew()

    def _renew(self) -> None:
        self._questions: queue.Queue[_Question | None] = queue.Queue()
        self._last: _Question | None = None
        self._has_begun = False

    def ask(self, question: Callable[[], T], patience_s: float) -> T:
        """The answer to a question.

        Args:
            question: Called in the thread, once.
            patience_s: How long the answer may take, in seconds.

        Raises:
            TimeoutError: It has not come by then, or that to an earlier one has not come yet.
            Exception: What the question has raised.
        """
        if self._pid != os.getpid():  # forked: the thread is the parent's
            self._begin()
        if not self._turn.acquire(timeout=patience_s):
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
