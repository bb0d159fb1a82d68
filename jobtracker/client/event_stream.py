"""Reads the stream of events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from jobtracker.schemas.events import LiveEvent

PING = "ping"
"""The name of an event that says nothing but that the stream lives, and where it is."""


class EventDecoder:
    """Makes events of the bytes of the stream, as our API writes it: lines that end in a line feed.

    Args:
        last_event_id: The event after which the stream goes on.
    """

    def __init__(self, last_event_id: str | None = None) -> None:
        self._last_id = last_event_id or ""
        self._rest = b""

    def feed(self, piece: bytes) -> list[LiveEvent]:
        """The events that are whole now.

        Raises:
            ValueError: It is no stream of our API.
        """
        *blocks, self._rest = (self._rest + piece).replace(b"\r\n", b"\n").split(b"\n\n")
        return [self._event(block.decode()) for block in blocks]

    def _event(self, block: str) -> LiveEvent:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        self._last_id = fields.get("id", self._last_id)
        if "data" not in fields:
            return LiveEvent(event=PING, id=self._last_id)
        told = LiveEvent.model_validate_json(fields["data"])
        told.event, told.id = fields.get("event", "message"), self._last_id
        return told
