"""The messages between a worker and a confined process: JSON, each behind its length.

Not pickle: a process that has read hostile bytes may be theirs, and to unpickle what it sends would run it.
"""

import json
import os
import struct
from typing import Any

_LENGTH = struct.Struct(">Q")


def packed(message: Any) -> bytes:
    """A message as it is sent."""
    body = json.dumps(message).encode()
    return _LENGTH.pack(len(body)) + body


class FrameTooLargeError(Exception):
    """A message is longer than its reader takes."""


class Inbox:
    """Puts messages together from the bytes that come.

    Args:
        max_bytes: The longest message that is taken.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = bytearray()

    def add(self, data: bytes) -> None:
        """Take what has come."""
        self._bytes += data

    def pop(self) -> Any:
        """The next message; None where it has not come as a whole.

        Raises:
            FrameTooLargeError: It says that it is longer than `max_bytes`.
            ValueError: It is not JSON.
        """
        if len(self._bytes) < _LENGTH.size:
            return None
        [length] = _LENGTH.unpack_from(self._bytes)
        if length > self._max_bytes:
            raise FrameTooLargeError
        end = _LENGTH.size + length
        if len(self._bytes) < end:
            return None
        message = json.loads(self._bytes[_LENGTH.size : end])
        del self._bytes[:end]
        return message


def read_message(fd: int) -> Any:
    """Wait for a message of any length; None where its sender has gone."""
    header = _read_exactly(fd, _LENGTH.size)
    body = header and _read_exactly(fd, _LENGTH.unpack(header)[0])
    return json.loads(body) if body else None


def _read_exactly(fd: int, length: int) -> bytes | None:
    found = bytearray()
    while len(found) < length:
        data = os.read(fd, min(length - len(found), 1 << 20))
        if not data:
            return None
        found += data
    return bytes(found)


def write_message(fd: int, message: Any) -> None:
    """Send a message; waits until all of it is taken.

    Raises:
        BrokenPipeError: Its reader has gone.
    """
    left = memoryview(packed(message))
    while left:
        left = left[os.write(fd, left) :]
