"""What the handlers of Celery's signals share."""

import functools
import logging
from collections import OrderedDict
from collections.abc import Callable
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


def never_raises(handler: Callable[..., None]) -> Callable[..., None]:
    """Log a handler's failure in one line: a failure of the tracker is none of the task's."""

    @functools.wraps(handler)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            handler(*args, **kwargs)
        except Exception as error:  # noqa: BLE001
            logger.warning("jobtracker: %s failed: %s: %s", handler.__name__, type(error).__name__, error)

    return guarded
