"""The caller of the API, and API keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from jobtracker.client.calls import Call
from jobtracker.client.endpoint import Endpoint
from jobtracker.schemas.api_keys import ApiKey, IssuedKey, Me

RoleName = Literal["viewer", "operator", "admin"]


class AccessEndpoints:
    """The methods that both clients have for keys."""

    @Endpoint
    def me(self) -> Call[Me]:
        """Who the caller is, what they may do, and to which jobs they are limited.

        Returns:
            A `Me`: name, role, scopes, id of the key, job types, tags.

        Raises:
            NotAuthenticatedError: There is no key, or it is not accepted.
        """
        return Call("GET", "/api/me", Me)

    @Endpoint
    def api_key(self, key_id: str) -> Call[ApiKey]:
        """An API key, without its secret: what it may do, and when it was used last. For admins.

        Args:
            key_id: Its public part: `id` of an `ApiKey`.

        Raises:
            ApiError: There is no such key.
            ForbiddenError: The caller is not an admin.
        """
        return Call("GET", _path(key_id), ApiKey)

    @Endpoint
    def api_keys(self) -> Call[list[ApiKey]]:
        """All API keys, the oldest first, without their secrets. For admins.

        Returns:
            Up to 1,000 of `ApiKey`; revoked and expired ones are among them.

        Raises:
            ForbiddenError: The caller is not an admin.
        """
        return Call("GET", "/api/keys", list[ApiKey])

    @Endpoint
    def create_api_key(
        self,
        owner: str,
        *,
        role: RoleName | None = None,
        scopes: Sequence[str] = (),
        job_types: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Call[IssuedKey]:
        """Create an API key. The answer has its secret, which can't be shown again. For admins.

        Args:
            owner: Who gets it.
            role: What it may do; or `scopes`.
            scopes: What it may do, e.g. `["jobs:read", "jobs:create"]`.
            job_types: It is limited to jobs of these types.
            tags: It is limited to jobs with one of these tags.
            expires_at: From then on it is refused, an aware datetime; None: it does not expire.

        Returns:
            An `IssuedKey`: the `ApiKey`, and in `key` the text to send, `jt_<id>_<secret>`.

        Raises:
            InvalidJobError: It can't be like this: neither a role nor scopes, or both; `problem.errors` names the
                fields.
            ForbiddenError: The caller is not an admin, or it could do more than their own key, or outlive it.
            ApiError: There are 1,000 keys already.
        """
        body = {
            "owner": owner,
            "role": role,
            "scopes": [*scopes],
            "job_types": job_types and [*job_types],
            "tags": tags and [*tags],
            "expires_at": expires_at,
        }
        return Call("POST", "/api/keys", IssuedKey, body=body)

    @Endpoint
    def rotate_api_key(self, key_id: str, *, overlap_s: int = 86_400) -> Call[IssuedKey]:
        """Give a key a new secret; the older ones are accepted for so long. For admins.

        Args:
            key_id: Its public part.
            overlap_s: How long, in seconds; at most 30 days. 0: they are refused at once.

        Returns:
            An `IssuedKey`, whose `key` has the new secret; `older_until` says how long older ones are accepted.

        Raises:
            ApiError: There is no such key.
            ForbiddenError: The caller is not an admin, or the key may do more than their own, or outlives it.
        """
        return Call("POST", f"{_path(key_id)}/rotate", IssuedKey, body={"overlap_s": overlap_s})

    @Endpoint
    def revoke_api_key(self, key_id: str) -> Call[ApiKey]:
        """Refuse a key from now on, for good. It may be repeated. For admins.

        Returns:
            The `ApiKey`, whose `state` is "revoked". API processes refuse it after 5 s at the latest.

        Raises:
            ApiError: There is no such key.
            ForbiddenError: The caller is not an admin.
        """
        return Call("DELETE", _path(key_id), ApiKey)


def _path(key_id: str) -> str:
    return f"/api/keys/{quote(key_id, safe='')}"
