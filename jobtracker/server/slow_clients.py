"""Connections that nobody uses are closed: uvicorn closes those that are idle after an answer, and no others."""

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol
else:
    Protocol = AutoHTTPProtocol

_LOOKS = 4
"""How often a connection is looked at in the time that its client has."""


class PatientProtocol(Protocol):
    """HTTP whose clients have API_CLIENT_TIMEOUT_S: to send the head of a request, and to read some of an answer.

    Each connection is looked at from time to time, so that requests cost nothing. How long a body may take is
    `jobtracker.server.bodies`' concern.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to look."""
        super().connection_made(transport)
        self._interval_s: float = self.app_state.get("client_timeout_s", 20.0) / _LOOKS
        self._seen: Any = None
        self._unread_bytes = 0
        self._has_read = False
        self._stalled = 0
        self._next_look = self.loop.call_later(self._interval_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """End to look."""
        self._next_look.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """The client has read nearly all that there was to read."""
        self._has_read = True
        super().resume_writing()

    def _look(self) -> None:
        self._stalled = self._stalled + 1 if self._is_stalled() else 0
        if self._stalled >= _LOOKS:
            self.transport.abort()
        else:
            self._next_look = self.loop.call_later(self._interval_s, self._look)

    def _is_stalled(self) -> bool:
        """Whether the client owes something, and has done nothing since the last look."""
        same, self._seen = self.cycle is self._seen, self.cycle
        before, self._unread_bytes = self._unread_bytes, self.transport.get_write_buffer_size()
        has_read, self._has_read = self._has_read, False
        if self._unread_bytes:
            return 0 < before <= self._unread_bytes and not has_read
        return same and (self.cycle is None or self.cycle.response_complete)
