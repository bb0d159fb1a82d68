"""Mails, to a server that speaks SMTP."""

import contextlib
import socketserver
import threading
import time

import pytest

from jobtracker.core.clock import from_ms, now_ms
from jobtracker.schemas.webhooks import Delivery
from jobtracker.webhooks.mail import send_mail


@contextlib.contextmanager
def server_of(handler):
    """A server that handles each connection so, and its address."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def mails():
    """A server that takes what comes, one mail a connection, and its address."""
    taken = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            text, in_data = b"", False
            for line in self.rfile:
                if in_data:
                    in_data = line != b".\r\n"
                    text += line if in_data else b""
                    if not in_data:
                        taken.append(text.decode())
                        self.wfile.write(b"250 taken\r\n")
                elif line.upper().startswith(b"DATA"):
                    in_data = True
                    self.wfile.write(b"354 go on\r\n")
                elif line.upper().startswith(b"QUIT"):
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    self.wfile.write(b"250 ok\r\n")

    with server_of(Handler) as address:
        yield taken, f"smtp://{address}"


def in_s(seconds):
    return time.monotonic() + seconds


def test_a_mail_has_the_message_and_its_id(mails):
    taken, url = mails
    now = from_ms(now_ms())
    body = "summary: it failed\nid: j1"
    delivery = Delivery(id="msg_1", event="job.failed", subject="j1", state="pending", created_at=now, body=body)
    send_mail(url, "jobs@example.com", "mailto:joe@example.com", delivery, in_s(5))
    [mail] = taken
    assert "Subject: [jobtracker] job.failed: summary: it failed" in mail
    assert "To: joe@example.com" in mail
    assert "Message-ID: <msg_1@jobtracker>" in mail
    assert mail.rstrip().endswith("id: j1")


def test_a_password_is_not_sent_in_the_open(mails):
    _, url = mails
    now = from_ms(now_ms())
    delivery = Delivery(id="msg_1", event="e", subject="j1", state="pending", created_at=now, body="x")
    with pytest.raises(OSError, match="no STARTTLS"):
        send_mail(url.replace("//", "//me:secret@"), "jobs@example.com", "mailto:joe@example.com", delivery, in_s(5))


class Dripping(socketserver.StreamRequestHandler):
    """Begins to say something, and goes on with that byte by byte."""

    begins: bytes
    is_over: threading.Event

    def handle(self):
        self.wfile.write(self.begins)
        while not self.is_over.wait(0.02):
            try:
                self.wfile.write(b"2")
            except OSError:
                return


@pytest.mark.parametrize(("scheme", "begins"), [("smtp", b"220 "), ("smtps", b"\x16\x03\x03\x40\x00")])
def test_a_server_that_does_not_come_to_an_end_with_its_greeting_is_cut_off(scheme, begins):
    now = from_ms(now_ms())
    delivery = Delivery(id="msg_1", event="e", subject="j1", state="pending", created_at=now, body="x")
    handler = type("Handler", (Dripping,), {"begins": begins, "is_over": threading.Event()})
    with server_of(handler) as address:
        try:
            with pytest.raises(TimeoutError, match="took too long"):
                send_mail(f"{scheme}://{address}", "jobs@example.com", "mailto:joe@example.com", delivery, in_s(0.5))
        finally:
            handler.is_over.set()


def test_a_mail_that_was_taken_is_sent_whatever_is_said_at_the_end():
    taken = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                if line.upper().startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    while self.rfile.readline() != b".\r\n":
                        pass
                    taken.append(line)
                elif line.upper().startswith(b"QUIT"):
                    self.wfile.write(b"421 not now\r\n")
                    return
                self.wfile.write(b"250 ok\r\n")

    now = from_ms(now_ms())
    delivery = Delivery(id="msg_1", event="e", subject="j1", state="pending", created_at=now, body="x")
    with server_of(Handler) as address:
        send_mail(f"smtp://{address}", "jobs@example.com", "mailto:joe@example.com", delivery, in_s(5))
    assert len(taken) == 1


def test_a_server_that_answers_byte_by_byte_is_cut_off_and_gets_no_mail():
    taken, is_over = [], threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            taken.append(self.rfile.readline())
            while not is_over.wait(0.02):
                try:
                    self.wfile.write(b"x")
                except OSError:
                    return

    now = from_ms(now_ms())
    delivery = Delivery(id="msg_1", event="e", subject="j1", state="pending", created_at=now, body="x")
    with server_of(Handler) as address:
        try:
            url = f"smtp://{address}"
            with pytest.raises(TimeoutError, match="took too long"):
                send_mail(url, "jobs@example.com", "mailto:joe@example.com", delivery, in_s(0.3))
            with pytest.raises(TimeoutError, match="took too long"):
                send_mail(url, "jobs@example.com", "mailto:joe@example.com", delivery, in_s(0))
        finally:
            is_over.set()
    assert len(taken) == 1
    assert taken[0].startswith(b"ehlo")
