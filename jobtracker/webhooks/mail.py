"""Mails, by SMTP."""

import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from jobtracker.schemas.webhooks import Delivery

_PORTS = {"smtp": 587, "smtps": 465}


def send_mail(smtp_url: str, sender: str, url: str, delivery: Delivery, timeout_s: float) -> None:
    """Send a delivery as a mail.

    Args:
        smtp_url: smtp://user:password@host:port (STARTTLS, if the server has it), or smtps://… (TLS at once).
        sender: From whom it is.
        url: mailto:somebody@example.com.
        delivery: The delivery; its first line is the subject.
        timeout_s: How long each step may take.

    Raises:
        OSError: The server does not take it (`smtplib.SMTPException` is one).
    """
    parts = urlsplit(smtp_url)
    host, port = parts.hostname or "localhost", parts.port or _PORTS[parts.scheme]
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, unquote(urlsplit(url).path)
    mail["Subject"] = f"[jobtracker] {delivery.event}: {' '.join(delivery.body.splitlines()[:1])[:150]}"
    mail["Message-ID"] = f"<{delivery.id}@jobtracker>"
    mail.set_content(delivery.body)
    context = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=context)
        if parts.scheme == "smtps"
        else smtplib.SMTP(host, port, timeout=timeout_s)
    ) as server:
        if parts.scheme == "smtp":
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
            elif parts.username:
                raise smtplib.SMTPException("it has no STARTTLS: the password would be readable on its way.")
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(mail)
