"""What tasks write down about themselves, apart from Celery and jobtracker: the truth that tests compare with."""

import functools
import time
from collections.abc import Iterator

from celery import Celery, current_task
from redis import Redis

SOON_S = 0.15
"""When a retry comes. Without a pause its attempt may be done before Celery stores RETRY, a state that then stays."""

_POLL_S = 0.01
_PATIENCE_S = 30


@functools.lru_cache
def connect(url: str) -> Redis:
    """A client of this process."""
    return Redis.from_url(url, decode_responses=True)


class Diary:
    """The diary of a project.

    Args:
        app: Its app, whose configuration says where the diary is: `diary_url` and `diary_key`.
    """

    def __init__(self, app: Celery) -> None:
        self.client = connect(app.conf.diary_url)
        self.key = app.conf.diary_key

    def write(self, task_id: str, what: str) -> None:
        """Add a line to a task's page, and to the page of all."""
        self.client.rpush(f"{self.key}:{task_id}", what)
        self.client.rpush(self.key, f"{task_id} {what}")

    def read(self, task_id: str) -> list[str]:
        """What a task did, in order."""
        return list(self.client.lrange(f"{self.key}:{task_id}", 0, -1))

    def read_all(self) -> list[tuple[str, str]]:
        """What all tasks did, in order, as pairs of task id and line."""
        return [tuple(line.split(" ", 1)) for line in self.client.lrange(self.key, 0, -1)]

    def open_gate(self, name: str) -> None:
        """Let all tasks pass that wait at a gate, now and later."""
        self.client.set(f"{self.key}-gate:{name}", "open")

    def pass_gate(self, name: str) -> None:
        """Raise where a gate is not open."""
        if not self._is_open(name):
            raise ValueError(f"gate {name} is not open")

    def until_open(self, name: str) -> Iterator[None]:
        """Yields again and again until a gate opens; gives up after half a minute, so that no test leaves a task."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self._is_open(name):
            if time.monotonic() > deadline:
                raise TimeoutError(f"gate {name} did not open")
            time.sleep(_POLL_S)
            yield

    def _is_open(self, name: str) -> bool:
        return self.client.exists(f"{self.key}-gate:{name}") == 1


def diary() -> Diary:
    """The diary of the project whose task runs here."""
    return Diary(current_task.app)


def did(what: str) -> None:
    """Write down what the running task does."""
    diary().write(current_task.request.id, what)
