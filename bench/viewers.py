"""Connections that listen to the live stream, and, if they stand for pages on the list, ask what such a page asks.

A page asks again after an event, at the pace of `web/src/live/useLive.ts`. What no event tells of, it asks for every
ten seconds, or more seldom if many listen. It says which event it has heard of, and which answer it has.
"""

import contextlib
import random
import re
import selectors
import socket
import threading
import time
from collections.abc import Iterator

_FOLLOWED = {"/api/jobs/?page_size=100": 1.0, "/api/tracking/stats": 2.5}
"""What a page asks for after an event; the least pause, in seconds. While changes go on it is twice as long."""
_BY_CLOCK = ("/api/tracking/worker-stats", "/api/tracking/queue-depth", "/api/tracking/health")
_CLOCK_S = 10.0
_TICK_S = 0.05
_REST = re.compile(rb'"rest_ms":(\d+)')
_JOB = re.compile(rb'"id":"(\d+)"')
_EVENT_ID = re.compile(rb"\nid: (\S+)\n")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_TAG = re.compile(rb"etag: (\S+)", re.IGNORECASE)


class Heard:
    """What viewers have heard and asked: how many events, how many answers, and when a job was first heard of."""

    def __init__(self) -> None:
        self.events = 0
        self.answers = 0
        self.same = 0
        """Answers that were known (304)."""
        self.at: dict[int, float] = {}


class Viewer:
    """One that listens.

    Args:
        port: Of the API.
        heard: What all viewers have heard.
        notes: Whether it notes when it hears of a job.
    """

    def __init__(self, port: int, heard: Heard, *, notes: bool) -> None:
        self.heard = heard
        self.stream = socket.create_connection(("127.0.0.1", port))
        self.stream.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self._notes = notes
        self._rest = b""

    def listen(self) -> bytes:
        """Take what has come."""
        received = self.stream.recv(1 << 18)
        self.heard.events += received.count(b"event: jobs")
        if self._notes:
            now = time.monotonic()
            for job in _JOB.findall(self._rest + received):
                self.heard.at.setdefault(int(job), now)
            self._rest = received[-40:]
        return received


class Page(Viewer):
    """One that listens, and asks what a page asks that shows the list."""

    def __init__(self, port: int, heard: Heard, *, notes: bool) -> None:
        super().__init__(port, heard, notes=notes)
        self.asking = socket.create_connection(("127.0.0.1", port))
        self.asking.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._seen = b""
        self._wanted: set[str] = set()
        self._rest_s = 0.0
        self._due = dict.fromkeys(_FOLLOWED, 0.0)
        self._clock_at = time.monotonic() + random.uniform(0, _CLOCK_S)
        self._tags: dict[str, bytes] = {}
        self._path: str | None = None
        self._received = b""

    def listen(self) -> bytes:
        """Take what has come, and ask again where something has changed."""
        received = super().listen()
        if ids := _EVENT_ID.findall(received):
            self._seen = ids[-1]
        if b"event: jobs" in received:
            self._wanted |= _FOLLOWED.keys()
        if rests := _REST.findall(received):
            self._rest_s = int(rests[-1]) / 1000
        return received

    def step(self, now: float) -> None:
        """Ask for what is due."""
        if now >= self._clock_at:
            self._clock_at = now + max(_CLOCK_S, 4 * self._rest_s)
            self._wanted |= set(_BY_CLOCK)
        if self._path is None:
            self._path = next((path for path in self._wanted if self._due.get(path, 0.0) <= now), None)
            if self._path is not None:
                self._wanted.discard(self._path)
                self._ask(self._path)

    def _ask(self, path: str) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n".encode()
        if self._seen:
            head += b"Last-Event-ID: " + self._seen + b"\r\n"
        if tag := self._tags.get(path):
            head += b"If-None-Match: " + tag + b"\r\n"
        self.asking.sendall(head + b"\r\n")

    def take(self) -> None:
        """Take some of an answer."""
        self._received += self.asking.recv(1 << 20)
        head, _, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not body and length is None and b"\r\n\r\n" not in self._received:
            return
        if len(body) < (int(length[1]) if length else 0):
            return
        path, self._path, self._received = self._path, None, b""
        assert path is not None
        if tag := _TAG.search(head):
            self._tags[path] = tag[1]
        self.heard.answers += 1
        self.heard.same += b" 304 " in head[:16]
        if path in self._due:
            rest_s = max(2 * _FOLLOWED[path], self._rest_s)
            self._due[path] = time.monotonic() + rest_s * random.uniform(0.75, 1.25)


@contextlib.contextmanager
def watching(port: int, viewers: int, *, pages: bool = False) -> Iterator[Heard]:
    """So many viewers, or pages, until the end of the block; one of them notes what it hears."""
    heard, stop = Heard(), threading.Event()
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        all_pages: list[Page] = []
        for number in range(viewers):
            viewer = (Page if pages else Viewer)(port, heard, notes=number == 0)
            stack.enter_context(viewer.stream)
            selector.register(viewer.stream, selectors.EVENT_READ, viewer.listen)
            if isinstance(viewer, Page):
                all_pages.append(viewer)
                stack.enter_context(viewer.asking)
                selector.register(viewer.asking, selectors.EVENT_READ, viewer.take)
        thread = threading.Thread(target=_run, args=(selector, all_pages, stop))
        thread.start()
        try:
            yield heard
        finally:
            stop.set()
            thread.join()


def _run(selector: selectors.BaseSelector, pages: list[Page], stop: threading.Event) -> None:
    stepped_at = 0.0
    while not stop.is_set():
        if not selector.get_map():
            stop.wait(0.1)
            continue
        for key, _ in selector.select(timeout=_TICK_S):
            key.data()
        now = time.monotonic()
        if now - stepped_at >= _TICK_S:
            stepped_at = now
            for page in pages:
                page.step(now)
