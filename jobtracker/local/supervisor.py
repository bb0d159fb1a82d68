"""Runs several services as one: they end together, in order, and none is restarted silently."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Protocol

from jobtracker.errors import JobTrackerError
from jobtracker.local.child_process import never

_POLL_INTERVAL_S = 0.1
# A signal to the process group comes twice when the parent, such as make, hands its own on.
_ONE_REQUEST_S = 0.5


class StopRequestedError(JobTrackerError):
    """Somebody asked the services to end: a signal, or `Supervisor.request_stop`."""

    def __init__(self) -> None:
        super().__init__("Stopped on request.")


class Service(Protocol):
    """What can be supervised; `start` is its owner's business."""

    def check(self) -> None:
        """Do nothing while it runs, raise `ProcessError` when it has ended on its own."""

    def stop(self, *, is_urgent: Callable[[], bool]) -> object:
        """End it; once `is_urgent()`, at once."""


class Supervisor:
    """Watches over services that have been started and ends them in the reverse order."""

    def __init__(self) -> None:
        self._services: list[Service] = []
        self._endings = ExitStack()
        self._stop_requested_at_s: float | None = None
        self._is_urgent = False

    def add(self, service: Service) -> None:
        """Take a running service under supervision."""
        self._services.append(service)
        self._endings.callback(service.stop, is_urgent=lambda: self._is_urgent)

    def request_stop(self) -> None:
        """Ask for the end; asked once more, what still takes its time is killed. Signal handlers may call this."""
        now_s = time.monotonic()
        if self._stop_requested_at_s is None:
            self._stop_requested_at_s = now_s
        elif now_s - self._stop_requested_at_s > _ONE_REQUEST_S:
            self._is_urgent = True

    def check(self) -> None:
        """Do nothing while all is well.

        Raises:
            StopRequestedError: The end was asked for.
            ProcessError: A service has ended on its own; the message says which one and why.
        """
        if self._stop_requested_at_s is not None:
            raise StopRequestedError
        for service in self._services:
            service.check()

    def watch(self, *, until: Callable[[], bool] = never, timeout_s: float = float("inf")) -> bool:
        """Watch over the services until something comes true or the time is over.

        Returns:
            Whether it came true.

        Raises:
            StopRequestedError: The end was asked for.
            ProcessError: A service has ended on its own.
        """
        deadline = time.monotonic() + timeout_s
        while not until():
            self.check()
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_INTERVAL_S)
        return True

    def stop(self) -> None:
        """End all services, the last one first; an error in one does not spare the others."""
        self._services.clear()
        self._endings.close()


@contextmanager
def stop_on_signals(request_stop: Callable[[], None]) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into stop requests, so that none of them can interrupt the ending itself."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        request_stop()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
