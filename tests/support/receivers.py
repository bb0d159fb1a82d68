"""A receiver of webhooks: a real HTTP server on this machine, which does what a test wants."""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from standardwebhooks.webhooks import Webhook


class Received(NamedTuple):
    """A message."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> Any:
        """What it says; an error where its signature is not of that secret."""
        return Webhook(secret).verify(self.body, self.headers)


Answer = tuple[int, dict[str, str]]


class Receiver:
    """What came in, and what is answered."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], Answer] = lambda _: (204, {})
        self.url = ""

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.received]


def slowly(seconds: float) -> Callable[[Received], Answer]:
    def answer(_: Received) -> Answer:
        time.sleep(seconds)
        return 204, {}

    return answer


@contextlib.contextmanager
def receiving(
    host: str = "127.0.0.1", port: int = 0, *, certificate: Path | None = None, key: Path | None = None
) -> Iterator[Receiver]:
    """A receiver, until the context ends; with TLS, if it has a certificate."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            message = Received(self.path, headers, body)
            receiver.received.append(message)
            status, more = receiver.answer(message)
            with contextlib.suppress(OSError):
                self.send_response(status)
                for name, value in {"Content-Length": "0", **more}.items():
                    self.send_header(name, value)
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients may leave as they like
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.url = f"http://{host}:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
