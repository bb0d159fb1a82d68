"""Closes connections that clients do not use. uvicorn itself closes only those that are idle after an answer."""

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol
else:
    Protocol = AutoHTTPProtocol

_LOOKS = 4
"""How often a connection is checked within API_CLIENT_TIMEOUT_S."""


_LAST_REQUEST_S = 2.0
"""How long a client that is connected may still begin a request when the server stops and others go on."""


class PatientProtocol(Protocol):
    """HTTP with API_CLIENT_TIMEOUT_S for clients: to send the head of a request, or to read some of an answer.

    Each connection is checked from time to time, so that requests cost nothing. `jobtracker.server.bodies` limits the
    time for bodies.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to check the connection."""
        super().connection_made(transport)
        self._interval_s: float = self.app_state.get("client_timeout_s", 20.0) / _LOOKS
        self._seen: Any = None
        self._unread_bytes = 0
        self._has_read = False
        self._stalled = 0
        self._is_ending = False
        self._next_look = self.loop.call_later(self._interval_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the checks."""
        self._next_look.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server is about to stop: streams that would not end by themselves end now."""
        if hub := self.app_state.get("hub"):
            hub.end()
        if self.app_state.get("others_listen") and (self.cycle is None or self.cycle.response_complete):
            # A client may be sending its next request just now, which would meet a closed connection. It gets an
            # answer that ends the connection; then the client makes another one, which others accept.
            self._is_ending = True
            self.loop.call_later(_LAST_REQUEST_S, super().shutdown)
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Some of a request has come."""
        super().data_received(data)
        if self._is_ending and self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

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
        """Whether it is the client's turn, and the client has done nothing since the last check."""
        same, self._seen = self.cycle is self._seen, self.cycle
        before, self._unread_bytes = self._unread_bytes, self.transport.get_write_buffer_size()
        has_read, self._has_read = self._has_read, False
        if self._unread_bytes:
            return 0 < before <= self._unread_bytes and not has_read
        return same and (self.cycle is None or self.cycle.response_complete)
