"""What was looked up a moment ago: bounded, and never older than it may be."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Looks something up in a thread, once for all who ask for the same at the same time.

    Args:
        read: Looks it up; it may block.
        kept_s: How long an answer is used again, in seconds.
        most: How many answers are kept.
    """

    def __init__(self, read: Callable[[K], V], kept_s: float, most: int) -> None:
        self._read = read
        self._kept_s = kept_s
        self._most = most
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._reading: dict[K, asyncio.Task[V]] = {}
        self._lock = threading.Lock()
        """Of both: any thread may `forget`."""

    async def get(self, key: K) -> V:
        """What is known of it. What looking it up raises is raised to all who wait for it, and not kept."""
        found = self._kept.get(key)
        if found is not None and asyncio.get_running_loop().time() < found[0]:
            return found[1]
        with self._lock:
            reading = self._reading.get(key)
            if reading is None:
                reading = self._reading[key] = asyncio.create_task(self._look_up(key))
                reading.add_done_callback(lambda task: self._done(key, task))
        return await asyncio.shield(reading)

    def forget(self, key: K | None = None) -> None:
        """Look one up anew, or everything: it has changed. What is being looked up is not kept."""
        with self._lock:
            if key is None:
                self._kept.clear()
                self._reading.clear()
            else:
                self._kept.pop(key, None)
                self._reading.pop(key, None)

    async def _look_up(self, key: K) -> V:
        until = asyncio.get_running_loop().time() + self._kept_s
        value = await asyncio.to_thread(self._read, key)
        with self._lock:
            if self._reading.get(key) is asyncio.current_task():
                self._kept.pop(key, None)
                self._kept[key] = until, value
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return value

    def _done(self, key: K, task: asyncio.Task[V]) -> None:
        with self._lock:
            if self._reading.get(key) is task:
                del self._reading[key]
        if not task.cancelled():
            task.exception()  # those who wait have it; nobody may wait any more
