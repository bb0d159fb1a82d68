"""Calls of the store that are packed first and sent together, so that the server is measured and not its client."""

import select
import socket

_END = b"the-end"
_TAIL = b"$%d\r\n%b\r\n" % (len(_END), _END)
_ECHO = b"*2\r\n$4\r\nECHO\r\n" + _TAIL


class NotSentError(Exception):
    """There is no answer to a call that was only packed."""


class Packer:
    """Stands in for the client of a `JobStore`, and keeps what it is to send; there are no answers."""

    def __init__(self) -> None:
        self.connection_pool = self
        self._packed: list[bytes] = []

    def take(self) -> bytes:
        """What was to be sent."""
        packed, self._packed = b"".join(self._packed), []
        return packed

    # -- as a pool of connections, and a connection

    def get_connection(self) -> "Packer":
        """The one there is."""
        return self

    def send_packed_command(self, commands: list[bytes]) -> None:
        """Keep them."""
        self._packed += commands

    def read_response(self, *, disable_decoding: bool) -> None:  # noqa: ARG002 (as redis-py has it)
        """Raise an error."""
        raise NotSentError

    def disconnect(self) -> None:
        """Do nothing."""

    def release(self, connection: "Packer") -> None:
        """Do nothing."""


def send(port: int, commands: bytes) -> None:
    """Send commands to a server of the loopback interface, and read all answers, without making anything of them.

    Raises:
        RuntimeError: One of them is an error.
    """
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setblocking(False)
        rest, tail = memoryview(commands + _ECHO), b""
        while not tail.endswith(_TAIL):
            readable, writable, _ = select.select([connection], [connection] if rest else [], [])
            if writable:
                rest = rest[connection.send(rest) :]
            if readable:
                answers = tail + connection.recv(1 << 20)
                if b"\n-" in answers or answers.startswith(b"-"):
                    raise RuntimeError(f"the server has refused a call: {answers[:300]!r}")
                tail = answers[-len(_TAIL) :]
