"""Runs checks within a time limit. One that takes longer is not waited for, nor begun a second time meanwhile."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from jobtracker.schemas.health import Component

Check = Callable[[], Component]


class TimelyChecks:
    """Runs the checks of one process, each in a thread of its own.

    The limits of sockets do not bound a check: to look a name up may take several seconds when its server is gone, a
    name may have several addresses, and a slow server answers each of several questions just in time.
    """

    def __init__(self) -> None:
        self._running: dict[str, Future[Component]] = {}
        self._lock = threading.Lock()

    def run(self, checks: Mapping[str, Check], limit_s: float) -> dict[str, Component]:
        """Run checks at the same time; returns what they found, in their order.

        Args:
            checks: By the names of what they check.
            limit_s: After so long, what has not answered is not healthy.

        Raises:
            Exception: A check raised it.
        """
        deadline = time.monotonic() + limit_s
        futures = {name: self._begin(name, check) for name, check in checks.items()}
        return {name: self._found(future, deadline, limit_s) for name, future in futures.items()}

    def _begin(self, name: str, check: Check) -> Future[Component]:
        with self._lock:
            if (running := self._running.get(name)) is not None:
                return running
            future: Future[Component] = Future()
            self._running[name] = future
        threading.Thread(target=self._run, args=(name, check, future), name=f"check-{name}", daemon=True).start()
        return future

    def _run(self, name: str, check: Check, future: Future[Component]) -> None:
        try:
            found, error = check(), None
        except BaseException as raised:  # noqa: BLE001 (raised again where it is waited for)
            found, error = None, raised
        with self._lock:
            del self._running[name]
        if error is not None:
            future.set_exception(error)
        elif found is not None:
            future.set_result(found)

    @staticmethod
    def _found(future: Future[Component], deadline: float, limit_s: float) -> Component:
        try:
            return future.result(timeout=max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            return Component(healthy=False, detail=f"it has not answered within {limit_s:g} s")
