"""Mails, by SMTP."""

import contextlib
import os
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage
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
    timeout_s = _left_s(ends_at)
    with (
        (
            smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=context)
            if parts.scheme == "smtps"
            else smtplib.SMTP(host, port, timeout=timeout_s)
        ) as server,
        _cut_off(server, ends_at),
    ):
        if parts.scheme == "smtp":
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
            elif parts.username:
                raise smtplib.SMTPException("it has no STARTTLS: the password would be readable on its way.")
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(mail)


@contextlib.contextmanager
def _cut_off(server: smtplib.SMTP, ends_at: float) -> Iterator[None]:
    """Cut off a connection when its time is over, whatever it waits for: a server may answer byte by byte."""
    if server.sock is None:
        raise smtplib.SMTPServerDisconnected("it has hung up.")
    with socket.socket(fileno=os.dup(server.sock.fileno())) as same:  # stays the same when TLS begins

        def cut() -> None:
            with contextlib.suppress(OSError):
                same.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(_left_s(ends_at), cut)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _left_s(ends_at: float) -> float:
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("its time is over.")
    return left_s
