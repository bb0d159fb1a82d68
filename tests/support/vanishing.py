"""A server that vanishes as a killed container does: what is sent to it is never answered, and nobody says so."""

import socket
import threading
from contextlib import suppress
from typing import Self

from jobtracker.local.embedded_redis import EmbeddedRedis


class VanishingServer:
    """Stands before a server on loopback, and passes everything on until it vanishes.

    Args:
        server: The server.
    """

    def __init__(self, server: EmbeddedRedis) -> None:
        self._server = server
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self._sockets: list[socket.socket] = []
        self._has_vanished = False
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def vanish(self) -> None:
        """Answer nothing any more: neither on open connections nor to who connects."""
        self._has_vanished = True
        with suppress(OSError):  # until it is full, the kernel answers who connects in the listener's place
            while True:
                waiting = socket.socket()
                self._sockets.append(waiting)
                waiting.settimeout(0.3)
                waiting.connect(self._listener.getsockname())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._has_vanished = True
        for each in [self._listener, *self._sockets]:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._has_vanished:
                inner, _ = self._listener.accept()
                outer = socket.create_connection(("127.0.0.1", self._server.port))
                self._sockets += [inner, outer]
                for pair in ((inner, outer), (outer, inner)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while (data := source.recv(65536)) and not self._has_vanished:
                target.sendall(data)
