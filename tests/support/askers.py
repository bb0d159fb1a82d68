"""Clients that ask an API all the time, while something is done to it."""

import http.client
import threading
import time

_PAUSE_S = 0.02


class Asker(threading.Thread):
    """A client that asks by one connection as long as it is open, or by a new one each time.

    Args:
        port: Where the API listens on this machine.
        path: What it asks for.
        keeps: Keep the connection.

    Attributes:
        answered: How many answers came.
        errors: What was no 200: a status, or an error.
        done: Set it to end.
    """

    def __init__(self, port: int, path: str, *, keeps: bool) -> None:
        super().__init__()
        self.answered, self.errors, self.done = 0, list[str](), threading.Event()
        self._port, self._path, self._keeps = port, path, keeps

    def run(self) -> None:
        connection = None
        while not self.done.is_set():
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
                connection.request("GET", self._path)
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.errors.append(str(response.status))
                self.answered += 1
                if response.will_close or not self._keeps:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
                connection = None
            time.sleep(_PAUSE_S)
        if connection:
            connection.close()
