"""API keys: who may ask the API for what. Secrets are not stored, only their digests."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple

from jobtracker.connection.client import RedisClient
from jobtracker.core.access import Principal, PrincipalKind
from jobtracker.core.clock import from_ms, now_ms
from jobtracker.errors import ApiKeyNotFoundError, TooManyApiKeysError
from jobtracker.schemas.api_keys import ApiKey, Grant, IssuedKey, KeyState
from jobtracker.store.keys import Keys

MOST_KEYS = 1000
"""API keys that a store has, revoked and expired ones included."""

USED_EVERY_MS = 60_000
"""The use of a key is noted no more often."""

_KEY = re.compile(r"jt_([0-9a-f]{12})_([0-9a-f]{64})")
_SECRET_BYTES = 32  # 256 random bits: nobody guesses them, so a fast digest is enough


class Credential(NamedTuple):
    """An API key as somebody shows it, without the secret itself."""

    key_id: str
    digest: str
    """The SHA-256 of the secret, hexadecimal."""

    @classmethod
    def read(cls, text: str) -> "Credential | None":
        """What a text `jt_<id>_<secret>` says; None where it is no key."""
        found = _KEY.fullmatch(text)
        return cls(found[1], digest_of(found[2])) if found else None


class KnownKey(NamedTuple):
    """A key whose secret fits, perhaps one that is not accepted any more.

    Attributes:
        key: The key.
        until_ms: Until when this secret of it is accepted, ms; None: it does not end.
    """

    key: ApiKey
    until_ms: int | None
    principal: Principal
    """Who shows it."""

    def state_at(self, at_ms: int) -> KeyState:
        """What it is worth at a time."""
        if self.key.revoked_at:
            return KeyState.REVOKED
        return KeyState.EXPIRED if self.until_ms is not None and at_ms >= self.until_ms else KeyState.ACTIVE


class _Stored(Grant):
    """What is stored of a key, for good; the rest stands in fields of its own, so that no change undoes another."""

    created_ms: int


class ApiKeys:
    """The API keys of a store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._all, self._used = keys("api_keys"), keys("api_keys_used")

    def create(self, grant: Grant) -> IssuedKey:
        """Make a key; the answer has its secret, which is nowhere else.

        Args:
            grant: Whose it is, and what its bearer may do.

        Raises:
            TooManyApiKeysError: There are `MOST_KEYS` already.
        """
        if len(self.all()) >= MOST_KEYS:
            raise TooManyApiKeysError(MOST_KEYS)
        key_id, secret = secrets.token_hex(6), secrets.token_hex(_SECRET_BYTES)
        wanted = {name: getattr(grant, name) for name in Grant.model_fields}
        stored = _Stored(**wanted, created_ms=now_ms())
        fields = {key_id: stored.model_dump_json(), _secret_field(key_id, digest_of(secret)): ""}
        self._client.hset(self._all, mapping=fields)
        return self._issued(key_id, secret, None)

    def rotate(self, key_id: str, overlap_s: int) -> IssuedKey:
        """Give a key a new secret; the older ones are accepted for so long, at most.

        Args:
            key_id: The key.
            overlap_s: How long, in seconds; 0: they are refused at once.

        Returns:
            The key with its new secret, which is nowhere else, and until when older ones are accepted.

        Raises:
            ApiKeyNotFoundError: There is no such key.
        """
        fields, now = self._client.hgetall(self._all), now_ms()
        if key_id not in fields:
            raise ApiKeyNotFoundError(key_id)
        secret, until = secrets.token_hex(_SECRET_BYTES), now + overlap_s * 1000
        older = {name: ends for name, ends in fields.items() if name.startswith(_secret_field(key_id, ""))}
        over = [name for name, ends in older.items() if ends and int(ends) <= now]
        changed = {name: min(int(ends or until), until) for name, ends in older.items() if name not in over}
        self._client.hset(self._all, mapping={**changed, _secret_field(key_id, digest_of(secret)): ""})
        if over:
            self._client.hdel(self._all, *over)
        return self._issued(key_id, secret, until if changed else None)

    def revoke(self, key_id: str) -> ApiKey:
        """Refuse a key from now on; it stays in the list. It may be repeated.

        Raises:
            ApiKeyNotFoundError: There is no such key.
        """
        self.get(key_id)
        self._client.hsetnx(self._all, f"{key_id}.revoked", now_ms())
        return self.get(key_id)

    def forget(self, key_id: str) -> None:
        """Remove all that is known of a key.

        Raises:
            ApiKeyNotFoundError: There is no such key.
        """
        self.get(key_id)
        names = [name for name in self._client.hkeys(self._all) if name.partition(".")[0] == key_id]
        self._client.hdel(self._all, *names)
        self._client.hdel(self._used, key_id)

    def all(self) -> list[ApiKey]:
        """All keys, the oldest first, without their secrets."""
        fields, used = self._client.hgetall(self._all), self._client.hgetall(self._used)
        found = [_key(name, text, fields, used) for name, text in fields.items() if "." not in name]
        return sorted(found, key=lambda key: key.created_at)

    def get(self, key_id: str) -> ApiKey:
        """A key.

        Raises:
            ApiKeyNotFoundError: There is no such key.
        """
        text, revoked = self._client.hmget(self._all, [key_id, f"{key_id}.revoked"])
        if text is None or "." in key_id:
            raise ApiKeyNotFoundError(key_id)
        return _key(key_id, text, {f"{key_id}.revoked": revoked}, {key_id: self._client.hget(self._used, key_id)})

    def exist(self) -> bool:
        """Whether there is any, revoked and expired ones included."""
        return bool(self._client.exists(self._all))

    def find(self, shown: Credential) -> KnownKey | None:
        """The key that somebody shows; None where there is none with that secret."""
        key_id, secret = shown.key_id, _secret_field(shown.key_id, shown.digest)
        pipe = self._client.pipeline(transaction=False)
        pipe.hmget(self._all, [key_id, f"{key_id}.revoked", secret])
        pipe.hget(self._used, key_id)
        (text, revoked, ends), used = pipe.execute()
        if text is None or ends is None:
            return None
        key = _key(key_id, text, {f"{key_id}.revoked": revoked}, {key_id: used})
        limits = [int(ends)] if ends else []
        limits += [int(key.expires_at.timestamp() * 1000)] if key.expires_at else []
        job_types, tags = (None if each is None else tuple(each) for each in (key.job_types, key.tags))
        principal = Principal(key.owner, key.allowed, key.id, job_types, tags, PrincipalKind.KEY)
        return KnownKey(key, min(limits, default=None), principal)

    def note_use(self, key: ApiKey, at_ms: int) -> None:
        """Note that a key was used, to the minute."""
        last = key.last_used_at
        if last is None or at_ms - last.timestamp() * 1000 >= USED_EVERY_MS:
            self._client.hset(self._used, key.id, at_ms)

    def _issued(self, key_id: str, secret: str, older_until_ms: int | None) -> IssuedKey:
        known = self.get(key_id).model_dump()
        return IssuedKey(**known, key=f"jt_{key_id}_{secret}", older_until=from_ms(older_until_ms))


def digest_of(secret: str) -> str:
    """The SHA-256 of a secret, hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _secret_field(key_id: str, digest: str) -> str:
    return f"{key_id}.secret.{digest}"


def _key(key_id: str, text: str, fields: Mapping[str, Any], used: Mapping[str, Any]) -> ApiKey:
    stored = _Stored.model_validate_json(text)
    revoked = from_ms(fields.get(f"{key_id}.revoked"))
    is_over = stored.expires_at is not None and stored.expires_at.timestamp() * 1000 <= now_ms()
    state = KeyState.REVOKED if revoked else KeyState.EXPIRED if is_over else KeyState.ACTIVE
    return ApiKey(
        **stored.model_dump(exclude={"created_ms", "scopes"}),
        scopes=sorted(stored.allowed),
        id=key_id,
        state=state,
        created_at=from_ms(stored.created_ms),
        last_used_at=from_ms(used.get(key_id)),
        revoked_at=revoked,
    )
