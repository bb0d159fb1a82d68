"""Signatures as Standard Webhooks has them (https://www.standardwebhooks.com): HMAC-SHA256 of id, time and body."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

from jobtracker.schemas.webhooks import WebhookSecret

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A secret that nobody has guessed."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def in_use(found: Iterable[WebhookSecret], now: datetime) -> list[WebhookSecret]:
    """The secrets that still sign."""
    return [each for each in found if each.expires_at is None or each.expires_at > now]


def headers_of(message_id: str, body: bytes, found: Iterable[WebhookSecret], now: datetime) -> dict[str, str]:
    """The headers of a message: its id, the time of this attempt, and a signature by each secret."""
    at = str(int(now.timestamp()))
    signed = f"{message_id}.{at}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(_signature(each.secret, signed) for each in found),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
