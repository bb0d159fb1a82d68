"""Sessions of people who have logged in to the page with an API key. The cookie's value is not stored."""

import json
import re
import secrets

from jobtracker.connection.client import RedisClient
from jobtracker.store.api_keys import Credential, digest_of
from jobtracker.store.keys import Keys

TOKEN = re.compile(r"[0-9a-f]{64}")
"""The form of a cookie's value."""


class Sessions:
    """Sessions: each stands for one secret of one API key, and ends with it at the latest.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._part = keys.parts[0]

    def open(self, shown: Credential, for_s: int) -> str:
        """Begin a session; returns the cookie's value."""
        token = secrets.token_hex(32)
        self._client.set(self._key(token), json.dumps(shown), ex=for_s)
        return token

    def find(self, token: str) -> Credential | None:
        """What somebody has logged in with; None where the session is over."""
        text = self._client.get(self._key(token))
        return Credential(*json.loads(text)) if text else None

    def close(self, token: str) -> None:
        """End a session."""
        self._client.delete(self._key(token))

    def _key(self, token: str) -> str:
        return self._part("session", digest_of(token))
