"""Listens to the live stream of an API, in a thread, as a browser does."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import httpx

from support.serving import eventually

Json = dict[str, Any]


class Listening:
    """A stream, and what has come of it: `(event, data)` in order.

    Args:
        url: Where the API is.
        last_event_id: Where it goes on.
        headers: Sent with the request.
        params: The query.
    """

    def __init__(
        self, url: str, last_event_id: str | None = None, headers: dict[str, str] | None = None, **params: Any
    ) -> None:
        self.events: list[tuple[str, Json]] = []
        self.pings = 0
        self.last_id = last_event_id
        self.status: int | None = None
        self.has_ended = False
        self._url, self._params, self._headers = url, params, headers or {}
        self._response: httpx.Response | None = None
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        if self._response is not None:
            with contextlib.suppress(Exception):
                stream: Any = self._response.extensions["network_stream"]
                stream.get_extra_info("socket").shutdown(2)
        self._thread.join(10)

    @property
    def names(self) -> list[str]:
        """The names of the events."""
        return [name for name, _ in self.events]

    @property
    def jobs(self) -> list[Json]:
        """The jobs of all events."""
        return [job for name, data in self.events if name == "jobs" for job in data["jobs"]]

    @property
    def ids(self) -> list[str]:
        """Their ids; one that has changed twice stands there twice."""
        return [job["id"] for job in self.jobs]

    def until(self, condition: Callable[[Self], Any]) -> Self:
        """Wait for what is to come."""
        eventually(lambda: condition(self), lambda: f"heard {self.events[-20:]}, status {self.status}")
        return self

    def _listen(self) -> None:
        headers = {**self._headers, **({"Last-Event-ID": self.last_id} if self.last_id else {})}
        try:
            with (
                httpx.Client(timeout=httpx.Timeout(20)) as http,
                http.stream("GET", f"{self._url}/api/events", params=self._params, headers=headers) as response,
            ):
                self._response, self.status = response, response.status_code
                for lines in _blocks(response.iter_text()):
                    self._take(lines)
        except httpx.HTTPError:
            pass
        finally:
            self.has_ended = True

    def _take(self, lines: list[str]) -> None:
        fields = dict(line.split(": ", 1) for line in lines)
        self.last_id = fields.get("id", self.last_id)
        if "data" in fields:
            self.events.append((fields["event"], json.loads(fields["data"])))
        self.pings += "" in fields


def _blocks(pieces: Iterator[str]) -> Iterator[list[str]]:
    rest = ""
    for piece in pieces:
        *blocks, rest = (rest + piece).split("\n\n")
        yield from (block.split("\n") for block in blocks)
