"""Mails, by SMTP."""

import contextlib
import os
import smtplib
import socket
import ssl
import threading
import time
from email.message import EmailMessage
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from jobtracker.schemas.webhooks import Delivery

_PORTS = {"smtp": 587, "smtps": 465}


def send_mail(smtp_url: str, sender: str, url: str, delivery: Delivery, ends_at: float) -> None:
    """Send a delivery as a mail, before some time; after that, nothing more is sent.

    Args:
        smtp_url: smtp://user:password@host:port (STARTTLS, if the server has it), or smtps://… (TLS at once).
        sender: From whom it is.
        url: mailto:somebody@example.com.
        delivery: The delivery; its first line is the subject.
        ends_at: Until when all of it may take, by `time.monotonic`.

    Raises:
        TimeoutError: It took longer.
        OSError: The server does not take it (`smtplib.SMTPException` is one).
    """
    try:
        _send(smtp_url, sender, url, delivery, ends_at)
    except OSError as error:
        if time.monotonic() >= ends_at:
            raise TimeoutError("the mail server took too long.") from error
        raise


def _send(smtp_url: str, sender: str, url: str, delivery: Delivery, ends_at: float) -> None:
    parts = urlsplit(smtp_url)
    host, port = parts.hostname or "localhost", parts.port or _PORTS[parts.scheme]
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, unquote(urlsplit(url).path)
    mail["Subject"] = f"[jobtracker] {delivery.event}: {' '.join(delivery.body.splitlines()[:1])[:150]}"
    mail["Message-ID"] = f"<{delivery.id}@jobtracker>"
    mail.set_content(delivery.body)
    context = ssl.create_default_context()
    with _Cut(ends_at) as cut:
        if parts.scheme == "smtps":
            server: smtplib.SMTP = _CutOffTls(cut, host, port, context=context)
        else:
            server = _CutOff(cut, host, port)
        with contextlib.closing(server):
            if parts.scheme == "smtp":
                server.ehlo()
                if server.has_extn("starttls"):
                    server.starttls(context=context)
                elif parts.username:
                    raise smtplib.SMTPException("it has no STARTTLS: the password would be readable on its way.")
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(mail)
            with contextlib.suppress(OSError):  # it has the mail
                server.quit()


class _Cut:
    """Closes a connection when its time is over. A socket's own timeout starts anew with each byte of an answer."""

    def __init__(self, ends_at: float) -> None:
        self.left_s = _left_s(ends_at)
        self._timer = threading.Timer(self.left_s, self._cut)
        self._same: socket.socket | None = None

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._same is not None:
            self._same.close()

    def watch(self, connection: socket.socket) -> None:
        """Say which connection it is."""
        self._same = socket.socket(fileno=os.dup(connection.fileno()))  # stays the same when TLS begins

    def _cut(self) -> None:
        if self._same is not None:  # else nothing waits but to connect, and that has a time limit
            with contextlib.suppress(OSError):
                self._same.shutdown(socket.SHUT_RDWR)


class _CutOff(smtplib.SMTP):
    """Cut off from its greeting on: `smtplib` waits for that while the object is made."""

    def __init__(self, cut: _Cut, host: str, port: int) -> None:
        self.cut = cut
        super().__init__(host, port, timeout=cut.left_s)

    def _get_socket(self, *address: Any) -> socket.socket:
        connection: socket.socket = super()._get_socket(*address)  # type: ignore[misc]  # not in typeshed
        self.cut.watch(connection)
        return connection


class _CutOffTls(smtplib.SMTP_SSL, _CutOff):
    """The same; TLS begins behind `_CutOff._get_socket`."""

    def __init__(self, cut: _Cut, host: str, port: int, *, context: ssl.SSLContext) -> None:
        self.cut = cut
        smtplib.SMTP_SSL.__init__(self, host, port, timeout=cut.left_s, context=context)


def _left_s(ends_at: float) -> float:
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("its time is over.")
    return left_s
