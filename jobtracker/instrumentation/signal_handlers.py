"""What the handlers of Celery's signals share."""

import functools
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

logger = logging.getLogger(__name__)


class RecentIds:
    """A set of ids that forgets the oldest beyond a few thousand."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, item: str) -> None:
        """Remember an id."""
        self._ids[item] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)

    def discard(self, item: str) -> bool:
        """Forget an id; False if it was not known."""
        return self._ids.pop(item, self) is None


class SignalHandlers:
    """Handlers of Celery's signals that are connected and disconnected together.

    Args:
        handlers: The handler of each signal.
    """

    def __init__(self, handlers: Mapping[Any, Callable[..., None]]) -> None:
        self._handlers = handlers

    def connect(self) -> None:
        """Connect all of them; a second call changes nothing."""
        for signal, handler in self._handlers.items():
            signal.connect(handler, weak=False, dispatch_uid=self._uid(signal))

    def disconnect(self) -> None:
        """Disconnect all of them."""
        for signal in self._handlers:
            signal.disconnect(dispatch_uid=self._uid(signal))

    def _uid(self, signal: Any) -> str:
        return f"jobtracker:{id(self)}:{signal.name}"


def never_raises(handler: Callable[..., None]) -> Callable[..., None]:
    """Log a handler's failure in one line: a failure of the tracker is none of the task's."""

    @functools.wraps(handler)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            handler(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 (the task goes on after any error)
            logger.warning("jobtracker: %s failed: %s: %s", handler.__name__, type(error).__name__, error)

    return guarded
