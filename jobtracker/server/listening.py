"""A listening socket that outlives this process: another one holds it, and hands it over (docker-compose.yml).

The kernel queues connections to it. Whoever has the socket takes them from there, so an API can end while another one
goes on, and nobody is refused in between.
"""

import logging
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from jobtracker.errors import JobTrackerError

logger = logging.getLogger("jobtracker.server")

WAIT_S = 20.0
"""How long the holder may take to be there."""

_RETRY_S = 0.2
_BYTE = 1


class ListenerError(JobTrackerError):
    """Nobody hands over a listening socket."""


class HandedSocket:
    """The listening socket, which is the holder's too, and the connection that ends with the holder.

    Args:
        path: The Unix socket of the holder (API_LISTENER).
        wait_s: How long it may take to be there, in seconds.

    Attributes:
        socket: The listening socket.
        is_shared: Other processes have it too, and accept from it.

    Raises:
        ListenerError: It is not there, or hands over nothing.
    """

    def __init__(self, path: Path, wait_s: float = WAIT_S) -> None:
        self._path = path
        self._holder = _connected(path, wait_s)
        self._holder.settimeout(wait_s)
        try:
            others, descriptors, _, _ = socket.recv_fds(self._holder, _BYTE, 1)
            (descriptor,) = descriptors
        except (OSError, ValueError) as error:
            self._holder.close()
            raise ListenerError(f"API_LISTENER: {path} hands over no socket: {error}.") from error
        self._holder.settimeout(None)
        self.socket = socket.socket(fileno=descriptor)
        self.socket.set_inheritable(True)
        self.is_shared = others != b"\0"

    def stop_with_holder(self) -> None:
        """Tell this process to stop when the holder ends: connections go to another socket then."""
        threading.Thread(target=self._wait_for_the_end, name="listener", daemon=True).start()

    def close(self) -> None:
        """Give up both; the holder keeps the listening socket."""
        self.socket.close()
        with suppress(OSError):
            self._holder.shutdown(socket.SHUT_RDWR)
        self._holder.close()

    def _wait_for_the_end(self) -> None:
        with suppress(OSError):
            self._holder.recv(_BYTE)
        if self._holder.fileno() >= 0:
            logger.warning("listener_ended", extra={"path": str(self._path)})
            os.kill(os.getpid(), signal.SIGTERM)


def _connected(path: Path, wait_s: float) -> socket.socket:
    deadline = time.monotonic() + wait_s
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError as error:
            connection.close()
            if time.monotonic() > deadline:
                raise ListenerError(
                    f"API_LISTENER: nobody listens at {path} ({error.strerror}). Start what holds the port."
                ) from error
            time.sleep(_RETRY_S)
        else:
            return connection
